"""When systemd's watchdog is fed: only for pictures that reached the wall, never by a timer.

A process that lives is no proof of a show. The stage reports how long ago it presented a new, finite, non-constant
picture; if none was since the watchdog was last fed, it is not fed, and systemd starts everything anew. A wall that is
held on purpose (freeze, blackout, test card) is fed as long as the stage reports that it is; a renderer that loads, for
a time. A show that no longer looks after its children is not fed at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Watchdog:
    """interval: seconds within which it must be fed (systemd's WatchdogSec); loading: how long a renderer may load.
    Moments are seconds of one clock; `start` is when the show began."""

    interval: float
    loading: float
    start: float
    silence: float = 5.0  # without a report of the stage
    dead: float = 10.0  # without the show's pulse

    def __post_init__(self) -> None:
        self._fed = -math.inf
        self._reported = self._fresh = -math.inf  # when the stage last spoke, and when it last presented such a picture

    def report(self, now: float, fresh: float | None) -> None:
        """The stage's report: it presented a new, finite, non-constant picture `fresh` seconds ago (None: never)."""
        self._reported = now
        if fresh is not None and math.isfinite(fresh):
            self._fresh = max(self._fresh, now - fresh)

    def due(self, now: float, held: bool, loading: bool, pulse: float = 0.0) -> bool:
        """Whether to feed it now; True counts as fed. held: the wall is still on purpose; loading: the renderer is;
        pulse: seconds since the show last looked after its children."""
        if now - self._fed < self.interval / 4 or pulse > self.dead:
            return False
        if not self._alive(now, held, loading):
            return False
        self._fed = now
        return True

    def _alive(self, now: float, held: bool, loading: bool) -> bool:
        # since the last good picture, not since the last start: a renderer that starts for ever is not loading
        if loading and now - max(self._fresh, self.start) < self.loading:
            return True
        if now - self._reported > self.silence:
            return False
        return held or self._fresh > self._fed
