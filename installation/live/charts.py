"""The atlas underneath the deck's chart and globe, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def chart(path: str | Path) -> Mapping[str, Any]:
    """What a survey holds: for each of n places `unit` [n, 3], `alpha`, `beta`, `front` [n], `rate` [n] (None where it
    is not known), `label` [n] into `names`; and its `radius`, `grid` ([rows, columns] of a whole window, else None).

    Raises AtlasError, and what the file system says.
    """
    from latentworld.atlas.store import Store

    kept = Store(Path(path))
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
    }


def _rounded(values: Any) -> Any:
    """Six digits are a thousandth of a pixel; what is not finite is None."""
    array = np.asarray(values, np.float64)
    if array.ndim > 1:
        return [_rounded(row) for row in array]
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in array]
