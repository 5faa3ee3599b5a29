"""The deck's web application: the page, its WebSockets, health and metrics, OSCQuery, all behind one door."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from installation import gallery
from installation.backstage import Backstage
from installation.ipc.jsonable import jsonable
from installation.network import Gate
from installation.ports.deck import pictures, scripts, shelves, socket, uploads
from installation.ports.deck.auth import Door, Names, Token
from installation.ports.deck.hub import DIGITS, LISTS, Hub
from installation.ports.deck.proxied import Proxied
from latentworld.drawing import scripts as drawing

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import Scope
    from starlette.websockets import WebSocket

STATIC = Path(__file__).parent / "static"
OscPort = Callable[[], int | None]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entrance:
    """Who comes in. names: of the deck; token: None while the doors are shut; players: who uses OSCQuery without it;
    proxies: whose word on where a request came from is taken; clock: seconds, for what each may send."""

    names: Names
    token: Token | None
    players: Gate
    proxies: Gate
    clock: Callable[[], float]


def build(hub: Hub, entrance: Entrance, osc_port: OscPort) -> Starlette:
    """The application."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    from installation.ports.osc import query

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        ended = threading.Event()
        threading.Thread(target=_gather, args=(hub, ended), name="lists", daemon=True).start()
        yield
        ended.set()

    def free(scope: Scope) -> bool:
        return query.is_query(scope) and bool(scope.get("client")) and entrance.players.lets(scope["client"][0])

    routes: list[BaseRoute] = [
        *query.routes(hub.backstage, osc_port),
        *_pages(hub.backstage),
        *_made(hub.backstage),
        uploads.route(hub.backstage),
        *shelves.routes(hub),
        *_sockets(hub),
        *_gallery(),
        Mount("/static", GZipMiddleware(StaticFiles(directory=STATIC))),
    ]
    door = Middleware(Door, names=entrance.names, token=entrance.token, free=free, clock=entrance.clock)
    return Starlette(routes=routes, middleware=[Middleware(Proxied, proxies=entrance.proxies), door], lifespan=lifespan)


def _pages(backstage: Backstage) -> list[BaseRoute]:
    from starlette.responses import FileResponse, JSONResponse, Response
    from starlette.routing import Route

    from installation.health import metrics

    async def page(request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    async def technician(request: Request) -> Response:
        return FileResponse(STATIC / "technician.html", headers={"Cache-Control": "no-cache"})

    async def health(request: Request) -> Response:
        ok, report = metrics.health(backstage.status())
        if not request.scope["trusted"]:  # of an open door: whether it is well, and nothing of what is shown
            report = {"ok": ok}
        return JSONResponse(report, 200 if ok else 503, {"Cache-Control": "no-store"})

    async def figures(request: Request) -> Response:
        return Response(metrics.text(backstage.status()), media_type=metrics.CONTENT_TYPE)

    async def atlas(request: Request) -> Response:
        found = await asyncio.to_thread(lambda: jsonable(backstage.atlas(), DIGITS))
        return JSONResponse(found, 404 if found is None else 200, {"Cache-Control": "no-store"})

    return [
        Route("/", page),
        Route("/technician", technician),
        Route("/health", health),
        Route("/metrics", figures),
        Route("/atlas", atlas),
    ]


def _made(backstage: Backstage) -> list[BaseRoute]:
    """What is made and lies in no file: the parameters' names, the design tokens, what maps draw alike."""
    from starlette.middleware import Middleware
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.responses import Response
    from starlette.routing import Route

    def route(path: str, kind: str, text: Callable[[], str]) -> BaseRoute:
        async def answer(request: Request) -> Response:
            return Response(text(), media_type=f"text/{kind}", headers={"Cache-Control": "no-cache"})

        return Route(path, answer, middleware=[Middleware(GZipMiddleware)])

    return [
        route(scripts.NAMES, "javascript", lambda: scripts.names_module(backstage.desk.table)),
        route(scripts.DRAWING, "javascript", drawing.module),
        route(scripts.TOKENS, "css", scripts.papers),
    ]


def _sockets(hub: Hub) -> list[BaseRoute]:
    from starlette.routing import WebSocketRoute

    async def deck(connection: WebSocket) -> None:
        await socket.serve(connection, hub)

    async def preview(connection: WebSocket) -> None:
        await pictures.serve(connection, hub.backstage)

    return [WebSocketRoute("/ws", deck), WebSocketRoute("/preview", preview)]


def _gallery() -> list[BaseRoute]:
    """What walks and pilot modes look like; nothing where the pictures did not come along."""
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    place = gallery.folder()
    return [Mount("/gallery", StaticFiles(directory=place))] if place.is_dir() else []


def _gather(hub: Hub, ended: threading.Event) -> None:
    """On a thread that nobody waits for: a disk may never answer, and Python ends after all threads of a pool."""
    while not ended.is_set():
        try:
            hub.gather()
        except Exception:  # a folder that cannot be read leaves the lists as they were
            _log.warning("snapshots and takes cannot be listed", exc_info=True)
        ended.wait(LISTS)
