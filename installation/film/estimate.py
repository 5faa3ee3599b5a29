"""What a film will take, before a night is spent: some of its frames are really made, encoded and read back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]

from installation.clock import Tick
from installation.film import chart, playing, sheet, telemetry
from installation.film.opening import own_parts, pieces_of
from installation.film.output import Folder
from installation.film.passes import laps, planned_first, walked
from installation.film.pieces import NoPieces, Pieces
from installation.film.reel import Written
from installation.film.rendering import wired
from installation.film.showing import showing
from installation.loop import run
from installation.rig import Rig, build, open_studio
from installation.stopwatch import Stopwatch, running
from installation.takes import Parts
from installation.takes.film import Journey
from latentworld.decoding.settings import Kind
from latentworld.lipschitz import noise_floor
from latentworld.preset import Preset

WARM = 1  # ticks before anything is counted: engines compile, and the first probes of the pacing are its guess
LEAST = 3  # ticks that are counted, at least
SURE = 0.05
"""Standard error of the mean at which a trial may end. Ticks differ by how many rifts the pacing must look through:
those of `first-light` take 1.4 to 6.8 s, and its first four said 251 s of a film that takes 160."""
LONGEST = 4.0  # times the seconds asked for that a trial goes on while its ticks differ
SPREAD = 64  # ticks of a plan that are tried, evenly from its first to its last
LINE = 280.0  # bytes of a frame in a plan
TRIED = "tried.csv"
LOOKS = 4.0  # probes a frame of a loop that is laid out evenly


@dataclass(frozen=True)
class Pace:
    """What was tried. frames: how many; each: seconds a frame, its encoding and reading back included; size: bytes a
    frame; load: seconds until the first; doubt: standard error of `each` over itself, from how the ticks differ."""

    frames: int
    each: float
    size: float
    load: float
    doubt: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """What a film takes on this machine. planning: seconds until its way is known, 0 where it need not be; memory:
    bytes of this process at its most, without its encoder; ending: seconds after the last frame."""

    frames: int
    fps: float
    pace: Pace
    planning: float
    memory: int
    ending: float = 0.0

    def seconds(self, workers: int = 1) -> float:
        """Of the whole, by so many machines like this one; planning is done by one."""
        return self.planning + self.pace.load + self.frames * self.pace.each / workers + self.ending

    @property
    def doubt(self) -> float:
        """Seconds that the whole may take more or less, as far as it was tried (one standard error)."""
        return self.frames * self.pace.each * self.pace.doubt

    @property
    def disk(self) -> float:
        """Bytes of the film; it takes them twice while it is joined."""
        return self.frames * self.pace.size


def estimate(preset: Preset, journey: Journey | None = None, seconds: float = 15.0) -> Estimate:
    """Make frames of a film, or of a plan's or a take's, for about so many seconds, longer where they differ much, and
    say what all of them take."""
    if journey is None:
        playing.check(preset)
    first = journey is None and planned_first(preset)
    began = running()  # a film of its own begins as this process did
    planning = _planning(preset, seconds) if first else 0.0
    clock = Stopwatch()
    rig = build(_steady(preset) if first else preset)  # its places are known by then: no probe is made
    parts = own_parts(rig) if journey is None else journey.parts(rig, open_studio)
    with tempfile.TemporaryDirectory(prefix="latentworld-estimate-") as path:
        folder = Folder(Path(path))
        folder.chunks.mkdir()
        pieces = pieces_of(rig, folder, showing=showing(rig.preset))
        pace = _tried(rig, parts, pieces, folder, seconds, clock)
        ending = _ending(rig, pieces, folder)
    pace = replace(pace, load=began + pace.load)
    return Estimate(preset.film.frames, preset.film.fps, pace, planning, _memory(), ending)


def estimate_plan(preset: Preset, kind: Kind, seconds: float = 15.0, coarse: int = 1) -> Estimate:
    """The same for the planning of a film; coarse: as in `plan`."""
    asked = walked(preset if preset.decoder.kind == "analytic" else preset.changed(decoder={"kind": kind}), coarse)
    clock = Stopwatch()
    rig = build(asked)
    if lap := laps(rig):
        rig = build(_steady(asked))
    with tempfile.TemporaryDirectory(prefix="latentworld-estimate-") as path:
        folder = Folder(Path(path))
        folder.chunks.mkdir()
        pace = _tried(rig, own_parts(rig, fps=preset.film.fps), NoPieces(), folder, seconds, clock)
    looks = LOOKS if asked.film.loop and not asked.film.there_and_back else 0.0
    pace = replace(pace, each=pace.each * (looks if lap else 1.0 + looks), size=LINE)
    return Estimate(asked.film.frames, asked.film.fps, pace, 0.0, _memory())


def _planning(preset: Preset, seconds: float) -> float:
    """Seconds until the way of a film that is planned first is known."""
    kind: Kind = preset.pacing.look if preset.decoder.kind == "faithful" else "scout"
    return estimate_plan(preset, kind, seconds).seconds()


def _steady(preset: Preset) -> Preset:
    """The same at a constant pace, which probes nothing."""
    return preset.changed(pacing={"kind": "latent"})


def _tried(rig: Rig, parts: Parts, pieces: Pieces, folder: Folder, seconds: float, loading: Stopwatch) -> Pace:
    """Frames made as a chunk is, for about so many seconds."""
    seen = _Seen(loading)
    ticks = _spread(list(parts.clock)) if parts.after is not None else parts.clock
    with Written(pieces, folder.chunks / TRIED, rig.plane, 0) as written:
        dealt, inbox, sink = wired(parts, ticks, written)
        run(seen.until(dealt, seconds), inbox, parts.walk, parts.direct, parts.pilot, sink)
    frames = written.tally.frames
    made = loading.seconds
    kept = pieces.commit(0, frames)
    read = loading.seconds - made
    began, counted = (seen.began, frames - seen.warm) if frames > seen.warm else (seen.load, frames)
    each = (made - began) / counted + read / frames
    # what the first frames take more than others
    warming = seen.began - seen.warm * each if frames > seen.warm else 0.0
    return Pace(frames, each, kept.size / frames, max(seen.load, warming), seen.doubt)


def _ending(rig: Rig, pieces: Pieces, folder: Folder) -> float:
    """Seconds for what comes after the last frame, done with those that were tried: noise floor, sheet, chart."""
    clock, record = Stopwatch(), telemetry.read(folder.chunks / TRIED)
    noise_floor(rig.look, record.unit[-1], float(record.radius[-1]), repeats=3)
    sheet.save(folder.sheet, record, partial(pieces.picture, 0), rig.preset.title, "")
    chart.draw(record, rig.plane, folder.chart, rig.preset.title)
    return clock.seconds


def _spread(ticks: Sequence[Tick]) -> Sequence[Tick]:
    """Some of them, evenly, if there are many."""
    return ticks[:: max(1, len(ticks) // SPREAD)]


class _Seen:
    """When frames were there. Lives for one trial."""

    def __init__(self, clock: Stopwatch) -> None:
        self._clock = clock
        self.load = self.began = 0.0
        self.warm = 0
        self._each: list[float] = []  # seconds a frame of every tick that is counted

    def until(self, ticks: Iterable[Tick], seconds: float) -> Iterator[Tick]:
        """Ticks until the time is up and they agree, from the end of those that are not counted."""
        self.load = self.began = self._clock.seconds
        for number, tick in enumerate(ticks):
            if number == WARM:
                self.began = self._clock.seconds
            if self._enough(seconds):
                return
            if number < WARM:
                self.warm += len(tick)
            asked = self._clock.seconds
            yield tick
            if number >= WARM:
                self._each.append((self._clock.seconds - asked) / len(tick))

    @property
    def doubt(self) -> float:
        """Standard error of the mean of all ticks over it; 0 of fewer than two."""
        each = np.array(self._each)
        return float(each.std(ddof=1) / each.mean() / len(each) ** 0.5) if len(each) > 1 else 0.0

    def _enough(self, seconds: float) -> bool:
        """Whether the trial may end: long enough, and sure or too long."""
        if len(self._each) < LEAST:
            return False
        tried = self._clock.seconds - self.began
        return tried > LONGEST * seconds or (tried > seconds and self.doubt <= SURE)


def _memory() -> int:
    """Bytes of this process now."""
    return int(psutil.Process().memory_info().rss)
