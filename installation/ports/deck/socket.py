"""One deck's WebSocket: what it says is done, and what is new it is told, twenty times a second at most."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future
from typing import TYPE_CHECKING

from msgspec import UNSET

from installation.backstage import AnswerContent
from installation.ipc.jsonable import line
from installation.ports.deck import commands
from installation.ports.deck.commands import Ask, Cancel, Command, Fade, Press, Release, Set, Subscribe
from installation.ports.deck.hub import DIGITS, Hub
from installation.ports.deck.letters import Hello, Letter, News, Refused, Reply
from installation.ports.websocket import received
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
        self._said = News()  # what was told last of things that are told whole
        self._letters: list[Letter] = []  # answers and refusals
        self._pending: dict[int, Future[AnswerContent]] = {}

    def hello(self) -> Hello:
        """The first message."""
        hello = self._hub.hello(self.source)
        self._said = News(bases=hello.bases, lists=hello.lists, atlas=hello.atlas, status=hello.status, moving={})
        return hello

    def hear(self, text: str) -> None:
        """Do what a message says; what means nothing is answered, and no more."""
        try:
            command = commands.parse(text)
            self._obey(command)
        except LatentWorldError as error:
            self._letters.append(Refused(str(error)))

    def news(self) -> list[Letter]:
        """What is new since the last time: answers, and one message with all else."""
        letters, self._letters = self._letters, []
        news = self._news()
        return letters if news == News() else [*letters, news]

    def _news(self) -> News:
        said, hub, wants = self._said, self._hub, self._wants
        self._version, changes = self._desk.changes(self._version)
        self._heard, track = hub.since(self._heard)
        now = self._said = News(
            bases=self._desk.bases(),
            lists=hub.lists(),
            atlas=hub.backstage.atlas() is not None,
            status=hub.status() if wants.status else said.status,
            moving=hub.moving() if wants.moving else said.moving,
        )
        return News(
            changes=tuple((change.name, change.value, change.source) for change in changes) or UNSET,
            track=track[-MOST:] if track and wants.ticks else UNSET,
            bases=UNSET if now.bases == said.bases else now.bases,
            lists=UNSET if now.lists == said.lists else now.lists,
            atlas=UNSET if now.atlas == said.atlas else now.atlas,
            status=UNSET if now.status == said.status else now.status,
            moving=UNSET if now.moving == said.moving else now.moving,
        )

    def end(self) -> None:
        """Cancel the questions that are pending."""
        for future in [*self._pending.values()]:
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
                if command.id in self._pending:
                    self._pending.pop(command.id).cancel()
            case Subscribe():
                self._wants = command

    def _ask(self, command: Ask) -> None:
        if len(self._pending) >= QUESTIONS or command.id in self._pending:
            raise ControlError(f"{QUESTIONS} questions of this deck are open: wait for their answers")
        loop, number = asyncio.get_running_loop(), command.id
        future = self._pending[number] = self._hub.backstage.ask(command.question)

        def done(future: Future[AnswerContent]) -> None:  # on a thread of the show
            with contextlib.suppress(RuntimeError):  # the server is gone
                loop.call_soon_threadsafe(self._answered, number, future)

        future.add_done_callback(done)

    def _answered(self, number: int, future: Future[AnswerContent]) -> None:
        if self._pending.get(number) is future:
            del self._pending[number]
        if future.cancelled():
            return
        error = future.exception()
        answered = Reply(number, answer=future.result()) if error is None else Reply(number, fault=str(error))
        self._letters.append(answered)


async def serve(socket: WebSocket, hub: Hub) -> None:
    """Serve a deck until it leaves."""
    await socket.accept()
    session = Session(hub)
    telling = asyncio.create_task(_tell(socket, session))
    try:
        async for message in received(socket):
            if isinstance(message, bytes):
                await socket.close(1003, "text is wanted")
                break
            session.hear(message)
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


async def _send(socket: WebSocket, letter: Letter) -> None:
    await socket.send_text(line(letter, DIGITS, compact=True))
