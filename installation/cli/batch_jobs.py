"""The jobs of a batch, held against the commands that they are before the first of them begins."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from installation.batch import listing, words
from installation.batch import matrix as crossing
from installation.batch.jobs import KINDS, Job, Kind
from installation.batch.jobs import checked as beside_each_other
from installation.cli import commands
from installation.cli.help import Group
from installation.cli.presets import keys_of
from latentworld import preset as presets
from latentworld.errors import BatchError, PresetError
from latentworld.explain import nearest

if TYPE_CHECKING:
    from typer._click import Command  # typer's own, which it has no public name for

OURS = {
    "help", "output", "overwrite", "set_", "preset", "atlas", "json", "as_json", "dry_run", "preview", "progress",
}  # fmt: skip
"""Of a command: what the batch says itself, and what tells people who look on."""


def of_list(named: str) -> tuple[Job, ...]:
    """The jobs of a list. Raises BatchError."""
    path = Path(named)
    if path.suffix != ".toml" or not path.is_file():
        is_preset = named in presets.names()
        remedy = f"give --matrix KEY=VALUE,VALUE with the preset {named}" if is_preset else "check the path"
        raise BatchError(f"{named!r:.120} is no list of jobs, a .toml file that is there: {remedy}")
    return listing.read(path)


def of_matrix(
    preset: str, axes: Sequence[str], do: str, options: Sequence[str], overrides: Sequence[str]
) -> tuple[Job, ...]:
    """The jobs of a matrix. options: of the command, as `grid=3x3`. Raises BatchError."""
    if do not in KINDS:
        raise BatchError(f"--do {do}: {nearest(do, KINDS)}")
    crossed = [crossing.axis(text) for text in axes]
    if twice := [axis.key for axis in crossed if axis.key in keys_of(overrides)]:
        raise BatchError(f"{twice[0]} is said twice, by --matrix and by --set: leave one out")
    own = [word for text in options for word in _option(text)]
    own += [word for text in overrides for word in ("--set", text)]
    job = Job(Path(preset).stem, do, preset, tuple(own))
    return beside_each_other(crossing.crossed(job, crossed))


def _option(text: str) -> list[str]:
    name, equals, value = text.partition("=")
    if not name or (equals and not value):
        raise BatchError(f"cannot read --with {text!r:.80}: write OPTION=VALUE, or OPTION alone for a switch")
    return list(words.option(name.lstrip("-"), value if equals else True))


def checked(jobs: Sequence[Job], folder: Path) -> list[str]:
    """The command line of each job, if it is one that its command takes and its preset can be used. Raises
    BatchError, which names the job."""
    others = {job.name: job for job in jobs}
    lines = []
    for job in jobs:
        arguments = job.arguments(folder, others)
        try:
            _understood(job.kind, arguments[len(job.kind.words) :], has_preset=job.source is not None)
        except typer.TyperException as error:
            raise BatchError(f"job {job.name}: {error.format_message().rstrip('.')}") from None
        except (PresetError, BatchError) as error:
            raise BatchError(f"job {job.name}: {error}") from None
        lines.append(shlex.join(["latentworld", *arguments]))
    return lines


def _understood(kind: Kind, arguments: list[str], has_preset: bool) -> None:
    """Raises what misuse raises, BatchError for an option that is not the job's to say, PresetError."""
    command = _command(kind.words)
    known = {name: param for param in command.params for name in (*param.opts, *param.secondary_opts)}
    for word in (one.partition("=")[0] for one in arguments if one.startswith("--")):
        if word not in known and (bare := f"--{word.removeprefix('--no-')}") in known and bare != word:
            raise BatchError(f"{bare.removeprefix('--')} is a switch, off unless it is named: leave it out")
        if word not in known:
            offered = [name.removeprefix("--") for name, param in known.items() if _is_theirs(name, param.name)]
            raise BatchError(
                f"`latentworld {' '.join(kind.words)}` has no option {word.removeprefix('--')!r:.60}: "
                f"{nearest(word.removeprefix('--'), offered)}"
            )
        if known[word].name in OURS - {"set_"}:
            raise BatchError(f"{word} is the batch's to say: leave it out")
    context = command.make_context(command.name, list(arguments))
    named, overrides = context.params.get("preset"), context.params.get("set_") or []
    if all(context.params.get(name, "") is None for name in ("preset", "like", "take")):
        raise BatchError("it names nothing to film: give preset, or of with the name of a job before it")
    if has_preset and isinstance(named, str) and not named.lower().endswith(".png"):
        journey = presets.load(named, list(overrides))
        if absent := next(presets.absent_files(journey), None):
            raise BatchError(f"{absent[0]} = {absent[1]:.200}: there is no such file here or beside the preset")


def _is_theirs(name: str, param: str | None) -> bool:
    return name.startswith("--") and param not in OURS


@cache
def _command(words: tuple[str, ...]) -> Command:
    """What a job's first words run, made once: it takes 5 ms, and a list has thousands."""
    found = commands.command(words[0])
    for word in words[1:]:
        assert isinstance(found, Group)
        found = found.commands[word]
    return found.commands[found.own] if isinstance(found, Group) else found
