"""The Lipschitz field of an atlas: feature distance per latent distance, at every place and along every edge."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from latentworld.arrays import Array, Flags, Float64, Indices, Int64, Reals, Unit, Vector, Wholes
from latentworld.atlas.mesh import mesh as build
from latentworld.atlas.types import Atlas, Mesh, Render
from latentworld.errors import AtlasError
from latentworld.lipschitz import Floor, gradient, noise_floor, on_grid, ratio

CHUNK = 2**22  # feature values worked on at a time


def rates(atlas: Atlas, mesh: Mesh | None = None) -> Vector:
    """Gradient magnitude of the features at every place [n], per latent distance.

    `lipschitz.on_grid` of a complete window, `over_mesh` of every other sampling; they agree to second order inside.
    """
    if atlas.grid is not None:
        return _on_strips(atlas, *atlas.grid)
    return over_mesh(atlas, mesh or build(atlas))


def over_mesh(atlas: Atlas, mesh: Mesh) -> Vector:
    """The field [n] as means of |grad f| over the triangles of each place, weighed by their angles there.

    So each speaks for the share of directions it covers. Exact for linear features; second order in the spacing where
    the places about a place mirror one another (inside a level of an adaptive survey, and on most of the globe), first
    order elsewhere. Places on one line have the mean of their edges' rates, a place without neighbours NaN.
    """
    if len(mesh.triangles) == 0:
        return _means(mesh.edges, np.repeat(along_edges(atlas, mesh)[:, None], 2, axis=1), len(atlas))
    return _means(mesh.triangles, on_triangles(atlas, mesh)[:, None] * np.ones(3), len(atlas), _angles(atlas, mesh))


def on_triangles(atlas: Atlas, mesh: Mesh) -> Vector:
    """|grad f| of the linear features on every triangle [t], per latent distance."""
    rate = np.empty(len(mesh.triangles))
    for part in _parts(len(rate), atlas):
        a, b, c = mesh.triangles[part].T
        features, points = (_differences(values, a, b, c) for values in (atlas.features, atlas.points))
        rate[part] = gradient(*features, *points)
    return rate


def along_edges(atlas: Atlas, mesh: Mesh) -> Vector:
    """|f_i - f_j| over |z_i - z_j| of every edge [e]; NaN where the two places are one."""
    return ratio(steps(atlas, mesh), lengths(atlas, mesh))


def steps(atlas: Atlas, mesh: Mesh) -> Vector:
    """Feature distance between the ends of every edge [e]."""
    step = np.empty(len(mesh.edges))
    for part in _parts(len(step), atlas):
        i, j = mesh.edges[part].T
        step[part] = np.linalg.norm(atlas.features[j].astype(np.float64) - atlas.features[i], axis=1)
    return step


def lengths(atlas: Atlas, mesh: Mesh) -> Vector:
    """Latent distance between the ends of every edge [e]."""
    i, j = mesh.edges.T
    return np.asarray(np.linalg.norm(atlas.points[j] - atlas.points[i], axis=1))


def steepest(atlas: Atlas, mesh: Mesh) -> tuple[int, float]:
    """The steepest edge, as an index into `mesh.edges`, and its rate. Raises AtlasError where there is none."""
    rate = along_edges(atlas, mesh)
    if len(rate) == 0 or np.isnan(rate).all():
        raise AtlasError("an atlas of one place has no rift: survey two or more")
    at = int(np.nanargmax(rate))
    return at, float(rate[at])


def spacing(atlas: Atlas, mesh: Mesh) -> Vector:
    """Mean latent distance from each place to its neighbours [n]; NaN without any."""
    return _means(mesh.edges, np.repeat(lengths(atlas, mesh)[:, None], 2, axis=1), len(atlas))


def measure_floor(render: Render, atlas: Atlas, rates: Vector, repeats: int = 8) -> Floor:
    """The noise floor at the place of the strongest rate, where the world amplifies rounding most (`noise_floor`)."""
    if len(rates) == 0 or np.isnan(rates).all():
        raise AtlasError("an atlas of one place has no field whose floor could be measured: survey two or more")
    return floor_at(render, atlas.unit[int(np.nanargmax(rates))], atlas.radius, repeats)


def floor_at(render: Render, unit: Unit, radius: float = 1.0, repeats: int = 8) -> Floor:
    """The noise floor at unit [3], as `lipschitz.noise_floor`, through a render."""
    import torch

    return noise_floor(lambda units, radii: torch.from_numpy(render(units, radii).features), unit, radius, repeats)


def resolved(atlas: Atlas, mesh: Mesh, rates: Vector, floor: Floor) -> Flags:
    """Which rates [n] stand above the floor at their place's spacing; the others say nothing about the world."""
    return np.asarray(rates > floor.rate(spacing(atlas, mesh)))


def _on_strips(atlas: Atlas, rows: int, columns: int) -> Vector:
    """`on_grid` in strips of whole rows with a row to spare on either side: the same bits in less memory."""
    features, points = atlas.features.reshape(rows, columns, -1), atlas.points.reshape(rows, columns, 3)
    field, height = np.empty((rows, columns)), max(1, CHUNK // features[0].size)
    for top in range(0, rows, height):
        above, below = max(top - 1, 0), min(top + height + 1, rows)
        field[top : top + height] = on_grid(features[above:below], points[above:below])[top - above :][:height]
    return field.ravel()


def _differences(values: NDArray[np.floating], a: Indices, b: Indices, c: Indices) -> tuple[Array, Array]:
    start = values[a].astype(np.float64)
    return values[b] - start, values[c] - start


def _angles(atlas: Atlas, mesh: Mesh) -> Float64[Reals, "t 3"]:
    """Angles (rad) of every triangle at its three corners [t, 3]."""
    corners = atlas.points[mesh.triangles]
    onward, back = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    return np.asarray(np.arctan2(np.linalg.norm(np.cross(onward, back), axis=2), (onward * back).sum(axis=2)))


def _means(
    members: Int64[Wholes, "m k"],
    values: Float64[Reals, "m k"],
    count: int,
    weights: Float64[Reals, "m k"] | None = None,
) -> Float64[Reals, " count"]:
    """Weighted means [count] of values [m, k] over the places [m, k] they belong to; NaN where nothing belongs."""
    weights = np.ones(values.shape) if weights is None else weights
    total = np.bincount(members.ravel(), (weights * values).ravel(), minlength=count)
    share = np.bincount(members.ravel(), weights.ravel(), minlength=count)
    return np.asarray(np.divide(total, share, out=np.full(count, np.nan), where=share > 0))


def _parts(count: int, atlas: Atlas) -> Iterator[slice]:
    size = max(1, CHUNK // (3 * atlas.features.shape[1]))
    return (slice(start, start + size) for start in range(0, count, size))
