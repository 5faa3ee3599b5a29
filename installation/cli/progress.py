"""How a film tells how far it is: sinks like any other, so that they count what was kept and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from installation.clock import Stopwatch
from installation.film.progress import Counter, FilmProgress
from installation.frames import Frames


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Frames a second."""
        speed = task.finished_speed or task.speed
        return Text("  -  fps" if speed is None else f"{speed:5.1f} fps", style="cyan")


class Bar:
    """Frames done, frames a second, time left, and the Lipschitz value of the last frame."""

    def __init__(self, title: str, frames: int, console: Console, origin: int = 0) -> None:
        columns = (
            TextColumn("[bold]{task.description}"), BarColumn(bar_width=None), MofNCompleteColumn(), _Rate(),
            TextColumn("eta"), TimeRemainingColumn(), TextColumn("{task.fields[lipschitz]}"),
        )  # fmt: skip
        self._progress = Progress(*columns, console=console, refresh_per_second=4)
        self._origin, self._begun = origin, False
        self._task = self._progress.add_task(title, total=frames, lipschitz="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._progress.stop()

    def send(self, frames: Frames) -> None:
        """Move on by a batch; the first one says where a film goes on."""
        self._begin(int(frames.path.index[0]) - self._origin)
        rate = float(frames.rates.rate[-1])
        words = "" if math.isnan(rate) else f"[magenta]L {rate:.3g}" + (" [red]rift" if frames.marked.any() else "")
        self._progress.update(self._task, advance=len(frames), lipschitz=words)

    def arrived(self, frames: int, done: int) -> None:
        """Move on by frames that were made elsewhere. done: how many there are now."""
        self._begin(done - frames)
        self._progress.update(self._task, advance=frames)

    def _begin(self, there: int) -> None:
        if not self._begun:
            self._progress.reset(self._task, completed=there)  # says nothing about the rate
            self._begun = True


class Lines:
    """A line every so many seconds, for logs and for programs: in words, or as JSON (a `FilmProgress`)."""

    def __init__(
        self, frames: int, every: float, as_json: bool, write: Callable[[str], object], origin: int = 0
    ) -> None:
        self._every, self._json, self._write = every, as_json, write
        self._counter, self._clock, self._next = Counter(frames, origin), Stopwatch(), every

    def __enter__(self) -> Self:
        self._counter, self._clock = (
            Counter(self._counter.planned, self._counter.origin),
            Stopwatch(),
        )  # a world was loaded meanwhile
        return self

    def __exit__(self, *fault: object) -> None:
        pass

    def send(self, frames: Frames) -> None:
        """Count the batch, and say so where it is time to."""
        self._tell(self._counter.count(frames))

    def arrived(self, frames: int, done: int) -> None:
        """The same for frames that were made elsewhere. done: how many there are now."""
        self._tell(self._counter.arrived(frames, done))

    def _tell(self, progress: FilmProgress) -> None:
        if self._clock.seconds >= self._next or progress.frames == progress.planned:
            self._next = self._clock.seconds + self._every
            with suppress(OSError):  # whoever read it may be gone, which ends no film
                self._write(progress.json() if self._json else in_words(progress))


class Looks:
    """How many places of a lap were looked at: a line that is written anew in a terminal, elsewhere one a minute."""

    def __init__(self, console: Console, as_json: bool) -> None:
        self._console, self._silent, self._clock, self._next = console, as_json, Stopwatch(), 0.0

    def __call__(self, places: int) -> None:
        """So many so far."""
        if self._silent or self._clock.seconds < self._next:
            return
        self._next = self._clock.seconds + (0.2 if self._console.is_terminal else 60.0)
        end = "\r" if self._console.is_terminal else "\n"
        self._console.print(f"looking along the lap: {places} places", end=end, highlight=False)


def in_words(progress: FilmProgress) -> str:
    """Frames, rate and time left, on one line."""
    left = "" if progress.eta is None else f", {duration(progress.eta)} left"
    rift = ", on a rift" if progress.marked else ""
    return f"{progress.frames} of {progress.planned} frames, {progress.rate:.1f} a second{left}{rift}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as many as it takes."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
