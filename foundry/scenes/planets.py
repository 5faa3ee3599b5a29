"""Ringed planets in the manner of Cassini: banded globe, broad rings, both shadows, moons, cosmic-ray specks."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from . import canvas
from .canvas import Sheet, inside, smoothstep, uniform

FAMILY = "ringed planet"
PROMPT = "nasa cassini spacecraft image of saturn with intricate rings in greyscale"
MOONS = 4

Vector = tuple[Tensor, Tensor, Tensor]


def _dot(a: Vector, b: Vector) -> Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _ring_steps(rng: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    """Edges ``[k, n, 1, 1]`` in planet radii and the change of opacity at each: 5 broad rings and their gaps."""
    start, reach = uniform(rng, n, 1.18, 1.4), uniform(rng, n, 0.85, 1.35)
    shares = torch.stack([uniform(rng, n, 0.5, 1.5) * s for s in (1.0, 0.9, 1.2, 0.4, 1.0, 0.2, 0.45)])
    edges = torch.cat([torch.zeros(1, n, 1, 1), shares.cumsum(0) / shares.sum(0)]) * reach + start
    spans = [(0.15, 0.4), (0.5, 0.8), (0.8, 1.0), (0.0, 0.12), (0.5, 0.85), (0.0, 0.1), (0.3, 0.7)]
    levels = torch.stack([torch.zeros(n, 1, 1), *(uniform(rng, n, *s) for s in spans), torch.zeros(n, 1, 1)])
    return edges, levels.diff(dim=0)


def _opacity(radius: Tensor, width: Tensor, steps: tuple[Tensor, Tensor]) -> Tensor:
    """Ring opacity at ``radius``, each edge softened over ``width``."""
    total, scaled, sharp = torch.zeros_like(radius), radius / width + 0.5, 1 / width
    for edge, change in zip(*steps, strict=True):
        total.addcmul_(torch.addcmul(scaled, edge, sharp, value=-1).clamp_(0, 1), change)
    return total


def _bands(rng: torch.Generator, latitude: Tensor) -> Tensor:
    """Soft cloud belts, about 0.7..1."""
    n = latitude.shape[0]
    tone = torch.zeros_like(latitude)
    for frequency in (4.0, 8.0, 14.0):
        wave = frequency * uniform(rng, n, 0.7, 1.3) * latitude + uniform(rng, n, 0, 6.28)
        tone += torch.sin(wave) * uniform(rng, n, 0.02, 0.09)
    return 0.86 + tone


def _place(rng: torch.Generator, n: int) -> dict[str, Tensor]:
    """Composition: the whole system, a close globe at the frame's edge, or rings sweeping past."""
    kind = canvas.choose(rng, n, 3, [0.5, 0.3, 0.2]).view(n, 1, 1)
    t = uniform(rng, n, 0, 1)
    radius = torch.where(kind == 0, 0.26 + 0.22 * t, torch.where(kind == 1, 0.5 + 0.4 * t, 0.95 + 0.6 * t))
    away = torch.where(kind == 0, uniform(rng, n, 0, 0.3), radius * uniform(rng, n, 0.75, 1.25))
    heading = uniform(rng, n, 0, 6.2832)
    tilt = uniform(rng, n, -0.6, 0.6)
    opening = uniform(rng, n, 0.15, 0.5) * torch.where(uniform(rng, n, 0, 1) < 0.3, -1.0, 1.0)
    side = torch.where(uniform(rng, n, 0, 1) < 0.5, -1.0, 1.0)
    turn = uniform(rng, n, 0.15, 1.25)  # angle of the sun off the viewer: 0 is full, pi/2 is half lit
    height = -torch.sign(opening) * uniform(rng, n, 0.12, 0.5)
    flat = torch.sqrt(1 - height**2)
    return {
        "kind": kind, "radius": radius, "cx": away * torch.cos(heading), "cy": away * torch.sin(heading),
        "tilt": tilt, "opening": opening, "side": side, "turn": turn,
        "lx": side * torch.sin(turn) * flat, "ly": height, "lz": torch.cos(turn) * flat,
    }  # fmt: skip


def _system(rng: torch.Generator, n: int, size: int, at: dict[str, Tensor]) -> Tensor:
    """Globe and rings with the shadow each casts on the other, grey."""
    x, y = canvas.grid(size)
    u, v = canvas.rotate(x - at["cx"], y - at["cy"], at["tilt"])
    u, v = u / at["radius"], v / at["radius"]
    pixel = 2.0 / size / at["radius"]
    sun, sine, cosine = (at["lx"], at["ly"], at["lz"]), torch.sin(at["opening"]), torch.cos(at["opening"])
    pole = (torch.zeros_like(sine), -cosine, sine)
    steps = _ring_steps(rng, n)

    square = u * u + v * v
    globe: Vector = (u, v, torch.sqrt((1 - square).clamp(min=0)))
    latitude, day = _dot(globe, pole), _dot(globe, sun)
    light = smoothstep(-0.06, 0.12, day) * day.clamp(min=0) ** 0.7 * (0.55 + 0.45 * globe[2].clamp(min=0.02) ** 0.5)
    travel = -latitude / _dot(pole, sun)
    hit = torch.sqrt((square.clamp(max=1) + globe[2] ** 2 + 2 * travel * day + travel**2).clamp(min=0))
    table = _opacity(torch.linspace(0, 3, 769).expand(n, 1, -1), torch.tensor(0.06), steps).flatten(1)
    cast = table.gather(1, (hit * 256 + 0.5).clamp(0, 768).long().flatten(1)).view_as(hit)
    shade = cast * smoothstep(0.0, 0.04, travel)
    disc = inside((square.sqrt() - 1) * at["radius"], size, 1.3)
    picture = disc * (1.12 * _bands(rng, latitude) * light * (1 - 0.82 * shade) + 0.012)

    depth = v * cosine / sine
    radius = torch.sqrt(square + depth**2)
    footprint = pixel * torch.sqrt(u**2 + (v / sine**2) ** 2) / radius.clamp(min=0.2)
    rings = _opacity(radius, footprint * 1.2 + 0.015, steps)
    along, blur = _dot((u, v, depth), sun), 0.03 + 0.6 * footprint
    miss = torch.sqrt((radius**2 - along**2).clamp(min=0))
    dark = smoothstep(0.05, -0.05, along) * smoothstep(1 + blur, 1 - blur, miss)
    glow = (0.3 + 0.6 * rings) * (0.7 + 0.3 * uniform(rng, n, 0, 1)) * (1 - 0.97 * dark)
    mask = rings * (1 - disc * (depth < 0))
    return picture * (1 - mask * 0.93) + glow * mask


def _moons(rng: torch.Generator, picture: Tensor, at: dict[str, Tensor], counts: Tensor) -> Tensor:
    """Small moons lit as the planet is, each on the darkest of several places tried."""
    n, size, _ = picture.shape
    x, y = canvas.grid(size)
    rows = torch.arange(n)
    lx, ly = canvas.rotate(at["lx"], at["ly"], -at["tilt"])
    coarse = torch.nn.functional.adaptive_avg_pool2d(picture[:, None], 16)[:, 0]
    for i in range(MOONS):
        tries = torch.rand(n, 10, 2, generator=rng) * 0.84 + 0.08
        cell = (tries * 16).long()
        best = coarse[rows[:, None], cell[..., 1], cell[..., 0]].argmin(dim=1)
        spot = tries[rows, best] * 2 - 1
        cx, cy = spot[:, 0].view(n, 1, 1), spot[:, 1].view(n, 1, 1)
        coarse[rows, cell[rows, best, 1], cell[rows, best, 0]] = 2.0
        radius = 0.026 + 0.065 * uniform(rng, n, 0, 1) ** 3
        u, v = (x[:1] - cx) / radius, (y[:, :1] - cy) / radius
        square = u * u + v * v
        day = (1 - square).clamp_(min=0).sqrt_().mul_(at["lz"]) + (u * lx + v * ly)
        mask = inside((square.sqrt() - 1) * radius, size, 1.4) * (counts.view(n, 1, 1) > i)
        picture = picture * (1 - mask) + mask * (0.95 * day.clamp(0, 1) ** 0.6)
    return picture


def draw(rng: torch.Generator, n: int, size: int) -> Sheet:
    """n ringed planets in greyscale."""
    at = _place(rng, n)
    counts = canvas.choose(rng, n, MOONS + 1, [0.25, 0.25, 0.25, 0.15, 0.1])
    specks = canvas.choose(rng, n, 2, [0.6, 0.4])
    picture = _moons(rng, _system(rng, n, size, at), at, counts)
    rays = canvas.dots(rng, n, size, 10, 0.012, 0.022) * specks.view(n, 1, 1)
    picture = torch.maximum(picture, rays) * uniform(rng, n, 0.88, 1.05) + 0.012
    at["across"], _ = canvas.rotate(at["lx"], at["ly"], -at["tilt"])
    flat = {key: value.flatten().tolist() for key, value in at.items()}
    attributes = [
        {
            "family": FAMILY,
            "view": ("whole", "close", "rings")[int(flat["kind"][i])],
            "light": "left" if flat["across"][i] < 0 else "right",
            "sideways": round(abs(flat["across"][i]), 2),
            "phase": round(flat["turn"][i], 2),
            "opening": round(abs(flat["opening"][i]), 2),
            "moons": int(counts[i]),
            "artifacts": bool(specks[i]),
        }
        for i in range(n)
    ]
    return Sheet(canvas.grey(picture), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """A phrase true of the picture, drawing on the vocabulary of spacecraft imaging."""
    rings = ["intricate rings", "rings casting sharp shadows", "broad rings", "intricate rings casting sharp shadows"]
    heads = {
        "whole": ["nasa cassini spacecraft image of saturn", "ringed planet like saturn", "saturn from orbit"],
        "close": ["cassini image of saturn close up", "close ringed planet", "saturn seen from orbit"],
        "rings": ["saturn's limb and rings", "cassini spacecraft view across saturn's rings", "giant ringed planet"],
    }
    lights = ["dramatic lighting from sunlight"] if attributes["phase"] > 0.7 else ["full sunlight"]
    if attributes["sideways"] > 0.35:
        lights += [f"lit from the {attributes['light']}", f"sunlight from the {attributes['light']}"]
    places = ["vast space background", "dark sky", "scientific photography", "realistic colors", "high resolution"]
    extras = [words.choice(lights), words.choice(places)]
    if count := attributes["moons"]:
        number = ["", "a distant moon", "two distant moons", "three distant moons", "four small moons"][count]
        like = "like enceladus" if count == 1 else words.choice(["like enceladus and titan visible", "visible"])
        extras.append(words.choice([number, f"{number} {like}"]))
    if attributes["artifacts"]:
        extras.append(words.choice(["artifacts", "cosmic ray artifacts", "bright specks, artifacts"]))
    words.shuffle(extras)
    link = words.choice([" in greyscale with ", " with ", ", greyscale, "])
    return canvas.phrase(words.choice(heads[attributes["view"]]) + link + words.choice(rings), extras[:2])
