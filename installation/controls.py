"""What people ask for while the loop runs: the latest value of each control, and every press of a trigger.

Faders and files only set values, and on a value the latest wins: a flood of messages costs one number. A
press is an event and must not be lost to the press after it, so presses queue, but never without bound.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from threading import Lock


@dataclass(frozen=True)
class Trigger:
    """One press of a button: its name and, where it has one, its argument."""

    name: str
    value: float | str | None = None


@dataclass(frozen=True)
class Controls:
    """A snapshot: every control as last set (None: the preset decides), and the triggers since the snapshot before."""

    speed: float | None = None  # latent arc length per second
    attraction: float | None = None  # -1..1: away from rifts .. toward them
    triggers: tuple[Trigger, ...] = ()


class Mailbox:
    """Where any thread leaves controls, and the loop collects them once a batch."""

    def __init__(self, controls: Controls = Controls(), capacity: int = 64) -> None:
        self._lock = Lock()
        self._controls = controls
        self._triggers: deque[Trigger] = deque()
        self._capacity = capacity
        self._dropped = 0

    def set(self, **values: float | None) -> None:
        """Set controls by name; what was not yet collected under the same names is forgotten."""
        with self._lock:
            self._controls = replace(self._controls, **values)  # type: ignore[arg-type]

    def press(self, name: str, value: float | str | None = None) -> bool:
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
            return replace(self._controls, triggers=triggers)

    @property
    def dropped(self) -> int:
        """How many presses found the queue full."""
        return self._dropped
