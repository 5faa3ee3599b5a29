"""The path of a film, worth printing: on the chart coloured by Lipschitz value, on the globe, and its steps in time."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from installation.film.sinks import save_png
from installation.film.summary import words
from installation.film.telemetry import ABOVE, Telemetry, median_of_the_way, rifts
from installation.takes.track import jumps
from latentworld.arrays import Array, Flags, Indices
from latentworld.drawing import globe as on_globe
from latentworld.drawing.chart import furniture
from latentworld.drawing.globe import sea
from latentworld.drawing.projections import ORTHOGRAPHIC, view
from latentworld.drawing.style import bright, sheet
from latentworld.globe import normalise
from latentworld.plane import Plane
from latentworld.tokens import DARK, DRAWN, PHASES, PRINT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import Colormap, LogNorm
    from matplotlib.figure import Figure

CLOSE = 0.15  # of a chart's width, within which the words at both ends would stand on each other
_MOST = 6000  # points drawn: more show no more at this size
RINGED = 40  # rifts whose rings are drawn in full size
STRETCHES = 420  # of a long film, each drawn as a band: about one a pixel


def draw(record: Telemetry, plane: Plane, target: Path, title: str, ceiling: int = 0) -> None:
    """Write the chart as PNG; nothing is written for a film of fewer than two frames. ceiling: see `Summary`."""
    if len(record) < 2:
        return
    with sheet(13.5, 8.6, DARK, dpi=140) as figure:
        grid = figure.add_gridspec(
            3, 2, width_ratios=(1.62, 1), height_ratios=(2.7, 1, 1), hspace=0.36, wspace=0.16,
            left=0.06, right=0.965, top=0.9, bottom=0.075,
        )  # fmt: skip
        norm, colours = _norm(record.lipschitz), bright()
        _chart(figure, figure.add_subplot(grid[:, 0]), record, plane, norm, colours)
        _globe(figure.add_subplot(grid[0, 1]), record, plane, norm, colours)
        first = figure.add_subplot(grid[1, 1])
        _steps(first, record)
        _rates(figure.add_subplot(grid[2, 1], sharex=first), record)
        for axes in figure.axes:
            axes.spines[["top", "right"]].set_visible(False)
        figure.text(0.06, 0.945, title or "latentworld", fontsize=PRINT.title, family=DRAWN["serif"])
        found, marked = len(rifts(record)), int(record.marked.sum())
        jumped = int(leaps(record, np.arange(len(record))).sum())
        keyed = ((found, "rifts ringed"), (marked, "steep steps dotted"), (jumped, "jumps as dotted lines"))
        keys = [key for count, key in keyed if count]
        said = f"{', '.join([f'{len(record)} frames', *keys])}\n{words(found, marked, ceiling)}"
        figure.text(0.965, 0.945, said, fontsize=PRINT.text, color=DARK.faint, ha="right")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    with Image.open(buffer) as image:
        save_png(target, np.asarray(image.convert("RGB")))


def _norm(rates: Array) -> LogNorm:
    from matplotlib.colors import LogNorm

    known = rates[np.isfinite(rates) & (rates > 0)]
    low, high = (np.percentile(known, 2), np.percentile(known, 99.8)) if len(known) else (0.1, 1.0)
    return LogNorm(max(low, 1e-12), max(high, low * 1.5, 1e-11), clip=True)


def _chart(figure: Figure, axes: Axes, record: Telemetry, plane: Plane, norm: LogNorm, colours: Colormap) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    a, b = record.alpha, record.beta
    seen = np.isfinite(a) & np.isfinite(b)
    wide = max(np.abs(a[seen]).max(initial=1.0), np.abs(b[seen]).max(initial=1.0))
    if wide > 5:  # out toward the horizon, where 10 and 1000 are neighbours
        tens = [sign * 10**power for sign in (-1, 1) for power in range(7)]
        axes.set_xscale("asinh", linear_width=0.5)
        axes.set_yscale("asinh", linear_width=0.5)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator([0, *tens]))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())
    else:
        axes.set_aspect("equal", adjustable="datalim")
    furniture(axes, DARK)
    keep = _thin(record)
    # a segment that changes sides runs over the horizon: it is no line on this chart
    whole = (record.front[keep][1:] == record.front[keep][:-1]) & seen[keep][1:] & seen[keep][:-1]
    points, leap = np.stack([a[keep], b[keep]], axis=1), leaps(record, keep)
    for side, alpha in ((True, 1.0), (False, 0.35)):
        shown = whole & ~leap & (record.front[keep][1:] == side)
        lines = _lines(points, _between(record, keep), shown, norm, colours)
        lines.set(alpha=alpha, linewidth=2.0, zorder=3)
        axes.add_collection(lines)
    axes.add_collection(_dotted(points, whole & leap))
    peaks, marked = rifts(record), record.marked & seen
    size = _ring(len(peaks), 90.0)
    axes.scatter(a[peaks], b[peaks], s=size, facecolors="none", edgecolors=DARK.accent, linewidths=0.9, zorder=4)
    axes.scatter(a[marked], b[marked], s=9, color=DARK.accent, linewidths=0, zorder=4)
    _ends(axes, points[seen[keep]])
    axes.autoscale_view()
    axes.set(xlabel="α", ylabel="β")
    ticks = rate_ticks(float(norm.vmin or 0.1), float(norm.vmax or 1.0))
    bar = figure.colorbar(
        _mappable(norm, colours), ax=axes, orientation="horizontal", fraction=0.02, aspect=60, pad=0.075, shrink=0.6,
        ticks=ticks,
    )  # fmt: skip
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label("Lipschitz value: CLIP distance per latent distance")
    if not record.front.all():
        axes.text(
            0.99, 0.01, "pale: far side, seen at its antipode", transform=axes.transAxes, ha="right", color=DARK.faint
        )


def _globe(axes: Axes, record: Telemetry, plane: Plane, norm: LogNorm, colours: Colormap) -> None:
    """The globe in orthographic view, from above the middle of the path."""
    middle = record.unit.mean(axis=0)
    centre = normalise(middle if np.linalg.norm(middle) > 0.2 else plane.unit(1 / 3, 1 / 3))
    turned = view(centre)
    sea(axes, ORTHOGRAPHIC, DARK)
    on_globe.furniture(axes, plane, ORTHOGRAPHIC, turned, DARK, named=False, weight=0.8)
    keep = _thin(record)
    seen, leap = record.unit[keep] @ turned, leaps(record, keep)
    for front, alpha in ((False, 0.18), (True, 1.0)):
        lines = _lines(seen[:, :2], _between(record, keep), ((seen[1:, 2] >= 0) == front) & ~leap, norm, colours)
        lines.set(alpha=alpha, linewidth=1.6, zorder=3)
        axes.add_collection(lines)
    axes.add_collection(_dotted(seen[:, :2], leap))
    peaks = record.unit[rifts(record)] @ turned
    peaks = peaks[peaks[:, 2] >= 0]
    size = _ring(len(peaks), 32.0)
    axes.scatter(peaks[:, 0], peaks[:, 1], s=size, facecolors="none", edgecolors=DARK.accent, linewidths=0.8, zorder=4)
    _ends(axes, seen[:, :2], ("", ""))
    axes.set(aspect="equal", xlim=(-1.04, 1.04), ylim=(-1.04, 1.04))
    axes.set_title("the globe; dotted: the chart's horizon", color=DARK.faint, fontsize=PRINT.text, y=-0.1)


def _steps(axes: Axes, record: Telemetry) -> None:
    if not np.isfinite(record.clip_step).any():
        return
    median = float(np.nanmedian(record.clip_step))
    axes.axhspan(median / 2, 2 * median, color=DARK.raised, lw=0)
    axes.axhline(median, color=DARK.faint, lw=0.7)
    _course(axes, record.time, record.clip_step, DARK.ink)
    most = min(float(np.nanmax(record.clip_step)), 6 * median) * 1.08 or 1.0
    large = np.minimum(record.clip_step[record.marked], most)
    axes.plot(record.time[record.marked], large, "o", color=DARK.accent, ms=2.8, mew=0, clip_on=False)
    axes.set(ylim=(0, most), xlim=(record.time[0], record.time[-1]))
    axes.tick_params(labelbottom=False)
    axes.set_title("CLIP step of a frame; band: half to twice the median", color=DARK.faint, loc="left")


def _rates(axes: Axes, record: Telemetry) -> None:
    axes.set_yscale("log")
    _course(axes, record.time, np.where(record.lipschitz > 0, record.lipschitz, np.nan), PHASES[1])
    if (median := median_of_the_way(record)) is not None:
        axes.axhline(ABOVE * median, color=DARK.faint, lw=0.7)
    ticks = rate_ticks(*axes.get_ylim())
    axes.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    peaks = rifts(record)
    ring = math.sqrt(_ring(len(peaks), 25.0))
    axes.plot(record.time[peaks], record.lipschitz[peaks], "o", color="none", mec=DARK.accent, ms=ring, mew=0.9)
    axes.set_xlabel("seconds")
    axes.set_title(
        f"Lipschitz value; line: {ABOVE:g} times the median of the way",
        color=DARK.faint,
        fontsize=PRINT.text,
        loc="left",
    )


def rate_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Two to `most` round numbers on a logarithmic axis from `low` to `high`, however narrow it is."""
    for parts in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [part * 10.0**power for power in decades for part in parts if low <= part * 10.0**power <= high]
        if len(ticks) >= 3:
            return ticks[:: -(-len(ticks) // most)]
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= max(part for part in (1.0, 2.0, 5.0) if part * step <= (high - low) / 2)
    return [count * step for count in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _ring(count: int, size: float) -> float:
    """The area of a ring around each of `count` rifts, in square points: many rings must not bury the way."""
    return size * min(1.0, max(RINGED / max(count, 1), 1 / 8))


def _course(axes: Axes, time: Array, values: Array, colour: str) -> None:
    """Values over time: a line, and of a long film, whose line would be a solid block, from the least to the largest of
    each stretch, with the median."""
    if len(values) <= 3 * STRETCHES:
        axes.plot(time, values, color=colour, lw=0.7)
        return
    parts = [part for part in np.array_split(np.arange(len(values)), STRETCHES) if np.isfinite(values[part]).any()]
    low, middle, high = np.array([np.nanquantile(values[part], (0.0, 0.5, 1.0)) for part in parts]).T
    at = np.array([time[part].mean() for part in parts])
    axes.fill_between(at, low, high, color=colour, alpha=0.28, lw=0)
    axes.plot(at, middle, color=colour, lw=0.9)


def _thin(record: Telemetry) -> Indices:
    return np.unique(np.linspace(0, len(record) - 1, min(len(record), _MOST)).round().astype(np.int64))


def _between(record: Telemetry, keep: Indices) -> Array:
    """The largest Lipschitz value on the way from each kept frame to the next: rifts are not thinned away."""
    return np.asarray(np.fmax.reduceat(record.lipschitz[1:], keep[:-1]))


def leaps(record: Telemetry, keep: Indices) -> Flags:
    """Whether a jump lies between each kept frame and the next: the film was not on the way there."""
    leap = jumps(record.time, record.unit, np.zeros(len(record), np.int8))
    return np.asarray(np.logical_or.reduceat(leap, keep[:-1]))


def _dotted(points: Array, shown: Flags) -> LineCollection:
    """Where a film jumped: from where, to where."""
    from matplotlib.collections import LineCollection

    segments = np.stack([points[:-1], points[1:]], axis=1)[shown]
    return LineCollection(list(segments), colors=DARK.faint, linestyles=":", linewidths=0.9, zorder=2)


def _lines(points: Array, rates: Array, shown: Flags, norm: LogNorm, colours: Colormap) -> LineCollection:
    from matplotlib.collections import LineCollection

    segments = np.stack([points[:-1], points[1:]], axis=1)[shown]
    values = np.where(np.isfinite(rates), rates, float(norm.vmin or 0.0))[shown]
    return LineCollection(list(segments), array=values, norm=norm, cmap=colours, capstyle="round")


def _ends(axes: Axes, points: Array, names: tuple[str, str] = ("start", "end")) -> None:
    near = 1e-9 + 2 * np.median(np.linalg.norm(np.diff(points, axis=0), axis=1))
    if len(points) > 2 and np.linalg.norm(points[0] - points[-1]) <= near:  # a loop ends where it begins
        names = (f"{names[0]}, {names[1]}" if all(names) else "", "")
    axes.plot(*points[0], "o", color=DARK.ground, mec=DARK.ink, ms=8, mew=1.3, zorder=6)
    axes.plot(*points[-1], "o", color=DARK.ink, mec=DARK.ground, ms=7, mew=0.8, zorder=6)
    inner = min(2, len(points) - 1)
    beside = (points[inner], points[-1 - inner])  # what a word must not stand on: the way itself
    if all(names) and np.linalg.norm(points[0] - points[-1]) < CLOSE * np.ptp(points, axis=0).max():
        beside = (points[-1], points[0])  # the other end
    for name, point, way in zip(names, (points[0], points[-1]), beside):
        offset, side = ((-9, -3), "right") if way[0] > point[0] else ((9, -3), "left")
        axes.annotate(
            name, point, offset, textcoords="offset points", ha=side, color=DARK.ink, fontsize=PRINT.caption, zorder=6
        )


def _mappable(norm: LogNorm, colours: Colormap) -> ScalarMappable:
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(norm, colours)
