"""The power diagram of a log Z: phases, and the lines between them where two of its atoms tie, in closed form.

At zero temperature log Z is max_m (<a_m, t> + b_m): every atom that is ever largest owns a convex cell, inside which
the gradient, the order parameter, is a_m. Two cells meet on a straight edge, over which it jumps by a_l - a_m. A strong
jump is a first-order line; many faint ones tile a region where the gradient changes smoothly.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentworld.arrays import Bool, Float64, Indices, Int64, Reals, Vector, Wholes
from latentworld.atlas.logz import LogZ
from latentworld.extras import need

FAR = 1e3  # unit squares: how far an edge without an end is followed


@dataclass(frozen=True, eq=False)
class PowerDiagram:
    """Edges inside the unit square: ends [e, 2, 2], between which atoms [e, 2], jump [e] of the gradient; and the
    atoms that own a cell there [c]."""

    ends: Float64[Reals, "e 2 2"]
    between: Int64[Wholes, "e 2"]
    jump: Float64[Reals, " e"]
    owners: Int64[Wholes, " c"]

    @property
    def length(self) -> Vector:
        """Of the edges, in unit squares' sides [e]."""
        return np.asarray(np.linalg.norm(self.ends[:, 1] - self.ends[:, 0], axis=1))


@dataclass(frozen=True, eq=False)
class OrderedPhases:
    """Cells joined over faint edges: label [c] of the owners' cells, 0 the largest; share [p] of the square; order
    [p, 2], the mean gradient of each; inner [e], which edges part two phases."""

    label: Indices
    share: Float64[Reals, " p"]
    order: Float64[Reals, "p 2"]
    inner: Bool[NDArray[np.bool_], " e"]


def diagram(found: LogZ) -> PowerDiagram:
    """The edges of its cells: the upper envelope of the planes <a_m, t> + b_m is the upper hull of the points
    (a_m, b_m), whose facets are the envelope's corners and whose edges its edges (Aurenhammer 1987)."""
    points = np.column_stack([found.atoms, found.heights])
    hull = need("scipy.spatial").ConvexHull(points, qhull_options="Qt Pp")
    normal, facets_of = hull.equations[:, :3], hull.simplices.astype(np.int64)
    up = normal[:, 2] > 1e-12
    corner = np.where(up[:, None], normal[:, :2] / np.where(up, normal[:, 2], 1.0)[:, None], np.nan)
    shared: dict[tuple[int, int], list[int]] = defaultdict(list)
    for facet in np.flatnonzero(up).tolist():
        a, b, c = sorted(facets_of[facet].tolist())
        for side in ((a, b), (a, c), (b, c)):
            shared[side].append(facet)
    ends, between = [], []
    for (low, high), facets in shared.items():
        begin = corner[facets[0]]
        end = corner[facets[1]] if len(facets) > 1 else _away(points, facets_of[facets[0]], low, high, begin)
        if (inside := _clipped(begin, end)) is not None:
            ends.append(inside)
            between.append((low, high))
    pairs = np.array(between, np.int64).reshape(-1, 2)
    jump = np.linalg.norm(found.atoms[pairs[:, 1]] - found.atoms[pairs[:, 0]], axis=1)
    owners = np.unique(np.append(pairs.ravel(), _largest(found)))
    return PowerDiagram(np.array(ends).reshape(-1, 2, 2), pairs, np.asarray(jump), owners.astype(np.int64))


def phases(found: LogZ, edges: PowerDiagram, least: float) -> OrderedPhases:
    """Cells that are joined by edges whose jump is under `least`, as phases; what they cover is counted on a grid."""
    number = np.full(len(found.heights), -1)
    number[edges.owners] = np.arange(len(edges.owners))
    faint = number[edges.between[edges.jump < least]]
    size = len(edges.owners)
    graph = need("scipy.sparse").csr_array((np.ones(len(faint)), (faint[:, 0], faint[:, 1])), shape=(size, size))
    count, label = need("scipy.sparse.csgraph").connected_components(graph, directed=False)
    line = (np.arange(200) + 0.5) / 200
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    own = label[number[(grid @ found.atoms.T + found.heights).argmax(axis=1)]]
    share = np.bincount(own, minlength=count) / len(own)
    slope = found.gradient(grid)
    order = (
        np.stack([np.bincount(own, axis, count) for axis in slope.T], axis=1)
        / np.maximum(np.bincount(own, minlength=count), 1)[:, None]
    )
    rank = np.argsort(-share, kind="stable")
    parted = label[number[edges.between[:, 0]]] != label[number[edges.between[:, 1]]]
    return OrderedPhases(np.argsort(rank)[label].astype(np.int64), share[rank], order[rank], parted)


def _largest(found: LogZ) -> Indices:
    corners = np.array([(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])
    return np.asarray((corners @ found.atoms.T + found.heights).argmax(axis=1), np.int64)


def _away(
    points: Float64[Reals, "m 3"], facet: Int64[Wholes, "3"], low: int, high: int, begin: Float64[Reals, "2"]
) -> Float64[Reals, "2"]:
    """The far end of an edge of the outer cells: square to a_high - a_low, away from the third atom of its corner."""
    third = next(m for m in facet.tolist() if m not in (low, high))
    across = points[high, :2] - points[low, :2]
    along = np.array([-across[1], across[0]])
    along /= max(float(np.linalg.norm(along)), 1e-300)
    toward = float(along @ (points[third, :2] - points[low, :2]))
    return np.asarray(begin - np.sign(toward) * FAR * along)


def _clipped(begin: Float64[Reals, "2"], end: Float64[Reals, "2"]) -> Float64[Reals, "2 2"] | None:
    """What of a segment lies in the unit square (Liang and Barsky 1984); None where nothing does."""
    step, first, last = end - begin, 0.0, 1.0
    for slope, room in [(-step[i], begin[i]) for i in (0, 1)] + [(step[i], 1 - begin[i]) for i in (0, 1)]:
        if slope == 0:
            if room < 0:
                return None
        elif slope < 0:
            first = max(first, room / slope)
        else:
            last = min(last, room / slope)
    return np.stack([begin + first * step, begin + last * step]) if last - first > 1e-12 else None
