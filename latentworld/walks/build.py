"""From a spec and a plane to a walk."""

from __future__ import annotations

import math

import numpy as np

from latentworld import globe
from latentworld.errors import GeometryError
from latentworld.globe import Array
from latentworld.plane import Plane
from latentworld.walks import curves
from latentworld.walks.breath import Breath
from latentworld.walks.compass import heading, place
from latentworld.walks.fixed import Fixed, fixed, relative
from latentworld.walks.free import Free, Wind, free
from latentworld.walks.specs import Lissajous, Orbit, Rift, Spiral, Swath, Wander, Waypoints


def build(spec: Orbit | Waypoints | Lissajous | Wander | Swath | Spiral | Rift, plane: Plane) -> Fixed | Free:
    """The walk of a spec on a plane, at its start.

    Raises GeometryError for a path of zero length, neighbouring waypoints that are equal or antipodal, or a path that
    leaves the front of a raw plane.
    """
    match spec:
        case Orbit():
            return fixed(_orbit(spec, plane), plane, True, spec.radius, spec.breaths)
        case Waypoints():
            return fixed(_waypoints(spec, plane), plane, spec.closed, spec.radius, spec.breaths)
        case Lissajous():
            return fixed(_lissajous(spec, plane), plane, True, spec.radius, spec.breaths)
        case Swath():
            return fixed(_swath(spec, plane), plane, False, spec.radius, spec.breaths)
        case Spiral():
            spiral = _spiral(spec, plane)
            return relative(spiral, spiral.speed, plane, spec.radius, spec.breaths)
        case Wander():
            wind = Wind(spec.strength, math.radians(spec.scale), spec.seed) if spec.strength else None
            return _free(spec, plane, wind)
        case Rift():
            return _free(spec, plane, None)


def _free(spec: Wander | Rift, plane: Plane, wind: Wind | None) -> Free:
    unit, _ = place(plane, spec.start)
    period = 2.0 * math.pi / spec.breaths if spec.breaths else math.inf
    ease = 1.0 / math.radians(spec.ease) if spec.ease else math.inf
    return free(unit, heading(plane, unit, spec.heading), plane.target, Breath(spec.radius, period), ease, wind)


def _orbit(spec: Orbit, plane: Plane) -> curves.Circle:
    centre, _ = place(plane, spec.through)
    h = heading(plane, centre, spec.inclination)
    return curves.Circle(centre, h, math.radians(spec.latitude), 2.0 * math.pi * spec.phase, spec.direction)


def _lissajous(spec: Lissajous, plane: Plane) -> curves.Lissajous:
    centre, _ = place(plane, spec.centre)
    (m, n), phase = spec.frequencies, math.radians(spec.phase)
    # y' = 0 where cos(n t) = 0; if x' = 0 there as well, the figure stops and turns back on itself.
    stops = (np.arange(2 * n) + 0.5) * math.pi / n
    if math.hypot(*spec.amplitudes) >= 180.0:
        raise GeometryError("The Lissajous figure reaches past the antipode: lower its amplitudes.")
    if np.abs(np.cos(m * stops + phase)).min() < 1e-6:
        raise GeometryError("The Lissajous figure stops and turns back: change its phase by a few degrees.")
    a, b = (math.radians(x) for x in spec.amplitudes)
    return curves.Lissajous(centre, heading(plane, centre, spec.heading), (a, b), (m, n), phase)


def _spiral(spec: Spiral, plane: Plane) -> curves.Spiral:
    centre, _ = place(plane, spec.centre)
    h = heading(plane, centre, spec.heading)
    return curves.Spiral(centre, h, math.radians(spec.start), spec.shrink, spec.turns)


def _waypoints(spec: Waypoints, plane: Plane) -> curves.Spline:
    units, radii = zip(*(place(plane, p) for p in spec.points))
    stops, r = np.stack(units), np.array(radii)
    if spec.closed:
        stops, r = np.concatenate([stops, stops[:1]]), np.append(r, r[0])
    apart = globe.angle(stops[:-1], stops[1:])
    if (apart < 1e-9).any() or (apart > math.pi - 1e-6).any():
        raise GeometryError("Neighbouring waypoints are equal or antipodal: remove one, or put a third between them.")
    headings, slopes = _headings(stops, apart, spec.closed), _slopes(r, apart, spec.closed)
    controls = [
        curves.bezier(stops[i], headings[i], stops[i + 1], headings[i + 1], apart[i] / 3) for i in range(len(apart))
    ]
    # Both handles are a third of the angle, so a radius slope per radian joins smoothly when scaled by the same third.
    rises = slopes[:-1] * apart / 3, slopes[1:] * apart / 3
    return curves.Spline(np.stack(controls), np.stack([r[:-1], r[:-1] + rises[0], r[1:] - rises[1], r[1:]], axis=1))


def _headings(stops: Array, apart: Array, closed: bool) -> Array:
    """Headings at waypoints [m + 1, 3]: Catmull-Rom with uneven knots, mean of the way in and out, the shorter
    counting more; straight off at the ends of an open curve."""
    out, back = globe.tangent(stops[:-1], stops[1:]), globe.tangent(stops[1:], stops[:-1])
    headings = np.concatenate([out, -back[-1:]])
    inner = range(0 if closed else 1, len(apart))
    for i in inner:
        mean = apart[i - 1] * out[i] - apart[i] * back[i - 1]
        hairpin = math.sqrt(globe.dot(mean, mean)) < 1e-6 * (apart[i - 1] + apart[i])
        headings[i] = globe.turn(stops[i], out[i], math.pi / 2) if hairpin else globe.project(stops[i], mean)
    if closed:
        headings[-1] = headings[0]
    return headings


def _slopes(r: Array, apart: Array, closed: bool) -> Array:
    """Radius per radian at waypoints [m + 1]: harmonic means, flat at extremes (Fritsch and Butland), so that the
    radius stays between its neighbours."""
    secants = np.diff(r) / apart
    before = np.concatenate([secants[-1:] if closed else [0.0], secants])
    after = np.concatenate([secants, secants[:1] if closed else [0.0]])
    same = before * after > 0
    return np.where(same, 2.0 * before * after / np.where(same, before + after, 1.0), 0.0)


def _swath(spec: Swath, plane: Plane) -> curves.Spline:
    alpha, beta = spec.alpha, np.linspace(*spec.beta, spec.rows)
    if alpha[0] == alpha[1] or (spec.rows > 1 and spec.beta[0] == spec.beta[1]):
        raise GeometryError("The swath has zero length: widen its alpha and beta windows.")
    west, east = plane.unit(alpha[0], beta), plane.unit(alpha[1], beta)
    controls: list[Array] = []
    for row in range(spec.rows):
        a, b = (west[row], east[row]) if row % 2 == 0 else (east[row], west[row])
        leaving, arriving = globe.tangent(a, b), -globe.tangent(b, a)
        if controls:
            end, h = controls[-1][3], globe.tangent(controls[-1][3], controls[-1][2])
            # Handles of 2/3 of the gap make the turn nearly a half circle.
            controls.append(curves.bezier(end, -h, a, leaving, float(globe.angle(end, a)) * 2 / 3))
        controls.append(curves.bezier(a, leaving, b, arriving, float(globe.angle(a, b)) / 3))
    return curves.Spline(np.stack(controls), np.ones((len(controls), 4)))
