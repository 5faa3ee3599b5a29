"""Learning: which control is meant when a hand moves one, and how it speaks.

A flickering pot never rests, and may lie beside the one that is moved: a fader is what went farthest, once something
went farther than a flicker does, and a button what was pressed and let go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal

from installation.ports.midi.inbox import HALF, Strike, span, steps
from installation.ports.midi.links import Control, Link, Turns

PATIENCE = 0.3  # seconds of movement that are watched: enough to see both halves of a 14-bit control
FAR = 3.0  # codes of 7 bits: a pot that flickers goes to and fro between fewer
SLOW = 16  # an endless encoder's steps at a time, turned as slowly as one should for learning
Trails = Mapping[Control, Sequence[int]]
"""The codes that each control sent, in their order."""


class Learning:
    """Waits for the control of one parameter."""

    def __init__(self, name: str, argument: str, kind: Literal["fader", "button"]) -> None:
        self.name, self.argument, self.kind = name, argument, kind
        self._since: float | None = None

    def watch(self, strikes: Sequence[Strike], trails: Trails, now: float) -> Link | None:
        """Strikes since the last time, all that was sent since learning began; the link once the control is known."""
        return self._button(strikes, trails, now) if self.kind == "button" else self._fader(trails, now)

    def _button(self, strikes: Sequence[Strike], trails: Trails, now: float) -> Link | None:
        """A note or program, or a controller that was let go or is quite down, at once; of a controller that sends
        little (1, then 0) no more than one press in a while."""
        if trails and self._since is None:
            self._since = now
        settled = self._since is not None and now - self._since >= PATIENCE
        hit = [strike.control for strike in strikes if strike.velocity > 0 and strike.control.kind != "cc"]
        if hit:
            return Link(hit[0], self.name, self.argument)
        for control, codes in trails.items():
            full = _pressed(codes, settled) if control.kind == "cc" else 0
            if full:
                return Link(control, self.name, self.argument, full=127 if full >= HALF else full)
        return None

    def _fader(self, trails: Trails, now: float) -> Link | None:
        found = max(_moved(trails), key=lambda moved: moved[0], default=None)
        if found is None:
            return None
        if self._since is None:
            self._since = now
        return Link(found[1], self.name, turns=found[2]) if now - self._since >= PATIENCE else None


def _pressed(codes: Sequence[int], settled: bool) -> int:
    """The code that a controller sends while it is down; 0 where it is no button, or not certainly one yet."""
    values = {code for code in codes if code}
    if len(values) != 1:
        return 0
    [full] = values
    if full >= HALF:
        return full if full == 127 or codes[-1] == 0 else 0
    return full if settled and len(codes) <= 2 and (full == 1 or codes[-1] == 0) else 0


def _moved(trails: Trails) -> Iterator[tuple[float, Control, Turns]]:
    """How far each control went, in codes of 7 bits, where that is no flicker."""
    halves: set[Control] = set()
    for control, codes in _wide(trails):
        halves |= {Control(control.port, "cc", control.channel, number) for number in _numbers(control)}
        if _went(control, codes):
            yield _reach(control, codes), control, "absolute"
    for control, codes in trails.items():
        if control in halves or control.kind in ("note", "program"):
            continue
        turns = _turns(codes) if control.kind == "cc" else "absolute"
        travel = float(sum(abs(steps(code, turns)) for code in codes))
        if turns != "absolute" and travel >= FAR:
            yield travel, control, turns
        elif turns == "absolute" and _went(control, codes):
            yield _reach(control, codes), control, turns


def _wide(trails: Trails) -> Iterator[tuple[Control, Sequence[int]]]:
    """Controls of 14 bits: what NRPN addresses, and two controllers 32 apart that speak in turn."""
    addressed = {(control.port, control.channel) for control in trails if control.kind == "nrpn"}
    for control, codes in trails.items():
        low = trails.get(Control(control.port, "cc", control.channel, control.number + 32), ())
        if control.kind == "nrpn":
            yield control, codes
        elif control.number == 6 and (control.port, control.channel) in addressed:
            continue  # its value
        elif control.kind == "cc" and control.number < 32 and len(codes) <= 2 * len(low):
            wide = Control(control.port, "cc14", control.channel, control.number)
            yield wide, [high << 7 | fine for high, fine in zip(codes, low)]


def _numbers(control: Control) -> tuple[int, ...]:
    """Controllers that an address or a value of 14 bits is sent by."""
    return (6, 38, 98, 99) if control.kind == "nrpn" else (control.number, control.number + 32)


def _reach(control: Control, codes: Sequence[int]) -> float:
    return (max(codes) - min(codes)) * 127 / span(control)


def _went(control: Control, codes: Sequence[int]) -> bool:
    """Whether a control moved: farther than a flicker, or steadily one way."""
    rises = [b - a for a, b in pairwise(codes)]
    steady = len(rises) >= 2 and (min(rises) > 0 or max(rises) < 0)
    return _reach(control, codes) >= FAR or steady


def _turns(codes: Sequence[int]) -> Turns:
    """How a controller says that it was turned. What has a place never says the same twice; an endless encoder that is
    turned slowly says hardly anything else."""
    again = sum(a == b for a, b in pairwise(codes))
    if len(codes) < 3 or 4 * again < len(codes) - 1:
        return "absolute"
    up, down, below = range(1, SLOW + 1), range(65, 65 + SLOW), range(64 - SLOW, 64)
    if all(code in up or code >= 128 - SLOW for code in codes) or _mixed(codes, up, down):
        return "relative"
    return "offset" if all(code in down or code in below for code in codes) else "absolute"


def _mixed(codes: Sequence[int], up: range, down: range) -> bool:
    """Sign and magnitude, turned both ways."""
    return any(code in up for code in codes) and all(code in up or code in down for code in codes)
