"""The metric of a window: ellipses over its pictures, log Z as a surface, area and anisotropy, lines between phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from latentworld.arrays import Array, Float64, Indices, Reals
from latentworld.atlas import metric, power
from latentworld.atlas.logz import LogZ
from latentworld.atlas.metric import Metered, Tensors
from latentworld.atlas.plots.cells import flat, mosaic, owners, spread, strides
from latentworld.atlas.plots.maps import drained, floor_rate, measure, paint, rulers, size, subtitle, veil
from latentworld.atlas.plots.style import caption, rate_bar
from latentworld.atlas.types import Atlas
from latentworld.drawing.style import axes_at, glow, inscribe, number, scale, sheet
from latentworld.tokens import DARK, Paper

if TYPE_CHECKING:
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

ACROSS = 26  # ellipses along the longer side
STRONG = 0.35  # of the largest jump, from which an edge of the power diagram counts as a line between phases
FACES = 120  # of the surface, along each side


def in_lattice(atlas: Atlas, tensors: Tensors) -> Tensors:
    """A metric in alpha and beta [n, 3] for steps of the finest lattice."""
    window = flat(atlas)
    row = (window.alpha[1] - window.alpha[0]) / (window.rows - 1)
    column = (window.beta[1] - window.beta[0]) / (window.columns - 1)
    return np.asarray(tensors * np.array([row * row, row * column, column * column]))


def ellipses(atlas: Atlas, metered: Metered, title: str = "", paper: Paper = DARK) -> Figure:
    """Tissot's ellipses over the quiet pictures: each reaches as far as pictures change by one and the same distance.

    Large and pale where little happens, small and bright on a rift, along which they lie; where one would reach its
    neighbours it is shrunk. Raises AtlasError for a survey of the globe.
    """
    from matplotlib.collections import EllipseCollection

    tensors = in_lattice(atlas, metered.drawn)
    chosen, pitch = _spaced(atlas)
    values, vectors = metric.axes(tensors[chosen])
    reach = 1 / np.sqrt(np.maximum(values, 1e-300))
    unit = 0.47 * pitch / float(np.nanquantile(reach[:, 0], 0.3))  # three in ten fit their place
    half = unit * reach
    half = np.maximum(half * np.minimum(1, 0.47 * pitch / half[:, :1]), 0.05 * pitch)  # none reaches its neighbours
    turn = np.degrees(np.arctan2(vectors[:, 1, 0], vectors[:, 0, 0]))
    rate = np.sqrt(np.maximum(values[:, 1], 0))
    norm = scale(rate)
    width, height = size(atlas)
    with sheet(width + 1.2, height + 2.05, paper) as figure:
        axes = axes_at(figure, 0.85, 0.9, width, height)
        paint(axes, atlas, drained(mosaic(atlas, 2000), paper), "antialiased")
        drawn = EllipseCollection(
            2 * half[:, 0], 2 * half[:, 1], turn, units="xy", offsets=atlas.lattice[chosen],
            offset_transform=axes.transData, facecolors=np.asarray(glow(paper)(norm(rate))) * [1, 1, 1, 0.55],
            edgecolors=glow(paper)(0.35 + 0.65 * np.asarray(norm(rate))), linewidths=0.7,
        )  # fmt: skip
        axes.add_collection(drawn, autolim=False)
        measure(axes, atlas, paper)
        words = f"{_named(metered)}; ellipses reach as far as pictures change by {number(unit)}, the largest less far"
        inscribe(figure, title, f"{subtitle(atlas)}    {words}", caption(atlas), paper, 0.85)
    return figure


def areas(atlas: Atlas, metered: Metered, title: str = "", paper: Paper = DARK) -> Figure:
    """Two maps: the root of the metric's determinant, and how one-sided it is. Raises AtlasError for the globe."""
    tensors = metered.drawn
    size_of, side = metric.root_determinant(tensors), metric.anisotropy(tensors)
    rate = np.sqrt(metric.trace(tensors))
    width, height = size(atlas, 5.4)
    with sheet(2 * width + 3.7, height + 2.05, paper) as figure:
        norm = scale(size_of)
        for at, (values, how, name) in enumerate(
            ((size_of, norm, "√det g: how much changes within a unit of α by β"),
             (side, _unit(), "anisotropy: 0 alike in all directions, 1 in one alone; dark where little changes"))
        ):  # fmt: skip
            left = 0.85 + at * (width + 1.75)
            axes = axes_at(figure, left, 0.9, width, height)
            drawn = np.asarray(glow(paper)(how(spread(values, owners(atlas)))), np.float64)
            if at:  # what hardly changes at all has no direction worth showing
                drawn[..., 3] = np.clip(2.5 * np.asarray(scale(rate)(spread(rate, owners(atlas)))), 0, 1)
            paint(axes, atlas, drawn, "bilinear")
            measure(axes, atlas, paper)
            axes.set_title(name, pad=8)
            _bar(figure, (left + width + 0.15, 0.9, 0.1, height * 0.7), how, paper)
        inscribe(figure, title, f"{subtitle(atlas)}    {_named(metered)}", caption(atlas), paper, 0.85)
    return figure


def phase_lines(atlas: Atlas, found: LogZ, rates: Array, title: str = "", paper: Paper = DARK) -> Figure:
    """The edges of log Z's power diagram over the Lipschitz field: wide where the order parameter jumps far."""
    from matplotlib.collections import LineCollection

    edges, norm = power.diagram(found), scale(rates)
    width, height = size(atlas)
    with sheet(width + 2.3, height + 2.05, paper) as figure:
        axes = axes_at(figure, 0.85, 0.9, width, height)
        veil(axes, atlas, rates, norm, paper)
        if len(edges.jump):
            share = edges.jump / edges.jump.max()
            colour = [(*_rgb(paper.ink), 0.25 + 0.75 * float(s)) for s in share]
            lines = LineCollection(list(_spots(atlas, edges.ends)), colors=colour, linewidths=0.4 + 2.4 * share**1.5,
                                   capstyle="round")  # fmt: skip
            axes.add_collection(lines, autolim=False)
        measure(axes, atlas, paper)
        tall = min(height - 0.6, 5.0)
        rate_bar(figure, (width + 1.15, 0.9 + height - tall, 0.12, tall), norm, paper, floor_rate(atlas))
        strong = int((edges.jump >= STRONG * edges.jump.max()).sum()) if len(edges.jump) else 0
        words = f"{len(edges.owners)} cells of log Z; {strong} lines over which its gradient jumps far"
        inscribe(figure, title, f"{subtitle(atlas)}    {words}", caption(atlas), paper, 0.85)
    return figure


def surface(atlas: Atlas, found: LogZ, title: str = "", paper: Paper = DARK) -> Figure:
    """log Z as a surface over alpha and beta, its faces lit by sqrt(det g), its atoms' cells drawn on it and below."""
    from matplotlib.colors import LightSource
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    line = np.linspace(0, 1, FACES + 1)
    x, y = np.meshgrid(line, line, indexing="ij")
    at = np.stack([x.ravel(), y.ravel()], axis=1)
    height = found.value(at).reshape(x.shape)
    g = found.metric(at)
    bright = np.sqrt(np.maximum(np.linalg.det(g), 0)).reshape(x.shape)
    edges, low = power.diagram(found), float(height.min())
    below = low - 0.55 * float(np.ptp(height))
    with sheet(9.6, 8.6, paper) as figure:
        axes = cast("Axes3D", figure.add_axes((0.0, 0.06, 1.0, 0.86), projection="3d", computed_zorder=False))
        lit = LightSource(315, 42).hillshade(height, vert_exag=0.6 / max(float(np.ptp(height)), 1e-9), dx=1 / FACES,
                                             dy=1 / FACES)  # fmt: skip
        norm = scale(bright)
        colour = np.asarray(glow(paper)(norm(bright)), np.float64)
        colour[..., :3] = np.clip(0.16 + 0.84 * colour[..., :3] * (0.55 + 0.45 * lit[..., None]), 0, 1)
        flat_colour = np.array([*_rgb(paper.raised), 1.0])
        axes.plot_surface(x, y, np.full_like(height, below), color=flat_colour, shade=False, zorder=0)
        shares = edges.jump / max(float(edges.jump.max(initial=0)), 1e-300)
        for lifted, strong in ((False, 1.5), (True, 1.0)):
            if lifted:
                axes.plot_surface(x, y, height, facecolors=colour, rstride=1, cstride=1, shade=False, linewidth=0,
                                  antialiased=False, zorder=2)  # fmt: skip
            paths = [_lifted(found, ends, lifted, below, float(np.ptp(height))) for ends in edges.ends]
            axes.add_collection3d(Line3DCollection(
                paths, colors=[(*_rgb(paper.ink if lifted else paper.accent), 0.2 + 0.8 * s) for s in shares.tolist()],
                linewidths=strong * (0.4 + 1.6 * shares), zorder=3 if lifted else 1))  # fmt: skip
        _stage(axes, atlas, paper, below, float(height.max()))
        words = f"log Z of {len(found.heights)} atoms, {len(edges.owners)} of them with a cell; brighter: √det g"
        inscribe(figure, title, f"{subtitle(atlas)}    {words}", caption(atlas), paper, 0.85)
    return figure


def _lifted(found: LogZ, ends: Float64[Reals, "2 2"], lifted: bool, below: float, tall: float) -> Array:
    """An edge as a line [k, 3] on the surface, or on the floor."""
    at = ends[0] + np.linspace(0, 1, 24)[:, None] * (ends[1] - ends[0])
    height = found.value(at) + 0.004 * tall if lifted else np.full(len(at), below)
    return np.column_stack([at, height])


def _stage(axes: Axes3D, atlas: Atlas, paper: Paper, below: float, top: float) -> None:
    """The room a surface stands in: no walls, alpha and beta along the floor."""
    axes.set(xlim=(0, 1), ylim=(0, 1), facecolor=paper.ground)
    axes.set_zlim(below, top)
    axes.set_box_aspect((1, 1, 0.72), zoom=1.0)
    axes.view_init(elev=32, azim=-118)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0, 0, 0, 0))
        axis.line.set_color(paper.rule)
        axis._axinfo["grid"].update(color=(0, 0, 0, 0))
    axes.set_zticks([])
    for ruler, axis in zip(rulers(atlas), (axes.xaxis, axes.yaxis)):
        spots = np.linspace(0, 1, 5)
        axis.set_ticks(spots, labels=[number(value, 4) for value in ruler.value(spots * (ruler.count - 1))])
        axis.set_label_text(ruler.label)


def _spaced(atlas: Atlas) -> tuple[Indices, float]:
    """Places at even distances, at most `ACROSS` along the longer side, and how far apart they lie in lattice units."""
    window, stride = flat(atlas), strides(atlas)
    pitch = max(1, round(max(window.rows, window.columns) / ACROSS), int(stride[atlas.level == 0].min(initial=1)))
    on = (atlas.lattice % pitch == pitch // 2).all(axis=1) if pitch > 1 else np.ones(len(atlas), np.bool_)
    on = on if on.sum() >= 4 else (atlas.lattice % pitch == 0).all(axis=1)
    return np.flatnonzero(on).astype(np.int64), float(pitch)


def _spots(atlas: Atlas, ends: Float64[Reals, "e 2 2"]) -> Array:
    """Places of the unit square in lattice units."""
    window = flat(atlas)
    return np.asarray(ends * (np.array([window.rows, window.columns]) - 1))


def _named(metered: Metered) -> str:
    return "metric by log Z" if metered.tensors is not None else "pull-back metric"


def _unit() -> Normalize:
    from matplotlib.colors import Normalize

    return Normalize(0.0, 1.0)


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def _bar(figure: Figure, box: tuple[float, float, float, float], norm: Normalize, paper: Paper) -> None:
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(norm, glow(paper)), cax=axes_at(figure, *box))
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
