"""The totally asymmetric exclusion process, open: particles enter at rate alpha, hop right, leave at rate beta.

The current of the infinite line is known (Derrida, Evans, Hakim, Pasquier 1993): 1/4 where both rates are 1/2 or more
(maximal current), alpha (1 - alpha) at low density, beta (1 - beta) at high density. Low and high meet at alpha = beta
< 1/2, where the density jumps: a first-order line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def current(alpha: Array, beta: Array) -> Array:
    """J [n] of rates [n]."""
    least = np.minimum(np.minimum(alpha, beta), 0.5)
    return np.asarray(least * (1 - least))


def slope(alpha: Array, beta: Array) -> Array:
    """Its gradient [n, 2]; on the first-order line, where it has none, that of low density."""
    low, high = (alpha <= beta) & (alpha < 0.5), (beta < alpha) & (beta < 0.5)
    return np.stack([np.where(low, 1 - 2 * alpha, 0.0), np.where(high, 1 - 2 * beta, 0.0)], axis=1)


def negentropy(alpha: Array, beta: Array) -> Array:
    """max(s(min(alpha, 1/2)), s(min(beta, 1/2))), s(x) = x log x + (1 - x) log(1 - x): convex too, and with the
    Bernoulli's metric 1 / (alpha (1 - alpha)) at low density, which -J has not."""

    def of(rate: Array) -> Array:
        x = np.clip(np.minimum(rate, 0.5), 1e-12, 1)
        return np.asarray(x * np.log(x) + (1 - x) * np.log1p(-x))

    return np.maximum(of(alpha), of(beta))


def snapshots(
    alpha: Array, beta: Array, sites: int, draws: int, sweeps: int, every: int, seed: int
) -> NDArray[np.uint8]:
    """Occupied sites 0 or 1 of n lines, `draws` of each [n, draws, sites]: random sequential update, `sweeps` before
    the first and `every` between two. All lines are tried at the same bond at a time, each by its own chance."""
    random = np.random.default_rng(seed)
    line = (random.random((sites, len(alpha))) < np.where(alpha < beta, alpha, 1 - beta)).astype(np.uint8)
    found = []
    for draw in range(draws):
        for bond in random.integers(0, sites + 1, (sites + 1) * (sweeps if draw == 0 else every)).tolist():
            if bond == 0:
                line[0] |= random.random(len(alpha), dtype=np.float32) < alpha
            elif bond == sites:
                line[-1] &= ~(random.random(len(alpha), dtype=np.float32) < beta)
            else:
                hops = line[bond - 1] & ~line[bond] & 1
                line[bond - 1] -= hops
                line[bond] += hops
        found.append(line.T.copy())
    return np.stack(found, axis=1)
