"""One leg of a geodesic tour: where its energy comes from, what it begins as, and whether it beats the straight line.

An energy has many least ways, one about every obstacle. The cheapest way over the map's mesh settles which; the great
circle is the other beginning, and the better of the two is kept. Where neither is shorter than the great circle itself,
that is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, get_args

import numpy as np

from latentworld import globe
from latentworld.arrays import Float64, Reals, Unit, Units, Vector
from latentworld.atlas import geodesic, ground
from latentworld.atlas.geodesic import Density, Fisher, Meaning
from latentworld.atlas.graph import TourGraph
from latentworld.atlas.ground import Chart, Plot
from latentworld.atlas.logz import LogZ
from latentworld.atlas.route import pulled
from latentworld.atlas.sampling import Globe
from latentworld.atlas.types import Atlas, Mesh
from latentworld.errors import AtlasError

By = Literal["meaning", "metric", "density"]

FEW, MANY = 40, 128  # pieces of a way: about three for two cells
FINE = 8  # times as many, where lengths are compared
BETTER = 1e-4  # share of its length by which a way must be shorter than the great circle
SPREAD = (0.1, 0.9)  # quantiles of the surprise that lie one unit apart


class _Measured(Protocol):
    def __call__(self, way: Plot) -> tuple[float, Plot]: ...
    def length(self, way: Plot) -> float: ...


@dataclass(frozen=True, eq=False)
class Country:
    """An atlas and what its ways are sought by. logz: for `metric`; surprise [n], strength k: for `density`.

    The surprise is taken in units of what separates its tenth from its ninetieth percentile, about its median, so that
    strength 1 makes the unlikely cost e times the likely whatever the model's loss is. Raises AtlasError for what is
    not known here.
    """

    atlas: Atlas
    mesh: Mesh
    rates: Vector
    by: By = "meaning"
    strength: float = 1.0
    logz: LogZ | None = None
    surprise: Vector | None = None

    def __post_init__(self) -> None:
        if self.by == "metric" and isinstance(self.atlas.sampling, Globe):
            raise AtlasError(
                "log Z's metric belongs to alpha and beta, which are no affine coordinates of the globe: go by meaning"
            )
        if self.by == "metric" and self.logz is None:
            raise AtlasError("this atlas has no log Z yet: measure it with latentworld atlas metric")
        if self.by == "density":
            geodesic.check_strength(self.strength)
            if self.surprise is None:
                raise AtlasError("this survey knows no surprise: survey it once more with --surprise")

    @cached_property
    def level(self) -> Vector:
        """The surprise in its own units [n]."""
        assert self.surprise is not None
        low, high = np.quantile(self.surprise, SPREAD)
        return np.asarray((self.surprise - np.median(self.surprise)) / max(high - low, 1e-300))

    @cached_property
    def graph(self) -> TourGraph:
        """The mesh, by what its edges cost."""
        if self.by == "density":
            return TourGraph(self.atlas, self.mesh, self.rates, 0.0, toll=self.strength * self.level)
        return TourGraph(self.atlas, self.mesh, self.rates, 0.0, by_meaning=True)

    @cached_property
    def axes(self) -> Float64[Reals, "n k"]:
        """Features along their principal axes."""
        return ground.principal(self.atlas.features.astype(np.float64))

    def energy(self, chart: Chart, way: Plot) -> _Measured:
        """What ways on a chart cost; `way`, the great circle, sets the scale of what evenness is worth."""
        if self.by == "density":
            field = ground.laid(self.atlas, chart, self.level[:, None]).field()
            return Density(chart, field, self.strength)
        if self.by == "meaning":
            laid = ground.laid(self.atlas, chart, self.axes)
            return Meaning(laid, geodesic.even_weight(laid, way))
        window = self.atlas.sampling
        assert self.logz is not None
        assert not isinstance(window, Globe)
        scale = 1 / (np.array([window.rows, window.columns]) - 1)
        bare = Fisher(self.logz, scale, 0.0)
        moved = float((np.diff(way, axis=0) ** 2).sum())
        return Fisher(self.logz, scale, geodesic.SHORT * 2 * bare(way)[0] / (len(way) - 1) / max(moved, 1e-300))


@dataclass(frozen=True, eq=False)
class Leg:
    """A way between two places: unit [n, 3]; its length and the great circle's, on the map, in what it was sought by;
    straight: whether it is that great circle, since no way found is shorter."""

    unit: Units
    length: float
    against: float
    straight: bool

    @property
    def gain(self) -> float:
        """The share of the great circle's length that is spared."""
        return 1 - self.length / self.against if self.against > 0 else 0.0


def by_of(name: str) -> By:
    """What ways are sought by, by its name. Raises AtlasError for another."""
    kinds: tuple[By, ...] = get_args(By)
    if name not in kinds:
        raise AtlasError(f"no way by {name!r}: choose one of {', '.join(kinds)}")
    return next(kind for kind in kinds if kind == name)


def between(country: Country, begin: Unit, end: Unit, before: Units | None = None) -> Leg:
    """The geodesic between two places of an atlas; `before`: a way found earlier, to begin from as well.

    Raises AtlasError for ends that are equal, antipodes, outside the atlas or parted by a gap.
    """
    chart = ground.chart_of(country.atlas, begin, end)
    pieces = _pieces(country, begin, end)
    line = geodesic.straight(chart, begin, end, pieces)
    energy = country.energy(chart, line)
    starts = [line, *_over_mesh(country, chart, begin, end, pieces)]
    if before is not None:
        starts.append(geodesic.evenly(chart.place(before)[0], pieces))
    relaxed = [geodesic.relax(energy, start, chart) for start in starts]
    way = min(relaxed, key=lambda found: energy.length(_finely(found)))
    length, against = (energy.length(_finely(found)) for found in (way, line))
    if not length < (1 - BETTER) * against or not _seen(country, chart, way):
        return Leg(chart.unit(line)[0], against, against, True)
    return Leg(chart.unit(way)[0], length, against, False)


def _pieces(country: Country, begin: Unit, end: Unit) -> int:
    cells = float(globe.angle(begin, end)) / country.graph.typical(np.stack([begin, end]))
    return int(np.clip(round(1.5 * cells), FEW, MANY))


def _over_mesh(country: Country, chart: Chart, begin: Unit, end: Unit, pieces: int) -> list[Plot]:
    """The cheapest way over the mesh, pulled taut, on the chart; nothing where it leaves that."""
    graph = country.graph
    places, at = graph.nearest(np.stack([begin, end]))
    if places[0] == places[1]:
        return []
    nodes = pulled(graph, graph.way(int(places[0]), int(places[1]), np.zeros(len(country.atlas), np.bool_)))
    unit = np.concatenate([at[:1], country.atlas.unit[nodes[1:-1]], at[1:]])
    try:
        way = chart.place(unit)[0]
    except AtlasError:
        return []
    return [geodesic.evenly(way, pieces)] if chart.holds(way, 1e-9) else []


def _finely(way: Plot) -> Float64[Reals, "m 2"]:
    count = len(way) - 1
    at = np.linspace(0, count, FINE * count + 1)
    return np.stack([np.interp(at, np.arange(count + 1), axis) for axis in way.T], axis=1)


def _seen(country: Country, chart: Chart, way: Plot) -> bool:
    """Whether a way keeps to what was surveyed: an unfinished survey has gaps that splines know nothing of."""
    if country.atlas.grid is not None:
        return True
    unit = chart.unit(_finely(way))[0]
    return bool(country.graph.map.covers(unit, np.full(len(unit), country.atlas.radius)).all())


def joined(legs: Sequence[Leg]) -> Units:
    """Legs one after another [n, 3]."""
    return np.concatenate([legs[0].unit[:1], *(one.unit[1:] for one in legs)])


def meaning(country: Country, unit: Units) -> float:
    """The feature distance along a way [n, 3], read off the map; between nearest places where that does not cover."""
    graph = country.graph
    radii = np.full(len(unit), country.atlas.radius)
    if not graph.map.covers(unit, radii).all():
        return float(np.linalg.norm(np.diff(country.atlas.features[graph.tree.query(unit)[1]], axis=0), axis=1).sum())
    return geodesic.length(np.asarray(graph.map(unit, radii), np.float64))
