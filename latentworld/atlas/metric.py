"""The metric of an atlas: how much meaning a step in each direction is worth, as a symmetric 2 x 2 matrix a place.

::

    pulled_back   J^T J of the features: of a window in alpha and beta, of the globe a radian east and north
    hessian       the second derivative of log Z in alpha and beta: smooth, and with phases (a window alone)

Both are in squared feature distance for a unit of the coordinate squared, so that the root of v^T g v is the feature
distance that a small step v is worth. Hessian structure belongs to alpha and beta, in which straight lines are the
plane's: on the globe, and beyond a window, only the pull-back is defined. For ways the pull-back is taken, for maps the
Hessian: docs/decisions/0027.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentworld.arrays import Array, Float64, Reals, Units, Vector
from latentworld.atlas import logz, posterior
from latentworld.atlas.field import CHUNK
from latentworld.atlas.logz import Fit, LogZ
from latentworld.atlas.posterior import Kernel
from latentworld.atlas.sampling import Globe
from latentworld.atlas.types import Atlas, Mesh
from latentworld.errors import AtlasError
from latentworld.globe import cross, normalise

SHARPNESS, ATOMS = 20.0, 144

Tensors = Float64[Reals, "n 3"]
"""A symmetric matrix a place, as g11, g12, g22."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """The metric of a window by log Z: in the unit square, where `logz` lives, and at the places in alpha and beta.

    tensors [n, 3]; spread: over how many places a posterior is spread, in the median.
    """

    logz: LogZ
    tensors: Tensors
    kernel: Kernel
    sharpness: float
    spread: float
    fit: Fit

    def record(self) -> dict[str, object]:
        """What the store says of it."""
        return {
            "tau": self.logz.tau, "kernel": self.kernel, "sharpness": self.sharpness, "spread": self.spread,
            "divergence": self.fit.divergence,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Metered:
    """What an atlas's store says of its metric: the pull-back [n, 3], and of a window log Z and its metric [n, 3]."""

    pullback: Tensors
    tensors: Tensors | None = None
    logz: LogZ | None = None

    @property
    def drawn(self) -> Tensors:
        """The one that maps show: log Z's where there is one."""
        return self.pullback if self.tensors is None else self.tensors


def pulled_back(atlas: Atlas, mesh: Mesh) -> Tensors:
    """J^T J of the features [n, 3], the mean over each place's triangles by their angles there (as `field.over_mesh`).

    Exact for linear features. NaN where a place has no triangle. Raises AtlasError where there is none at all.
    """
    if not len(mesh.triangles):
        raise AtlasError(f"an atlas of {len(atlas)} places has no triangle to measure on: survey on")
    ground = atlas.unit if isinstance(atlas.sampling, Globe) else atlas.coordinates
    total, weight = np.zeros((len(atlas), ground.shape[1] ** 2)), np.zeros(len(atlas))
    size = max(1, CHUNK // (3 * atlas.features.shape[1]))
    for start in range(0, len(mesh.triangles), size):
        part = mesh.triangles[start : start + size]
        tensor = _on_triangles(ground[part], atlas.features[part].astype(np.float64))
        for corner, angle in enumerate(_angles(ground[part]).T):
            np.add.at(total, part[:, corner], angle[:, None] * tensor)
            np.add.at(weight, part[:, corner], angle)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (total / weight[:, None]).reshape(len(atlas), ground.shape[1], -1)
    if isinstance(atlas.sampling, Globe):
        frame = tangents(atlas.unit)
        mean = np.einsum("nia,nab,njb->nij", frame, mean, frame)
    return np.stack([mean[:, 0, 0], mean[:, 0, 1], mean[:, 1, 1]], axis=1)


def hessian(
    atlas: Atlas, mesh: Mesh, kernel: Kernel = "gauss", sharpness: float = SHARPNESS, atoms: int = ATOMS
) -> Fitted:
    """log Z of a window's posteriors, and its metric. Raises AtlasError as `posterior.from_atlas`."""
    seen = posterior.from_atlas(atlas, mesh, sharpness, kernel)
    found, how = logz.fit(seen, sharpness, atoms)
    return Fitted(found, of_window(atlas, found), kernel, sharpness, seen.spread, how)


def of_window(atlas: Atlas, found: LogZ) -> Tensors:
    """The metric of log Z at a window's places [n, 3], in alpha and beta."""
    window = atlas.sampling
    assert not isinstance(window, Globe)
    wide = np.array([window.alpha[1] - window.alpha[0], window.beta[1] - window.beta[0]])
    at, tensors = posterior.unit_square(atlas), []
    for start in range(0, len(at), 4096):
        g = found.metric(at[start : start + 4096]) / (wide[:, None] * wide)
        tensors.append(np.stack([g[:, 0, 0], g[:, 0, 1], g[:, 1, 1]], axis=1))
    return np.concatenate(tensors)


def tangents(unit: Units) -> Float64[Reals, "n 2 3"]:
    """East and north at places of the globe: about the basis's third axis, and at its poles about the first."""
    polar = np.abs(unit[:, 2:]) > 1 - 1e-12
    east = normalise(cross(np.where(polar, np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])), unit))
    return np.stack([east, cross(unit, east)], axis=1)


def trace(tensors: Tensors) -> Vector:
    """The trace [n]: squared rate over all headings."""
    return np.asarray(tensors[:, 0] + tensors[:, 2])


def root_determinant(tensors: Tensors) -> Vector:
    """sqrt(det g) [n]: how much meaning a unit of area holds."""
    return np.sqrt(np.maximum(tensors[:, 0] * tensors[:, 2] - tensors[:, 1] ** 2, 0.0))


def axes(tensors: Tensors) -> tuple[Float64[Reals, "n 2"], Float64[Reals, "n 2 2"]]:
    """Eigenvalues, rising [n, 2], and their directions as columns [n, 2, 2]."""
    matrix = np.stack([tensors[:, [0, 1]], tensors[:, [1, 2]]], axis=1)
    values, vectors = np.linalg.eigh(np.nan_to_num(matrix))
    return np.where(np.isfinite(tensors[:, :1]), values, np.nan), vectors


def anisotropy(tensors: Tensors) -> Vector:
    """How one-sided the metric is [n]: (largest - least) / (largest + least) eigenvalue, 0 round, 1 a line."""
    values = axes(tensors)[0]
    total = values.sum(axis=1)
    return np.asarray(np.divide(values[:, 1] - values[:, 0], total, out=np.zeros(len(total)), where=total > 0))


def _on_triangles(corners: Float64[Reals, "t 3 d"], features: Float64[Reals, "t 3 f"]) -> Float64[Reals, "t dd"]:
    """J^T J of the linear features on triangles, flattened: E+ (dF dF^T) E+^T, E the two edges as rows, E+ its inverse
    (of the globe's chords, in the triangle's own plane)."""
    edges, steps = (values[:, 1:] - values[:, :1] for values in (corners, features))
    gram = np.einsum("tia,tja->tij", edges, edges)
    lift = np.einsum("tia,tij->taj", edges, np.linalg.inv(gram))
    moved = np.einsum("tif,tjf->tij", steps, steps)
    found = np.einsum("tai,tij,tbj->tab", lift, moved, lift)
    return np.asarray(found.reshape(len(found), -1))


def _angles(corners: Float64[Reals, "t 3 d"]) -> Array:
    """Angles of triangles at their corners [t, 3]."""
    onward, back = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    inner = (onward * back).sum(axis=2)
    outer = np.sqrt(np.maximum((onward**2).sum(axis=2) * (back**2).sum(axis=2) - inner**2, 0.0))
    return np.asarray(np.arctan2(outer, inner))
