"""Ringed planets in the manner of Cassini: a banded globe, broad rings and the shadow each casts on the other."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from foundry.scenes import canvas, palettes
from foundry.scenes.canvas import Sheet, inside, smoothstep, uniform

FAMILY = "ringed planet"
PROMPT = "nasa cassini spacecraft image of saturn with intricate rings"
MOONS = 2
VIEWS = ("whole", "close", "rings")
# Rings from the inside: share of the whole width, and opacity. A share of nothing is a gap.
RINGS = ((0.9, 0.32), (1.25, 0.92), (0.42, 0.0), (1.05, 0.72))

Vector = tuple[Tensor, Tensor, Tensor]


def _dot(a: Vector, b: Vector) -> Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _ring_steps(rng: torch.Generator, n: int) -> tuple[Tensor, Tensor]:
    """Edges ``[k, n, 1, 1]`` in planet radii and the change of opacity at each."""
    start, reach = uniform(rng, n, 1.24, 1.36), uniform(rng, n, 0.86, 1.06)
    shares = torch.stack([uniform(rng, n, 0.85, 1.15) * share for share, _ in RINGS])
    edges = torch.cat([torch.zeros(1, n, 1, 1), shares.cumsum(0) / shares.sum(0)]) * reach + start
    levels = [torch.full((n, 1, 1), level) * uniform(rng, n, 0.9, 1.06) for _, level in RINGS]
    return edges, torch.stack([torch.zeros(n, 1, 1), *levels, torch.zeros(n, 1, 1)]).diff(dim=0)


def _opacity(radius: Tensor, width: Tensor, steps: tuple[Tensor, Tensor]) -> Tensor:
    """Ring opacity at ``radius``, each edge softened over ``width``."""
    total, scaled, sharp = torch.zeros_like(radius), radius / width + 0.5, 1 / width
    for edge, change in zip(*steps, strict=True):
        total.addcmul_(torch.addcmul(scaled, edge, sharp, value=-1).clamp_(0, 1), change)
    return total


def _bands(rng: torch.Generator, latitude: Tensor) -> Tensor:
    """Broad cloud belts, about 0.75..1."""
    n, tone = latitude.shape[0], torch.zeros_like(latitude)
    for frequency in (4.5, 9.0):
        tone += torch.sin(frequency * latitude + uniform(rng, n, 0, 6.28)) * uniform(rng, n, 0.04, 0.09)
    return 0.88 + tone


def _place(rng: torch.Generator, n: int) -> dict[str, Tensor]:
    """Composition: the whole system, a close globe at the frame's edge, or rings that sweep past."""
    kind, t = canvas.choose(rng, n, 3, [0.58, 0.3, 0.12]).view(n, 1, 1), uniform(rng, n, 0, 1)
    radius = torch.where(kind == 0, 0.34 + 0.11 * t, torch.where(kind == 1, 0.5 + 0.18 * t, 0.9 + 0.25 * t))
    away = torch.where(kind == 0, uniform(rng, n, 0, 0.12), radius * uniform(rng, n, 0.55, 0.85))
    # A close globe rises from below, with its rings behind it; rings that sweep past hang from above.
    heading = torch.where(kind == 0, uniform(rng, n, 0, 6.2832), uniform(rng, n, 0.6, 2.54))
    heading = torch.where(kind == 2, -heading, heading)
    side, turn = palettes.lights(rng, n), uniform(rng, n, 0.45, 1.1)  # angle of the sun off the viewer
    height = uniform(rng, n, -0.45, -0.25)
    flat = torch.sqrt(1 - height**2)
    return {
        "kind": kind, "radius": radius, "cx": away * torch.cos(heading), "cy": away * torch.sin(heading),
        "tilt": uniform(rng, n, -0.45, 0.45) * torch.where(kind == 2, 0.5, 1.0),
        "opening": uniform(rng, n, 0.26, 0.58), "side": side, "turn": turn,
        "lx": side * torch.sin(turn) * flat, "ly": height, "lz": torch.cos(turn) * flat,
    }  # fmt: skip


def _system(rng: torch.Generator, n: int, size: int, at: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """Tone of the globe and of the rings with the shadow each casts on the other, and where each is."""
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
    light = smoothstep(-0.06, 0.16, day) * day.clamp(min=0) ** 0.6 * (0.6 + 0.4 * globe[2].clamp(min=0.02) ** 0.5)
    travel = -latitude / _dot(pole, sun)
    hit = torch.sqrt((square.clamp(max=1) + globe[2] ** 2 + 2 * travel * day + travel**2).clamp(min=0))
    table = _opacity(torch.linspace(0, 3, 769).expand(n, 1, -1), torch.tensor(0.09), steps).flatten(1)
    cast = table.gather(1, (hit * 256 + 0.5).clamp(0, 768).long().flatten(1)).view_as(hit)
    shade = cast * smoothstep(0.0, 0.06, travel)
    disc = inside((square.sqrt() - 1) * at["radius"], size, 1.5)
    body = 1.1 * _bands(rng, latitude) * light * (1 - 0.7 * shade)

    depth = v * cosine / sine
    radius = torch.sqrt(square + depth**2)
    footprint = pixel * torch.sqrt(u**2 + (v / sine**2) ** 2) / radius.clamp(min=0.2)
    rings = _opacity(radius, footprint * 1.5 + 0.02, steps)
    along, blur = _dot((u, v, depth), sun), 0.05 + 0.7 * footprint
    miss = torch.sqrt((radius**2 - along**2).clamp(min=0))
    dark = smoothstep(0.06, -0.06, along) * smoothstep(1 + blur, 1 - blur, miss)
    mask = rings.clamp(max=1) * (1 - disc * (depth < 0))
    return body, disc, (0.6 + 0.12 * rings) * (1 - 0.97 * dark), mask


def _moons(rng: torch.Generator, busy: Tensor, at: dict[str, Tensor], counts: Tensor) -> tuple[Tensor, Tensor]:
    """Moons lit as the planet is, each in the emptiest of several places tried: their tone, and where they are."""
    n, size, _ = busy.shape
    x, y = canvas.grid(size)
    rows, tone, where = torch.arange(n), torch.zeros_like(busy), torch.zeros_like(busy)
    coarse = torch.nn.functional.adaptive_max_pool2d(busy[:, None], 8)[:, 0]
    for i in range(MOONS):
        tries = torch.rand(n, 12, 2, generator=rng) * 0.76 + 0.12
        cell = (tries * 8).long()
        best = coarse[rows[:, None], cell[..., 1], cell[..., 0]].argmin(dim=1)
        spot = tries[rows, best] * 2 - 1
        free = coarse[rows, cell[rows, best, 1], cell[rows, best, 0]] < 0.05
        counts -= ((counts > i) & ~free).long()
        coarse[rows, cell[rows, best, 1], cell[rows, best, 0]] = 2.0
        radius = uniform(rng, n, 0.07, 0.11)
        u, v = (x - spot[:, 0].view(n, 1, 1)) / radius, (y - spot[:, 1].view(n, 1, 1)) / radius
        square = u * u + v * v
        day = (1 - square).clamp(min=0).sqrt() * at["lz"] + u * at["lx"] + v * at["ly"]
        mask = inside((square.sqrt() - 1) * radius, size, 1.5) * ((counts > i) & free).view(n, 1, 1)
        tone, where = tone + mask * 0.95 * day.clamp(0, 1) ** 0.6, torch.maximum(where, mask)
    return tone, where


def draw(rng: torch.Generator, n: int, size: int) -> Sheet:
    """n ringed planets; attributes: view, light, phase, moons, artifacts, palette and whether it is grey."""
    at, inks = _place(rng, n), palettes.draw(rng, n)
    grey = uniform(rng, n, 0, 1).flatten() < 0.5
    counts = canvas.choose(rng, n, MOONS + 1, [0.5, 0.32, 0.18]) * (at["kind"].flatten() < 2)
    specks = (uniform(rng, n, 0, 1).flatten() < 0.1) & grey
    body, disc, ring, mask = _system(rng, n, size, at)
    moon, where = _moons(rng, torch.maximum(disc, mask), at, counts)
    black = torch.full((1, 3, 1, 1), 0.012)
    picture = torch.where(grey.view(n, 1, 1, 1), black, palettes.backdrop(inks, at["side"], size))
    globe = palettes.photographed(inks.ramp(inks.accent), grey)
    pale = palettes.photographed(inks.ramp(inks.mid), grey)
    picture = canvas.over(picture, canvas.gradient_map(globe, body), disc)
    picture = canvas.over(picture, canvas.gradient_map(pale, ring), mask)
    picture = canvas.over(picture, canvas.gradient_map(pale, moon), where)
    rays = canvas.dots(rng, n, size, 6, 0.024, 0.034) * specks.view(n, 1, 1)
    picture = torch.maximum(picture, rays[:, None])
    attributes = canvas.records(
        view=(VIEWS, at["kind"]), light=(palettes.SIDES, (at["side"] + 1) / 2),
        raking=((False, True), at["turn"] > 0.8), moons=(range(MOONS + 1), counts), artifacts=((False, True), specks),
        palette=palettes.named(inks), grey=((False, True), grey),
    )  # fmt: skip
    return Sheet(picture.clamp(0, 1), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """A phrase true of the picture, drawing on the vocabulary of spacecraft imaging."""
    rings = ["intricate rings", "rings casting sharp shadows", "broad rings", "intricate rings casting sharp shadows"]
    heads = {
        "whole": ["nasa cassini spacecraft image of saturn", "ringed planet like saturn", "saturn from orbit"],
        "close": ["cassini image of saturn close up", "close ringed planet", "saturn seen from orbit"],
        "rings": ["saturn's limb and rings", "cassini spacecraft view across saturn's rings", "giant ringed planet"],
    }
    lights = ["dramatic lighting from sunlight"] if attributes["raking"] else ["full sunlight"]
    lights += [f"lit from the {attributes['light']}", f"sunlight from the {attributes['light']}"]
    extras = [words.choice(lights)]
    if attributes["grey"]:
        places = ["vast space background", "dark sky", "scientific photography", "realistic colors", "high resolution"]
        extras.append(words.choice(places))
    if count := attributes["moons"]:
        number = ["", "a distant moon", "two distant moons"][count]
        like = "like enceladus" if count == 1 else words.choice(["like enceladus and titan visible", "visible"])
        extras.append(words.choice([number, f"{number} {like}"]))
    if attributes["artifacts"]:
        extras.append(words.choice(["artifacts", "cosmic ray artifacts", "bright specks, artifacts"]))
    words.shuffle(extras)
    tone = words.choice(["greyscale", "black and white"]) if attributes["grey"] else None
    tone = tone or palettes.tones(attributes["palette"], words)
    link = words.choice([f" in {tone} with ", f", {tone}, "])
    return canvas.phrase(words.choice(heads[attributes["view"]]) + link + words.choice(rings), extras[:2], 17)
