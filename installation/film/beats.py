"""Rifts on the beat: a planned way whose frames are placed anew, so that its rifts are crossed on beats.

Frames lie by CLIP distance, so when a rift is crossed is ours to choose. A pass over a plan, a pure function of the way
and the beats: which crossing falls on which beat is found by `matching`; between two of them the CLIP step is even, and
no stride leaves floor or ceiling (`road`). What cannot be met is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from installation.film.matching import Gate, matched
from installation.film.road import Road, arcs
from installation.film.telemetry import stretches
from installation.film.ways import Way
from installation.rig import Rig
from installation.takes.track import Track, jumps
from latentworld.arrays import Array
from latentworld.plane import Plane

NEAR = 3  # frames within which steep places are one rift
LARGE = 1e9  # a rate above any: a marked step goes before a steep place


@dataclass(frozen=True)
class Crossing:
    """A rift. planned: when the walk crossed it, seconds; time: when the film does, None where it ends before; beat:
    that it falls on, None for none."""

    planned: float
    time: float | None
    beat: float | None


@dataclass(frozen=True, eq=False)
class OnBeats:
    """A way placed anew, [m] frames. source: where in the planned way each lies, in its frames; unit [m, 3], radius;
    step, distance, rate: CLIP step and latent distance to each and their ratio, as far as the plan tells (NaN for the
    first); marked: the step to it crosses one that could not be made smaller."""

    source: Array
    unit: Array
    radius: Array
    step: Array
    distance: Array
    rate: Array
    marked: NDArray[np.bool_]
    crossings: tuple[Crossing, ...]

    @property
    def met(self) -> list[Crossing]:
        """Crossings on beats."""
        return [crossing for crossing in self.crossings if crossing.beat is not None]

    @property
    def unmet(self) -> list[Crossing]:
        """Crossings that the film has, on no beat."""
        return [crossing for crossing in self.crossings if crossing.beat is None and crossing.time is not None]


def on_beats(
    unit: Array, radius: Array, step: Array, marked: NDArray[np.bool_], rifts: NDArray[np.int64], beats: Array, *,
    plane: Plane, fps: float, floor: float, ceiling: float,
) -> OnBeats:  # fmt: skip
    """Place the frames of a way anew, as many as there were.

    unit [n, 3], radius [n], step [n] (CLIP step to each frame; NaN for the first), marked [n]; rifts: the frames to
    which the steepest step of each crossing leads (`crossings`); beats: seconds, rising; floor, ceiling: latent arc a
    second. A crossing is on a beat when the step to the frame nearest to the beat is its steepest.
    """
    step, last = np.append(0.0, step[1:]), len(step) - 1
    road = Road(step, arcs(plane, unit, radius), marked & (step > 0.0), floor / fps, ceiling / fps)
    gates = [_gate(road, int(rift)) for rift in rifts]
    frames = np.unique(np.rint(np.asarray(beats) * fps).astype(np.int64))
    frames = frames[(frames >= 1) & (frames <= last)]
    found = matched(road, gates, frames, last) if len(frames) else [None] * len(gates)
    places, when = _timed(road, gates, [None if k is None else int(frames[k]) for k in found], last)
    source = road.whole(np.interp(np.arange(last + 1), when, places))
    ends = [np.interp(gate.end, places, when) + gate.after for gate in gates]
    met = [None if k is None else float(beats[np.abs(beats * fps - frames[k]).argmin()]) for k in found]
    met += [None] * (len(gates) - len(met))
    told = [
        Crossing(rift / fps, float(end / fps) if gate.end <= source[-1] else None, beat)
        for rift, gate, end, beat in zip(rifts.tolist(), gates, ends, met)
    ]
    return _placed(road, source, unit, radius, plane, fps, tuple(told))


def words(found: Sequence[Crossing]) -> list[str]:
    """Which rifts are crossed on beats, and when the others are, in lines; none where nothing is laid on beats."""
    there = [crossing for crossing in found if crossing.time is not None]
    if not found:
        return []
    met = sum(one.beat is not None for one in there)
    told = [f"{met} of {len(there)} crossings are on a beat (rifts near each other are crossed as one)"]
    missed = [f"{one.time:.2f} s" for one in there if one.beat is None]
    told += [f"on none, too near to another or too far from it: {', '.join(missed)}"] if missed else []
    beyond = len(found) - len(there)
    return told + ([f"{beyond} more lie beyond the end of the film"] if beyond else [])


def crossings(rate: Array, distance: Array, marked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The frames to which the steepest step of each crossing leads: marked steps, and where the rate is a rift's. What
    lies within a few frames of one another is one crossing. rate, distance, marked: [n]."""
    found = [part[part > 0] for part in stretches(rate, distance, marked)]
    there = np.concatenate([*found, np.zeros(0, np.int64)])
    parts = np.split(there, np.flatnonzero(np.diff(there) > NEAR) + 1)
    weight = np.where(marked, LARGE, 0.0) + np.nan_to_num(rate, nan=0.0)
    return np.array([part[np.argmax(weight[part])] for part in parts if len(part)], np.int64)


def laid(way: Way, rig: Rig, times: Array, fps: float) -> tuple[Way, tuple[Crossing, ...]]:
    """A way that was walked by a rig, its frames placed anew so that rifts are crossed at `times`, seconds; and when
    each of them is crossed. fps: of the way's frames, those too that were laid between the walked ones."""
    pace, rifts = rig.preset.pacing, crossings(way.rate, way.distance, way.marked)
    found = on_beats(
        way.unit, way.radius, way.step, way.marked, rifts, times, plane=rig.plane, fps=fps,
        floor=pace.floor, ceiling=pace.ceiling,
    )  # fmt: skip
    scene = way.scene[np.minimum(np.arange(len(found.radius)), len(way) - 1)]  # scenes keep their times
    return (
        Way(found.unit, found.radius, found.rate, found.step, found.distance, found.marked, scene), found.crossings
    )  # fmt: skip


def _gate(road: Road, rift: int) -> Gate:
    if road.marked[rift]:
        return Gate(rift - 1.0, float(rift), 1.0, 0.0)
    place = rift - 0.5 + _summit(road, rift)
    return Gate(place, place, 0.5, 0.5)


def _summit(road: Road, rift: int) -> float:
    """From the middle of the steepest step to where the rate is highest, -0.5..0.5 steps: of the parabola through the
    logarithms of three rates."""
    three = slice(rift - 1, rift + 2)
    if rift < 2 or rift > road.end - 1 or not (road.arc[three].all() and road.step[three].all()):
        return 0.0
    before, here, after = np.log(road.step[three] / road.arc[three])
    bent = before - 2.0 * here + after
    return float(np.clip((before - after) / (2.0 * bent), -0.5, 0.5)) if bent < 0.0 else 0.0


def _timed(road: Road, gates: Sequence[Gate], frames: Sequence[int | None], last: int) -> tuple[Array, Array]:
    """Places along the road and when each is reached, in frames: knots of the time that the film takes for it. frames:
    on which each gate lies that the film comes to."""
    places, when, here, now = [np.zeros(1)], [np.zeros(1)], 0.0, 0.0
    for gate, frame in zip(gates, frames):
        if frame is None:
            continue
        stretch, since = road.laid(here, gate.begin, frame - gate.before - now)
        places += [stretch[1:], np.array([gate.end])]
        when += [now + since[1:], np.array([frame - gate.after])]
        here, now = gate.end, frame - gate.after
    ahead = gates[len(frames)].begin if len(frames) < len(gates) else road.end
    plain = road.step[1:][~road.marked[1:]]
    stretch, since = road.paced(here, ahead, float(np.median(plain)) if len(plain) else 1.0)
    if since[-1] < last - now:
        stretch, since = road.laid(here, ahead, last - now)
    return np.concatenate([*places, stretch[1:]]), np.concatenate([*when, now + since[1:]])


def _placed(
    road: Road, source: Array, unit: Array, radius: Array, plane: Plane, fps: float, told: tuple[Crossing, ...]
) -> OnBeats:
    """Frames at places of the road, on the smooth curve that a take's places lie on."""
    time = np.arange(len(unit)) / fps
    track = Track(time, unit, radius, jumps(time, unit, np.zeros(len(unit), np.int8)))
    units, radii = track.at(source)
    points = plane.points(units, radii)
    distance = np.append(np.nan, np.linalg.norm(np.diff(points, axis=0), axis=1))
    passed = np.interp(source, np.arange(len(unit)), np.cumsum(road.step))
    step = np.append(np.nan, np.diff(passed))
    leaps = np.cumsum(road.marked)[np.floor(source).astype(np.int64)]
    marked = np.append(False, np.diff(leaps) > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = step / distance
    return OnBeats(source, units, radii, step, distance, rate, marked, told)
