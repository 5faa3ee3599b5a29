"""Analytic worlds surveyed for pictures and pages: thumbnails of a few pixels, phases and rifts that are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.survey import in_memory
from latentworld.atlas.types import Atlas, Line, Phases, Site
from latentworld.decoding.analytic import analytic
from latentworld.lipschitz import Floor
from standins.surveys import PLANE, looked

DECODER = analytic(PLANE, 12, 0.1, size=(24, 24))
WINDOW = Window(alpha=(-1.0, 2.0), beta=(-1.0, 2.0), rows=12, columns=12)
REFINED = Adaptive(alpha=(-1.0, 2.0), beta=(-1.0, 2.0), rows=48, columns=48, budget=0.15)
GLOBE = Globe(nside=6)


@dataclass(frozen=True, eq=False)
class Study:
    """An atlas and what is drawn of it."""

    atlas: Atlas
    rates: np.ndarray
    phases: Phases
    lines: list[Line]
    sites: list[Site]


def study(sampling: Window | Adaptive | Globe) -> Study:
    """The analytic world at a sampling: true rates, its basins as phases, one rift line and two sites."""
    atlas = in_memory(sampling, PLANE, looked(DECODER))
    settings = {"profile": DECODER.profile.record(), "prompt": {"positive": "a <b>house</b> & $5", "negative": ""}}
    atlas = replace(atlas, settings=settings, floor=Floor(0.0, 5e-7))
    rates = DECODER.true_rate(atlas.unit)
    found, label = np.unique(DECODER.basin(atlas.unit), return_inverse=True)
    names = [f"star <{mode}>" for mode in found]
    sure = np.clip(DECODER.rift_distance(atlas.unit) / 0.3, 0, 1)
    line = np.stack([np.linspace(-0.8, 1.2, 9), np.linspace(1.6, 0.1, 9)], axis=1)
    order = np.argsort(-rates)
    sites = [site(atlas, rates, int(order[k]), int(order[k + 1])) for k in (0, 2)]
    return Study(atlas, rates, Phases(names, label.astype(np.int64), sure),
                 [Line((0, 1), line, PLANE.unit(*line.T), 2.0, False)], sites)  # fmt: skip


def site(atlas: Atlas, rates: np.ndarray, one: int, other: int) -> Site:
    alpha, beta, front = (value[one].item() for value in atlas.chart)
    return Site(one, (one, other), alpha, beta, front, rates[one].item(), float(rates[one] / np.median(rates)))
