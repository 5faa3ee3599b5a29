"""The deck as a port: a web server on a thread of its own."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from installation.backstage import Backstage
from installation.network import HERE, Gate, outward
from installation.ports.deck import app
from installation.ports.deck.auth import Names, Token
from installation.ports.deck.commands import LARGEST
from installation.ports.deck.guests import Guests, counted
from installation.ports.deck.hub import Hub
from installation.venue import Doors
from latentworld.errors import PortError
from latentworld.extras import need

if TYPE_CHECKING:
    import uvicorn

WAITING = 4096  # connections that wait to be accepted; where the queue is full, a knock is heard a second later
AT_ONCE = 32  # that are accepted in one go: fewer than may stay, so that each is read before others take its place
PATIENCE = 10.0  # seconds until it serves, and until it has stopped


class Server:
    """Serves a deck on this machine alone, or, with `doors.open`, to the network for those who have the `token`, which
    whoever comes through a proxy needs too.

    osc_port: the port that OSCQuery tells; default: that of the doors. `start` raises PortError for a port in use and
    ShowError without the extra `show`. `url` is where it is served, `link` the same with the token.
    """

    def __init__(
        self,
        backstage: Backstage,
        doors: Doors,
        osc_port: Callable[[], int | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backstage, self._doors, self._clock = backstage, doors, clock
        self._osc_port = osc_port or (lambda: doors.osc or None)
        self._undo = contextlib.ExitStack()
        self.token: str | None = secrets.token_urlsafe(16) if doors.open or doors.proxies else None
        self.port = doors.deck or 0

    @property
    def url(self) -> str:
        """Where it is served; with open doors, by this machine's address in the network."""
        return f"http://{outward() if self._doors.open else '127.0.0.1'}:{self.port}/"

    @property
    def link(self) -> str:
        """What to open: with open doors it carries the token."""
        return self.url if self.token is None else f"{self.url}?token={self.token}"

    def start(self) -> None:
        """Listen and serve; returns when it does."""
        uvicorn = need("uvicorn")
        need("starlette")
        need("websockets")
        with self._undo as undo:
            listening = self._listen()
            undo.callback(listening.close)
            self.port = int(listening.getsockname()[1])
            hub = Hub(self._backstage, self._clock)
            undo.callback(hub.close)
            names = Names(self._doors.hosts, own=self._doors.open)
            token = None if self.token is None else Token(self.token)
            proxies = Gate(self._doors.proxies, "doors.proxies")
            entrance = app.Entrance(names, token, self._players(), proxies, self._clock)
            guests = Guests(near=Gate((HERE, *self._doors.proxies), "doors.proxies"))
            serving = _serving(uvicorn, app.build(hub, entrance, self._osc_port), guests)
            thread = threading.Thread(target=serving.run, args=([listening],), name="deck", daemon=True)
            undo.callback(_end, serving, thread)
            thread.start()
            _until_serving(serving, thread)
            listening.listen(WAITING)
            self._undo = undo.pop_all()

    def stop(self) -> None:
        """Close every deck. May be called again."""
        self._undo.close()

    def _players(self) -> Gate:
        """Who may play over OSC; nobody where the list cannot be read, which OSC's port tells."""
        with contextlib.suppress(PortError):
            return Gate(self._doors.allow if self._doors.open and self._doors.osc is not None else ())
        return Gate(())

    def _listen(self) -> socket.socket:
        host = "0.0.0.0" if self._doors.open else "127.0.0.1"
        # asyncio sends at once only where the protocol is spelt out; without it small messages waited 40 ms for an ACK
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, self.port))
            listening.listen(AT_ONCE)
            return listening
        except OSError as error:
            listening.close()
            why = f"the deck cannot have port {self.port} ({error.strerror})"
            raise PortError(f"{why}: choose another with --deck, 0 for any free one") from None


def _serving(library: Any, application: Any, guests: Guests) -> uvicorn.Server:
    config = library.Config(
        application,
        http=counted(guests),
        ws="websockets-sansio",
        ws_max_size=LARGEST,
        ws_per_message_deflate=False,  # pictures do not shrink, and a small bomb would unfold here
        h11_max_incomplete_event_size=LARGEST,
        backlog=AT_ONCE,  # asyncio takes it for both, and the queue is lengthened afterwards
        timeout_graceful_shutdown=2,
        proxy_headers=False,
        server_header=False,
        log_config=None,
        log_level="error",
        access_log=False,
        lifespan="on",
    )
    serving: uvicorn.Server = library.Server(config)
    return serving


def _until_serving(serving: uvicorn.Server, thread: threading.Thread) -> None:
    end = time.monotonic() + PATIENCE
    while not serving.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise PortError("the deck did not begin to serve: see the log")
        time.sleep(0.01)


def _end(serving: uvicorn.Server, thread: threading.Thread) -> None:
    serving.should_exit = True
    thread.join(PATIENCE)
