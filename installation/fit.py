"""How a picture lies in a frame of another shape: on the wall, in a film, between two pictures of different sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Fit = Literal["contain", "cover", "stretch"]
Size = tuple[int, int]  # height, width


def fitted(onto: tuple[float, float], picture: Size, fit: Fit, zoom: float = 1.0) -> NDArray[np.float64]:
    """Places 0..1 of a whole of height and width `onto` -> places 0..1 of the picture, a 3x3 matrix: the picture in the
    middle, wholly seen (`contain`), wholly covering (`cover`) or pulled into shape (`stretch`), enlarged."""
    ratio = 1.0 if fit == "stretch" else (picture[1] / picture[0]) / (onto[1] / onto[0])
    x, y = (max(ratio, 1), max(1 / ratio, 1)) if fit == "cover" else (min(ratio, 1), min(1 / ratio, 1))
    x, y = x * zoom, y * zoom
    return np.array([[1 / x, 0, 0.5 - 0.5 / x], [0, 1 / y, 0.5 - 0.5 / y], [0, 0, 1]])


@dataclass(frozen=True)
class Box:
    """Where the whole of a picture comes to in a frame, in pixels: it may stand over its edges (left, top below 0)."""

    left: int
    top: int
    width: int
    height: int


def box(frame: Size, picture: Size, fit: Fit) -> Box:
    """Where a picture lies in a frame of even sides; even numbers, which 4:2:0 video needs."""
    matrix = fitted(frame, picture, fit)
    high, wide = (max(2, 2 * round(side / scale / 2)) for side, scale in zip(frame, (matrix[1, 1], matrix[0, 0])))
    return Box(2 * ((frame[1] - wide) // 4), 2 * ((frame[0] - high) // 4), wide, high)
