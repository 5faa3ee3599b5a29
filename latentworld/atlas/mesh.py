"""Which places of an atlas are neighbours, as triangles."""

from __future__ import annotations

import numpy as np

from latentworld.arrays import Float64, Int64, Pairs, Reals, Triangles, Units, Wholes
from latentworld.atlas.types import Atlas, Mesh
from latentworld.extras import need

WIDE = 2.5  # HEALPix pixel sides: a whole globe has no edge above 1.6 of them, so a longer one spans a gap


def mesh(atlas: Atlas) -> Mesh:
    """The neighbourhood of an atlas, the same whenever its places are the same.

    A complete window: two triangles a cell. An adaptive or unfinished window: Delaunay's triangles of the lattice,
    whose integers leave no doubt about cocircular places. The globe: the convex hull, which on a sphere is Delaunay;
    what an unfinished survey has not reached stays open. Places on one line (or fewer than three) are joined in lattice
    order and have no triangle. Triangles turn counter-clockwise on the lattice, or seen from outside the globe, and
    start at their lowest index; triangles and edges are sorted.
    """
    if atlas.grid is not None:
        triangles = _grid(*atlas.grid)
    elif atlas.sampling.kind == "globe":
        triangles = _hull(atlas.unit, WIDE * np.sqrt(np.pi / 3) / atlas.sampling.nside)
    else:
        triangles = _delaunay(atlas.lattice)
    if len(triangles) == 0:
        return Mesh(triangles, _chain(atlas))
    return Mesh(triangles, edges_of(triangles))


def edges_of(triangles: Triangles) -> Pairs:
    """The edges [e, 2] of triangles [t, 3], each once with i < j, sorted."""
    both = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    return np.unique(both, axis=0)


def _grid(rows: int, columns: int) -> Triangles:
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    down, right, across = corner + columns, corner + 1, corner + columns + 1
    return _sorted(np.concatenate([np.stack([corner, down, across], 1), np.stack([corner, across, right], 1)]))


def _delaunay(lattice: Pairs) -> Triangles:
    if len(lattice) < 3 or np.linalg.matrix_rank(lattice - lattice[0]) < 2:
        return np.empty((0, 3), dtype=np.int64)
    spatial = need("scipy.spatial")
    triangles = spatial.Delaunay(lattice.astype(np.float64)).simplices.astype(np.int64)
    a, b, c = (lattice[triangles[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return _sorted(_turned(triangles, area)[area != 0])  # cocircular places may leave triangles of no area


def _hull(unit: Units, wide: float) -> Triangles:
    if len(unit) < 4 or np.linalg.matrix_rank(unit - unit[0], tol=1e-9) < 3:
        return np.empty((0, 3), dtype=np.int64)
    spatial = need("scipy.spatial")
    hull = spatial.ConvexHull(unit)
    triangles = hull.simplices.astype(np.int64)
    corners = unit[triangles]
    volume = np.einsum(
        "ti,ti->t", np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), hull.equations[:, :3]
    )
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    return _sorted(_turned(triangles, volume)[longest <= wide])


def _turned(triangles: Triangles, side: Float64[Reals, " t"] | Int64[Wholes, " t"]) -> Triangles:
    """Triangles of a negative side the other way round."""
    return np.where(side[:, None] < 0, triangles[:, [0, 2, 1]], triangles)


def _sorted(triangles: Triangles) -> Triangles:
    first = triangles.argmin(axis=1)[:, None]
    triangles = np.take_along_axis(triangles, (first + np.arange(3)) % 3, axis=1)
    return triangles[np.lexsort(triangles.T[::-1])]


def _chain(atlas: Atlas) -> Pairs:
    order = np.lexsort(atlas.lattice.T[::-1])
    return np.unique(np.sort(np.stack([order[:-1], order[1:]], axis=1), axis=1), axis=0)
