"""Points and headings as people write them."""

from __future__ import annotations

import math

import numpy as np

from latentworld import globe
from latentworld.arrays import Unit
from latentworld.errors import GeometryError
from latentworld.plane import Plane

NAMED = {"z0": (0.0, 0.0), "z1": (1.0, 0.0), "z2": (0.0, 1.0), "centre": (1 / 3, 1 / 3), "corner": (1.0, 1.0)}


def place(plane: Plane, point: str | tuple[float, ...]) -> tuple[Unit, float]:
    """Unit [3] and radius of a point: a name (`-` before it: its antipode), (alpha, beta) or (alpha, beta, radius).

    Numbers are as `Plane.place` has them. Raises GeometryError for other names and shapes.
    """
    if isinstance(point, str):
        name = point.removeprefix("-")
        if name not in NAMED:
            raise GeometryError(f"No point named {point!r}: use {', '.join(NAMED)}, or alpha and beta.")
        return plane.place(*NAMED[name], 1.0 if point == name else -1.0)
    if len(point) not in (2, 3):
        raise GeometryError(f"A point has alpha and beta, and perhaps a radius: {point!r} has {len(point)} numbers.")
    return plane.place(*point)


def heading(plane: Plane, unit: Unit, degrees: float) -> Unit:
    """Heading [3] at a unit [3]: 0 toward growing alpha, left (in the cell: toward growing beta) positive."""
    edges = plane.corners[1:] - plane.corners[0]
    # Renormalising only drops the radial part of dz/dalpha = z1 - z0; where that is all of it, beta serves.
    along = [globe.dot(unit, e) ** 2 < (1.0 - 1e-9) * globe.dot(e, e) for e in edges]
    east = globe.project(unit, edges[int(np.argmax(along))])
    return globe.turn(unit, east, math.radians(degrees))
