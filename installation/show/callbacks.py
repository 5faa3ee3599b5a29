"""Who is called with every tick."""

from __future__ import annotations

from collections.abc import Callable
from logging import Logger

from installation.ipc.messages import Tick

Listener = Callable[[Tick], None]


class Callbacks:
    """May be joined and left on any thread, also while they are called. log: takes the traceback of who fails."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._listeners: tuple[Listener, ...] = ()

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self, listener: Listener) -> Callable[[], None]:
        """Be called; returns what ends it."""
        self._listeners = (*self._listeners, listener)
        return lambda: self._leave(listener)

    def call(self, tick: Tick) -> None:
        """Call everybody; whoever fails is called no more."""
        for listener in self._listeners:
            try:
                listener(tick)
            except Exception:
                self._log.exception("a listener of ticks failed and is called no more")
                self._leave(listener)

    def _leave(self, listener: Listener) -> None:
        self._listeners = tuple(other for other in self._listeners if other is not listener)
