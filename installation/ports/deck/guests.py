"""Who is connected: counted where connections are accepted, before a word is read.

A connection that says nothing holds a descriptor of the show's, and a thousand of them all there are. So there are only
so many, in all and of one address; where there is no room, the one that has been idle longest makes it, so that whoever
comes with a request is heard however many hold the door. The silent are dropped after seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from installation.network import HERE, Gate

MOST, MOST_OF_ONE = 256, 96  # connections; of one address, unless it is this machine's, behind which a proxy may be
SILENT = 5.0  # seconds without a request, or without all of it


@dataclass(frozen=True, eq=False)
class Guest:
    """A connection; idle: whether nobody waits for an answer on it."""

    transport: asyncio.Transport
    host: str
    idle: Callable[[], bool]


class Guests:
    """Used from the server's loop alone. most, most_of_one: connections; near: hosts that may take all there are."""

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE, near: Gate | None = None) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._near = near or Gate((HERE,))
        self._guests: list[Guest] = []

    def __len__(self) -> int:
        return len(self._present())

    def admit(self, guest: Guest) -> bool:
        """Whether one more may stay; another may have to go."""
        own = [other for other in self._present() if other.host == guest.host]
        if not self._near.lets(guest.host) and len(own) >= self._most_of_one and not _makes_room(own):
            return False
        if len(self._present()) >= self._most and not _makes_room(self._guests):
            return False
        self._guests.append(guest)
        return True

    def _present(self) -> list[Guest]:
        self._guests = [guest for guest in self._guests if not guest.transport.is_closing()]
        return self._guests


def _makes_room(guests: list[Guest]) -> bool:
    """Whether one of them, the longest there first, could go, and went."""
    for guest in guests:
        if guest.idle():
            guest.transport.abort()
            return True
    return False


def counted(guests: Guests) -> type[asyncio.Protocol]:
    """uvicorn's HTTP protocol, whose connections are counted and do not stay silent."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Counted(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._before: object = None
            host = self.client[0] if self.client else ""
            if guests.admit(Guest(transport, host, self._idle)):
                self.loop.call_later(SILENT, self._look)
            else:
                transport.abort()

        def _idle(self) -> bool:
            return self._is_http() and (self.cycle is None or self.cycle.response_complete)

        def _is_http(self) -> bool:  # else it is a WebSocket by now
            return self.transport.get_protocol() is self

        def _look(self) -> None:
            """End a connection on which nothing was asked since the last look."""
            if self.transport.is_closing() or not self._is_http():
                return
            if self._idle() and self.cycle is self._before:
                self.transport.abort()
                return
            self._before = self.cycle if self._idle() else self
            self.loop.call_later(SILENT, self._look)

    return Counted
