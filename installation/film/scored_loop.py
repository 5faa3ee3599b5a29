"""A loop with a score: what is decoded goes by the film's time, where it lies is laid so that all steps are equal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from installation.film.loops import EVEN, ROUNDS, Lap, looped
from installation.film.ways import Way
from installation.ipc.scene import SceneDescription
from installation.rig import Rig
from installation.score import scenes
from installation.score.performance import RADIUS
from installation.score.tracks import Score, Timeline
from latentworld.arrays import Array
from latentworld.lipschitz import Lookout
from latentworld.pacing import HIGH
from latentworld.plane import Plane


@dataclass(frozen=True, eq=False)
class Played:
    """What a score makes of a loop's n frames. scenes: different ones; scene: which of them each lies in, [n]; radius:
    of each, [n], None where the score has none; lookout: what looks in a scene."""

    scenes: tuple[SceneDescription, ...]
    scene: NDArray[np.int64]
    radius: Array | None
    lookout: Callable[[SceneDescription], Lookout]

    def look(self, unit: Array, radius: Array) -> Array:
        """Features [n, F] of the n frames at these places, each in its own scene."""
        found = []
        for first, end in _runs(self.scene):
            look = self.lookout(self.scenes[int(self.scene[first])])
            found.append(np.asarray(look(unit[first:end], radius[first:end]), np.float64))
        return np.concatenate(found)

    def placed(self, way: Way) -> Way:
        """A way whose frames have the score's scenes and radii."""
        return replace(way, scene=self.scene, radius=way.radius if self.radius is None else self.radius)


def _runs(scene: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(scene)) + 1
    return pairwise([0, *edges.tolist(), len(scene)])


def played(rig: Rig, score: Score, frames: int, lookout: Callable[[SceneDescription], Lookout]) -> Played:
    """Of a loop in so many frames."""
    timeline, first, fps = Timeline(score), scenes.first(rig), rig.preset.film.fps
    found, numbers = list[SceneDescription](), list[int]()
    for k in range(frames):
        scene = scenes.at(first, timeline, k / fps)
        if not found or scene != found[-1]:
            found.append(scene)
        numbers.append(len(found) - 1)
    radius = None
    if RADIUS in score.tracks:
        said = (timeline.value(RADIUS, k / fps) for k in range(frames))
        radius = np.array([1.0 if value is None else value for value in said], np.float64)
    return Played(tuple(found), np.array(numbers), radius, lookout)


def even(lap: Lap, places: Array, played: Played, plane: Plane, floor: float) -> Way:
    """The loop at equal steps of meaning, each frame in the scene of its time.

    places: [n] along the lap, laid without the score; floor: latent arc between neighbours below which a step that is
    larger than the others stays so, and is marked. Frames are laid anew, half way to equal shares of the steps that
    were measured, until those are equal or `ROUNDS` are over: what a fade adds to a step is taken from its arc. The
    evenest of the rounds is taken.
    """
    best, least = None, math.inf
    for _ in range(ROUNDS):
        unit, radius = lap.at(places)
        radius = radius if played.radius is None else played.radius
        features = played.look(unit, radius)
        steps = np.linalg.norm(np.roll(features, -1, axis=0) - features, axis=1)
        arcs = np.diff(np.append(places, places[0] + lap.length))
        sudden = (arcs <= 2 * floor) & (steps > HIGH * np.median(steps))
        typical = float(np.median(steps))
        worst = float(steps[~sudden].max(initial=0.0)) / max(typical, 1e-300)
        if best is None or worst < least:
            best, least = looped(plane, unit, radius, steps, sudden), worst
        if least <= EVEN:
            break
        reach = np.append(0.0, np.cumsum(np.where(sudden, typical, steps) + 1e-12 * arcs))
        shares = reach[-1] * np.arange(len(places)) / len(places)
        places = (places + np.interp(shares, reach, np.append(places, places[0] + lap.length))) / 2
    assert best is not None  # there is at least one round
    return replace(best, scene=played.scene)
