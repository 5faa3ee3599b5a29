"""A strip: the way on globe and chart, coloured by the Lipschitz value, and pictures along it, even in time."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from installation.film.telemetry import Telemetry
from latentworld.arrays import Array, Flags, Pictures
from latentworld.drawing import chart, globe
from latentworld.drawing.projections import ORTHOGRAPHIC, view
from latentworld.drawing.style import bright, scale, sheet
from latentworld.globe import normalise
from latentworld.plane import Plane
from latentworld.tokens import DARK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

Drawn = Callable[["Axes", Telemetry, Plane, "Normalize", bool], None]
SIDE = 160  # pixels of a picture and of a map
COUNT = 5  # pictures
GAP = 6  # pixels between
WIDEST = 1.8  # alpha and beta that the chart reaches at most, from its middle
LEAST = 0.35


def draw(pictures: Pictures, record: Telemetry, plane: Plane, dotted: bool = False) -> Image.Image:
    """The strip of a film: pictures uint8 [n, h, w, 3] of all its frames. dotted: every frame is a dot on the way."""
    norm = scale(record.lipschitz)
    maps = [_map(_globe, record, plane, norm, dotted), _map(_chart, record, plane, norm, dotted)]
    closed = float(record.unit[0] @ record.unit[-1]) > 0.999  # a lap ends with the picture that it began with
    chosen = np.linspace(0, len(pictures) - 1, COUNT, endpoint=not closed).round().astype(int)
    shown = [Image.fromarray(pictures[k]).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for k in chosen]
    parts = [*maps, *shown]
    page = Image.new("RGB", (len(parts) * (SIDE + GAP) - GAP, SIDE), DARK.ground)
    for place, part in enumerate(parts):
        page.paste(part, (place * (SIDE + GAP), 0))
    return page


def _map(drawn: Drawn, record: Telemetry, plane: Plane, norm: Normalize, dotted: bool) -> Image.Image:
    """A map, drawn at twice its size and made smaller, so that its thin lines are even."""
    with sheet(SIDE / 100, SIDE / 100, DARK, dpi=200) as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        drawn(axes, record, plane, norm, dotted)
        return _pixels(figure)


def _pixels(figure: Figure) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return Image.open(buffer).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _globe(axes: Axes, record: Telemetry, plane: Plane, norm: Normalize, dotted: bool) -> None:
    """From above the cell, or above the way where that keeps to one side."""
    middle = record.unit.mean(axis=0)
    turned = view(normalise(middle) if np.linalg.norm(middle) > 0.3 else plane.unit(1 / 3, 1 / 3))
    globe.sea(axes, ORTHOGRAPHIC, DARK)
    globe.furniture(axes, plane, ORTHOGRAPHIC, turned, DARK, named=False, weight=0.6)
    seen = record.unit @ turned
    for near in (False, True):
        _way(axes, seen[:, :2], record, (seen[:, 2] >= 0) == near, norm, 1.0 if near else 0.25)
    _ends(axes, seen[:, :2], np.asarray(seen[:, 2] >= 0))
    axes.set(xlim=(-1.06, 1.06), ylim=(-1.06, 1.06))


def _chart(axes: Axes, record: Telemetry, plane: Plane, norm: Normalize, dotted: bool) -> None:
    """As near as the way allows; the far side is pale, at its antipodes."""
    points = np.stack([record.alpha, record.beta], axis=1)
    inside = np.isfinite(points).all(axis=1) & (np.abs(points - 0.5) < WIDEST).all(axis=1)
    low, high = (points[inside].min(axis=0), points[inside].max(axis=0)) if inside.any() else (np.zeros(2), np.ones(2))
    middle, half = (low + high) / 2, max(float((high - low).max()) * 0.58, LEAST)
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    axes.set_autoscale_on(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    chart.furniture(axes, DARK, named=False, weight=0.7)
    for front in (False, True):
        _way(axes, points, record, inside & (record.front == front), norm, 1.0 if front else 0.35)
    if dotted:
        axes.plot(*points[inside].T, "o", color=DARK.ink, ms=1.6, mew=0, zorder=5)
    _ends(axes, points, np.asarray(inside))


def _way(axes: Axes, points: Array, record: Telemetry, shown: Flags, norm: Normalize, alpha: float) -> None:
    from matplotlib.collections import LineCollection

    whole = shown[1:] & shown[:-1] & (record.front[1:] == record.front[:-1] if alpha < 1 else True)
    segments = np.stack([points[:-1], points[1:]], axis=1)[whole]
    rates = np.nan_to_num(record.lipschitz[1:][whole], nan=float(norm.vmin or 0.0))
    lines = LineCollection(list(segments), array=rates, norm=norm, cmap=bright(), capstyle="round", linewidths=1.5,
                           alpha=alpha, zorder=4)  # fmt: skip
    axes.add_collection(lines, autolim=False)


def _ends(axes: Axes, points: Array, shown: Flags) -> None:
    """A ring where it begins, a dot where it ends."""
    for k, fill, edge in ((0, DARK.ground, DARK.ink), (-1, DARK.ink, DARK.ground)):
        if shown[k]:
            axes.plot(*points[k], "o", color=fill, mec=edge, ms=4.5, mew=0.9, zorder=6)
