"""What the walk comes to, counted as it comes: how far it went, and how many rifts it has crossed."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

ABOVE = 5.0  # times the usual rate of the way, from which the walk is on a rift, as in a film's figures
BELOW = 2.5  # and below which it is across
MEMORY = 30.0  # latents of way over which the usual rate is felt
CLIPPED = 1.0  # of its logarithm: one frame moves it by no more than an ordinary one does


class Crossings(msgspec.Struct, frozen=True):
    """travelled: latent arc so far; rifts: crossed; level: logarithm of the usual Lipschitz value, None before any;
    inside: whether the walk is on a rift now."""

    travelled: float = 0.0
    rifts: int = 0
    level: float | None = None
    inside: bool = False

    def after(self, stride: float, steps: Iterable[tuple[float, float, bool]]) -> Crossings:
        """A tick later: how far it went, and of each frame its Lipschitz value, the way to it in latents, and whether
        the pacing marked it. A rift is crossed when the walk has left it behind."""
        rifts, level, inside = self.rifts, self.level, self.inside
        for rate, way, marked in steps:
            if not (math.isfinite(rate) and rate > 0 and way > 0):
                continue
            here = math.log(rate)
            level = here if level is None else level
            if marked or here >= level + math.log(ABOVE):
                inside = True
            elif inside and here < level + math.log(BELOW):
                inside, rifts = False, rifts + 1
            near = min(max(here, level - CLIPPED), level + CLIPPED)
            level += (near - level) * -math.expm1(-way / MEMORY)
        return Crossings(self.travelled + stride, rifts, level, inside)
