"""A world without weights, whose rifts are known: a Gaussian-mixture score under DDIM (eta = 0).

The data are p(x_0) = 1/k sum_i N(m_i, sigma^2 I) in the three dimensions of span(z0, z1, z2), in *world units*: the
modes m_i are unit vectors, and a latent on the shell has norm sqrt(3), a typical norm of the prior N(0, I_3). Under the
variance-preserving schedule the score is closed form, so the map from noise to data and its derivative are exact in
float64. Where two modes are mirror images in the whole set, the rift between them is their perpendicular bisector: for
regular solids the rift set is exactly the modes' Voronoi diagram. Other sets bend it (at sigma = .1 and 8 irregular
modes 5% of the globe lies on the other side); there `basin` is the truth. docs/sources.md has the toy it comes from,
which the same code reproduces in one dimension.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentworld.arrays import Array, Integers, Units
from latentworld.decoding.batches import check_latents, check_pictures
from latentworld.decoding.decoder import Progress, Watch
from latentworld.decoding.figures import Figures
from latentworld.decoding.profile import Profile, Versions
from latentworld.decoding.settings import DecoderSettings
from latentworld.errors import GeometryError, PresetError, WorldMismatch
from latentworld.globe import normalise
from latentworld.plane import Plane
from latentworld.prompts import Prompt

if TYPE_CHECKING:
    from torch import Tensor


SHAPE = (4, 16, 16)  # of the latents that span its plane: any would do, for only their span is looked at
SHELL = np.sqrt(3.0)  # world units: the typical norm of a sample of N(0, I_3)
DIM = 2.0**-10  # under half a byte, so that the pixel is black; a power of two, which costs no bit
RANGE = (
    16.0  # x_0 is written into a pixel as DIM (1/2 + x_0 / RANGE); |x_0| <= 4 at three times the shell and sigma = .5
)


def alphas(steps: int) -> Array:
    """Cumulative alphas a_T .. a_0 of Stable Diffusion 1.5's DDIM, [steps + 1], rising.

    Scaled-linear betas, "leading" spacing, steps_offset 1, set_alpha_to_one False: the only one of sixteen usual
    configurations that gives the digits of docs/sources.md (35.1, 533, 4.74e4 at sigma = .3, .2, .1).
    """
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    cumulative = np.cumprod(1 - betas)
    times = np.arange(steps)[::-1] * (1000 // steps) + 1
    return np.append(cumulative[np.minimum(times, 999)], cumulative[0])


@dataclass(frozen=True)
class Mixture:
    """1/k sum_i N(m_i, sigma^2 I): modes [k, m], sigma > 0, sampled by `steps` DDIM steps (1..1000)."""

    modes: Array
    sigma: float
    steps: int = 50

    def __post_init__(self) -> None:
        modes = np.array(self.modes, dtype=np.float64)
        if modes.ndim != 2 or len(modes) < 1 or not np.isfinite(modes).all():
            raise GeometryError(f"modes must be a finite array [k, m], not of shape {modes.shape}: give one row a mode")
        if not (np.isfinite(self.sigma) and self.sigma > 0):
            raise GeometryError(f"sigma must be above 0, not {self.sigma}: try 0.2")
        if not 1 <= self.steps <= 1000:
            raise GeometryError(f"steps must lie in 1..1000, not {self.steps}: try 50")
        modes.setflags(write=False)
        object.__setattr__(self, "modes", modes)

    @cached_property
    def _coefficients(self) -> Array:
        """Per step [steps, 4]: p, q, c, v of x <- p x - q m(x), m(x) = sum_i r_i m_i, r = softmax(c <x, m_i> - ...).

        With s = sqrt(a), n = sqrt(1 - a), v = a sigma^2 + n^2: the score is -(x - s m)/v, epsilon = -n score, and
        DDIM takes x to A x + B epsilon with A = sqrt(a'/a), B = sqrt(1 - a') - A n.
        """
        a, after = alphas(self.steps)[:-1], alphas(self.steps)[1:]
        s, n, v = np.sqrt(a), np.sqrt(1 - a), a * self.sigma**2 + 1 - a
        A = np.sqrt(after / a)
        B = np.sqrt(1 - after) - A * n
        return np.stack([A + B * n / v, B * n * s / v, s / v, v], axis=1)

    @cached_property
    def _squares(self) -> Array:
        return np.asarray((self.modes**2).sum(axis=1, keepdims=True))

    def _responsibilities(self, x: Array, c: float, v: float) -> Array:
        """Posterior r [k, n] of the modes at x [m, n]; elementwise, so a column never depends on its neighbours."""
        s = c * v  # products and sums over an axis, no BLAS: its rounding may depend on the size of the batch
        logits = (c * self.modes[:, :, None] * x).sum(axis=1) - s * s / (2 * v) * self._squares
        r = np.exp(logits - logits.max(axis=0))
        return np.asarray(r / r.sum(axis=0))

    def step(self, x: Array, index: int) -> Array:
        """One DDIM step on x [m, n] in float64."""
        p, q, c, v = self._coefficients[index]
        r = self._responsibilities(x, c, v)
        mean = (r[:, None] * self.modes[:, :, None]).sum(axis=0)
        return np.asarray(p * x - q * mean)

    def flow(self, x: ArrayLike) -> Array:
        """Noise x_T [n, m] to data x_0 [n, m], float64."""
        columns = np.asarray(x, dtype=np.float64).T
        for index in range(self.steps):
            columns = self.step(columns, index)
        return columns.T

    def jacobian(self, x: ArrayLike) -> Array:
        """d x_0 / d x_T at x [n, m]: [n, m, m], exact (a product over the steps of p I - q c Cov_r(m))."""
        columns = np.asarray(x, dtype=np.float64).T
        dimension, count = columns.shape
        jacobian = np.repeat(np.eye(dimension)[None], count, axis=0)
        for index, (p, q, c, v) in enumerate(self._coefficients):
            r = self._responsibilities(columns, c, v)
            mean = np.einsum("kn,km->nm", r, self.modes)
            covariance = np.einsum("kn,ka,kb->nab", r, self.modes, self.modes) - mean[:, :, None] * mean[:, None]
            jacobian = p * jacobian - q * c * covariance @ jacobian
            columns = self.step(columns, index)
        return jacobian


def lattice_modes(count: int, seed: int = 0) -> Array:
    """`count` well-spaced, irregular unit vectors [count, 3]: a Fibonacci lattice, jittered and rotated by `seed`."""
    random = np.random.default_rng(seed)
    height = 1 - (2 * np.arange(count) + 1) / count
    longitude = np.pi * (3 - np.sqrt(5.0)) * np.arange(count)
    ring = np.sqrt(1 - height**2)
    lattice = np.stack([ring * np.cos(longitude), ring * np.sin(longitude), height], axis=1)
    lattice += random.normal(scale=0.35 / np.sqrt(count), size=lattice.shape)
    return _rotated(lattice, random)


def regular_modes(count: int, seed: int = 0) -> Array:
    """The vertices [count, 3] of a regular solid, rotated by `seed`: their rift set is exactly their Voronoi diagram.

    `count` is 2 (two poles), 4, 6, 8 or 12; raises GeometryError otherwise.
    """
    signs = np.array(list(product((-1.0, 1.0), repeat=3)))
    golden = (1 + np.sqrt(5.0)) / 2
    octahedron = np.concatenate([np.eye(3), -np.eye(3)])
    icosahedron = [np.roll([0, a, b * golden], turn) for a, b, turn in product((-1, 1), (-1, 1), range(3))]
    solids = {2: octahedron[[0, 3]], 4: signs[signs.prod(axis=1) > 0], 6: octahedron, 8: signs, 12: icosahedron}
    if count not in solids:
        raise GeometryError(f"no regular solid has {count} vertices: choose 2, 4, 6, 8 or 12, or use lattice_modes")
    return _rotated(np.array(solids[count]), np.random.default_rng(seed))


def _rotated(places: Array, random: np.random.Generator) -> Array:
    rotation, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return normalise(places @ rotation)


@dataclass(frozen=True)
class AnalyticDecoder:
    """Implements `Decoder` for the mixture world on one plane.

    Pictures have the latents' dtype: float32 for float32 latents, as in the contract, and float64 for float64 latents,
    which only this decoder takes, so that a Lipschitz constant of 2.4e6 can be measured. Pixel (0, 0) carries x_0
    linearly for `AnalyticEye`; every operation is elementwise, so a picture never depends on its batch-mates and a
    batch needs no padding.
    """

    plane: Plane
    mixture: Mixture
    size: tuple[int, int] = (128, 128)
    batch: int = 16
    seed: int = 0  # of the figures and colours

    def __post_init__(self) -> None:
        if self.mixture.modes.shape[1] != 3:
            raise WorldMismatch("an analytic world lives in three dimensions: give modes of shape [k, 3]")
        if min(self.size) < 2 or self.batch < 1:
            raise WorldMismatch(f"size {self.size} and batch {self.batch} must be at least 2 and 1")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Latent (C, H, W), the plane's."""
        return self.plane.shape

    @cached_property
    def profile(self) -> Profile:
        """What a picture depends on beside its position."""
        import torch

        settings = f"{self.plane.norm} {self.mixture.sigma} {self.size} {self.seed} {DIM}".encode()
        parts = (self.mixture.modes.tobytes(), self.plane.vertices.tobytes(), settings)
        return Profile(
            kind="analytic",
            world=hashlib.sha256(b"".join(parts)).hexdigest()[:16],
            device="cpu",
            dtype="float64",
            batch=self.batch,
            steps=self.mixture.steps,
            guidance=1.0,
            engine="numpy",
            family="analytic",
            size=self.size,
            versions=Versions(torch=torch.__version__),
        )

    @property
    def settings(self) -> DecoderSettings:
        """What it is made from; the mixture and the plane are its world."""
        return DecoderSettings("analytic", self.mixture.steps, batch=self.batch, size=self.size)

    @property
    def rows(self) -> int:
        """One: it knows no guidance."""
        return 1

    @property
    def warm(self) -> bool:
        """Always: nothing is built."""
        return True

    def has(self, settings: DecoderSettings) -> bool:
        """Always: there are no networks."""
        return True

    def fits(self, prompt: Prompt) -> bool:
        """Always."""
        return True

    def fit(self, prompt: Prompt) -> None:
        """Nothing is lacking."""

    @property
    def texts(self) -> None:
        """None: it reads no texts."""
        return

    def variant(self, settings: DecoderSettings) -> AnalyticDecoder:
        """The same mixture in other steps, batches or sizes. Raises PresetError for any other setting."""
        size = settings.size
        made = replace(self, mixture=replace(self.mixture, steps=settings.steps), batch=settings.batch, size=size)
        if made.settings != settings:
            raise PresetError("the analytic world has steps, batch and size, and no other settings: leave them out")
        return made

    def on(self, plane: Plane) -> AnalyticDecoder:
        """The same mixture, laid over another plane."""
        return self if plane is self.plane else replace(self, plane=plane)

    @cached_property
    def _basis(self) -> Array:
        """The plane's orthonormal basis [3, C*H*W], scaled so that it reads latents in world units."""
        orthonormal = np.linalg.solve(self.plane.corners, self.plane.vertices.reshape(3, -1))
        return np.asarray(orthonormal * (SHELL / self.plane.target))

    @cached_property
    def _figures(self) -> Figures:
        return Figures.seeded(self.mixture.modes, self.mixture.sigma, self.size, self.seed)

    def world_points(self, latents: NDArray[np.floating]) -> Units:
        """Latents [n, C, H, W] in world units [n, 3], float64."""
        flat = latents.reshape(len(latents), -1).astype(np.float64)
        return np.stack([(flat * axis).sum(axis=1) for axis in self._basis], axis=1)

    def __call__(
        self, latents: Tensor, prompt: Prompt | None = None, watch: Watch | None = None, *, stay: bool = False
    ) -> Tensor:
        """Latents [n, C, H, W] (float32 or float64, CPU) to pictures [n, 3, h, w] in 0..1 of the same dtype.

        Raises DecodeError on latents of another shape, NotFinite on such numbers, Cancelled when `watch` answers False.
        """
        import torch

        check_latents(latents, self.shape)
        dtype = torch.float64 if latents.dtype == torch.float64 else torch.float32
        pictures = torch.empty((len(latents), 3, *self.size), dtype=dtype)
        progress = Progress(watch, -(-len(latents) // self.batch) * self.mixture.steps)
        for start in range(0, len(latents), self.batch):
            x = self.world_points(latents[start : start + self.batch].numpy()).T
            for index in range(self.mixture.steps):
                x = self.mixture.step(x, index)
                progress.step()
            chunk = pictures[start : start + self.batch]
            chunk[:] = torch.from_numpy(self._figures.draw(x.T))
            chunk[:, :, 0, 0] = torch.from_numpy(np.clip(0.5 + x.T / RANGE, 0, 1)) * DIM
        check_pictures(pictures, "the analytic world", "give finite latents")
        return pictures

    # The truth, for tests and for the atlas

    def true_rate(self, unit: Array, radius: ArrayLike = 1.0, heading: Array | None = None) -> Array:
        """Exact feature distance per latent distance at unit [n, 3], for motion on the shell [n].

        Along `heading` [n, 3] (unit tangents), or without it the steepest over all headings: the operator norm of the
        derivative on the tangent plane. The limit of `AnalyticEye` features over `Plane.points`, step to 0.
        """
        radius = np.asarray(radius, dtype=np.float64)
        scale = SHELL / self.plane.target
        jacobian = self.mixture.jacobian(unit * (radius[..., None] * SHELL)) * scale
        if heading is not None:
            return np.asarray(np.linalg.norm(np.einsum("nab,nb->na", jacobian, heading), axis=1))
        tangential = jacobian @ (np.eye(3) - unit[:, :, None] * unit[:, None])
        return np.asarray(np.linalg.norm(tangential, ord=2, axis=(1, 2)))

    def basin(self, unit: Array, radius: ArrayLike = 1.0) -> Integers:
        """The mode nearest to where the flow really ends [n]."""
        x = self.mixture.flow(unit * (np.asarray(radius, dtype=np.float64)[..., None] * SHELL))
        return np.asarray(np.linalg.norm(x[:, None] - self.mixture.modes, axis=2).argmin(axis=1), dtype=np.int64)

    def rift_distance(self, unit: Array) -> Array:
        """Angle (rad) from unit [n, 3] to the nearest Voronoi boundary of the modes [n]; inf with one mode.

        The true rift for `regular_modes`. A cell is an intersection of hemispheres, so the nearest bisecting great
        circle is the nearest boundary.
        """
        modes = self.mixture.modes
        nearest = (unit @ modes.T).argmax(axis=1)
        normal = modes[nearest][:, None] - modes
        length = np.linalg.norm(normal, axis=2)
        sine = np.einsum("na,nka->nk", unit, normal) / np.where(length > 0, length, 1)
        return np.asarray(np.where(length > 0, np.arcsin(np.clip(sine, -1, 1)), np.inf).min(axis=1))


@dataclass(frozen=True)
class AnalyticEye:
    """Implements `Eye` by reading x_0 back from pixel (0, 0): features [n, 3] in the pictures' dtype.

    Features are x_0 itself (modes at norm 1), not normalised: a normalised x_0 would lose the rate inside a mode.
    In float32 pictures they carry a rounding of 16 * 2^-25 = 5e-7, the floor of this eye.
    """

    dimension: int = 3

    def __call__(self, pictures: Tensor) -> Tensor:
        """Pictures [n, 3, h, w] of an `AnalyticDecoder` to features [n, 3]."""
        return (pictures[:, :, 0, 0] / DIM - 0.5) * RANGE

    def batched(self, batch: int) -> AnalyticEye:
        """Itself: every picture is read alone."""
        return self

    def texts(self, words: Sequence[str]) -> NoReturn:
        """Raises WorldMismatch: it knows no words."""
        raise WorldMismatch("this world's eye knows no words: use a world with a CLIP")

    def labels(self, words: Sequence[str]) -> NoReturn:
        """Raises WorldMismatch: it knows no words."""
        raise WorldMismatch("this world's eye knows no words: leave the words out, and phases are found by clusters")


def analytic(
    plane: Plane,
    modes: int | Array = 12,
    sigma: float = 0.1,
    seed: int = 0,
    steps: int = 50,
    size: tuple[int, int] = (128, 128),
    batch: int = 16,
) -> AnalyticDecoder:
    """The analytic world on a plane: `modes` unit vectors [k, 3], or a regular solid's 2, 4, 6, 8 or 12."""
    places = regular_modes(modes, seed) if isinstance(modes, int) else normalise(modes)
    return AnalyticDecoder(plane, Mixture(places, sigma, steps), size, batch, seed)
