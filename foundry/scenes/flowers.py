"""Flowers: one poppy, tulip or sunflower on its stem, or its blossom close up, before a plain ground."""

from __future__ import annotations

import math
import random
from typing import Any

import torch
from torch import Tensor

from foundry.scenes import canvas, palettes
from foundry.scenes.palettes import Inks

FAMILY = "flower"
PROMPT = "a flower in bloom"
KINDS = ("poppy", "tulip", "sunflower")
LAYOUTS = ("single", "close-up")
TINTS = ("bright", "pale")

Look = dict[str, Tensor]


def _blade(base: Tensor, x: Tensor, y: Tensor, form: tuple[float | Tensor, ...], paint: tuple[Tensor, Tensor],
           scale: Tensor, size: int) -> Tensor:  # fmt: skip
    """A leaf or petal from the origin; ``form``: lean from upright, length, half width, skew."""
    lean, length, width, skew = (torch.as_tensor(value) for value in form)
    angle = torch.atan2(x, -y) - lean
    angle = angle - 2 * math.pi * torch.round(angle / (2 * math.pi))
    distance, along, across = canvas.petals(
        (x * x + y * y + 1e-6).sqrt(), angle, torch.tensor(1.0), torch.tensor(0.0), length, width, skew,
        torch.tensor(0.5),
    )  # fmt: skip
    fill = paint[0] + (paint[1] - paint[0]) * along[:, None]
    light = 1.04 - 0.2 * across * across
    return torch.lerp(base, fill * light[:, None], canvas.inside(distance * scale, size, 1.5)[:, None])


def _stem(base: Tensor, x: Tensor, y: Tensor, look: Look, size: int) -> Tensor:
    """A bent stem down out of the frame, with two leaves."""
    scale, green = look["scale"], look["green"]
    bow = x - look["bend"] * y.clamp(min=0) ** 2 * 0.1
    # Both leaves at once: the left one mirrors the right, a little lower.
    leaf = (look["lean"], 1.5, 0.3, 0.1)
    base = _blade(base, bow.abs(), y - 2.2 - 0.35 * (bow < 0), leaf, (green * 0.8, green * 1.15), scale, size)
    stem = canvas.inside(torch.maximum(bow.abs() - 0.075, -y) * scale, size, 1.5)
    return torch.lerp(base, green, stem[:, None])


def _open(base: Tensor, x: Tensor, y: Tensor, look: Look, size: int, poppy: bool) -> Tensor:
    """An open blossom seen a little aslant: two rings of petals about a disc."""
    y = y / look["squash"]
    x, y = canvas.rotate(x, y, look["spin"])
    radius, angle = (x * x + y * y + 1e-6).sqrt(), torch.atan2(y, x)
    scale, count = look["scale"] * look["squash"].sqrt(), look["count"]
    spread, rounded, skew, hub = (1.28, 0.9, -0.45, 0.22) if poppy else (1.2, 0.3, 0.15, 0.42)
    for ring, outer in enumerate((1.0, 0.86 if poppy else 0.9)):
        width = (torch.sin(math.pi / count) * 0.62 * spread * outer).clamp(max=0.62)
        distance, along, across = canvas.petals(
            radius, angle + ring * math.pi / count, count, torch.tensor(0.05), torch.tensor(outer), width,
            torch.tensor(skew), torch.tensor(rounded),
        )  # fmt: skip
        shadow = 0.26 * canvas.smoothstep(0.08, 0.0, distance) * (ring > 0)  # of the upper petals on the lower
        base = base * (1 - shadow)[:, None]
        light = (0.82 + 0.1 * ring + 0.16 * along) * (1.05 - 0.2 * across * across)
        fill = look["root"] + (look["tip"] - look["root"]) * canvas.smoothstep(0.1, 0.9, along)[:, None]
        base = canvas.over(base, fill * light[:, None], canvas.inside(distance * scale, size, 1.6))
    if poppy:
        base = canvas.over(base, look["disc"], 0.9 * canvas.smoothstep(0.5, 0.26, radius))
    shade = canvas.smoothstep(hub + 0.1, hub, radius)
    base = base * (1 - 0.3 * shade)[:, None]
    dome = (1.15 - 0.4 * (radius / hub) ** 2).clamp(0.5)
    seeds = look["disc"].lerp(look["pip"], 0.45 * canvas.smoothstep(0.45, 0.95, radius / hub)[:, None])
    disc = look["pip"] if poppy else seeds / dome[:, None]
    base = canvas.over(
        base, disc * dome[:, None], canvas.inside((radius - hub * (0.75 if poppy else 1)) * scale, size, 1.6)
    )
    return base


def _tulip(base: Tensor, x: Tensor, y: Tensor, look: Look, size: int) -> Tensor:
    """A cup of five upright petals."""
    root, tip, spread = look["root"], look["tip"], look["spread"]
    for lean, length, width, paint in (
        (0.0, 1.5, 0.44, (root * 0.72, tip * 0.74)),
        (-0.5 * spread, 1.6, 0.42, (root * 0.9, tip * 0.86)),
        (0.5 * spread, 1.6, 0.42, (root * 0.9, tip * 0.86)),
        (0.0, 1.36, 0.44, (root, tip)),
    ):
        base = _blade(base, x, y - 0.62, (lean, length, width, 0.25), paint, look["scale"], size)
    return base


def _look(rng: torch.Generator, kind: Tensor, pale: Tensor, inks: Inks) -> Look:
    """The numbers and colours of each flower."""
    n = len(kind)
    white = inks.either(inks.light, inks.mid)
    is_pale = (pale == 1).view(n, 1, 1, 1)
    petal = torch.where(is_pale, white, inks.accent)
    low = torch.tensor((5, 1, 11))[kind].view(n, 1, 1)
    more = torch.tensor((2, 1, 3))[kind].view(n, 1, 1)
    return {
        "tip": petal, "root": petal.lerp(inks.deep, 0.35), "disc": inks.deep * 0.55,
        "count": low + (canvas.uniform(rng, n, 0, 1) * more).floor(),
        "pip": torch.where(is_pale, inks.accent, inks.either(inks.light, inks.mid)),
        "green": inks.either(inks.mid * 0.9, inks.deep), "spread": canvas.uniform(rng, n, 0.6, 1.0),
        "spin": canvas.uniform(rng, n, -0.5, 0.5), "squash": canvas.uniform(rng, n, 0.76, 1),
        "bend": canvas.uniform(rng, n, -0.8, 0.8), "lean": canvas.uniform(rng, n, 0.5, 0.95),
    }  # fmt: skip


def draw(rng: torch.Generator, n: int, size: int) -> canvas.Sheet:
    """Paints n pictures of flowers; attributes: kind, tint, layout, palette, light."""
    inks, side = palettes.draw(rng, n), palettes.lights(rng, n)
    kind, layout = canvas.choose(rng, n, len(KINDS)), canvas.choose(rng, n, 2, (2.0, 1.0))
    pale = canvas.choose(rng, n, 2, (0.6, 0.4))
    close = (layout == 1).view(n, 1, 1)
    tulip = (kind == 1).view(n, 1, 1)
    look = _look(rng, kind, pale, inks)
    scale = canvas.uniform(rng, n, 0.46, 0.58)
    scale = torch.where(close, scale * torch.where(tulip, 1.5, 1.75), torch.where(tulip, scale * 0.9, scale))
    cx = canvas.uniform(rng, n, -0.12, 0.12)
    cy = torch.where(
        close, torch.where(tulip, 0.0, canvas.uniform(rng, n, -0.05, 0.15)), canvas.uniform(rng, n, -0.34, -0.18)
    )
    look["scale"] = scale
    x, y = canvas.grid(size)
    u, v = (x - cx) / scale, (y - cy) / scale
    picture = _stem(palettes.backdrop(inks, side, size), u, v, look, size)
    for which, paint in enumerate((
        lambda *given: _open(*given, poppy=True), _tulip, lambda *given: _open(*given, poppy=False),
    )):  # fmt: skip
        rows = (kind == which).nonzero().flatten()
        if len(rows):
            part = {name: value[rows] for name, value in look.items()}
            picture[rows] = paint(picture[rows], u[rows], v[rows], part, size)
    glow = 1 + 0.07 * side * x - 0.05 * y
    attributes = canvas.records(
        kind=(KINDS, kind), tint=(TINTS, pale), layout=(LAYOUTS, layout), palette=palettes.named(inks),
        light=(palettes.SIDES, (side + 1) / 2),
    )  # fmt: skip
    return canvas.Sheet((picture * glow[:, None]).clamp(0, 1), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """What the flower looks like, in varied wording."""
    name = f"{attributes['tint']} {attributes['kind']}" if words.random() < 0.5 else attributes["kind"]
    starts = {
        "single": (f"a {name} flower on a stem", f"single {name} in bloom", f"a {name}"),
        "close-up": (f"close-up of a {name} blossom", f"large {name} in full bloom"),
    }
    return f"{words.choice(starts[attributes['layout']])}, in {palettes.tones(attributes['palette'], words)}"
