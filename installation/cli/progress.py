"""The progress bar of a film: a sink like any other, so that it counts what was kept and nothing else."""

from __future__ import annotations

import math
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from installation.frames import Frames


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Frames a second."""
        speed = task.finished_speed or task.speed
        return Text("  -  fps" if speed is None else f"{speed:5.1f} fps", style="cyan")


class Bar:
    """Frames done, frames a second, time left, and the Lipschitz value of the last frame."""

    def __init__(self, title: str, frames: int, console: Console) -> None:
        columns = (
            TextColumn("[bold]{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(), _Rate(),
            TextColumn("eta"), TimeRemainingColumn(), TextColumn("{task.fields[lipschitz]}"),
        )  # fmt: skip
        self._progress = Progress(*columns, console=console, refresh_per_second=4)
        self._task = self._progress.add_task(title, total=frames, lipschitz="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._progress.stop()

    def send(self, frames: Frames) -> None:
        """Move on by a batch."""
        rate = float(frames.rates.rate[-1]) if len(frames) else math.nan
        words = "" if math.isnan(rate) else f"[magenta]L {rate:.3g}" + (" [red]rift" if frames.marked.any() else "")
        self._progress.update(self._task, advance=len(frames), lipschitz=words)
