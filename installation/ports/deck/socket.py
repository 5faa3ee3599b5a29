"""One deck's WebSocket: what it says is done, and what is new it is told, twenty times a second at most."""

from __future__ import annotations

import asyncio
import contextlib
import json
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from installation.ipc.jsonable import plain
from installation.ports.deck import commands
from installation.ports.deck.commands import Ask, Cancel, Command, Fade, Press, Release, Set, Subscribe
from installation.ports.deck.hub import DIGITS, Hub
from latentworld.errors import ControlError, LatentWorldError

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

PERIOD = 0.05  # seconds between two messages
QUESTIONS = 4  # of one deck at a time
MOST = 64  # frames in a message; a deck that hangs is told the newest


class Session:
    """What one deck wants and was told. Everything here runs on the server's loop."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._desk = hub, hub.backstage.desk
        self.source = hub.source()
        self._version, self._heard = self._desk.version, hub.heard
        self._wants = Subscribe(do="subscribe")
        self._said: dict[str, Any] = {}  # what was told last of things that are told whole
        self._letters: list[dict[str, Any]] = []  # answers and refusals
        self._asked: dict[int, Future[dict[str, Any]]] = {}

    def hello(self) -> dict[str, Any]:
        """The first message."""
        hello = self._hub.hello(self.source)
        self._said = {key: hello[key] for key in ("bases", "status", "lists", "atlas")} | {"moving": {}}
        return plain(hello, DIGITS)  # type: ignore[no-any-return]

    def hear(self, text: str) -> None:
        """Do what a message says; what means nothing is answered, and no more."""
        try:
            command = commands.parse(text)
            self._obey(command)
        except LatentWorldError as error:
            self._letters.append({"kind": "refused", "text": str(error)})

    def news(self) -> list[dict[str, Any]]:
        """What is new since the last time: answers, and one message with all else."""
        letters, self._letters = self._letters, []
        self._version, changes = self._desk.changes(self._version)
        news: dict[str, Any] = {}
        if changes:
            news["changes"] = [[change.name, change.value, change.source] for change in changes]
        self._heard, track = self._hub.since(self._heard)
        if track and self._wants.ticks:
            news["track"] = track[-MOST:]
        found: dict[str, Any] = {"bases": self._desk.bases(), "lists": self._hub.lists()}
        found["atlas"] = self._hub.backstage.atlas() is not None
        if self._wants.status:
            found["status"] = self._hub.status()
        if self._wants.moving:
            found["moving"] = self._hub.moving()
        for key, value in found.items():
            if value != self._said.get(key):
                news[key] = self._said[key] = value
        return [*letters, {"kind": "news", **plain(news, DIGITS)}] if news else letters

    def end(self) -> None:
        """Take back what is still asked."""
        for future in [*self._asked.values()]:
            future.cancel()

    def _obey(self, command: Command) -> None:
        match command:
            case Set():
                self._desk.set(command.name, command.value, self.source)
            case Fade():
                self._desk.fade(command.name, command.x, self.source)
            case Release():
                self._desk.release(command.name, self.source)
            case Press():
                self._desk.press(command.name, command.value, self.source)
            case Ask():
                self._ask(command)
            case Cancel():
                if command.id in self._asked:
                    self._asked.pop(command.id).cancel()
            case Subscribe():
                self._wants = command

    def _ask(self, command: Ask) -> None:
        if len(self._asked) >= QUESTIONS or command.id in self._asked:
            raise ControlError(f"{QUESTIONS} questions of this deck are open: wait for their answers")
        loop, number = asyncio.get_running_loop(), command.id
        future = self._asked[number] = self._hub.backstage.ask(command.what, **command.details)

        def done(future: Future[dict[str, Any]]) -> None:  # on a thread of the show
            with contextlib.suppress(RuntimeError):  # the server is gone
                loop.call_soon_threadsafe(self._answered, number, future)

        future.add_done_callback(done)

    def _answered(self, number: int, future: Future[dict[str, Any]]) -> None:
        if self._asked.get(number) is future:
            del self._asked[number]
        if future.cancelled():
            return
        error = future.exception()
        told = {"fault": str(error)} if error is not None else {"answer": plain(future.result(), DIGITS)}
        self._letters.append({"kind": "answer", "id": number, **told})


async def serve(socket: WebSocket, hub: Hub) -> None:
    """Serve a deck until it leaves."""
    await socket.accept()
    session = Session(hub)
    telling = asyncio.create_task(_tell(socket, session))
    try:
        while (message := await socket.receive())["type"] == "websocket.receive":
            if message.get("text") is None:
                await socket.close(1003, "text is wanted")
                break
            session.hear(message["text"])
    finally:
        session.end()
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling


async def _tell(socket: WebSocket, session: Session) -> None:
    from starlette.websockets import WebSocketDisconnect

    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # closed while we spoke
        await _send(socket, session.hello())
        while True:
            for message in session.news():
                await _send(socket, message)
            await asyncio.sleep(PERIOD)


async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
    await socket.send_text(json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False))
