"""The globe on paper: its limb and graticule, the chart's horizon, the cell and its vertices, and ways over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from latentworld.arrays import Array, Units
from latentworld.drawing.projections import Projection
from latentworld.drawing.style import halo
from latentworld.globe import cross, normalise
from latentworld.plane import Plane
from latentworld.tokens import PRINT, Paper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Polygon

DOTTED = (0, (0.1, 2.6))


def sea(axes: Axes, projection: Projection, paper: Paper) -> Polygon:
    """The bare globe; what is laid over it is clipped by what this gives."""
    axes.set(xlim=(-1.01 * projection.width, 1.01 * projection.width), ylim=(-1.01, 1.01))
    axes.axis("off")
    return axes.fill(*projection.limb().T, color=paper.raised, lw=0, zorder=0)[0]


def furniture(
    axes: Axes, plane: Plane, projection: Projection, turned: Array, paper: Paper, named: bool = True,
    weight: float = 1.0,
) -> None:  # fmt: skip
    """Graticule, the chart's horizon (dotted), the cell z0 z1 z2, the rest of its parallelogram (dashed), vertices with
    their names if `named`, limb. turned: the view [3, 3]; weight: of lines, times their own."""

    def line(seen: Array, colour: str, width: float, dashes: object = "-", alpha: float = 1.0, order: int = 4) -> None:
        spots = uncrossed(projection.forward(seen), projection.width)
        axes.plot(*spots.T, color=colour, lw=weight * width, ls=dashes, alpha=alpha, zorder=order,
                  dash_capstyle="round")  # fmt: skip

    for circle in graticule():
        line(circle, paper.ink, 0.4, alpha=0.13, order=2)
    line(horizon(plane) @ turned, paper.ink, 1.3, DOTTED)
    for outline, dashes in zip(outlines(plane), ("-", (0, (4, 2)))):
        line(outline @ turned, paper.ink, 0.9, dashes)
    spots = projection.forward(plane.unit([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]) @ turned)
    for name, spot in zip(("z₀", "z₁", "z₂"), spots if named else ()):
        if np.isfinite(spot).all():
            axes.plot(*spot, "o", color=paper.ground, mec=paper.ink, ms=4, mew=0.9, zorder=5)
            axes.annotate(name, spot, (5, 4), textcoords="offset points", fontsize=PRINT.caption, zorder=6,
                          path_effects=halo(paper, 2.2))  # fmt: skip
    axes.plot(*projection.limb().T, color=paper.faint, lw=0.7 * weight, zorder=6)


def horizon(plane: Plane) -> Units:
    """The great circle [k, 3] where the vertices' weights sum to zero: alpha and beta are infinite there."""
    pole = normalise(np.linalg.solve(plane.corners, np.ones(3)))
    side = normalise(cross(pole, [1.0, 0.0, 0.0] if abs(pole[0]) < 0.9 else [0.0, 1.0, 0.0]))
    turn = np.linspace(0, 2 * np.pi, 721)[:, None]
    return np.asarray(np.cos(turn) * side + np.sin(turn) * cross(pole, side))


def outlines(plane: Plane) -> tuple[Units, Units]:
    """The cell's outline [k, 3], and the other two sides of the parallelogram."""
    t, one = np.linspace(0, 1, 60), np.ones(60)
    cell = np.concatenate([plane.unit(t, 0 * t), plane.unit(1 - t, t), plane.unit(0 * t, 1 - t)])
    return cell, np.concatenate([plane.unit(one, t), plane.unit(1 - t, one)])


def graticule() -> list[Array]:
    """Circles every 30 degrees as seen: they turn with the view."""
    turn = np.linspace(0, 2 * np.pi, 241)
    latitude = [np.stack([np.cos(a) * np.sin(turn), np.full_like(turn, np.sin(a)), np.cos(a) * np.cos(turn)], axis=1)
                for a in np.radians(np.arange(-60, 90, 30))]  # fmt: skip
    half = np.linspace(-np.pi / 2, np.pi / 2, 121)
    meridian = [np.stack([np.cos(half) * np.sin(a), np.sin(half), np.cos(half) * np.cos(a)], axis=1)
                for a in np.radians(np.arange(-150, 181, 30))]  # fmt: skip
    return latitude + meridian


def uncrossed(spots: Array, width: float) -> Array:
    """Break a line [k, 2] where it leaps over the edge of the map."""
    leap = np.abs(np.diff(spots[:, 0])) > 0.5 * width
    return np.insert(spots, np.nonzero(leap)[0] + 1, np.nan, axis=0)
