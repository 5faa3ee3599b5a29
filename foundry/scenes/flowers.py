"""Flowers: open blossoms and tulips, on stems or close up, before soft gradients or a blurred meadow."""

from __future__ import annotations

import math
import random
from typing import Any

import torch
from torch import Tensor

from foundry.scenes import canvas

FAMILY = "flower"
PROMPT = "a flower in bloom"

# Root and tip of the petals.
COLOURS = {
    "white": ((226, 220, 214), (255, 252, 246)), "yellow": ((238, 162, 36), (255, 220, 84)),
    "red": ((138, 16, 30), (230, 62, 48)), "pink": ((206, 82, 126), (250, 182, 196)),
    "purple": ((86, 44, 132), (178, 130, 214)), "orange": ((206, 82, 26), (250, 164, 70)),
    "blue": ((48, 72, 160), (136, 176, 232)),
}  # fmt: skip
KINDS = ("daisy", "poppy", "sunflower", "dahlia", "tulip")
# Chances of the colours, a row a kind.
TINTS = (
    (4, 1, 0, 2, 1, 0, 1), (1, 0, 4, 1, 0, 2, 0), (0, 5, 0, 0, 0, 1, 0), (1, 1, 2, 3, 2, 2, 0), (1, 2, 3, 3, 2, 2, 0),
)  # fmt: skip
# Fewest petals, more petals, petal width (of the sector), roundness, skew, reach of the three rings, disc.
FORMS = (
    (10, 6, 0.95, 0.75, -0.45, (1.0, 0.95, 0.0), 0.27),
    (4, 3, 0.88, 0.85, -0.5, (1.0, 0.84, 0.0), 0.2),
    (14, 6, 1.15, 0.25, 0.1, (1.0, 0.9, 0.0), 0.46),
    (9, 4, 1.15, 0.55, -0.2, (1.0, 0.78, 0.54), 0.16),
    (6, 1, 1.0, 0.5, 0.0, (1.0, 0.9, 0.0), 0.2),
)
DISCS = ((246, 186, 46), (34, 24, 34), (92, 52, 26), (0, 0, 0), (0, 0, 0))
GROUNDS = {
    "blue": ((196, 222, 240), (86, 132, 186)), "green": ((200, 216, 168), (74, 116, 88)),
    "pink": ((250, 226, 222), (220, 158, 168)), "golden": ((252, 232, 184), (226, 166, 96)),
    "teal": ((150, 204, 196), (34, 96, 104)), "purple": ((208, 192, 226), (104, 84, 146)),
    "dark": ((50, 58, 68), (18, 20, 28)),
}  # fmt: skip
LAYOUTS = ("single", "trio", "close-up")
LEAF = torch.tensor((62, 124, 66)).view(1, 3, 1, 1) / 255


def _meadow(rng: torch.Generator, base: Tensor, size: int) -> Tensor:
    """Out-of-focus grass below, with soft discs of light and far flowers."""
    n = len(base)
    x, y = canvas.grid(size)
    hill = y - canvas.uniform(rng, n, -0.3, 0.4) + 0.25 * canvas.noise(rng, n, size, 2)
    grass = LEAF * (0.7 + 0.7 * canvas.noise(rng, n, size, 4))[:, None]
    base = canvas.over(base, grass, 0.9 * canvas.smoothstep(-0.35, 0.5, hill))
    colours = [colour[1] for colour in COLOURS.values()]
    for _ in range(6):
        far = ((x - canvas.uniform(rng, n, -1, 1)) ** 2 + (y - canvas.uniform(rng, n, 0, 1)) ** 2).sqrt()
        reach = canvas.uniform(rng, n, 0.08, 0.2)
        paint = canvas.palette(colours, canvas.choose(rng, n, len(colours)))
        base = canvas.over(base, paint, 0.55 * canvas.smoothstep(reach * 1.3, reach * 0.7, far))
    return base


def _blade(base: Tensor, x: Tensor, y: Tensor, form: tuple[float, float, float, float], paint: tuple[Tensor, Tensor],
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
    light = 1.04 - 0.22 * across * across - 0.1 * across
    return torch.lerp(base, fill * light[:, None], canvas.inside(distance * scale, size, 1.5)[:, None])


def _stem(base: Tensor, x: Tensor, y: Tensor, look: dict[str, Tensor], size: int) -> Tensor:
    """A bent stem down out of the frame, with two leaves."""
    scale, bend = look["scale"], look["bend"]
    bow = x - bend * y.clamp(min=0) ** 2 * 0.12
    # Both leaves at once: the left one mirrors the right, a little lower.
    leaf = (look["lean"], 1.5, 0.26, 0.1)
    base = _blade(base, bow.abs(), y - 2.3 - 0.4 * (bow < 0), leaf, (LEAF * 0.75, LEAF * 1.25), scale, size)
    stem = canvas.inside(torch.maximum(bow.abs() - 0.055, -y) * scale, size, 1.5)
    return torch.lerp(base, LEAF * (0.95 - 4 * bow.clamp(-0.06, 0.06))[:, None], stem[:, None])


def _blossom(base: Tensor, x: Tensor, y: Tensor, look: dict[str, Tensor], size: int) -> Tensor:
    """An open blossom: up to three rings of petals about a disc, seen a little aslant."""
    x, y = canvas.rotate(x, y, look["spin"])
    y = y / look["squash"]
    radius, angle = (x * x + y * y + 1e-6).sqrt(), torch.atan2(y, x)
    scale, count, hub = look["scale"] * look["squash"].sqrt(), look["count"], look["hub"]
    span = look["tip"] - look["root"]
    for ring in range(3 if bool((look["reach"][:, 2] > 0).any()) else 2):
        outer = look["reach"][:, ring].view(-1, 1, 1)
        width = look["width"] * (outer * torch.sin(math.pi / count) * 0.62).clamp(max=0.5)
        distance, along, across = canvas.petals(
            radius, angle + ring * math.pi / count, count, outer * 0.05, outer.clamp(min=0.01), width.clamp(min=0.01),
            look["skew"], look["round"],
        )  # fmt: skip
        distance = distance + 9 * (outer < 0.1)
        base = base * (1 - 0.3 * canvas.smoothstep(0.08, 0.0, distance))[:, None]
        light = (0.86 + 0.1 * ring + 0.14 * along) * (1.05 - 0.24 * across * across)
        fill = (look["root"] + span * canvas.smoothstep(0.1, 0.95, along)[:, None]) * light[:, None]
        base = canvas.over(base, fill, canvas.inside(distance * scale, size, 1.4))
    stain = canvas.smoothstep(0.5, 0.25, radius) * look["stain"]
    base = canvas.over(base, look["disc"], stain * 0.85)
    seeds = 1.15 - 0.45 * (radius / hub) ** 2 + 0.16 * torch.cos(angle * 10) * torch.cos(radius / hub * 9)
    shade = canvas.smoothstep(hub + 0.09, hub, radius)
    base = base * (1 - 0.35 * shade)[:, None]
    return canvas.over(base, look["disc"] * seeds.clamp(0.4)[:, None], canvas.inside((radius - hub) * scale, size, 1.5))


def _tulip(base: Tensor, x: Tensor, y: Tensor, look: dict[str, Tensor], size: int) -> Tensor:
    """A cup of five upright petals."""
    root, tip, spread = look["root"], look["tip"], look["spread"]
    for lean, length, width, paint in (
        (0.0, 1.5, 0.42, (root * 0.8, tip * 0.8)),
        (-0.55 * spread, 1.6, 0.4, (root, tip * 0.9)),
        (0.55 * spread, 1.6, 0.4, (root, tip * 0.9)),
        (-0.18 * spread, 1.45, 0.36, (root, tip)),
        (0.2 * spread, 1.3, 0.4, (root * 1.1, tip * 1.05)),
    ):
        base = _blade(base, x, y - 0.62, (lean, length, width, 0.25), paint, look["scale"], size)
    return base


def _plant(picture: Tensor, rows: Tensor, look: dict[str, Tensor], place: tuple[Tensor, ...], size: int) -> None:
    """Paints in place, into ``rows`` of ``picture``, one flower each at ``place`` (x, y, scale)."""
    x, y = canvas.grid(size)
    for group, paint in ((0, _blossom), (1, _blossom), (2, _tulip)):
        chosen = rows[look["group"][rows] == group]
        if not len(chosen):
            continue
        part = {name: value[chosen] for name, value in look.items()}
        cx, cy, part["scale"] = (value[chosen] for value in place)
        u, v = (x - cx) / part["scale"], (y - cy) / part["scale"]
        picture[chosen] = paint(_stem(picture[chosen], u, v, part, size), u, v, part, size)


def _look(rng: torch.Generator, kind: Tensor, colour: Tensor) -> dict[str, Tensor]:
    """The numbers and colours of each flower."""
    n = len(kind)
    form = torch.tensor([(*f[:5], f[6]) for f in FORMS])[kind]
    low, more, width, rounded, skew, hub = (form[:, i].view(n, 1, 1) for i in range(6))
    root, tip = (canvas.palette([c[i] for c in COLOURS.values()], colour) for i in range(2))
    own = (kind > 2).view(n, 1, 1, 1)
    return {
        "group": (kind == 3) + 2 * (kind == 4), "count": low + (torch.rand(n, 1, 1, generator=rng) * more).floor(),
        "width": width * canvas.uniform(rng, n, 1.4, 1.8), "round": rounded, "root": root, "tip": tip,
        "skew": skew + canvas.uniform(rng, n, -0.15, 0.15), "hub": hub * canvas.uniform(rng, n, 0.85, 1.15),
        "reach": torch.tensor([f[5] for f in FORMS])[kind], "stain": (kind == 1).view(n, 1, 1).float(),
        "disc": torch.where(own, root * 0.8, canvas.palette(DISCS, kind)), "spread": canvas.uniform(rng, n, 0.5, 1.1),
        "spin": canvas.uniform(rng, n, -0.6, 0.6), "squash": canvas.uniform(rng, n, 0.66, 1),
        "bend": canvas.uniform(rng, n, -0.8, 0.8), "lean": canvas.uniform(rng, n, 0.5, 1.0),
    }  # fmt: skip


def draw(rng: torch.Generator, n: int, size: int) -> canvas.Sheet:
    """Paints n pictures of flowers; attributes: kind, colour, layout, background, meadow."""
    kind = canvas.choose(rng, n, len(KINDS))
    colour = torch.multinomial(torch.tensor(TINTS, dtype=torch.float32)[kind], 1, generator=rng).flatten()
    ground = canvas.choose(rng, n, len(GROUNDS))
    layout = canvas.choose(rng, n, len(LAYOUTS), (1.2, 0.8, 1))
    look = _look(rng, kind, colour)
    picture = canvas.backdrop(rng, *(canvas.palette([g[i] for g in GROUNDS.values()], ground) for i in range(2)), size)
    meadow = (canvas.uniform(rng, n, 0, 1) < 0.4).flatten()
    if meadow.any():
        picture[meadow] = _meadow(rng, picture[meadow], size)

    trio, close = (layout == 1).view(n, 1, 1), (layout == 2).view(n, 1, 1)
    scale = canvas.uniform(rng, n, 0.42, 0.62)
    scale = torch.where(trio, scale * 0.66, torch.where(close, scale * 1.9, scale))
    cx, cy = canvas.uniform(rng, n, -0.3, 0.3), canvas.uniform(rng, n, -0.4, 0.0)
    cy = torch.where(close, cy + 0.2, cy)
    some = trio.flatten().nonzero().flatten()
    for side in (-1, 1):
        across, down = canvas.uniform(rng, n, 0.5, 0.62), canvas.uniform(rng, n, -0.35, 0.35)
        _plant(picture, some, look, (0.4 * cx + side * across, cy + down, scale * 0.85), size)
    cx = torch.where(trio, 0.4 * cx, cx)
    _plant(picture, torch.arange(n), look, (cx, cy, scale), size)
    attributes = canvas.records(
        kind=(KINDS, kind), colour=(list(COLOURS), colour), layout=(LAYOUTS, layout),
        background=(list(GROUNDS), ground), meadow=((False, True), meadow),
    )  # fmt: skip
    return canvas.Sheet(picture.clamp(0, 1), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """What the flowers look like, in varied wording."""
    a = attributes
    name = f"{a['colour']} {a['kind']}"
    plural = {"daisy": "daisies", "poppy": "poppies"}.get(a["kind"], a["kind"] + "s")
    starts = {
        "single": (f"{name} flower on a stem", f"single {name} in bloom"),
        "trio": (f"three {a['colour']} {plural} on stems", f"three {a['colour']} {plural} in bloom"),
        "close-up": (f"close-up of a {name} blossom", f"large {name} in full bloom"),
    }
    place = "in a blurred meadow" if a["meadow"] else f"on a soft {a['background']} background"
    return f"{words.choice(starts[a['layout']])} {place}"
