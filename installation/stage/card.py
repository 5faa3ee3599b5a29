"""The test card: what a person on a ladder needs to set up a wall, and the deck's address for everybody's telephone.

Frame and castellation show what is cut off, grid and circles geometry and the pin, the chequers in the corners focus
and scaling, the ramp and the eleven greys gamma, the four darkest fields the black level, the bars colours. The
lined field beside its grey: both look equally bright from afar where `out.gamma` is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from installation.extras import need

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

_GROUND, _LINE, _INK, _FAINT, _RIFT = (22, 23, 28), (66, 68, 77), (226, 222, 212), (142, 142, 150), (255, 122, 89)
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_BARS: tuple[Colour, ...] = (
    (191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191), (0, 0, 0),
)  # fmt: skip
SMALLEST = 240  # pixels of the shorter side
_HALF = 188  # the sRGB value with half the light of 255


@dataclass(frozen=True)
class Facts:
    """What the card says: the monitor, its rate in Hz (0: not told), the rotation, the deck's address ("": no deck)."""

    monitor: str
    rate: float = 0.0
    rotation: int = 0
    deck: str = ""


def draw(size: tuple[int, int], facts: Facts) -> Picture:
    """The card of a canvas (height, width in pixels): uint8[h, w, 3]."""
    from PIL import Image, ImageDraw

    height, width = size
    if min(size) < SMALLEST:  # lines and letters would fall together: drawn larger, then made small
        grow = SMALLEST / max(min(size), 1)
        large = Image.fromarray(draw((max(round(height * grow), SMALLEST), max(round(width * grow), SMALLEST)), facts))
        return np.array(large.resize((width, height), Image.Resampling.LANCZOS))
    image = Image.new("RGB", (width, height), _GROUND)
    pen = ImageDraw.Draw(image)
    _grid(pen, width, height)
    _edges(pen, width, height)
    _corners(pen, width, height)
    picture = np.array(image)
    _middle(picture, facts)
    return picture


def _cell(width: int, height: int) -> float:
    """The side of a square of the grid: the shorter side has twelve."""
    return min(width, height) / 12


def _grid(pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
    cell, thick = _cell(width, height), _thick(width, height)
    for length, across, upright in ((width, height, True), (height, width, False)):
        count = int(length / 2 / cell)
        for i in range(-count, count + 1):
            at = round(length / 2 + i * cell)
            colour = _FAINT if i == 0 else _LINE
            pen.line([(at, 0), (at, across)] if upright else [(0, at), (across, at)], colour, thick)


def _edges(pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """Blocks along the edges, black and light in turn, and the outermost pixels white."""
    cell = _cell(width, height)
    deep = cell / 4
    for length, across, upright in ((width, height, False), (height, width, True)):
        count = max(round(length / cell), 1)
        for i in range(count):
            a, b = length * i / count, length * (i + 1) / count - 1
            colour = _INK if i % 2 == 0 else _BLACK
            for near, far in ((0, deep), (across - deep - 1, across - 1)):
                pen.rectangle((near, a, far, b) if upright else (a, near, b, far), colour)
    pen.rectangle((0, 0, width - 1, height - 1), outline=_WHITE)


def _corners(pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """Circles, and in them chequers of one and two pixels."""
    cell, thick = _cell(width, height), _thick(width, height)
    away, side = cell * 1.75, int(cell * 0.4)
    for x, y in ((away, away), (width - away, away), (away, height - away), (width - away, height - away)):
        pen.ellipse((x - 1.25 * cell, y - 1.25 * cell, x + 1.25 * cell, y + 1.25 * cell), outline=_INK, width=thick)
        left, top = round(x) - side, round(y) - side
        for i in range(side * 2):
            for block, shift in ((1, 0), (2, side)):
                points = [(left + i, top + j + shift) for j in range(side) if (i // block + j // block) % 2]
                pen.point(points, _WHITE)
                pen.point([(left + i, top + j + shift) for j in range(side) if not (i // block + j // block) % 2], 0)


def _middle(picture: Picture, facts: Facts) -> None:
    """The great circle and what stands in it, all in parts of its diameter."""
    from PIL import Image, ImageDraw

    height, width = picture.shape[:2]
    across = round(min(width, height) * 11 / 12)
    plate = Image.fromarray(picture)
    pen = ImageDraw.Draw(plate)
    x, y, r = width / 2, height / 2, across / 2
    pen.ellipse((x - r, y - r, x + r, y + r), fill=_GROUND, outline=_INK, width=_thick(width, height) + 1)
    picture[:] = np.asarray(plate)
    _fields(picture, across)
    _sign(picture, facts.deck, across)
    plate = Image.fromarray(picture)
    _words(ImageDraw.Draw(plate), facts, (width, height), across)
    picture[:] = np.asarray(plate)


def _fields(picture: Picture, across: int) -> None:
    """Colour bars, greys, ramp, and the row of black level and gamma, one under the other."""
    wide = round(across * 0.66)
    bars = np.repeat(np.array(_BARS, np.uint8), -(-wide // len(_BARS)), axis=0)[:wide]
    greys = np.repeat(np.rint(np.linspace(0, 255, 11)), -(-wide // 11))[:wide]
    ramp = np.rint(np.linspace(0, 255, wide))
    for top, bottom, row in ((0.165, 0.225, bars), (0.225, 0.275, greys), (0.275, 0.315, ramp)):
        values = row if row.ndim == 2 else np.repeat(row[:, None], 3, axis=1)
        _fill(picture, across, (-0.33, top, 0.33, bottom), values[None].astype(np.uint8))
    for i, level in enumerate((0, 5, 10, 15)):  # of 255: 0, 2, 4 and 6 per cent
        _fill(picture, across, (-0.2 + i * 0.045, 0.345, -0.155 + i * 0.045, 0.4), np.full((1, 1, 3), level))
    _fill(picture, across, (0.0, 0.345, 0.1, 0.4), np.array([[[255] * 3], [[0] * 3]]), lines=True)
    _fill(picture, across, (0.1, 0.345, 0.2, 0.4), np.full((1, 1, 3), _HALF))


def _fill(
    picture: Picture,
    across: int,
    box: tuple[float, float, float, float],
    values: NDArray[np.generic],
    lines: bool = False,
) -> None:
    """Fill a box around the middle, in parts of the circle, with columns of values or, `lines`, with rows in turn."""
    height, width = picture.shape[:2]
    x0, x1 = (round(width / 2 + across * edge) for edge in box[::2])
    y0, y1 = (round(height / 2 + across * edge) for edge in box[1::2])
    if lines:
        picture[y0:y1, x0:x1] = values[np.arange(y1 - y0) % 2]
    else:
        columns = np.minimum(np.arange(x1 - x0) * values.shape[1] // max(x1 - x0, 1), values.shape[1] - 1)
        picture[y0:y1, x0:x1] = values[:, columns]


def _sign(picture: Picture, deck: str, across: int) -> None:
    """The deck's address as a QR code; without a deck a zone plate, which shows what scaling does to detail."""
    side = round(across * 0.34)
    sign = _code(deck, side) if deck else _zones(side)
    top = round(picture.shape[0] / 2 - across * 0.085 - sign.shape[0] / 2)
    left = round(picture.shape[1] / 2 - sign.shape[1] / 2)
    picture[top : top + sign.shape[0], left : left + sign.shape[1]] = sign[..., None]


def _code(text: str, side: int) -> Picture:
    """Whole pixels a module, so that it is sharp; the quiet zone of four modules that readers want."""
    segno = need("segno", "show")
    code = segno.make(text, error="m", micro=False)
    modules = np.array([list(row) for row in code.matrix_iter(border=4)], np.uint8)
    scale = max(side // len(modules), 1)
    return np.where(np.kron(modules, np.ones((scale, scale), np.uint8)) > 0, 0, 255).astype(np.uint8)


def _zones(side: int) -> Picture:
    axis = np.arange(side) - side / 2
    square = axis[:, None] ** 2 + axis[None] ** 2
    wave = np.cos(np.pi * square / side)  # half a cycle a pixel, the finest there is, where the plate ends
    inside = np.clip(side / 2 - np.sqrt(square), 0, 1)
    return np.rint(_GROUND[0] + (127.5 + 127.5 * wave - _GROUND[0]) * inside).astype(np.uint8)


def _words(pen: ImageDraw.ImageDraw, facts: Facts, size: tuple[int, int], across: int) -> None:
    x, y = size[0] / 2, size[1] / 2
    rate = f"{facts.rate:g} Hz" if facts.rate else ""
    turned = f"turned {facts.rotation}°" if facts.rotation else ""
    lines = (
        (-0.385, 0.062, "DejaVuSerif.ttf", _INK, "latentworld"),
        (-0.312, 0.03, "DejaVuSans.ttf", _RIFT, facts.monitor),
        (-0.276, 0.024, "DejaVuSans.ttf", _FAINT, "   ".join(filter(None, (f"{size[0]} × {size[1]}", rate, turned)))),
        (0.118, 0.026, "DejaVuSansMono.ttf", _INK, facts.deck.split("?")[0] or "no deck"),
        (0.418, 0.016, "DejaVuSans.ttf", _FAINT, "black level      gamma"),
    )
    for at, tall, name, colour, words in lines:
        points = max(round(across * tall), 6)
        while points > 6 and _font(name, points).getlength(words) > across * 0.8:
            points -= 1
        pen.text((x, y + across * at), words, colour, _font(name, points), anchor="mm")


def _thick(width: int, height: int) -> int:
    return max(round(min(width, height) / 1080), 1)


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", name)), size)
