"""The contact sheet: evenly spaced frames of a film on one page, whatever its length, in bounded memory.

Every `stride`-th frame is kept, as a thumbnail; when twice as many are held as may be, every other one goes and the
stride doubles. So the film's length need not be known, and a film that is cut short has its sheet too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from installation.film.sinks import save_png
from installation.frames import Frames
from latentworld.arrays import Pictures
from latentworld.errors import OutputError
from latentworld.plane import Plane
from latentworld.preset import Preset

_GROUND, _INK, _FAINT, _RIFT = (11, 12, 16), (226, 222, 212), (126, 126, 134), (255, 122, 89)
_MARGIN, _GAP, _CAPTION = 72, 22, 46


@dataclass(frozen=True, eq=False)
class Cell:
    """A kept frame: its thumbnail; over all frames since the cell before, the largest rate and any mark."""

    picture: Pictures
    time: float
    words: str
    rate: float
    marked: bool


class Sheet:
    """Draws the sheet when it is closed. `columns` x `rows` frames, thumbnails `width` pixels wide."""

    def __init__(
        self, target: Path, plane: Plane, title: str, text: str, columns: int = 6, rows: int = 4, width: int = 256
    ) -> None:
        self.target, self.plane, self.title, self.text = target, plane, title, text
        self.columns, self.rows, self.width = columns, rows, width
        self.cells: list[Cell] = []
        self._stride = 1
        self._seen = 0
        self._rate, self._marked = 0.0, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if not self.cells:
            return
        try:
            save_png(self.target, self.draw())
        except OutputError:
            if kind is None:  # else the first fault is the one to report
                raise

    def send(self, frames: Frames) -> None:
        """Keep some of the batch."""
        alpha, beta, front = self.plane.chart(frames.path.unit)
        for i, picture in enumerate(frames.pictures):
            self._rate = max(self._rate, float(np.nan_to_num(frames.rates.rate[i])))
            self._marked |= bool(frames.marked[i])
            if self._seen % self._stride == 0:
                words = place(float(alpha[i]), float(beta[i]), bool(front[i]), float(frames.path.radius[i]))
                time = float(frames.path.time[i])
                self.cells.append(Cell(self._thumbnail(picture), time, words, self._rate, self._marked))
                self._rate, self._marked = 0.0, False
            self._seen += 1
            if len(self.cells) >= 2 * 2 * self.columns * self.rows:
                self.cells = [merge(*pair) for pair in zip(self.cells[::2], [self.cells[0], *self.cells[1::2]])]
                self._stride *= 2

    def chosen(self) -> list[Cell]:
        """The cells on the sheet, evenly spaced from the first to the last kept."""
        count = min(len(self.cells), self.columns * self.rows)
        places = np.linspace(0, len(self.cells) - 1, count).round().astype(int)
        edges = np.append(-1, places)
        chosen = []
        for before, here in pairwise(edges):
            cell = self.cells[here]
            for passed in self.cells[before + 1 : here]:
                cell = merge(cell, passed)
            chosen.append(cell)
        return chosen

    def draw(self) -> Pictures:
        """The sheet, uint8[height, width, 3]."""
        cells = self.chosen()
        high = cells[0].picture.shape[0]
        rows = math.ceil(len(cells) / self.columns)
        columns = min(self.columns, len(cells))
        width = max(2 * _MARGIN + columns * (self.width + _GAP) - _GAP, 820)
        top = _MARGIN + 74
        height = top + rows * (high + _CAPTION + _GAP) - _GAP + _MARGIN - 16
        page = Image.new("RGB", (width, height), _GROUND)
        pen = ImageDraw.Draw(page)
        large = _font("DejaVuSerif.ttf", 30)
        pen.text((_MARGIN, _MARGIN - 8), self.title or "latentworld", _INK, font=large, anchor="ls")
        _paragraph(pen, self.text, (_MARGIN, _MARGIN + 18), width - 2 * _MARGIN)
        colours = _colours(np.array([cell.rate for cell in cells]))
        for i, cell in enumerate(cells):
            x = _MARGIN + (i % self.columns) * (self.width + _GAP)
            y = top + (i // self.columns) * (high + _CAPTION + _GAP)
            page.paste(Image.fromarray(cell.picture), (x, y))
            pen.rectangle((x, y + high + 5, x + self.width - 1, y + high + 7), fill=colours[i])
            _caption(pen, cell, (x, y + high + 16), self.width)
        return np.asarray(page)

    def _thumbnail(self, picture: Pictures) -> Pictures:
        high = max(1, round(self.width * picture.shape[0] / picture.shape[1]))
        return np.asarray(Image.fromarray(picture).resize((self.width, high), Image.Resampling.LANCZOS))


def described(preset: Preset, of_take: bool = False) -> str:
    """What was rendered, in a sentence: a resolved preset's prompt, decoder and plane; a take has its own prompts."""
    d, a, prompt = preset.decoder, preset.analytic, preset.prompt
    if d.kind == "analytic":
        said = [f"the analytic world, {a.modes} modes, sigma {a.sigma:g}"]
    elif of_take:
        said = ["a take, with its own prompts"]
    else:
        said = [f"“{prompt.positive}”" + (f", not “{prompt.negative}”" if prompt.negative else "")]
    steps = d.scout_steps if d.kind == "scout" else d.steps
    said += [f"{d.kind}, {steps} steps" if d.kind != "analytic" else f"{steps} steps"]
    said += [f"guidance {d.guidance:g}"] if d.kind == "faithful" and d.guidance is not None else []
    seeds = ", ".join(map(str, preset.plane.seeds))
    said += ["vertices from a file" if preset.plane.vertices else f"seeds {seeds}", f"walk: {preset.walk.kind}"]
    return "; ".join(said)


def merge(cell: Cell, passed: Cell) -> Cell:
    """The cell, knowing also of a frame that is passed over."""
    return replace(cell, rate=max(cell.rate, passed.rate), marked=cell.marked or passed.marked)


def place(alpha: float, beta: float, front: bool, radius: float) -> str:
    """A place in a few characters: alpha, beta, `far` on the far side, and the radius off the shell."""
    far = "" if front else " far"
    out = "" if abs(radius - 1) < 0.005 else f"  r {radius:.2f}"
    return f"α {_short(alpha)}  β {_short(beta)}{far}{out}"


def _short(value: float) -> str:
    text = f"{value:.2f}" if abs(value) < 100 else f"{value:.0e}".replace("e+0", "e")
    return text.replace("-", "−")


def _caption(pen: ImageDraw.ImageDraw, cell: Cell, corner: tuple[int, int], width: int) -> None:
    x, y = corner
    minutes, seconds = divmod(cell.time, 60)
    pen.text((x, y), f"{int(minutes)}:{seconds:04.1f}", _INK, font=_font("DejaVuSans.ttf", 13))
    if cell.marked:
        pen.polygon([(x + 48, y + 9), (x + 52, y + 4), (x + 56, y + 9), (x + 52, y + 14)], fill=_RIFT)
    pen.text((x + width, y + 1), cell.words, _FAINT, font=_font("DejaVuSans.ttf", 12), anchor="ra")


def _paragraph(pen: ImageDraw.ImageDraw, text: str, corner: tuple[int, int], width: int) -> None:
    """Up to two lines of description."""
    font, lines = _font("DejaVuSans.ttf", 14), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, font=font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > 2:
        lines = [lines[0], lines[1].rstrip(".,") + " ..."]
    for i, line in enumerate(lines):
        pen.text((corner[0], corner[1] + 20 * i), line, _FAINT, font=font)


def _colours(rates: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[tuple[int, int, int]]:
    """A colour for each rate, dark for the calmest and light for the steepest of the film, on a logarithmic scale."""
    from matplotlib import colormaps

    known = rates[rates > 0]
    if not len(known):
        return [_FAINT] * len(rates)
    low, high = np.log(known.min()), np.log(known.max())
    level = (np.log(np.maximum(rates, known.min())) - low) / max(high - low, 1e-9)
    # the darkest fifth of the map would not show on this ground
    table = colormaps["inferno"](0.22 + 0.73 * level)
    return [(int(r * 255), int(g * 255), int(b * 255)) for r, g, b, _ in table]


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font that matplotlib ships, so that sheets look the same on every machine."""
    from matplotlib import get_data_path

    return ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", name)), size)
