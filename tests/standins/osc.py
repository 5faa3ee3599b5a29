"""A stand-in for the show: a real desk, a status, ticks by hand."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from pythonosc.osc_message import OscMessage

from installation.backstage import AnswerContent, Question, Status
from installation.control import parameters
from installation.ipc.messages import Tick
from installation.ports.osc import addresses, codec
from installation.ports.osc.feedback import PERIOD, Feedback
from installation.ports.osc.handler import Handler
from standins import messages
from standins.backstage import STATUS, Listened
from standins.clock import Clock

PHONE, TABLET = ("10.0.0.5", 9001), ("10.0.0.6", 9001)
TABLE = parameters.table()


def tick(index: int = 240, rate: float | None = 0.75) -> Tick:
    """A tick of two frames up to number `index`, the second on the far side, past the shell."""
    return messages.tick(
        index - 1, rate=(None, rate), alpha=(0.1, 0.25), beta=(0.4, 0.5), front=(True, False),
        place=((1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.25)), step=(None, 0.01),
    )  # fmt: skip


class Stagehand(Listened):
    """A Backstage whose clock the test holds; it answers nothing and has nothing."""

    def __init__(
        self, clock: Callable[[], float] | None = None, worlds: tuple[str, ...] = ("embedded", "other")
    ) -> None:
        super().__init__(Path("nowhere"), clock or Clock(), worlds)

    def status(self) -> Status:
        return STATUS

    def ask(self, question: Question) -> Future[AnswerContent]:
        raise NotImplementedError

    def picture(self) -> tuple[int, bytes] | None:
        return None

    def atlas(self) -> Mapping[str, Any] | None:
        return None

    def takes(self) -> list[str]:
        return []


class Port:
    """A handler and its feedback on a desk whose clock stands."""

    def __init__(self) -> None:
        self.backstage = Stagehand()
        self.desk, self.clock = self.backstage.desk, self.backstage.clock
        self.feedback = Feedback(self.desk, addresses.book(self.desk.table), self.backstage.status)
        self.backstage.watch(self.feedback.outs.tick)
        self.handler = Handler(self.backstage, self.clock, self.feedback, lambda target: target[1] == 9000)

    def send(self, address: str, *arguments: Any, sender: tuple[str, int] = PHONE) -> list[tuple[Any, ...]]:
        return self.packet(codec.pack(address, arguments), sender)

    def subscribe(self, *arguments: Any, sender: tuple[str, int] = PHONE) -> list[tuple[Any, ...]]:
        """Subscribe as somebody who is there."""
        [(address, port, seconds, *key)] = self.send("/lw/subscribe", *arguments, sender=sender)
        return [
            (address, port, seconds),
            *(answer for one in key for answer in self.send("/lw/confirm", one, sender=sender)),
        ]

    def packet(self, packet: bytes, sender: tuple[str, int] = PHONE) -> list[tuple[Any, ...]]:
        self.handler.handle(packet, sender)
        self.handler.flush()
        outbox, self.handler.outbox = self.handler.outbox, []
        return [spoken(answer) for answer, _ in outbox]

    def pump(self, seconds: float = PERIOD) -> list[tuple[Any, ...]]:
        self.clock.now += seconds  # type: ignore[attr-defined]
        return [spoken(packet) for packet, _ in self.feedback.pump(self.clock())]


def spoken(packet: bytes) -> tuple[Any, ...]:
    message = OscMessage(packet)
    return (message.address, *message)


def bundle(*parts: bytes, tag: int = 1) -> bytes:
    return b"#bundle\0" + struct.pack(">Q", tag) + b"".join(struct.pack(">i", len(part)) + part for part in parts)
