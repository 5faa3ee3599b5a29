"""A film's plan: where every frame will lie, found by a cheap decoder, written as a take, and filmed like one.

Steered and paced frames are placed one after the other, since each place depends on what was seen before. Once they are
known they can be decoded in any order, chunk by chunk, on many machines, and the same plan by another decoder.
"""

from __future__ import annotations

import math
import tomllib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from installation.clock import CountedClock
from installation.film import playing, telemetry
from installation.film.beats import Crossing
from installation.film.manifest import Identity
from installation.film.opening import identity, opened, own_parts
from installation.film.output import Folder, claimed
from installation.film.passes import SHORTEST, check, laps, length, passed, walked
from installation.film.pieces import NoPieces
from installation.film.progress import progress_file
from installation.film.reel import Reel
from installation.film.rendering import render
from installation.film.scored_loop import Played, played
from installation.film.sinks import Room, Sink
from installation.film.telemetry import Telemetry
from installation.film.ways import Said, Way
from installation.ipc.messages import Place
from installation.ipc.scene import SceneDescription
from installation.rig import Rig, build, open_studio
from installation.score.performance import Performance, radii_of, scenes_of
from installation.score.scenes import first
from installation.takes.records import FORMAT, EndLine, FrameLine, HeaderLine, PromptLine, Record, SceneLine, written
from latentworld import __version__
from latentworld.arrays import Unit
from latentworld.decoding import Watch
from latentworld.decoding.settings import Kind
from latentworld.disk import whole, writing
from latentworld.errors import Cancelled, GeometryError, Notice, OutputExists, PresetError
from latentworld.pacing import LOW, NEARLY
from latentworld.preset import Preset, dump
from latentworld.walks import Free

SUFFIX = ".plan"
SEEN = 0.25  # radians: half of the widest fan (`pilot.Pilot`), which a step may be long and still be steered
ROUNDS, FEW = 8, 16  # how often a way is walked further that became too short; frames more than it seems to lack


@dataclass(frozen=True)
class Watching:
    """Who follows how a plan comes about. sinks: get the frames that are walked; looked: is told how many places of a
    lap were looked at so far; planned: is told of the plan of a film that is planned first."""

    sinks: Sequence[Sink] = ()
    looked: Callable[[int], object] = lambda places: None
    planned: Callable[[Planned], object] = lambda planned: None


SILENT = Watching()


@dataclass(frozen=True)
class Planned:
    """How far a plan is: frames of `planned`, what they took in seconds, what its steps say (see `Summary`), and, where
    rifts are laid on beats, when each is crossed."""

    target: Path
    frames: int
    planned: int
    seconds: float
    rifts: int
    marked: int
    at_ceiling: int
    crossings: tuple[Crossing, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the plan was written."""
        return self.frames == self.planned


def plan(
    preset: Preset, out: str | Path, *, kind: Kind = "scout", coarse: int = 1, overwrite: bool = False,
    watching: Watching = SILENT, watch: Watch | None = None,
) -> Planned:  # fmt: skip
    """Walk a preset's journey through its `kind` of decoder, pilot and pacing on, and write where every frame lies:
    what was walked, after its loops, rifts and frames between (`passes`).

    coarse: one frame in so many is walked, at steps so many times as large, and the others are laid between at equal
    arcs: so many times sooner, and less even. What was found is kept chunk by chunk beside the plan until it is whole,
    so that the same call goes on; a lap of a fixed walk, which nobody walks first, begins anew. A preset of the
    analytic world is planned through its own decoder. Raises OutputExists for a plan that may not be replaced,
    GeometryError for a loop that cannot be closed, PresetError for one that is planned coarsely.
    """
    target = Path(out)
    playing.check(preset)
    if coarse > 1 and preset.film.loop:
        raise PresetError("a loop is laid frame by frame: plan it without --coarse")
    if preset.film.loop and preset.film.frames < SHORTEST * preset.film.interpolate:
        raise GeometryError(f"less than {SHORTEST} decoded frames are no loop: make the film longer")
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} is there already: give --overwrite, or another name")
    check(preset)
    work = Folder(target.with_name(f".{target.name}.chunks"))
    with claimed(work.path):
        kind = preset.decoder.kind if preset.decoder.kind == "analytic" else kind
        asked = walked(preset.changed(decoder={"kind": kind}), coarse)
        _tell_of_blindness(rig := build(asked, watch), coarse)
        for _ in range(ROUNDS):
            found, way = _found(rig, preset, work, watching, overwrite, coarse)
            if way is None or preset.film.loop or len(way) >= length(preset):
                break
            asked = _longer(asked, len(way), length(preset), coarse)
            rig = build(asked, watch)
        if way is not None:
            _write(target, lines(rig, preset, way, found.scenes or (first(rig),)))
            work.clear()
    with suppress(OSError):
        work.path.rmdir()  # where it is whole
    return _planned(target, rig, found, way, coarse)


def _tell_of_blindness(rig: Rig, coarse: int) -> None:
    """Where next to nothing is walked, or steps may be longer than what the pilot sees of the land, so that it would
    steer by what lies behind it."""
    if coarse > 1 and rig.preset.film.frames <= 2:
        warnings.warn(f"--coarse {coarse}: the first and the last frame alone are walked", Notice, stacklevel=3)
    pace, target = rig.preset.pacing, rig.plane.target
    longest = (pace.speed if pace.kind == "latent" else pace.ceiling) / rig.preset.film.fps / target
    is_steered = rig.preset.pilot.mode != "off" and (isinstance(rig.walk, Free) or bool(rig.preset.score))
    if coarse > 1 and is_steered and longest > SEEN:
        fewer = max(1, int(coarse * SEEN / longest))
        warnings.warn(
            f"--coarse {coarse}: a step may be {np.degrees(longest):.0f} degrees long, farther than the pilot sees; it "
            f"steers as the film would with --coarse {fewer} or less",
            Notice,
            stacklevel=3,
        )


@dataclass(frozen=True, eq=False)
class Walked:
    """How far a way was walked: frames of `planned`, what they took in seconds, and where they lie; scenes, and which
    of them each frame is made in, of a way that a score leads, and radii where it says them, else NaN; when rifts are
    crossed that are laid on beats."""

    frames: int
    planned: int
    seconds: float
    record: Telemetry | None
    scenes: tuple[SceneDescription, ...] = ()
    scene: NDArray[np.int64] | None = None
    radius: NDArray[np.float64] | None = None
    crossings: tuple[Crossing, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every frame has its place."""
        return self.frames == self.planned


def _found(
    rig: Rig, preset: Preset, work: Folder, watching: Watching, overwrite: bool, coarse: int
) -> tuple[Walked, Way | None]:
    """What was walked, and the film's way, None where the watcher ended it before."""
    found = Walked(0, rig.preset.film.frames, 0.0, None)
    if not laps(rig):
        found = _walked(rig, work, watching.sinks, overwrite, coarse, preset.film.fps)
    crossings: list[Crossing] = []
    with suppress(Cancelled):
        if laps(rig) or found.complete:
            played = _played(rig) if preset.film.loop else None
            if played is not None:
                found = replace(found, scenes=played.scenes)
            said = Said(found.scene, found.radius)
            way = passed(rig, preset, found.record, watching.looked, said, crossings.extend, played, coarse)
            return replace(found, crossings=tuple(crossings)), way
    return found, None


def _longer(asked: Preset, got: int, wanted: int, coarse: int) -> Preset:
    """What to walk instead, where the film of it has `got` frames of `wanted`: rifts that are cut take frames away."""
    frames = asked.film.frames
    more = math.ceil((wanted - got) * frames / max(got, 1)) + math.ceil(FEW / coarse)
    return asked.changed(film={"seconds": (frames + min(more, 4 * frames)) / asked.film.fps})


def _own(rig: Rig) -> Identity:
    """What decides a way, however long it is."""
    found = identity(rig)
    film = found.preset["film"]
    assert isinstance(film, dict)  # as the preset's model wrote it
    return msgspec.structs.replace(found, preset={**found.preset, "film": {**film, "seconds": None}})


def _walked(rig: Rig, work: Folder, sinks: Sequence[Sink], overwrite: bool, coarse: int, fps: float) -> Walked:
    """Walk, or go on walking, in a folder of work. fps: the film's own, by which its score counts frames."""
    reel = opened(rig, work, _own(rig), NoPieces(), overwrite)
    watcher = progress_file(work.progress, rig.preset.film.frames)
    with suppress(Cancelled):
        render(rig, reel, own_parts(rig, fps=fps), Room(work.path), [watcher, *sinks])
    reel.tell(work.telemetry)
    if reel.frames == rig.preset.film.frames:
        playing.tell_of_waiting(rig.preset, reel.manifest.chunks[-1].score)
    found = Walked(reel.frames, rig.preset.film.frames, reel.seconds, telemetry.read(work.telemetry))
    return _scened(rig, found, reel, coarse, fps) if found.complete else found


def _played(rig: Rig) -> Played | None:
    """What a score makes of a loop, where there is one. Raises as `scored_loop.played`."""
    score = playing.score_of(rig.preset)  # a loop with frames between takes none, so its rate is the film's
    if score is None:
        return None
    return played(rig, score, rig.preset.film.frames, Performance(rig, score, open_studio).lookout)


def _scened(rig: Rig, found: Walked, reel: Reel, coarse: int, fps: float) -> Walked:
    """With the scenes of a score, where there is one, of every frame, also of those that are laid between."""
    score, stand = playing.score_of(rig.preset, fps), reel.manifest.chunks[-1].score
    if score is None or stand is None:
        return found
    scenes, numbers = list[SceneDescription](), list[int]()
    clock = CountedClock(coarse * (found.frames - 1) + 1, coarse * rig.preset.film.fps, 1)
    for scene in scenes_of(rig, score, stand, clock):
        if not scenes or scene is not scenes[-1]:
            scenes.append(scene)
        numbers.append(len(scenes) - 1)
    radius = radii_of(score, stand, clock)
    return replace(found, scenes=tuple(scenes), scene=np.array(numbers), radius=radius)


def _planned(target: Path, rig: Rig, walk: Walked, way: Way | None, coarse: int) -> Planned:
    """What there is to say of it. way: None where the plan was not written."""
    if way is None:
        return Planned(target, walk.frames, walk.planned, walk.seconds, 0, 0, 0)
    spec, fps = rig.preset.pacing, coarse * rig.preset.film.fps
    plain = ~way.marked & (way.distance >= NEARLY * spec.ceiling / fps) & (way.step < LOW * spec.clip_step / coarse)
    at_ceiling = int(plain.sum()) if spec.kind != "latent" else 0
    rifts, marked = len(way.rifts), int(way.marked.sum())
    return Planned(target, len(way), len(way), walk.seconds, rifts, marked, at_ceiling, walk.crossings)


def lines(rig: Rig, preset: Preset, way: Way, scenes: Sequence[SceneDescription]) -> Iterator[Record]:
    """A plan's lines. preset: of the film that is planned; rig: by which its way was found; scenes: that the way's
    frames lie in."""
    own = rig.preset.changed(decoder={"kind": preset.decoder.kind}, film=preset.film, pacing=preset.pacing)
    fps, profile = preset.film.fps, rig.decoder.profile
    yield HeaderLine(
        take=FORMAT, latentworld=__version__, started="", world=rig.studio.world, seer=rig.studio.seer,
        profile=profile.record() | {"hash": profile.hash}, size=rig.decoder.size, period=1.0 / fps,
        preset=tomllib.loads(dump(own)), planned=True,
    )  # fmt: skip
    told = set[int]()
    for row, number in enumerate(way.scene.tolist()):
        if number not in told:
            told.add(number)
            yield _scene(number, scenes[number], row / fps)
        yield _frame(way, row, row / fps)
    yield EndLine(at=(len(way) - 1) / fps, end="planned")


def _frame(way: Way, row: int, time: float) -> FrameLine:
    blend = way.blends.get(row)
    made: dict[str, object] = {}
    if blend is not None:
        made = {"made": blend.how}
        if blend.how != "held":
            made |= {"toward": _place(blend.unit, blend.radius), "share": blend.share}
    return FrameLine(
        at=time, index=row, time=time, place=_place(way.unit[row], way.radius[row]), rate=float(way.rate[row]),
        step=float(way.step[row]), scene=int(way.scene[row]), marked=bool(way.marked[row]), **made,  # type: ignore[arg-type]
    )  # fmt: skip


def _place(unit: Unit, radius: float) -> Place:
    x, y, z = map(float, unit)
    return x, y, z, float(radius)


def _scene(number: int, scene: SceneDescription, at: float) -> SceneLine:
    prompt, walk = PromptLine(scene.prompt.toward, scene.prompt.away), {**scene.walk.spec, "mode": scene.walk.steering}
    return SceneLine(at, number, prompt, scene.plane, scene.decoder, scene.world, walk)


def _write(target: Path, records: Iterator[Record]) -> None:
    """Whole or not at all, a line at a time."""
    with writing(target), whole(target) as file:
        for record in records:
            file.write(written(record).encode())
