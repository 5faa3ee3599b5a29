"""What the children report, gathered into a `Status`."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from threading import Lock

import numpy as np

from installation.backstage import RendererState, ShownScene, Status
from installation.ipc.messages import Numbers, Place, Ready, SceneChange, StageReport, Tick
from installation.ipc.scene import DecoderScene, WorldScene

LATELY = 5.0  # seconds over which rates are counted
SAMPLES = 4096  # of latency: the last minutes
FAULTS = 20
SILENCE = 5.0  # seconds without a report of the stage from which nobody knows what the wall shows
AGAIN = 30.0  # seconds in which the same fault is no news
NOWHERE: Place = (math.nan, math.nan, math.nan, math.nan)


class StatusCollector:
    """Thread-safe. Moments are seconds of one clock; `start` is when the show began."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._lock = Lock()
        self._tick = Tick((), ())
        self._made: deque[tuple[float, int]] = deque()  # when a tick was heard, and its pictures
        self._latency: deque[float] = deque(maxlen=SAMPLES)
        self._stage: StageReport | None = None
        self._reported = -math.inf  # when the stage last spoke
        self._shone = math.inf  # when the wall last showed a new picture; before the first, when that was made
        self._shown: deque[tuple[float, int]] = deque()
        self._presentations = self._missed = 0  # by stages that are gone
        self._faults: deque[str] = deque(maxlen=FAULTS)
        self._latest: dict[str, float] = {}
        self.scene = ShownScene()
        self.memory: dict[str, int] = {}
        self.temperature: float | None = None

    def tick(self, now: float, tick: Tick) -> None:
        """The renderer made pictures."""
        with self._lock:
            self._tick = tick
            if math.isinf(self._shone):
                self._shone = now
            self._made.append((now, len(tick.index)))
            _forget(self._made, now)

    def ready(self, ready: Ready) -> None:
        """Another renderer is ready: nothing that the last one said of its scene holds."""
        film = ready.film
        with self._lock:
            self.scene = ShownScene(
                size=ready.size,
                profile=ready.profile,
                seer=ready.seer,
                decoder=None if film is None else DecoderScene(kind="film"),
                world=WorldScene(name=film) if film is not None else None,
            )

    def changed(self, change: SceneChange) -> None:
        """The renderer shows another scene."""
        scene = change.scene
        with self._lock:
            self.scene = replace(
                self.scene, number=change.number, plane=scene.plane, prompt=scene.prompt, decoder=scene.decoder,
                world=scene.world, walk=scene.walk,
            )  # fmt: skip

    def stage(self, now: float, report: StageReport) -> None:
        """A report of the stage."""
        with self._lock:
            if self._stage is not None and report.presented < self._stage.presented:
                self._presentations += self._stage.presented
                self._missed += self._stage.missed
                self._shown.clear()
            self._stage, self._reported = report, now
            if report.fresh is not None:
                self._shone = now - report.fresh
            self._shown.append((now, report.presented))
            _forget(self._shown, now)
            self._latency.extend(report.latency)

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
    def fresh(self) -> float | None:
        """Seconds since a new picture was presented, as the stage said when it last reported."""
        return None if self._stage is None else self._stage.fresh

    def status(
        self, now: float, renderer: RendererState, restarts: int, held: bool = False, pulse: float = 0.0
    ) -> Status:
        """All of it, at a moment. held: somebody wants the wall still; pulse: see `Status`."""
        with self._lock:
            tick, stage = self._tick, self._stage
            x, y, z, radius = tick.place[-1] if tick.place else NOWHERE
            return Status(
                uptime=now - self._start,
                renderer=renderer,
                restarts=restarts,
                frame=tick.index[-1] if tick.index else -1,
                rate=_rate([(when, n) for when, n in self._made if now - when < LATELY], now, self._start),
                period=tick.period if tick.index else math.nan,
                alpha=_last(tick.alpha),
                beta=_last(tick.beta),
                front=tick.front[-1] if tick.front else True,
                unit=(x, y, z),
                radius=radius,
                lipschitz=_last(tick.rate),
                step=_last(tick.step),
                presented=_slope(self._shown, now),
                presentations=self._presentations + (stage.presented if stage else 0),
                missed=self._missed + (stage.missed if stage else 0),
                latency=_percentiles(self._latency),
                held=held and stage is not None and stage.held and now - self._reported <= SILENCE,
                pulse=pulse,
                fresh=math.inf if math.isinf(self._shone) else now - self._shone,
                memory=dict(self.memory),
                temperature=self.temperature,
                scene=self.scene,
                faults=tuple(self._faults),
            )


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


def _last(numbers: Numbers) -> float:
    newest = numbers[-1] if numbers else None
    return math.nan if newest is None else newest
