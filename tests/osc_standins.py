"""A stand-in for the show: a real desk, a status, ticks by hand."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pythonosc.osc_message import OscMessage

from installation.backstage import AnswerContent, Question, ShownScene, Status
from installation.control import parameters
from installation.control.desk import Desk
from installation.control.desk.snapshots import Snapshots
from installation.ipc.messages import Tick
from installation.ports.osc import addresses, codec
from installation.ports.osc.feedback import PERIOD, Feedback
from installation.ports.osc.handler import Handler

PHONE, TABLET = ("10.0.0.5", 9001), ("10.0.0.6", 9001)
TABLE = parameters.table()
STATUS = Status(
    uptime=12.5, renderer="running", restarts=0, frame=240, rate=11.5, period=0.087, alpha=0.25, beta=0.5, front=True,
    unit=(1.0, 0.0, 0.0), radius=1.0, lipschitz=0.75, step=0.01, presented=30.0, presentations=375, missed=0,
    latency=(0.12, math.nan), fresh=0.1, memory={}, temperature=None, scene=ShownScene(), faults=(),
)  # fmt: skip


def tick(index: int = 240, rate: float | None = 0.75) -> Tick:
    """A tick of two frames, as it comes over the wire."""
    return Tick(
        index=(index - 1, index), time=(24.0, 24.1), rate=(None, rate), alpha=(0.1, 0.25), beta=(0.4, 0.5),
        front=(True, False), place=((1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 0.0, 1.25)), step=(None, 0.01),
        digest=("", ""),
    )  # fmt: skip


@dataclass
class Clock:
    """Time that stands until it is moved."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Stagehand:
    """A Backstage whose clock the test holds."""

    clock: Callable[[], float] = field(default_factory=Clock)
    worlds: tuple[str, ...] = ("embedded", "other")

    def __post_init__(self) -> None:
        self.desk = Desk(parameters.table(self.worlds), self.clock)
        self.snapshots = Snapshots(Path("nowhere"), self.desk)
        self.listeners: list[Callable[[Tick], None]] = []

    def status(self) -> Status:
        return STATUS

    def ask(self, question: Question) -> Future[AnswerContent]:
        raise NotImplementedError

    def picture(self) -> tuple[int, bytes] | None:
        return None

    def watch(self, listener: Callable[[Tick], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def tick(self, tick: Tick) -> None:
        for listener in self.listeners:
            listener(tick)

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
