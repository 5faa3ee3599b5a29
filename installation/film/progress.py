"""How far a film is, in a file that whoever watches from outside may read at any time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from installation.clock import Stopwatch
from installation.frames import Frames
from installation.ipc.jsonable import line
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


class ProgressFile:
    """A sink that renews a file every two seconds. A disk that refuses it stops no film."""

    def __init__(self, target: Path, planned: int, origin: int = 0) -> None:
        self.target, self._counter = target, Counter(planned, origin)
        self._written, self._clock = -EVERY, Stopwatch()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        pass

    def send(self, frames: Frames) -> None:
        """Count the batch, and write where it is time to."""
        self._tell(self._counter.count(frames))

    def arrived(self, frames: int, done: int) -> None:
        """The same for frames that were made elsewhere. done: how many there are now."""
        self._tell(self._counter.arrived(frames, done))

    def _tell(self, progress: FilmProgress) -> None:
        if self._clock.seconds - self._written >= EVERY or progress.frames == progress.planned:
            self._written = self._clock.seconds
            with suppress(OSError):
                put(self.target, (progress.json() + "\n").encode())
