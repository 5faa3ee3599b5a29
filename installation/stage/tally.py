"""What the stage says of itself twice a second."""

from __future__ import annotations

import math
from dataclasses import dataclass

from installation.ipc.messages import Intervals, StageReport
from installation.ipc.ring import Shot
from installation.stage import light
from installation.stage.pacer import BINS, Pacer
from installation.stage.reel import Cue

EVERY = 0.5  # seconds between reports
SAMPLES = 256  # of latency between two reports


@dataclass(frozen=True)
class Display:
    """What a surface is presented on: the monitor's name, height and width in pixels, by which graphics card."""

    monitor: str
    size: tuple[int, int]
    drawn: str = ""


class Tally:
    """Sees every cue that was presented. Belongs to one thread."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._reported = -math.inf
        self._sequence = 0  # the newest that weighed at least a half
        self._stamp = 0.0
        self._held = False
        self._fresh: float | None = None  # when a new picture that shows something was last presented
        self._latency: list[float] = []
        self._seen: dict[int, tuple[float, bool]] = {}  # of the pictures on the wall: mean light, whether it varies
        self._lowest = math.inf  # mean light since the last report

    def shown(self, now: float, cue: Cue) -> None:
        """A cue was presented at a moment."""
        self._know(cue)
        self._held = cue.look.freeze or cue.look.card or cue.look.dark
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

    def due(self, now: float) -> bool:
        """Whether a report is."""
        return now - self._reported >= EVERY

    def report(self, now: float, black: float, display: Display) -> StageReport:
        """What there is to say at a moment; what lies between two reports is counted anew from here. black: the share
        of pixels that are, as drawn."""
        self._reported = now
        latency, self._latency, lowest, self._lowest = self._latency, [], self._lowest, math.inf
        pacer = self._pacer
        return StageReport(
            presented=pacer.presented,
            missed=pacer.missed,
            latency=tuple(latency),
            fresh=None if self._fresh is None else now - self._fresh,
            sequence=self._sequence,
            light=lowest if math.isfinite(lowest) else 0.0,
            black=black,
            vsync=pacer.vsync,
            rate=1 / pacer.period,
            monitor=display.monitor,
            size=display.size,
            drawn=display.drawn,
            intervals=Intervals(tuple(BINS), tuple(pacer.counts)),
            held=self._held,
        )

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
