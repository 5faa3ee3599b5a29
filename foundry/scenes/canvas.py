"""Shared means of the scenes: coordinate grids, smooth noise, soft masks, palettes. All batched, all seeded.

A canvas is a float32 tensor ``[n, size, size]`` (grey) or ``[n, 3, size, size]`` (colour, linear 0..1).
Coordinates run from -1 (left, top) to 1 (right, bottom), so a scene looks the same at any size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Sheet:
    """Pictures ``[n, 3, size, size]`` in 0..1 and, one a picture, the attributes that a caption may state."""

    pictures: Tensor
    attributes: list[dict[str, Any]]


def grid(size: int) -> tuple[Tensor, Tensor]:
    """x and y of the pixel centres, each ``[size, size]``, in -1..1."""
    axis = (torch.arange(size, dtype=torch.float32) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return x, y


def uniform(rng: torch.Generator, n: int, low: float, high: float) -> Tensor:
    """``[n, 1, 1]`` draws, shaped to broadcast over a canvas."""
    return (torch.rand(n, generator=rng) * (high - low) + low).view(n, 1, 1)


def choose(rng: torch.Generator, n: int, count: int, weights: Sequence[float] | None = None) -> Tensor:
    """``[n]`` integers below ``count``, optionally weighted."""
    p = torch.tensor(weights if weights is not None else [1.0] * count)
    return torch.multinomial(p, n, replacement=True, generator=rng)


def smoothstep(low: float | Tensor, high: float | Tensor, value: Tensor) -> Tensor:
    """0 below low, 1 above high, a smooth cubic between."""
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def inside(distance: Tensor, size: int, softness: float = 1.0) -> Tensor:
    """Anti-aliased mask of a signed distance (negative inside), soft over ``softness`` pixels."""
    width = softness * 2.0 / size
    return (0.5 - distance / width).clamp(0, 1)


def noise(rng: torch.Generator, n: int, size: int, cells: int) -> Tensor:
    """Smooth value noise ``[n, size, size]`` in 0..1 with about ``cells`` bumps along a side."""
    lattice = torch.rand(n, 1, cells + 3, cells + 3, generator=rng)
    big = F.interpolate(lattice, scale_factor=max(2, math.ceil(size / cells)), mode="bicubic", align_corners=False)
    step = big.shape[-1] / (cells + 3)
    start = int(step)
    crop = big[:, 0, start : start + int(step * cells), start : start + int(step * cells)]
    return F.interpolate(crop[:, None], (size, size), mode="bilinear", align_corners=False)[:, 0].clamp(0, 1)


def fbm(rng: torch.Generator, n: int, size: int, cells: int = 3, octaves: int = 4, gain: float = 0.5) -> Tensor:
    """Fractal sum of `noise`, stretched to about 0..1. Keep octaves low: detail finer than 4 pixels is lost."""
    total, amplitude, norm = torch.zeros(n, size, size), 1.0, 0.0
    for octave in range(octaves):
        total = total + amplitude * noise(rng, n, size, cells * 2**octave)
        norm, amplitude = norm + amplitude, amplitude * gain
    return ((total / norm - 0.5) * 1.8 + 0.5).clamp(0, 1)


def palette(colours: Sequence[Sequence[float]], index: Tensor) -> Tensor:
    """Rows of ``colours`` (``[k][3]``, 0..255) by ``index [n]``, as ``[n, 3, 1, 1]`` in 0..1."""
    table = torch.tensor(colours, dtype=torch.float32) / 255
    return table[index].view(-1, 3, 1, 1)


def gradient_map(stops: Tensor, value: Tensor) -> Tensor:
    """Colours a grey canvas: ``stops [n, k, 3]`` in 0..1 spread evenly over ``value [n, h, w]`` in 0..1."""
    n, k, _ = stops.shape
    at = value.clamp(0, 1) * (k - 1)
    low = at.floor().clamp(max=k - 2).long()
    part = (at - low)[:, None]
    rows = torch.arange(n).view(n, 1, 1)
    first, second = stops[rows, low].permute(0, 3, 1, 2), stops[rows, low + 1].permute(0, 3, 1, 2)
    return first + (second - first) * part


def over(base: Tensor, paint: Tensor, mask: Tensor) -> Tensor:
    """``paint`` (colour) over ``base`` (colour) where ``mask [n, h, w]`` is 1."""
    m = mask[:, None]
    return base * (1 - m) + paint * m


def grey(value: Tensor) -> Tensor:
    """A grey canvas as colour."""
    return value.clamp(0, 1)[:, None].expand(-1, 3, -1, -1).contiguous()


def rotate(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates turned by ``angle`` radians (broadcast ``[n, 1, 1]``)."""
    c, s = torch.cos(angle), torch.sin(angle)
    return x * c + y * s, -x * s + y * c


def sheet(pictures: Tensor, columns: int = 8) -> Tensor:
    """Pictures ``[n, 3, h, w]`` laid out in rows: ``[3, H, W]``, for looking at."""
    n, c, h, w = pictures.shape
    rows = math.ceil(n / columns)
    blank = torch.zeros(rows * columns - n, c, h, w, dtype=pictures.dtype)
    laid = torch.cat([pictures, blank]).view(rows, columns, c, h, w)
    return laid.permute(2, 0, 3, 1, 4).reshape(c, rows * h, columns * w)
