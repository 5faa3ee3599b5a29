"""Which place owns which spot: on a window's lattice, and in every direction of the globe.

Flat pictures are drawn in lattice units, x along rows (alpha) and y along columns (beta), however deep a zoom is: only
the labels speak of alpha and beta, so a window of 1e-12 is drawn as sharply as one of 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from latentworld.arrays import Array, Integers, Rgba
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.types import Atlas
from latentworld.errors import AtlasError
from latentworld.extras import need

SEEN = 80  # pictures a side: of a plot at 150 dpi each has 16 pixels, below which nothing is recognised


def flat(atlas: Atlas) -> Window | Adaptive:
    """The atlas's window. Raises AtlasError for a survey of the globe, which has none, and for an empty atlas."""
    if isinstance(atlas.sampling, Globe):
        raise AtlasError("a survey of the globe has no rows and columns: draw it with the globe's views")
    if len(atlas) == 0:
        raise AtlasError("the atlas holds no place yet: survey a little before drawing it")
    return atlas.sampling


def strides(atlas: Atlas) -> Integers:
    """Edge of each place's cell in lattice units, int64 [n]: one in a window, halved with each level of refinement."""
    if isinstance(atlas.sampling, Adaptive):
        return np.asarray(np.maximum(atlas.sampling.coarse >> atlas.level, 1))
    return np.ones(len(atlas), np.int64)


def spacing(atlas: Atlas) -> float:
    """Median latent distance between neighbours: along both axes of the finest lattice, or of equal-area pixels."""
    sampling = atlas.sampling
    if isinstance(sampling, Globe):
        return float(atlas.plane.target * atlas.radius * np.sqrt(4 * np.pi / sampling.count))
    here = atlas.plane.points(atlas.unit, atlas.radius)
    distances = []
    for axis, last in enumerate((sampling.rows - 1, sampling.columns - 1)):
        beside = atlas.lattice.copy()
        beside[:, axis] += np.where(beside[:, axis] < last, 1, -1)
        unit = atlas.plane.unit(*sampling.coordinates(beside).T)
        distances.append(np.linalg.norm(atlas.plane.points(unit, atlas.radius) - here, axis=1))
    return float(np.median(distances)) if len(atlas) else float("nan")


def boxes(atlas: Atlas, scale: float) -> Integers:
    """Left, top, right and bottom of every cell in pixels [n, 4], `scale` pixels a lattice unit, y downwards.

    They may reach past the picture's edge, where a coarse cell does.
    """
    window = flat(atlas)
    half = strides(atlas)[:, None] / 2
    middle = atlas.lattice + 0.5
    low, high = np.round((middle - half) * scale), np.round((middle + half) * scale)
    height = round(window.columns * scale)
    return np.stack([low[:, 0], height - high[:, 1], high[:, 0], height - low[:, 1]], axis=1).astype(np.int64)


def owners(atlas: Atlas, most: int = 2048) -> Integers:
    """Which place owns each pixel [height, width], -1 where none does; finer cells lie on coarser ones.

    As sharp as the lattice (two pixels a unit where it is refined), but at most `most` pixels a side.
    """
    window = flat(atlas)
    largest = max(window.rows, window.columns)
    scale = min(2.0 if isinstance(window, Adaptive) else 1.0, most / largest)
    canvas = np.full((max(1, round(window.columns * scale)), max(1, round(window.rows * scale))), -1, np.int64)
    box = np.maximum(boxes(atlas, scale), 0)
    for index in np.argsort(atlas.level, kind="stable"):
        left, top, right, bottom = box[index]
        canvas[top : max(bottom, top + 1), left : max(right, left + 1)] = index
    return canvas


def mosaic(atlas: Atlas, side: int = 2000) -> Rgba:
    """Every picture in its cell [height, width, 4], clear where nothing was seen, about `side` pixels; of a window
    whose cells are too small to see a picture in, as many as can be seen (`every`)."""
    window = flat(atlas)
    scale, step = min(atlas.thumbs.shape[2], max(side / max(window.rows, window.columns), 1.0)), every(atlas)
    canvas = Image.new("RGBA", (round(window.rows * scale), round(window.columns * scale)))
    for index, (left, top, right, bottom) in _blocks(atlas, scale, step) if step > 1 else _cells(atlas, scale):
        if right > left and bottom > top:
            picture = Image.fromarray(np.asarray(atlas.thumbs[int(index)]))
            canvas.paste(picture.resize((right - left, bottom - top), Image.Resampling.LANCZOS, None, 3.0), (left, top))
    return np.asarray(canvas)


def every(atlas: Atlas) -> int:
    """How many places of a window, each way, one picture of its mosaic stands for, so that it can be seen; 1 where all
    are drawn, as they are of a refined survey, whose small cells lie on larger ones."""
    window = flat(atlas)
    return 1 if isinstance(window, Adaptive) else math.ceil(max(window.rows, window.columns) / SEEN)


def _cells(atlas: Atlas, scale: float) -> Iterator[tuple[int, list[int]]]:
    """Places and their boxes in pixels, coarse ones first."""
    box = boxes(atlas, scale)
    for index in np.argsort(atlas.level, kind="stable"):
        yield int(index), box[index].tolist()


def _blocks(atlas: Atlas, scale: float, step: int) -> Iterator[tuple[int, list[int]]]:
    """Of about step x step places each the one that is nearest to their middle, and their box in pixels."""
    window = flat(atlas)
    shape = np.array([window.rows, window.columns])
    blocks = np.maximum(1, np.round(shape / step)).astype(np.int64)  # as many as fit, all of one size: none is cut
    block = atlas.lattice * blocks // shape
    away = np.abs(atlas.lattice + 0.5 - (block + 0.5) * shape / blocks).sum(axis=1)
    order = np.lexsort((away, block[:, 1], block[:, 0]))
    _, first = np.unique(block[order], axis=0, return_index=True)
    edge, height = shape / blocks * scale, round(window.columns * scale)
    for index in order[first]:
        low, high = np.round(block[index] * edge).astype(int), np.round((block[index] + 1) * edge).astype(int)
        yield int(index), [low[0], height - high[1], high[0], height - low[1]]


def spread(values: ArrayLike, owned: Integers) -> Array:
    """Values of places [n] over the pixels they own [height, width], NaN where nobody does."""
    values = np.asarray(values, np.float64)
    return np.where(owned >= 0, values[owned], np.nan) if len(values) else np.full(owned.shape, np.nan)


def smoothed(atlas: Atlas, values: Array, most: int = 512) -> Array:
    """Values of places [n] as pixels [height, width]: a grid's as they are, others joined by straight lines."""
    if atlas.grid is not None:
        return spread(values, owners(atlas))
    if len(atlas) < 4 or np.linalg.matrix_rank(atlas.lattice - atlas.lattice[0]) < 2:
        return spread(values, owners(atlas, most))
    window = flat(atlas)
    shape = (min(window.rows, most), min(window.columns, most))
    x, y = (np.linspace(0, count - 1, pixels) for count, pixels in zip((window.rows, window.columns), shape))
    joined = need("scipy.interpolate").LinearNDInterpolator(atlas.lattice, values)
    return np.asarray(joined(*np.meshgrid(x, y[::-1])))


def to_lattice(atlas: Atlas, coordinates: Array) -> Array:
    """Alpha and beta [k, 2] in lattice units [k, 2]."""
    window = flat(atlas)
    low = np.array([window.alpha[0], window.beta[0]])
    width = np.array([window.alpha[1], window.beta[1]]) - low
    return np.asarray((coordinates - low) / width * (np.array([window.rows, window.columns]) - 1))


def owners_on_globe(atlas: Atlas, unit: Array) -> Integers:
    """Which place owns each direction: unit [..., 3] to int64 [...], -1 where nothing was surveyed."""
    if isinstance(atlas.sampling, Globe):
        pixel = need("healpix").vec2pix(atlas.sampling.nside, *np.moveaxis(unit, -1, 0))
        place = np.full(atlas.sampling.count, -1, np.int64)
        place[atlas.lattice[:, 0]] = np.arange(len(atlas))
        return cast("Integers", place[pixel])
    owned = owners(atlas)
    height, width = owned.shape
    alpha, beta, front = atlas.plane.chart(unit)
    spot = to_lattice(atlas, np.stack([alpha, beta], axis=-1)) + 0.5
    share = spot / (atlas.sampling.rows, atlas.sampling.columns)
    inside = front & np.isfinite(share).all(axis=-1) & (share >= 0).all(axis=-1) & (share < 1).all(axis=-1)
    share = np.where(inside[..., None], share, 0)
    x, y = (share[..., 0] * width).astype(np.int64), height - 1 - (share[..., 1] * height).astype(np.int64)
    return np.where(inside, owned[y, x], -1)
