"""The doorkeeper: who may come in by HTTP and WebSocket, and how much each may send.

Host must be one of ours, which no page from elsewhere can arrange (DNS rebinding); Origin, which browsers always send
with a WebSocket, must be that very host. With open doors everything but `/health` wants the token, as a cookie that
`/?token=...` sets once, or as `Authorization: Bearer`. OSCQuery's programs send neither: machines that may play over
OSC (`doors.allow`) ask for the address space without.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
PUBLIC = frozenset(("/health",))
DECKS = 16  # sockets at a time on each path
RATE, BURST = 300.0, 600.0  # messages of one socket; a program that listens to every address says 300 things at once
REQUESTS, REQUEST_BURST = 50.0, 300.0  # HTTP requests of one client; a page is some twenty
CLIENTS = 1024  # whose requests are counted
LOCKED = (
    "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<meta name=color-scheme content=dark><title>latentworld</title><h1>This deck is locked</h1>"
    "<p>Scan the code on the test card (switch on <code>out.testcard</code>), or open the link that the show printed "
    "when it began. Each show has a new one.</p>"
)
# the redirect is the page's own, not the server's: after a link from elsewhere a cookie of SameSite=Strict would not
# travel along a redirect
WELCOME = (
    "<!doctype html><meta charset=utf-8><meta name=color-scheme content=dark>"
    "<meta http-equiv=refresh content='0;url=/'><title>latentworld</title><a href='/'>latentworld</a>"
)
HEADERS = (
    (b"content-security-policy", b"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


@dataclass
class Bucket:
    """A token bucket: `rate` a second, `burst` at once. `now` is any clock in seconds."""

    rate: float
    burst: float
    full: float
    at: float

    @classmethod
    def new(cls, rate: float, burst: float, now: float) -> Bucket:
        """A full one."""
        return cls(rate, burst, burst, now)

    def take(self, now: float) -> bool:
        """One more; False where that is too much."""
        self.full = min(self.burst, self.full + (now - self.at) * self.rate)
        self.at = now
        if self.full < 1.0:
            return False
        self.full -= 1.0
        return True


class Names:
    """The names by which the deck may be called. hosts: names besides loopback; own: whether the address on which a
    connection came in is one of them too."""

    def __init__(self, hosts: Iterable[str] = (), own: bool = False) -> None:
        self._hosts = LOOPBACK | {host.lower().strip("[]") for host in hosts}
        self._own = own

    def known(self, host: str, server: str | None) -> bool:
        """Whether a Host header is ours; server: the address on which its connection came in."""
        name = hostname(host)
        if name is None:
            return False
        return name in self._hosts or (self._own and server is not None and _same_address(name, server))

    @staticmethod
    def same(origin: str, host: str) -> bool:
        """Whether an Origin header is a page of this very deck."""
        scheme, mark, rest = origin.partition("://")
        return bool(mark) and scheme in ("http", "https") and rest.lower() == host.lower()


class Token:
    """The key to an open door."""

    def __init__(self, text: str) -> None:
        self.text = text

    def opens(self, headers: Mapping[bytes, bytes], port: int | None) -> bool:
        """Whether a request carries it."""
        bearer = headers.get(b"authorization", b"").decode("latin-1")
        if bearer.startswith("Bearer ") and self.fits(bearer[7:]):
            return True
        try:
            found = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).get(_cookie(port))
        except CookieError:
            return False
        return found is not None and self.fits(found.value)

    def fits(self, text: str) -> bool:
        """Compared in constant time."""
        return secrets.compare_digest(text.encode("latin-1", "replace"), self.text.encode())

    def cookie(self, port: int | None, secure: bool = False) -> bytes:
        """The Set-Cookie header; secure: of a page that came by HTTPS."""
        kept = "; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800" + ("; Secure" if secure else "")
        return f"{_cookie(port)}={self.text}{kept}".encode()


class Door:
    """ASGI middleware that stands before everything. token: None while the doors are shut; free: which connections
    want none all the same; clock: seconds."""

    def __init__(
        self, app: ASGIApp, names: Names, token: Token | None, free: Callable[[Scope], bool], clock: Callable[[], float]
    ) -> None:
        self._app, self._names, self._token, self._free, self._clock = app, names, token, free, clock
        self._clients: OrderedDict[str, Bucket] = OrderedDict()
        self._sockets: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection, or refuse it."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, port = dict(scope["headers"]), _port(scope)
        refused = self._refused(scope, headers)
        if refused is not None:
            await answer(send, *refused)
        elif not self._within_limit(scope):
            await answer(send, 429, "too many requests: wait a second")
        elif self._token is None or self._token.opens(headers, port):
            await self._app({**scope, "trusted": True}, receive, _guarded(send))
        elif scope["path"] == "/" and self._token.fits(_query(scope, "token")):
            cookie = self._token.cookie(port, secure=scope.get("scheme") == "https")
            await answer(send, 200, WELCOME, ((b"set-cookie", cookie),))
        elif scope["path"] in PUBLIC or self._free(scope):
            await self._app({**scope, "trusted": False}, receive, _guarded(send))
        else:
            await answer(send, 401, LOCKED, ((b"www-authenticate", b"Bearer"),))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        asked = self._within_limit(scope)  # a guess at the token costs as much as by HTTP
        shut = self._token is not None and not (self._token.opens(headers, _port(scope)) or self._free(scope))
        if shut or self._refused(scope, headers) is not None or not asked:
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP 403
            return
        path = scope["path"]
        if self._sockets[path] >= DECKS:
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 1013, "reason": f"{DECKS} decks are open already"})
            return
        self._sockets[path] += 1
        try:
            await self._app({**scope, "trusted": True}, self._metered(receive, send), send)
        finally:
            self._sockets[path] -= 1

    def _refused(self, scope: Scope, headers: Mapping[bytes, bytes]) -> tuple[int, str] | None:
        host = headers.get(b"host", b"").decode("latin-1")
        server = scope.get("server")
        if sum(name == b"host" for name, _ in scope["headers"]) != 1 or not self._names.known(host, _first(server)):
            return 400, "this is not the name of the deck: use its address, or list the name under doors.hosts"
        origin = headers.get(b"origin")
        if origin is not None and not self._names.same(origin.decode("latin-1"), host):
            return 403, (
                "the deck is not for other pages; where this is its own, a proxy changed the Host header: let it pass "
                "Host on, and list the name under doors.hosts"
            )
        return None

    def _within_limit(self, scope: Scope) -> bool:
        """Whether a client may make one more request."""
        client, now = str(_first(scope.get("client"))), self._clock()
        bucket = self._clients.setdefault(client, Bucket.new(REQUESTS, REQUEST_BURST, now))
        self._clients.move_to_end(client)
        while len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)
        return bucket.take(now)

    def _metered(self, receive: Receive, send: Send) -> Receive:
        """What a socket sends, until it is too much: then it is closed."""
        bucket = Bucket.new(RATE, BURST, self._clock())

        async def metered() -> Message:
            event = await receive()
            if event["type"] == "websocket.receive" and not bucket.take(self._clock()):
                await send({"type": "websocket.close", "code": 1008, "reason": "too many messages"})
                return {"type": "websocket.disconnect", "code": 1008, "reason": "too many messages"}
            return event

        return metered


def hostname(host: str) -> str | None:
    """The name in a Host header, lower case, without port and brackets; None where it is malformed."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", host):
        return None
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _same_address(one: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False


def _cookie(port: int | None) -> str:
    return f"latentworld_{port}"  # cookies know no ports: two shows of one machine must not share one


def _first(pair: Any) -> str | None:
    return str(pair[0]) if pair else None


def _port(scope: Scope) -> int | None:
    server = scope.get("server")
    return int(server[1]) if server and server[1] else None


def _query(scope: Scope, key: str) -> str:
    try:
        found = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=16)
    except ValueError:
        return ""
    return found[key][0] if key in found else ""


def _guarded(send: Send) -> Send:
    """The same with the headers that every answer has."""

    async def guarded(event: Message) -> None:
        if event["type"] == "http.response.start":
            event = {**event, "headers": [*event.get("headers", ()), *HEADERS]}
        await send(event)

    return guarded


async def answer(send: Send, status: int, text: str, more: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Say a status and a text, with the headers that every answer has."""
    kind = b"text/html; charset=utf-8" if text.startswith("<") else b"text/plain; charset=utf-8"
    body = text.encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    send = _guarded(send)
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *more]})
    await send({"type": "http.response.body", "body": body})
