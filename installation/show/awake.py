"""Time as a supervisor may count it: without the spans in which the whole show slept."""

from __future__ import annotations

import threading
from collections.abc import Callable

GAP = 1.0  # seconds without anybody's look from which nobody was awake; the pump looks 60 times a second


class AwakeClock:
    """Seconds of a clock, without those in which nobody asked for the time: a paused machine, a stopped process.

    Silence that we slept through is no silence of the child's. Any thread may call.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last, self._slept = clock(), 0.0

    def __call__(self) -> float:
        """The time."""
        with self._lock:
            now = self._clock()
            if now - self._last > GAP:
                self._slept += now - self._last
            self._last = now
            return now - self._slept
