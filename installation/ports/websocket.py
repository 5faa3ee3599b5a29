"""What a WebSocket says, as values instead of ASGI's dictionaries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.websockets import WebSocket


async def received(socket: WebSocket) -> AsyncIterator[str | bytes]:
    """Texts and bytes as they come from a WebSocket that was accepted, until its client leaves."""
    while True:
        match await socket.receive():
            case {"type": "websocket.receive", "text": str(text)}:
                yield text
            case {"type": "websocket.receive", "bytes": bytes(data)}:
                yield data
            case {"type": "websocket.disconnect"}:
                return
