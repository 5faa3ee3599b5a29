"""How white a latent is: what a walk expects of its vertices, and what a denoiser was trained to begin with.

Figures of a latent of independent normal numbers are known (docs/vertices.md), so that a vertex that was made from a
picture can be held against them. Everything here is numpy in float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from latentworld.arrays import Array, Float64, Reals

BLOCK = 4  # elements along one side of the blocks whose variances are compared

Latent = Float64[Reals, "c h w"]


@dataclass(frozen=True)
class Whiteness:
    """norm: length over the square root of the dimension, 1 for white; lag: correlation of neighbours along both sides,
    mean of the two, 0 for white; ks: largest distance between the distribution of the elements and N(0, 1)
    (Kolmogorov and Smirnov), about 0.87 / sqrt(d) for white; local: standard deviation of the variances of
    4 x 4 blocks (all channels) over their mean, about sqrt(2 / elements of a block) for white."""

    norm: float
    lag: float
    ks: float
    local: float

    def record(self) -> Mapping[str, float]:
        """As JSON takes it, six digits."""
        return {key: round(value, 6) for key, value in asdict(self).items()}

    @property
    def faults(self) -> list[str]:
        """What is outside of what a vertex should be, a few words each; none for a white one.

        The bounds are wider than chance: white seeds of 1,024 numbers lie within half of them.
        """
        said = [
            ("its length is {:.2f} of white noise's", self.norm, abs(self.norm - 1.0) > NORM),
            ("its neighbours correlate by {:.2f}", self.lag, abs(self.lag) > LAG),
            ("its values are {:.2f} from a normal distribution", self.ks, self.ks > KS),
            ("its variance is uneven by {:.2f}", self.local, self.local > LOCAL),
        ]
        return [words.format(value) for words, value, is_outside in said if is_outside]


NORM, LAG, KS, LOCAL = 0.06, 0.10, 0.06, 0.42


def whiteness(latent: Latent) -> Whiteness:
    """The figures of one latent [C, H, W]. A side of one element has no neighbours: its lag counts as 0."""
    z = np.asarray(latent, np.float64)
    norm = float(np.sqrt(np.mean(z * z)))
    return Whiteness(norm, _lag(z), _ks(z), _local(z))


def _lag(z: Latent) -> float:
    """Mean product of neighbours over the mean square, along height and width."""
    power = float(np.mean(z * z))
    if power == 0.0:
        return 0.0
    products = [np.mean(a * b) for a, b in ((z[:, 1:], z[:, :-1]), (z[:, :, 1:], z[:, :, :-1])) if a.size]
    return float(np.mean(products)) / power if products else 0.0


def _ks(z: Array) -> float:
    """Distance of the elements' distribution function from the normal one, on both sides of each of its steps."""
    values = np.sort(z, axis=None)
    normal = np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in values.tolist()])
    steps = np.arange(len(values) + 1) / len(values)
    return float(max(np.max(steps[1:] - normal), np.max(normal - steps[:-1])))


def _local(z: Latent) -> float:
    """Spread of the blocks' variances; what is left over at the far edges is passed over, and one block has none."""
    c, h, w = z.shape
    high, wide = min(BLOCK, h), min(BLOCK, w)
    rows, columns = h // high, w // wide
    whole = z[:, : rows * high, : columns * wide].reshape(c, rows, high, columns, wide)
    variances = whole.var(axis=(0, 2, 4))
    mean = float(variances.mean())
    return float(variances.std()) / mean if mean > 0.0 else 0.0
