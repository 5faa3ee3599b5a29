"""Textures at a large scale: marble, wood, labyrinth, cells and woven cloth."""

from __future__ import annotations

import math
import random
from typing import Any

import torch
from torch import Tensor

from foundry.scenes import canvas

FAMILY = "texture"
PROMPT = "a texture of marble, wood or woven cloth"

MARBLE = {
    "white": ((250, 248, 244), (232, 231, 230), (196, 198, 204), (120, 124, 136)),
    "black": ((20, 21, 26), (36, 38, 45), (66, 68, 76), (222, 210, 184)),
    "green": ((18, 58, 48), (34, 92, 74), (82, 140, 112), (214, 228, 206)),
    "pink": ((246, 222, 212), (232, 190, 180), (206, 146, 140), (134, 78, 82)),
    "blue": ((20, 40, 92), (36, 70, 136), (84, 128, 184), (232, 200, 120)),
    "honey": ((252, 228, 176), (240, 194, 116), (206, 142, 66), (128, 72, 32)),
}
WOOD = {
    "oak": ((222, 184, 132), (204, 160, 106), (172, 122, 74)),
    "walnut": ((140, 98, 66), (110, 72, 46), (70, 42, 28)),
    "cherry": ((204, 128, 84), (176, 94, 60), (130, 58, 40)),
    "pine": ((244, 216, 160), (232, 194, 130), (204, 150, 86)),
    "ebony": ((84, 70, 64), (58, 47, 44), (34, 27, 28)),
    "birch": ((248, 234, 212), (236, 216, 188), (212, 182, 148)),
}
PAIRS = {
    "indigo and cream": ((40, 54, 110), (88, 112, 168), (242, 230, 206)),
    "crimson and gold": ((122, 22, 40), (182, 60, 54), (240, 196, 104)),
    "teal and coral": ((14, 92, 100), (70, 150, 148), (246, 142, 112)),
    "forest and sand": ((30, 70, 52), (96, 128, 88), (232, 212, 168)),
    "plum and rose": ((74, 32, 84), (140, 70, 122), (244, 186, 188)),
    "charcoal and ivory": ((42, 44, 52), (112, 110, 112), (244, 238, 224)),
    "ocean and mint": ((18, 66, 118), (46, 130, 160), (186, 234, 212)),
    "rust and sky": ((150, 66, 36), (206, 128, 82), (172, 212, 232)),
}
KINDS = ("marble", "wood", "labyrinth", "cells", "woven")


def _stops(table: dict[str, Any], index: Tensor) -> Tensor:
    """Gradient stops ``[n, k, 3]`` of the named palettes chosen by ``index``."""
    return torch.tensor(list(table.values()), dtype=torch.float32)[index] / 255


def _marble(rng: torch.Generator, n: int, size: int, index: Tensor) -> Tensor:
    """Clouds crossed by two families of soft veins."""
    x, y = canvas.rotate(*canvas.grid(size), canvas.uniform(rng, n, 0, math.pi))
    clouds = canvas.fbm(rng, n, size, 2, 3)
    bend = canvas.fbm(rng, n, size, 3, 2)
    phase = x * canvas.uniform(rng, n, 1.5, 3) + canvas.uniform(rng, n, 3, 6) * clouds + 1.5 * bend
    wide = 1 - torch.sin(phase).abs()
    fine = 1 - torch.sin(0.8 * phase + 2.5 * y + 4 * bend).abs()
    veins = canvas.smoothstep(0.55, 1.05, wide) * (0.4 + 0.7 * bend)
    veins = veins + 0.4 * canvas.smoothstep(0.7, 1.05, fine) * clouds
    return canvas.gradient_map(_stops(MARBLE, index), 0.45 * clouds * clouds + 0.25 * wide * bend + 0.75 * veins)


def _wood(rng: torch.Generator, n: int, size: int, index: Tensor) -> Tensor:
    """Grain lines as the level lines of a slope with a knot or two in it."""
    upright = canvas.choose(rng, n, 2).view(n, 1, 1) * math.pi / 2
    x, y = canvas.rotate(*canvas.grid(size), canvas.uniform(rng, n, -0.25, 0.25) + upright)
    height = y * canvas.uniform(rng, n, 1.6, 3) + 0.9 * canvas.noise(rng, n, size, 2)
    for _ in range(2):
        cx, cy, amount = (canvas.uniform(rng, n, *span) for span in ((-0.9, 0.9), (-0.8, 0.8), (-1.5, 2.2)))
        height = height + amount.clamp(min=0) * torch.exp(-((x - cx) ** 2) * 5 - (y - cy) ** 2 * 14)
    turn = height * canvas.uniform(rng, n, 0.9, 1.7)
    saw = turn - turn.floor()
    ring = canvas.smoothstep(0.0, 0.8, saw) * (1 - canvas.smoothstep(0.84, 1.0, saw))
    tone = canvas.noise(rng, n, size, 3)
    return canvas.gradient_map(_stops(WOOD, index), 0.75 * ring + 0.3 * tone) * (0.92 + 0.12 * tone)[:, None]


def _lit(height: Tensor, strength: float) -> Tensor:
    """Light from the upper left on a height field, about 1."""
    size = height.shape[-1]
    dy, dx = torch.gradient(height, dim=(1, 2))
    return (1 - strength * (dx + dy) * size / 128).clamp(0.75, 1.25)


def _labyrinth(rng: torch.Generator, n: int, size: int, index: Tensor) -> Tensor:
    """Winding bands: plane waves of one wavelength in all directions, bent by noise, pressed to two levels."""
    x, y = canvas.grid(size)
    x = x + 0.5 * canvas.noise(rng, n, size, 3)
    y = y + 0.5 * canvas.noise(rng, n, size, 3)
    pitch = canvas.uniform(rng, n, 9, 14)
    total = torch.zeros(n, size, size)
    for wave in range(9):
        angle, phase = math.pi / 9 * canvas.uniform(rng, n, wave, wave + 1), canvas.uniform(rng, n, 0, 2 * math.pi)
        total = total + torch.cos(pitch * (x * torch.cos(angle) + y * torch.sin(angle)) + phase)
    level = torch.sigmoid(total * 1.3 + canvas.uniform(rng, n, -0.9, 0.9))
    return canvas.gradient_map(_stops(PAIRS, index), level) * _lit(level, 0.8)[:, None]


def _cells(rng: torch.Generator, n: int, size: int, index: Tensor) -> Tensor:
    """Voronoi cells, each a pillow of its own tone, with soft dark joints."""
    x, y = canvas.grid(size)
    side = 5
    pitch = canvas.uniform(rng, n, 0.45, 0.75)
    first = torch.full((n, size, size), 9.0)
    second, tone = first.clone(), torch.zeros(n, size, size)
    for cell in range(side * side):
        cx = (cell % side - side // 2 + canvas.uniform(rng, n, -0.42, 0.42)) * pitch
        cy = (cell // side - side // 2 + canvas.uniform(rng, n, -0.42, 0.42)) * pitch
        far = (x - cx) ** 2 + (y - cy) ** 2
        near = far < first
        second = torch.where(near, first, torch.minimum(second, far))
        tone = torch.where(near, canvas.uniform(rng, n, 0, 1), tone)
        first = torch.minimum(first, far)
    first, second = first.sqrt(), second.sqrt()
    gap = (second - first) / pitch
    pillow = canvas.smoothstep(0.0, 0.35, gap)
    colour = canvas.gradient_map(_stops(PAIRS, index), 0.08 + 0.84 * tone + 0.15 * (pillow - 0.5))
    return colour * (0.35 + 0.65 * canvas.smoothstep(0.02, 0.16, gap))[:, None] * _lit(pillow, 1.2)[:, None]


def _woven(rng: torch.Generator, n: int, size: int, index: Tensor) -> Tensor:
    """Warp and weft passing over and under, plain or twill, some threads in a third colour."""
    x, y = canvas.rotate(*canvas.grid(size), canvas.uniform(rng, n, -0.8, 0.8))
    count = canvas.uniform(rng, n, 1.7, 3.2)
    u, v = x * count + canvas.noise(rng, n, size, 2) * 0.4, y * count + canvas.noise(rng, n, size, 2) * 0.4
    i, j = u.floor(), v.floor()
    period = torch.where(canvas.uniform(rng, n, 0, 1) < 0.6, 2.0, 4.0)
    above = ((i + j).remainder(period) < period / 2).float()
    across, along = torch.where(above > 0, u - i, v - j) - 0.5, torch.where(above > 0, v - j, u - i) - 0.5
    light = (1 - 2.2 * across**2) * (1.04 - 0.7 * along**2)
    stops = _stops(PAIRS, index).permute(1, 0, 2)[..., None, None]
    accent = ((torch.where(above > 0, i, j)).remainder(4) == canvas.choose(rng, n, 6).view(n, 1, 1)).float()
    colour = canvas.over(stops[0].expand(-1, -1, size, size), stops[2], above)
    return canvas.over(colour, stops[1], accent) * (0.35 + 0.72 * light)[:, None]


PAINTERS = (_marble, _wood, _labyrinth, _cells, _woven)
TABLES: tuple[dict[str, Any], ...] = (MARBLE, WOOD, PAIRS, PAIRS, PAIRS)


def draw(rng: torch.Generator, n: int, size: int) -> canvas.Sheet:
    """Paints n textures; attributes: kind and colour."""
    kinds = canvas.choose(rng, n, len(KINDS), (1.2, 1.1, 0.8, 0.9, 1.0))
    pictures = torch.zeros(n, 3, size, size)
    attributes: list[dict[str, Any]] = [{} for _ in range(n)]
    for kind, (name, paint, table) in enumerate(zip(KINDS, PAINTERS, TABLES, strict=True)):
        rows = (kinds == kind).nonzero().flatten()
        if not len(rows):
            continue
        index = canvas.choose(rng, len(rows), len(table))
        pictures[rows] = paint(rng, len(rows), size, index).clamp(0, 1)
        for row, pick in zip(rows.tolist(), index.tolist(), strict=True):
            attributes[row] = {"kind": name, "colour": list(table)[pick]}
    return canvas.Sheet(pictures, attributes)


PHRASES = {
    "marble": ("texture of {c} marble with soft veins", "polished {c} marble texture", "{c} marble stone, textures"),
    "wood": (
        "texture of {c} wood grain",
        "plank of {c} wood, natural textures",
        "{c} wood with flowing grain, texture",
    ),
    "labyrinth": ("labyrinth texture in {c}", "winding maze of bands in {c}, organic textures"),
    "cells": ("texture of rounded cells in {c}", "colorful mosaic of cells, {c} texture"),
    "woven": ("woven cloth texture in {c}", "texture of woven threads in {c}", "a woven fabric of {c}, textures"),
}


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """What the texture shows, in varied wording."""
    return words.choice(PHRASES[attributes["kind"]]).format(c=attributes["colour"])
