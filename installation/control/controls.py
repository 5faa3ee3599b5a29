"""What people ask for while the loop runs: the latest value of each control, and every press of a trigger.

Faders and files only set values, and on a value the latest wins: a flood of messages costs one number. A
press is an event and must not be lost to the press after it, so presses queue, but never without bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType

from installation.control.parameters import Value

_NONE: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True)
class Trigger:
    """One press of a button: its name and, where it has one, its argument."""

    name: str
    value: Value | None = None


@dataclass(frozen=True)
class Controls:
    """A snapshot: controls as last set, by name (absent: the preset decides), and the triggers since the one before.

    values: in real units, see `parameters`; stamp: when the newest of them was asked for, in seconds of the monotonic
    clock that all processes of a machine share, 0 for never: what latency is measured from.
    """

    values: Mapping[str, Value] = field(default_factory=lambda: _NONE)
    triggers: tuple[Trigger, ...] = ()
    stamp: float = 0.0

    @property
    def speed(self) -> float | None:
        """Latent arc length per second."""
        return self._number("walk.speed")

    @property
    def attraction(self) -> float | None:
        """-1..1: away from rifts .. toward them."""
        return self._number("rift.attraction")

    def _number(self, name: str) -> float | None:
        value = self.values.get(name)
        return float(value) if isinstance(value, (int, float)) else None


class Mailbox:
    """Where any thread leaves controls, and the loop collects them once a batch."""

    def __init__(self, controls: Controls = Controls(), capacity: int = 64) -> None:
        self._lock = Lock()
        self._values = dict(controls.values)
        self._stamp = controls.stamp
        self._triggers: deque[Trigger] = deque()
        self._capacity = capacity
        self._dropped = 0

    def set(self, values: Mapping[str, Value | None], stamp: float = 0.0) -> None:
        """Set controls by name, None gives one back to the preset; what was not yet collected under the same names is
        forgotten."""
        with self._lock:
            for name, value in values.items():
                if value is None:
                    self._values.pop(name, None)
                else:
                    self._values[name] = value
            self._stamp = max(self._stamp, stamp)

    def press(self, name: str, value: Value | None = None) -> bool:
        """Queue a trigger; False, and counted, when the queue is full (the presses already in it keep their place)."""
        with self._lock:
            if len(self._triggers) >= self._capacity:
                self._dropped += 1
                return False
            self._triggers.append(Trigger(name, value))
            return True

    def latest(self) -> Controls:
        """The newest values, and the triggers since the last call, in the order in which they were pressed."""
        with self._lock:
            triggers = tuple(self._triggers)
            self._triggers.clear()
            return Controls(MappingProxyType(dict(self._values)), triggers, self._stamp)

    @property
    def dropped(self) -> int:
        """How many presses found the queue full."""
        return self._dropped
