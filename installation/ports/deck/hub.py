"""What all decks are told alike, gathered once: the track, the status, the lists, faders that move by themselves."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Generic, TypeVar

from installation.backstage import Backstage
from installation.control.meanings import meanings
from installation.control.parameter import Value, Where
from installation.ipc.jsonable import Json, table
from installation.ipc.messages import Tick
from installation.ports.deck.letters import Hello, Lists, TrackRow
from latentworld import __version__

DIGITS = 7  # of numbers for a page: what it draws needs no more
TRACK = 1200  # frames of the track that a new deck is told
STATUS, LISTS, MOVING = 0.5, 2.0, 0.1  # seconds that what was gathered is good for
T = TypeVar("T")


class Fresh(Generic[T]):
    """A value that is made anew when it is older than so many seconds."""

    def __init__(self, good: float, make: Callable[[], T], clock: Callable[[], float]) -> None:
        self._good, self._make, self._clock = good, make, clock
        self._made: tuple[float, T] | None = None

    def get(self) -> T:
        """The value."""
        now = self._clock()
        if self._made is None or now - self._made[0] >= self._good:
            self._made = (now, self._make())
        return self._made[1]


class Hub:
    """Thread-safe. clock: seconds, the desk's own (what moves is asked of it at that time)."""

    def __init__(self, backstage: Backstage, clock: Callable[[], float] = time.monotonic) -> None:
        self.backstage, self._clock = backstage, clock
        self._lock = Lock()
        self._track: deque[TrackRow] = deque(maxlen=TRACK)
        self._heard = 0  # frames ever
        self._numbers = itertools.count(1)
        self._status = Fresh(STATUS, lambda: table(backstage.status(), DIGITS), clock)
        self._moving = Fresh(MOVING, self._places, clock)
        self._last_lists = Lists()
        self._meanings = meanings(backstage.desk.table.values())
        self.close = backstage.watch(self._tick)

    def source(self) -> str:
        """Who the next deck is."""
        return f"deck:{next(self._numbers)}"

    def hello(self, source: str) -> Hello:
        """Everything a deck needs to begin."""
        desk = self.backstage.desk
        return Hello(
            you=source,
            version=__version__,
            table=tuple(desk.table.values()),
            meanings=self._meanings,
            values=desk.values(),
            bases=desk.bases(),
            atlas=self.backstage.atlas() is not None,
            track=tuple(self._track),
            status=self.status(),
            lists=self._last_lists,
        )

    @property
    def heard(self) -> int:
        """How many frames were ever made since the deck began."""
        return self._heard

    def since(self, heard: int) -> tuple[int, tuple[TrackRow, ...]]:
        """Frames after the first `heard` ones, as far as they are kept."""
        with self._lock:
            new = min(self._heard - heard, len(self._track))
            return self._heard, tuple(itertools.islice(self._track, len(self._track) - new, None)) if new > 0 else ()

    def status(self) -> Mapping[str, Json]:
        """The status as JSON has it, half a second old at most."""
        return self._status.get()

    def moving(self) -> Mapping[str, float]:
        """Where on their way 0..1 the faders are that slews, fades and modulation move."""
        return self._moving.get()

    def lists(self) -> Lists:
        """Snapshots and takes, as they were last gathered."""
        return self._last_lists

    def gather(self) -> None:
        """Gather the lists anew; looks into folders, so not for the loop that serves."""
        snapshots = self.backstage.snapshots
        self._last_lists = Lists(tuple(snapshots.names()), snapshots.last, tuple(self.backstage.takes()))

    def _places(self) -> dict[str, float]:
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

    def _tick(self, tick: Tick) -> None:
        columns = (tick.index, tick.alpha, tick.beta, tick.front, tick.place, tick.rate, tick.step)
        rows = [
            TrackRow(index, alpha, beta, front, x, y, z, radius, rate, step)
            for index, alpha, beta, front, (x, y, z, radius), rate, step in zip(*columns)
        ]
        with self._lock:
            self._track.extend(rows)
            self._heard += len(rows)


def _number(value: Value | None) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
