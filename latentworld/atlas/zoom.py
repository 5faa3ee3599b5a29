"""Falling into a rift: windows ever smaller about it, until pictures stop changing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from latentworld.arrays import Array, Integers
from latentworld.atlas import field, fractal, rifts
from latentworld.atlas.mesh import mesh as build
from latentworld.atlas.sampling import Window
from latentworld.atlas.survey import in_memory
from latentworld.atlas.types import Atlas, Mesh, Render
from latentworld.errors import AtlasError
from latentworld.frozen import changed
from latentworld.lipschitz import Floor
from latentworld.plane import Plane

FLAT = 0.1  # growth of the largest rate over growth of the resolution, in logarithms, below which it has stopped
SURE = 3.0  # times the floor, a root mean square, that the largest of a window's hundreds of rates must be
ULPS = 64  # float64 steps between two columns that a window must keep: its coordinates then hold to 1 %


@dataclass(frozen=True, eq=False)
class Level:
    """One window of a zoom.

    centre: alpha, beta; width: of the window, in alpha; rates: of its places [n], per latent distance; spacing: latent
    distance between rows and columns at the steepest edge; step: the largest feature distance between neighbours;
    distinct: share of neighbouring pairs whose features differ by more than repeats of one picture do; noise: the
    profile's floor at the middle of the steepest edge; dimension: box-counting dimension of the line that halves that
    edge's features, and its error (NaN below 13 rows or columns); target: that middle, where the next level is centred.
    """

    index: int
    centre: tuple[float, float]
    width: float
    atlas: Atlas
    rates: Array
    spacing: float
    step: float
    distinct: float
    noise: Floor
    dimension: tuple[float, float]
    target: tuple[float, float]

    @property
    def largest(self) -> float:
        """The largest rate."""
        return float(np.nanmax(self.rates))

    @property
    def median(self) -> float:
        """The median rate."""
        return float(np.nanmedian(self.rates))

    @property
    def floor(self) -> float:
        """The least rate that can be told from nothing at this spacing."""
        return float(self.noise.rate(self.spacing))

    @property
    def resolved(self) -> bool:
        """Whether the largest rate is more than rounding: above `SURE` times the floor."""
        return self.largest > SURE * self.floor

    @property
    def still(self) -> bool:
        """Whether pictures stopped changing: no rate is more than rounding and most neighbours look the same."""
        return self.distinct < 0.5 and not self.resolved


@dataclass(frozen=True)
class Growth:
    """largest rate ~ (1 / spacing) ** exponent while it grows; its standard error is NaN below three levels.

    levels: how many levels grew; width: of the window, in alpha, at which the largest rate stopped growing while it was
    still resolved (the world's own steepness was reached), or None where it never did.
    """

    exponent: float
    error: float
    levels: int
    width: float | None


@dataclass(frozen=True, eq=False)
class Zoom:
    """A dive: its levels, widest first."""

    levels: Sequence[Level]
    factor: float

    @cached_property
    def growth(self) -> Growth:
        """How the largest rate grows with resolution."""
        seen = [level for level in self.levels if level.resolved]
        fineness = -np.log([level.spacing for level in seen])
        height = np.log([level.largest for level in seen])
        flat = np.flatnonzero(np.diff(height) < FLAT * np.diff(fineness))
        last = int(flat[0]) + 1 if len(flat) else len(seen)
        exponent, error = fractal.fit(fineness[:last], height[:last])
        return Growth(exponent, error, last, seen[last - 1].width if len(flat) else None)

    @property
    def floor(self) -> float | None:
        """Width (alpha) of the first level where nothing but rounding changes, or None."""
        return next((level.width for level in self.levels if not level.resolved), None)

    @property
    def stops(self) -> float | None:
        """Width (alpha) of the first level where pictures stopped changing, or None."""
        return next((level.width for level in self.levels if level.still), None)

    @property
    def dimension(self) -> tuple[float, float]:
        """Mean box-counting dimension of the boundary over the resolved levels, and its standard error."""
        found = np.array(
            [level.dimension for level in self.levels if level.resolved and np.isfinite(level.dimension[0])]
        )
        if len(found) == 0:
            return np.nan, np.nan
        scatter = found[:, 0].std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else 0.0
        own = np.sqrt((found[:, 1] ** 2).sum()) / len(found)
        return float(found[:, 0].mean()), float(np.hypot(scatter, own))


def dive(
    render: Render,
    plane: Plane,
    start: Window,
    factor: float = 10.0,
    levels: int | None = None,
    radius: float = 1.0,
    follow: tuple[float, float] | None = None,
    until: Literal["still", "floor"] = "still",
    on_level: Callable[[Level], None] | None = None,
) -> Zoom:
    """Survey `start`, then windows `factor` times smaller each, with as many rows and columns.

    follow: the alpha, beta that windows below the first are centred on; None re-centres each on the middle of the
    steepest edge of the one before. levels: how many; None goes on until pictures stop changing (`Level.still`),
    or with until="floor" until no rate is more than rounding (`Level.resolved`). Either way the dive ends where float64
    coordinates do, at columns 1e-14 apart. on_level: called with each level as soon as it is surveyed.
    Raises AtlasError for a factor of 1 or less, or one that would lose the rift between two rows or columns, for a
    radius of 0 or less, and for a place to follow outside `start`.
    """
    _check(start, factor, levels, radius, follow)
    window: Window | None = start
    found: list[Level] = []
    while window is not None and (levels is None or len(found) < levels):
        level = _survey(render, plane, window, radius, len(found))
        found.append(level)
        if on_level is not None:
            on_level(level)
        if levels is None and (level.still or (until == "floor" and not level.resolved)):
            break
        window = _inside(window, follow or level.target, factor)
    return Zoom(tuple(found), factor)


def _check(start: Window, factor: float, levels: int | None, radius: float, follow: tuple[float, float] | None) -> None:
    if not (np.isfinite(factor) and factor > 1):
        raise AtlasError(f"a zoom by {factor:g} falls into nothing: give a factor above 1, such as 10")
    if levels is not None and levels < 1:
        raise AtlasError(f"a zoom of {levels} levels shows nothing: ask for 1 or more")
    if not (np.isfinite(radius) and radius > 0):
        raise AtlasError(f"a zoom at radius {radius:g} has no width: give one above 0")
    if follow is not None and not np.isfinite(follow).all():
        raise AtlasError("a zoom needs a finite place: give alpha and beta as numbers")
    if follow is not None and not all(a <= x <= b for x, (a, b) in zip(follow, (start.alpha, start.beta))):
        raise AtlasError(
            f"alpha {follow[0]:g}, beta {follow[1]:g} lies outside the first window: widen it, or choose a place inside"
        )
    least = min(start.rows, start.columns) - 1
    if follow is None and factor > least:
        raise AtlasError(
            f"a zoom by {factor:g} would lose the rift between two of {least + 1} rows or columns: "
            f"take {int(np.ceil(factor)) + 1} of both, or a factor of at most {least}"
        )


def _inside(window: Window, centre: tuple[float, float], factor: float) -> Window | None:
    """The window a factor smaller about a centre, None where float64 cannot tell its columns apart."""
    intervals, counts = (window.alpha, window.beta), (window.rows, window.columns)
    halves = [(high - low) / factor / 2 for low, high in intervals]
    for middle, half, count in zip(centre, halves, counts):
        if 2 * half / (count - 1) < ULPS * np.spacing(max(abs(middle), 1.0)):  # units are of length 1: so are its ulps
            return None
    alpha, beta = ((middle - half, middle + half) for middle, half in zip(centre, halves))
    return changed(window, alpha=alpha, beta=beta)


def _survey(render: Render, plane: Plane, window: Window, radius: float, index: int) -> Level:
    atlas = in_memory(window, plane, render, radius=radius)
    mesh = build(atlas)
    rates = field.rates(atlas, mesh)
    steps = field.steps(atlas, mesh)
    edge, _ = field.steepest(atlas, mesh)
    i, j = mesh.edges[edge].tolist()
    alpha, beta, _ = rifts.middle(atlas, i, j)
    floor = field.floor_at(render, plane.unit(alpha, beta), radius)
    axes = (window.alpha, window.beta)
    return Level(
        index=index,
        centre=((axes[0][0] + axes[0][1]) / 2, (axes[1][0] + axes[1][1]) / 2),
        width=axes[0][1] - axes[0][0],
        atlas=atlas,
        rates=rates,
        spacing=_spacing(atlas, mesh, mesh.edges[edge]),
        step=float(steps.max()),
        distinct=float((steps > floor.repeat).mean()),
        noise=floor,
        dimension=_dimension(atlas, i, j),
        target=(alpha, beta),
    )


def _spacing(atlas: Atlas, mesh: Mesh, edge: Integers) -> float:
    """Mean latent distance along the rows and columns that meet an edge's ends: the chart stretches elsewhere."""
    first, second = mesh.edges.T
    straight = (atlas.lattice[first] == atlas.lattice[second]).any(axis=1)
    return float(field.lengths(atlas, mesh)[straight & np.isin(mesh.edges, edge).any(axis=1)].mean())


def _dimension(atlas: Atlas, i: int, j: int) -> tuple[float, float]:
    """Of the line where features are as near to those of place i as to those of place j."""
    rows, columns = atlas.grid or (0, 0)
    if min(rows, columns) <= fractal.LEAST:
        return np.nan, np.nan
    features = atlas.features.astype(np.float64)
    side = (features - (features[i] + features[j]) / 2) @ (features[j] - features[i]) > 0
    return fractal.box_dimension(fractal.boundary(side.reshape(rows, columns)))
