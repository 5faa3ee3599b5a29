"""`latentworld presets`: what journeys come with it, what their keys mean, and whether one of your own is sound."""

from __future__ import annotations

import json
import re
import sys
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from installation.cli import completion
from installation.cli.help import Group
from installation.cli.tables import AsJson, Column, show_table
from installation.terminal import give

if TYPE_CHECKING:
    from latentworld.preset import Preset

Positive = Annotated[
    str | None,
    typer.Option("--prompt", help="What the picture should be; (words:1.3) weigh more, [words] less, BREAK parts."),
]
Negative = Annotated[
    str | None, typer.Option("--negative", help="What it should not be, in place of the preset's or world's.")
]
Override = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.KEY=VALUE", autocompletion=completion.override,
        help="Override a setting; repeatable. `latentworld presets keys [SECTION]` explains them.",
    ),
]  # fmt: skip
PresetName = Annotated[str, typer.Argument(autocompletion=completion.preset, help="A preset's name, or a .toml file.")]
LONGEST = 110  # characters of what a preset shows, in the list
app = typer.Typer(cls=Group, help="List presets, show and check them, explain their keys.", invoke_without_command=True)


def overriding(asked: Mapping[str, object], also: Sequence[str] | None = None) -> list[str]:
    """Values of a preset's keys as --set would write them, None being as the preset has it, and what --set says itself.

    Raises typer.BadParameter for a key that both name.
    """
    given = {key: value for key, value in asked.items() if value is not None}
    if twice := [key for key in keys_of(also or ()) if key in given]:
        raise typer.BadParameter(f"{twice[0]} is said twice, by an option of its own and by --set: leave one out")
    # JSON strings, numbers and lists are TOML too, so that a prompt may hold quotes and equals signs
    return [*(f"{key}={json.dumps(value)}" for key, value in given.items()), *(also or ())]


def keys_of(overrides: Sequence[str]) -> list[str]:
    """What each of them is of."""
    return [text.partition("=")[0].strip() for text in overrides]


def prompted(positive: str | None, negative: str | None, also: Sequence[str] | None = None) -> list[str]:
    """Overrides of a prompt, and what --set says. Raises typer.BadParameter for a part that both say."""
    return overriding({"prompt.positive": positive, "prompt.negative": negative}, also)


def heard(journey: Preset, overrides: Sequence[str]) -> Preset:
    """The preset; a line for a prompt that was asked for where nothing hears it."""
    if journey.decoder.kind == "analytic":
        tell_idle([key for key in keys_of(overrides) if key.startswith("prompt.")], "the analytic decoder")
    return journey


def tell_idle(keys: Sequence[str], what: str) -> None:
    """A line for keys that mean nothing to what is made."""
    from latentworld.errors import Notice

    if keys:
        text = f"{', '.join(dict.fromkeys(keys))}: nothing to {what}, left out"
        warnings.warn(text, Notice, stacklevel=3)


def _sentence(description: object) -> str:
    """What it shows, in a line; `presets show` and --json have the rest."""
    line = re.split(r"(?<=\.) (?=[A-Z])", str(description), maxsplit=1)[0]  # "et al. 2025" ends no sentence
    return line if len(line) <= LONGEST else textwrap.shorten(line, LONGEST, placeholder=" ...")


@app.callback()
def presets(context: typer.Context, as_json: AsJson = False) -> None:
    """List presets, show and check them, explain their keys."""
    if context.invoked_subcommand is not None:
        return
    from latentworld import preset

    rows = []
    for name in preset.names():
        journey = preset.load(name)
        world = "none" if journey.decoder.kind == "analytic" else journey.world.name
        rows.append((name, world, journey.film.seconds, journey.walk.kind, journey.description))
    columns = (
        Column("preset", "name"), Column("world", "world"), Column("length", "seconds", lambda length: f"{length:g} s"),
        Column("walk", "walk"), Column("what it shows", "description", _sentence),
    )  # fmt: skip
    show_table(columns, rows, as_json)


@app.command()
def show(name: PresetName, set_: Override = None) -> None:
    """Print a preset as TOML with every setting it has, explained; a start for one of your own."""
    from latentworld import preset
    from latentworld.commented import commented

    give(commented(preset.load(name, set_ or [])))


@app.command()
def check(name: PresetName, set_: Override = None) -> None:
    """Say what is wrong with a preset, its score or the files it names, in a line. No world is loaded."""
    from latentworld import preset
    from latentworld.errors import LatentWorldError, PresetError

    journey = preset.load(name, set_ or [])
    if absent := list(preset.absent_files(journey)):
        raise PresetError(
            f"{'; '.join(f'{key} = {path:.200}' for key, path in absent)}: there is no such file here or beside the "
            f"preset; a path is written out, without ~"
        )
    if journey.score or journey.sound.follow:
        from installation.film import playing

        playing.score_of(journey)
        try:
            playing.check(journey)
        except LatentWorldError as error:
            print(f"note: a show plays it, a film would not: {error}", file=sys.stderr)
    film = journey.film
    print(f"{name} is sound: {journey.walk.kind}, {film.seconds:g} s, {film.frames} frames, {journey.world.name}")


@app.command()
def keys(
    section: Annotated[
        str | None,
        typer.Argument(autocompletion=completion.section, help="One of them alone, such as film, walk or walk.orbit."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="All that is said of each, also of several sections.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As docs/presets.md has them.")] = False,
) -> None:
    """Explain every key that a preset may hold: what it takes, its default, what it does."""
    from latentworld import walks

    if markdown:
        from latentworld.reference import reference

        give(reference(walks.specs()))
        return
    from installation.cli.keys import page

    give(page(walks.specs(), section, full))


@app.command()
def schema(
    path: Annotated[bool, typer.Option("--path", help="Print where the schema that comes along lies.")] = False,
) -> None:
    """Print the JSON schema of presets, by which editors complete and check them."""
    from latentworld import walks
    from latentworld.preset import folder
    from latentworld.schema import NAME
    from latentworld.schema import schema as page

    give(f"{folder() / NAME}\n" if path else page(walks.specs()))
