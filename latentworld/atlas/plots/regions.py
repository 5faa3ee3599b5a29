"""The phase map: which kind of picture lies where, the rifts between them, and the strongest with both their sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from latentworld.arrays import Array, Integers, Mask
from latentworld.atlas.plots.cells import owners, to_lattice
from latentworld.atlas.plots.maps import extent, measure, paint, size, subtitle
from latentworld.atlas.plots.style import caption
from latentworld.atlas.types import Atlas, Line, Phases, Site
from latentworld.drawing.style import axes_at, clipped, halo, inscribe, number, phase_colours, sheet
from latentworld.extras import need
from latentworld.tokens import DARK, Paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 9  # sites in the strip
_STRIP = 3.3  # inches


def phases(
    atlas: Atlas,
    phases: Phases,
    lines: Sequence[Line] = (),
    sites: Sequence[Site] = (),
    title: str = "",
    paper: Paper = DARK,
) -> Figure:
    """The phase map of a window: regions with their names, rift lines as wide as they are strong, sites numbered.

    Paler ground where a label is less sure. The strip at the right shows both sides of up to nine sites. Raises
    AtlasError for a survey of the globe.
    """
    width, height = size(atlas)
    shown = sites[: min(_MOST, max(1, int(height / 0.8)))]
    with sheet(width + 1.2 + (_STRIP if shown else 0), height + 2.05, paper) as figure:
        axes = axes_at(figure, 0.85, 0.9, width, height)
        owned = owners(atlas, 1024)
        paint(axes, atlas, tinted(phases, owned, paper))
        _trace(axes, atlas, lines, paper)
        measure(axes, atlas, paper)
        _name(axes, atlas, phases, owned, paper)
        _number(axes, atlas, shown, paper)
        if shown:
            _strip(figure, atlas, shown, (width + 1.2, 0.9, height), paper)
        words = f"{subtitle(atlas)}    {len(np.unique(phases.label))} phases, {len(lines)} rift lines"
        inscribe(figure, title, words, caption(atlas), paper, 0.85)
    return figure


def tinted(phases: Phases, owned: Integers, paper: Paper) -> Array:
    """Phase colours [h, w, 4] of the pixels' owners, mixed with the ground where the label is unsure."""
    from matplotlib.colors import to_rgb

    palette = np.array([to_rgb(colour) for colour in phase_colours(len(phases.names))])
    sure = (0.45 + 0.4 * np.clip(phases.confidence, 0, 1))[:, None]
    colours = sure * palette[phases.label] + (1 - sure) * np.array(to_rgb(paper.ground))
    seen = (owned >= 0)[..., None]
    return np.concatenate([np.where(seen, colours[owned], 0), seen], axis=-1)


def _trace(axes: Axes, atlas: Atlas, lines: Sequence[Line], paper: Paper) -> None:
    from matplotlib.collections import LineCollection

    paths = [to_lattice(atlas, line.line) for line in lines if len(line.line) > 1]
    strength = np.array([line.strength for line in lines if len(line.line) > 1])
    if paths:
        widths = 0.8 + 1.8 * np.sqrt(strength / max(strength.max(), 1e-300))
        collection = LineCollection(paths, colors=paper.ink, linewidths=widths, capstyle="round", joinstyle="round")
        axes.add_collection(collection, autolim=False)


def _name(axes: Axes, atlas: Atlas, phases: Phases, owned: Integers, paper: Paper) -> None:
    left, right, bottom, top = extent(atlas)
    height, width = owned.shape
    for index, name in enumerate(phases.names):
        inside = interior((owned >= 0) & (phases.label[owned] == index))
        if inside is None:
            continue
        x, y = left + inside[0] / width * (right - left), top - inside[1] / height * (top - bottom)
        axes.text(x, y, clipped(name, 26), ha="center", va="center", fontsize=9, family="DejaVu Serif", zorder=5,
                  path_effects=halo(paper, 2.0))  # fmt: skip


def interior(mask: Mask) -> tuple[float, float] | None:
    """x and y (pixels) of the middle of the widest part of the largest region of a mask [h, w]; None without one."""
    if not mask.any():
        return None
    image = need("scipy.ndimage")
    regions, _ = image.label(mask)
    largest = np.bincount(regions.ravel())[1:].argmax() + 1
    depth = image.distance_transform_edt(np.pad(regions == largest, 1))[1:-1, 1:-1]
    rows, columns = np.nonzero(depth > depth.max() - 0.5)
    middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return float(columns[middle]) + 0.5, float(rows[middle]) + 0.5


def _number(axes: Axes, atlas: Atlas, sites: Sequence[Site], paper: Paper) -> None:
    if not sites:
        return
    spots = to_lattice(atlas, np.array([(site.alpha, site.beta) for site in sites]))
    axes.scatter(spots[:, 0], spots[:, 1], s=130, color=paper.accent, edgecolors=paper.ground, linewidths=1.0, zorder=6)
    for index, (x, y) in enumerate(spots):
        axes.text(x, y, str(index + 1), color=paper.ground, fontsize=7.5, fontweight="bold", ha="center",
                  va="center_baseline", zorder=7)  # fmt: skip


def _strip(figure: Figure, atlas: Atlas, sites: Sequence[Site], box: tuple[float, float, float], paper: Paper) -> None:
    """Both sides of every site, strongest first, beside a map at (left, bottom, height) inches."""
    left, bottom, height = box
    w, h = figure.get_size_inches()
    pitch = min(1.05, height / len(sites))
    tall = pitch - 0.14
    wide = min(tall * atlas.thumbs.shape[2] / atlas.thumbs.shape[1], 1.1)
    for index, site in enumerate(sites):
        y = bottom + height - (index + 1) * pitch + 0.14
        middle = (y + tall / 2) / h
        figure.text((left + 0.02) / w, middle, str(index + 1), color=paper.accent, fontsize=9, fontweight="bold",
                    va="center")  # fmt: skip
        for side, place in enumerate(site.sides):
            axes = axes_at(figure, left + 0.25 + side * (wide + 0.05), y, wide, tall)
            axes.imshow(np.asarray(atlas.thumbs[int(place)]), aspect="auto", interpolation="antialiased")
            axes.axis("off")
        where = f"α {number(site.alpha, 5)}\nβ {number(site.beta, 5)}"
        words = f"{number(site.rate)}\n{number(site.contrast)} × median\n{where}"
        figure.text((left + 0.42 + 2 * wide) / w, middle, words, fontsize=6.8, color=paper.faint, va="center",
                    linespacing=1.35)  # fmt: skip
