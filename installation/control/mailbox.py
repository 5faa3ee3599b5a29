"""What people ask for while the loop runs: the latest value of each control, and every press of a trigger.

Faders and files only set values, and on a value the latest wins: a flood of messages costs one number. A press is an
event and lasts until it was collected.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from installation.control.controls import LoopControls
from installation.control.parameter import Value


class Mailbox:
    """Where any thread leaves controls, and the loop collects them once a batch. values: checked, by name."""

    def __init__(self, values: Mapping[str, Value | None] | None = None) -> None:
        self._lock = Lock()
        self._values: dict[str, Value | None] = dict(values or {})
        self._stamp = 0.0
        self._presses: list[str] = []
        self._standing: LoopControls | None = None  # of the values alone, until they change

    def set(self, values: Mapping[str, Value | None], stamp: float = 0.0) -> None:
        """Set controls by name, None to give one back to the preset."""
        with self._lock:
            self._values |= values
            self._stamp = max(self._stamp, stamp)
            self._standing = None

    def press(self, name: str) -> None:
        """Press a trigger: it shows in the controls that are collected next, and in those alone."""
        with self._lock:
            if name not in self._presses:
                self._presses.append(name)

    def latest(self) -> LoopControls:
        """The newest values, and what was pressed since the last call."""
        with self._lock:
            if self._presses:
                pressed, self._presses = self._presses, []
                return LoopControls.of(self._values, pressed, self._stamp)
            if self._standing is None:
                self._standing = LoopControls.of(self._values, (), self._stamp)
            return self._standing
