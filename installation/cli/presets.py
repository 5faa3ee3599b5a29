"""`latentworld presets`: what journeys come with it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from installation.terminal import give

Override = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a setting; repeatable.")
]
app = typer.Typer(help="List presets and show one.", invoke_without_command=True)


@app.callback()
def presets(context: typer.Context) -> None:
    """List the presets."""
    if context.invoked_subcommand is not None:
        return
    from latentworld import preset

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("preset", "world", "length", "what it shows"):
        table.add_column(column, no_wrap=column != "what it shows")
    for name in preset.names():
        journey = preset.load(name)
        world = "none" if journey.decoder.kind == "analytic" else journey.world.name
        table.add_row(name, world, f"{journey.film.seconds:g} s", journey.description)
    Console().print(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A preset's name, or a .toml file.")],
    set_: Override = None,
) -> None:
    """Print a preset as TOML, with every setting it has; a start for one of your own."""
    from latentworld import preset

    give(preset.dump(preset.load(name, set_ or [])))


@app.command()
def keys() -> None:
    """Print every key that a preset may hold, what it takes and its default, as Markdown."""
    from latentworld import walks
    from latentworld.reference import reference

    give(reference(walks.specs()))
