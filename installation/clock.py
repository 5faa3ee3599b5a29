"""When the frames are due. A film counts them; besides `stopwatch` no other file asks what time it is."""

from __future__ import annotations

import time as _time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import Annotated

import numpy as np
from msgspec import Meta
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


@dataclass(frozen=True)
class ClockState:
    """Where a live clock stands: number and time of the newest frame, and the smoothed seconds from one to the next,
    None where they are yet to be measured."""

    index: Annotated[int, Meta(ge=-1, lt=2**53)] = -1
    time: Annotated[float, Meta(ge=0.0, lt=1e12)] = 0.0
    period: Annotated[float, Meta(gt=1e-4, lt=60.0)] | None = None


class LiveClock:
    """Ticks of `batch` frames as they can be made, at most `rate` frames a second (0: no limit), until `stop`.

    `index` and `time` are those of the frame before the first: a show that goes on counts on. Times are the show's
    seconds; they rise by `period`, the smoothed seconds per frame, and lean gently toward the wall's clock, so that a
    late tick moves nothing by a jump. batch, rate: may be changed between ticks. now, wait: the time, and a wait for at
    most so many seconds (tests give their own).
    """

    LEAST, SMOOTH, LEAN, LOST = 1e-3, 0.1, 0.05, 2.0  # s; share of a new tick; share of the error; s

    def __init__(
        self,
        batch: int = 1,
        rate: float = 0.0,
        period: float = 0.1,
        index: int = -1,
        time: float = 0.0,
        now: Callable[[], float] = _time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self.batch, self.rate, self.period = batch, rate, period
        self.index, self.time = index, time
        self.began = now()  # the newest tick
        self._now = now
        self._ended = Event()
        self._wait = wait or self._ended.wait

    def stop(self) -> None:
        """Make the next tick the end. Any thread may call it."""
        self._ended.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._ended.is_set()

    def __iter__(self) -> Iterator[Tick]:
        origin = self._now() - self.time
        made = 0
        while not self.stopped:
            if made and self.rate > 0:
                self._rest(self.began + made / self.rate)
            now = self._now()
            if made:
                self._measure((now - self.began) / made)
            self.began = now
            tick = self._tick(now - origin)
            made = len(tick)
            if not self.stopped:
                yield tick

    def _rest(self, until: float) -> None:
        while not self.stopped and (left := until - self._now()) > 0:
            self._wait(left)

    def _measure(self, seconds: float) -> None:
        """Lean toward what a frame took just now; a hitch counts for no more than three frames."""
        seconds = min(max(seconds, self.period / 3, self.LEAST), self.period * 3)
        self.period += self.SMOOTH * (seconds - self.period)

    def _tick(self, wall: float) -> Tick:
        error = wall - self.time - self.period
        if abs(error) > self.LOST:  # the machine slept, or this is the first tick
            self.time += max(error, 0.0)
            error = 0.0
        first = self.time + self.period + max(self.LEAN * error, -0.5 * self.period)
        times: NDArray[np.float64] = first + self.period * np.arange(self.batch, dtype=np.float64)
        index = np.arange(self.index + 1, self.index + 1 + self.batch, dtype=np.int64)
        self.index, self.time = int(index[-1]), float(times[-1])
        return Tick(index, times)
