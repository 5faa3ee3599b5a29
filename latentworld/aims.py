"""What a pilot may want of pictures besides rifts: functions of their features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from latentworld.arrays import Float64, Reals

Aim = Callable[[Float64[Reals, "n f"]], Float64[Reals, " n"]]
"""Features [n, F] of pictures to how much each is wanted, [n]."""


@dataclass(frozen=True, eq=False)
class Likeness:
    """Pictures like a text. text: its unit feature [F]."""

    text: Float64[Reals, " f"]

    def __call__(self, features: Float64[Reals, "n f"]) -> Float64[Reals, " n"]:
        return np.asarray(features @ self.text, np.float64)


def mixed(one: Likeness, other: Likeness, share: float) -> Likeness:
    """On the way from one text to another, 0..1: the direction between them."""
    text = (1.0 - share) * one.text + share * other.text
    return Likeness(text / max(float(np.linalg.norm(text)), np.finfo(np.float64).tiny))
