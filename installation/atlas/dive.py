"""The film of a zoom: mosaics of ever smaller windows, one continuous fall through all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from latentworld.arrays import Array, Picture
from latentworld.tokens import DARK, rgb

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
    """Frames uint8 [size, size, 3] of the fall: `each` a level, and half as many, at most 24, at rest at both ends.

    The window shrinks by an even factor a frame and slides, without a jerk between levels, so that the last sheet's
    middle takes the middle of the screen. The next mosaic fades in as soon as it can be seen; beyond a sheet's edge
    lie those before it.
    """
    pyramids = [_pyramid(sheet.picture) for sheet in sheets]
    widths, middles = _fall(sheets, each)
    reached = np.array([sheet.width for sheet in sheets]) * (1 + 1e-9)
    for width, middle in zip(widths, middles):
        here = max(int((reached >= width).sum()) - 1, 0)
        frame = np.full((size, size, 3), rgb(DARK.ground), np.uint8)
        window = (sheets[-1].centre, middle)
        below = next((index for index in range(here, 0, -1) if _fills(sheets[index], window, width)), 0)
        for index in range(below, min(here + 2, len(sheets))):
            weight = 1.0
            if index > here:
                share = np.log(sheets[here].width / width) / np.log(sheets[here].width / sheets[index].width)
                weight = min(1.0, share / FADE)
            frame = _drawn(frame, sheets[index], pyramids[index], window, width, weight)
        yield frame


def _fall(sheets: Sequence[Sheet], each: int) -> tuple[Array, Array]:
    """Widths [n] of the frames' windows, and their middles [n, 2] in widths from the middle of the last sheet.

    Between two sheets the window keeps to the zoom about their fixed point; a Gaussian over the frames rounds the turns
    from one to the next, and the start and the end.
    """
    from scipy.ndimage import gaussian_filter1d

    rest, last = min((each + 1) // 2, 24), np.asarray(sheets[-1].centre)
    widths, middles = [sheets[0].width] * rest, [(np.asarray(sheets[0].centre) - last) / sheets[0].width] * rest
    for here, there in pairwise(sheets):
        for t in np.arange(each) / each:
            width = here.width * (there.width / here.width) ** t
            share = (here.width - width) / (here.width - there.width)
            ends = (np.asarray(sheet.centre) - last for sheet in (here, there))
            widths.append(width)
            middles.append(((1 - share) * next(ends) + share * next(ends)) / width)
    widths += [sheets[-1].width] * rest
    middles += [np.zeros(2)] * rest
    smooth = rest / 4  # scipy's Gaussian ends at four of these: the first and the last frame keep their place
    return (
        np.exp(gaussian_filter1d(np.log(widths), smooth, mode="nearest")),
        gaussian_filter1d(np.asarray(middles), smooth, axis=0, mode="nearest"),
    )


def _pyramid(picture: Picture) -> list[Picture]:
    """The picture and its halves, down to 32 pixels: what is shown small must not sparkle."""
    import cv2

    levels = [picture]
    while min(levels[-1].shape[:2]) > 64:
        height, width = levels[-1].shape[:2]
        half = cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        levels.append(half.astype(np.uint8))
    return levels


def _fills(sheet: Sheet, window: tuple[tuple[float, float], Array], width: float) -> bool:
    """Whether the sheet covers the whole window; see `_drawn`."""
    off = (np.asarray(sheet.centre) - window[0]) / width - window[1]
    return bool((np.abs(off) + 0.5 <= sheet.width / width / 2).all())


def _drawn(
    frame: Picture,
    sheet: Sheet,
    pyramid: list[Picture],
    window: tuple[tuple[float, float], Array],
    width: float,
    weight: float,
) -> Picture:
    """The sheet laid over a frame that shows a window of the chart of this width: its middle lies so many widths from
    a place, since float64 would not tell the two apart far into a fall."""
    import cv2

    if weight <= 0:
        return frame
    size = len(frame)
    shown = size * sheet.width / width  # pixels its edge has on the screen
    place, middle = window
    level = int(np.clip(np.floor(np.log2(max(1.0, pyramid[0].shape[0] / shown))), 0, len(pyramid) - 1))
    source = pyramid[level]
    down, across = shown / source.shape[0], shown / source.shape[1]
    across_from, down_from = ((np.asarray(sheet.centre) - place) / width - middle) * size
    left, top = size / 2 + across_from - shown / 2, size / 2 - down_from - shown / 2
    matrix = np.array([[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5]])
    laid = cv2.warpAffine(source, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # shares of pixels, so that the inner sheet grows without a jitter
    inside = weight * _covered(size, top, shown)[:, None] * _covered(size, left, shown)[None, :]
    if inside.min() == 1:
        return np.asarray(laid, np.uint8)
    mixed = frame + inside[..., None] * (laid.astype(np.float32) - frame)
    return np.asarray(np.rint(mixed), np.uint8)


def _covered(size: int, start: float, length: float) -> NDArray[np.float32]:
    """How much of each of `size` pixels in a row an interval covers."""
    pixels = np.arange(size)
    share = np.clip(np.minimum(pixels + 1, start + length) - np.maximum(pixels, start), 0, 1)
    return np.asarray(share, np.float32)
