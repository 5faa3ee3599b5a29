"""What controllers sent and nobody has acted on yet: of what moves the newest value, of what is turned without an end
every step, of presses every one in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock

from installation.ports.midi.links import Control, Link, Turns
from installation.ports.midi.messages import Event
from installation.ports.midi.nrpn import Nrpn

SETTLE = 0.005  # seconds in which the low half of a 14-bit controller follows the high half
QUEUE = 256  # presses
TRAIL = 256  # codes that are remembered of a control while one is learned, and controls
HALF = 64  # of a controller used as a button


@dataclass(frozen=True)
class Move:
    """A fader or knob: `code` as it was sent, of `span` (127 or 16383), heard at `at` (s); steps: of an endless
    encoder, since the last time."""

    control: Control
    code: int
    at: float
    steps: int = 0

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
    return 16383 if control.kind in ("cc14", "nrpn", "pitch") else 127


def steps(code: int, turns: Turns) -> int:
    """How far an endless encoder was turned, up above 0; two's complement and sign with magnitude are told apart by
    their size, for nobody turns 32 steps in a moment."""
    if turns == "absolute":
        return 0
    if turns == "offset" or code < 64:
        return code - 64 if turns == "offset" else code
    return 64 - code if code < 96 else code - 128


class Inbox:
    """Filled by any thread (`hear`), emptied by one (`take`). Never holds more than each control once and QUEUE
    presses, and TRAIL codes of TRAIL controls while somebody learns."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._links: Mapping[Control, Link] = {}
        self._buttons: frozenset[Control] = frozenset()
        self._nrpn = Nrpn()
        self._moves: dict[Control, Move] = {}
        self._coarse: dict[Control, int] = {}
        self._fine: set[Control] = set()  # of 14 bits, whose low half was ever heard
        self._early: set[Control] = set()  # of 14 bits, where the low half may still come
        self._last: dict[Control, int] = {}  # of controllers as buttons, what was sent last
        self._released: set[Control] = set()  # those that were ever let go
        self._strikes: deque[Strike] = deque()
        self._trails: dict[Control, list[int]] | None = None
        self.dropped = 0  # presses that found the queue full

    def expect(self, links: Iterable[Link], buttons: Iterable[Control]) -> None:
        """What is mapped, and which controllers (`cc`) are buttons."""
        with self._lock:
            self._links = {link.control: link for link in links}
            self._buttons = frozenset(control for control in buttons if control.kind == "cc")

    def record(self, on: bool) -> None:
        """Remember, or forget, what every control sends from now on."""
        with self._lock:
            self._trails = {} if on else None

    def trails(self) -> dict[Control, tuple[int, ...]]:
        """What was recorded: each control's codes, in their order."""
        with self._lock:
            return {control: tuple(codes) for control, codes in (self._trails or {}).items()}

    def hear(self, port: str, event: Event, now: float) -> None:
        """A message of a voice arrived."""
        control = Control(port, event.kind, event.channel, event.number)  # type: ignore[arg-type]
        with self._lock:
            if control.kind in ("note", "program"):
                self._strike(Strike(control, event.value, now))
                return
            self._trace(control, event.value)
            if control in self._buttons:
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

    def _trace(self, control: Control, code: int) -> None:
        if self._trails is None or (control not in self._trails and len(self._trails) >= TRAIL):
            return
        codes = self._trails.setdefault(control, [])
        if len(codes) < TRAIL:
            codes.append(code)

    def _switch(self, strike: Strike) -> None:
        """A controller as a button: its passing the middle counts; of one that never says that it was let go, the same
        code again."""
        control, code = strike.control, strike.velocity
        full, last = self._links[control].full, self._last.get(control, 0)
        self._last[control] = code
        down, was_down = 2 * code >= full, 2 * last >= full
        if not down:
            self._released.add(control)
        again = down and code == last and control not in self._released
        if down != was_down or again:
            self._strike(strike if down else Strike(control, 0, strike.at))

    def _strike(self, strike: Strike) -> None:
        if len(self._strikes) < QUEUE:
            self._strikes.append(strike)
        else:
            self.dropped += 1

    def _move(self, control: Control, value: int, now: float) -> None:
        link = self._links.get(control)
        if link is not None and link.turns != "absolute":
            turned = self._moves.get(control)
            ahead = (turned.steps if turned else 0) + steps(value, link.turns)
            self._moves[control] = Move(control, value, now, ahead)
        elif link is None and control.kind == "cc" and (half := self._half(control, value)) is not None:
            self._combine(*half, value, now)
        else:
            self._moves[control] = Move(control, value, now)

    def _half(self, control: Control, value: int) -> tuple[Control, bool] | None:
        """Of which 14 bits a controller is a half, and whether the high one."""
        for number, high in ((control.number, True), (control.number - 32, False)):
            wide = Control(control.port, "cc14", control.channel, number)
            if wide in self._links:
                return wide, high
        return self._nrpn.half(control, value)

    def _combine(self, wide: Control, high: bool, value: int, now: float) -> None:
        if high:
            self._coarse[wide] = value
            self._early.add(wide)
            alone = (
                wide.kind == "nrpn" and wide not in self._fine
            )  # 7 bits: the upper end is to be reached all the same
            code = value << 7 | (value if alone else 0)
        elif wide in self._coarse:  # else nobody knows where it is
            self._early.discard(wide)
            self._fine.add(wide)
            code = self._coarse[wide] << 7 | value
        else:
            return
        self._moves[wide] = Move(wide, code, now)
        if wide.kind == "nrpn":
            self._trace(wide, code)
