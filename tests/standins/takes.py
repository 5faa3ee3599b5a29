"""Takes for tests: what a renderer says while it walks, and a recorder that hears it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from installation import takes
from installation.clock import Tick
from installation.control.desk import Change, Trigger
from installation.control.mailbox import Mailbox
from installation.frames import Frames, digest
from installation.ipc.messages import Ready, SceneChange
from installation.ipc.scene import DecoderScene, PlaneScene, SceneDescription, WalkScene, WorldScene
from installation.loop import Scene, run
from installation.rig import build
from installation.takes.take import prompt_of
from latentworld import globe, preset, vertices, walks
from standins import messages
from standins.clock import Clock

SMALL = ["decoder.height=32", "decoder.width=32", "decoder.steps=10", "decoder.batch=4"]
PLANE_TOLD = PlaneScene((0, 123, 200), "sphere", "nhwc", "cpu", "float32")


def ready(journey: preset.Preset | None = None, **other: Any) -> Ready:
    """What a renderer says when it begins."""
    journey = journey or preset.load("analytic", SMALL)
    return msgspec.structs.replace(Ready(None, "w", "s", preset.dump(journey), (32, 32)), **other)


def scene(number: int = 1, mix: Iterable[tuple[str, float]] = (("dusk", 1.0),), **other: Any) -> SceneChange:
    """A scene, as a renderer tells it."""
    prompt = prompt_of(tuple(mix), (("fog", 1.0),))
    told = SceneDescription(
        PLANE_TOLD, prompt, DecoderScene("analytic"), WorldScene("embedded"), WalkScene("autopilot", {})
    )
    return SceneChange(number, msgspec.structs.replace(told, **other))


def tick(
    index: np.ndarray, time: np.ndarray, unit: np.ndarray, radius: np.ndarray, scene: int = 1, sums: Any = None
) -> messages.Tick:
    """A tick, as a renderer tells it."""
    places = tuple((x, y, z, r) for (x, y, z), r in zip(unit.tolist(), radius.tolist(), strict=True))
    told = {"index": tuple(index.tolist()), "time": tuple(time.tolist()), "place": places, "scene": scene}
    return messages.tick(n=len(index), **told, **({"digest": tuple(sums)} if sums else {}))


def performed(
    path: Path,
    units: np.ndarray,
    times: np.ndarray,
    radii: np.ndarray | None = None,
    batch: int = 2,
    scenes: Mapping[int, SceneChange] | None = None,
    first: Ready | None = None,
    index: int = 40,
    end: bool = True,
) -> Path:
    """A take of places, ticks of `batch`; scenes: messages by the number of the tick they come before."""
    radii, clock = np.ones(len(units)) if radii is None else radii, Clock()
    recorder = takes.Recorder(path, takes.header(first or ready(), {}, "2026-01-01T20:00:00"), clock)
    told, number = dict(scenes or {0: scene()}), 1
    for at, begin in enumerate(range(0, len(units), batch)):
        part = slice(begin, begin + batch)
        if at in told:
            recorder.scene(told[at])
            number = told[at].number
        clock.now = 100.0 + float(times[part][0])
        numbers = np.arange(len(units))[part] + index
        recorder.tick(tick(numbers, times[part], units[part], radii[part], number))
    finish(recorder, end)
    return path


def finish(recorder: takes.Recorder, end: bool = True) -> None:
    """Close; without an end the file is as a crash leaves it."""
    recorder.close()
    assert recorder.fault is None
    if not end:
        lines = recorder.path.read_text().splitlines(keepends=True)
        recorder.path.write_text("".join(lines[:-1]))


def way(n: int, seed: int = 0, stride: float = 0.4, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray, Callable]:
    """Times [n] of uneven ticks, places on a winding way then, and the way itself: seconds to units.

    About `stride` latents a frame on a shell of radius 32, in curves of about an eighth of a radian, as pilots fly.
    """
    rng = np.random.default_rng(seed)
    times = 7.3 + np.cumsum(0.1 * (1 + spread * rng.uniform(-1, 1, n)))
    phases = rng.uniform(0, 2 * np.pi, 2)

    def true(seconds: np.ndarray) -> np.ndarray:
        s = stride / 3.2 * (np.atleast_1d(seconds) - times[0])
        turn, up = s + 0.06 * np.sin(8 * s + phases[0]), 0.08 * np.cos(5 * s + phases[1])
        return globe.normalise(np.stack([np.cos(turn), np.sin(turn), up], axis=1))

    return times, true(times), true


def changed(name: str, value: Any, stamp: float = 100.0, source: str = "osc:127.0.0.1:9") -> Change:
    return Change(name, value, source, stamp, 1)


def pressed(name: str, value: Any = None) -> Trigger:
    return Trigger(name, value)


class Heard:
    """A sink that says of every batch what a renderer says, to a recorder."""

    def __init__(self, recorder: takes.Recorder, clock: Clock) -> None:
        self.recorder, self.clock, self.scene = recorder, clock, 1
        self.pictures: list[np.ndarray] = []
        self.units: list[np.ndarray] = []

    def send(self, frames: Frames) -> None:
        path = frames.path
        self.clock.now += 0.2
        sums = [digest(picture) for picture in frames.pictures]
        self.recorder.tick(tick(path.index, path.time, path.unit, path.radius, self.scene, sums))
        self.pictures += list(frames.pictures)
        self.units += list(path.unit)


def live(path: Path, journey: preset.Preset, frames: int, batch: int, fade: int = 0) -> tuple[takes.Take, Heard]:
    """A performance on a preset: uneven times, batches of `batch`; from tick `fade` on, the prompt goes to another."""
    rig = build(journey)
    rng, clock = np.random.default_rng(5), Clock()
    times = 31.7 + np.cumsum(0.1 * (1 + 0.3 * rng.uniform(-1, 1, frames)))
    studio, profile, spec = rig.studio, rig.decoder.profile, rig.preset.plane
    begun = ready(rig.preset, profile=profile, world=studio.world, seer=studio.seer, size=rig.decoder.size)
    recorder = takes.Recorder(path, takes.header(begun, {}, "2026-01-01T20:00:00"), clock)
    heard = Heard(recorder, clock)
    settings = rig.decoder.settings
    decoder = DecoderScene(settings.kind, settings.steps, settings.guidance, settings.batch)
    seeds = None if spec.vertices else spec.seeds
    plane = PlaneScene(seeds, spec.norm, spec.layout, spec.device, spec.dtype, spec.vertices,
                       digest=vertices.digest(rig.plane.vertices))  # fmt: skip
    world = WorldScene(rig.preset.world.name)

    def direct(walk: walks.Walk, controls: Any, due: Tick) -> tuple[walks.Walk, Scene]:
        at = int(due.index[0]) // batch
        share = min(max(at - fade + 1, 0) / 4, 1.0) if fade else 0.0
        mix = tuple(pair for pair in ((studio.prompt.positive, 1 - share), ("a single flower", share)) if pair[1] > 0)
        if at == 0 or share > 0:
            heard.scene = at + 1
            recorder.scene(scene(at + 1, mix, plane=plane, decoder=decoder, world=world))
        prompt = prompt_of(mix, (("fog", 1.0),))
        return walk, replace(rig.scene, prompt=prompt)

    index = np.arange(frames)
    ticks = [Tick(index[at : at + batch], times[at : at + batch]) for at in range(0, frames, batch)]
    run(ticks, Mailbox(), rig.walk, direct, rig.pilot, heard)
    finish(recorder)
    return takes.read(path), heard


def evening(path: Path) -> list[str]:
    """A take of twelve frames, two scenes, line by line."""
    times, units, _ = way(12)
    told = {0: scene(1), 3: scene(2, [("dusk", 0.5), ("dawn", 0.5)])}
    return performed(path, units, times, scenes=told).read_text().splitlines(keepends=True)
