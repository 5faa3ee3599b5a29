"""From a spec and a plane to a walk."""

from __future__ import annotations

import math

import numpy as np

from latentworld import globe
from latentworld.arrays import Float64, Radii, Reals, Units
from latentworld.errors import GeometryError
from latentworld.plane import Plane
from latentworld.walks import curves
from latentworld.walks.breath import Breath
from latentworld.walks.compass import heading, place
from latentworld.walks.fixed import Fixed, fixed, relative
from latentworld.walks.free import Free, Wind, free
from latentworld.walks.specs import Lissajous, Orbit, Rift, Spiral, Swath, Wander, Waypoints

HAIRPIN = 0.02  # radians between the ways in and out below which a waypoint is a dead end


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


def _waypoints(spec: Waypoints, plane: Plane) -> curves.Arcs:
    units, radii = zip(*(place(plane, p) for p in spec.points))
    return through(np.stack(units), np.array(radii), spec.closed)


def through(stops: Units, radii: Radii, closed: bool) -> curves.Arcs:
    """The curve of a Waypoints walk: through stops [m, 3] with radii [m], back to the first where it is closed.

    Raises GeometryError for neighbours that are equal or antipodal.
    """
    if closed:
        stops, radii = np.concatenate([stops, stops[:1]]), np.append(radii, radii[0])
    apart = globe.angle(stops[:-1], stops[1:])
    if (apart < 1e-9).any() or (apart > math.pi - 1e-6).any():
        raise GeometryError("Neighbouring waypoints are equal or antipodal: remove one, or put a third between them.")
    return curves.biarcs(stops, _headings(stops, apart, closed), radii, closed)


def _headings(stops: Float64[Reals, "m 3"], apart: Float64[Reals, " m-1"], closed: bool) -> Float64[Reals, "m 3"]:
    """Headings at waypoints [m + 1, 3]: Catmull-Rom with uneven knots, mean of the way in and out, the shorter
    counting more; across where the way turns back on itself; straight off at the ends of an open curve."""
    out, back = globe.tangent(stops[:-1], stops[1:]), globe.tangent(stops[1:], stops[:-1])
    headings = np.concatenate([out, -back[-1:]])
    inner = range(0 if closed else 1, len(apart))
    for i in inner:
        hairpin = float(globe.angle(out[i], back[i - 1])) < HAIRPIN
        mean = apart[i - 1] * out[i] - apart[i] * back[i - 1]
        headings[i] = globe.turn(stops[i], out[i], math.pi / 2) if hairpin else globe.project(stops[i], mean)
    if closed:
        headings[-1] = headings[0]
    return headings


def _swath(spec: Swath, plane: Plane) -> curves.Arcs:
    alpha, beta = spec.alpha, np.linspace(*spec.beta, spec.rows)
    if alpha[0] == alpha[1] or (spec.rows > 1 and spec.beta[0] == spec.beta[1]):
        raise GeometryError("The swath has zero length: widen its alpha and beta windows.")
    rows = np.stack([plane.unit(alpha[0], beta), plane.unit(alpha[1], beta)], axis=1)
    rows[1::2] = rows[1::2, ::-1]  # boustrophedon
    begin, end = rows[:, 0], rows[:, 1]
    headings = np.stack([globe.tangent(begin, end), -globe.tangent(end, begin)], axis=1)
    # Along a row the biarc is the great circle, between rows nearly a half circle.
    return curves.biarcs(rows.reshape(-1, 3), headings.reshape(-1, 3), np.ones(2 * spec.rows), closed=False)
