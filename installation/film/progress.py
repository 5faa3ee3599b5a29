"""How far a film is, in a file that whoever watches from outside may read at any time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from installation.frames import Frames
from installation.ipc.jsonable import line
from installation.stopwatch import Stopwatch
from latentworld.disk import put

EVERY = 2.0  # seconds from one writing to the next


@dataclass(frozen=True)
class FilmProgress:
    """frames: done, those of earlier runs too; rate: of this run, a second; eta: seconds left at that rate, None
    before the first frame; lipschitz: of the newest frame, None where it has none; marked: it stays a large step."""

    frames: int
    planned: int
    rate: float
    eta: float | None
    lipschitz: float | None = None
    marked: bool = False

    def json(self) -> str:
        """One line."""
        return line(asdict(self))


class Counter:
    """Counts a film's frames from now on. Those before the first one were there already: they count, but say nothing
    about the rate. origin: number of the film's first frame, which a take may have given."""

    def __init__(self, planned: int, origin: int = 0) -> None:
        self.planned, self.origin, self.before = planned, origin, 0
        self._made, self._clock = 0, Stopwatch()

    def count(self, frames: Frames) -> FilmProgress:
        """A batch more."""
        if not self._made:
            self.before = int(frames.path.index[0]) - self.origin
        return self._more(len(frames), float(frames.rates.rate[-1]), bool(frames.marked.any()))

    def arrived(self, frames: int, done: int) -> FilmProgress:
        """Frames that were made elsewhere, in any order. done: how many there are now."""
        if not self._made:
            self.before = done - frames
        return self._more(frames)

    def _more(self, frames: int, lipschitz: float | None = None, marked: bool = False) -> FilmProgress:
        self._made += frames
        rate = self._made / max(self._clock.seconds, 1e-9)  # of this run alone
        done = self.before + self._made
        return FilmProgress(done, self.planned, rate, (self.planned - done) / rate, lipschitz, marked)


class Reported:
    """A sink that hands how far a film is to `tell` every so many seconds (the first time after `first`), and at its
    end. A reader that is gone, or a disk that refuses, stops no film."""

    def __init__(
        self, planned: int, tell: Callable[[FilmProgress], object], every: float, first: float = 0.0, origin: int = 0
    ) -> None:
        self._tell, self._every, self._next = tell, every, first
        self._counter, self._clock = Counter(planned, origin), Stopwatch()

    def __enter__(self) -> Self:
        self._counter, self._clock = Counter(self._counter.planned, self._counter.origin), Stopwatch()  # from now on
        return self

    def __exit__(self, *fault: object) -> None:
        pass

    def send(self, frames: Frames) -> None:
        """Count the batch, and tell where it is time to."""
        self._counted(self._counter.count(frames))

    def arrived(self, frames: int, done: int) -> None:
        """The same for frames that were made elsewhere. done: how many there are now."""
        self._counted(self._counter.arrived(frames, done))

    def _counted(self, progress: FilmProgress) -> None:
        if self._clock.seconds >= self._next or progress.frames == progress.planned:
            self._next = self._clock.seconds + self._every
            with suppress(OSError, ValueError):  # a closed file says it by the latter
                self._tell(progress)


def progress_file(target: Path, planned: int, origin: int = 0) -> Reported:
    """A sink that renews a file every two seconds."""
    return Reported(planned, lambda progress: put(target, (progress.json() + "\n").encode()), EVERY, origin=origin)


def progress_lines(planned: int, every: float, write: Callable[[str], object], origin: int = 0) -> Reported:
    """A sink that writes a line of JSON every so many seconds, for programs."""
    return Reported(planned, lambda progress: write(progress.json()), every, every, origin)
