"""Cratered moons in greyscale: whole globes, crescents, limbs close up and plains, under raking light."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from . import canvas
from .canvas import Sheet, inside, smoothstep, uniform

FAMILY = "cratered moon"
PROMPT = "cratered moon surface in greyscale"
CRATERS = 20
VIEWS = ("whole", "limb", "surface")


def _place(rng: torch.Generator, n: int) -> dict[str, Tensor]:
    """Composition and light: a whole globe, a limb that crosses the frame, or a plain that fills it."""
    view = canvas.choose(rng, n, 3, [0.45, 0.35, 0.2]).view(n, 1, 1)
    t, heading = uniform(rng, n, 0, 1), uniform(rng, n, 0, 6.2832)
    radius = torch.where(view == 0, 0.5 + 0.42 * t, torch.where(view == 1, 1.0 + 1.2 * t, 3.5 + 2 * t))
    gap = torch.where(view == 0, 0.25 * uniform(rng, n, 0, 1), torch.where(view == 1, radius - 0.2 - 0.35 * t, 0.5))
    cx, cy = gap * torch.cos(heading), gap * torch.sin(heading)
    bearing = uniform(rng, n, 0, 6.2832)
    turn = torch.where(view == 0, uniform(rng, n, 0.35, 1.9), uniform(rng, n, 0.75, 1.3))
    # The light of a close view comes roughly from the limb's side, else the frame would be night.
    bearing = torch.where(view == 1, heading + 3.1416 + uniform(rng, n, -1.2, 1.2), bearing)
    return {
        "view": view, "radius": radius, "cx": cx, "cy": cy, "turn": turn,
        "lx": torch.sin(turn) * torch.cos(bearing), "ly": torch.sin(turn) * torch.sin(bearing), "lz": torch.cos(turn),
    }  # fmt: skip


def _crater_spot(rng: torch.Generator, n: int, at: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """A point on the globe that lies in the frame: the first of several tries, as ``[n, 1, 1]`` each."""
    tries = torch.rand(n, 8, 2, generator=rng) * 2.2 - 1.1
    u = (tries[..., 0] - at["cx"][..., 0]) / at["radius"][..., 0]
    v = (tries[..., 1] - at["cy"][..., 0]) / at["radius"][..., 0]
    first = ((u * u + v * v) < 0.92).float().argmax(dim=1, keepdim=True)
    u, v = u.gather(1, first)[..., None], v.gather(1, first)[..., None]
    long = (u * u + v * v).sqrt().clamp(min=0.96) / 0.96
    u, v = u / long, v / long
    return u, v, (1 - u * u - v * v).sqrt()


def _craters(
    rng: torch.Generator, globe: tuple[Tensor, Tensor, Tensor], facing: Tensor, at: dict[str, Tensor], busy: Tensor
) -> tuple[Tensor, Tensor]:
    """Slope towards the sun and change of tone that the craters add, large ones first."""
    n, _, size = facing.shape
    slope, tone = torch.zeros_like(facing), torch.zeros_like(facing)
    span = at["radius"].clamp(max=1.25)
    spots = [_crater_spot(rng, n, at) for _ in range(CRATERS)]
    centres = torch.cat([torch.cat(spot, dim=2) for spot in spots], dim=1)
    dots = (centres @ torch.stack(globe, dim=1).flatten(2)).view(n, CRATERS, size, size)
    for i, (u, v, w) in enumerate(spots):
        reach = (0.1 + 0.36 * uniform(rng, n, 0, 1) ** 2 * (1 - i / CRATERS) ** 1.3) * span / at["radius"]
        reach = reach * (i < busy * CRATERS) + 1e-4
        near = dots[:, i].mul(-2).add_(2).clamp_(min=1e-8).sqrt_()
        t = near / reach
        away = (facing - (u * at["lx"] + v * at["ly"] + w * at["lz"])).div_(near)
        # A bowl whose wall steepens up to the rim (t = 1), then a gentle outer flank.
        bowl = t.mul(-4).add_(4.4).clamp_(0, 1)
        flank = t.mul(4).sub_(4).clamp_(0, 1).mul_((1.65 - t).clamp_(min=0))
        flank.sub_((t * t).mul_(t).mul_(bowl), alpha=1.5)
        slope.addcmul_(slope, bowl, value=-0.8).addcmul_(flank, away)
        tone.addcmul_(tone, bowl, value=-0.5).sub_(bowl, alpha=0.1)
    return slope, tone


def _surface(rng: torch.Generator, n: int, size: int, at: dict[str, Tensor], busy: Tensor) -> Tensor:
    """The lit globe on a black sky, grey."""
    x, y = canvas.grid(size)
    u, v = (x - at["cx"]) / at["radius"], (y - at["cy"]) / at["radius"]
    square = u * u + v * v
    globe = (u, v, (1 - square).clamp(min=0).sqrt())
    facing = u * at["lx"] + v * at["ly"] + globe[2] * at["lz"]
    slope, tone = _craters(rng, globe, facing, at, busy)
    plains = smoothstep(0.45, 0.62, canvas.clouds(rng, n, size, 2, 3)) * uniform(rng, n, 0.0, 0.3)
    swell = (canvas.clouds(rng, n, size, 5, 2) - 0.5) * 0.22
    day = smoothstep(-0.02, 0.25, facing)
    light = (facing.clamp(min=0) ** 0.8 + (0.78 * slope + swell) * day).clamp(min=0)
    albedo = uniform(rng, n, 0.72, 1.0) * (0.95 - plains + tone)
    lit = 1.12 * light * albedo
    lit = lit / (1 + lit**3) ** (1 / 3)
    return lit * inside((square.sqrt() - 1) * at["radius"], size, 1.3)


def draw(rng: torch.Generator, n: int, size: int) -> Sheet:
    """n cratered moons in greyscale."""
    at = _place(rng, n)
    busy = uniform(rng, n, 0.3, 1.0)
    picture = _surface(rng, n, size, at, busy) + 0.01
    flat = {key: value.flatten().tolist() for key, value in at.items()}
    attributes = []
    for i in range(n):
        lx, ly = flat["lx"][i], flat["ly"][i]
        side = ("left" if lx < 0 else "right") if abs(lx) > abs(ly) else ("above" if ly < 0 else "below")
        attributes.append({
            "family": FAMILY,
            "view": VIEWS[int(flat["view"][i])],
            "light": side,
            "phase": round(flat["turn"][i], 2),
            "craters": int(busy[i] * CRATERS),
        })  # fmt: skip
    return Sheet(canvas.grey(picture), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """A phrase true of the picture."""
    view, phase, side = attributes["view"], attributes["phase"], attributes["light"]
    heads = {
        "whole": ["cratered moon", "moon covered in craters", "icy moon like enceladus", "cratered moon in space"],
        "limb": ["limb of a cratered moon", "cratered moon close up", "curved horizon of a cratered moon"],
        "surface": ["cratered moon surface", "craters on a moon from orbit", "lunar surface with craters"],
    }
    head = heads[view]
    if view == "whole" and phase > 1.6:
        head = ["crescent moon with craters", "cratered moon crescent"]
    lights = [f"lit from {'' if side in ('above', 'below') else 'the '}{side}"]
    lights += ["raking light", "long shadows"] if phase > 0.9 else ["bright sunlight"]
    extras = [words.choice(lights)]
    if attributes["craters"] > 12:
        extras.append(words.choice(["many craters", "crowded craters"]))
    elif attributes["craters"] < 9:
        extras.append("few craters")
    if view != "surface":
        extras.append(words.choice(["black sky", "vast space background", "dark space"]))
    link = words.choice([" in greyscale", " in greyscale", ", grey", ", black and white"])
    return canvas.phrase(words.choice(head) + link, words.sample(extras, words.randint(1, min(2, len(extras)))), 14)
