"""The film of a zoom: mosaics of ever smaller windows, one continuous fall through all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
DARK = (14, 14, 16)
FADE = 0.35  # of a level: how long the next mosaic takes to appear inside the present one


@dataclass(frozen=True, eq=False)
class Sheet:
    """A mosaic uint8 [h, w, 3] of a square window of the chart: alpha runs to the right, beta up.

    centre: alpha, beta of its middle; width: from its first to its last edge, half a cell beyond the outer places.
    """

    picture: Picture
    centre: tuple[float, float]
    width: float


def mosaic(thumbs: Picture, rows: int, columns: int, edge: int | None = None) -> Picture:
    """Thumbnails uint8 [rows * columns, h, w, 3] of a grid, row by row (rows along alpha), as one picture with alpha to
    the right and beta up; each reduced to `edge` pixels."""
    import cv2

    if edge is not None and edge < thumbs.shape[2]:
        small = [cv2.resize(thumb, (edge, edge), interpolation=cv2.INTER_AREA) for thumb in thumbs]
        thumbs = np.stack(small).astype(np.uint8)
    _, height, width, _ = thumbs.shape
    grid = thumbs.reshape(rows, columns, height, width, 3)[:, ::-1].transpose(1, 2, 0, 3, 4)
    return np.ascontiguousarray(grid.reshape(columns * height, rows * width, 3))


def frames(sheets: Sequence[Sheet], size: int, each: int) -> Iterator[Picture]:
    """Frames uint8 [size, size, 3] of the fall, `each` a level, and as many again at rest on the last one, at most 24.

    The window shrinks by an even factor a frame; its middle slides so that the point the next level is centred on stays
    where it is on the screen until it takes the middle. The next mosaic fades in as soon as it can be seen.
    """
    pyramids = [_pyramid(sheet.picture) for sheet in sheets]
    for index in range(len(sheets) - 1):
        here, there = sheets[index], sheets[index + 1]
        for count in range(each):
            t = count / each
            width = here.width * (there.width / here.width) ** t
            # the fixed point of the zoom: what lies there moves straight to the middle
            share = (here.width - width) / (here.width - there.width)
            middle = np.asarray(here.centre) + share * (np.asarray(there.centre) - np.asarray(here.centre))
            frame = np.full((size, size, 3), DARK, np.uint8)
            frame = _drawn(frame, here, pyramids[index], middle, width, 1.0)
            yield _drawn(frame, there, pyramids[index + 1], middle, width, min(1.0, t / FADE))
    if sheets:
        last = sheets[-1]
        still = _drawn(
            np.full((size, size, 3), DARK, np.uint8), last, pyramids[-1], np.asarray(last.centre), last.width, 1
        )
        for _ in range(min(each, 24)):
            yield still


def _pyramid(picture: Picture) -> list[Picture]:
    """The picture and its halves, down to 32 pixels: what is shown small must not sparkle."""
    import cv2

    levels = [picture]
    while min(levels[-1].shape[:2]) > 64:
        height, width = levels[-1].shape[:2]
        half = cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        levels.append(half.astype(np.uint8))
    return levels


def _drawn(
    frame: Picture, sheet: Sheet, pyramid: list[Picture], middle: NDArray[np.float64], width: float, weight: float
) -> Picture:
    """The sheet laid over a frame that shows a window of the chart of this middle and width."""
    import cv2

    if weight <= 0:
        return frame
    size = len(frame)
    shown = size * sheet.width / width  # pixels its edge has on the screen
    level = int(np.clip(np.floor(np.log2(max(1.0, pyramid[0].shape[0] / shown))), 0, len(pyramid) - 1))
    source = pyramid[level]
    down, across = shown / source.shape[0], shown / source.shape[1]
    left, down_from = (np.asarray(sheet.centre) - middle) / width * size
    left, top = size / 2 + left - shown / 2, size / 2 - down_from - shown / 2
    matrix = np.array([[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5]])
    laid = cv2.warpAffine(source, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # shares of pixels, so that the inner sheet grows without a jitter
    inside = weight * _covered(size, top, shown)[:, None] * _covered(size, left, shown)[None, :]
    mixed = frame + inside[..., None] * (laid.astype(np.float32) - frame)
    return np.asarray(np.rint(mixed), np.uint8)


def _covered(size: int, start: float, length: float) -> NDArray[np.float64]:
    """How much of each of `size` pixels in a row an interval covers."""
    pixels = np.arange(size)
    return np.asarray(np.clip(np.minimum(pixels + 1, start + length) - np.maximum(pixels, start), 0, 1))
