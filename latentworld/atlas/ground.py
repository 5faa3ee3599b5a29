"""A flat chart of a part of the globe, and features or a field as smooth functions on it.

Every chart here is gnomonic: unit = M (x, y, 1) / |M (x, y, 1)|, so that straight lines are great circles. Of a window
x and y are lattice units of its alpha and beta, of which the plane itself is the chart; elsewhere a tangent plane in
radians about the middle of two places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from latentworld import globe
from latentworld.arrays import Array, Float64, Reals, Unit, Units
from latentworld.atlas.sampling import Adaptive, Globe
from latentworld.atlas.types import Atlas
from latentworld.errors import AtlasError
from latentworld.extras import need

if TYPE_CHECKING:
    from scipy.interpolate import NdBSpline

AXES = 24  # principal axes of the features that are kept: all but 2% of the variance of the embedded world's surveys
WIDEST = 2.4  # radians between two places that one tangent plane can show
FINEST = 640  # nodes a side that features are resampled to where they do not lie on a grid
MARGIN = 0.35  # of the distance between two places of the globe, by which a chart reaches beyond them

Plot = Float64[Reals, "n 2"]
"""Places on a chart."""


@dataclass(frozen=True, eq=False)
class Chart:
    """unit = M (x, y, 1), normalised; matrix [3, 3], invertible. low, high [2]: where it may be walked."""

    matrix: Float64[Reals, "3 3"]
    low: Float64[Reals, "2"]
    high: Float64[Reals, "2"]

    @cached_property
    def _back(self) -> Float64[Reals, "3 3"]:
        return np.asarray(np.linalg.inv(self.matrix))

    def unit(self, at: Plot) -> tuple[Units, Float64[Reals, "n 3 2"]]:
        """Units of places on the chart, and how they move with x and y."""
        along = at @ self.matrix[:, :2].T + self.matrix[:, 2]
        length = np.sqrt(globe.dot(along, along))[:, None]
        unit = along / length
        flat = self.matrix[:, :2] - unit[:, :, None] * (unit @ self.matrix[:, :2])[:, None]
        return unit, flat / length[:, :, None]

    def place(self, unit: Units) -> tuple[Plot, Float64[Reals, "n 2 3"]]:
        """Places of units on the chart, and how they move with the unit. Raises AtlasError for one it cannot show."""
        seen = unit @ self._back.T
        if (seen[:, 2] <= 1e-9 * np.abs(seen).max()).any():
            raise AtlasError("a way leaves what one chart can show: put a place between its ends")
        at = seen[:, :2] / seen[:, 2:]
        moves = (self._back[:2] - at[:, :, None] * self._back[2]) / seen[:, 2, None, None]
        return at, moves

    def holds(self, at: Plot, slack: float = 0.0) -> bool:
        """Whether places lie where it may be walked."""
        return bool((at >= self.low - slack).all() and (at <= self.high + slack).all())


def between(begin: Unit, end: Unit) -> Chart:
    """The tangent plane in radians above the middle of two places, x along the way between them.

    Raises AtlasError for places that are equal or too far apart.
    """
    apart = ends(begin, end)
    if apart > WIDEST:
        raise AtlasError(f"the places lie {np.degrees(apart):.0f} degrees apart: put a third between them")
    middle = globe.normalise(begin + end)
    ahead = globe.project(middle, end - begin)
    reach = np.tan(min(apart / 2 * (1 + MARGIN) + 0.05, 1.4))
    matrix = np.stack([ahead, globe.cross(middle, ahead), middle], axis=1)
    return Chart(matrix, np.full(2, -reach), np.full(2, reach))


def ends(begin: Unit, end: Unit) -> float:
    """The angle between the ends of a way. Raises AtlasError where no way joins them, or none is the shortest."""
    apart = float(globe.angle(begin, end))
    if apart < 1e-9:
        raise AtlasError("both ends of the way are the same place: give two that differ")
    if apart > np.pi - 1e-6:
        raise AtlasError("the ends are antipodes, so no way between them is the shortest: put a place between them")
    return apart


def of_window(atlas: Atlas) -> Chart:
    """A window's own chart, in its lattice units."""
    window = atlas.sampling
    assert not isinstance(window, Globe)
    corner = atlas.plane.corners
    steps = [
        (high - low) / (count - 1)
        for (low, high), count in ((window.alpha, window.rows), (window.beta, window.columns))
    ]
    origin = corner[0] + window.alpha[0] * (corner[1] - corner[0]) + window.beta[0] * (corner[2] - corner[0])
    columns = [steps[0] * (corner[1] - corner[0]), steps[1] * (corner[2] - corner[0]), origin]
    matrix = np.stack(columns, axis=1) / np.linalg.norm(origin)
    return Chart(matrix, np.zeros(2), np.array([window.rows, window.columns], np.float64) - 1)


def chart_of(atlas: Atlas, begin: Unit, end: Unit) -> Chart:
    """The chart that ways between two places of an atlas are laid on."""
    ends(begin, end)
    return between(begin, end) if isinstance(atlas.sampling, Globe) else of_window(atlas)


@dataclass(frozen=True, eq=False)
class Ground:
    """Values [n, F] as bicubic splines over a chart."""

    chart: Chart
    spline: NdBSpline

    def __call__(self, at: Plot) -> tuple[Float64[Reals, "n f"], Float64[Reals, "n f 2"]]:
        """Values, and how they change along x and y."""
        value = np.asarray(self.spline(at))
        along = [np.asarray(self.spline(at, nu=nu)) for nu in ((1, 0), (0, 1))]
        return value, np.stack(along, axis=-1)

    def field(self) -> Callable[[Units], tuple[Array, Units]]:
        """A scalar's values [n] and gradients [n, 3] at units."""

        def at_units(unit: Units) -> tuple[Array, Units]:
            at, moves = self.chart.place(unit)
            inside = np.clip(at, self.chart.low, self.chart.high)
            value, along = self(inside)
            along = along[:, 0] * (inside == at)  # beyond the edge the field stays what it is there
            return value[:, 0], np.einsum("na,nab->nb", along, moves)

        return at_units


def principal(features: Float64[Reals, "n f"], most: int = AXES) -> Float64[Reals, "n k"]:
    """Features along their first principal axes, which keep distances but for what the other axes hold."""
    away = np.asarray(features - features.mean(axis=0))
    if away.shape[1] <= most:
        return away
    values, vectors = np.linalg.eigh(away.T @ away)
    return np.asarray(away @ vectors[:, np.argsort(-values)[:most]])


def laid(atlas: Atlas, chart: Chart, values: Float64[Reals, "n k"]) -> Ground:
    """Values of an atlas's places [n, k] over a chart.

    A whole window's are the spline's knots; others are joined by Clough and Tocher's triangles and read off on a grid.
    """
    if atlas.grid is not None:
        return Ground(chart, _spline([np.arange(count, dtype=np.float64) for count in atlas.grid],
                                     values.reshape(*atlas.grid, -1)))  # fmt: skip
    if isinstance(atlas.sampling, Globe):
        seen = atlas.unit @ np.linalg.inv(chart.matrix).T
        near = seen[:, 2] > 0.1
        at, values = seen[near, :2] / seen[near, 2:], values[near]
        pitch = float(np.sqrt(np.pi / 3) / atlas.sampling.nside)
    else:
        at, pitch = atlas.lattice.astype(np.float64), _pitch(atlas)
    counts = [int(np.clip(np.ceil(wide / pitch) + 1, 8, FINEST)) for wide in chart.high - chart.low]
    lines = [np.linspace(low, high, count) for low, high, count in zip(chart.low, chart.high, counts)]
    grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2)
    interpolate = need("scipy.interpolate")
    joined = interpolate.CloughTocher2DInterpolator(at, values)(grid)
    bare = ~np.isfinite(joined).all(axis=1)
    if bare.any():
        joined[bare] = interpolate.NearestNDInterpolator(at, values)(grid[bare])
    return Ground(chart, _spline(lines, joined.reshape(*counts, -1)))


def _pitch(atlas: Atlas) -> float:
    """How finely a window is read off: the stride of its finest level, 1 where it is not refined."""
    spec = atlas.sampling
    return float(max(spec.coarse >> int(atlas.level.max(initial=0)), 1)) if isinstance(spec, Adaptive) else 1.0


def _spline(lines: list[Array], values: Float64[Reals, "r c k"]) -> NdBSpline:
    """The bicubic spline through values on a grid: of lines, then of their coefficients."""
    interpolate = need("scipy.interpolate")
    orders = [min(3, len(line) - 1) for line in lines]
    first = interpolate.make_interp_spline(lines[0], values, k=orders[0], axis=0)
    second = interpolate.make_interp_spline(lines[1], np.moveaxis(first.c, 1, 0), k=orders[1], axis=0)
    return interpolate.NdBSpline((first.t, second.t), np.moveaxis(second.c, 0, 1), tuple(orders))
