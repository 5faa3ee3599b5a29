"""The globe, front and back and whole: rates and phases, the chart's horizon, the vertices and the cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from latentworld.arrays import Array, Integers
from latentworld.atlas.plots.cells import owners_on_globe, spread
from latentworld.atlas.plots.maps import floor_rate
from latentworld.atlas.plots.projections import MOLLWEIDE, ORTHOGRAPHIC, Projection, view
from latentworld.atlas.plots.regions import halo, tinted
from latentworld.atlas.plots.style import (
    DARK,
    Paper,
    axes_at,
    caption,
    clipped,
    glow,
    inscribe,
    phase_colours,
    rate_bar,
    scale,
    sheet,
)
from latentworld.atlas.types import Atlas, Line, Phases
from latentworld.errors import AtlasError
from latentworld.globe import cross, normalise
from latentworld.plane import Plane

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
    limb = projection.limb()
    sea = axes.fill(*limb.T, color=paper.sea, lw=0, zorder=0)[0]
    x, y = np.meshgrid(np.linspace(-1, 1, 701) * projection.width, np.linspace(1, -1, 701))
    seen = projection.back(np.stack([x, y], axis=-1))
    on = np.asarray(np.isfinite(seen).all(axis=-1))
    owned = owners_on_globe(atlas, np.where(on[..., None], seen, [0.0, 0.0, 1.0]) @ turned.T)
    image = axes.imshow(colour(np.where(on, owned, -1)), extent=(-projection.width, projection.width, -1, 1),
                        aspect="auto", interpolation="antialiased", zorder=1)  # fmt: skip
    image.set_clip_path(sea)

    def line(unit: Array, **style: Any) -> None:
        axes.plot(*_cut(projection.forward(unit @ turned), projection.width).T, **style)

    for circle in _graticule():
        axes.plot(*_cut(projection.forward(circle), projection.width).T, color=paper.ink, lw=0.4, alpha=0.13, zorder=2)
    for rift in lines:
        line(rift.unit, color=paper.ink, lw=0.9, zorder=3)
    line(horizon(atlas.plane), color=paper.ink, lw=1.3, ls=(0, (0.1, 2.6)), dash_capstyle="round", zorder=4)
    for outline, style in zip(_outlines(atlas.plane), ("-", (0, (4, 2)))):
        line(outline, color=paper.ink, lw=0.9, ls=style, zorder=4)
    spots = projection.forward(atlas.plane.unit([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]) @ turned)
    for name, spot in zip(("z₀", "z₁", "z₂"), spots):
        if np.isfinite(spot).all():
            axes.plot(*spot, "o", color=paper.ground, mec=paper.ink, ms=4, mew=0.9, zorder=5)
            axes.annotate(name, spot, (5, 4), textcoords="offset points", fontsize=8.5, zorder=6,
                          path_effects=halo(paper, 2.2))  # fmt: skip
    axes.plot(*limb.T, color=paper.faint, lw=0.7, zorder=6)
    axes.set(xlim=(-1.01 * projection.width, 1.01 * projection.width), ylim=(-1.01, 1.01))
    axes.axis("off")


def horizon(plane: Plane) -> Array:
    """The great circle [k, 3] where the vertices' weights sum to zero: alpha and beta are infinite there."""
    pole = normalise(np.linalg.solve(plane.corners, np.ones(3)))
    side = normalise(cross(pole, [1.0, 0.0, 0.0] if abs(pole[0]) < 0.9 else [0.0, 1.0, 0.0]))
    turn = np.linspace(0, 2 * np.pi, 721)[:, None]
    return np.asarray(np.cos(turn) * side + np.sin(turn) * cross(pole, side))


def _outlines(plane: Plane) -> tuple[Array, Array]:
    """The cell's outline, and the other two sides of the parallelogram."""
    t, one = np.linspace(0, 1, 60), np.ones(60)
    cell = np.concatenate([plane.unit(t, 0 * t), plane.unit(1 - t, t), plane.unit(0 * t, 1 - t)])
    return cell, np.concatenate([plane.unit(one, t), plane.unit(1 - t, one)])


def _graticule() -> list[Array]:
    """Circles every 30 degrees as seen: they turn with the view."""
    turn = np.linspace(0, 2 * np.pi, 241)
    latitude = [np.stack([np.cos(a) * np.sin(turn), np.full_like(turn, np.sin(a)), np.cos(a) * np.cos(turn)], axis=1)
                for a in np.radians(np.arange(-60, 90, 30))]  # fmt: skip
    half = np.linspace(-np.pi / 2, np.pi / 2, 121)
    meridian = [np.stack([np.cos(half) * np.sin(a), np.sin(half), np.cos(half) * np.cos(a)], axis=1)
                for a in np.radians(np.arange(-150, 181, 30))]  # fmt: skip
    return latitude + meridian


def _cut(spots: Array, width: float) -> Array:
    """Break a line [k, 2] where it leaps over the edge of the map."""
    leap = np.abs(np.diff(spots[:, 0])) > 0.5 * width
    return np.insert(spots, np.nonzero(leap)[0] + 1, np.nan, axis=0)


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
