"""Pictures that a deck sends, to be vertices: bounded in bytes and kind before they are read, decoded elsewhere.

`PUT /vertex/1` with a picture's file as its body, behind the deck's door like everything else. Nothing of it is
written here, and no name or path of the sender's is used: the renderer decodes it in its own process.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from installation.backstage import Backstage
from installation.ipc.jsonable import jsonable
from installation.ports.deck.hub import DIGITS
from latentworld.errors import LatentWorldError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

LARGEST = 24 << 20  # bytes of a file: the largest a telephone makes, in base64 half of what a wire's line may have
KINDS = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/bmp", "image/gif", "image/avif")
AT_ONCE = 1  # pictures under way: each is held whole


def route(backstage: Backstage) -> BaseRoute:
    """The one address."""
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    under_way = asyncio.Semaphore(AT_ONCE)

    def refused(status: int, why: str) -> Response:
        return JSONResponse({"fault": why}, status, {"Cache-Control": "no-store"})

    async def vertex(request: Request) -> Response:
        number = int(request.path_params["number"])
        if not request.scope["trusted"] or number > 2:
            return refused(404, "there is no such vertex: put a picture to /vertex/0, 1 or 2")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in KINDS:
            return refused(415, f"that is no kind of picture that is taken: send {', '.join(KINDS)}")
        if under_way.locked():
            return refused(429, "a picture is on its way already: wait until it is a vertex")
        async with under_way:
            data = await _body(request)
            if data is None:
                return refused(413, f"the file is too large: {LARGEST >> 20} MB at most")
            try:
                answer = await asyncio.wrap_future(backstage.give(number, data))
            except LatentWorldError as error:
                return refused(422, str(error))
        return JSONResponse({"answer": jsonable(answer, DIGITS)}, 200, {"Cache-Control": "no-store"})

    return Route("/vertex/{number:int}", vertex, methods=["PUT"])


async def _body(request: Request) -> bytes | None:
    """A request's body, None where it is too large: by what it says, and by what comes."""
    said = request.headers.get("content-length", "0")
    if not said.isdecimal() or int(said) > LARGEST:
        return None
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST:
            return None
        parts.append(part)
    return b"".join(parts)
