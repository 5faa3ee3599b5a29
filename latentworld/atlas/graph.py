"""An atlas to travel:its mesh as a graph, stops worth going to, and the cheapest ways between them.

What an edge costs beside its latent length is exp(taste x rank), the rank of its rate among the whole atlas in 0..1:
ranks, since rates span decades. Ways are Dijkstra's (scipy), the order of stops is found by simulated annealing
(networkx).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentworld import globe
from latentworld.atlas import smooth
from latentworld.atlas.extras import need
from latentworld.atlas.prior import Prior
from latentworld.atlas.types import Atlas, Integers, Line, Mesh, Phases
from latentworld.errors import AtlasError
from latentworld.globe import Array

RIDGE = 0.9  # rank from which a place lies on a ridge
CALM = 0.6  # rank below which a place is calm
AGAIN = 4.0  # times the cost of an edge that touches a place already passed, so that ways are loops, not dead ends
LEAPS = (48, 32, 24, 16, 12, 8, 6, 4, 3, 2)  # edges of a way that may become one great circle


@dataclass(frozen=True, eq=False)
class TourGraph:
    """An atlas as a graph: rates [n], and what its edges cost by `taste` or, `by_meaning`, by feature distance."""

    atlas: Atlas
    mesh: Mesh
    rates: Array
    taste: float
    by_meaning: bool = False

    def __post_init__(self) -> None:
        if self.rates.shape != (len(self.atlas),) or not np.isfinite(self.rates).any():
            raise AtlasError(f"rates {self.rates.shape} do not fit {len(self.atlas)} places: measure the field again")
        if not len(self.mesh.edges):
            raise AtlasError("an atlas without neighbours has no ways: survey two places or more")
        known = np.isfinite(self.rates)  # a place without neighbours has no rate, and lies on no way
        object.__setattr__(self, "rates", np.where(known, self.rates, np.median(self.rates[known])))

    @cached_property
    def edges(self) -> Array:
        """Latent lengths [e]."""
        first, second = (self.atlas.points[ends] for ends in self.mesh.edges.T)
        return np.asarray(np.linalg.norm(first - second, axis=1))

    @cached_property
    def rank(self) -> Array:
        """Share of the atlas's area with a lower rate [n], in 0..1; a place counts for a third of its triangles."""
        corners = self.atlas.unit[self.mesh.triangles]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        weight = np.asarray(np.bincount(self.mesh.triangles.ravel(), np.repeat(area, 3), len(self.atlas)), np.float64)
        weight = weight if weight.sum() > 0 else np.ones(len(self.atlas))
        order = np.argsort(self.rates, kind="stable")
        rank = np.empty(len(order))
        rank[order] = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
        return rank

    @cached_property
    def cost(self) -> Array:
        """What each edge costs [e]."""
        first, second = self.mesh.edges.T
        if self.by_meaning:
            step = np.linalg.norm(self.atlas.features[first] - self.atlas.features[second], axis=1)
            # Where nothing changes the shorter way is taken.
            return np.asarray(step + 1e-6 * self.edges / self.edges.mean())
        return np.asarray(self.edges * np.exp(self.taste * (self.rank[first] + self.rank[second]) / 2))

    @cached_property
    def _density(self) -> Array:
        """What a radian costs at each place [n], whichever way one goes."""
        return np.exp(self.taste * self.rank)

    @cached_property
    def _map(self) -> Prior:
        return Prior(self.atlas, self.mesh)

    @cached_property
    def _tree(self) -> Any:
        return need("scipy.spatial").cKDTree(self.atlas.unit)

    @cached_property
    def _wide(self) -> Array:
        """Angle to the farthest neighbour [n]."""
        first, second = self.mesh.edges.T
        wide = np.zeros(len(self.atlas))
        apart = globe.angle(self.atlas.unit[first], self.atlas.unit[second])
        np.maximum.at(wide, first, apart)
        np.maximum.at(wide, second, apart)
        return wide

    def typical(self, unit: Array) -> float:
        """A cell, in radians: the median distance between neighbours at units [m, 3]."""
        first, second = self.mesh.edges.T
        apart = globe.angle(self.atlas.unit[first], self.atlas.unit[second])
        touched = np.zeros(len(self.atlas), np.bool_)
        touched[self._tree.query(unit)[1]] = True
        return float(np.median(apart[touched[first] | touched[second]]))

    def nearest(self, points: Array) -> tuple[Integers, Array]:
        """Places [k] next to units [k, 3], and those units. Raises AtlasError for one outside the atlas."""
        if not len(points):
            return np.empty(0, np.int64), points
        points = globe.normalise(points)
        apart, place = self._tree.query(points)
        for i in np.flatnonzero(2 * np.arcsin(apart / 2) > np.maximum(self._wide[place], 1e-12)):
            alpha, beta, front = self.atlas.plane.chart(points[i])
            side = "" if front else " on the far side"
            raise AtlasError(
                f"alpha {alpha:.4g}, beta {beta:.4g}{side} lies outside the atlas: survey it, or go nearer"
            )
        return place.astype(np.int64), points

    def named(self, phases: Phases | None, labels: Sequence[str]) -> tuple[Integers, Array]:
        """The surest place of each label; the calmest of equals. Raises AtlasError for a label that is nowhere."""
        if phases is None:
            raise AtlasError("labels need phases: label the atlas first")
        found = []
        for label in labels:
            here = np.flatnonzero([i >= 0 and phases.names[i] == label for i in phases.label])
            if not len(here):
                present = sorted({phases.names[i] for i in np.unique(phases.label) if i >= 0})
                raise AtlasError(f"no place is labelled {label!r}: there are {', '.join(present)}")
            found.append(int(min(here, key=lambda i: (-phases.confidence[i], self.rates[i]))))
        places = np.array(found, np.int64)
        return places, self.atlas.unit[places]

    def strongest(self, count: int) -> Integers:
        """Places on ridges, the strongest first, none nearer to another than a fair share of its area."""
        ridge = np.flatnonzero(self.rank >= RIDGE)
        ridge = ridge[np.argsort(-self.rates[ridge], kind="stable")]
        apart = 2.0 * self._extent() / np.sqrt(max(count, 2))
        while True:
            chosen = ridge[:1]
            for place in ridge[1:]:
                if len(chosen) < count and globe.angle(self.atlas.unit[chosen], self.atlas.unit[place]).min() >= apart:
                    chosen = np.append(chosen, place)
            if len(chosen) >= min(max(count, 2), len(ridge)):
                return np.asarray(chosen, np.int64)
            apart /= 1.5

    def calmest(self, count: int) -> Integers:
        """Places of the largest calm region, as far from each other as there are, from its calmest on."""
        csgraph = need("scipy.sparse.csgraph")
        calm = self.rank < CALM
        first, second = self.mesh.edges[calm[self.mesh.edges].all(axis=1)].T
        inner = need("scipy.sparse").csr_array((np.ones(len(first)), (first, second)), shape=2 * (len(calm),))
        _, part = csgraph.connected_components(inner)
        largest = np.bincount(part, weights=calm).argmax()
        here = np.flatnonzero(calm & (part == largest))
        if len(here) < 2:
            raise AtlasError("no calm region is wider than one place: survey more finely, or give points")
        chosen = [int(here[self.rates[here].argmin()])]
        apart = np.full(len(here), np.inf)
        while len(chosen) < min(max(count, 2), len(here)):
            apart = np.minimum(apart, globe.angle(self.atlas.unit[here], self.atlas.unit[chosen[-1]]))
            chosen.append(int(here[apart.argmax()]))
        return np.array(chosen, np.int64)

    def order(self, places: Integers, closed: bool) -> Integers:
        """The cheapest order of places [k] to pass them all, as found by simulated annealing; deterministic."""
        networkx = need("networkx")
        between = np.stack([self._from(int(place), self.cost)[0][places] for place in places])
        self._joined(between)
        if len(places) == 2 or (len(places) == 3 and closed):
            return np.arange(len(places))
        if not closed:  # a stop that is next to every other, where the way may be cut open
            between = np.pad(between, ((0, 1), (0, 1)))
        between = np.minimum(between, between.T)
        graph = networkx.from_numpy_array(between + 1e-9 * max(between.max(), 1e-9) * (1 - np.eye(len(between))))
        solve = networkx.approximation.simulated_annealing_tsp
        cycle = solve(graph, "greedy", source=len(between) - 1, temp=between.max(), seed=0, N_inner=50 * len(between))
        return np.array(cycle[1:-1] if not closed else cycle[:-1], np.int64)

    def tour(self, places: Integers, closed: bool, units: Array | None = None) -> smooth.Way:
        """The way through places [k] in their order; where `units` [k, 3] are given it passes exactly there."""
        legs = [*pairwise(places), *([(places[-1], places[0])] if closed else [])]
        nodes, stops, passed = [int(places[0])], [0], np.zeros(len(self.atlas), np.bool_)
        for begin, end in legs:
            nodes += self.pulled(self.way(int(begin), int(end), passed))[1:]
            stops.append(len(nodes) - 1)
        if closed:
            nodes, stops = nodes[:-1], stops[:-1]
        unit, pinned = self.atlas.unit[nodes].copy(), np.zeros(len(nodes), np.bool_)
        if units is not None:
            unit[stops], pinned[stops] = units, True
        return smooth.Way(unit, self._gain(nodes), pinned, closed)

    def along(self, lines: Sequence[Line], closed: bool | None) -> smooth.Way:
        """The way along rift lines one after another, each from its nearer end, joined over the ridges."""
        loop = closed if closed is not None else len(lines) == 1 and lines[0].closed
        pieces: list[tuple[Array, Array]] = []
        passed = np.zeros(len(self.atlas), np.bool_)
        for line in lines:
            unit = _opened(line, pieces[-1][0][-1] if pieces else None)
            if pieces:
                pieces.append(self._join(pieces[-1][0][-1], unit[0], passed))
            pieces.append((unit, np.ones(len(unit))))
        if loop and not (len(lines) == 1 and lines[0].closed):
            pieces.append(self._join(pieces[-1][0][-1], pieces[0][0][0], passed))
        unit, gain = (np.concatenate([piece[k] for piece in pieces]) for k in (0, 1))
        after = np.roll(unit, -1, axis=0) if loop else np.concatenate([unit[1:], -unit[-1:]])
        keep = globe.angle(unit, after) > 1e-9
        return smooth.Way(unit[keep], gain[keep], np.zeros(int(keep.sum()), np.bool_), loop)

    def way(self, begin: int, end: int, passed: NDArray[np.bool_]) -> list[int]:
        """Places along the cheapest way. Those `passed` [n] before are dear, and the way's own are added to them.

        Raises AtlasError when there is no way.
        """
        total, before = self._from(begin, self.cost * np.where(passed[self.mesh.edges].any(axis=1), AGAIN, 1.0))
        self._joined(total[[end]])
        nodes = [end]
        while nodes[-1] != begin:
            nodes.append(int(before[nodes[-1]]))
        passed[nodes] = True
        return nodes[::-1]

    def pulled(self, nodes: list[int]) -> list[int]:
        """The way with every detour left out that a great circle makes no dearer: mesh edges have few directions.

        Not over ridges, which are narrower than a place: there a straight way may leave what it was to follow.
        """
        if self.taste < 0:
            return nodes
        unit, taut, last = self.atlas.unit[nodes], [0], len(nodes) - 1
        gone, pitch = self._gone(nodes), self.typical(unit) / 2
        while taut[-1] < last:
            here = taut[-1]
            ends = [last, *(here + reach for reach in LEAPS if here + reach < last)]
            cheaper = (j for j in ends if self._direct(unit[here], unit[j], pitch) <= gone[j] - gone[here])
            taut.append(next(cheaper, here + 1))
        return [nodes[i] for i in taut]

    def _gone(self, nodes: list[int]) -> Array:
        """What the way has cost at each of its places."""
        unit = self.atlas.unit[nodes]
        if self.by_meaning:
            steps = _distances(self.atlas.features[nodes])
        else:
            density = self._density[nodes]
            steps = globe.angle(unit[:-1], unit[1:]) * (density[:-1] + density[1:]) / 2
        return np.concatenate([[0.0], np.cumsum(steps)])

    def _direct(self, begin: Array, end: Array, pitch: float) -> float:
        """Cost of a great circle: by the density at the places next to it, or by the features read between them."""
        apart = float(globe.angle(begin, end))
        if not 0.0 < apart < 3.0:
            return np.inf
        count = int(np.ceil(apart / pitch))
        if not self.by_meaning:
            middles = globe.slerp(begin, end, (np.arange(count) + 0.5) / count)
            return apart * float(self._density[self._tree.query(middles)[1]].mean())
        units = globe.slerp(begin, end, np.linspace(0.0, 1.0, count + 1))
        radii = np.full(len(units), self.atlas.radius)
        return float(_distances(self._map(units, radii)).sum()) if self._map.covers(units, radii).all() else np.inf

    def _join(self, begin: Array, end: Array, passed: NDArray[np.bool_]) -> tuple[Array, Array]:
        places, _ = self.nearest(np.stack([begin, end]))
        nodes = self.pulled(self.way(int(places[0]), int(places[1]), passed))[1:-1]
        return self.atlas.unit[nodes], self._gain(nodes)

    def _gain(self, nodes: list[int]) -> Array:
        return (self.rank[nodes] >= RIDGE).astype(np.float64)

    def _extent(self) -> float:
        """Half the side of a square of the atlas's area, radians."""
        corners = self.atlas.unit[self.mesh.triangles]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        return float(np.sqrt(np.linalg.norm(normal, axis=1).sum() / 2) / 2)

    def _graph(self, cost: Array) -> Any:
        first, second = self.mesh.edges.T
        return need("scipy.sparse").csr_array((cost, (first, second)), shape=(len(self.atlas), len(self.atlas)))

    def _from(self, place: int, cost: Array) -> tuple[Array, Integers]:
        csgraph = need("scipy.sparse.csgraph")
        total, before = csgraph.dijkstra(self._graph(cost), directed=False, indices=place, return_predecessors=True)
        return total, before

    def _joined(self, total: Array) -> None:
        if not np.isfinite(total).all():
            raise AtlasError("no way joins these places: the atlas has gaps between them; finish its survey first")


def _distances(features: ArrayLike) -> Array:
    """Between consecutive features [n, F]: [n - 1]."""
    return np.asarray(np.linalg.norm(np.diff(np.asarray(features, np.float64), axis=0), axis=1))


def _opened(line: Line, after: Array | None) -> Array:
    """A line's units, from the end (of a closed one: the place) that is nearer to where the way stands."""
    unit = globe.normalise(line.unit)
    if line.closed and float(globe.angle(unit[0], unit[-1])) < 1e-9:
        unit = unit[:-1]
    if after is None:
        return unit
    if line.closed:
        return np.roll(unit, -int(globe.angle(unit, after).argmin()), axis=0)
    return unit[::-1] if globe.angle(unit[-1], after) < globe.angle(unit[0], after) else unit
