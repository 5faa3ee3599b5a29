"""Posteriors over the places of a survey: how well each place's picture would do for that of another.

A row q_k(j) ~ area_j K(f_j, f_k) says where on the map the picture of place k could have been made. Kernels:

::

    gauss   exp(-c/2 |f_j - f_k|^2)                      c, the sharpness, in inverse squares of feature distance
    paper   exp(-c/2 sqrt(|f_j - f_k|^2 + 2e-5))         as Lobashev et al. 2025 have it in their code, with c = 20

For unit features |f_j - f_k|^2 is 2 - 2 cos, so `gauss` is the paper's equation 19 with N = c; what its code computes
has a cusp at f_j = f_k, where a Hessian does not exist: offered for comparison.

Places are binned where a fit would otherwise be too large: 60,000 places against themselves are 29 GB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from latentworld.arrays import Features, Float64, Indices, Int64, Reals, Vector, Wholes
from latentworld.atlas.sampling import Globe
from latentworld.atlas.types import Atlas, Mesh
from latentworld.errors import AtlasError
from latentworld.extras import need

Kernel = Literal["gauss", "paper"]

ROWS = 640  # posteriors that a fit looks at: twice as many change the metric of a 64 x 64 survey by under 1%
SIDE = 64  # bins a side
STRIP = 2**22  # numbers worked on at a time
FEWEST = 16  # places that a fit needs
CUSP = 2e-5  # of the paper's code, |f_j - f_k|^2 at which it is rounded off
NARROW = 3.0  # places that a row should be spread over


@dataclass(frozen=True, eq=False)
class Posteriors:
    """r rows over m bins of the window: at [m, 2] the bins' middles in 0..1, area [m] their shares of the window, begin
    [r, 2] where each row's own place lies, rows [r, m], each summing to 1; spread: median number of places a row is
    spread over, exp of its entropy at equal areas."""

    at: Float64[Reals, "m 2"]
    area: Float64[Reals, " m"]
    begin: Float64[Reals, "r 2"]
    rows: Float64[Reals, "r m"]
    spread: float


def kernel_of(name: str) -> Kernel:
    """The kernel of that name. Raises AtlasError for another."""
    kernels: tuple[Kernel, ...] = get_args(Kernel)
    if name not in kernels:
        raise AtlasError(f"no kernel {name!r}: choose one of {', '.join(kernels)}")
    return next(kernel for kernel in kernels if kernel == name)


def from_atlas(atlas: Atlas, mesh: Mesh, sharpness: float, kernel: Kernel = "gauss", rows: int = ROWS) -> Posteriors:
    """Posteriors of up to `rows` places of a window.

    Raises AtlasError for a survey of the globe, for fewer than 16 places, for features without contrast or that are not
    finite, and for a sharpness that is not positive.
    """
    if isinstance(atlas.sampling, Globe):
        raise AtlasError(
            "log Z is fitted in alpha and beta, which are no affine coordinates of the globe: leave --kernel out and "
            "take the pull-back metric, or survey a window"
        )
    if not (np.isfinite(sharpness) and sharpness > 0):
        raise AtlasError(f"a sharpness of {sharpness:g} tells no place from another: give one above 0, such as 20")
    check(atlas)
    return of_features(unit_square(atlas), areas(atlas, mesh), atlas.features, sharpness, kernel, rows)


def check(atlas: Atlas) -> None:
    """Refuse what has no metric. Raises AtlasError."""
    if len(atlas) < FEWEST:
        raise AtlasError(f"{len(atlas)} places are too few for a metric: survey {FEWEST} or more")
    if not np.isfinite(atlas.features).all():
        raise AtlasError("the atlas has features that are not finite: survey those places again")
    contrast = float(np.linalg.norm(atlas.features - atlas.features.mean(axis=0, dtype=np.float64), axis=1).max())
    floor = 0.0 if atlas.floor is None else 3 * atlas.floor.jitter
    if contrast <= max(floor, 1e-6 * float(np.linalg.norm(atlas.features, axis=1).max())):
        raise AtlasError(
            f"no contrast above the floor: features differ by {contrast:.2g} at most, so there is one phase and no "
            "metric; survey a wider window"
        )


def unit_square(atlas: Atlas) -> Float64[Reals, "n 2"]:
    """Where the places of a window lie in it, 0..1."""
    window = atlas.sampling
    assert not isinstance(window, Globe)
    low = np.array([window.alpha[0], window.beta[0]])
    width = np.array([window.alpha[1], window.beta[1]]) - low
    return np.asarray((atlas.coordinates - low) / width)


def areas(atlas: Atlas, mesh: Mesh) -> Vector:
    """Share of the window that each place stands for [n]: a third of its triangles, so that a survey refined in parts
    weighs every part alike. Equal where no triangle has an area."""
    corners = unit_square(atlas)[mesh.triangles]
    (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    third = np.abs(ax * by - ay * bx) / 6
    area = np.asarray(np.bincount(mesh.triangles.ravel(), np.repeat(third, 3), len(atlas)), np.float64)
    return np.full(len(atlas), 1.0 / len(atlas)) if area.sum() <= 0 else area / area.sum()


def of_features(
    places: Float64[Reals, "n 2"],
    area: Vector,
    features: Features,
    sharpness: float,
    kernel: Kernel = "gauss",
    rows: int = ROWS,
) -> Posteriors:
    """The same of places in the unit square with features [n, F]."""
    bins, at, share = binned(places, area)
    chosen = _scattered(places, rows)
    found, spread = np.empty((len(chosen), len(at))), np.empty(len(chosen))
    sorted_by = np.argsort(bins, kind="stable")
    starts = np.searchsorted(bins[sorted_by], np.arange(len(at)))
    wide = features.astype(np.float64)
    half = (wide**2).sum(axis=1) / 2
    height = max(1, STRIP // len(places))
    for start in range(0, len(chosen), height):
        part = chosen[start : start + height]
        near = wide[part] @ wide.T
        apart = np.maximum(2 * (half[part, None] + half - near), 0.0)
        weight = np.exp(-sharpness / 2 * (apart if kernel == "gauss" else np.sqrt(apart + CUSP)))
        spread[start : start + height] = _spread(weight)
        found[start : start + height] = np.add.reduceat((weight * area)[:, sorted_by], starts, axis=1)
    found /= found.sum(axis=1, keepdims=True)
    return Posteriors(at, share, places[chosen], found, float(np.median(spread)))


def binned(places: Float64[Reals, "n 2"], area: Vector) -> tuple[Indices, Float64[Reals, "m 2"], Float64[Reals, " m"]]:
    """The bin of each place [n], the bins' middles by area [m, 2] and their areas [m]; a bin a place where they are no
    more than `SIDE` squared. Bins without an area are left out with their neighbours' middles unchanged."""
    if len(places) <= SIDE**2:
        area = np.maximum(area, 1e-3 / len(places))
        return np.arange(len(places)), places, area / area.sum()
    cell = np.minimum((places * SIDE).astype(np.int64), SIDE - 1) @ np.array([SIDE, 1])
    _, bins = np.unique(np.clip(cell, 0, SIDE**2 - 1), return_inverse=True)
    weight = np.maximum(area, 1e-3 / len(places))
    total = np.bincount(bins, weight)
    middles = np.stack([np.bincount(bins, weight * axis) for axis in places.T], axis=1) / total[:, None]
    return bins.astype(np.int64), middles, np.asarray(total / total.sum(), np.float64)


def _scattered(places: Float64[Reals, "n 2"], rows: int) -> Int64[Wholes, " r"]:
    """All places, or of many those next to a Sobol sequence: evenly taken ones would lie on a few lines of a grid."""
    if len(places) <= rows:
        return np.arange(len(places))
    spots = need("scipy.stats").qmc.Sobol(2, scramble=False).random_base2(int(np.ceil(np.log2(rows))))[:rows]
    tree = need("scipy.spatial").cKDTree(places)
    return np.unique(tree.query(spots)[1]).astype(np.int64)


def _spread(weight: Float64[Reals, "r n"]) -> Float64[Reals, " r"]:
    """Over how many places each row is spread [r]: exp of the entropy."""
    share = weight / weight.sum(axis=1, keepdims=True)
    return np.asarray(np.exp(-(share * np.log(np.maximum(share, 1e-300))).sum(axis=1)))
