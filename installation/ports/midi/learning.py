"""Learning: which control is meant when a hand moves one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from installation.ports.midi.inbox import Move, Strike
from installation.ports.midi.links import Control, Link

PATIENCE = 0.3  # seconds of movement that are watched: enough to see both halves of a 14-bit control


class Learning:
    """Waits for the control of one parameter."""

    def __init__(self, name: str, argument: str, kind: Literal["fader", "button"]) -> None:
        self.name, self.argument, self.kind = name, argument, kind
        self._seen: Counter[Control] = Counter()
        self._since: float | None = None

    def watch(self, strikes: Sequence[Strike], moves: Sequence[Move], now: float) -> Link | None:
        """What came since the last time; the link once the control is known.

        A button is known at once: a note or program, or a controller that is sent at its upper end. A fader is what
        moved most in a short while (touch-sensitive faders send a note first, pairs of 14 bits two controllers).
        """
        if self.kind == "button":
            hit = [strike.control for strike in strikes if strike.velocity > 0]
            hit += [move.control for move in moves if move.control.kind == "cc" and move.code >= 64]
            return Link(hit[0], self.name, self.argument) if hit else None
        self._seen.update(move.control for move in moves)
        if self._seen and self._since is None:
            self._since = now
        if self._since is None or now - self._since < PATIENCE:
            return None
        return Link(self._chosen(), self.name)

    def _chosen(self) -> Control:
        for control in self._seen:
            low = Control(control.port, "cc", control.channel, control.number + 32)
            if control.kind == "cc" and control.number < 32 and low in self._seen:
                return Control(control.port, "cc14", control.channel, control.number)
        return self._seen.most_common(1)[0][0]
