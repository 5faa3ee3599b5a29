"""Windows drawn flat: the grid of pictures, the field as heat, and the field as a glow over the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from latentworld.arrays import Array, Integers, Rgba
from latentworld.atlas.plots.cells import every, flat, mosaic, owners, smoothed, spacing, spread
from latentworld.atlas.plots.style import caption, rate_bar
from latentworld.atlas.types import Atlas
from latentworld.drawing.style import axes_at, glow, inscribe, number, scale, sheet
from latentworld.tokens import DARK, Paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

SIDE = 7.6  # inches of a map's longer side
_THIN = 8.0  # a window this much longer than wide is squeezed rather than drawn to scale


@dataclass(frozen=True)
class Ruler:
    """Values along one axis of a lattice; far into a zoom, counted from its middle, which the label then names."""

    name: str
    low: float
    high: float
    count: int

    @property
    def deep(self) -> bool:
        """Whether the window is too narrow for its coordinates to differ in a few digits."""
        return self.high - self.low < 1e-3 * max(abs(self.low), abs(self.high))

    @property
    def origin(self) -> float:
        """What values are counted from."""
        return (self.low + self.high) / 2 if self.deep else 0.0

    @property
    def power(self) -> int:
        """The power of ten that values are counted in."""
        return int(np.floor(np.log10(self.high - self.low))) if self.deep else 0

    @property
    def label(self) -> str:
        """The axis label."""
        if not self.deep:
            return self.name
        digits = max(1, int(np.ceil(np.log10(max(abs(self.low), abs(self.high)) / (self.high - self.low)))) + 1)
        return f"({self.name} − {self.origin:.{min(digits, 16)}g}) / $10^{{{self.power}}}$"

    def value(self, spot: ArrayLike) -> Array:
        """Lattice units to what the axis shows."""
        share = np.asarray(spot, np.float64) / (self.count - 1)
        width = self.high - self.low
        value = (share - 0.5) * width if self.deep else self.low + share * width
        return np.asarray(value / 10.0**self.power)

    def spot(self, value: ArrayLike) -> Array:
        """What the axis shows to lattice units."""
        shown = np.asarray(value, np.float64) * 10.0**self.power
        width = self.high - self.low
        share = shown / width + 0.5 if self.deep else (shown - self.low) / width
        return np.asarray(share * (self.count - 1))


def rulers(atlas: Atlas) -> tuple[Ruler, Ruler]:
    """The rulers of alpha and of beta."""
    window = flat(atlas)
    return Ruler("α", *window.alpha, window.rows), Ruler("β", *window.beta, window.columns)


def size(atlas: Atlas, side: float = SIDE) -> tuple[float, float]:
    """Width and height in inches of a map whose cells have the shape of the pictures."""
    window = flat(atlas)
    height, width = atlas.thumbs.shape[1:3]
    ratio = float(np.clip(window.columns * height / (window.rows * width), 1 / _THIN, _THIN))
    return (side, side * ratio) if ratio <= 1 else (side / ratio, side)


def extent(atlas: Atlas) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the lattice, with half a cell around it."""
    window = flat(atlas)
    return -0.5, window.rows - 0.5, -0.5, window.columns - 0.5


def paint(axes: Axes, atlas: Atlas, pixels: Array | Rgba, interpolation: str = "nearest", **style: Any) -> None:
    """Lay pixels [height, width, ...] over the whole lattice."""
    axes.imshow(pixels, extent=extent(atlas), origin="upper", aspect="auto", interpolation=interpolation, **style)


def measure(axes: Axes, atlas: Atlas, paper: Paper) -> None:
    """Alpha and beta along the lower and left side."""
    from matplotlib.ticker import MaxNLocator

    for ruler, axis in zip(rulers(atlas), (axes.xaxis, axes.yaxis)):
        low, high = (float(value) for value in ruler.value([0, ruler.count - 1]))
        ticks = np.asarray(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
        ticks = ticks[(ruler.spot(ticks) >= -0.5) & (ruler.spot(ticks) <= ruler.count - 0.5)]
        axis.set_ticks(ruler.spot(ticks), labels=[number(tick, 6) for tick in ticks])
        axis.set_label_text(ruler.label)
    _frame(axes, atlas, paper)


def _frame(axes: Axes, atlas: Atlas, paper: Paper) -> None:
    left, right, bottom, top = extent(atlas)
    axes.set(xlim=(left, right), ylim=(bottom, top), facecolor=paper.raised)
    axes.spines[:].set_color(paper.rule)


def subtitle(atlas: Atlas) -> str:
    """The window in words."""
    window = flat(atlas)
    words = f"{window.rows} × {window.columns} places" if atlas.grid else f"{len(atlas)} places, refined"
    (a, b), (c, d) = window.alpha, window.beta
    if any(ruler.deep for ruler in rulers(atlas)):
        return f"{words}    α {(a + b) / 2:.16g} ± {(b - a) / 2:.3g}    β {(c + d) / 2:.16g} ± {(d - c) / 2:.3g}"
    return f"{words}    α {number(a, 6)} to {number(b, 6)}    β {number(c, 6)} to {number(d, 6)}"


def floor_rate(atlas: Atlas) -> float | None:
    """The rate at the noise floor for the atlas's finest step, None where it was not measured."""
    return None if atlas.floor is None else float(atlas.floor.rate(spacing(atlas)))


def grid(atlas: Atlas, title: str = "", paper: Paper = DARK) -> Figure:
    """Every picture in its cell, or as many as can be seen; row and column indices above and to the right, alpha and
    beta below and to the left.

    Raises AtlasError for a survey of the globe.
    """
    width, height = size(atlas, 8.4)
    with sheet(width + 1.75, height + 2.35, paper) as figure:
        axes = axes_at(figure, 0.85, 0.95, width, height)
        paint(axes, atlas, mosaic(atlas, 2600), "antialiased")
        _frame(axes, atlas, paper)
        above, beside = axes.secondary_xaxis("top"), axes.secondary_yaxis("right")
        sides = ((axes.xaxis, above.xaxis, "row", width), (axes.yaxis, beside.yaxis, "column", height))
        for ruler, (low, high, name, inches) in zip(rulers(atlas), sides):
            _indexed(ruler, low, high, name, inches)
        for other in (above, beside):
            other.spines[:].set_visible(False)
            other.tick_params(length=0, pad=3)
        axes.tick_params(length=2)
        step = every(atlas)
        words = f"    one picture of about {step} × {step} places" if step > 1 else ""
        inscribe(figure, title, f"{subtitle(atlas)}{words}", caption(atlas), paper, 0.85)
    return figure


def _indexed(ruler: Ruler, values: Axis, indices: Axis, name: str, inches: float) -> None:
    """Label the cells of one axis on both sides, every k-th where they are many."""
    spots = _thinned(ruler.count, int(inches / 0.34))
    indices.set_ticks(spots, labels=[str(spot) for spot in spots], fontsize=7)
    indices.set_label_text(f"{name} (along {ruler.name})")
    spots = _thinned(ruler.count, int(inches / 0.42))
    values.set_ticks(spots, labels=[number(value) for value in ruler.value(spots)], fontsize=7)
    values.set_label_text(ruler.label)


def _thinned(count: int, most: int) -> Integers:
    """Indices 0, k, 2k, ... with the least pleasant k (1, 2, 5, 10, ...) that leaves at most so many."""
    step = next(m * 10**p for p in range(9) for m in (1, 2, 5) if count <= m * 10**p * max(most, 2))
    return np.arange(0, count, step)


def field(atlas: Atlas, rates: Array, title: str = "", paper: Paper = DARK) -> Figure:
    """The field as heat: rates [n] (NaN where unknown), the floor marked on the colour bar.

    Raises AtlasError for a survey of the globe.
    """
    norm = scale(rates)
    with _map(atlas, title, norm, paper) as (figure, axes):
        paint(axes, atlas, spread(rates, owners(atlas)), cmap=glow(paper), norm=norm)
    return figure


def overlay(atlas: Atlas, rates: Array, title: str = "", paper: Paper = DARK) -> Figure:
    """The field as a glow over the pictures, which lie grey and quiet below. Raises AtlasError for the globe."""
    norm = scale(rates)
    with _map(atlas, title, norm, paper) as (figure, axes):
        veil(axes, atlas, rates, norm, paper)
    return figure


def veil(
    axes: Axes, atlas: Atlas, rates: Array, norm: Normalize, paper: Paper, side: int = 2000, solid: float = 0.92
) -> None:
    """Pictures, drained of most colour, and the field glowing over them."""
    paint(axes, atlas, drained(mosaic(atlas, side), paper), "antialiased")
    paint(axes, atlas, glowing(smoothed(atlas, rates), norm, paper, solid), "bilinear")


def drained(picture: Rgba, paper: Paper) -> Rgba:
    """A picture with a third of its colour, drawn half way into the paper."""
    from matplotlib.colors import to_rgb

    colour = picture[..., :3].astype(np.float32)
    grey = colour @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    ground = 255 * np.array(to_rgb(paper.ground), np.float32)
    mixed = 0.55 * (0.35 * colour + 0.65 * grey[..., None]) + 0.45 * ground
    return np.concatenate([mixed.round().astype(np.uint8), picture[..., 3:]], axis=-1)


def glowing(rates: Array, norm: Normalize, paper: Paper, solid: float = 0.92) -> Array:
    """Rates [h, w] to RGBA: clear where calm, `solid` on the strongest rift."""
    known = np.isfinite(rates)
    strength = np.asarray(norm(np.where(known, rates, norm.vmin or 0.0)), np.float64)
    light = np.asarray(glow(paper)(strength), np.float64)
    light[..., 3] = np.where(known, solid * strength**1.3, 0)
    return light


@contextmanager
def _map(atlas: Atlas, title: str, norm: Normalize, paper: Paper) -> Iterator[tuple[Figure, Axes]]:
    """A sheet with one map and a colour bar beside it."""
    width, height = size(atlas)
    with sheet(width + 2.3, height + 2.05, paper) as figure:
        axes = axes_at(figure, 0.85, 0.9, width, height)
        yield figure, axes
        measure(axes, atlas, paper)
        tall = min(height - 0.6, 5.0)
        rate_bar(figure, (width + 1.15, 0.9 + height - tall, 0.12, tall), norm, paper, floor_rate(atlas))
        inscribe(figure, title, subtitle(atlas), caption(atlas), paper, 0.85)
