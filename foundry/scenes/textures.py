"""Textures at a large scale: rings of agate about a centre, marble with broad veins, rippled sand."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from foundry.scenes import canvas, palettes
from foundry.scenes.palettes import Inks

FAMILY = "texture"
PROMPT = "a texture of agate, marble or rippled sand"
KINDS = ("agate", "marble", "sand")


def _ramp(inks: Inks, *stops: Tensor) -> Tensor:
    """Inks as stops ``[n, k, 3]`` for `canvas.gradient_map`."""
    return torch.stack([stop.flatten(1) for stop in stops], dim=1)


def _agate(rng: torch.Generator, inks: Inks, side: Tensor, size: int) -> Tensor:
    """Bands of even tones about a core."""
    n = len(inks.index)
    x, y = canvas.grid(size)
    cx, cy = canvas.uniform(rng, n, -0.22, 0.22), canvas.uniform(rng, n, -0.22, 0.22)
    radius = ((x - cx) ** 2 + ((y - cy) * canvas.uniform(rng, n, 1.0, 1.3)) ** 2).sqrt()
    bend = canvas.clouds(rng, n, size, 2, 2) - 0.5
    radius = radius + 0.55 * bend * canvas.smoothstep(0.0, 0.35, radius)
    at = (radius - canvas.uniform(rng, n, 0.08, 0.22)).clamp(min=0) * canvas.uniform(rng, n, 3.8, 5.0)
    cell = at.floor()
    part = canvas.smoothstep(0.78, 1.0, at - cell)
    order = torch.stack([torch.randperm(5, generator=rng) for _ in range(n)])
    paints = [inks.deep, inks.mid, inks.light, inks.accent, inks.deep.lerp(inks.mid, 0.5)]
    table = torch.stack([p.flatten(1) for p in paints], dim=1).gather(1, order[..., None].expand(-1, -1, 3))

    def band(which: Tensor) -> Tensor:
        rows = table[torch.arange(n).view(n, 1, 1), which.long() % 5]
        return rows.permute(0, 3, 1, 2)

    return band(cell) + (band(cell + 1) - band(cell)) * part[:, None]


def _vein(off: Tensor, width: Tensor) -> Tensor:
    """A band of half width ``width`` about the zeros of a field ``off [n, h, w]``, as wide where the field is steep."""
    size = off.shape[-1]
    dy, dx = torch.gradient(off, spacing=2 / size, dim=(1, 2))
    return canvas.smoothstep(width, width * 0.45, off.abs() / (dx * dx + dy * dy + 0.04).sqrt())


def _marble(rng: torch.Generator, inks: Inks, side: Tensor, size: int) -> Tensor:
    """A clouded ground crossed by a few broad veins, one of them of the accent."""
    n = len(inks.index)
    x, y = canvas.rotate(*canvas.grid(size), 0.785 * side + canvas.uniform(rng, n, -0.35, 0.35))
    clouds, bend = canvas.clouds(rng, n, size, 1.6, 2), canvas.clouds(rng, n, size, 1.8, 2) - 0.5
    picture = inks.ground + (inks.either(inks.deep, inks.light) - inks.ground) * clouds[:, None]
    for ink, width, place in ((inks.mid, 0.15, -0.35), (inks.either(inks.light, inks.deep), 0.065, 0.0),
                              (inks.accent, 0.06, 0.4)):  # fmt: skip
        off = (
            y
            - place
            - canvas.uniform(rng, n, -0.25, 0.25)
            + 0.9 * bend
            + 0.2 * torch.sin(x * canvas.uniform(rng, n, 1.5, 2.5) + canvas.uniform(rng, n, 0, 6.28))
        )
        picture = canvas.over(picture, ink, _vein(off, width * (0.8 + 0.5 * canvas.clouds(rng, n, size, 2, 1))))
    return picture


def _sand(rng: torch.Generator, inks: Inks, side: Tensor, size: int) -> Tensor:
    """Ripples seen from above, lit from one side: long waves that lean, branch and fade."""
    n = len(inks.index)
    x, y = canvas.rotate(*canvas.grid(size), canvas.uniform(rng, n, 0.25, 0.75) * side)
    bend = canvas.clouds(rng, n, size, 1.8, 2) - 0.5
    phase = canvas.uniform(rng, n, 9, 13) * (y + 0.55 * bend + 0.08 * torch.sin(3 * x))
    wave = torch.sin(phase + 0.45 * torch.sin(phase))
    swell = canvas.clouds(rng, n, size, 1.4, 1)
    tone = (0.5 + 0.34 * wave + 0.45 * (swell - 0.5)).clamp(0, 1)
    return canvas.gradient_map(_ramp(inks, inks.deep, inks.mid, inks.light), 0.12 + 0.8 * tone)


PAINTERS = (_agate, _marble, _sand)


def draw(rng: torch.Generator, n: int, size: int) -> canvas.Sheet:
    """Paints n textures; attributes: kind, palette."""
    kind, inks, side = (
        canvas.choose(rng, n, len(KINDS), (1.2, 1.0, 1.0)),
        palettes.draw(rng, n),
        palettes.lights(rng, n),
    )
    painted = torch.stack([paint(rng, inks, side, size) for paint in PAINTERS])
    picture = painted[kind, torch.arange(n)]
    attributes = canvas.records(kind=(KINDS, kind), palette=palettes.named(inks))
    return canvas.Sheet(picture.clamp(0, 1), attributes)


PHRASES = {
    "agate": ("texture of agate rings in {c}", "slice of agate, {c}", "banded agate stone in {c}, texture"),
    "marble": ("texture of marble with broad veins in {c}", "polished marble texture, {c}", "veined marble in {c}"),
    "sand": ("texture of rippled sand in {c}", "sand ripples seen from above, {c}", "rippled sand texture, {c}"),
}


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """What the texture shows, in varied wording."""
    return words.choice(PHRASES[attributes["kind"]]).format(c=palettes.tones(attributes["palette"], words))
