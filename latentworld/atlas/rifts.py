"""The strongest rifts of an atlas, apart from one another."""

from __future__ import annotations

import numpy as np

from latentworld.arrays import Array
from latentworld.atlas import field
from latentworld.atlas.types import Atlas, Mesh, Site
from latentworld.globe import angle, normalise

CELLS = 3.0  # how many cells lie between two sites unless told otherwise


def strongest(atlas: Atlas, mesh: Mesh, rates: Array, count: int = 12, apart: float | None = None) -> list[Site]:
    """Up to `count` places of the highest rates, each more than `apart` (rad) from those before it.

    apart: three median edges unless given. Its sides are the ends of the steepest edge that meets the place. Places
    no steeper than the median, or without neighbours, are no sites.
    """
    edges = mesh.edges
    if len(edges) == 0:
        return []
    steepness = np.nan_to_num(field.along_edges(atlas, mesh))
    if apart is None:
        apart = CELLS * float(np.median(angle(atlas.unit[edges[:, 0]], atlas.unit[edges[:, 1]])))
    usual = float(np.nanmedian(rates))
    left = np.where(rates > usual, rates, 0.0)  # a NaN is not above anything
    sites: list[Site] = []
    while len(sites) < count and left.max() > 0:
        at = int(left.argmax())
        left[angle(atlas.unit, atlas.unit[at]) <= apart] = 0
        left[at] = 0
        meets = np.flatnonzero((edges == at).any(axis=1))
        i, j = edges[meets[steepness[meets].argmax()]].tolist()
        alpha, beta, front = middle(atlas, i, j)
        contrast = float(rates[at] / usual) if usual > 0 else np.inf
        sites.append(Site(at, (i, j), alpha, beta, front, float(rates[at]), contrast))
    return sites


def middle(atlas: Atlas, i: int, j: int) -> tuple[float, float, bool]:
    """alpha, beta and front half-way between two places: of a window exactly, on the globe along the great circle."""
    if atlas.sampling.kind != "globe":
        alpha, beta = atlas.coordinates[[i, j]].mean(axis=0).tolist()
        return alpha, beta, True
    chart = atlas.plane.chart(normalise(atlas.unit[i] + atlas.unit[j]))
    return float(chart[0]), float(chart[1]), bool(chart[2])
