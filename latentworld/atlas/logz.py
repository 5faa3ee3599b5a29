"""log Z of a plane: a log-partition function of alpha and beta, fitted to posteriors over the places of a survey.

log Z(t) = tau log sum_m exp((<a_m, t> + b_m) / tau), t in the unit square of the window. That is the log-partition
function of a discrete exponential family, so it is convex whatever its numbers are; its gradient is the atoms' mean
under p_m ~ exp((<a_m, t> + b_m) / tau), and its Hessian, the Fisher metric, their covariance over tau: closed forms,
and positive semidefinite everywhere. It is fitted as Lobashev et al. 2025 fit their network: posterior rows q_k against
softmax_j N (<grad log Z(t_k), t_j> - log Z(t_j)), by their Kullback-Leibler divergence. Why a sum of atoms and not a
network: docs/decisions/0027.

With posteriors of features (`posterior.from_atlas`) and N the kernel's sharpness, the Hessian tends to the features'
pull-back metric J^T J as the sharpness grows: the Fisher metric of the CLIP route is the pull-back made a Hessian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latentworld.arrays import Array, Float64, Reals
from latentworld.atlas.posterior import Posteriors
from latentworld.errors import AtlasError
from latentworld.extras import need

TEMPERATURE = 0.02  # tau at the start; it is fitted with the atoms
CURVED = 1.0  # of |t - 1/2|^2 / 2, whose tangents are the first atoms
ITERATIONS = 250
MEMORY = 20  # of L-BFGS-B
LEAST, MOST = 1e-4, 1.0  # tau


@dataclass(frozen=True, eq=False)
class LogZ:
    """log Z over the unit square: atoms [m, 2], heights [m], tau > 0."""

    atoms: Float64[Reals, "m 2"]
    heights: Float64[Reals, " m"]
    tau: float

    def __post_init__(self) -> None:
        if self.atoms.shape != (len(self.heights), 2) or not len(self.heights) or not self.tau > 0:
            raise AtlasError(f"log Z needs atoms [m, 2], heights [m] and tau above 0, not {self.atoms.shape}: fit anew")

    def value(self, t: Float64[Reals, "n 2"]) -> Float64[Reals, " n"]:
        """log Z [n]."""
        return self._at(t)[0]

    def gradient(self, t: Float64[Reals, "n 2"]) -> Float64[Reals, "n 2"]:
        """Its gradient [n, 2]: the order parameter, constant inside a phase."""
        return np.asarray(self._at(t)[1] @ self.atoms)

    def metric(self, t: Float64[Reals, "n 2"]) -> Float64[Reals, "n 2 2"]:
        """Its Hessian [n, 2, 2], positive semidefinite: summed as a covariance, not as a difference of moments."""
        p = self._at(t)[1]
        away = self.atoms[None] - (p @ self.atoms)[:, None]
        return np.asarray(np.einsum("nm,nma,nmb->nab", p, away, away) / self.tau)

    def slope(self, t: Float64[Reals, "n 2"]) -> Float64[Reals, "n 2 2 2"]:
        """The metric's derivative [n, 2, 2, 2], the third cumulant over tau squared; symmetric in all three."""
        p = self._at(t)[1]
        away = self.atoms[None] - (p @ self.atoms)[:, None]
        return np.asarray(np.einsum("nm,nma,nmb,nmc->nabc", p, away, away, away) / self.tau**2)

    def _at(self, t: Float64[Reals, "n 2"]) -> tuple[Float64[Reals, " n"], Float64[Reals, "n m"]]:
        """log Z [n] and the atoms' weights [n, m]."""
        lift = (t @ self.atoms.T + self.heights) / self.tau
        top = lift.max(axis=1, keepdims=True)
        p = np.exp(lift - top)
        total = p.sum(axis=1, keepdims=True)
        return np.asarray(self.tau * (top + np.log(total))[:, 0]), p / total


@dataclass(frozen=True)
class Fit:
    """How a fit went: divergence, mean over the rows in nats, at the start and the end; iterations."""

    begun: float
    divergence: float
    iterations: int


def fit(seen: Posteriors, count: float, atoms: int = 144, iterations: int = ITERATIONS) -> tuple[LogZ, Fit]:
    """log Z of posteriors, with `count` the N of the family: of features their sharpness, of spins or sites how many.

    Deterministic. What a likelihood leaves free, an affine function, is taken so that value and gradient have no mean
    over the rows. Raises AtlasError for fewer than 4 atoms or a count that is not positive.
    """
    if atoms < 4:
        raise AtlasError(f"{atoms} atoms: give 4 or more, such as 144")
    if not (np.isfinite(count) and count > 0):
        raise AtlasError(f"N = {count:g}: give a finite number above 0")
    first = tangents(atoms)
    loss = _Loss(seen, count, len(first.heights))
    began = loss(_flat(first))[0]
    bounds = [(None, None)] * (3 * len(first.heights)) + [(np.log(LEAST), np.log(MOST))]
    found = need("scipy.optimize").minimize(
        loss, _flat(first), jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxcor": MEMORY, "maxiter": iterations, "maxfun": 2 * iterations, "ftol": 1e-12, "gtol": 1e-9},
    )  # fmt: skip
    fitted = centred(_unflat(found.x), seen.begin)
    return fitted, Fit(float(began), float(found.fun), int(found.nit))


def tangents(atoms: int) -> LogZ:
    """Where a fit begins: the tangents of `CURVED` |t - 1/2|^2 / 2 on a square grid of at least so many places."""
    side = int(np.ceil(np.sqrt(atoms)))
    line = (np.arange(side) + 0.5) / side
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    slope = CURVED * (grid - 0.5)
    return LogZ(slope, CURVED * ((grid - 0.5) ** 2).sum(axis=1) / 2 - (slope * grid).sum(axis=1), TEMPERATURE)


def centred(found: LogZ, at: Float64[Reals, "n 2"]) -> LogZ:
    """The same log Z less the affine function that gives it no mean and no mean gradient over places."""
    tilt = found.gradient(at).mean(axis=0)
    level = float((found.value(at) - at @ tilt).mean())
    return LogZ(found.atoms - tilt, found.heights - level, found.tau)


class _Loss:
    """Mean divergence of the rows and its gradient by atoms, heights and log tau; everything in closed form."""

    def __init__(self, seen: Posteriors, count: float, atoms: int) -> None:
        self.seen, self.count, self.atoms = seen, count, atoms
        rows = seen.rows
        self.given = float((rows * np.log(np.maximum(rows, 1e-300))).sum() / len(rows))
        self.area = np.log(np.maximum(seen.area, 1e-300))

    def __call__(self, flat: Array) -> tuple[float, Array]:
        guess, at, begin = _unflat(flat), self.seen.at, self.seen.begin
        value, here = guess._at(at)
        _, there = guess._at(begin)
        slope = there @ guess.atoms
        logits = self.count * (slope @ at.T - value) + self.area
        logits -= logits.max(axis=1, keepdims=True)
        share = np.exp(logits)
        total = share.sum(axis=1, keepdims=True)
        divergence = self.given - float((self.seen.rows * (logits - np.log(total))).sum() / len(begin))
        wrong = (share / total - self.seen.rows) * (self.count / len(begin))
        return divergence, self._back(guess, here, there, -wrong.sum(axis=0), wrong @ at)

    def _back(self, guess: LogZ, here: Array, there: Array, by_value: Array, by_slope: Array) -> Array:
        """The gradient, from that by log Z at the bins [m] and by its gradient at the rows' places [r, 2].

        here, there: the atoms' weights at bins and places. d log Z = p_m (d a_m t + d b_m) + entropy(p) d tau; of the
        gradient G: dG = p_m d a_m + p_m (a_m - G) d(u_m / tau), u_m = <a_m, t> + b_m.
        """
        at, begin, tau = self.seen.at, self.seen.begin, guess.tau
        weighed = here * by_value[:, None]
        moved = there * (by_slope @ guess.atoms.T - (by_slope * (there @ guess.atoms)).sum(axis=1, keepdims=True)) / tau
        atoms = weighed.T @ at + there.T @ by_slope + moved.T @ begin
        heights = weighed.sum(axis=0) + moved.sum(axis=0)
        entropy = -(here * np.log(np.maximum(here, 1e-300))).sum(axis=1)
        lift = begin @ guess.atoms.T + guess.heights
        warmth = tau * float(entropy @ by_value) - float((moved * lift).sum())
        return np.concatenate([atoms.ravel(), heights, [warmth]])


def _flat(guess: LogZ) -> Array:
    return np.concatenate([guess.atoms.ravel(), guess.heights, [np.log(guess.tau)]])


def _unflat(flat: Array) -> LogZ:
    atoms = (len(flat) - 1) // 3
    return LogZ(flat[: 2 * atoms].reshape(-1, 2), flat[2 * atoms : 3 * atoms], float(np.exp(flat[-1])))
