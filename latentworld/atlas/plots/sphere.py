"""The globe, front and back and whole: rates and phases, the chart's horizon, the vertices and the cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentworld.arrays import Array, Integers
from latentworld.atlas.plots.cells import owners_on_globe, spread
from latentworld.atlas.plots.maps import floor_rate
from latentworld.atlas.plots.regions import tinted
from latentworld.atlas.plots.style import caption, rate_bar
from latentworld.atlas.types import Atlas, Line, Phases
from latentworld.drawing.globe import furniture, sea, uncrossed
from latentworld.drawing.projections import MOLLWEIDE, ORTHOGRAPHIC, Projection, view
from latentworld.drawing.style import axes_at, clipped, glow, inscribe, phase_colours, scale, sheet
from latentworld.errors import AtlasError
from latentworld.tokens import DARK, Paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

_TALL = 3.3  # inches of a globe


def globe(
    atlas: Atlas,
    rates: Array,
    phases: Phases | None = None,
    lines: Sequence[Line] = (),
    title: str = "",
    paper: Paper = DARK,
) -> Figure:
    """Rates [n] and phases on the globe: from above the cell, from the other side, and in Mollweide's equal areas.

    Dotted: the chart's horizon, where alpha and beta are infinite. Triangle and parallelogram: the cell z0 z1 z2 and
    its completion. A window is drawn where it lies. Raises AtlasError for an atlas without places.
    """
    if len(atlas) == 0:
        raise AtlasError("the atlas holds no place yet: survey a little before drawing it")
    norm, count = scale(rates), 1 if phases is None else 2
    rows: list[Callable[[Integers], Array]] = [lambda owned: _heat(rates, owned, norm, paper)]
    if phases is not None:
        rows.append(lambda owned: tinted(phases, owned, paper))
    front = view(atlas.plane.unit(1 / 3, 1 / 3))
    panels = (
        (ORTHOGRAPHIC, front, "front: above the cell"),
        (ORTHOGRAPHIC, view(-front[:, 2]), "back: above its antipode"),
        (MOLLWEIDE, front, "whole, equal areas (Mollweide)"),
    )
    with sheet(16.4, count * (_TALL + 0.5) + 1.5, paper) as figure:
        for row, colour in enumerate(rows):
            bottom, left = 0.75 + (count - 1 - row) * (_TALL + 0.5), 0.6
            for projection, turned, name in panels:
                width = _TALL * projection.width
                axes = axes_at(figure, left, bottom, width, _TALL)
                _draw(axes, atlas, projection, turned, colour, lines if row else (), paper)
                if row == 0:
                    axes.set_title(name, pad=8)
                left += width + 0.3
            if row == 0:
                rate_bar(figure, (left + 0.1, bottom + 0.5, 0.12, _TALL - 0.6), norm, paper, floor_rate(atlas))
            elif phases is not None:
                _key(figure, phases, (left + 0.1, bottom, _TALL))
        words = f"{len(atlas)} places    dotted: the chart's horizon    triangle: the cell z₀ z₁ z₂"
        inscribe(figure, title, words, caption(atlas), paper, 0.6)
    return figure


def _heat(rates: Array, owned: Integers, norm: Normalize, paper: Paper) -> Array:
    values = spread(rates, owned)
    known = np.isfinite(values)
    colours = np.asarray(glow(paper)(norm(np.where(known, values, norm.vmin or 0.0))), np.float64)
    colours[..., 3] = known
    return colours


def _draw(
    axes: Axes,
    atlas: Atlas,
    projection: Projection,
    turned: Array,
    colour: Callable[[Integers], Array],
    lines: Sequence[Line],
    paper: Paper,
) -> None:
    drawn = sea(axes, projection, paper)
    x, y = np.meshgrid(np.linspace(-1, 1, 701) * projection.width, np.linspace(1, -1, 701))
    seen = projection.back(np.stack([x, y], axis=-1))
    on = np.asarray(np.isfinite(seen).all(axis=-1))
    owned = owners_on_globe(atlas, np.where(on[..., None], seen, [0.0, 0.0, 1.0]) @ turned.T)
    image = axes.imshow(colour(np.where(on, owned, -1)), extent=(-projection.width, projection.width, -1, 1),
                        aspect="auto", interpolation="antialiased", zorder=1)  # fmt: skip
    image.set_clip_path(drawn)
    for rift in lines:
        spots = uncrossed(projection.forward(rift.unit @ turned), projection.width)
        axes.plot(*spots.T, color=paper.ink, lw=0.9, zorder=3)
    furniture(axes, atlas.plane, projection, turned, paper)
    axes.set(xlim=(-1.01 * projection.width, 1.01 * projection.width), ylim=(-1.01, 1.01))


def _key(figure: Figure, phases: Phases, box: tuple[float, float, float]) -> None:
    """Swatches and names, at most sixteen, largest phase first, at (left, bottom, height) inches."""
    from matplotlib.patches import Rectangle

    left, bottom, height = box
    w, h = figure.get_size_inches()
    shares = np.bincount(phases.label, minlength=len(phases.names)) / max(len(phases.label), 1)
    colours = phase_colours(len(phases.names))
    order = np.argsort(-shares, kind="stable")[:16]
    for line, index in enumerate(order):
        y = bottom + height / 2 + (len(order) / 2 - line - 1) * 0.2
        swatch = Rectangle((left / w, y / h), 0.11 / w, 0.11 / h, color=colours[index], transform=figure.transFigure)
        figure.add_artist(swatch)
        figure.text((left + 0.18) / w, y / h, f"{clipped(phases.names[index], 12)}  {shares[index]:.0%}", fontsize=7)
