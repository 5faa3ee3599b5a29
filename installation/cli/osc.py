"""`latentworld osc`: the address table, and layouts for tablets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from installation.cli.help import Group
from installation.terminal import give

app = typer.Typer(cls=Group, help="The addresses that OSC plays, and layouts for tablets.", no_args_is_help=True)


@app.command()
def table() -> None:
    """Print every OSC address, what it takes and its default, as Markdown."""
    from installation.control import parameters
    from installation.ports.osc.reference import table as page

    give(page(parameters.table()))


@app.command()
def layout(
    file: Annotated[Path, typer.Argument(help="FILE.tosc for TouchOSC, FILE.json for Open Stage Control.")],
    worlds: Annotated[list[str] | None, typer.Option("--world", help="A world that may be chosen; repeatable.")] = None,
) -> None:
    """Write a layout for a tablet, made from the same table."""
    from installation.control import parameters
    from installation.ports.osc import layouts

    layouts.write(parameters.table(worlds or ["embedded"]), file)
