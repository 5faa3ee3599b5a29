"""The contact sheet: evenly spaced frames of a film on one page, read back from what was kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from installation.film.sinks import save_png
from installation.film.telemetry import Telemetry
from installation.lettering import font
from latentworld.arrays import Pictures, Vector
from latentworld.preset import Preset
from latentworld.tokens import BRIGHT, DARK, GAP, MARGIN, SHEET, Rgb, glow, rgb

_CAPTION = 46  # pixels below a picture
_SWATCH, _LINE = 60, 18  # of the key: width of its bar, height of a line
COLUMNS, ROWS, WIDTH = 6, 4, 256  # of the sheet; of a thumbnail, in pixels


@dataclass(frozen=True, eq=False)
class Cell:
    """A frame on the sheet: its thumbnail; over all frames since the cell before, the largest rate and any mark."""

    picture: Pictures
    time: str
    words: str
    rate: float
    marked: bool


def save(
    target: Path, record: Telemetry, read: Callable[[int], Pictures | None], title: str, text: str,
    info: PngInfo | None = None, columns: int = COLUMNS, rows: int = ROWS, width: int = WIDTH,
) -> None:  # fmt: skip
    """Write the sheet of a film; nothing is written for one without a frame. read: a frame by its place in the film,
    None where it cannot be had; info: texts in the PNG. Raises OutputError."""
    if cells := chosen(record, read, columns * rows, width):
        save_png(target, draw(cells, title, text, columns, width), info=info)


def chosen(record: Telemetry, read: Callable[[int], Pictures | None], most: int, width: int = WIDTH) -> list[Cell]:
    """At most so many cells, evenly spaced from the first frame to the last."""
    if not len(record):
        return []
    places = np.linspace(0, len(record) - 1, min(len(record), most)).round().astype(int).tolist()
    cells, gap = [], float(np.median(np.diff(record.time[places]))) if len(places) > 1 else 1.0
    for before, here in pairwise([-1, *places]):
        picture = read(here)
        if picture is None:
            continue
        since = slice(before + 1, here + 1)
        rate = float(np.nan_to_num(record.lipschitz[since]).max())
        words = place(*(float(v[here]) for v in (record.alpha, record.beta, record.front, record.radius)))
        cell = Cell(
            thumbnail(picture, width),
            clock(float(record.time[here]), gap),
            words,
            rate,
            bool(record.marked[since].any()),
        )
        cells.append(cell)
    return cells


def draw(cells: list[Cell], title: str, text: str, columns: int = COLUMNS, width: int = WIDTH) -> Pictures:
    """The sheet, uint8[height, width, 3]."""
    high = cells[0].picture.shape[0]
    rows = math.ceil(len(cells) / columns)
    columns = min(columns, len(cells))
    wide = max(2 * MARGIN + columns * (width + GAP) - GAP, 820)
    top = MARGIN + 74
    keys = _keys(cells)
    height = top + rows * (high + _CAPTION + GAP) - GAP + MARGIN + 8 + (len(keys) - 1) * _LINE
    page = Image.new("RGB", (wide, height), DARK.ground)
    pen = ImageDraw.Draw(page)
    large = font(SHEET.title, "serif")
    pen.text((MARGIN, MARGIN - 8), title or "latentworld", DARK.ink, font=large, anchor="ls")
    _paragraph(pen, text, (MARGIN, MARGIN + 18), wide - 2 * MARGIN)
    colours = _colours(np.array([cell.rate for cell in cells]))
    for i, cell in enumerate(cells):
        x = MARGIN + (i % columns) * (width + GAP)
        y = top + (i // columns) * (high + _CAPTION + GAP)
        page.paste(Image.fromarray(cell.picture), (x, y))
        pen.rectangle((x, y + high + 5, x + width - 1, y + high + 7), fill=colours[i])
        _caption(pen, cell, (x, y + high + 16), width)
    _legend(pen, keys, (MARGIN, height - 22 - len(keys) * _LINE))
    return np.asarray(page)


def thumbnail(picture: Pictures, width: int) -> Pictures:
    """A picture at that width, by Lanczos."""
    high = max(1, round(width * picture.shape[0] / picture.shape[1]))
    return np.asarray(Image.fromarray(picture).resize((width, high), Image.Resampling.LANCZOS))


def described(preset: Preset, of_take: bool = False) -> str:
    """What was rendered, in a sentence: a resolved preset's prompt (a take has its own), decoder and plane."""
    d, a, prompt = preset.decoder, preset.analytic, preset.prompt
    if d.kind == "analytic":
        said = [f"the analytic world, {a.modes} modes, sigma {a.sigma:g}"]
    elif of_take:
        said = ["prompts as film.take has them"]
    else:
        said = [f"“{prompt.positive}”" + (f", not “{prompt.negative}”" if prompt.negative else "")]
    steps = d.scout_steps if d.kind == "scout" else d.steps
    said += [f"{d.kind}, {steps} steps" if d.kind != "analytic" else f"{steps} steps"]
    said += [f"guidance {d.guidance:g}"] if d.kind == "faithful" and d.guidance is not None else []
    seeds = ", ".join(map(str, preset.plane.seeds))
    said += ["vertices from a file" if preset.plane.vertices else f"seeds {seeds}", f"walk: {preset.walk.kind}"]
    return "; ".join(said)


def place(alpha: float, beta: float, front: float, radius: float) -> str:
    """A place in a few characters: alpha, beta, `far` on the far side, and the radius off the shell."""
    far = "" if front else " far"
    out = "" if abs(radius - 1) < 0.005 else f"  r {radius:.2f}"
    return f"α {_short(alpha)}  β {_short(beta)}{far}{out}"


def clock(seconds: float, gap: float) -> str:
    """A time as minutes and seconds, in hundredths where neighbours are less than half a second (`gap`) apart."""
    digits = 2 if gap < 0.5 else 1
    minutes, rest = divmod(round(seconds, digits), 60)
    return f"{int(minutes)}:{rest:0{3 + digits}.{digits}f}"


def _short(value: float) -> str:
    text = f"{value:.2f}" if abs(value) < 100 else f"{value:.0e}".replace("e+0", "e")
    return text.replace("-", "−")


def _caption(pen: ImageDraw.ImageDraw, cell: Cell, corner: tuple[int, int], width: int) -> None:
    x, y = corner
    pen.text((x, y), cell.time, DARK.ink, font=font(SHEET.caption))
    if cell.marked:
        pen.polygon([(x + 56, y + 9), (x + 60, y + 4), (x + 64, y + 9), (x + 60, y + 14)], fill=DARK.accent)
    pen.text((x + width, y + 1), cell.words, DARK.faint, font=font(SHEET.small), anchor="ra")


def _keys(cells: list[Cell]) -> list[str]:
    """What bars and words below the pictures mean, those that are there; the first is the bars'."""
    said = ["calm to steep: the largest Lipschitz value since the picture before, in this film"]
    said += ["diamond: a step that stayed large"] if any(cell.marked for cell in cells) else []
    return said + (["far: on the far side, α and β of its antipode"] if any(" far" in c.words for c in cells) else [])


def _legend(pen: ImageDraw.ImageDraw, keys: list[str], corner: tuple[int, int]) -> None:
    x, y = corner
    for i, colour in enumerate(_colours(np.geomspace(1.0, 10.0, _SWATCH))):
        pen.rectangle((x + i, y + 8, x + i, y + 10), fill=colour)
    for i, key in enumerate(keys):
        pen.text((x + _SWATCH + 12, y + i * _LINE), key, DARK.faint, font=font(SHEET.small))


def _paragraph(pen: ImageDraw.ImageDraw, text: str, corner: tuple[int, int], width: int) -> None:
    """Up to two lines of description."""
    face, lines = font(SHEET.text), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, font=face) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > 2:
        lines = [lines[0], lines[1].rstrip(".,") + " ..."]
    for i, line in enumerate(lines):
        pen.text((corner[0], corner[1] + 20 * i), line, DARK.faint, font=face)


def _colours(rates: Vector) -> list[Rgb]:
    """A colour for each rate, dark for the calmest and light for the steepest of the film, on a logarithmic scale."""
    known = rates[rates > 0]
    if not len(known):
        return [rgb(DARK.faint)] * len(rates)
    low, high = np.log(known.min()), np.log(known.max())
    level = (np.log(np.maximum(rates, known.min())) - low) / max(high - low, 1e-9)
    return [glow(BRIGHT + (1 - BRIGHT) * float(one)) for one in level]
