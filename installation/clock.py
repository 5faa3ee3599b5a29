"""When the frames are due. A film counts them; no other file asks what time it is."""

from __future__ import annotations

import time as _time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tick:
    """The frames of one batch: their numbers, and when they are due in seconds."""

    index: NDArray[np.int64]
    time: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True)
class CountedClock:
    """`frames` frames at `fps`, dealt out in batches of `batch`; the same every time it is run."""

    frames: int
    fps: float
    batch: int

    def __iter__(self) -> Iterator[Tick]:
        for start in range(0, self.frames, self.batch):
            end = min(start + self.batch, self.frames)
            index = np.arange(start, end, dtype=np.int64)
            # index / fps, not a running sum: frame 345,599 is due exactly when it should be
            yield Tick(index, index / self.fps)


class Stopwatch:
    """Wall time, for the record only: nothing that reaches a picture may depend on it."""

    def __init__(self) -> None:
        self._start = _time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return _time.perf_counter() - self._start
