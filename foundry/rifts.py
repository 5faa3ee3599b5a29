"""How sharp a world's rifts are: a survey of the write-up's plane, and zooms into its strongest rift.

Geometry and rates are latentworld's own (`Plane`, `on_grid`), so that a judged figure is what a survey shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentworld import vertices
from latentworld.lipschitz import noise_floor, on_grid
from latentworld.plane import Plane

Array = NDArray[np.float64]
Eye = Callable[[Tensor], Tensor]
"""Latents ``[n, 4, h, w]`` to unit features ``[n, k]``."""


@dataclass(frozen=True)
class Zoom:
    """One scale: where its window lies and how wide it is, in alpha and beta; over the survey's median, its largest
    rate, and the rate that rounding alone would show there."""

    centre: tuple[float, float]
    width: float
    largest: float
    floor: float

    @property
    def sound(self) -> bool:
        """Whether the largest rate is the world's and not rounding's: of 200 places one has eight times its mean."""
        return self.largest > 10 * self.floor


def plane(shape: tuple[int, int, int], seeds: tuple[int, int, int]) -> Plane:
    """The write-up's plane."""
    return Plane(np.asarray(vertices.from_seeds(seeds, shape)))


def window(plane: Plane, centre: tuple[float, float], width: float, side: int) -> Array:
    """Units ``[side, side, 3]`` of a square window of the chart."""
    steps = np.linspace(-0.5, 0.5, side) * width
    return plane.unit(*np.meshgrid(centre[0] + steps, centre[1] + steps, indexing="ij"))


def drawn(window: Array) -> Array:
    """A window ``[side, side, ...]``, whose rows run along alpha, as pictures have it: alpha to the right, beta up."""
    return window.swapaxes(0, 1)[::-1]


def field(plane: Plane, eye: Eye, units: Array) -> Array:
    """Rates ``[side, side]`` of a window."""
    features = eye(plane.latents(units.reshape(-1, 3)))
    return on_grid(features.reshape(*units.shape[:2], -1), plane.points(units))


def survey(plane: Plane, eye: Eye, side: int) -> tuple[Array, float, float]:
    """The field of the unit square, its 99th percentile over its median (0 if nothing moves), and its median."""
    rates = field(plane, eye, window(plane, (0.5, 0.5), 1.0, side))
    median = float(np.median(rates))
    return rates, float(np.quantile(rates, 0.99)) / median if median else 0.0, median


def strongest(rates: Array, centre: tuple[float, float], width: float) -> tuple[float, float]:
    """Where in the chart the largest rate of a window lies."""
    place = np.unravel_index(rates.argmax(), rates.shape)
    at = [float(index) / (len(rates) - 1) - 0.5 for index in place]
    return centre[0] + at[0] * width, centre[1] + at[1] * width


def dive(plane: Plane, eye: Eye, rates: Array, depth: int, side: int) -> tuple[list[Zoom], float]:
    """Zooms by ten into the strongest rift of a survey, while there is more than rounding to see.

    Also the width at which the largest rate stops growing (less than 1.3 times the one before).
    """
    median = float(np.median(rates))

    def zoom(centre: tuple[float, float], width: float, rates: Array) -> Zoom:
        units = window(plane, strongest(rates, centre, width), width / (len(rates) - 1), 2)
        spacing = float(np.linalg.norm(np.diff(plane.points(units), axis=0), axis=-1).mean())
        jitter = noise_floor(lambda u, r: eye(plane.latents(u, r)), units[0, 0]).jitter
        return Zoom(centre, width, float(rates.max()) / median, jitter / spacing / median)

    centre, width = (0.5, 0.5), 1.0
    zooms = [zoom(centre, width, rates)]
    for _ in range(depth):
        centre, width = strongest(rates, centre, width), width / 10
        rates = field(plane, eye, window(plane, centre, width, side))
        zooms.append(zoom(centre, width, rates))
        if not zooms[-1].sound:
            break
    still = [zoom.width for before, zoom in pairwise(zooms) if zoom.largest < 1.3 * before.largest]
    return zooms, (still[0] if still else zooms[-1].width)
