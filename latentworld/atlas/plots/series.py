"""A zoom level by level, and how the largest rate grows as the step shrinks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentworld.atlas.plots.cells import to_lattice
from latentworld.atlas.plots.maps import extent, size, veil
from latentworld.atlas.plots.style import RATE, caption
from latentworld.atlas.types import Atlas
from latentworld.drawing.style import axes_at, halo, inscribe, number, scale, sheet
from latentworld.errors import AtlasError
from latentworld.tokens import DARK, Paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from latentworld.atlas.zoom import Level

_PANEL, _ACROSS = 3.0, 5


def zoom(levels: Sequence[Level], title: str = "", paper: Paper = DARK) -> Figure:
    """One panel a level: its pictures with the field glowing over them, each on its own scale.

    The frame in a panel is the window of the next. Raises AtlasError without levels.
    """
    if not levels:
        raise AtlasError("a zoom without levels has no picture: dive one level or more")
    across = min(_ACROSS, len(levels))
    down = -(-len(levels) // across)
    width, height = size(levels[0].atlas, _PANEL)
    left = 0.6
    with sheet(2 * left + across * (width + 0.25) - 0.25, down * (height + 0.62) + 1.5, paper) as figure:
        for place, level in enumerate(levels):
            row, column = divmod(place, across)
            bottom = 0.8 + (down - 1 - row) * (height + 0.62)
            axes = axes_at(figure, left + column * (width + 0.25), bottom, width, height)
            veil(axes, level.atlas, level.rates, scale(level.rates), paper, 700, 0.78)
            x0, x1, y0, y1 = extent(level.atlas)
            axes.set(xlim=(x0, x1), ylim=(y0, y1), xticks=[], yticks=[])
            if place + 1 < len(levels):
                _window(axes, level.atlas, levels[place + 1].atlas, paper)
            words = f"width {number(level.width)}"
            axes.set_title(words, loc="left", pad=5, color=paper.ink, family="DejaVu Serif", fontsize=9.5)
            axes.set_title(f"level {level.index}", loc="right", pad=5, fontsize=7.5)
            axes.annotate(f"largest {number(level.largest)}    floor {number(level.floor)}", (0, 0), (0, -6),
                          xycoords="axes fraction", textcoords="offset points", va="top", fontsize=7.5,
                          color=paper.faint if level.resolved else paper.accent)  # fmt: skip
        middle = levels[-1].atlas.coordinates.mean(axis=0)
        words = f"toward α {middle[0]:.16g}, β {middle[1]:.16g}    rates in {RATE}"
        inscribe(figure, title, words, caption(levels[-1].atlas), paper, left)
    return figure


def _window(axes: Axes, outer: Atlas, inner: Atlas, paper: Paper) -> None:
    """The next level's window, with a ring about it where it would be too small to see."""
    from matplotlib.patches import Rectangle

    ends = np.array([[0, 0], [inner.sampling.rows - 1, inner.sampling.columns - 1]])  # type: ignore[union-attr]
    low, high = to_lattice(outer, inner.sampling.coordinates(ends))  # type: ignore[union-attr]
    width, height = high - low
    axes.add_patch(
        Rectangle((low[0], low[1]), width, height, fill=False, ec=paper.ink, lw=1.0, path_effects=halo(paper, 2.6))
    )
    if width < 0.06 * outer.sampling.rows:  # type: ignore[union-attr]
        axes.plot(*(low + high) / 2, "o", ms=13, mfc="none", mec=paper.ink, mew=0.8, path_effects=halo(paper, 2.2))


def growth(levels: Sequence[Level], truth: float | None = None, title: str = "", paper: Paper = DARK) -> Figure:
    """The largest and the median rate of each level over its step, both logarithmic, deeper to the right.

    Between the floor and the largest rate lies what the profile can still tell; `truth` is drawn where it is known.
    Raises AtlasError without levels.
    """
    if not levels:
        raise AtlasError("a zoom without levels has no growth: dive one level or more")
    step = np.array([level.spacing for level in levels])
    largest, median, floor = (
        np.array(curve) for curve in zip(*((level.largest, level.median, level.floor) for level in levels))
    )
    with sheet(8.6, 6.0, paper) as figure:
        axes = axes_at(figure, 0.95, 1.0, 6.3, 3.75)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.grid(color=paper.rule, lw=0.5)
        known = floor > 0
        every = np.concatenate(
            [curve[np.isfinite(curve) & (curve > 0)] for curve in (largest, median, floor, np.array([truth or 0.0]))]
        )
        low, high = (every.min() / 3, every.max() * 4) if len(every) else (0.1, 10.0)
        if known.any():
            axes.fill_between(step[known], low, floor[known], color=paper.faint, alpha=0.16, lw=0)
        curves = ((floor, paper.faint, (0, (3, 2)), "floor"), (median, paper.faint, "-", "median"),
                  (largest, paper.accent, "-", "largest"))  # fmt: skip
        for curve, colour, dashes, _ in curves:
            shown = np.where(curve > 0, curve, np.nan)
            axes.plot(step, shown, color=colour, ls=dashes, lw=1.5, marker="o", ms=4, mec=paper.ground, mew=0.8)
        if truth is not None:
            axes.axhline(truth, color=paper.ink, lw=0.9, ls=(0, (1, 2)))
        axes.set(xlim=(step.max() * 1.6, step.min() / 1.6), ylim=(low, high))
        axes.spines[["top", "right"]].set_visible(False)
        axes.minorticks_off()
        axes.set_xlabel("step: latent distance between neighbours (deeper to the right)")
        axes.set_ylabel(f"rate: {RATE}")
        _ends(axes, [(name, float(curve[-1]), colour) for curve, colour, _, name in curves], truth, paper)
        words = f"{len(levels)} levels    widths {number(levels[0].width)} to {number(levels[-1].width)}"
        inscribe(figure, title, words, caption(levels[-1].atlas), paper, 0.95)
    return figure


_CURVES = ("largest", "median", "floor")


def _ends(axes: Axes, ends: list[tuple[str, float, str]], truth: float | None, paper: Paper) -> None:
    """Name the curves at their right ends, pushed apart where they meet."""
    if truth is not None:
        ends = [*ends, ("truth", truth, paper.ink)]
    low, high = np.log(axes.get_ylim())
    below = -np.inf
    for name, value, colour in sorted((end for end in ends if end[1] > 0), key=lambda end: end[1]):
        height = max((np.log(value) - low) / (high - low), below + 0.055)
        axes.text(1.02, height, f"{name} {number(value)}", transform=axes.transAxes, color=colour, va="center")
        below = height
