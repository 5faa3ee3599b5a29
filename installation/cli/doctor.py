"""`latentworld doctor`: what this machine has, and what will be used."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from installation.cli.added import WithAdded
from installation.ipc.jsonable import page
from installation.terminal import give


def doctor(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False
) -> None:
    """Examine this machine: device, memory, encoder, display, versions, worlds and what other packages add."""
    from installation.cli.plugins import registries
    from installation.cli.plugins import report as plugins
    from installation.doctor import examine

    group = context.find_root().command
    assert isinstance(group, WithAdded)
    findings, added = examine(), plugins(registries(group.added))
    if as_json:
        give(page(findings | added))
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in findings.items():
            table.add_row(f"[dim]{name.replace('_', ' ')}[/]", _words(value))
        Console(highlight=False).print(table)
        for what, lines in added.items():
            print(*(f"{what.replace('_', ' ')}: {line}" for line in lines or ["none"]), sep="\n")
    if not findings["encoder_works"]:
        raise typer.Exit(1)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
