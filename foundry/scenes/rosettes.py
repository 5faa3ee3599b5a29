"""Rosettes and ornaments: rings of petals, beads and filigree bands about a centre, alone or as a tiling."""

from __future__ import annotations

import math
import random
from typing import Any

import torch
from torch import Tensor

from foundry.scenes import canvas

FAMILY = "ornament"
PROMPT = "a symmetric ornament, rosette with filigree"

# Background, three petal colours, metal.
PALETTES = {
    "sapphire": ((16, 26, 66), (34, 74, 158), (92, 152, 220), (196, 226, 246), (232, 190, 104)),
    "ruby": ((54, 10, 26), (150, 24, 48), (218, 78, 78), (250, 196, 176), (240, 196, 112)),
    "emerald": ((8, 44, 42), (16, 104, 84), (76, 172, 124), (214, 238, 190), (226, 186, 96)),
    "amethyst": ((40, 18, 66), (98, 52, 148), (166, 112, 206), (236, 206, 242), (222, 186, 140)),
    "turquoise": ((242, 232, 210), (16, 116, 134), (64, 184, 182), (196, 92, 60), (150, 92, 44)),
    "terracotta": ((250, 238, 216), (176, 76, 44), (226, 142, 82), (46, 88, 104), (104, 52, 40)),
    "rose": ((252, 234, 228), (190, 66, 104), (236, 140, 154), (124, 160, 120), (166, 110, 62)),
    "peacock": ((14, 34, 56), (6, 104, 118), (60, 168, 108), (244, 206, 92), (208, 144, 60)),
    "sunset": ((58, 22, 60), (196, 56, 82), (244, 132, 76), (254, 214, 130), (252, 190, 96)),
    "ivory": ((38, 40, 52), (196, 182, 154), (232, 222, 198), (252, 246, 232), (202, 154, 82)),
}
SHAPES = ("single", "close", "tiling")


def _place(rng: torch.Generator, n: int, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The layout of each picture, its folded x and y in rosette units, and pixels a unit (relative to the frame)."""
    x, y = canvas.grid(size)
    shape = canvas.choose(rng, n, len(SHAPES), (5.0, 3.5, 0.8))
    tiled, close = (shape == 2).view(n, 1, 1), (shape == 1).view(n, 1, 1)
    scale = canvas.uniform(rng, n, 0.9, 1.25)
    scale = torch.where(tiled, scale * 0.78, torch.where(close, scale * 1.7, scale))
    reach = torch.where(close, 0.75, 0.08)
    px = (x - canvas.uniform(rng, n, -1, 1) * reach) / scale
    py = (y - canvas.uniform(rng, n, -1, 1) * reach) / scale
    fx, fy = px - 2 * torch.round(px / 2), py - 2 * torch.round(py / 2)
    return shape, torch.where(tiled, fx, px), torch.where(tiled, fy, py), scale


def _petal_ring(rng: torch.Generator, base: Tensor, polar: tuple[Tensor, Tensor], count: Tensor, outer: Tensor,
                colours: Tensor, scale: Tensor, size: int) -> Tensor:  # fmt: skip
    """One ring of shaded, metal-rimmed petals over ``base``; ``colours [n, 3, 3]``: body, tip, metal."""
    radius, angle = polar
    n = len(base)
    body, tip, metal = (colours[:, i].view(n, 3, 1, 1) for i in range(3))
    inner = outer * canvas.uniform(rng, n, 0.05, 0.4)
    width = outer * torch.sin(math.pi / count).clamp(max=0.5) * canvas.uniform(rng, n, 0.5, 0.95)
    distance, along, across = canvas.petals(
        radius, angle, count, inner, outer, width, canvas.uniform(rng, n, -0.6, 0.4), canvas.uniform(rng, n, 0.1, 1)
    )
    rim = canvas.uniform(rng, n, 0.022, 0.04)
    fill = body + (tip - body) * canvas.smoothstep(0.1, 1.0, along)[:, None]
    fill = fill * (1.08 - 0.3 * across * across + 0.08 * across)[:, None]
    base = base * (1 - 0.25 * canvas.smoothstep(0.06, 0.0, distance))[:, None]
    base = canvas.over(base, metal, canvas.inside(distance * scale, size, 1.6))
    return canvas.over(base, fill, canvas.inside((distance + rim) * scale, size, 1.6))


def _filigree(rng: torch.Generator, base: Tensor, polar: tuple[Tensor, Tensor], count: Tensor, middle: Tensor,
              metal: Tensor, scale: Tensor, size: int) -> Tensor:  # fmt: skip
    """Two interlaced wavy bands of metal about ``middle``, with beads in their eyes."""
    radius, angle = polar
    n = len(base)
    swing = canvas.uniform(rng, n, 0.05, 0.09)
    wave = torch.cos(angle * count) * swing
    slope = (1 + (swing * count / middle) ** 2 * 0.6).sqrt()
    off = radius - middle
    band = torch.minimum((off - wave).abs(), (off + wave).abs()) / slope - 0.02
    base = canvas.over(base, metal, canvas.inside(band * scale, size))
    sector = math.pi / count
    local = angle - torch.round(angle / sector) * sector
    bead = ((radius * torch.cos(local) - middle) ** 2 + (radius * torch.sin(local)) ** 2).sqrt()
    return canvas.over(base, metal * 1.15, canvas.inside((bead - 0.4 * swing) * scale, size))


def _disc(base: Tensor, radius: Tensor, edge: Tensor, fill: Tensor, metal: Tensor, scale: Tensor, size: int) -> Tensor:
    """A domed disc with a metal rim."""
    base = canvas.over(base, metal, canvas.inside((radius - edge) * scale, size))
    dome = 1.12 - 0.35 * (radius / edge).clamp(max=1) ** 2
    return canvas.over(base, fill * dome[:, None], canvas.inside((radius - edge + 0.035) * scale, size))


def draw(rng: torch.Generator, n: int, size: int) -> canvas.Sheet:
    """Paints n ornaments; attributes: palette, folds, layout (single, close, tiling), filigree, rings."""
    shape, x, y, scale = _place(rng, n, size)
    pick = canvas.choose(rng, n, len(PALETTES))
    table = torch.tensor(list(PALETTES.values()), dtype=torch.float32)[pick] / 255
    ground, first, second, third, metal = (table[:, i].view(n, 3, 1, 1) for i in range(5))
    folds = canvas.choose(rng, n, 9, (5.0, 6, 6, 4, 3, 1, 1, 0.5, 0.5)) + 4
    folds = torch.where(shape == 2, 4 + 4 * (folds > 7).long(), folds)
    count = folds.view(n, 1, 1).float()
    spin = canvas.uniform(rng, n, -0.5, 0.5).clamp(min=0) * (shape != 2).view(n, 1, 1)
    radius, angle = (x * x + y * y + 1e-6).sqrt(), torch.atan2(y, x) - math.pi / 2 + spin
    turn = math.pi / count

    picture = ground * (1.15 - 0.25 * canvas.smoothstep(0.2, 1.5, radius))[:, None]
    plate = canvas.uniform(rng, n, 0, 1) < 0.5
    disc = _disc(picture, radius, torch.tensor(0.96), ground * 0.5 + first * 0.5, metal, scale, size)
    picture = torch.where(plate[:, None], disc, picture)
    edges = (canvas.uniform(rng, n, 0.86, 0.94), canvas.uniform(rng, n, 0.62, 0.8), canvas.uniform(rng, n, 0.42, 0.54))
    inks = (first, second, third)
    shuffle = canvas.choose(rng, n, 3).view(n, 1, 1, 1)
    for ring, outer in enumerate(edges):
        ink, after = (sum(inks[(ring + s + k) % 3] * (shuffle == s) for s in range(3)) for k in range(2))
        colours = torch.stack(
            [c.flatten(1) for c in (ink * 0.74, ink + (after - ink) * 0.25, metal * 0.65 + ink * 0.35)], 1
        )
        picture = _petal_ring(rng, picture, (radius, angle + ring % 2 * turn), count, outer, colours, scale, size)
    filigree = (canvas.uniform(rng, n, 0, 1) < 0.25) & (count < 9)
    laced = _filigree(rng, picture, (radius, angle), count, canvas.uniform(rng, n, 0.55, 0.85), metal, scale, size)
    picture = torch.where(filigree[:, None], laced, picture)
    picture = _disc(picture, radius, canvas.uniform(rng, n, 0.12, 0.24), third, metal, scale, size)
    corner = ((x.abs() - 1) ** 2 + (y.abs() - 1) ** 2).sqrt() + 9.0 * (shape != 2).view(n, 1, 1)
    for edge, fill in ((0.4, first), (0.26, second), (0.12, third)):
        picture = _disc(picture, corner, torch.tensor(edge), fill, metal, scale, size)
    attributes = canvas.records(
        palette=(list(PALETTES), pick), folds=(range(13), folds), layout=(SHAPES, shape),
        filigree=((False, True), filigree), plate=((False, True), plate),
    )  # fmt: skip
    return canvas.Sheet(picture.clamp(0, 1), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """What the ornament shows, in varied wording."""
    starts = {
        "single": (
            "symmetric rosette in {c} tones",
            "{c} ornament with {k} petals a ring",
            "colorful {k}-fold rosette in {c}",
        ),
        "close": ("close view of a large {c} rosette", "symmetric {c} ornament, detail", "large colorful {c} rosette"),
        "tiling": ("tiling of {c} ornaments and discs", "colorful {c} ornaments, symmetric tiles"),
    }
    laced = (" with filigree", ", interlaced filigree")
    ends = laced if attributes["filigree"] else ("", ", bold petals", ", rings of petals")
    phrase = words.choice(starts[attributes["layout"]]) + words.choice(ends)
    return phrase.format(c=attributes["palette"], k=attributes["folds"])
