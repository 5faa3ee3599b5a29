"""Even pace along any curve: a table from arc length to the curve's parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from latentworld.arrays import Float64, Reals, Units, Vector
from latentworld.errors import GeometryError
from latentworld.globe import dot

_CELLS, _NODES = 128, 4  # cells per knot interval, subintervals per cell: pace even to 1e-7 on the walks' curves
_SPREAD, _FEWEST = 4096, 16  # cells of all intervals together: hundreds of waypoints lie too near for 128 cells each


@dataclass(frozen=True, eq=False)
class ArcTable:
    """The inverse t(s) of arc length s along a curve, piecewise quartic (Newton form), one piece a cell.

    starts: float64[cells + 1], arc length where each cell begins, the last the whole; nodes, coefficients:
    float64[cells, 5]. No piece looks across a knot, so corners of the curve's speed cost no precision.
    """

    starts: Float64[Reals, " ends"]
    nodes: Float64[Reals, "ends-1 5"]
    coefficients: Float64[Reals, "ends-1 5"]

    @property
    def length(self) -> float:
        """Arc length of the whole curve."""
        return float(self.starts[-1])

    def at(self, s: Vector) -> Vector:
        """Parameter at arc lengths s [n] in 0..length."""
        cell = np.clip(np.searchsorted(self.starts, s, side="right") - 1, 0, len(self.nodes) - 1)
        x, nodes, c = s - self.starts[cell], self.nodes[cell], self.coefficients[cell]
        t = c[:, 4]
        for j in (3, 2, 1, 0):
            t = t * (x - nodes[:, j]) + c[:, j]
        return t

    @staticmethod
    def linear(length: float, span: float) -> ArcTable:
        """The table of a curve already run at even pace: parameter 0..span over 0..length."""
        if not (np.isfinite(length) and length > 0):
            raise GeometryError("The path has zero length: spread its places apart.")
        return ArcTable(np.array([0.0, length]), np.zeros((1, 5)), np.array([[0.0, span / length, 0.0, 0.0, 0.0]]))

    @staticmethod
    def measure(curve: Callable[[Vector], Float64[Reals, "n m"]], knots: Vector) -> ArcTable:
        """Measure curve: t [n] -> points [n, m], smooth between its knots.

        Arc lengths are chords with Richardson's correction, (4 (halves) - whole) / 3: error of fourth order.
        Raises GeometryError when the curve has no length or stands still.
        """
        cells = min(max(_SPREAD // (len(knots) - 1), _FEWEST), _CELLS)
        grid = np.concatenate(
            [np.linspace(a, b, 2 * cells * _NODES, endpoint=False) for a, b in pairwise(knots)] + [knots[-1:]]
        )
        points = curve(grid)
        halves, whole = _chords(points[1:] - points[:-1]), _chords(points[2::2] - points[:-2:2])
        pieces = ((4.0 * (halves[0::2] + halves[1::2]) - whole) / 3.0).reshape(-1, _NODES)
        if not (pieces > 0).all():
            raise GeometryError("The path has zero length or stands still: spread its places apart.")
        nodes = np.concatenate([np.zeros((len(pieces), 1)), np.cumsum(pieces, axis=1)], axis=1)
        starts = np.concatenate([[0.0], np.cumsum(nodes[:, -1])])
        begin = grid[: -1 : 2 * _NODES, None]
        t = begin + np.diff(np.concatenate([begin[:, 0], knots[-1:]]))[:, None] * np.linspace(0.0, 1.0, _NODES + 1)
        return ArcTable(starts, nodes, _divided_differences(nodes, t))


def _chords(v: Units) -> Vector:
    length: Vector = np.sqrt(dot(v, v))
    return length


def _divided_differences(x: Float64[Reals, "cells k"], y: Float64[Reals, "cells k"]) -> Float64[Reals, "cells k"]:
    """Newton coefficients of the polynomials through (x, y), each [cells, k], one a row."""
    c = y.copy()
    for order in range(1, x.shape[1]):
        c[:, order:] = (c[:, order:] - c[:, order - 1 : -1]) / (x[:, order:] - x[:, :-order])
    return c
