"""Small pictures by area, each on its own: a thumbnail never depends on its batch-mates."""

from __future__ import annotations

import numpy as np

from latentworld.arrays import Picture, Pictures


def thumbnails(pictures: Pictures, longest: int) -> Pictures:
    """Pictures uint8 [n, h, w, 3] so that no edge is longer than `longest` pixels; smaller ones as they are."""
    height, width = pictures.shape[1:3]
    shrink = min(1.0, longest / max(height, width))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    return pictures if shrink == 1.0 or len(pictures) == 0 else np.stack([shrunk(p, *size) for p in pictures])


def shrunk(picture: Picture, height: int, width: int) -> Picture:
    """A picture uint8 [h, w, 3] at another size: each pixel the mean of the area it covers."""
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))
