"""What the stage says of itself twice a second."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from installation.ipc.ring import Shot
from installation.stage import light
from installation.stage.pacer import BINS, Pacer
from installation.stage.reel import Cue

EVERY = 0.5  # seconds between reports
SAMPLES = 256  # of latency between two reports


class Tally:
    """Sees every cue that was presented. Belongs to one thread."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._reported = -math.inf
        self._sequence = 0  # the newest that weighed at least a half
        self._stamp = 0.0
        self._fresh: float | None = None  # when a new picture that shows something was last presented
        self._latency: list[float] = []
        self._seen: dict[int, tuple[float, bool]] = {}  # of the pictures on the wall: mean light, whether it varies
        self._lowest = math.inf  # mean light since the last report

    def shown(self, now: float, cue: Cue) -> None:
        """A cue was presented at a moment."""
        self._know(cue)
        self._lowest = min(self._lowest, self._light(cue))
        shot = cue.newer if cue.weight >= 0.5 else cue.older
        if shot is None or shot.sequence <= self._sequence or cue.look.card:
            return
        self._sequence = shot.sequence
        if self._seen[shot.sequence][1]:
            self._fresh = now
        if shot.stamp > self._stamp:
            self._stamp = shot.stamp
            self._latency = [*self._latency[-SAMPLES + 1 :], now - shot.stamp]

    def report(self, now: float, black: Callable[[], float], **more: Any) -> dict[str, Any] | None:
        """The content of a `stage` message where one is due, else None.

        presented, missed: since the start; intervals: upper edges in ms and how many lay below each, since the start;
        latency: seconds, since the last report; fresh: seconds since a new picture that shows something was presented
        (None: never); light: the lowest mean light 0..1 of a presentation since the last report; black: the share of
        pixels of this moment that are black, as drawn.
        """
        if now - self._reported < EVERY:
            return None
        self._reported = now
        latency, self._latency, lowest, self._lowest = self._latency, [], self._lowest, math.inf
        return {
            "presented": self._pacer.presented,
            "missed": self._pacer.missed,
            "intervals": {"edges": list(BINS), "counts": list(self._pacer.counts)},
            "latency": latency,
            "fresh": None if self._fresh is None else now - self._fresh,
            "sequence": self._sequence,
            "light": lowest if math.isfinite(lowest) else 0.0,
            "black": black(),
            "vsync": self._pacer.vsync,
            "rate": 1 / self._pacer.period,
            **more,
        }

    def _know(self, cue: Cue) -> None:
        shots = {shot.sequence: shot for shot in (cue.older, cue.newer) if shot is not None}
        self._seen = {sequence: self._seen.get(sequence) or _measured(shot) for sequence, shot in shots.items()}

    def _light(self, cue: Cue) -> float:
        """Mean light of the picture on the wall: of the mixture, for light adds up."""
        if cue.look.card:
            return cue.look.light
        older, newer = (0.0 if shot is None else self._seen[shot.sequence][0] for shot in (cue.older, cue.newer))
        mixed = older * (1 - cue.weight) + newer * cue.weight
        return float(mixed * cue.look.light**light.DISPLAY)


def _measured(shot: Shot) -> tuple[float, bool]:
    return light.brightness(shot.picture), light.varied(shot.picture)
