"""How sharp a world's rifts are: a survey of a plane, and zooms into its strongest rift.

The plane is ``z0 + a (z1 - z0) + b (z2 - z0)``, renormalised to the shell. A rate is the distance of unit CLIP features
over the distance of latents; the field is the length of the two neighbour rates of a point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

Eye = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Zoom:
    """One scale: the width of its window in plane units, and its largest rate over the survey's median."""

    width: float
    largest: float


def vertices(shape: tuple[int, ...], seeds: tuple[int, int, int]) -> Tensor:
    """Three starts ``[3, *shape]`` in float64 from float32 draws."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in seeds]).double()


def window(z: Tensor, centre: tuple[float, float], width: float, side: int) -> Tensor:
    """Latents ``[side, side, *shape]`` in float64 of a square window of the plane, on the shell."""
    steps = torch.linspace(-0.5, 0.5, side, dtype=torch.float64) * width
    a, b = torch.meshgrid(centre[0] + steps, centre[1] + steps, indexing="ij")
    flat = z.flatten(1)
    points = flat[0] + a[..., None] * (flat[1] - flat[0]) + b[..., None] * (flat[2] - flat[0])
    points = points / points.norm(dim=-1, keepdim=True) * math.sqrt(flat.shape[1])
    return points.view(side, side, *z.shape[1:])


def field(latents: Tensor, eye: Eye) -> Tensor:
    """Rates ``[side - 1, side - 1]`` of a window; ``eye`` turns latents ``[n, ...]`` into unit features ``[n, k]``."""
    side = latents.shape[0]
    features = eye(latents.flatten(0, 1).float()).double().view(side, side, -1)
    flat = latents.flatten(2)
    down = (features[1:] - features[:-1]).norm(dim=-1) / (flat[1:] - flat[:-1]).norm(dim=-1)
    right = (features[:, 1:] - features[:, :-1]).norm(dim=-1) / (flat[:, 1:] - flat[:, :-1]).norm(dim=-1)
    return (down[:, :-1] ** 2 + right[:-1] ** 2).sqrt()


def survey(eye: Eye, shape: tuple[int, ...], side: int, seeds: tuple[int, int, int]) -> tuple[Tensor, float, float]:
    """The field of the unit square, its 99th percentile over its median, and its median."""
    rates = field(window(vertices(shape, seeds), (0.5, 0.5), 1.0, side), eye)
    median = float(rates.median())
    return rates, float(rates.quantile(0.99)) / median, median


def strongest(rates: Tensor, centre: tuple[float, float], width: float) -> tuple[float, float]:
    """Where in the plane the largest rate of a window lies."""
    side = rates.shape[0] + 1
    row, column = divmod(int(rates.argmax()), rates.shape[1])
    at = [(index + 0.5) / (side - 1) - 0.5 for index in (row, column)]
    return centre[0] + at[0] * width, centre[1] + at[1] * width


def dive(
    eye: Eye, shape: tuple[int, ...], seeds: tuple[int, int, int], rates: Tensor, depth: int, side: int
) -> tuple[list[Zoom], float]:
    """Zooms by ten into the strongest rift of a survey. Also the width at which the largest rate stops growing."""
    z, median = vertices(shape, seeds), float(rates.median())
    centre, width = (0.5, 0.5), 1.0
    zooms = [Zoom(width, float(rates.max()) / median)]
    for _ in range(depth):
        centre, width = strongest(rates, centre, width), width / 10
        rates = field(window(z, centre, width, side), eye)
        zooms.append(Zoom(width, float(rates.max()) / median))
    still = [zoom.width for before, zoom in pairwise(zooms) if zoom.largest < 1.3 * before.largest]
    return zooms, (still[0] if still else zooms[-1].width)
