"""A film's plan: where every frame will lie, found by a cheap decoder, written as a take, and filmed like one.

Steered and paced frames are placed one after the other, since each place depends on what was seen before. Once they are
known they can be decoded in any order, chunk by chunk, on many machines, and the same plan by another decoder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from installation.film import telemetry
from installation.film.make import identity, opened, own_parts
from installation.film.output import Folder, claimed
from installation.film.pieces import NoPieces
from installation.film.progress import ProgressFile
from installation.film.rendering import render
from installation.film.sinks import Room, Sink
from installation.film.summary import figures
from installation.film.telemetry import Telemetry
from installation.ipc.scene import DecoderScene, PlaneScene, WorldScene
from installation.rig import Rig, build
from installation.takes.records import FORMAT, EndLine, FrameLine, HeaderLine, PromptLine, Record, SceneLine, written
from latentworld import __version__, vertices
from latentworld.decoding import Watch
from latentworld.decoding.settings import Kind
from latentworld.disk import whole, writing
from latentworld.errors import Cancelled, OutputExists
from latentworld.preset import Preset, dump

SUFFIX = ".plan"


@dataclass(frozen=True)
class Planned:
    """How far a plan is: frames of `planned`, what they took in seconds, and what its steps say (see `Summary`)."""

    target: Path
    frames: int
    planned: int
    seconds: float
    rifts: int
    marked: int
    at_ceiling: int

    @property
    def complete(self) -> bool:
        """Whether the plan was written."""
        return self.frames == self.planned


def plan(
    preset: Preset, out: str | Path, *, kind: Kind = "scout", overwrite: bool = False, sinks: Sequence[Sink] = (),
    watch: Watch | None = None,
) -> Planned:  # fmt: skip
    """Walk a preset's journey through its `kind` of decoder, pilot and pacing on, and write where every frame lies.

    What was found is kept chunk by chunk beside the plan until it is whole, so that the same call goes on. A preset of
    the analytic world is planned through its own decoder. Raises OutputExists for a plan that may not be replaced.
    """
    target = Path(out)
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} is there already: give --overwrite, or another name")
    work = Folder(target.with_name(f".{target.name}.chunks"))
    with claimed(work.path):
        rig = build(preset if preset.decoder.kind == "analytic" else preset.changed(decoder={"kind": kind}), watch)
        reel = opened(rig, work, identity(rig), NoPieces(), overwrite=True)
        watcher = ProgressFile(work.progress, rig.preset.film.frames)
        with suppress(Cancelled):
            render(rig, reel, own_parts(rig), Room(work.path), [watcher, *sinks])
        complete = reel.frames == rig.preset.film.frames
        reel.tell(work.telemetry)
        record = telemetry.read(work.telemetry)
        if complete:
            _write(target, lines(rig, preset.decoder.kind, record))
            work.clear()
    with suppress(OSError):
        work.path.rmdir()  # where it is whole
    told = figures(record, rig.preset.pacing, rig.preset.film.fps)
    counts = (int(told[name] or 0) for name in ("rifts", "marked_steps", "at_ceiling"))
    return Planned(target, reel.frames, rig.preset.film.frames, reel.seconds, *counts)


def lines(rig: Rig, kind: Kind, record: Telemetry) -> Iterator[Record]:
    """A plan's lines. kind: of the decoder that the film is made with."""
    preset = rig.preset.changed(decoder={"kind": kind})
    profile = rig.decoder.profile
    yield HeaderLine(
        take=FORMAT, latentworld=__version__, started="", world=rig.studio.world, seer=rig.studio.seer,
        profile=profile.record() | {"hash": profile.hash}, size=rig.decoder.size, period=1.0 / preset.film.fps,
        preset=tomllib.loads(dump(preset)), planned=True,
    )  # fmt: skip
    yield _scene(rig)
    places = zip(
        record.index, record.time, record.unit, record.radius, record.lipschitz, record.clip_step, record.marked
    )
    for index, time, (x, y, z), radius, rate, step, marked in places:
        yield FrameLine(
            at=float(time), index=int(index), time=float(time), place=(float(x), float(y), float(z), float(radius)),
            rate=float(rate), step=float(step), scene=0, marked=bool(marked),
        )  # fmt: skip
    yield EndLine(at=float(record.time[-1]), end="planned")


def _scene(rig: Rig) -> SceneLine:
    spec, plane, prompt, world = rig.preset.plane, rig.plane, rig.studio.prompt, rig.preset.world
    described = PlaneScene(
        None if spec.vertices else spec.seeds, spec.norm, spec.layout, spec.device, spec.dtype, spec.vertices,
        plane.shape, vertices.digest(plane.vertices),
    )  # fmt: skip
    where = WorldScene(world.name, world.revision, rig.studio.world, rig.studio.seer)
    walk = {**rig.preset.walk.model_dump(mode="json"), "mode": "autopilot"}
    return SceneLine(0.0, 0, PromptLine(prompt.toward, prompt.away), described, DecoderScene(), where, walk)


def _write(target: Path, records: Iterator[Record]) -> None:
    """Whole or not at all, a line at a time."""
    with writing(target), whole(target) as file:
        for record in records:
            file.write(written(record).encode())
