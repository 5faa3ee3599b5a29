"""`latentworld new`: a preset of one's own, every key explained."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from installation.cli import completion
from installation.cli.presets import Override, overriding

if TYPE_CHECKING:
    from latentworld.preset import Preset

HEAD = """{schema}
# {name}: film it with  latentworld film {file} -o out/{name}
# or play it live with  latentworld show {file} --window
# What stands behind a # without a blank is as by default: take the # away and change it. What is wrong is told by
# latentworld presets check {file}
"""


def new(
    file: Annotated[Path, typer.Argument(help="The preset to write, a .toml file.")],
    walk: Annotated[
        str | None,
        typer.Option(metavar="KIND", autocompletion=completion.walk, help="The kind of walk, such as lissajous."),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="PRESET",
            autocompletion=completion.preset,
            help="What it begins as: a preset's name or file, or a film or picture of ours; without one, defaults.",
        ),
    ] = None,
    set_: Override = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there already.")] = False,
) -> None:
    """Write a preset of your own, every key explained. Film it, play it, change it."""
    from latentworld.commented import commented
    from latentworld.disk import save, writing
    from latentworld.errors import OutputError, OutputExists
    from latentworld.schema import LINE, NAME, beside

    if file.suffix != ".toml":
        raise OutputError(f"a preset is a .toml file: {file} should end in .toml")
    if file.exists() and not overwrite:
        raise OutputExists(f"{file} is there already: give --overwrite, or another name")
    overrides = overriding({"walk.kind": walk}, set_)
    head = HEAD.format(schema=LINE, file=shlex.quote(str(file)), name=file.stem)
    text = commented(_like(like, overrides, file.stem), whole=False, head=head)
    with writing(file):
        save(file, text.encode())
        beside(file.parent)
    print(file)
    named = shlex.quote(str(file))
    print(f"film it: latentworld film {named} -o out/{shlex.quote(file.stem)}", file=sys.stderr)
    print(f"play it: latentworld show {named} --window", file=sys.stderr)
    print(f"editors complete and check it by {file.parent / NAME}, which lies beside it", file=sys.stderr)


def _like(like: str | None, overrides: list[str], name: str) -> Preset:
    """The journey to begin as, under a name of its own."""
    from latentworld import preset

    if like is None:
        return preset.parse({"title": name}, overrides)
    if Path(like).suffix.lower() in ("", ".toml"):
        found = preset.load(like)
    else:
        from installation.film import imprint

        found = preset.parse(imprint.read(Path(like)).preset)
    table = found.model_dump(mode="json", exclude_none=True)
    said = {"title": name, "description": f"Begun as {found.title or Path(like).name}."}
    return preset.parse(table | said, overrides)
