"""Ways: over the field of an atlas, and as strips of their pictures with the curve of their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentworld.arrays import Array, Units
from latentworld.atlas.paced import Paced
from latentworld.atlas.plots.cells import to_lattice
from latentworld.atlas.plots.maps import floor_rate, measure, size, subtitle, veil
from latentworld.atlas.plots.style import caption, rate_bar
from latentworld.atlas.types import Atlas
from latentworld.drawing.style import axes_at, inscribe, number, phase_colours, sheet
from latentworld.drawing.style import scale as scaled
from latentworld.tokens import DARK, Paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE = 0.62  # inches of a strip's frame
CURVE = 0.55  # inches of the curve below a strip


def ways(
    atlas: Atlas, rates: Array, pairs: Sequence[Mapping[str, Units]], title: str = "", paper: Paper = DARK
) -> Figure:
    """Pairs of places and the ways between them, by what they are called, over a window's Lipschitz field.

    The last way of a pair is drawn strong, those before it thin and dashed. Raises AtlasError for the globe.
    """
    norm, (width, height) = scaled(rates), size(atlas)
    colours = phase_colours(len(pairs))
    with sheet(width + 2.3, height + 2.05, paper) as figure:
        axes = axes_at(figure, 0.85, 0.9, width, height)
        veil(axes, atlas, rates, norm, paper)
        for colour, pair in zip(colours, pairs):
            _pair(axes, atlas, list(pair.values()), colour, paper)
        measure(axes, atlas, paper)
        tall = min(height - 0.6, 5.0)
        rate_bar(figure, (width + 1.15, 0.9 + height - tall, 0.12, tall), norm, paper, floor_rate(atlas))
        names = list(pairs[0]) if pairs else []
        words = f"{', '.join(names[:-1])} dashed, {names[-1]} drawn through" if names else ""
        inscribe(figure, title, f"{subtitle(atlas)}    {words}", caption(atlas), paper, 0.85)
    return figure


def _pair(axes: Axes, atlas: Atlas, found: Sequence[Units], colour: str, paper: Paper) -> None:
    from matplotlib.patheffects import Normal, withStroke

    halo = [withStroke(linewidth=3.4, foreground=paper.ground), Normal()]
    for index, unit in enumerate(found):
        alpha, beta, _ = atlas.plane.chart(unit)
        spots = to_lattice(atlas, np.stack([alpha, beta], axis=1))
        last = index == len(found) - 1
        axes.plot(*spots.T, color=colour, lw=1.9 if last else 0.9, ls="-" if last else (0, (3, 2)), path_effects=halo,
                  solid_capstyle="round", zorder=5)  # fmt: skip
        if last:
            axes.plot(*spots[[0, -1]].T, "o", color=colour, mec=paper.ground, ms=6, mew=1.2, zorder=6)


def strips(seen: Mapping[str, Paced], title: str = "", words: str = "", paper: Paper = DARK, most: int = 17) -> Figure:
    """Ways one below the other, each as a strip of at most `most` of its pictures with the feature distance of every
    step under it, on one scale."""
    count = min(most, *(len(one.thumbs) for one in seen.values()))
    peak = max(float(one.steps.max(initial=0)) for one in seen.values())
    tall, width = PICTURE + CURVE + 0.62, count * PICTURE
    with sheet(width + 1.7, len(seen) * tall + 1.5, paper) as figure:
        for row, (name, one) in enumerate(seen.items()):
            bottom = 0.65 + (len(seen) - 1 - row) * tall
            axes = axes_at(figure, 0.85, bottom + CURVE + 0.06, width, PICTURE)
            picks = np.linspace(0, len(one.thumbs) - 1, count).round().astype(np.int64)
            axes.imshow(np.concatenate(list(one.thumbs[picks]), axis=1), aspect="auto", interpolation="antialiased")
            axes.axis("off")
            figures = f"length {number(one.length)}, energy {number(one.energy)}, curvature {number(one.curvature)}"
            axes.set_title(f"{name}    {figures}, largest step {number(one.peak)} × the mean", loc="left", pad=4)
            _curve(axes_at(figure, 0.85, bottom, width, CURVE), one, peak, paper)
        inscribe(figure, title, words, "below each strip: CLIP distance of every step, all on one scale", paper, 0.85)
    return figure


def _curve(axes: Axes, one: Paced, peak: float, paper: Paper) -> None:
    at = np.arange(len(one.steps)) + 0.5
    axes.fill_between(at, one.steps, step="mid", color=paper.accent, alpha=0.25, lw=0)
    axes.step(at, one.steps, where="mid", color=paper.accent, lw=1.2)
    axes.set(xlim=(0, len(one.steps)), ylim=(0, 1.08 * peak), xticks=[], facecolor=paper.raised)
    axes.set_yticks([0, peak], labels=["0", number(peak, 2)], fontsize=6.5)
    axes.spines[:].set_color(paper.rule)
