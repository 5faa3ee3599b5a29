"""What every plot of an atlas says of it: how it was made, and the scale of its rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from latentworld.atlas.plots.cells import spacing
from latentworld.atlas.settings import profile_of
from latentworld.atlas.types import Atlas
from latentworld.drawing.style import axes_at, clipped, glow, number
from latentworld.tokens import Paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

RATE = "CLIP distance per latent distance"


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
