"""The plane z(a,b) = z0 + a (z1 - z0) + b (z2 - z0), and the globe it is a chart of, in float64.

Renormalised, the plane lies on the sphere of radius `target` inside span(z0, z1, z2) and covers one open hemisphere:
the gnomonic chart. The span is isometric to R3, so a place is a unit vector in R3 and a radius factor of the shell, and
latent distances are Euclidean distances between `points`. Latents are combined element by element and cast last: they
never depend on their batch-mates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt

from latentworld import globe
from latentworld.arrays import (
    Array,
    Directions,
    Float64,
    Indices,
    LatentTensor,
    Mask,
    Radii,
    Reals,
    Unit,
    Units,
    Vector,
    Vertices,
)
from latentworld.errors import GeometryError

if TYPE_CHECKING:
    pass

Norm = Literal["sphere", "global", "raw"]

NEAREST, FARTHEST = 0.05, 3.0  # radius factors that a place may be written with, on either side

_HORIZON = 1e-12  # of its largest vertex weight: a place whose weights sum to less counts as on the horizon
_DEGENERATE = 1e-6  # sine of the angle below which a vertex counts as lying in the span of those before it


@dataclass(frozen=True, eq=False)
class Path:
    """Places of consecutive frames: index int64[n], time float64[n] in s, unit float64[n, 3], radius float64[n]."""

    index: Indices
    time: Vector
    unit: Units
    radius: Radii

    def __post_init__(self) -> None:
        n = len(self.index)
        if (self.time.shape, self.unit.shape, self.radius.shape) != ((n,), (n, 3), (n,)):
            raise GeometryError("A path needs index [n], time [n], unit [n, 3] and radius [n] of one length.")

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False)
class Plane:
    """Three latents and how lengths are set.

    vertices: float64[3, C, H, W], linearly independent. norm, as in the write-up:
    `sphere`: |z| is the mean of the three norms (local target); `global`: |z| is sqrt(d); `raw`: z as the formula gives
    it. In every mode a radius factor multiplies. Raises GeometryError for vertices that span no globe.
    """

    vertices: Vertices
    norm: Norm = "sphere"

    def __post_init__(self) -> None:
        if self.norm not in get_args(Norm):
            raise GeometryError(f"No norm mode {self.norm!r}: choose one of {', '.join(get_args(Norm))}.")
        vertices = np.array(self.vertices, np.float64, order="C")
        if vertices.ndim != 4 or vertices.shape[0] != 3 or vertices.size < 9:
            raise GeometryError(f"Vertices have shape {list(vertices.shape)}: give three latents, [3, C, H, W].")
        if not np.isfinite(vertices).all():
            raise GeometryError("A vertex has values that are not finite: draw or load the vertices again.")
        vertices.flags.writeable = False
        object.__setattr__(self, "vertices", vertices)
        _ = self.corners  # refuses degenerate vertices here, not at the first frame

    @property
    def shape(self) -> tuple[int, int, int]:
        """Latent C, H, W."""
        _, c, h, w = self.vertices.shape
        return c, h, w

    @property
    def dimension(self) -> int:
        """d = C H W."""
        return math.prod(self.shape)

    @cached_property
    def target(self) -> float:
        """Shell radius in latent units: sqrt(d) for `global`, else the mean of the three norms (local_target_norm)."""
        if self.norm == "global":
            return math.sqrt(self.dimension)
        return math.fsum(_length(z) for z in self.vertices) / 3.0

    @cached_property
    def corners(self) -> Float64[Reals, "3 3"]:
        """The vertices in R3, float64[3, 3], lower triangular: Gram-Schmidt with positive diagonal, so that the cell
        z0, z1, z2 lies counter-clockwise seen from outside. Sums are exact (fsum): the same on every machine."""
        corners = np.zeros((3, 3))
        basis: list[Array] = []
        for i, z in enumerate(self.vertices):
            rest = z
            for j, e in enumerate(basis):
                corners[i, j] = _inner(rest, e)
                rest = rest - corners[i, j] * e
            corners[i, i] = _length(rest)
            if corners[i, i] <= _DEGENERATE * _length(z):
                raise GeometryError(
                    f"Vertex z{i} lies in the span of those before it (collinear, equal or zero): choose another seed."
                )
            basis.append(rest / corners[i, i])
        corners.flags.writeable = False
        return corners

    def unit(self, alpha: npt.ArrayLike, beta: npt.ArrayLike) -> Directions:
        """The chart: alpha, beta [...] -> unit [..., 3]. Exact to rounding however large they are.

        Raises GeometryError when a coordinate is not finite.
        """
        a, b = np.broadcast_arrays(np.asarray(alpha, np.float64), np.asarray(beta, np.float64))
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise GeometryError(
                "alpha and beta must be finite: for the horizon itself give a large number such as 1e12."
            )
        # A common power of two changes no direction and no rounding, and lets 1 - a - b stay in range.
        down = -np.frexp(np.maximum(1.0, np.maximum(np.abs(a), np.abs(b))))[1]
        a, b, one = np.ldexp(a, down), np.ldexp(b, down), np.ldexp(1.0, down)
        return globe.normalise(self._combine(one - a - b, a, b))

    def chart(self, unit: npt.ArrayLike) -> tuple[Array, Array, Mask]:
        """Back to alpha, beta [...] and front [...]: on the far side the antipode's alpha, beta, front False.

        Exactly on the horizon alpha and beta are infinite (or 0 where the direction does not move them), front False.
        """
        w0, w1, w2 = self._weights(_checked(unit))
        total = w0 + w1 + w2
        with np.errstate(divide="ignore", invalid="ignore"):
            alpha = np.where((total == 0) & (w1 == 0), 0.0, w1 / total)
            beta = np.where((total == 0) & (w2 == 0), 0.0, w2 / total)
        return alpha, beta, total > 0

    def place(self, alpha: float, beta: float, radius: float = 1.0) -> tuple[Unit, float]:
        """Unit [3] and radius factor of a place as people write it: on the far side, which the chart lacks, with a
        negative radius. (alpha, beta, -1) is the antipode of (alpha, beta).

        Raises GeometryError for a radius whose size is not within 0.05..3, or a coordinate that is not finite.
        """
        check_place(alpha, beta, radius)
        unit = self.unit(alpha, beta)
        return (-unit if radius < 0 else unit), abs(radius)

    def written(self, unit: npt.ArrayLike, radius: float = 1.0) -> tuple[float, float, float]:
        """A place, unit [3], as people write it: alpha, beta and radius, negative on the far side. `place` reads it
        back; the horizon, which no number reaches, is written as a place 1e-12 before it."""
        w0, w1, w2 = (float(w) for w in self._weights(_checked(unit)))
        total, least = w0 + w1 + w2, _HORIZON * max(abs(w0), abs(w1), abs(w2))
        total = total if abs(total) > least else least
        return w1 / total, w2 / total, radius if total > 0 else -radius

    def points(self, unit: npt.ArrayLike, radius: npt.ArrayLike = 1.0) -> Directions:
        """The same places in R3, [..., 3] in latent units: latent distances are Euclidean here.

        Raises GeometryError for a far-side place in `raw`, or a radius that is not finite and positive.
        """
        unit = _checked(unit)
        return unit * (self.target * self._stretch(unit, radius))[..., None]

    def latents(self, unit: npt.ArrayLike, radius: npt.ArrayLike = 1.0) -> LatentTensor:
        """unit [n, 3] or [3], radius [n] or a number -> float32 tensor [n, C, H, W] on the CPU.

        Combined in float64 element by element, cast last: a latent has the same bits in every batch.
        Errors as `points`.
        """
        import torch

        unit = np.atleast_2d(_checked(unit))
        scale = np.broadcast_to(self.target * self._stretch(unit, radius), unit.shape[:1])
        w0, w1, w2 = (w[:, None, None, None] for w in self._weights(unit * scale[:, None]))
        z0, z1, z2 = self.vertices
        return torch.from_numpy((w0 * z0 + w1 * z1 + w2 * z2).astype(np.float32))

    def _combine(self, w0: Array, w1: Array, w2: Array) -> Directions:
        """Vertex weights -> R3: sum of w_i corners_i."""
        c = self.corners
        return np.stack(
            [w0 * c[0, 0] + w1 * c[1, 0] + w2 * c[2, 0], w1 * c[1, 1] + w2 * c[2, 1], w2 * c[2, 2]], axis=-1
        )

    def _weights(self, p: Directions) -> tuple[Array, Array, Array]:
        """R3 -> vertex weights, by back substitution in the triangular corners."""
        c = self.corners
        w2 = p[..., 2] / c[2, 2]
        w1 = (p[..., 1] - w2 * c[2, 1]) / c[1, 1]
        w0 = (p[..., 0] - w1 * c[1, 0] - w2 * c[2, 0]) / c[0, 0]
        return w0, w1, w2

    def _stretch(self, unit: Directions, radius: npt.ArrayLike) -> Array:
        """|z| / target of each place: the radius factor, in `raw` times the length the formula gives."""
        r = np.asarray(radius, np.float64)
        if not np.isfinite(r).all() or (r <= 0).any():
            raise GeometryError("A radius factor must be finite and positive: 1 is the shell, 3 well past it.")
        r = np.broadcast_to(r, np.broadcast_shapes(r.shape, unit.shape[:-1]))
        if self.norm != "raw":
            return r
        total = sum(self._weights(unit))
        if (np.asarray(total) <= 0).any():
            raise GeometryError("The raw plane has no far side: use norm 'sphere' or stay on the front of the chart.")
        # z = unit / total in vertex weights that sum to one, so |z| = 1 / total.
        return np.asarray(r / (total * self.target), np.float64)


def check_place(alpha: float, beta: float, radius: float) -> None:
    """Refuse numbers that are no place on any plane, before there is one. Raises GeometryError; see `Plane.place`."""
    if not (math.isfinite(alpha) and math.isfinite(beta)):
        raise GeometryError("alpha and beta must be finite: for the horizon itself give a large number such as 1e12.")
    if not NEAREST <= abs(radius) <= FARTHEST:
        span = f"{NEAREST:g} to {FARTHEST:g}"
        raise GeometryError(f"A radius of {radius:g} is no place: give {span}, or -{FARTHEST:g} to -{NEAREST:g}.")


def _inner(a: Array, b: Array) -> float:
    return math.fsum((a * b).ravel().tolist())


def _length(a: Array) -> float:
    return math.sqrt(_inner(a, a))


def _checked(unit: npt.ArrayLike) -> Directions:
    u = np.asarray(unit, np.float64)
    if u.ndim == 0 or u.shape[-1] != 3 or not (np.abs(globe.dot(u, u) - 1.0) < 1e-6).all():
        raise GeometryError("A place must be unit vectors [n, 3]: pass them through globe.normalise.")
    return u
