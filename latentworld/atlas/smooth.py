"""From a way over the map to waypoints: a smooth curve on the globe that keeps to the way, but for the staircase.

Ways are polylines of units [n, 3] sampled every `PITCH` of a cell; a cell is a typical distance between neighbouring
places, in radians.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from latentworld import globe
from latentworld.arrays import Array, Integers, Mask
from latentworld.errors import AtlasError, GeometryError
from latentworld.extras import need
from latentworld.walks.waypoints import through

PITCH = 0.2  # cells between the samples of a way
COARSE, FINE = 8.0, 0.25  # cells between waypoints: halved from the first until the curve keeps to its way
LEAN = 2.5  # amplitudes of a slalom between its stops


@dataclass(frozen=True, eq=False)
class Way:
    """A polyline over the globe: unit [n, 3]; gain [n] in 0..1, how far it may weave; pinned bool [n]: vertices that
    smoothing must not move. A closed one does not repeat its first vertex."""

    unit: Array
    gain: Array
    pinned: Mask
    closed: bool

    def __len__(self) -> int:
        return len(self.unit)


def sampled(way: Way, cell: float) -> Way:
    """The way evenly sampled by arc. Raises AtlasError when it has no length."""
    unit, gain = (np.concatenate([a, a[:1]]) if way.closed else a for a in (way.unit, way.gain))
    at = np.concatenate([[0.0], np.cumsum(globe.angle(unit[:-1], unit[1:]))])
    if at[-1] <= FINE * cell:
        raise AtlasError("the tour has no length: choose places further apart")
    count = max(3, round(at[-1] / (PITCH * cell)))
    s = np.linspace(0.0, at[-1], count, endpoint=not way.closed)
    even = globe.normalise(np.stack([np.interp(s, at, axis) for axis in unit.T], axis=1))
    pinned = np.zeros(count, np.bool_)
    for vertex in np.flatnonzero(way.pinned):
        nearest = int(np.abs(s - at[vertex]).argmin())
        even[nearest], pinned[nearest] = way.unit[vertex], True
    return Way(even, np.interp(s, at, gain), pinned, way.closed)


def eased(way: Way, cells: float) -> Way:
    """The sampled way through a Gaussian of `cells` along the arc; pinned vertices and open ends stay where they are.

    What smoothing moved of them is given back as the sum of Gaussian bumps that interpolates those displacements.
    """
    ndimage = need("scipy.ndimage")
    width, mode = cells / PITCH, "wrap" if way.closed else "nearest"
    moved, gain = (ndimage.gaussian_filter1d(a, width, axis=0, mode=mode) for a in (way.unit, way.gain))
    pinned = way.pinned.copy()
    if not way.closed:
        pinned[[0, -1]] = True
    pins, count = np.flatnonzero(pinned), len(way)
    if len(pins):
        apart = np.abs(np.arange(count)[:, None] - pins)
        apart = np.minimum(apart, count - apart) if way.closed else apart
        bumps = np.exp(-0.5 * (apart / width) ** 2)
        moved = moved + bumps @ np.linalg.lstsq(bumps[pins], way.unit[pins] - moved[pins], rcond=1e-6)[0]
    return replace(way, unit=globe.normalise(moved), gain=gain)


def centred(way: Way, places: Array, rates: Array, cell: float, rounds: int = 3) -> Way:
    """The sampled way drawn sideways on to the ridge of the rates [m] at places [m, 3], where its gain lets it.

    Mean shift: to the centroid of the places within two cells, weighted by rate squared, less where they would draw
    it by how they happen to lie; by no more than half a cell a round.
    """
    spatial, ndimage = need("scipy.spatial"), need("scipy.ndimage")
    tree = spatial.cKDTree(places)
    unit = way.unit
    for _ in range(rounds):
        apart, near = tree.query(unit, k=min(13, len(places)))
        weight = np.exp(-0.5 * (apart / cell) ** 2)
        drawn = weight * rates[near] ** 2
        shift = _centroid(drawn, places[near]) - _centroid(weight, places[near])
        across = globe.cross(unit, _along(unit, way.closed))
        side = np.clip(globe.dot(shift, across), -0.5 * cell, 0.5 * cell) * way.gain
        side = ndimage.gaussian_filter1d(side, 1.0 / PITCH, mode="wrap" if way.closed else "nearest")
        unit = globe.normalise(unit + side[:, None] * across)
    return replace(way, unit=unit)


def slalom(way: Way, cell: float, amplitude: float) -> Array:
    """Stops [k, 3] on alternate sides of the sampled way, `amplitude` cells from it where its gain lets them.

    The Waypoints curve through them swings from side to side and goes over the middle at 77 degrees (twice the angle
    of its chords, see `LEAN`): along a rift the rate is small, over it large.
    """
    count = len(way) * PITCH / (LEAN * amplitude)
    picks = _picks(way, 2 * max(1, round(count / 2)) if way.closed else max(2, round(count)))
    across = globe.cross(way.unit, _along(way.unit, way.closed))[picks]
    aside = amplitude * cell * way.gain[picks] * (1 - 2 * (np.arange(len(picks)) % 2))
    return _apart(globe.normalise(way.unit[picks] + aside[:, None] * across), cell, way.closed)


def waypoints(way: Way, cell: float, tolerance: float) -> Array:
    """Fewest even stops [k, 3] whose curve keeps within `tolerance` cells of the sampled way, corners included."""
    spacing = COARSE
    while True:
        stops = _apart(way.unit[_picks(way, round(len(way) * PITCH / spacing))], cell, way.closed)
        spacing /= 2
        if spacing < FINE:
            return stops
        try:
            if strays(curve(stops, way.closed, cell), way.unit) <= tolerance * cell:
                return stops
        except AtlasError:
            pass  # neighbours face away from each other in a bend: nearer stops lie less bent


def curve(stops: Array, closed: bool, cell: float) -> Array:
    """The curve that a Waypoints walk lays through stops [k, 3], sampled [n, 3]. Raises AtlasError when it cannot."""
    try:
        arcs = through(stops, np.ones(len(stops)), closed)
    except GeometryError as error:
        raise AtlasError(f"no smooth way joins these places ({error}): choose others, or survey more finely") from error
    return arcs.unit(np.arange(0.0, arcs.knots[-1], PITCH * cell))


def strays(curve: Array, way: Array) -> float:
    """Largest distance from either to the other (Hausdorff), radians, between samples [n, 3] and [m, 3]."""
    spatial = need("scipy.spatial")
    there, back = spatial.cKDTree(way).query(curve)[0].max(), spatial.cKDTree(curve).query(way)[0].max()
    return float(2 * np.arcsin(min(max(there, back) / 2, 1.0)))


def _picks(way: Way, count: int) -> Integers:
    """Even samples of a way, both ends of an open one among them."""
    if way.closed:
        picks = np.linspace(0, len(way), max(3, count), endpoint=False)
    else:
        picks = np.linspace(0, len(way) - 1, max(2, count + 1))
    return np.unique(np.round(picks).astype(np.int64))


def _apart(stops: Array, cell: float, closed: bool) -> Array:
    """Stops that do not coincide with the one before, as they may at the tip of a way that turns back."""
    before = np.roll(stops, 1, axis=0) if closed else np.concatenate([-stops[:1], stops[:-1]])
    return stops[globe.angle(stops, before) > 0.5 * PITCH * cell]


def _along(unit: Array, closed: bool) -> Array:
    """Unit headings [n, 3] along a sampled way."""
    ends = (np.roll(unit, -1, axis=0), np.roll(unit, 1, axis=0))
    ahead = ends[0] - ends[1]
    if not closed:
        ahead[[0, -1]] = unit[1] - unit[0], unit[-1] - unit[-2]
    flat = ahead - globe.dot(unit, ahead)[:, None] * unit
    length = np.sqrt(globe.dot(flat, flat))[:, None]
    return np.asarray(np.divide(flat, length, out=np.zeros_like(flat), where=length > 1e-12))


def _centroid(weight: Array, places: Array) -> Array:
    total = np.maximum(weight.sum(axis=1), np.finfo(np.float64).tiny)
    return np.asarray((weight[..., None] * places).sum(axis=1) / total[:, None])
