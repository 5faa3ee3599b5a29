"""The picture as it is made: JPEG over a WebSocket of its own, the next only when the last has been shown.

A message is the frame's number (8 bytes, big-endian, signed) and its JPEG; the deck answers each with a text, `ok`.
So a slow phone sees fewer pictures, never older ones.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from installation.backstage import Backstage
from installation.ports.websocket import received

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

PERIOD = 1 / 15  # seconds between two pictures
PATIENCE = 20.0  # seconds after which a picture counts as lost, and its deck with it


async def serve(socket: WebSocket, backstage: Backstage) -> None:
    """Send pictures until the deck leaves, or does not acknowledge one within PATIENCE."""
    await socket.accept()
    shown = asyncio.Event()
    shown.set()
    sending = asyncio.create_task(_send(socket, backstage, shown))
    try:
        async for _ in received(socket):
            shown.set()
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending


async def _send(socket: WebSocket, backstage: Backstage, shown: asyncio.Event) -> None:
    from starlette.websockets import WebSocketDisconnect

    last: tuple[int, bytes] | None = None
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # closed while we spoke
        while True:
            try:
                await asyncio.wait_for(shown.wait(), PATIENCE)
            except TimeoutError:
                await socket.close(1008, "a picture was not acknowledged")
                return
            picture = await asyncio.to_thread(backstage.picture)  # it may have to be compressed first
            if picture is not None and picture != last:
                last = picture
                shown.clear()
                await socket.send_bytes(picture[0].to_bytes(8, "big", signed=True) + picture[1])
            await asyncio.sleep(PERIOD)
