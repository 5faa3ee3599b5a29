"""An atlas as a graph: what its edges cost, and the cheapest ways between its places.

What an edge costs beside its latent length is exp(taste x rank), the rank of its rate among the whole atlas in 0..1:
ranks, since rates span decades. Ways are Dijkstra's (scipy).

"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from latentworld import globe
from latentworld.arrays import Array, Integers, Mask
from latentworld.atlas.prior import Prior
from latentworld.atlas.types import Atlas, Mesh
from latentworld.errors import AtlasError
from latentworld.extras import need

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from scipy.spatial import cKDTree

AGAIN = 4.0  # times the cost of an edge that touches a place already passed, so that ways are loops, not dead ends


@dataclass(frozen=True, eq=False)
class TourGraph:
    """An atlas as a graph: rates [n], and what its edges cost by `taste`, by feature distance (`by_meaning`) or, where
    there is a `toll` [n], by exp of its mean at an edge's ends."""

    atlas: Atlas
    mesh: Mesh
    rates: Array
    taste: float
    by_meaning: bool = False
    toll: Array | None = None

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
        if self.toll is not None:
            return np.asarray(self.edges * np.exp((self.toll[first] + self.toll[second]) / 2))
        return np.asarray(self.edges * np.exp(self.taste * (self.rank[first] + self.rank[second]) / 2))

    @cached_property
    def density(self) -> Array:
        """What a radian costs at each place [n], whichever way one goes."""
        return np.exp(self.taste * self.rank if self.toll is None else self.toll)

    @cached_property
    def map(self) -> Prior:
        """What the atlas expects between its places."""
        return Prior(self.atlas, self.mesh)

    @cached_property
    def tree(self) -> cKDTree:
        """The places as points of R3, to look up the nearest."""
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
        touched[self.tree.query(unit)[1]] = True
        return float(np.median(apart[touched[first] | touched[second]]))

    def nearest(self, points: Array) -> tuple[Integers, Array]:
        """Places [k] next to units [k, 3], and those units. Raises AtlasError for one outside the atlas."""
        if not len(points):
            return np.empty(0, np.int64), points
        points = globe.normalise(points)
        apart, place = self.tree.query(points)
        for i in np.flatnonzero(2 * np.arcsin(apart / 2) > np.maximum(self._wide[place], 1e-12)):
            alpha, beta, front = self.atlas.plane.chart(points[i])
            side = "" if front else " on the far side"
            raise AtlasError(
                f"alpha {alpha:.4g}, beta {beta:.4g}{side} lies outside the atlas: survey it, or go nearer"
            )
        return place.astype(np.int64), points

    def way(self, begin: int, end: int, passed: Mask) -> list[int]:
        """Places along the cheapest way. Those `passed` [n] before are dear, and the way's own are added to them.

        Raises AtlasError when there is no way.
        """
        total, before = self.reached(begin, self.cost * np.where(passed[self.mesh.edges].any(axis=1), AGAIN, 1.0))
        joined(total[[end]])
        nodes = [end]
        while nodes[-1] != begin:
            nodes.append(int(before[nodes[-1]]))
        passed[nodes] = True
        return nodes[::-1]

    def reached(self, place: int, cost: Array) -> tuple[Array, Integers]:
        """What it costs to reach every place [n] from one, and the place before each on the way; cost: of edges [e]."""
        csgraph = need("scipy.sparse.csgraph")
        total, before = csgraph.dijkstra(self._matrix(cost), directed=False, indices=place, return_predecessors=True)
        return total, before.astype(np.int64)  # scipy counts in int32

    def _matrix(self, cost: Array) -> csr_array:
        first, second = self.mesh.edges.T
        return need("scipy.sparse").csr_array((cost, (first, second)), shape=(len(self.atlas), len(self.atlas)))


def joined(total: Array) -> None:
    """Raises AtlasError where a cost of `total` says that there is no way."""
    if not np.isfinite(total).all():
        raise AtlasError("no way joins these places: the atlas has gaps between them; finish its survey first")
