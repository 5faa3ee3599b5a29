"""How a film tells how far it is: sinks like any other, so that they count what was kept and nothing else."""

from __future__ import annotations

import math
from typing import Protocol, Self

from installation.cli.progress import Speaker
from installation.film.progress import Counter, FilmProgress
from installation.frames import Frames


class FrameTeller(Protocol):
    """A sink that tells of frames, those made elsewhere too."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *fault: object) -> None: ...
    def send(self, frames: Frames) -> None:
        """Count the batch."""
        ...

    def arrived(self, frames: int, done: int) -> None:
        """Count frames that were made elsewhere. done: how many there are now."""
        ...


class Spoken:
    """Frames done, frames a second, time left, and the Lipschitz value of the last frame, through a speaker."""

    def __init__(self, speaker: Speaker, title: str, frames: int, origin: int = 0) -> None:
        self._speaker, self._title, self._counter = speaker, title, Counter(frames, origin)

    def __enter__(self) -> Self:
        self._counter = Counter(self._counter.planned, self._counter.origin)  # a world was loaded meanwhile
        self._speaker.part(self._title)
        return self

    def __exit__(self, *fault: object) -> None:
        self._speaker.part("writing it down")

    def send(self, frames: Frames) -> None:
        """Move on by a batch; the first one says where a film goes on."""
        self._tell(self._counter.count(frames), len(frames))

    def arrived(self, frames: int, done: int) -> None:
        """Move on by frames that were made elsewhere. done: how many there are now."""
        self._tell(self._counter.arrived(frames, done), frames)

    def _tell(self, seen: FilmProgress, more: int) -> None:
        rate = seen.lipschitz
        said = "" if rate is None or math.isnan(rate) else f"L {rate:.3g}" + (", on a rift" if seen.marked else "")
        self._speaker.count(self._title, seen.frames, seen.planned, "frames", said, seen.frames - more)
        if seen.frames == seen.planned:
            self._speaker.say()
