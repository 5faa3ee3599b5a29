"""MIDI clock: tempo and beat from ticks that arrive late and unevenly.

A tick is 1/24 of a quarter note. A straight line is fitted through the last two beats of ticks by least squares: its
slope is the tempo and its end the phase. With a jitter of s seconds the slope's error is s sqrt(12 / n^3): for 1 ms
and 48 ticks 0.06 bpm at 120.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from installation.ports.midi.messages import Event

TICKS = 24  # in a quarter note
PATIENCE = 2.0  # seconds
_WINDOW = 48
_ENOUGH = 12  # ticks before a line is drawn
_SLOWEST, _FASTEST = 60 / 20 / TICKS, 60 / 300 / TICKS  # seconds between ticks
_ROW, _STRAY = 6, 0.4  # so many ticks in a row, off by so much of a period to the same side, are no jitter
_PAST = 18  # ticks before them that a line is drawn through

Ticks = Sequence[tuple[int, float]]  # number since the start, arrival in seconds


@dataclass(frozen=True)
class Line:
    """Tick `middle` arrives at `arrival` (s), the others `period` (s) apart."""

    middle: float
    arrival: float
    period: float

    def number(self, now: float) -> float:
        """Ticks at a moment."""
        return self.middle + (now - self.arrival) / self.period


def fitted(ticks: Ticks) -> Line:
    """The line of least squares through two ticks or more, no slower or faster than music is."""
    middle = sum(number for number, _ in ticks) / len(ticks)
    arrival = sum(at for _, at in ticks) / len(ticks)
    spread = sum((number - middle) ** 2 for number, _ in ticks)
    period = sum((number - middle) * (at - arrival) for number, at in ticks) / spread
    return Line(middle, arrival, min(max(period, _FASTEST), _SLOWEST))


@dataclass(frozen=True)
class Moment:
    """The music is at `beat` (quarter notes) at the time `at` (s), at `tempo` a minute."""

    beat: float
    at: float
    tempo: float


class Clock:
    """Follows one source's clock. Not thread-safe."""

    def __init__(self) -> None:
        self._ticks: deque[tuple[int, float]] = deque(maxlen=_WINDOW)
        self._number = -1
        self._held: int | None = None

    def start(self) -> None:
        """The next tick is the first of the piece."""
        self._renumber(-1)
        self._held = None

    def stop(self) -> None:
        """The music stands; the beat goes on by itself, so that what moves with it does not freeze."""
        if self._held is None:
            self._held = self._number

    def resume(self) -> None:
        """On from where it was stopped, or put."""
        if self._held is not None:
            self._renumber(self._held)
        self._held = None

    def put(self, sixteenths: int) -> None:
        """Song position, as sent while the music stands: the next tick after `resume` is that one."""
        number = sixteenths * TICKS // 4 - 1
        if self._held is None:
            self._renumber(number)
        else:
            self._held = number

    def tick(self, now: float) -> Moment | None:
        """A tick arrived at `now` (s); where the music is, None while too few were heard."""
        if self._ticks and not 0 <= now - self._ticks[-1][1] <= 6 * _SLOWEST:
            self._ticks.clear()
        self._number += 1
        self._ticks.append((self._number, now))
        self._mend()
        if len(self._ticks) < _ENOUGH:
            return None
        line = fitted(self._ticks)
        return Moment(line.number(now) / TICKS, now, 60 / (line.period * TICKS))

    def _mend(self) -> None:
        """Where the last ticks are all late or all early: ticks were lost, or the tempo is another.

        After a loss they are late by the same, a whole number; ticks that a network bundles lie on both sides.
        """
        ticks = list(self._ticks)
        if len(ticks) < _PAST + _ROW:
            return
        line = fitted(ticks[:-_ROW])
        late = [line.number(at) - number for number, at in ticks[-_ROW:]]
        if max(late) >= -_STRAY and min(late) <= _STRAY:
            return
        lost = round(sum(late) / _ROW)
        if lost > 0 and max(late) - min(late) < _STRAY:
            last = [(number + lost, at) for number, at in ticks[-_ROW:]]
            self._ticks = deque(ticks[:-_ROW] + last, maxlen=_WINDOW)
            self._number += lost
        else:
            self._ticks = deque(ticks[-_ROW:], maxlen=_WINDOW)

    def _renumber(self, number: int) -> None:
        shift = number - self._number
        self._ticks = deque(((n + shift, at) for n, at in self._ticks), maxlen=_WINDOW)
        self._number = number


class Conductor:
    """Who gives the beat: the port that sends a clock, until it has been silent for `PATIENCE`. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._clock, self._port, self._heard = Clock(), "", -math.inf

    def hear(self, port: str, event: Event, now: float) -> Moment | None:
        """A message about time; where the music is, when a tick told so."""
        with self._lock:
            if port != self._port:
                if now - self._heard < PATIENCE:
                    return None
                self._port, self._clock = port, Clock()
            self._heard = now
            if event.kind == "clock":
                return self._clock.tick(now)
            if event.kind == "start":
                self._clock.start()
            elif event.kind == "stop":
                self._clock.stop()
            elif event.kind == "continue":
                self._clock.resume()
            else:
                self._clock.put(event.value)
            return None
