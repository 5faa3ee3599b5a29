"""When to present, and how evenly it was done. A driver's vsync is used when it is kept, and never trusted.

`Pacer` sleeps only when nothing else holds the loop to the display's rate: without a display, in a virtual one, or
where a driver takes the wish for vsync and does nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

BINS = (
    2, 5, 8, 10, 12, 15, 18, 22, 26, 30, 32, 34, 36, 40, 45, 50, 60, 80, 100, 150, 250, 500, 1000,
)  # fmt: skip  # ms, upper edges
_SHORT, _TRIALS = 0.7, 8  # presentations in a row that come in less than such a part of a period: no vsync


class Pacer:
    """Paces presentations at `rate` a second. vsync: whether presenting is expected to wait for the display."""

    def __init__(
        self, rate: float, clock: Callable[[], float], sleep: Callable[[float], None], vsync: bool = False
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self.counts = [0] * (len(BINS) + 1)
        self.presented = self.missed = 0
        self.reset(rate, vsync)

    def reset(self, rate: float, vsync: bool) -> None:
        """Another display: its rate, and vsync is given another chance. What was counted stays."""
        self.period, self.vsync = 1 / rate, vsync
        self._due: float | None = None
        self._last: float | None = None
        self._short = 0

    def wait(self) -> float:
        """Wait for the next presentation; the moment at which it is due, on an even grid that follows the display."""
        now = self._clock()
        due = now if self._due is None else self._due + self.period
        if self.vsync:
            # the display's clock and ours differ a little; far off the grid, a new one begins here
            due = due + 0.1 * (now - due) if abs(now - due) < self.period else now
        else:
            if now - due > self.period:  # what was missed is not made up for
                due += math.ceil((now - due) / self.period) * self.period
            if due > now:
                self._sleep(due - now)
        self._due = due
        return due

    def done(self) -> float:
        """It is on the display: count it. The moment."""
        now = self._clock()
        self.presented += 1
        if self._last is not None:
            self._count(now - self._last)
        self._last = now
        return now

    def _count(self, interval: float) -> None:
        place = next((i for i, edge in enumerate(BINS) if interval * 1000 < edge), len(BINS))
        self.counts[place] += 1
        self.missed += max(round(interval / self.period) - 1, 0)
        self._short = self._short + 1 if interval < _SHORT * self.period else 0
        if self.vsync and self._short >= _TRIALS:
            self.vsync = False
