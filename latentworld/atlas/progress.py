"""A picture on disk of the survey so far: every place where it lies, dark grey where nothing was decoded yet.

Windows have alpha to the right and beta upwards; the globe is drawn in Mollweide's equal-area projection (Snyder 1987,
p. 249), longitude rising to the right.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from latentworld import disk
from latentworld.arrays import Picture, Pictures
from latentworld.atlas.places import Places
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.thumbs import shrunk
from latentworld.extras import need
from latentworld.tokens import DARK, rgb

if TYPE_CHECKING:
    from latentworld.atlas.store import Store

BARE, AROUND = rgb(DARK.rule), rgb(DARK.raised)  # what is not decoded yet, and around the globe


class Painter(Protocol):
    """A canvas uint8 [h, w, 3] that places are painted on."""

    canvas: Pictures

    def paint(self, places: Places, thumbs: Pictures) -> None: ...


class ProgressPicture:
    """Called with a store and the block just kept, paints it and writes a PNG: at most once every `every` seconds of
    `clock`, and when told that it is the last. The first call paints whatever the store has.

    side: about how many pixels the longer edge has.
    """

    def __init__(self, path: str | Path, clock: Callable[[], float], every: float = 5.0, side: int = 1024) -> None:
        self.path, self._clock, self._every, self._side = Path(path), clock, every, side
        self._last = clock()
        self._painter: Painter | None = None

    def __call__(self, store: Store, index: int, last: bool = False) -> None:
        """Paint a block that is done. Raises DiskFull or OutputError."""
        if self._painter is None:
            self._painter = self._begin(store, index)
        else:
            self._painter.paint(store.places(index), store.thumbs(index))
        if last or self._clock() - self._last >= self._every:
            self.write()

    def _begin(self, store: Store, index: int) -> Painter:
        height, width = store.thumbs(index).shape[1:3]
        sampling = store.sampling
        painter: Painter = (
            _Mollweide(sampling.nside, self._side)
            if isinstance(sampling, Globe)
            else _Grid(sampling, self._side, height / width)
        )
        waiting = set(store.pending())
        for done in (block for block in range(store.blocks) if block not in waiting):
            painter.paint(store.places(done), store.thumbs(done))
        return painter

    def write(self) -> None:
        """Write the picture, whole or not at all. Raises DiskFull or OutputError."""
        from PIL import Image

        self._last = self._clock()
        if self._painter is None:
            return
        buffer = io.BytesIO()
        Image.fromarray(self._painter.canvas).save(buffer, format="png")
        disk.save(self.path, buffer.getvalue())


class _Grid:
    """A window: each place paints the square of its stride, which starts at its node.

    Where a square is refined, its quarters show their own places, and as long as they have none the picture they had.
    """

    def __init__(self, window: Window | Adaptive, side: int, aspect: float) -> None:
        self._window = window
        scale = side / max(window.rows, window.columns * aspect)
        self._scale = (scale, scale * aspect)  # pixels a row (to the right) and a column (upwards)
        width, height = (max(1, round(k * n)) for k, n in zip(self._scale, (window.rows, window.columns), strict=True))
        self.canvas = np.full((height, width, 3), BARE, np.uint8)
        self._shown: dict[
            tuple[int, int], tuple[int, Pictures]
        ] = {}  # stride and picture of an adaptive survey's nodes

    def paint(self, places: Places, thumbs: Pictures) -> None:
        coarse = self._window.coarse if isinstance(self._window, Adaptive) else 1
        for (row, column), level, picture in zip(places.lattice.tolist(), places.level.tolist(), thumbs, strict=True):
            stride = coarse >> level
            if coarse > 1:
                self._split(row - row % (2 * stride), column - column % (2 * stride), stride)
                height, width = (max(1, int(np.ceil(k * stride))) for k in self._scale[::-1])
                self._shown[row, column] = stride, shrunk(picture, height, width)
            self._square(row, column, stride, picture)

    def _split(self, row: int, column: int, stride: int) -> None:
        """Show the place of a node in squares of `stride`, where it has a larger one."""
        shown, picture = self._shown.get((row, column), (0, None))
        while picture is not None and shown > stride:
            shown //= 2
            for down, right in ((0, 0), (0, shown), (shown, 0), (shown, shown)):
                self._square(row + down, column + right, shown, picture)
            self._shown[row, column] = shown, picture

    def _square(self, row: int, column: int, stride: int, picture: Picture) -> None:
        height = len(self.canvas)
        left, right = (int(self._scale[0] * edge) for edge in (row, row + stride))
        bottom, top = (int(self._scale[1] * edge) for edge in (column, column + stride))
        above, below = max(height - max(top, bottom + 1), 0), max(height - bottom, 0)  # a split may leave the grid
        area = self.canvas[above:below, left : max(right, left + 1)]
        if area.size:
            whole = shrunk(picture, max(top - bottom, 1), max(right - left, 1))
            area[:] = whole[-area.shape[0] :, : area.shape[1]]


def mollweide(nside: int, width: int, thumbs: Pictures) -> Picture:
    """The pictures [12 nside^2, h, w, 3] of a whole globe in Mollweide's projection, uint8 [width / 2, width, 3]."""
    painter = _Mollweide(nside, width)
    whole = np.arange(len(thumbs))
    none = np.zeros(len(thumbs), np.int64)
    painter.paint(Places(np.zeros((len(thumbs), 3)), np.stack([whole, none], axis=1), none), thumbs)
    return painter.canvas


class _Mollweide:
    """The globe: every pixel of the ellipse belongs to the HEALPix pixel it lies in, whose picture fills it."""

    def __init__(self, nside: int, width: int) -> None:
        height = width // 2
        self.canvas = np.full((height, width, 3), AROUND, np.uint8)
        y, x = np.mgrid[0:height, 0:width]
        x, y = (x + 0.5) / width * 2 - 1, 1 - (y + 0.5) / height * 2
        inside = x**2 + y**2 < 1
        self.canvas[inside] = BARE
        theta = np.arcsin(y[inside])
        sine = (2 * theta + np.sin(2 * theta)) / np.pi
        longitude, across = np.pi * x[inside] / np.cos(theta), np.sqrt(1 - sine**2)
        pixel = need("healpix").vec2pix(nside, across * np.cos(longitude), across * np.sin(longitude), sine)
        order = np.argsort(pixel, kind="stable")
        self._rows, self._columns = (index[order] for index in np.nonzero(inside))
        self._starts = np.searchsorted(pixel[order], np.arange(12 * nside**2 + 1))

    def paint(self, places: Places, thumbs: Pictures) -> None:
        for pixel, picture in zip(places.lattice[:, 0], thumbs, strict=True):
            part = slice(self._starts[pixel], self._starts[pixel + 1])
            rows, columns = self._rows[part], self._columns[part]
            torn = len(rows) > 0 and np.ptp(columns) > self.canvas.shape[1] // 2  # across the seam: two halves
            left = columns < self.canvas.shape[1] // 2 if torn else np.ones(len(columns), np.bool_)
            for half in (left, ~left):
                if half.any():
                    self._fill(rows[half], columns[half], picture)

    def _fill(self, rows: NDArray[np.intp], columns: NDArray[np.intp], picture: Picture) -> None:
        down, right = rows - rows.min(), columns - columns.min()
        small = shrunk(picture, int(down.max()) + 1, int(right.max()) + 1)
        self.canvas[rows, columns] = small[down, right]
