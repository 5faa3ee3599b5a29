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


def dots(rng: torch.Generator, n: int, size: int, count: int, low: float, high: float) -> Tensor:
    """``count`` soft round specks of radius ``low``..``high`` (canvas units), as a grey canvas in 0..1."""
    axis, spots = grid(size)[0][:1], torch.rand(n, 4, count, 1, generator=rng)
    across, down = torch.exp(
        -(((axis - spots[:, :2] * 1.92 + 0.96) / (low + (high - low) * spots[:, 2:3]).clamp(min=1.3 / size)) ** 2)
    ).unbind(1)
    return (down.mT @ (across * (0.35 + 0.65 * spots[:, 3]))).clamp(max=1)


def summits(
    rng: torch.Generator,
    n: int,
    size: int,
    count: int,
    crest: Tensor,
    relief: Tensor,
    shape: tuple[float, float, float],
) -> tuple[Tensor, Tensor, Tensor]:
    """A range of ``count`` peaks, the highest at ``crest``, the others up to ``relief`` lower.

    ``shape`` is the flattest slope, the steepest, and how jagged the line is (0: smoothly rounded, as dunes).
    Returns the skyline ``[n, 1, size]`` and, for `look_up`, the offset from the owning peak's axis and its top's y.
    """
    axis = torch.cat([grid(size)[0][:1], torch.linspace(-TABLE_REACH, TABLE_REACH, 3 * size)[None]], dim=1)[None]
    jagged, round_off = shape[2], 1e-4 if shape[2] else 0.012
    x = axis + sum(0.5 * jagged / f * torch.sin(f * axis + uniform(rng, n, 0, 6.28)) for f in (5.0, 11.0))
    highest = choose(rng, n, count).view(n, 1, 1)
    lines, offsets, tops = [], [], []
    for i in range(count):
        off = x - (-1.15 + 2.3 * (i + uniform(rng, n, 0.1, 0.9)) / count)
        top = crest + relief * torch.where(highest == i, 0.0, uniform(rng, n, 0.15, 1.0))
        lean = uniform(rng, n, -0.2, 0.2)
        lines.append(top + uniform(rng, n, *shape[:2]) * (1 + lean * off.sign()) * (off * off + round_off).sqrt())
        offsets.append(off)
        tops.append(top.expand_as(off))
    wave = sum(torch.sin(f * x + uniform(rng, n, 0, 6.28)).abs() / f for f in (13.0, 27.0)) * jagged
    soft = torch.softmax(-torch.stack(lines) / 0.035, dim=0)
    line = (soft * torch.stack(lines)).sum(0) + wave if not jagged else torch.stack(lines).amin(0) + wave
    offset, top = (soft * torch.stack(offsets)).sum(0), (soft * torch.stack(tops)).sum(0)
    return line[..., :size], offset[:, 0, size:], top[:, 0, size:]


TABLE_REACH = 1.5


def look_up(table: Tensor, x: Tensor) -> Tensor:
    """A row function ``[n, t]`` (from `summits`) at canvas positions ``x [n, h, w]``."""
    at = (x + TABLE_REACH) * ((table.shape[1] - 1) / (2 * TABLE_REACH)) + 0.5
    return table.gather(1, at.clamp(0, table.shape[1] - 1).long().flatten(1)).view_as(x)


def mix(weights: Sequence[Tensor], paints: Sequence[Tensor]) -> Tensor:
    """Sum of ``paints`` (``[n, 3, 1, 1]``) by ``weights`` (``[n, h, w]``): one product instead of many blends."""
    w = torch.stack(list(weights), dim=1)
    return (torch.stack([p.flatten(1) for p in paints], dim=2) @ w.flatten(2)).view(w.shape[0], 3, *w.shape[2:])


def petals(
    radius: Tensor, angle: Tensor, count: Tensor, inner: Tensor, outer: Tensor, width: Tensor, skew: Tensor,
    roundness: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """A ring of ``count`` petals from ``inner`` to ``outer``: signed distance, 0..1 along, and -1..1 across a petal.

    ``skew`` in -0.9..0.9 moves the widest place (positive: to the root); ``roundness`` 0 has pointed tips, 1 round.
    """
    sector = 2 * math.pi / count
    local = angle - torch.round(angle / sector) * sector
    u, v = radius * torch.cos(local), radius * torch.sin(local)
    length = outer - inner
    raw = (u - inner) / length
    t = raw.clamp(0, 1)
    bent = t + skew * t * (1 - t)
    bump = (4 * bent * (1 - bent)).clamp(min=1e-3)
    root = bump.sqrt()
    half = width * (bump + (root - bump) * roundness)
    slope = 4 * (1 - 2 * bent) * (1 + skew * (1 - 2 * t)) * (1 - roundness + roundness / (2 * root)) * width / length
    side = (v.abs() - half) / (1 + slope.clamp(-1.2, 1.2) ** 2).sqrt()
    beyond = ((raw - 0.5).abs() - 0.5) * length
    distance = torch.where(beyond > 0, (v * v + beyond * beyond).sqrt(), torch.maximum(side, beyond))
    return distance, t, (v / half).clamp(-1, 1)


def capsule(x: Tensor, y: Tensor, start: tuple[Any, Any], end: tuple[Any, Any]) -> Tensor:
    """Distance to the segment from ``start`` to ``end`` (numbers or ``[n, 1, 1]``)."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    t = (((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
    return ((x - start[0] - t * dx) ** 2 + (y - start[1] - t * dy) ** 2).sqrt()


def ellipse(x: Tensor, y: Tensor, across: Any, down: Any) -> Tensor:
    """About the signed distance to an ellipse about the origin with half axes ``across`` and ``down``."""
    k = ((x / across) ** 2 + (y / down) ** 2 + 1e-9).sqrt()
    g = ((x / across**2) ** 2 + (y / down**2) ** 2 + 1e-6).sqrt()
    return k * (k - 1) / g


def backdrop(rng: torch.Generator, first: Tensor, second: Tensor, size: int) -> Tensor:
    """A soft gradient at a random angle from ``first`` to ``second`` (``[n, 3, 1, 1]``) with a gentle glow."""
    n = len(first)
    x, y = grid(size)
    along, _ = rotate(x, y, uniform(rng, n, 0.6, 2.5))
    glow = (1 - ((x - uniform(rng, n, -0.5, 0.5)) ** 2 + (y - uniform(rng, n, -0.6, 0.3)) ** 2) / 3).clamp(0, 1)
    base = first + (second - first) * smoothstep(-1.1, 1.1, along)[:, None]
    return (base * (0.82 + 0.22 * glow)[:, None]).clamp(0, 1)


def _cubic(size: int, cells: float, knots: int) -> Tensor:
    """``[size, knots]`` Catmull-Rom weights that stretch a lattice row over the canvas."""
    at = (torch.arange(size, dtype=torch.float32) + 0.5) / size * cells + 1
    d = (at[:, None] - torch.arange(knots, dtype=torch.float32)).abs()
    near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return torch.where(d < 1, near, torch.where(d < 2, far, 0.0))


def clouds(rng: torch.Generator, n: int, size: int, cells: float, octaves: int = 2, wide: float = 1.0) -> Tensor:
    """As `fbm`, by small matrix products and so several times faster; ``wide`` stretches the bumps sideways."""
    total, norm = torch.zeros(n, size, size), 0.0
    for octave in range(octaves):
        tall, broad = cells * 2**octave, cells * 2**octave / wide
        rows, columns = math.ceil(tall) + 4, math.ceil(broad) + 4
        lattice = torch.rand(n, rows, columns, generator=rng)
        part = _cubic(size, tall, rows) @ lattice @ _cubic(size, broad, columns).T
        total.add_(part, alpha=0.5**octave)
        norm += 0.5**octave
    return total.sub_(0.5 * norm).mul_(1.8 / norm).add_(0.5).clamp_(0, 1)


def paints(palettes: dict[str, str], index: Tensor) -> list[Tensor]:
    """Palettes written as ``"rrggbb rrggbb ..."``: each of their colours, for the palettes picked by ``index``."""
    rows = [[tuple(bytes.fromhex(colour)) for colour in text.split()] for text in palettes.values()]
    return [palette(column, index) for column in zip(*rows, strict=True)]


def phrase(head: str, extras: Sequence[str], longest: int = 15) -> str:
    """``head`` and as many ``extras``, in order, as fit in ``longest`` words."""
    for extra in extras:
        if len(f"{head} {extra}".split()) <= longest:
            head = f"{head}, {extra}"
    return head


def records(**columns: tuple[Sequence[Any], Tensor]) -> list[dict[str, Any]]:
    """One dict a picture: under each keyword the value that the picture's index picks, as attributes of a `Sheet`."""
    picked = {key: [values[i] for i in index.flatten().int().tolist()] for key, (values, index) in columns.items()}
    return [dict(zip(picked, row, strict=True)) for row in zip(*picked.values(), strict=True)]
