"""`latentworld score`: other programs' schedules as presets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from installation.cli.help import Group

app = typer.Typer(cls=Group, help="What changes when: import schedules of other programs.", no_args_is_help=True)


@app.callback()
def score() -> None:
    """What changes when: import schedules of other programs."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Deforum's settings, or Parseq's JSON.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The preset's .toml file.")],
    fade: Annotated[
        float, typer.Option("--fade", min=0.0, max=60.0, help="Seconds in which a prompt changes that changed at once.")
    ] = 1.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there already.")] = False,
) -> None:
    """Make a preset of another program's schedules; a line is printed for each thing that has no equivalent here."""
    from installation.score import importing
    from latentworld.disk import save, writing
    from latentworld.errors import OutputExists

    if output.exists() and not overwrite:
        raise OutputExists(f"{output} is there already: give --overwrite, or another name")
    imported = importing.read(file, fade)
    with writing(output):
        save(output, imported.toml.encode())
    for note in imported.notes:
        print(note, file=sys.stderr)
    print(output)
