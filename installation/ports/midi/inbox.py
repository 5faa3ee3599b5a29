"""What controllers sent and nobody has acted on yet: of what moves the newest value, of presses every one in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock

from installation.ports.midi.links import Control
from installation.ports.midi.messages import Event

SETTLE = 0.005  # seconds in which the low half of a 14-bit controller follows the high half
QUEUE = 256  # presses
_HALF = 64  # of a controller used as a button


@dataclass(frozen=True)
class Move:
    """A fader or knob: `code` as it was sent, of `span` (127 or 16383), heard at `at` (s)."""

    control: Control
    code: int
    at: float

    @property
    def x(self) -> float:
        """Its place, 0..1."""
        return self.code / span(self.control)


@dataclass(frozen=True)
class Strike:
    """A button went down, or up, with the velocity 0..127."""

    control: Control
    velocity: int
    at: float


def span(control: Control) -> int:
    """The largest code of a control."""
    return 16383 if control.kind in ("cc14", "pitch") else 127


class Inbox:
    """Filled by any thread (`hear`), emptied by one (`take`). Never holds more than each control once and QUEUE
    presses."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wide: frozenset[Control] = frozenset()
        self._buttons: frozenset[Control] = frozenset()
        self._moves: dict[Control, Move] = {}
        self._coarse: dict[Control, int] = {}
        self._early: set[Control] = set()  # of 14 bits, where the low half may still come
        self._down: set[Control] = set()
        self._strikes: deque[Strike] = deque()
        self.dropped = 0  # presses that found the queue full

    def expect(self, controls: Iterable[Control], buttons: Iterable[Control]) -> None:
        """Which controls are of 14 bits, and which controllers (`cc`) are buttons."""
        with self._lock:
            self._wide = frozenset(control for control in controls if control.kind == "cc14")
            self._buttons = frozenset(control for control in buttons if control.kind == "cc")

    def hear(self, port: str, event: Event, now: float) -> None:
        """A message of a voice arrived."""
        control = Control(port, event.kind, event.channel, event.number)  # type: ignore[arg-type]
        with self._lock:
            if control.kind in ("note", "program"):
                self._strike(Strike(control, event.value, now))
            elif control in self._buttons:
                self._switch(Strike(control, event.value, now))
            else:
                self._move(control, event.value, now)

    def take(self, now: float) -> tuple[list[Strike], list[Move]]:
        """What came since the last call, and is complete."""
        with self._lock:
            strikes = list(self._strikes)
            self._strikes.clear()
            waiting = {c: m for c, m in self._moves.items() if c in self._early and now - m.at < SETTLE}
            moves = [move for control, move in self._moves.items() if control not in waiting]
            self._moves = waiting
            return strikes, moves

    def _switch(self, strike: Strike) -> None:
        """A controller as a button: only its passing the middle counts."""
        down = strike.velocity >= _HALF
        if down != (strike.control in self._down):
            self._down ^= {strike.control}
            self._strike(strike if down else Strike(strike.control, 0, strike.at))

    def _strike(self, strike: Strike) -> None:
        if len(self._strikes) < QUEUE:
            self._strikes.append(strike)
        else:
            self.dropped += 1

    def _move(self, control: Control, value: int, now: float) -> None:
        high = Control(control.port, "cc14", control.channel, control.number)
        low = Control(control.port, "cc14", control.channel, control.number - 32)
        if control.kind == "cc" and high in self._wide:
            self._coarse[high] = value
            self._early.add(high)
            self._moves[high] = Move(high, value << 7, now)
        elif control.kind == "cc" and low in self._wide:
            if low in self._coarse:  # else nobody knows where it is
                self._early.discard(low)
                self._moves[low] = Move(low, self._coarse[low] << 7 | value, now)
        else:
            self._moves[control] = Move(control, value, now)
