"""The atlas underneath the deck's chart and globe, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from latentworld.atlas.sampling import Adaptive, Globe

if TYPE_CHECKING:
    from latentworld.atlas.types import Atlas

Rounded = list["Rounded"] | list[float | None]
"""Numbers as JSON takes them, an axis a list."""


def chart(path: str | Path) -> Mapping[str, object]:
    """What a survey holds: for each of n places `unit` [n, 3], `alpha`, `beta`, `front` [n], `rate` [n] (None where it
    is not known), `label` [n] into `names`; its `radius`; `grid` ([rows, columns] of a whole window, else None); of a
    window `level` [n] and `cells`, width in alpha and in beta of what a place of each level stands for.

    Raises AtlasError, and what the file system says.
    """
    from latentworld.atlas.reader import Reader

    kept = Reader(path)
    atlas = kept.atlas()
    alpha, beta, front = atlas.chart
    rates, phases = kept.read_rates(), kept.read_labels()
    return {
        "unit": _rounded(atlas.unit),
        "alpha": _rounded(alpha),
        "beta": _rounded(beta),
        "front": [bool(side) for side in front],
        "rate": None if rates is None else _rounded(rates),
        "label": None if phases is None else [int(label) for label in phases.label],
        "names": [] if phases is None else [str(name) for name in phases.names],
        "radius": float(atlas.radius),
        "grid": None if atlas.grid is None else list(atlas.grid),
        **_cells(atlas),
    }


def _cells(atlas: Atlas) -> dict[str, object]:
    survey = atlas.sampling
    if isinstance(survey, Globe):
        return {"level": None, "cells": None}
    coarse = survey.coarse if isinstance(survey, Adaptive) else 1
    steps = [
        (high - low) / (count - 1)
        for (low, high), count in ((survey.alpha, survey.rows), (survey.beta, survey.columns))
    ]
    strides = [max(coarse >> level, 1) for level in range(int(atlas.level.max(initial=0)) + 1)]
    return {"level": atlas.level.tolist(), "cells": [[stride * step for step in steps] for stride in strides]}


def _rounded(values: ArrayLike) -> Rounded:
    """Six digits are a thousandth of a pixel; what is not finite is None."""
    array = np.asarray(values, np.float64)
    if array.ndim > 1:
        return [_rounded(row) for row in array]
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in array]
