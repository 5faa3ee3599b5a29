"""An atlas as a `Lookout`: features read off the map in place of decoding, alone or blended with the scout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentworld import globe
from latentworld.arrays import Array, Integers, Mask
from latentworld.atlas.sampling import Globe, Window
from latentworld.atlas.types import Atlas, Mesh
from latentworld.errors import AtlasError
from latentworld.extras import need
from latentworld.lipschitz import Lookout

if TYPE_CHECKING:
    from torch import Tensor

RIM = 1.0  # lattice steps from a window's edge over which the atlas gives way to the scout
SHELL = 1e-6  # by how much a radius may differ from the atlas's own
NEAR = 12  # triangles of the globe about a place that are tried
EDGE = 1e-9  # how far outside a triangle a place may lie by rounding
GAP = 2  # lattice steps of a triangle's side from which it spans places of a window that are not yet surveyed


def lookout(atlas: Atlas, mesh: Mesh) -> Prior:
    """The atlas as a lookout. Raises AtlasError when it has no triangle to read between."""
    if not len(mesh.triangles):
        raise AtlasError(f"an atlas of {len(atlas)} places has no triangle to read between: survey on")
    return Prior(atlas, mesh)


def blended(prior: Prior, scout: Lookout, weight: float) -> Lookout:
    """`weight` (0..1) of the atlas and the rest of the scout where the atlas covers, the scout alone elsewhere.

    With weight 1 the scout is not asked where the atlas covers; with 0 it is the scout. Over the last lattice step
    before a window's edge the atlas's share falls to nothing, so that features are continuous there; toward places that
    an unfinished survey has not reached, and to other radii, they are not. Raises AtlasError for other weights.
    """
    if not 0.0 <= weight <= 1.0:
        raise AtlasError(f"a prior of {weight}: give 0 (the scout alone) to 1 (the atlas alone)")
    return scout if weight == 0.0 else Blend(prior, scout, weight)


@dataclass(frozen=True, eq=False)
class Prior:
    """Features interpolated linearly in the triangle that a place falls in: units [n, 3], radii [n] -> float32 [n, F].

    Windows in lattice coordinates (Delaunay's triangles of the places), the globe in the mesh's triangles by central
    projection. Covered is what lies in a triangle, at the atlas's own radius: not the far side of a window, nor gaps.
    """

    atlas: Atlas
    mesh: Mesh

    def __call__(self, units: Array, radii: Array) -> Tensor:
        """Raises AtlasError for a place that is not covered."""
        import torch

        corners, weights, inside = self._located(units, radii)
        if not inside.all():
            alpha, beta, front = self.atlas.plane.chart(units[~inside][0])
            where = f"alpha {alpha:.4g}, beta {beta:.4g}{'' if front else ' on the far side'}"
            raise AtlasError(f"the atlas does not cover {where} at radius {radii[~inside][0]:g}: blend it with a scout")
        return torch.from_numpy(self._read(corners, weights))

    def covers(self, units: Array, radii: Array) -> Mask:
        """Whether places are covered [n]."""
        return self._located(units, radii)[2]

    def share(self, units: Array, radii: Array) -> Array:
        """How much the atlas has to say [n]: 0 where it does not cover, rising to 1 over the last step of a window."""
        return np.where(self.covers(units, radii), self._depth(units), 0.0)

    def _read(self, corners: Integers, weights: Array) -> NDArray[np.float32]:
        return np.asarray((self.atlas.features[corners] * weights[:, :, None]).sum(axis=1), np.float32)

    def _located(self, units: Array, radii: Array) -> tuple[Integers, Array, Mask]:
        """Corners [n, 3], their weights [n, 3], and whether the place is covered [n]."""
        corners, weights, inside = self._locator(np.asarray(units, np.float64))
        return corners, weights, inside & (np.abs(np.asarray(radii) - self.atlas.radius) <= SHELL)

    @cached_property
    def _locator(self) -> _Chart | _Sphere:
        return _Chart(self.atlas) if not isinstance(self.atlas.sampling, Globe) else _Sphere(self.atlas, self.mesh)

    def _depth(self, units: Array) -> Array:
        if isinstance(self.atlas.sampling, Globe):
            return np.ones(len(units))
        lattice, _ = _lattice(self.atlas, units)
        ends = np.array([self.atlas.sampling.rows, self.atlas.sampling.columns]) - 1
        return np.asarray(np.clip(np.minimum(lattice, ends - lattice).min(axis=1) / RIM, 0.0, 1.0))


@dataclass(frozen=True, eq=False)
class Blend:
    """A `Lookout`: the prior and the scout, see `blended`."""

    prior: Prior
    scout: Lookout
    weight: float

    def __call__(self, units: Array, radii: Array) -> Tensor:
        import torch

        units, radii = np.asarray(units, np.float64), np.asarray(radii, np.float64)
        share = self.weight * self.prior.share(units, radii)
        known, scouted = share > 0.0, share < 1.0
        features = np.zeros((len(units), self.prior.atlas.features.shape[1]), np.float32)
        if known.any():
            features[known] = share[known, None] * np.asarray(self.prior(units[known], radii[known]))
        if scouted.any():
            features[scouted] += (1.0 - share[scouted, None]) * np.asarray(self.scout(units[scouted], radii[scouted]))
        return torch.from_numpy(features)


class _Chart:
    """Places of a window or an adaptive survey, located on the lattice."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self.net = need("scipy.spatial").Delaunay(atlas.lattice.astype(np.float64))
        sides = np.ptp(atlas.lattice[self.net.simplices], axis=1).max(axis=1)
        self.gap = (sides >= GAP) & isinstance(atlas.sampling, Window)

    def __call__(self, units: Array) -> tuple[Integers, Array, Mask]:
        lattice, front = _lattice(self.atlas, units)
        simplex = self.net.find_simplex(lattice, tol=EDGE)
        inside = (simplex >= 0) & front & ~self.gap[simplex]
        frame = self.net.transform[simplex]
        two = np.einsum("nij,nj->ni", frame[:, :2], lattice - frame[:, 2])
        weights = np.column_stack([two, 1.0 - two.sum(axis=1)])
        inside &= np.isfinite(weights).all(axis=1)  # a triangle without area has no coordinates
        return self.net.simplices[simplex].astype(np.int64), _convex(weights, inside), inside


class _Sphere:
    """Places of the globe, located among the triangles whose middles are nearest."""

    def __init__(self, atlas: Atlas, mesh: Mesh) -> None:
        self.triangles = mesh.triangles
        corners = atlas.unit[mesh.triangles]
        self.inverse = np.linalg.inv(corners.transpose(0, 2, 1))  # unit -> weights of the corners
        self.tree = need("scipy.spatial").cKDTree(globe.normalise(corners.sum(axis=1)))

    def __call__(self, units: Array) -> tuple[Integers, Array, Mask]:
        _, near = self.tree.query(units, k=min(NEAR, len(self.triangles)))
        near = near.reshape(len(units), -1)
        weights = np.einsum("nkij,nj->nki", self.inverse[near], units)
        weights /= np.maximum(weights.sum(axis=2, keepdims=True), np.finfo(np.float64).tiny)
        best = weights.min(axis=2).argmax(axis=1)[:, None]
        chosen = np.take_along_axis(weights, best[:, :, None], axis=1)[:, 0]
        inside = chosen.min(axis=1) >= -EDGE
        return self.triangles[np.take_along_axis(near, best, axis=1)[:, 0]], _convex(chosen, inside), inside


def _lattice(atlas: Atlas, units: Array) -> tuple[Array, Mask]:
    """Row and column [n, 2] of units [n, 3], fractional and far outside where they are not in front; and front [n]."""
    spec = atlas.sampling
    assert not isinstance(spec, Globe)
    alpha, beta, front = atlas.plane.chart(units)
    row = (alpha - spec.alpha[0]) / (spec.alpha[1] - spec.alpha[0]) * (spec.rows - 1)
    column = (beta - spec.beta[0]) / (spec.beta[1] - spec.beta[0]) * (spec.columns - 1)
    inside = front & np.isfinite(row) & np.isfinite(column)
    return np.where(inside[:, None], np.stack([row, column], axis=1), -1e6), inside


def _convex(weights: Array, inside: Mask) -> Array:
    """Weights without the rounding that takes them below 0; those of places outside mean nothing."""
    weights = np.maximum(np.where(inside[:, None], weights, 1.0), 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
