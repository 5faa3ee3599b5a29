"""Where the picture lies on the wall: fit, zoom, part, rotation, four-corner pin, dark ramps where projectors overlap.

Places are in 0..1, x to the right, y down: of the *wall* (what the display shows), of the *frame* (the wall before its
corners were pinned), of the *canvas* (the frame before it was rotated), of the *whole* that several displays show parts
of, of the *picture*. Matrices are 3x3.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from installation.fit import Size, fitted
from installation.stage.light import DISPLAY
from installation.venue import Wall
from latentworld.errors import StageError

Matrix = NDArray[np.float64]

_ROTATIONS = {  # frame -> canvas; pictures turn clockwise on the wall
    0: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    90: [[0, 1, 0], [-1, 0, 1], [0, 0, 1]],
    180: [[-1, 0, 1], [0, -1, 1], [0, 0, 1]],
    270: [[0, -1, 1], [1, 0, 0], [0, 0, 1]],
}


def canvas(wall: Wall, size: Size) -> Size:
    """Height and width of what is drawn for a wall of that size, before it is rotated."""
    return size if wall.rotation in (0, 180) else (size[1], size[0])


def to_frame(corners: Sequence[Sequence[float]]) -> Matrix:
    """wall -> frame. Raises StageError where the corners do not go around a convex area."""
    points = np.asarray(corners, np.float64)
    edges = np.roll(points, -1, axis=0) - points
    following = np.roll(edges, -1, axis=0)
    if not np.isfinite(points).all() or (edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] <= 1e-6).any():
        raise StageError(
            "wall.corners do not go around a picture: give upper left, upper right, lower right, lower left, each"
            " inside of the next"
        )
    rows, wanted = [], []
    for (u, v), (x, y) in zip([(0, 0), (1, 0), (1, 1), (0, 1)], points, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -u * x, -v * x], [0, 0, 0, u, v, 1, -u * y, -v * y]]
        wanted += [x, y]
    pin = np.append(np.linalg.solve(np.array(rows), np.array(wanted)), 1.0).reshape(3, 3)
    back = np.linalg.inv(pin)
    return np.asarray(back / (back[2] @ [*points.mean(axis=0), 1.0]))  # w is positive all over the wall's picture


def square(corners: Sequence[Sequence[float]]) -> bool:
    """Whether the corners are where they were."""
    return np.array_equal(np.asarray(corners, np.float64), [(0, 0), (1, 0), (1, 1), (0, 1)])


def to_canvas(wall: Wall) -> Matrix:
    """wall -> canvas."""
    return np.asarray(np.array(_ROTATIONS[wall.rotation], np.float64) @ to_frame(wall.corners))


def placing(wall: Wall, size: Size, picture: Size, zoom: float) -> Matrix:
    """canvas -> picture, for a wall of that size."""
    left, top, right, bottom = wall.part
    wide, high = right - left, bottom - top
    height, width = canvas(wall, size)
    to_whole = np.array([[wide, 0, left], [0, high, top], [0, 0, 1]])
    return np.asarray(fitted((height / high, width / wide), picture, wall.fit, zoom) @ to_whole)


def to_picture(wall: Wall, size: Size, picture: Size, zoom: float) -> Matrix:
    """wall -> picture."""
    return np.asarray(placing(wall, size, picture, zoom) @ to_canvas(wall))


def shrink(matrix: Matrix, size: Size, picture: Size) -> float:
    """How many pixels of the picture go to one of the wall at its middle, along the tighter axis (above 1: fewer)."""
    height, width = size
    middle = np.array([[0.5, 0.5, 1], [0.5 + 1 / width, 0.5, 1], [0.5, 0.5 + 1 / height, 1]]) @ matrix.T
    places = middle[:, :2] / middle[:, 2:] * [picture[1], picture[0]]
    return float(np.linalg.norm(places[1:] - places[0], axis=1).max())


def ramp(place: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    """By how much values are multiplied at places along one axis of the frame.

    The share of light is 3t^2 - 2t^3, which with its mirror image adds up to 1; values are light^(1/2.2).
    """
    share = np.ones_like(place)
    for width, depth in ((start, place), (end, 1 - place)):
        if width > 0:
            t = np.clip(depth / width, 0, 1)
            share = share * (t * t * (3 - 2 * t))
    return share ** (1 / DISPLAY)


def ramps(wall: Wall, size: Size) -> NDArray[np.float64] | None:
    """`ramp` of both axes at each pixel of the wall, float64[h, w]; None where no edge is blended."""
    if not any(wall.blend):
        return None
    height, width = size
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    frame = np.stack([x, y, np.ones_like(x)], axis=-1) @ to_frame(wall.corners).T
    u, v = frame[..., 0] / frame[..., 2], frame[..., 1] / frame[..., 2]
    left, top, right, bottom = wall.blend
    return ramp(u, left, right) * ramp(v, top, bottom)
