"""The wall's picture in plain memory: what the window draws on the graphics card, for headless stages and outputs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from installation.fit import Size, fitted
from installation.ipc.ring import Ring
from installation.stage import light, warp
from installation.stage.look import Look
from installation.stage.reel import Cue, Reel
from installation.venue import Wall
from latentworld.arrays import Picture

Card = Callable[[Size], Picture]  # canvas -> the test card of that size


class Easel:
    """Draws cues for a wall of that size (height, width in pixels). Belongs to one thread. card: draws the test card,
    and is asked again after `redraw`. Raises StageError for corners that make no wall."""

    def __init__(self, wall: Wall, size: Size, card: Card | None = None) -> None:
        self.wall, self.size, self.canvas = wall, size, warp.canvas(wall, size)
        ramps = warp.ramps(wall, size)
        self._ramps = None if ramps is None else np.repeat(np.rint(ramps * 255).astype(np.uint8)[..., None], 3, axis=2)
        self._pin = None if warp.square(wall.corners) else _pixels(warp.to_canvas(wall), size, self.canvas)
        self._draw_card = card
        self._card: Picture | None = None
        self._key: object = None
        self._last: Picture = np.zeros((*size, 3), np.uint8)

    def draw(self, cue: Cue) -> Picture:
        """What a cue looks like: uint8[h, w, 3] RGB, not to be written to. The same array is returned again while
        nothing changes."""
        if cue.key != self._key:
            self._key, self._last = cue.key, self._hung(_graded(self._content(cue), cue.look))
        return self._last

    def redraw(self) -> None:
        """Forget the test card: what it says has changed."""
        self._card = self._key = None

    def _content(self, cue: Cue) -> Picture:
        """What stands on the canvas, uint8 [h, w, 3]: the test card, or the cue's pictures mixed and placed."""
        if cue.look.card and self._draw_card is not None:
            if self._card is None:
                self._card = self._draw_card(self.canvas)
            return self._card
        picture = mixture(cue)
        if picture is None:
            return np.zeros((*self.canvas, 3), np.uint8)
        size = (picture.shape[0], picture.shape[1])
        return placed(picture, warp.placing(self.wall, self.size, size, cue.look.zoom), self.canvas)

    def _hung(self, canvas: Picture) -> Picture:
        """The canvas on the wall: rotated, pinned, its edges blended."""
        import cv2

        if self._pin is not None:
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            canvas = cv2.warpPerspective(canvas, self._pin, (self.size[1], self.size[0]), flags=flags)
        elif self.wall.rotation:
            turns = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
            canvas = cv2.rotate(canvas, turns[self.wall.rotation])
        if self._ramps is not None:
            canvas = cv2.multiply(canvas, self._ramps, scale=1 / 255)
        return canvas


class Composer:
    """Composes pictures of a ring for a wall of `wall.size`. Belongs to one thread. `reel.dimmer.set(values)` plays
    it."""

    def __init__(self, ring: Ring, wall: Wall, card: Card | None = None) -> None:
        self.reel = Reel(ring)
        self.easel = Easel(wall, wall.size, card)

    def compose(self, now: float) -> Picture:
        """What the wall shows at a moment (seconds, never decreasing): uint8[h, w, 3] RGB, not to be written to."""
        return self.easel.draw(self.reel.at(now))


def mixture(cue: Cue) -> Picture | None:
    """The cue's two pictures as one, of the newer one's size; None for the dark."""
    if cue.newer is None:
        return None if cue.older is None else cue.older.picture
    newer = cue.newer.picture
    older = np.zeros_like(newer) if cue.older is None else cue.older.picture
    if older.shape != newer.shape and cue.weight < 1:
        size = (newer.shape[0], newer.shape[1])
        older = placed(older, fitted(size, (older.shape[0], older.shape[1]), "contain"), size)
    return light.mixed(older, newer, cue.weight)


def placed(picture: Picture, matrix: warp.Matrix, size: Size) -> Picture:
    """A picture drawn onto uint8[size, 3], exact to half a pixel; matrix: an upright one, of places 0..1 of the target
    -> places 0..1 of the picture. Bicubic where it grows, averaged where it shrinks; black beside the picture."""
    import cv2

    if picture.shape[:2] == size and np.allclose(matrix, np.eye(3), atol=1e-9):
        return picture
    (x0, x1, left, right), (y0, y1, top, bottom) = (
        _span(matrix[i, i], matrix[i, 2], size[1 - i], picture.shape[1 - i]) for i in (0, 1)
    )
    shrinks = warp.shrink(matrix, size, (picture.shape[0], picture.shape[1])) > 1.01
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    part = cv2.resize(picture[y0:y1, x0:x1], (right - left, bottom - top), interpolation=method)
    out = np.zeros((*size, 3), np.uint8)
    seen = part[max(-top, 0) : size[0] - top, max(-left, 0) : size[1] - left]
    row, column = max(top, 0), max(left, 0)
    out[row : row + seen.shape[0], column : column + seen.shape[1]] = seen
    return out


def _span(scale: float, shift: float, target: int, source: int) -> tuple[int, int, int, int]:
    """Along one axis: the pixels of the picture that are seen, and two more; which of the target they come to."""
    first = max(math.floor(shift * source) - 2, 0)
    last = min(math.ceil((scale + shift) * source) + 2, source)
    begin, end = (round((edge / source - shift) / scale * target) for edge in (first, last))
    return first, last, begin, max(end, begin + 1)


def _graded(picture: Picture, look: Look) -> Picture:
    import cv2

    if (look.light, look.gamma, look.black) == (1.0, 1.0, 0.0):
        return picture
    return np.asarray(cv2.LUT(picture, light.graded(look.light, look.gamma, look.black)), np.uint8)


def _pixels(matrix: warp.Matrix, target: Size, source: Size) -> warp.Matrix:
    """The same matrix between pixels as OpenCV counts them, from their middles."""
    onto = np.array([[target[1], 0, -0.5], [0, target[0], -0.5], [0, 0, 1]])
    out_of = np.array([[source[1], 0, -0.5], [0, source[0], -0.5], [0, 0, 1]])
    return np.asarray(out_of @ matrix @ np.linalg.inv(onto))
