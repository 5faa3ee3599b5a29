"""How a value gets from where it is to where it was set, on the fader's way 0..1 where a log parameter moves evenly."""

from __future__ import annotations

import math
from dataclasses import dataclass

NEAR = 0.01  # of the way still to go when a slew's time has passed
ARRIVED = 1e-4  # of the fader's way: less than a step of a 12-bit fader


@dataclass(frozen=True)
class Motion:
    """From `start` to `goal` (0..1), beginning at `begin` (s), in `seconds`.

    A slew is exponential: a fader in motion sets a new goal every few milliseconds, and this alone of the simple laws
    may be aimed anew at any moment without changing what it does (a ramp that begins again with every message
    would hardly move until the hand rests), never overshoots and takes as long for small moves as for large ones.
    A fade is a straight line, which arrives exactly when the performer said. Both are functions of time alone,
    however often they are asked.
    """

    start: float
    goal: float
    begin: float
    seconds: float
    straight: bool = False

    def at(self, now: float) -> float | None:
        """The place at a moment; None when it has arrived."""
        done = max(now - self.begin, 0.0) / self.seconds if self.seconds > 0 else math.inf
        if self.straight:
            return None if done >= 1 else self.start + (self.goal - self.start) * done
        left = (self.start - self.goal) * NEAR**done
        return None if abs(left) < ARRIVED else self.goal + left
