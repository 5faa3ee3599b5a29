"""What all decks are told alike, gathered once: the track, the status, the lists, faders that move by themselves."""

from __future__ import annotations

import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from threading import Lock
from typing import Any

from installation.backstage import Backstage, Status
from installation.control.parameters import Value, Where
from installation.ipc.jsonable import plain
from latentworld import __version__

DIGITS = 7  # of numbers for a page: what it draws needs no more
TRACK = 1200  # frames of the track that a new deck is told
STATUS, LISTS, MOVING = 0.5, 2.0, 0.1  # seconds that what was gathered is good for
Row = list[Any]
"""A frame: number, alpha, beta, front, x, y, z, radius, Lipschitz value, step."""


class Hub:
    """Thread-safe. clock: seconds, the desk's own (what moves is asked of it at that time)."""

    def __init__(self, backstage: Backstage, clock: Callable[[], float] = time.monotonic) -> None:
        self.backstage, self._clock = backstage, clock
        self._lock = Lock()
        self._track: deque[Row] = deque(maxlen=TRACK)
        self._heard = 0  # frames ever
        self._numbers = itertools.count(1)
        self._kept: dict[str, tuple[float, Any]] = {}
        self._last_lists: dict[str, Any] = {"snapshots": [], "snapshot": None, "takes": []}
        self.close = backstage.watch(self._tick)

    def source(self) -> str:
        """Who the next deck is."""
        return f"deck:{next(self._numbers)}"

    def hello(self, source: str) -> dict[str, Any]:
        """Everything a deck needs to begin."""
        desk, track = self.backstage.desk, list(self._track)
        return {
            "kind": "hello",
            "you": source,
            "version": __version__,
            "table": [asdict(row) for row in desk.table.values()],
            "values": desk.values(),
            "bases": desk.bases(),
            "atlas": self.backstage.atlas() is not None,
            "track": track,
            "status": self.status(),
            "lists": self._last_lists,
        }

    @property
    def heard(self) -> int:
        """How many frames were ever made since the deck began."""
        return self._heard

    def since(self, heard: int) -> tuple[int, list[Row]]:
        """Frames after the first `heard` ones, as far as they are kept."""
        with self._lock:
            new = min(self._heard - heard, len(self._track))
            return self._heard, list(itertools.islice(self._track, len(self._track) - new, None)) if new > 0 else []

    def status(self) -> dict[str, Any]:
        """The status as plain values, half a second old at most."""
        found: dict[str, Any] = self._fresh("status", STATUS, lambda: told(self.backstage.status()))
        return found

    def moving(self) -> dict[str, float]:
        """Where on their way 0..1 the faders are that slews, fades and modulation move."""
        found: dict[str, float] = self._fresh("moving", MOVING, self._moving)
        return found

    def lists(self) -> dict[str, Any]:
        """Snapshots and takes, as they were last gathered."""
        return self._last_lists

    def gather(self) -> None:
        """Gather the lists anew; looks into folders, so not for the loop that serves."""
        snapshots = getattr(self.backstage, "snapshots", None)
        self._last_lists = {
            "snapshots": [] if snapshots is None else snapshots.names(),
            "snapshot": None if snapshots is None else snapshots.last,
            "takes": self.backstage.takes(),
        }

    def _fresh(self, what: str, good: float, make: Callable[[], Any]) -> Any:
        now = self._clock()
        when, found = self._kept.get(what, (-math.inf, None))
        if now - when >= good:
            found = make()
            self._kept[what] = (now, found)
        return found

    def _moving(self) -> dict[str, float]:
        desk, now = self.backstage.desk, self._clock()
        places: dict[str, float] = {}
        wheres: tuple[Where, ...] = ("loop", "stage")
        for where in wheres:
            for name, value in desk.effective(where, now).items():
                row, still = desk.table[name], desk.shown(name)
                if row.smooth and _number(still) and _number(value):
                    x = row.normal(float(value))  # type: ignore[arg-type]
                    if abs(x - row.normal(float(still))) > 1e-3:  # type: ignore[arg-type]
                        places[name] = round(x, 4)
        return places

    def _tick(self, message: Mapping[str, Any]) -> None:
        columns = [message.get(key) or [] for key in ("index", "alpha", "beta", "front", "place", "rate", "step")]
        rows = [
            plain([index, alpha, beta, front, *place, rate, step], DIGITS)
            for index, alpha, beta, front, place, rate, step in itertools.zip_longest(*columns, fillvalue=None)
            if place is not None and len(place) == 4
        ]
        with self._lock:
            self._track.extend(rows)
            self._heard += len(rows)


def told(status: Status) -> dict[str, Any]:
    """A status as plain values."""
    return {part.name: plain(getattr(status, part.name), DIGITS) for part in fields(status)}


def _number(value: Value | None) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
