"""What two benchmarks share: figures with their goals, the analytic world, pairs of places."""

from __future__ import annotations

import numpy as np
from common import show
from numpy.typing import NDArray

from installation import rig
from installation.studio import Studio
from latentworld import preset
from latentworld.atlas.types import Atlas

Array = NDArray[np.float64]
LEAST = 0.35  # of the window, between the ends of a pair


class Rows:
    """Figures with their goals."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.missed = False

    def add(self, name: str, measured: float, low: float | None = None, high: float | None = None) -> None:
        """A figure, and the least and the most it may be."""
        good = (low is None or measured >= low) and (high is None or measured <= high)
        self.missed |= not good
        bounds = (("≥", low), ("≤", high))
        asked = " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
        self.rows.append([name, f"{measured:.4g}", asked, ("yes" if good else "NO") if asked else ""])

    def say(self, name: str, words: str) -> None:
        """Something without a goal."""
        self.rows.append([name, words, "", ""])

    def show(self, title: str) -> int:
        """Print them; the exit status."""
        show(title, ["figure", "measured", "asked", "reached"], self.rows)
        return 1 if self.missed else 0


def analytic_world(sigma: float = 0.2) -> Studio:
    """Twelve modes."""
    told = ["decoder.kind=analytic", "decoder.height=32", "decoder.width=32", "decoder.batch=64", "analytic.modes=12"]
    return rig.open_studio(preset.load("analytic", [*told, f"analytic.sigma={sigma}"]))


def pairs_of(atlas: Atlas, count: int, seed: int) -> list[tuple[Array, Array]]:
    """Pairs of places of a window, `LEAST` of it apart or more, off its rim."""
    random, found = np.random.default_rng(seed), []
    while len(found) < count:
        ends = random.uniform(0.06, 0.94, (2, 2))
        if np.linalg.norm(ends[1] - ends[0]) >= LEAST:
            found.append((atlas.plane.unit(*ends[0]), atlas.plane.unit(*ends[1])))
    return found
