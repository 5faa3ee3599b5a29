"""What the deck does with files and processes: snapshots and takes deleted, renamed and downloaded, the log's last
lines, the renderer started again. All of it for those who may play, by names that are checked, and by no path.

========================== ======================================================================
`GET /snapshots/NAME`      the file; `/takes/NAME` likewise
`DELETE /snapshots/NAME`   forget it
`POST /snapshots/NAME`     call it otherwise: `{"name": "dusk"}`
`GET /log`                 `{"lines": [{"time", "level", "text"}]}`, oldest first
`POST /renderer/restart`   end the renderer; another one goes on where it was
========================== ======================================================================
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, get_args
from urllib.parse import quote

from installation.backstage import ShelfKind
from installation.ipc.jsonable import jsonable
from installation.ports.deck.hub import Hub
from latentworld import texts
from latentworld.errors import ControlError, LatentWorldError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

METHODS = ["GET", "DELETE", "POST"]
LINES = 60  # of the log
LARGEST = 1024  # bytes of what renames
UNCACHED = {"Cache-Control": "no-store"}
Handler = Callable[["Request"], Awaitable["Response"]]


def routes(hub: Hub) -> list[BaseRoute]:
    """The addresses."""
    from starlette.routing import Route

    return [
        *(Route(f"/{kind}/{{name:str}}", trusted(_kept(hub, kind)), methods=METHODS) for kind in get_args(ShelfKind)),
        Route("/log", trusted(_log(hub))),
        Route("/renderer/restart", trusted(_restart(hub)), methods=["POST"]),
    ]


def trusted(handler: Handler) -> Handler:
    """For those who hold the token, where there is one: to others there is no such address."""

    async def checked(request: Request) -> Response:
        from starlette.responses import JSONResponse

        if not request.scope["trusted"]:
            return JSONResponse({"fault": "there is nothing here"}, 404, UNCACHED)
        try:
            return await handler(request)
        except LatentWorldError as error:
            return JSONResponse({"fault": str(error)}, 422, UNCACHED)

    return checked


def _kept(hub: Hub, kind: ShelfKind) -> Handler:
    async def kept(request: Request) -> Response:
        from starlette.responses import JSONResponse, Response

        name = str(request.path_params["name"])
        shelf = hub.backstage.shelf(kind)
        if request.method in ("GET", "HEAD"):
            data = await asyncio.to_thread(shelf.read, name)
            file = quote(f"{name}{shelf.suffix}")
            attached = {"Content-Disposition": f"attachment; filename*=UTF-8''{file}"}
            return Response(data, 200, UNCACHED | attached, "application/octet-stream")
        if request.method == "DELETE":
            await asyncio.to_thread(shelf.delete, name)
        else:
            await asyncio.to_thread(shelf.rename, name, await _new_name(request))
        await asyncio.to_thread(hub.gather)  # so that every deck sees it soon
        return JSONResponse({"done": True}, 200, UNCACHED)

    return kept


async def _new_name(request: Request) -> str:
    """Of the body. Raises ControlError."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            break
    try:
        name = texts.table(texts.decode(body)).get("name") if len(body) <= LARGEST else None
    except ValueError:
        name = None
    if not isinstance(name, str):
        raise ControlError('give the new name, as {"name": "dusk"}')
    return name


def _log(hub: Hub) -> Handler:
    async def log(request: Request) -> Response:
        from starlette.responses import JSONResponse

        lines = await asyncio.to_thread(hub.backstage.log, LINES)
        return JSONResponse({"lines": jsonable(lines)}, 200, UNCACHED)

    return log


def _restart(hub: Hub) -> Handler:
    async def restart(request: Request) -> Response:
        from starlette.responses import JSONResponse

        hub.backstage.restart()
        return JSONResponse({"done": True}, 202, UNCACHED)

    return restart
