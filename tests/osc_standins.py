"""A stand-in for the show: a real desk, a status, ticks by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from installation import parameters
from installation.desk import Desk
from installation.live.contract import Status

STATUS = Status(
    uptime=12.5, renderer="running", restarts=0, frame=240, rate=11.5, period=0.087, alpha=0.25, beta=0.5, front=True,
    unit=(1.0, 0.0, 0.0), radius=1.0, lipschitz=0.75, step=0.01, presented=30.0, presentations=375, missed=0,
    latency=(0.12, math.nan), fresh=0.1, memory={}, temperature=None, scene={}, faults=(),
)  # fmt: skip


def tick(index: int = 240, rate: float | None = 0.75) -> dict[str, Any]:
    """A `tick` message of two frames, as it comes over the wire."""
    return {
        "kind": "tick", "index": [index - 1, index], "rate": [None, rate], "alpha": [0.1, 0.25], "beta": [0.4, 0.5],
        "front": [True, False], "place": [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.25]],
    }  # fmt: skip


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
        self.listeners: list[Callable[[Mapping[str, Any]], None]] = []

    def status(self) -> Status:
        return STATUS

    def ask(self, what: str, **details: Any) -> Future[dict[str, Any]]:
        raise NotImplementedError

    def picture(self) -> tuple[int, bytes] | None:
        return None

    def watch(self, listener: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def tick(self, message: Mapping[str, Any]) -> None:
        for listener in self.listeners:
            listener(message)

    def atlas(self) -> Mapping[str, Any] | None:
        return None

    def takes(self) -> list[str]:
        return []
