"""A show as its ports see it, without processes: what every stand-in of one shares."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from installation.backstage import LogLine, ShelfKind, ShownScene, Status
from installation.control import parameters
from installation.control.desk import Desk
from installation.control.desk.shelf import Shelf
from installation.control.desk.snapshots import Snapshots
from installation.health.log_tail import last
from installation.ipc.messages import Tick

STATUS = Status(
    uptime=12.5, renderer="running", restarts=0, frame=240, rate=11.5, period=0.087, alpha=0.25, beta=0.5, front=True,
    unit=(1.0, 0.0, 0.0), radius=1.0, lipschitz=0.75, step=0.01, presented=30.0, presentations=375, missed=0,
    latency=(0.12, math.nan), fresh=0.1, held=False, pulse=0.01, memory={}, temperature=None, scene=ShownScene(),
    faults=(),
)  # fmt: skip


class Listened:
    """The half of a Backstage that is real in every stand-in: desk, snapshots, and who hears of ticks."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        worlds: tuple[str, ...] = ("embedded", "other"),
    ) -> None:
        self.clock, self.folder, self.restarted = clock, folder, 0
        self.desk = Desk(parameters.table(worlds), clock)
        self.snapshots = Snapshots(folder, self.desk)
        self.listeners: list[Callable[[Tick], None]] = []

    def shelf(self, kind: ShelfKind) -> Shelf:
        """Real files, beside the snapshots."""
        if kind == "snapshots":
            return Shelf(self.folder, ".json", "snapshot")
        return Shelf(self.folder.parent / "takes", ".take", "take", lambda: ("recording",))

    def log(self, count: int) -> list[LogLine]:
        """Of a file like the show's."""
        return last(self.folder.parent / "log.jsonl", count)

    def restart(self) -> None:
        """Counted."""
        self.restarted += 1

    def watch(self, listener: Callable[[Tick], None]) -> Callable[[], None]:
        """Tell a listener of every tick; returns the end of that."""
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def tick(self, tick: Tick) -> None:
        """Tell all of them."""
        for listener in tuple(self.listeners):
            listener(tick)
