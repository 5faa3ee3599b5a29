"""When which pictures are mixed, so that motion is even at the display's rate whatever the batches. Pure.

The play head stands between two pictures and goes from one to the next at the smoothed rate of production. Pictures
come in batches and unevenly, so the head must keep some pictures ahead of it, and every one of them is latency. What
counts is the *slack*: how many pictures were left when new ones came. Its recent minimum is steered to a small margin
by letting the head run a little slower or faster, which nobody sees. So the buffer grows by itself with batches and
jitter, and shrinks when they do: with up to 30% of jitter in batches of 4, one presentation in a thousand stands still.
"""

from __future__ import annotations

import math
from collections import deque

MARGIN = 0.1  # pictures left when new ones come: what the head is drawn to
SLOWER, FASTER = 0.15, 0.3  # how much slower or faster than production the head may run
GAIN = 0.1  # of the error in pictures
RECENT, FEWEST = 5.0, 8  # seconds, and arrivals, over which that minimum is taken: a hitch is forgotten then
HOLD, FADE = 1.0, 0.4  # seconds at rest after which moving on is a fade of so many seconds
FAR = 1.0  # seconds behind, beyond what batches and a fade cost, at which the head skips
LARGEST = 16  # pictures at once that may be a batch; more are a backlog
STALL = 0.25  # seconds between two presentations beyond which the head does not try to make up for them
MEMORY = 4.0  # seconds over which the rate is smoothed


class Playout:
    """A play head over numbered pictures. `at` is called once a presentation, with moments that never decrease."""

    def __init__(self) -> None:
        self._older = self._newer = 0  # the head goes from one to the other; the same: it rests
        self._place = 0.0  # 0..1 on that way
        self._fading = False  # on a way that takes FADE, not a period
        self._now = self._came = math.nan  # the last presentation, and the last that found new pictures
        self._newest = 0
        self._rested = HOLD  # seconds at rest
        self._told = 0.0
        self._made, self._took = 10.0 * MEMORY, MEMORY  # pictures and seconds, both fading into the past
        self._batch = 1.0
        self._slacks: deque[tuple[float, float]] = deque()  # when, and how much without the drift; none since a fade
        self._drift = 0.0  # pictures by which the head fell back behind production, since the beginning
        self._skip = self._held = False

    def at(self, now: float, newest: int, period: float) -> tuple[int, int, float]:
        """The two pictures to mix, and the weight 0..1 of the newer one.

        now: seconds; newest: number of the newest picture there is, 0 for none; period: seconds per picture as told by
        the renderer (where it is no such number, the last one counts). Picture 0 is the dark before the first.
        """
        self._hear(period)
        passed = now - self._now if now >= self._now else 0.0
        self._now = now if math.isnan(self._now) else max(now, self._now)
        elapsed = min(passed, STALL)
        self._advance(elapsed)
        if newest > self._newest:
            self._arrive(newest, stalled=self._held or passed > STALL)
        self._held = False
        return self._older, self._newer, self._place

    def hold(self, now: float) -> None:
        """A presentation that shows once more what the last one did, because somebody wants the picture held."""
        self._now, self._held = max(now, self._now), True

    @property
    def head(self) -> float:
        """Where the head is, in pictures."""
        return self._older + self._place * (self._newer - self._older)

    @property
    def rate(self) -> float:
        """Pictures per second, smoothed."""
        return self._made / self._took

    def _hear(self, period: float) -> None:
        """What the renderer says of its rate counts when it is new; afterwards what really comes does."""
        if math.isfinite(period) and period > 0 and not 0.8 < period * self._told < 1.25:
            self._told = min(max(1 / period, 0.1), 240.0)
            self._made, self._took = self._told * MEMORY, MEMORY

    def _advance(self, seconds: float) -> None:
        while seconds > 0:
            if self._older == self._newer and not self._depart():
                self._rested += seconds
                self._drift += seconds * self.rate
                return
            speed = min(1 / FADE, self.rate) if self._fading else self._speed()
            spent = min((1 - self._place) / speed, seconds)
            self._drift += spent * (self.rate - speed)
            seconds -= spent
            if seconds <= 0:
                self._place += spent * speed
                return
            self._older, self._place, self._fading = self._newer, 0.0, False

    def _depart(self) -> bool:
        """Leave a picture for the next one, or for a much later one; False where there is none."""
        if self._newest <= self._older:
            return False
        ahead = self._newest - round(self._batch) if self._skip else 0
        self._newer = max(self._older + 1, ahead)
        self._fading = self._rested >= HOLD or self._newer > self._older + 1
        if self._fading:
            self._slacks.clear()
        self._skip, self._rested = False, 0.0
        return True

    def _speed(self) -> float:
        """Pictures per second."""
        least = min((slack for _, slack in self._slacks), default=None)
        error = 0.0 if least is None else least + self._drift - MARGIN
        return (1 + min(max(GAIN * error, -SLOWER), FASTER)) * self.rate

    def _arrive(self, newest: int, stalled: bool) -> None:
        """Learn from what was left when these pictures came; see that the head is not far behind."""
        came, seconds = newest - self._newest, self._now - self._came
        slack = self._newest - self.head
        usual = not stalled and self._rested < HOLD  # a stop of the renderer or of the wall is no jitter
        self._newest, self._came = newest, self._now
        if came <= LARGEST:
            self._batch = max(float(came), self._batch + (came - self._batch) * 0.1)
        if usual and seconds > 0:
            seconds = min(seconds, 2 * came / self.rate)  # a hitch is no new rate
            fading = math.exp(-seconds / MEMORY)
            self._made, self._took = self._made * fading + came, self._took * fading + seconds
        if usual and not self._fading:
            self._slacks.append((self._now, slack - self._drift))
            while len(self._slacks) > FEWEST and self._now - self._slacks[0][0] > RECENT:
                self._slacks.popleft()
        going = self._newer if self._fading else self.head
        self._skip = newest - going - self._batch > (FADE + FAR) * self.rate + 2
