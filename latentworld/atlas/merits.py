"""Merits that other packages add to a harvest: what else finds are ranked by.

A merit is a function of finds and of the judge that knows what is usual in their atlas (docs/extending.md)::

    def warmth(finds: Finds, judge: Judge) -> Vector:
        \"\"\"[n], 0 and more: how much redder than blue.\"\"\"

It is asked only where `--by` names it, and counts as `Scores.total` lets every part count: from its median, in its own
spread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from latentworld.arrays import Vector
from latentworld.atlas.harvest import WEIGHTS, Finds, Judge, Scores
from latentworld.errors import PluginError
from latentworld.registry import Registry

Merit = Callable[[Finds, Judge], Vector]
RESERVED = (*WEIGHTS, "score", "soundness", "third", "between")


def checked(name: str, found: object) -> Merit:
    """A function. Raises TypeError."""
    if not callable(found):
        raise TypeError(f"{found!r:.80} is no function of finds and their judge")
    return found


REGISTRY: Registry[Merit] = Registry("latentworld.merits", "merit", {}, checked, reserved=RESERVED)


def judged(scores: Scores, finds: Finds, judge: Judge, by: Mapping[str, float]) -> Scores:
    """The same scores with those of the merits that `by` names. Raises PluginError for one that is broken, or gives
    other than a finite number to each find."""
    further = {name: _of(name, finds, judge) for name in by if name not in WEIGHTS}
    return replace(scores, further=further) if further else scores


def _of(name: str, finds: Finds, judge: Judge) -> Vector:
    found = np.asarray(REGISTRY.get(name)(finds, judge), np.float64)
    if found.shape != (len(finds),) or not np.isfinite(found).all():
        raise PluginError(f"the merit {name!r} gave no finite number to each of {len(finds)} finds: it has a fault")
    return found
