"""Cratered moons: whole globes, limbs close up and plains, a few large craters under raking light."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from foundry.scenes import canvas, palettes
from foundry.scenes.canvas import Sheet, inside, smoothstep, uniform

FAMILY = "cratered moon"
PROMPT = "cratered moon surface"
CRATERS = 7
VIEWS = ("whole", "limb", "surface")


def _place(rng: torch.Generator, n: int) -> dict[str, Tensor]:
    """Composition and light: a whole globe, a limb that crosses the frame from below, or a plain that fills it."""
    view = canvas.choose(rng, n, 3, [0.55, 0.33, 0.12]).view(n, 1, 1)
    t, heading = uniform(rng, n, 0, 1), uniform(rng, n, 1.0, 2.14)  # the limb's centre lies below the frame
    radius = torch.where(view == 0, 0.56 + 0.2 * t, torch.where(view == 1, 1.0 + 0.7 * t, 3.5 + t))
    gap = torch.where(view == 0, 0.12 * uniform(rng, n, 0, 1), torch.where(view == 1, radius - 0.1 - 0.3 * t, 0.4))
    side = palettes.lights(rng, n)
    turn = torch.where(view == 0, uniform(rng, n, 0.55, 1.55), uniform(rng, n, 0.75, 1.15))
    bearing = uniform(rng, n, -0.85, -0.35)  # above the horizontal, y being downwards
    return {
        "view": view, "radius": radius, "cx": gap * torch.cos(heading), "cy": gap * torch.sin(heading), "turn": turn,
        "side": side, "lx": torch.sin(turn) * torch.cos(bearing) * side, "ly": torch.sin(turn) * torch.sin(bearing),
        "lz": torch.cos(turn),
    }  # fmt: skip


def _spots(rng: torch.Generator, n: int, at: dict[str, Tensor], reach: Tensor) -> tuple[Tensor, Tensor]:
    """Centres of craters ``[n, CRATERS, 3]`` on the globe and in the frame, and which of them found a free place."""
    centres, free, tries = torch.zeros(n, 0, 3), torch.zeros(n, 0, dtype=torch.bool), 40
    for i in range(CRATERS):
        spots = torch.rand(n, tries, 2, generator=rng) * 1.7 - 0.85
        uv = (spots - torch.cat([at["cx"], at["cy"]], dim=2)) / at["radius"]
        good = uv.square().sum(2) < 0.72
        uv = uv / (uv.square().sum(2, keepdim=True).sqrt() / 0.88).clamp(min=1)
        points = torch.cat([uv, (1 - uv.square().sum(2, keepdim=True)).sqrt()], dim=2)
        for j in range(i):
            far = (points - centres[:, j : j + 1]).norm(dim=2) > (reach[:, i] + reach[:, j]) * 1.2
            good &= far | ~free[:, j : j + 1]
        best = good.float().argmax(1)
        centres = torch.cat([centres, points[torch.arange(n), best][:, None]], dim=1)
        free = torch.cat([free, good.any(1, keepdim=True)], dim=1)
    return centres, free


def _craters(
    rng: torch.Generator, globe: tuple[Tensor, Tensor, Tensor], facing: Tensor, at: dict[str, Tensor], count: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Slope towards the sun and change of tone that the craters add, and how many there are."""
    n, _, size = facing.shape
    slope, tone = torch.zeros_like(facing), torch.zeros_like(facing)
    span = (at["radius"].clamp(max=1.15) / at["radius"])[..., 0]
    sizes = torch.tensor((0.4, 0.3, 0.24, 0.2, 0.17, 0.15, 0.14))
    reach = (sizes * (0.85 + 0.35 * torch.rand(n, CRATERS, generator=rng)) * span)[..., None]
    centres, free = _spots(rng, n, at, reach)
    there = free & (torch.arange(CRATERS) < count.view(n, 1))
    dots = (centres @ torch.stack(globe, dim=1).flatten(2)).view(n, CRATERS, size, size)
    sun = torch.cat([at["lx"], at["ly"], at["lz"]], dim=2)
    for i in range(CRATERS):
        wide = reach[:, i : i + 1] * there[:, i].view(n, 1, 1) + 1e-4
        near = dots[:, i].mul(-2).add_(2).clamp_(min=1e-8).sqrt_()
        t = near / wide
        away = (facing - (centres[:, i : i + 1] * sun).sum(2, keepdim=True)).div_(near)
        # A bowl whose wall steepens up to the rim (t = 1), then a gentle outer flank.
        bowl = smoothstep(1.12, 0.86, t)
        flank = smoothstep(0.95, 1.15, t) * (1.6 - t).clamp_(min=0)
        slope = slope + (0.8 * flank - 1.25 * t**3 * bowl) * away
        tone = tone - 0.12 * bowl
    return slope, tone, there.sum(1)


def _surface(rng: torch.Generator, n: int, size: int, at: dict[str, Tensor], count: Tensor) -> tuple[Tensor, ...]:
    """The lit globe in 0..1, where it is, and how many craters found a place."""
    x, y = canvas.grid(size)
    u, v = (x - at["cx"]) / at["radius"], (y - at["cy"]) / at["radius"]
    square = u * u + v * v
    globe = (u, v, (1 - square).clamp(min=0).sqrt())
    facing = u * at["lx"] + v * at["ly"] + globe[2] * at["lz"]
    slope, tone, placed = _craters(rng, globe, facing, at, count)
    plains = smoothstep(0.45, 0.7, canvas.clouds(rng, n, size, 1.6, 1)) * uniform(rng, n, 0.05, 0.28)
    day = smoothstep(-0.02, 0.3, facing)
    light = (facing.clamp(min=0) ** 0.75 + 0.72 * slope * day).clamp(min=0)
    lit = 1.35 * light * (0.94 - plains + tone)
    return lit / (1 + lit**3) ** (1 / 3), inside((square.sqrt() - 1) * at["radius"], size, 1.5), placed


def draw(rng: torch.Generator, n: int, size: int) -> Sheet:
    """n cratered moons; attributes: view, light, phase, craters, palette and whether it is grey."""
    at, inks = _place(rng, n), palettes.draw(rng, n)
    grey = uniform(rng, n, 0, 1).flatten() < 0.5
    count = canvas.choose(rng, n, 5) + 3
    tone, where, count = _surface(rng, n, size, at, count)
    black = torch.full((1, 3, 1, 1), 0.012)
    picture = torch.where(grey.view(n, 1, 1, 1), black, palettes.backdrop(inks, at["side"], size))
    ramp = palettes.photographed(inks.ramp(inks.mid), grey)
    picture = canvas.over(picture, canvas.gradient_map(ramp, tone), where)
    attributes = canvas.records(
        view=(VIEWS, at["view"]), light=(palettes.SIDES, (at["side"] + 1) / 2),
        crescent=((False, True), at["turn"] > 1.3),
        raking=((False, True), at["turn"] > 0.95), craters=(range(CRATERS + 1), count), palette=palettes.named(inks),
        grey=((False, True), grey),
    )  # fmt: skip
    return Sheet(picture.clamp(0, 1), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """A phrase true of the picture."""
    view = attributes["view"]
    heads = {
        "whole": ["cratered moon", "moon covered in craters", "icy moon like enceladus", "cratered moon in space"],
        "limb": ["limb of a cratered moon", "cratered moon close up", "curved horizon of a cratered moon"],
        "surface": ["cratered moon surface", "craters on a moon from orbit", "lunar surface with craters"],
    }
    head = heads[view]
    if view == "whole" and attributes["crescent"]:
        head = ["crescent moon with craters", "cratered moon crescent"]
    lights = [f"lit from the {attributes['light']}"]
    lights += ["raking light", "long shadows"] if attributes["raking"] else ["bright sunlight"]
    extras = [words.choice(lights)]
    if attributes["craters"] > 5:
        extras.append(words.choice(["many craters", "crowded craters"]))
    elif attributes["craters"] < 4:
        extras.append("few craters")
    if view != "surface" and attributes["grey"]:
        extras.append(words.choice(["black sky", "vast space background", "dark space"]))
    tone = words.choice([" in greyscale", " in greyscale", ", grey", ", black and white"])
    if not attributes["grey"]:
        tone = f" in {palettes.tones(attributes['palette'], words)}"
    return canvas.phrase(words.choice(head) + tone, words.sample(extras, words.randint(1, min(2, len(extras)))), 14)
