"""The look of every plot: its sheet, its scales, its numbers and titles. Colours and sizes come from the tokens."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from latentworld.arrays import Array
from latentworld.tokens import BRIGHT, DARK, DRAWN, PHASES, PRINT, Paper
from latentworld.tokens import glow as glowing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke

LOGARITHMIC = 30.0  # contrast above which a scale counts in powers
PIXELS = 150  # an inch, unless a sheet says otherwise


@contextmanager
def sheet(width: float, height: float, paper: Paper, dpi: float = PIXELS) -> Iterator[Figure]:
    """An empty figure of this size in inches, and the style for what is drawn inside the `with`."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style = {
        "figure.facecolor": paper.ground, "axes.facecolor": paper.ground, "savefig.facecolor": paper.ground,
        "text.color": paper.ink, "axes.edgecolor": paper.rule, "axes.labelcolor": paper.faint,
        "xtick.color": paper.rule, "ytick.color": paper.rule, "xtick.labelcolor": paper.faint,
        "ytick.labelcolor": paper.faint, "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
        "xtick.major.size": 3, "ytick.major.size": 3, "font.family": DRAWN["sans"], "font.size": PRINT.caption,
        "axes.axisbelow": True, "axes.titlecolor": paper.faint, "axes.titlesize": PRINT.caption,
        "mathtext.fontset": "dejavusans",
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=(width, height), dpi=dpi)
        FigureCanvasAgg(figure)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from font")  # it draws a box, which says enough
            yield figure


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place of the sheet, in inches from its lower left."""
    w, h = figure.get_size_inches()
    return figure.add_axes((left / w, bottom / h, width / w, height / h))


def inscribe(figure: Figure, title: str, subtitle: str, caption: str, paper: Paper, left: float = 0.8) -> None:
    """Title and subtitle above, caption below, as every sheet has them."""
    w, h = figure.get_size_inches()
    face = DRAWN["serif"]
    figure.text(left / w, 1 - 0.5 / h, title or "latentworld", fontsize=PRINT.title, family=face, va="baseline")
    figure.text(left / w, 1 - 0.75 / h, subtitle, color=paper.faint, va="baseline")
    figure.text(left / w, 0.26 / h, caption, fontsize=PRINT.small, color=paper.faint, va="baseline")


def clipped(words: str, most: int) -> str:
    """Words of at most so many characters, with dollars that matplotlib does not take for mathematics."""
    words = " ".join(words.split())
    return (words if len(words) <= most else words[: most - 1] + "…").replace("$", r"\$")


def number(value: float, digits: int = 3) -> str:
    """So many digits, with a power of ten where a plain number would be long, and a true minus sign."""
    if not np.isfinite(value):
        return f"{value:g}".replace("-", "−")
    mantissa, power = f"{value:.{max(digits - 2, 0)}e}".split("e")
    if -4 < int(power) < 5:
        return (f"{value:.0f}" if int(power) >= digits else f"{value:.{digits}g}").replace("-", "−")
    return f"{float(mantissa):g}·10{str(int(power)).translate(_SUPERSCRIPT)}".replace("-", "−")


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def glow(paper: Paper = DARK, start: float = 0.0) -> Colormap:
    """Rates: inferno, without the end that would drown in the paper; from `start` of the rest on."""
    from matplotlib.colors import ListedColormap

    levels = np.linspace(start, 1.0, 256)
    return ListedColormap(np.array([glowing(float(level), paper) for level in levels]) / 255)


def bright(paper: Paper = DARK) -> Colormap:
    """The same for thin lines and small marks, which would drown where areas do not."""
    return glow(paper, BRIGHT)


def scale(rates: Array) -> Normalize:
    """From the 2nd percentile to the largest known rate; logarithmic when these are more than `LOGARITHMIC` apart."""
    from matplotlib.colors import LogNorm, Normalize

    known = rates[np.isfinite(rates) & (rates > 0)]
    if not len(known):
        return Normalize(0.0, 1.0, clip=True)
    low, high = float(np.percentile(known, 2)), float(known.max())
    if high > LOGARITHMIC * low:
        return LogNorm(low, high, clip=True)
    return Normalize(0.0, high, clip=True)


def phase_colours(count: int) -> list[str]:
    """As many colours as phases; beyond sixteen they come again."""
    return [PHASES[index % len(PHASES)] for index in range(count)]


def halo(paper: Paper, width: float) -> list[withStroke]:
    """Text that can be read on any colour."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=paper.ground, alpha=0.85)]
