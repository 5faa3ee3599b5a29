"""What is started next when a renderer fails: the preset again, then the safe preset, then the pre-rendered loop.

Pure: it is told what happened and when, and says what to do. A life that made pictures for `settle` seconds was
progress; only lives without any count as failures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Seconds. silence: without a sign of life before a child counts as hung, on a machine that is not crowded; still:
    the same while it loads, when libraries hold the interpreter; loading: until its first picture, or between two of
    them while it builds; settle: of pictures that count as progress; longest: pause between two starts; retry: until
    the real thing is tried again from further down (doubled each time it fails, up to eight times that). tries:
    failures until the next rung."""

    silence: float = 4.5
    still: float = 60.0
    loading: float = 600.0
    settle: float = 5.0
    longest: float = 60.0
    retry: float = 180.0
    tries: int = 3


class Fallbacks:
    """rungs: what there is to start, the real thing first. `rung` is where it stands."""

    def __init__(self, rungs: Sequence[str], patience: Patience) -> None:
        self._rungs, self._patience = tuple(rungs), patience
        self._place = 0
        self._failures = 0
        self._back = 0  # the rung that a trial of the real thing falls back to; 0: this is no trial
        self._retry = patience.retry
        self._trial = math.inf  # when the real thing is tried again

    @property
    def rung(self) -> str:
        """What is to be started or runs."""
        return self._rungs[self._place]

    @property
    def first(self) -> str:
        """The real thing."""
        return self._rungs[0]

    def failed(self, now: float, progressed: bool) -> float:
        """A life on this rung ended; gives the moment of the next start, on the rung where it stands then."""
        if progressed:
            self.settled()
            self._failures = 0
            return now
        if self._back:
            self._place, self._back = self._back, 0
            self._retry = min(2 * self._retry, 8 * self._patience.retry)
            self._trial = now + self._retry
            return now
        self._failures += 1
        if self._failures >= self._patience.tries and self._place + 1 < len(self._rungs):
            self._place += 1
            self._failures = 0
            self._trial = min(self._trial, now + self._retry)
            return now
        return now if self._failures == 1 else now + min(2.0 ** (self._failures - 2), self._patience.longest)

    def settled(self) -> None:
        """What runs now has made progress: a trial has become the show again."""
        self._failures = 0
        if self._place == 0:
            self._back, self._retry, self._trial = 0, self._patience.retry, math.inf

    def trial(self, now: float) -> bool:
        """Whether to try the real thing now; True counts as trying it."""
        if self._place == 0 or now < self._trial:
            return False
        self._back, self._place, self._trial = self._place, 0, math.inf
        self._failures = 0
        return True
