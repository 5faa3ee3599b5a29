"""How rough a boundary is: its box-counting dimension."""

from __future__ import annotations

import numpy as np

from latentworld.arrays import Array, Integers, Mask
from latentworld.errors import AtlasError
from latentworld.extras import need

LEAST = 12  # cells a side: fewer have fewer than three scales
BROADEST = 3  # a box covers at most this part of a side


def boundary(labels: Integers | Mask) -> Mask:
    """The cells [n - 1, m - 1] of a grid of labels [n, m] whose four corners are not all of one label."""
    a, b, c, d = labels[:-1, :-1], labels[:-1, 1:], labels[1:, :-1], labels[1:, 1:]
    return np.asarray((a != b) | (a != c) | (a != d))


def box_dimension(boundary: Mask) -> tuple[float, float]:
    """Box-counting dimension of a set of cells [n, m] and its standard error; both NaN where no cell is set.

    Boxes of 1, 2, 4, ... cells up to a third of the shorter side. The number of boxes that meet the set is the mean
    over every offset of their grid: the area of the set dilated by the box, over the area of the box. The window is
    mirrored at its edges, so that a boundary that leaves it does not end there. The dimension is the slope of
    log(number) over -log(size) by least squares. Its error joins the regression's standard error, the farthest slope
    over any run of half the scales (a set need not look alike at every scale), and half a cell of doubt about the
    broadest box.
    Raises AtlasError below 12 cells a side.
    """
    shortest = min(boundary.shape)
    if shortest < LEAST:
        raise AtlasError(f"a dimension needs {LEAST} cells a side, not {shortest}: survey more rows and columns")
    if not boundary.any():
        return np.nan, np.nan
    sizes = 2 ** np.arange(int(np.log2(shortest / BROADEST)) + 1)
    dilate = need("scipy.ndimage").maximum_filter
    count = [dilate(boundary, size=int(size), mode="reflect").mean() * boundary.size / size**2 for size in sizes]
    fineness, number = -np.log(sizes), np.log(count)
    slope, error = fit(fineness, number)
    half = max(2, len(sizes) // 2)
    runs = [slice(at, at + half) for at in range(len(sizes) - half + 1)]
    spread = max(abs(fit(fineness[run], number[run])[0] - slope) for run in runs)
    grain = 0.5 / sizes[-1] / np.log(sizes[-1])
    return slope, float(np.sqrt(error**2 + spread**2 + grain**2))


def fit(x: Array, y: Array) -> tuple[float, float]:
    """Slope of the least-squares line through [k] and its standard error; NaN where too few points tell."""
    if len(x) < 2:
        return np.nan, np.nan
    dx, dy = x - x.mean(), y - y.mean()
    slope = float(dx @ dy / (dx @ dx))
    rest = dy - slope * dx
    return slope, float(np.sqrt(rest @ rest / (len(x) - 2) / (dx @ dx))) if len(x) > 2 else np.nan
