"""`latentworld doctor`: what this machine has, and what will be used."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import typer

from installation.cli.added import WithAdded
from installation.cli.tables import AsJson, give_json


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Examine this machine: device, memory, encoder, display, worlds, added parts. What will be used is said too."""
    from installation.cli.plugins import registries
    from installation.cli.plugins import report as plugins
    from installation.doctor import examine

    group = context.find_root().command
    assert isinstance(group, WithAdded)
    findings, added = examine(), plugins(registries(group.added))
    if as_json:
        give_json(findings | added)
    else:
        _tell(findings)
        for what, lines in added.items():
            print(*(f"{what.replace('_', ' ')}: {line}" for line in lines or ["none"]), sep="\n")
    if not findings["encoder_works"]:
        raise typer.Exit(1)


def _tell(findings: Mapping[str, object]) -> None:
    """A line each; in a pipe none is folded."""
    if not sys.stdout.isatty():
        wide = max(map(len, findings))
        print(
            *(f"{name.replace('_', ' '):{wide}}  {_words(value)}".rstrip() for name, value in findings.items()),
            sep="\n",
        )
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in findings.items():
        table.add_row(f"[dim]{name.replace('_', ' ')}[/]", escape(_words(value)))
    Console(highlight=False).print(table)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
