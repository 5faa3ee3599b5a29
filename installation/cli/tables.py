"""Rows on stdout: a table in a terminal, lines that are not wrapped in a pipe, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from installation.terminal import give

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@dataclass(frozen=True)
class Column:
    """title: for people; key: for programs; words: a value as people read it."""

    title: str
    key: str
    words: Callable[[object], str] = str
    right: bool = False


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[object]], as_json: bool = False) -> None:
    """Print rows. In a pipe each is one line, however long."""
    if as_json:
        give_json([dict(zip((column.key for column in columns), row, strict=True)) for row in rows])
        return
    titles = [column.title for column in columns]
    cells = [[column.words(value) for column, value in zip(columns, row, strict=True)] for row in rows]
    if sys.stdout.isatty():
        _in_terminal(columns, cells)
        return
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    for row in [titles, *cells]:
        parts = zip(row, widths, columns, strict=True)
        print(
            "  ".join(text.rjust(wide) if column.right else text.ljust(wide) for text, wide, column in parts).rstrip()
        )


def give_json(value: object) -> None:
    """A value on stdout as indented JSON."""
    from installation.ipc.jsonable import page

    give(page(value))


def _in_terminal(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        last = number == len(columns) - 1
        table.add_column(column.title, justify="right" if column.right else "left", no_wrap=not last)
    for row in cells:
        table.add_row(*map(escape, row))
    Console(highlight=False).print(table)
