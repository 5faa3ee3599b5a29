"""What the children report, gathered into a `Status`."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np

from installation.backstage import Status
from installation.ipc.wire import Message

LATELY = 5.0  # seconds over which rates are counted
SAMPLES = 4096  # of latency: the last minutes
FAULTS = 20
AGAIN = 30.0  # seconds in which the same fault is no news


class StatusCollector:
    """Thread-safe. Moments are seconds of one clock; `start` is when the show began."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._lock = Lock()
        self._tick: Message = {}
        self._made: deque[tuple[float, int]] = deque()  # when a tick was heard, and its pictures
        self._latency: deque[float] = deque(maxlen=SAMPLES)
        self._stage: Message = {}
        self._shone = math.inf  # when the wall last showed a new picture; before the first, when that was made
        self._shown: deque[tuple[float, int]] = deque()
        self._presentations = self._missed = 0  # by stages that are gone
        self._faults: deque[str] = deque(maxlen=FAULTS)
        self._latest: dict[str, float] = {}
        self.scene: dict[str, Any] = {}
        self.memory: dict[str, int] = {}
        self.temperature: float | None = None

    def tick(self, now: float, message: Message) -> None:
        """A `tick` of the renderer."""
        with self._lock:
            self._tick = message
            if math.isinf(self._shone):
                self._shone = now
            self._made.append((now, len(message["index"])))
            _forget(self._made, now)

    def told(self, message: Message) -> None:
        """A `ready`, or a `scene`, by which what is known of the scene grows."""
        with self._lock:
            scene = message["scene"] if isinstance(message.get("scene"), dict) else {}
            before = {} if message["kind"] == "ready" else self.scene  # another renderer: nothing of the last one's
            self.scene = before | {k: v for k, v in message.items() if k not in ("kind", "preset")} | scene

    def stage(self, now: float, message: Message) -> None:
        """A report of the stage."""
        with self._lock:
            if message.get("presented", 0) < self._stage.get("presented", 0):
                self._new_stage()
            self._stage = message
            if self.fresh is not None:
                self._shone = now - self.fresh
            self._shown.append((now, int(message.get("presented", 0))))
            _forget(self._shown, now)
            self._latency.extend(float(sample) for sample in message.get("latency", ()) if sample is not None)

    def fault(self, now: float, text: str, again: float = AGAIN) -> bool:
        """Remember a fault; False when it is no news, for it was told within `again` seconds."""
        with self._lock:
            for known in [known for known, when in self._latest.items() if now - when > AGAIN]:
                del self._latest[known]
            if now - self._latest.get(text, -math.inf) < again:
                return False
            self._latest[text] = now
            self._faults.append(text)
            return True

    @property
    def resume(self) -> Mapping[str, Any] | None:
        """How to go on where the newest tick was."""
        found = self._tick.get("resume")
        return found if isinstance(found, dict) else None

    @property
    def fresh(self) -> float | None:
        """Seconds since a new picture was presented, as the stage said when it last reported."""
        found = self._stage.get("fresh")
        return float(found) if isinstance(found, (int, float)) else None

    def status(self, now: float, renderer: str, restarts: int) -> Status:
        """All of it, at a moment."""
        with self._lock:
            tick = self._tick
            place = tick["place"][-1] if tick.get("place") else [math.nan] * 4
            return Status(
                uptime=now - self._start,
                renderer=renderer,
                restarts=restarts,
                frame=int(tick["index"][-1]) if tick.get("index") else -1,
                rate=_rate([(when, n) for when, n in self._made if now - when < LATELY], now, self._start),
                period=_number(tick.get("period")),
                alpha=_last(tick, "alpha"),
                beta=_last(tick, "beta"),
                front=bool((tick.get("front") or [True])[-1]),
                unit=(float(place[0]), float(place[1]), float(place[2])),
                radius=float(place[3]),
                lipschitz=_last(tick, "rate"),
                step=_last(tick, "step"),
                presented=_slope(self._shown, now),
                presentations=self._presentations + int(self._stage.get("presented", 0)),
                missed=self._missed + int(self._stage.get("missed", 0)),
                latency=_percentiles(self._latency),
                fresh=math.inf if math.isinf(self._shone) else now - self._shone,
                memory=dict(self.memory),
                temperature=self.temperature,
                scene=dict(self.scene),
                faults=tuple(self._faults),
            )

    def _new_stage(self) -> None:
        self._presentations += int(self._stage.get("presented", 0))
        self._missed += int(self._stage.get("missed", 0))
        self._shown.clear()


def _forget(events: deque[tuple[float, int]], now: float) -> None:
    while events and now - events[0][0] > LATELY:
        events.popleft()


def _rate(events: list[tuple[float, int]], now: float, start: float) -> float:
    """Pictures a second, of events (moment, pictures) of the last seconds."""
    return sum(count for _, count in events) / max(min(LATELY, now - start), 0.1)


def _slope(events: deque[tuple[float, int]], now: float) -> float:
    """Presentations a second, of a running count."""
    if len(events) < 2 or now - events[-1][0] > LATELY:
        return 0.0
    (first, low), (last, high) = events[0], events[-1]
    return (high - low) / (last - first) if last > first else 0.0


def _percentiles(samples: deque[float]) -> tuple[float, float]:
    if not samples:
        return math.nan, math.nan
    p50, p99 = np.percentile(np.fromiter(samples, np.float64), [50, 99])
    return float(p50), float(p99)


def _last(tick: Message, key: str) -> float:
    return _number((tick.get(key) or [None])[-1])


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
