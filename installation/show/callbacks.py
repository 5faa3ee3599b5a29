"""Who is told of every tick."""

from __future__ import annotations

from collections.abc import Callable
from logging import Logger

from installation.ipc.wire import Message

Listener = Callable[[Message], None]


class Callbacks:
    """May be joined and left on any thread, also while it is being told."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self, listener: Listener) -> Callable[[], None]:
        """Be told; returns what ends it."""
        self._listeners = (*self._listeners, listener)
        return lambda: self._leave(listener)

    def tell(self, message: Message, log: Logger) -> None:
        """Tell everybody; whoever fails is told no more."""
        for listener in self._listeners:
            try:
                listener(message)
            except Exception:
                log.exception("a listener of ticks failed and is told no more")
                self._leave(listener)

    def _leave(self, listener: Listener) -> None:
        self._listeners = tuple(other for other in self._listeners if other is not listener)
