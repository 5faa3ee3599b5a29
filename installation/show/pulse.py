"""The pump's own sign of life: whether anybody looks after the show's children."""

from __future__ import annotations

from collections.abc import Callable


class Pulse:
    """Any thread may ask. clock: seconds; the show begins when this is made."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """A pass was made."""
        self._last = self._clock()

    @property
    def age(self) -> float:
        """Seconds since the last one."""
        return self._clock() - self._last
