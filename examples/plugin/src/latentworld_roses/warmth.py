"""A merit for harvests: how warm a picture is."""

from __future__ import annotations

import numpy as np

from latentworld.arrays import Vector
from latentworld.atlas.harvest import Finds, Judge


def warmth(finds: Finds, judge: Judge) -> Vector:
    """[n], 0..1: how much redder than blue, on the mean."""
    red, _, blue = np.moveaxis(finds.thumbs.astype(np.float64).mean(axis=(1, 2)), 1, 0)
    return np.clip((red - blue) / 255.0, 0.0, 1.0)
