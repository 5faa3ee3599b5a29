"""What every benchmark prints above its table: machine, date, versions; and how the table looks."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table


def machine() -> str:
    """Processor or GPU, threads, date and versions, on one line."""
    import diffusers

    place = torch.cuda.get_device_name() if torch.cuda.is_available() else _processor()
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    versions = f"torch {torch.__version__}, diffusers {diffusers.__version__}"
    return f"{place}, {torch.get_num_threads()} threads, {date}, {versions}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """Print a table under the machine's line; `notes` below it."""
    console = Console(width=120, highlight=False)
    table = Table(title=title, caption=machine(), title_justify="left", caption_justify="left")
    for row, column in enumerate(columns):
        table.add_column(column, justify="left" if row == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for note in notes:
        console.print(note)
