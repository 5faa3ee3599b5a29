"""When which pictures are mixed, so that motion is even at the display's rate whatever the batches. Pure.

The play head stands between two pictures and goes from one to the next at the smoothed rate of production. Pictures
come in batches and unevenly, and every picture that waits is latency. So the head is locked to the *phase* of
production, which goes on between arrivals and which each arrival corrects a little (a phase-locked loop): `LAG`
pictures and a batch behind it. Where a picture is late the head slows down before it has to stand still.

Simulated at 30 Hz, one picture at a time, intervals with 5% and with 20% of noise: half of a picture is on the wall 94
and 99 ms after it came at 10 a second (p99 119 and 158), 53 and 60 ms at 20 a second (p99 74 and 114); the head's speed
varies by 3 to 9% (standard deviation). A head that keeps what the worst arrival of the last 5 s would have needed is
twice as even, and at 20 a second 90 and 134 ms behind (p99 135 and 252).
"""

from __future__ import annotations

import math

LAG = 0.4  # pictures that the head is behind the phase of production, besides a batch
LOCK = 0.3  # how much of what an arrival says of the phase is believed
PULL = 0.3  # of the rate, for each picture of the head's error
SLOWEST, FASTEST = 0.05, 1.6  # parts of the rate
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
        self._stated = 0.0  # pictures a second, as the renderer last said anew
        self._made, self._took = 10.0 * MEMORY, MEMORY  # pictures and seconds, both fading into the past
        self._batch = 1.0
        self._phase = 0.0  # of production, in pictures
        self._skip = self._held = False

    def at(self, now: float, newest: int, period: float) -> tuple[int, int, float]:
        """The two pictures to mix, and the weight 0..1 of the newer one.

        now: seconds; newest: number of the newest picture there is, 0 for none; period: seconds per picture as the
        renderer says (where it is no such number, the last one counts). Picture 0 is the dark before the first.
        """
        self._hear(period)
        passed = now - self._now if now >= self._now else 0.0
        self._now = now if math.isnan(self._now) else max(now, self._now)
        self._phase = min(self._phase + passed * self.rate, self._newest + self._batch)
        if newest > self._newest:
            self._arrive(newest, stalled=self._held or passed > STALL)
        self._held = False
        self._advance(min(passed, STALL))
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
        if math.isfinite(period) and period > 0 and not 0.8 < period * self._stated < 1.25:
            self._stated = min(max(1 / period, 0.1), 240.0)
            self._made, self._took = self._stated * MEMORY, MEMORY

    def _advance(self, seconds: float) -> None:
        while seconds > 0:
            if self._older == self._newer and not self._depart():
                self._rested += seconds
                return
            speed = min(1 / FADE, self.rate) if self._fading else self._speed()
            spent = min((1 - self._place) / speed, seconds)
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
        self._skip, self._rested = False, 0.0
        return True

    def _speed(self) -> float:
        """Pictures per second."""
        error = self._phase - LAG - self._batch - self.head
        return min(max(1 + PULL * error, SLOWEST), FASTEST) * self.rate

    def _arrive(self, newest: int, stalled: bool) -> None:
        """Learn from what was left when these pictures came; see that the head is not far behind."""
        came, seconds = newest - self._newest, self._now - self._came
        usual = not stalled and self._rested < HOLD  # a stop of the renderer or of the wall is no jitter
        self._newest, self._came = newest, self._now
        if came <= LARGEST:
            self._batch = max(float(came), self._batch + (came - self._batch) * 0.1)
        if usual and seconds > 0:
            seconds = min(seconds, 2 * came / self.rate)  # a hitch is no new rate
            fading = math.exp(-seconds / MEMORY)
            self._made, self._took = self._made * fading + came, self._took * fading + seconds
        off = newest - self._phase
        self._phase += off * (LOCK if usual and abs(off) < self._batch + 1 else 1.0)
        going = self._newer if self._fading else self.head
        self._skip = newest - going - self._batch > (FADE + FAR) * self.rate + 2
