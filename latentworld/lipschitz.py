"""The Lipschitz value: how far meaning moves for a step of the latent. L = |E_i - E_j| / |z_i - z_j|.

Distances are Euclidean: of features in the eye's space, of latents in span(z0, z1, z2) (`Plane.points`). A rate depends
on its step, since L grows on a rift as the step shrinks, and it has a floor: below it one measures the rounding of the
render profile. So a rate is stated with both (docs/sources.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from latentworld.arrays import Array, Float64, Radii, Reals, Unit, Units, Vector
from latentworld.errors import GeometryError

if TYPE_CHECKING:
    from torch import Tensor


Lookout = Callable[[Units, Radii], "Tensor"]
"""Positions (units [n, 3], radii [n]) to features [n, F], through a decoder and an eye."""

FLAT = 1e-6  # squared sine between the axes of a grid below which they count as one direction


@dataclass(frozen=True)
class Rates:
    """Of consecutive frames, [n] each: feature distance, latent distance to the frame before, and their ratio.

    All three are NaN for the first frame ever; the rate is NaN where the latent distance is 0.
    """

    step: Vector
    distance: Vector
    rate: Vector

    def __len__(self) -> int:
        return len(self.rate)


@dataclass(frozen=True)
class Trail:
    """Where the last frame left off: features [F] and point [3]."""

    features: Float64[Reals, " f"]
    point: Unit


def along(features: Tensor | ArrayLike, points: ArrayLike, before: Trail | None = None) -> tuple[Rates, Trail | None]:
    """Rates along a path: features [n, F], points [n, 3] (latent units), and the trail of the batch before.

    Returns the rates [n] and the trail to hand to the next call; n = 0 returns `before`. A trail of another eye, whose
    features have another length, tells nothing: the first frame is then as the first ever.
    Raises GeometryError when features and points do not pair up.
    """
    f, p = np.asarray(features, dtype=np.float64), np.asarray(points, dtype=np.float64)
    if f.ndim != 2 or p.shape != (len(f), 3):
        raise GeometryError(f"features {f.shape} and points {p.shape} do not pair up: give [n, F] and [n, 3]")
    if len(f) == 0:
        return Rates(*np.empty((3, 0))), before
    known = before is not None and before.features.shape == f.shape[1:]
    last = before if before is not None and known else Trail(np.full(f.shape[1], np.nan), np.full(3, np.nan))
    # One expression for every frame, so that a path cut elsewhere has the same bits.
    step = np.linalg.norm(np.diff(f, axis=0, prepend=last.features[None]), axis=1)
    distance = np.linalg.norm(np.diff(p, axis=0, prepend=last.point[None]), axis=1)
    return Rates(step, distance, ratio(step, distance)), Trail(f[-1].copy(), p[-1].copy())


def ratio(step: ArrayLike, distance: ArrayLike) -> Array:
    """Feature distance over latent distance, NaN where nothing was walked."""
    step, distance = np.asarray(step, dtype=np.float64), np.asarray(distance, dtype=np.float64)
    return np.asarray(np.divide(step, distance, out=np.full(step.shape, np.nan), where=distance > 0))


def on_grid(features: Tensor | ArrayLike, points: ArrayLike) -> Float64[Reals, "n m"]:
    """Gradient magnitude of features [n, m, F] at points [n, m, 3] of a grid: [n, m], per latent distance.

    At each node, the mean over its (up to four) quadrants of |grad f| = sqrt(tr(G^-1 F)): with the two edges a, b of a
    quadrant, G = (p_a.p_a, p_a.p_b; ., p_b.p_b) from points and F likewise from features. So skew axes, which the
    chart has everywhere, are measured truly; where the edges are parallel (the chart's horizon) the larger edge rate
    is taken. A row or a column (n or m = 1) gives mean edge rates. Raises GeometryError on other shapes or one point.
    """
    f, p = np.asarray(features, dtype=np.float64), np.asarray(points, dtype=np.float64)
    if f.ndim != 3 or p.shape != (*f.shape[:2], 3) or f.shape[0] * f.shape[1] < 2:
        raise GeometryError(f"a field needs features [n, m, F] and points [n, m, 3], two or more: {f.shape}, {p.shape}")
    if 1 in f.shape[:2]:
        return _on_line(f.reshape(-1, f.shape[2]), p.reshape(-1, 3)).reshape(f.shape[:2])
    fa, fb, pa, pb = np.diff(f, axis=0), np.diff(f, axis=1), np.diff(p, axis=0), np.diff(p, axis=1)
    total, count = np.zeros(f.shape[:2]), np.zeros(f.shape[:2])
    low, high = slice(None, -1), slice(1, None)
    for rows in (low, high):  # the corner of each cell that is the node: its a-edge lies in column `columns`, ...
        for columns in (low, high):
            total[rows, columns] += gradient(fa[:, columns], fb[rows], pa[:, columns], pb[rows])
            count[rows, columns] += 1
    return np.asarray(total / count)


def gradient(
    fa: Float64[Reals, "*n f"], fb: Float64[Reals, "*n f"], pa: Float64[Reals, "*n 3"], pb: Float64[Reals, "*n 3"]
) -> Float64[Reals, "*n"]:
    """|grad f| [...] of the linear features on a triangle: sqrt(tr(G^-1 F)) of two of its edges.

    fa, fb: the feature differences [..., F] along edges a and b; pa, pb: their latent differences [..., 3]. Where the
    edges are parallel, the larger edge rate; NaN where neither has a length.
    """
    g11, g12, g22 = (np.einsum("...i,...i->...", u, v) for u, v in ((pa, pa), (pa, pb), (pb, pb)))
    f11, f12, f22 = (np.einsum("...i,...i->...", u, v) for u, v in ((fa, fa), (fa, fb), (fb, fb)))
    determinant = g11 * g22 - g12 * g12
    flat = determinant <= FLAT * g11 * g22
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = (f11 * g22 - 2 * f12 * g12 + f22 * g11) / determinant
        edges = np.fmax(f11 / g11, f22 / g22)  # NaN only where both edges have no length
    return np.asarray(np.sqrt(np.maximum(np.where(flat, edges, squared), 0)))


def _on_line(f: Float64[Reals, "n f"], p: Units) -> Vector:
    """Mean of the edge rates on both sides of each point of a line [n]."""
    rate = ratio(np.linalg.norm(np.diff(f, axis=0), axis=1), np.linalg.norm(np.diff(p, axis=0), axis=1))
    return np.asarray((np.append(rate[:1], rate) + np.append(rate, rate[-1:])) / 2)


@dataclass(frozen=True)
class Floor:
    """What a profile adds to every feature distance at one place.

    `repeat`: root-mean-square feature distance between renderings of the same latent in different slots of a batch
    (0 when padded batches keep their promise); `rounding`: between latents whose positions differ by less than float32
    can tell. `jitter` is the larger: a feature distance below it says nothing.
    """

    repeat: float
    rounding: float

    @property
    def jitter(self) -> float:
        """Feature distance."""
        return max(self.repeat, self.rounding)

    def rate(self, distance: ArrayLike) -> Array:
        """The least rate that can be told from nothing at a step of this latent distance [...]."""
        return np.asarray(self.jitter / np.asarray(distance, dtype=np.float64))


def noise_floor(
    lookout: Lookout, unit: ArrayLike, radius: float = 1.0, repeats: int = 8, spread: float = 2.0**-24
) -> Floor:
    """The floor at one place: `unit` [3] is rendered 2 x `repeats` + 1 times in one call (repeats >= 2).

    The repeats take different slots; the others lie on a circle of `spread` radians about the place: at 2^-24, half a
    unit in the last place of float32, latents there differ by nothing but how they round. On a rift the world amplifies
    that rounding, so the floor is a property of the place too. Deterministic.
    """
    if repeats < 2:
        raise GeometryError(f"a noise floor needs 2 repeats or more, not {repeats}")
    u = np.asarray(unit, dtype=np.float64)
    u = u / np.linalg.norm(u)
    across = np.cross(u, np.eye(3)[np.abs(u).argmin()])
    across /= np.linalg.norm(across)
    turn = 2 * np.pi * np.arange(repeats)[:, None] / repeats
    near = u + spread * (np.cos(turn) * across + np.sin(turn) * np.cross(u, across))
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    woven = np.stack([near, np.broadcast_to(u, near.shape)], axis=1).reshape(-1, 3)  # repeats in every other slot
    units = np.concatenate([u[None], woven])
    features = np.asarray(lookout(units, np.full(len(units), radius)), dtype=np.float64)
    squared = ((features[1:] - features[0]) ** 2).sum(axis=1)
    return Floor(repeat=float(np.sqrt(squared[1::2].mean())), rounding=float(np.sqrt(squared[::2].mean())))
