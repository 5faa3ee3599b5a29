"""The look of every picture: papers, colours, scales, captions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from latentworld.arrays import Array
from latentworld.atlas.plots.cells import spacing
from latentworld.atlas.settings import profile_of
from latentworld.atlas.types import Atlas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

RATE = "CLIP distance per latent distance"
LOGARITHMIC = 30.0  # contrast above which a scale counts in powers


@dataclass(frozen=True)
class Paper:
    """What a picture is printed on. `dark`: whether strong is bright; the colour map runs away from the ground."""

    ground: str
    sea: str
    rule: str
    faint: str
    ink: str
    accent: str
    dark: bool


DARK = Paper("#0b0c10", "#14161c", "#2a2d36", "#8d8d95", "#e9e5db", "#ff7a59", True)
LIGHT = Paper("#f7f4ed", "#ece7dc", "#d5cfc2", "#6f6b64", "#1d1c1a", "#c23b1b", False)

# Okabe and Ito 2008, then Tol's muted colours that stay apart from them: told apart by colour-blind readers
PHASES = (
    "#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#b8b8b8", "#882255",
    "#0072b2", "#999933", "#44aa99", "#332288", "#ddcc77", "#aa4499", "#117733", "#cc6677",
)  # fmt: skip


@contextmanager
def sheet(width: float, height: float, paper: Paper) -> Iterator[Figure]:
    """An empty figure of this size in inches, and the style for what is drawn inside the `with`."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style = {
        "figure.facecolor": paper.ground, "axes.facecolor": paper.ground, "text.color": paper.ink,
        "axes.edgecolor": paper.rule, "axes.labelcolor": paper.faint, "xtick.color": paper.rule,
        "ytick.color": paper.rule, "xtick.labelcolor": paper.faint, "ytick.labelcolor": paper.faint,
        "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 3,
        "ytick.major.size": 3, "font.family": "DejaVu Sans", "font.size": 8.5, "axes.axisbelow": True,
        "axes.titlecolor": paper.faint, "axes.titlesize": 8.5, "mathtext.fontset": "dejavusans",
    }  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=(width, height), dpi=150)
        FigureCanvasAgg(figure)
        yield figure


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place of the sheet, in inches from its lower left."""
    w, h = figure.get_size_inches()
    return figure.add_axes((left / w, bottom / h, width / w, height / h))


def inscribe(figure: Figure, title: str, subtitle: str, caption: str, paper: Paper, left: float = 0.8) -> None:
    """Title and subtitle above, caption below, as every sheet has them."""
    w, h = figure.get_size_inches()
    figure.text(left / w, 1 - 0.5 / h, title or "latentworld", fontsize=16, family="DejaVu Serif", va="baseline")
    figure.text(left / w, 1 - 0.75 / h, subtitle, fontsize=8.5, color=paper.faint, va="baseline")
    figure.text(left / w, 0.26 / h, caption, fontsize=7, color=paper.faint, va="baseline")


def clipped(words: str, most: int) -> str:
    """Words of at most so many characters, with dollars that matplotlib does not take for mathematics."""
    words = " ".join(words.split())
    return (words if len(words) <= most else words[: most - 1] + "…").replace("$", r"\$")


def caption(atlas: Atlas, most: int = 60) -> str:
    """How the atlas was made: profile, prompt, step and floor, as far as they are known."""
    step = spacing(atlas)
    parts = [
        f"profile {profile(atlas)}",
        f"prompt “{clipped(prompt(atlas), most)}”",
        f"step {number(step)} latent units",
    ]
    parts = parts[:1] * bool(profile(atlas)) + parts[1:2] * bool(prompt(atlas)) + parts[2:]
    if atlas.floor is not None:
        parts.append(f"noise floor {number(float(atlas.floor.rate(step)))} at that step")
    if not atlas.complete:
        parts.append(f"unfinished: {len(atlas)} places so far")
    return "    ".join(parts)


def profile(atlas: Atlas) -> str:
    """The render profile's hash; empty when the settings do not say."""
    found = profile_of(atlas.settings)
    return "" if found is None else found.hash


def prompt(atlas: Atlas) -> str:
    """The positive prompt; empty when the settings do not say."""
    texts = atlas.settings.get("prompt") or ""
    if isinstance(texts, Mapping):
        texts = texts.get("positive") or ""
    return str(texts)


def number(value: float, digits: int = 3) -> str:
    """So many digits, with a power of ten where a plain number would be long, and a true minus sign."""
    if not np.isfinite(value):
        return f"{value:g}".replace("-", "−")
    mantissa, power = f"{value:.{max(digits - 2, 0)}e}".split("e")
    if -4 < int(power) < 5:
        return (f"{value:.0f}" if int(power) >= digits else f"{value:.{digits}g}").replace("-", "−")
    return f"{float(mantissa):g}·10{str(int(power)).translate(_SUPERSCRIPT)}".replace("-", "−")


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def glow(paper: Paper = DARK) -> Colormap:
    """Rates: inferno, without the end that would drown in the paper."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    stretch = np.linspace(0.12, 1.0, 256) if paper.dark else np.linspace(0.98, 0.1, 256)
    return ListedColormap(colormaps["inferno"](stretch))


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


def rate_bar(figure: Figure, box: Sequence[float], norm: Normalize, paper: Paper, floor: float | None) -> None:
    """A colour bar at a box in inches, with the floor marked, or named below it when it lies off the scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

    axes = axes_at(figure, *box)
    log = isinstance(norm, LogNorm)
    wide = log and norm.vmax > 3000 * norm.vmin  # type: ignore[operator]
    ticks: Locator = LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0), numticks=12) if log else MaxNLocator(6)
    bar = figure.colorbar(
        ScalarMappable(norm, glow(paper)), cax=axes, ticks=ticks, format=FuncFormatter(lambda rate, _: number(rate))
    )
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label(f"rate: {RATE}" + ("\n(logarithmic)" if log else ""), labelpad=6, fontsize=8)
    if floor is None or floor <= 0:
        return
    if float(norm.vmin or 0.0) < floor < float(norm.vmax or 1.0):
        axes.axhline(floor, color=paper.ink, lw=1.2)
        axes.annotate("floor", (0, floor), (-5, 0), **_aside(axes), color=paper.ink)
    else:
        words = f"floor\n{number(floor)}\n" + ("below" if floor <= float(norm.vmin or 0.0) else "above")
        axes.annotate(words, (0.5, 0), (0, -8), xycoords="axes fraction", textcoords="offset points", ha="center",
                      va="top", fontsize=7, color=paper.faint, linespacing=1.35)  # fmt: skip


def _aside(axes: Axes) -> dict[str, Any]:
    return {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "ha": "right", "va": "center",
            "fontsize": 7}  # fmt: skip
