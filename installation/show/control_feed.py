"""What goes from the desk to a child: what changed since the last time, and every press."""

from __future__ import annotations

from typing import Literal

from installation.control.desk import Desk
from installation.control.parameter import Value
from installation.ipc.messages import ControlChanges
from installation.ipc.wire import Wire

Where = Literal["loop", "stage"]
_NEW = object()


class ControlFeed:
    """One for each child that is played; belongs to one thread.

    Values may be dropped by a wire whose peer does not read for a while; everything is then sent anew. Presses may not.
    """

    def __init__(self, desk: Desk, where: Where) -> None:
        self._desk, self._where = desk, where
        self._sent: dict[str, Value | None] = {}
        self._wire: Wire | None = None
        self._dropped = 0

    def pass_on(self, wire: Wire | None, now: float) -> None:
        """Send what is new; a child that is new hears everything."""
        if wire is None:
            return
        if wire is not self._wire or wire.dropped != self._dropped:
            self._wire, self._dropped, self._sent = wire, wire.dropped, {}
        stamp = self._desk.stamp  # before the values: a stamp must not be newer than what it is sent with
        effective = self._effective(now)
        values = {name: value for name, value in effective.items() if self._sent.get(name, _NEW) != value}
        triggers = tuple((press.name, press.value) for press in self._desk.collect(self._where))
        if values or triggers:
            wire.send(ControlChanges(values, triggers, stamp), droppable=not triggers)
            self._sent = effective

    def withhold(self, wire: Wire, now: float) -> None:
        """Count what stands on the desk now as sent: only what is changed from here on reaches this child."""
        self._wire, self._dropped = wire, wire.dropped
        self._sent = self._effective(now)
        self._desk.collect(self._where)

    def _effective(self, now: float) -> dict[str, Value | None]:
        """What is effective; None for what was given back to the preset, where nobody here knows what that has."""
        found: dict[str, Value | None] = dict(self._desk.effective(self._where, now))
        bases = self._desk.bases()
        for name, value in self._desk.values().items():
            if value is None and name in found and name not in bases:
                found[name] = None
        return found
