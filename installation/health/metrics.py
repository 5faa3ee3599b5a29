"""The show in figures: Prometheus text, and one answer to whether it is well."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from installation.backstage import RENDERER_STATES, Status
from installation.ipc.jsonable import Json, table
from latentworld.extras import need

if TYPE_CHECKING:
    from prometheus_client import Metric

DEAD = 10.0  # seconds without the show's pulse from which nobody looks after anything
STALE = 30.0  # seconds without a new picture on the wall from which the show is not well
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(status: Status) -> bytes:
    """Prometheus exposition format 0.0.4 (`CONTENT_TYPE`). Raises ShowError without the extra `show`."""
    client = need("prometheus_client")

    class Now:
        def collect(self) -> Iterator[Metric]:
            return _families(status)

    registry = client.CollectorRegistry(auto_describe=False)
    registry.register(Now())
    made: bytes = client.generate_latest(registry)
    return made


def health(status: Status) -> tuple[bool, dict[str, Json]]:
    """Whether new pictures reach the wall, and the figures as plain JSON values (not finite: None).

    Well: the show has a pulse; and the renderer makes pictures (its own, the safe preset's or the loop's) and the wall
    showed a new one within `STALE` seconds, or it loads, or the wall is held on purpose.
    """
    moving = status.renderer in ("running", "safe", "loop") and status.fresh <= STALE
    ok = status.pulse <= DEAD and (status.held or moving or status.renderer == "loading")
    return ok, {"ok": ok, **table(status)}


def _families(status: Status) -> Iterator[Metric]:
    core = need("prometheus_client.core")
    for name, about, value in _status_collector(status):
        yield core.GaugeMetricFamily(f"latentworld_{name}", about, value=value)
    for name, about, value in _counters(status):
        yield core.CounterMetricFamily(f"latentworld_{name}", about, value=value)
    state = core.GaugeMetricFamily("latentworld_renderer_state", "1 for the state it is in.", labels=["state"])
    for word in RENDERER_STATES:
        state.add_metric([word], float(word == status.renderer))
    yield state
    memory = core.GaugeMetricFamily("latentworld_memory_bytes", "Resident memory.", labels=["process"])
    for process, size in sorted(status.memory.items()):
        memory.add_metric([process], size)
    yield memory


def _status_collector(status: Status) -> list[tuple[str, str, float]]:
    p50, p99 = status.latency
    temperature = math.nan if status.temperature is None else status.temperature
    return [
        ("healthy", "1 while new pictures reach the wall.", float(health(status)[0])),
        ("uptime_seconds", "Since the show began.", status.uptime),
        ("pictures_per_second", "New pictures a second.", status.rate),
        ("presented_per_second", "Presentations a second on the wall.", status.presented),
        ("latency_p50_seconds", "From control to picture, median of the last minutes.", p50),
        ("latency_p99_seconds", "From control to picture, 99th percentile of the last minutes.", p99),
        ("pulse_seconds", "Since the show last looked after its children.", status.pulse),
        ("fresh_seconds", "Since a new, finite, non-constant picture was presented.", status.fresh),
        ("temperature_celsius", "The hottest sensor of the processor.", temperature),
        ("lipschitz", "Feature distance per latent distance, here.", status.lipschitz),
        ("spare_waiting", "1 while a second renderer is loaded and waits.", float(status.spare == "waiting")),
        ("faults_remembered", "Faults among the last few that are kept.", len(status.faults)),
    ]


def _counters(status: Status) -> list[tuple[str, str, float]]:
    return [
        ("frames", "Number of the newest frame.", max(status.frame + 1, 0)),
        ("presentations", "Presentations on the wall.", status.presentations),
        ("missed", "Presentations that came late.", status.missed),
        ("restarts", "Restarts of the renderer.", status.restarts),
    ]
