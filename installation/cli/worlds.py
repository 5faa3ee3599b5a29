"""`latentworld worlds`: which worlds are there, and what they are."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from installation.cli import completion
from installation.cli.help import Group
from installation.cli.tables import AsJson, Column, give_json, show_table
from installation.terminal import give, one_line

if TYPE_CHECKING:
    from latentworld.worlds import Summary

app = typer.Typer(cls=Group, help="List worlds and look into them.", invoke_without_command=True)
Name = Annotated[
    str,
    typer.Argument(autocompletion=completion.world, help="`embedded`, a folder, a .safetensors file or a hub name."),
]
COLUMNS = (
    Column("world", "name"), Column("family", "family"), Column("pixels", "pixels", right=True),
    Column("parameters", "parameters", lambda count: f"{count / 1e6:.1f} M", right=True),  # type: ignore[operator]
    Column("MB", "megabytes", lambda size: f"{size:.0f}", right=True),
    Column("student", "student", lambda there: "yes" if there else "-"),
    Column("CLIP", "clip", lambda there: "yes" if there else "-"), Column("title", "title"),
)  # fmt: skip


@app.callback()
def worlds(context: typer.Context, as_json: AsJson = False) -> None:
    """List worlds and look into them. What of the hub's cache is none here is told with why."""
    if context.invoked_subcommand is not None:
        return
    from latentworld.worlds import needs, survey
    from latentworld.worlds.families import REGISTRY

    found, refused = survey()
    rows = [
        (world.name, needs.title(world), world.size, sum(world.parameters.values()), world.disk_mb, bool(world.student),
         world.clip, world.card.title) for world in found
    ]  # fmt: skip
    if found or as_json:
        show_table(COLUMNS, rows, as_json)
    else:
        print("no world on this machine yet: name a folder, a .safetensors file or a hub repository")
    told = sys.stderr if as_json else sys.stdout
    for line in [*(f"{other.name}: {other.why}" for other in refused), *map(str, REGISTRY.examine())]:
        print(one_line(line), file=told)


@app.command()
def show(
    world: Name,
    words: Annotated[bool, typer.Option("--words", help="The words it understands, by subject and kind.")] = False,
    as_json: AsJson = False,
) -> None:
    """What a world is, from its files' headers."""
    from latentworld.worlds import inspect

    seen = inspect(world)
    if words:
        _tell_words(seen, as_json)
        return
    rows = _rows(seen)
    if as_json:
        give_json(rows)
        return
    print(f"{seen.card.title or seen.name}  {seen.card.description}")
    wide = max((len(name) for name in rows), default=0)
    for name, value in rows.items():
        print(_beside(name, value, wide))


def _tell_words(seen: Summary, as_json: bool) -> None:
    """The words that a world understands: by subject, and of each in the groups in which an artist looks for them."""
    from latentworld.worlds.words import ANY

    found = _words(seen)
    if as_json:
        give_json(found)
        return
    for subject, groups in found.items():
        print(f"{subject}:" if subject != ANY else "with any of them:" if len(found) > 1 else "words:")
        wide = max(map(len, groups), default=0)
        for name, own in groups.items():
            print(_beside(f"  {name}", ", ".join(own), wide + 2))
    if not found:
        print(f"{seen.name} reads any words")


def _rows(seen: Summary) -> dict[str, str]:
    """What a world is, a line each."""
    from latentworld.worlds import needs

    defaults = seen.card.defaults
    return {
        "name": seen.name, "family": needs.title(seen), "source": seen.source, "folder": str(seen.path),
        "pictures": f"{seen.size} x {seen.size}, other sizes in multiples of {seen.latent.multiple}",
        "latents": "{} x {} x {}".format(*seen.latent.shape(seen.size, seen.size)),
        "prediction": seen.prediction, "sampling": needs.sampling(seen),
        "memory": f"{_gb(seen, seen.family.half)} of weights in {seen.family.half}, {_gb(seen, 'float32')} in float32",
        "on disk": f"{seen.disk_mb:.1f} MB",
        "parameters": ", ".join(f"{part} {count / 1e6:.1f} M" for part, count in seen.parameters.items()),
        "scout": _scout(seen), "tiny VAE": "yes" if seen.tiny_vae else "no",
        "CLIP": "its own" if seen.clip else "none: the embedded one serves",
        "prompt": defaults.prompt, "negative": defaults.negative,
        "subjects": ", ".join(subject.name for subject in seen.card.subjects) or "its card names none",
    }  # fmt: skip


def _words(seen: Summary) -> dict[str, dict[str, tuple[str, ...]]]:
    """The words that a world understands, grouped, by subject where its card lists them, else its tokenizer's; none
    where it reads any."""
    from latentworld.worlds import lexicon
    from latentworld.worlds.word_groups import grouped
    from latentworld.worlds.words import ANY, understood

    clip = seen.path / "clip"
    found = understood(seen.card)
    known = () if found else lexicon.listed(clip if clip.is_dir() else seen.path / "tokenizer")
    found = found or ({ANY: tuple(known)} if known else {})
    return {subject: grouped(words) for subject, words in found.items()}


def _beside(name: str, value: str, wide: int) -> str:
    """A name and its value, wrapped in a terminal alone."""
    import shutil

    indent = " " * (wide + 2)
    if not sys.stdout.isatty():
        return f"{name:{wide}}  {value}"
    columns = max(40, shutil.get_terminal_size().columns)
    return textwrap.fill(value, columns, initial_indent=f"{name:{wide}}  ", subsequent_indent=indent) or name


def _gb(seen: Summary, dtype: str) -> str:
    from latentworld.worlds import needs

    return f"{needs.weights_gb(seen, dtype):.3g} GB"


def _scout(seen: Summary) -> str:
    """What its scout is, in words."""
    from latentworld.decoding.settings import GUIDED_STEPS

    steps = seen.card.defaults.scout_steps
    if seen.student:
        return f"its student, {steps} steps"
    few = min(GUIDED_STEPS, seen.card.defaults.steps)
    return f"itself, {steps} steps" if seen.few_step else f"none: its faithful decoder in {few} guided steps"


@app.command()
def path(world: Name) -> None:
    """Print the folder (or file) of a world, and nothing else."""
    from latentworld.worlds import resolve

    give(f"{resolve(world)[0]}\n")
