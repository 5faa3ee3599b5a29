"""The Ising model: all 65,536 states of a 4 x 4 torus, Onsager's solution, and a checkerboard heat bath.

States are weighed by exp(K_x E_x + K_y E_y + h M): sums over the horizontal and the vertical bonds and over the spins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CRITICAL = np.log(1 + np.sqrt(2.0)) / 2
"""K_c of the square lattice: T_c = 1 / K_c = 2.269."""


@dataclass(frozen=True)
class Counted:
    """Every state of a torus, by what it depends on: energy [s] (sum over bonds), magnet [s] (sum of spins), states
    [s].

    spins: how many.
    """

    energy: Array
    magnet: Array
    states: Array
    spins: int

    def log_z(self, coupling: Array, field: Array) -> Array:
        """log Z of K [n] and h [n]."""
        return np.asarray(self._top(coupling, field)[0])

    def moments(self, coupling: Array, field: Array) -> tuple[Array, Array]:
        """Mean [n, 2] and covariance [n, 2, 2] of (energy, magnet): log Z's gradient and Hessian, exactly."""
        share = self._top(coupling, field)[1]
        both = np.stack([self.energy, self.magnet], axis=1)
        mean = share @ both
        away = both[None] - mean[:, None]
        return mean, np.einsum("ns,nsa,nsb->nab", share, away, away)

    def drawn(self, coupling: Array, field: Array, draws: int, random: np.random.Generator) -> Array:
        """(energy, magnet) of states drawn at each place [n, draws, 2]."""
        share = self._top(coupling, field)[1].cumsum(axis=1)
        spot = random.random((len(coupling), draws))
        chosen = np.stack([np.searchsorted(row, s) for row, s in zip(share, spot)])
        chosen = np.minimum(chosen, len(self.energy) - 1)
        return np.stack([self.energy[chosen], self.magnet[chosen]], axis=-1)

    def _top(self, coupling: Array, field: Array) -> tuple[Array, Array]:
        lift = coupling[:, None] * self.energy + field[:, None] * self.magnet + np.log(self.states)
        top = lift.max(axis=1, keepdims=True)
        weight = np.exp(lift - top)
        total = weight.sum(axis=1, keepdims=True)
        return (top + np.log(total))[:, 0], weight / total


def counted(side: int = 4) -> Counted:
    """All 2^(side^2) states, counted by energy and magnetisation; side 4 has 65,536."""
    codes = np.arange(2 ** (side * side), dtype=np.int64)
    spin = 1 - 2 * ((codes[:, None] >> np.arange(side * side)) & 1).reshape(-1, side, side)
    energy = (spin * np.roll(spin, 1, axis=1) + spin * np.roll(spin, 1, axis=2)).sum(axis=(1, 2))
    pairs, states = np.unique(np.stack([energy, spin.sum(axis=(1, 2))], axis=1), axis=0, return_counts=True)
    return Counted(pairs[:, 0].astype(float), pairs[:, 1].astype(float), states.astype(float), side * side)


def onsager(across: Array, down: Array, nodes: int = 400) -> Array:
    """log Z a spin of the infinite lattice at couplings K_x, K_y [n] and no field (Onsager 1944):
    log 2 + 1/(2 pi^2) int_0^pi int_0^pi log(cosh 2K_x cosh 2K_y - sinh 2K_x cos a - sinh 2K_y cos b) da db.

    The inner integral is closed: int_0^pi log(A - B cos b) db = pi log((A + sqrt(A^2 - B^2)) / 2).
    """
    turn = (np.arange(nodes) + 0.5) * np.pi / nodes  # midpoints: the integrand is periodic and even
    a = np.cosh(2 * across) * np.cosh(2 * down)
    rest = a[:, None] - np.sinh(2 * across)[:, None] * np.cos(turn)
    closed = np.log((rest + np.sqrt(np.maximum(rest**2 - np.sinh(2 * down)[:, None] ** 2, 0))) / 2)
    return np.asarray(np.log(2) + closed.mean(axis=1) / 2)


def energies(across: Array, down: Array, side: int, sweeps: int, every: int, draws: int, seed: int) -> Array:
    """(E_x, E_y) a spin of `draws` states at each of n places [n, draws, 2]: a heat bath on a checkerboard of
    `side` x `side` spins, `sweeps` before the first state and `every` between two.

    Half the places begin ordered, half at random, so that neither is taken for the equilibrium.
    """
    random = np.random.default_rng(seed)
    spin = np.ones((side, side, len(across)), np.int8)  # places last: contiguous
    spin[:, :, ::2] = random.integers(0, 2, (side, side, len(across[::2])), dtype=np.int8) * 2 - 1
    black = np.add.outer(np.arange(side), np.arange(side)) % 2 == 0
    kx, ky = across.astype(np.float32), down.astype(np.float32)
    table = _chances(kx, ky)
    found = []
    for sweep in range(sweeps + every * draws):
        for colour in (black, ~black):
            beside = np.roll(spin, 1, axis=1) + np.roll(spin, -1, axis=1)
            above = np.roll(spin, 1, axis=0) + np.roll(spin, -1, axis=0)
            code = (beside[colour] // 2 + 1) * 3 + above[colour] // 2 + 1
            up = random.random(code.shape, dtype=np.float32) < np.take_along_axis(table, code.astype(np.intp), axis=0)
            spin[colour] = np.where(up, 1, -1)
        if sweep >= sweeps and (sweep - sweeps) % every == every - 1:
            bonds = [(spin * np.roll(spin, 1, axis=axis)).mean(axis=(0, 1), dtype=np.float64) for axis in (1, 0)]
            found.append(np.stack(bonds, axis=1))
    return np.stack(found, axis=1)


def _chances(across: NDArray[np.float32], down: NDArray[np.float32]) -> NDArray[np.float32]:
    """The chance of a spin up for each of nine sums of neighbours, -2, 0 or 2 beside and above: [9, n]."""
    sums = np.array([(x, y) for x in (-2, 0, 2) for y in (-2, 0, 2)], np.float32)
    force = 2 * (sums[:, :1] * across + sums[:, 1:] * down)
    return np.asarray(1 / (1 + np.exp(-force)), np.float32)
