"""Requests that came through a proxy: where they came from is said by headers, which anybody can write.

So they are believed of the proxies that the venue names, and a request with such headers from anywhere else is refused:
a proxy on this machine that nobody named would make the whole network look like this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from installation.network import Gate
from installation.ports.deck.auth import answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

SIGNS = frozenset((b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"))
UNNAMED = (
    "this came through a proxy that the venue does not name: list its address under doors.proxies, and the name that "
    "the deck has there under doors.hosts"
)
UNSAID = "the proxy does not say who asks: let it set X-Forwarded-For"


class Proxied:
    """ASGI middleware before the door: what a named proxy says takes the place of what the connection says."""

    def __init__(self, app: ASGIApp, proxies: Gate) -> None:
        self._app, self._proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on, or refuse it."""
        headers = dict(scope.get("headers", ()))
        if scope["type"] not in ("http", "websocket") or SIGNS.isdisjoint(headers):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        if not client or not self._proxies.lets(client[0]):
            await _refuse(scope, send, UNNAMED)
        elif (asker := self._asker(headers.get(b"x-forwarded-for", b""))) is None:
            await _refuse(scope, send, UNSAID)
        else:
            await self._app(_said(scope, headers, asker), receive, send)

    def _asker(self, chain: bytes) -> str | None:
        """The last of a chain that is no proxy of ours: what stands before it, it may have made up."""
        hosts = [host.strip() for host in chain.decode("latin-1").split(",")]
        return next((host for host in reversed(hosts) if host and not self._proxies.lets(host)), None)


def _said(scope: Scope, headers: dict[bytes, bytes], asker: str) -> Scope:
    """A connection as it was at the proxy."""
    host = headers.get(b"x-forwarded-host", headers.get(b"host", b""))
    proto = headers.get(b"x-forwarded-proto", b"").decode("latin-1").strip().lower()
    secure = {"http": "https", "websocket": "wss"}[scope["type"]]
    kept = [(name, value) for name, value in scope["headers"] if name != b"host" and name not in SIGNS]
    here = ("", scope["server"][1]) if scope.get("server") else None  # its address is no name of the deck there
    said = {**scope, "client": (asker, 0), "server": here, "headers": [(b"host", host.strip()), *kept]}
    return {**said, "scheme": secure} if proto in ("https", "wss") else said


async def _refuse(scope: Scope, send: Send, text: str) -> None:
    if scope["type"] == "http":
        await answer(send, 403, text)
    else:
        await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP 403
