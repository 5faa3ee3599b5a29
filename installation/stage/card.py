"""The test card: what a person on a ladder needs to set up a wall, and the deck's address for everybody's telephone.

Frame and castellation show what is cut off, grid and circles geometry and the pin, the chequers in the corners focus
and scaling, the ramp and the eleven greys gamma, the four darkest fields the black level, the bars colours. The
lined field beside its grey: both look equally bright from afar where `out.gamma` is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from installation.lettering import font
from latentworld.arrays import Picture
from latentworld.errors import ShowError
from latentworld.extras import need
from latentworld.tokens import DARK, rgb

if TYPE_CHECKING:
    from PIL import ImageDraw

Colour = tuple[int, int, int]

_GROUND, _LINE, _INK, _FAINT, _RIFT = (rgb(c) for c in (DARK.raised, DARK.line, DARK.ink, DARK.faint, DARK.accent))
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
    picture = np.array(image)
    _corners(picture)
    across = round(min(width, height) * 11 / 12)
    _ring(picture, width / 2, height / 2, across / 2, _thick(width, height) * 2, inside=_GROUND)
    _fields(picture, across)
    _sign(picture, facts.deck, across)
    image = Image.fromarray(picture)
    _words(ImageDraw.Draw(image), facts, (width, height), across)
    return np.array(image)


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
        count = round(length / cell) | 1  # odd, so that opposite edges look the same
        for i in range(count):
            a, b = length * i / count, length * (i + 1) / count - 1
            colour = _INK if i % 2 == 0 else _BLACK
            for near, far in ((0, deep), (across - deep - 1, across - 1)):
                pen.rectangle((near, a, far, b) if upright else (a, near, b, far), colour)
    pen.rectangle((0, 0, width - 1, height - 1), outline=_WHITE)


def _corners(picture: Picture) -> None:
    """Circles, and in them chequers of one and two pixels."""
    height, width = picture.shape[:2]
    cell, thick = _cell(width, height), _thick(width, height)
    away, side = cell * 1.75, int(cell * 0.4)
    rows, columns = np.indices((side, side * 2))
    chequers = np.concatenate([(rows + columns) % 2, (rows // 2 + columns // 2) % 2]).astype(np.uint8) * 255
    for x, y in ((away, away), (width - away, away), (away, height - away), (width - away, height - away)):
        _ring(picture, x, y, 1.25 * cell, thick)
        left, top = round(x) - side, round(y) - side
        picture[top : top + 2 * side, left : left + 2 * side] = chequers[..., None]


def _ring(picture: Picture, x: float, y: float, radius: float, thick: int, inside: Colour | None = None) -> None:
    """A circle with smooth edges, perhaps filled; x, y, radius in pixels from the upper left corner. OpenCV's are
    polygons, which one sees."""
    reach = radius + thick
    top, left = max(int(y - reach), 0), max(int(x - reach), 0)
    part = picture[top : int(y + reach) + 1, left : int(x + reach) + 1]
    rows, columns = (np.arange(length, dtype=np.float32) + np.float32(0.5) for length in part.shape[:2])
    off = np.hypot((rows + np.float32(top - y))[:, None], columns + np.float32(left - x)) - np.float32(radius)
    if inside is not None:
        part[off < 0] = inside
    off = np.abs(off)
    there = np.nonzero(off < thick / 2 + 0.5)
    share = np.clip(thick / 2 + 0.5 - off[there], 0, 1)[:, None]
    part[there] = np.rint(part[there] * (1 - share) + np.array(_INK) * share)


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
    side = round(across * 0.35)
    code = _code(deck, side) if deck else None
    sign = _zones(side) if code is None else code
    top = round(picture.shape[0] / 2 - across * 0.08 - sign.shape[0] / 2)
    left = round(picture.shape[1] / 2 - sign.shape[1] / 2)
    part = picture[top : top + sign.shape[0], left : left + sign.shape[1]]
    part[:] = np.where(sign[..., None] < 0, part, sign[..., None])


def _code(text: str, side: int) -> NDArray[np.int16] | None:
    """Whole pixels a module, so that it is sharp; the quiet zone of four modules that readers want. None where no code
    can be made: the address stands below it anyhow."""
    try:
        segno = need("segno")
        code = segno.make(text, error="m", micro=False)
    except (ShowError, ValueError):  # segno's DataOverflowError is a ValueError
        return None
    modules = np.array([list(row) for row in code.matrix_iter(border=4)], np.uint8)
    scale = max(side // len(modules), 1)
    return np.where(np.kron(modules, np.ones((scale, scale), np.uint8)) > 0, 0, 255).astype(np.int16)


def _zones(side: int) -> NDArray[np.int16]:
    """-1 beside the plate."""
    axis = np.arange(side) - (side - 1) / 2
    square = axis[:, None] ** 2 + axis[None] ** 2
    wave = np.cos(np.pi * square / side)  # half a cycle a pixel, the finest there is, where the plate ends
    return np.where(square < (side / 2) ** 2, np.rint(127.5 + 127.5 * wave), -1).astype(np.int16)


def _words(pen: ImageDraw.ImageDraw, facts: Facts, size: tuple[int, int], across: int) -> None:
    x, y = size[0] / 2, size[1] / 2
    rate = f"{facts.rate:g} Hz" if facts.rate else ""
    turned = f"turned {facts.rotation}°" if facts.rotation else ""
    lines = (
        (0, -0.385, 0.062, "serif", _INK, "latentworld"),
        (0, -0.315, 0.032, "sans", _RIFT, facts.monitor),
        (
            0,
            -0.278,
            0.024,
            "sans",
            _FAINT,
            "   ".join(filter(None, (f"{size[0]} × {size[1]}", rate, turned))),
        ),
        (0, 0.128, 0.028, "mono", _INK, facts.deck.split("?")[0] or "no deck"),
        (-0.11, 0.416, 0.017, "sans", _FAINT, "black level"),
        (0.1, 0.416, 0.017, "sans", _FAINT, "gamma"),
    )
    for beside, below, tall, face, colour, words in lines:
        points = max(round(across * tall), 6)
        while points > 6 and font(points, face).getlength(words) > across * 0.8:
            points -= 1
        pen.text((x + across * beside, y + across * below), words, colour, font(points, face), anchor="mm")


def _thick(width: int, height: int) -> int:
    return max(round(min(width, height) / 1080), 1)
