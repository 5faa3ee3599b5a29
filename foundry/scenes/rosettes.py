"""Rosettes: rings of petals about the centre of the picture, rimmed with metal, whole or close."""

from __future__ import annotations

import math
import random
from typing import Any

import torch
from torch import Tensor

from foundry.scenes import canvas, palettes

FAMILY = "ornament"
PROMPT = "a symmetric ornament, rosette with filigree"
LAYOUTS = ("single", "close")
FOLDS = (6, 8, 12)


def _petal_ring(rng: torch.Generator, base: Tensor, polar: tuple[Tensor, Tensor], count: Tensor, outer: Tensor,
                colours: tuple[Tensor, Tensor, Tensor], scale: Tensor, size: int) -> Tensor:  # fmt: skip
    """One ring of shaded, metal-rimmed petals over ``base``; ``colours``: body, tip, metal."""
    radius, angle = polar
    n = len(base)
    body, tip, metal = colours
    inner = outer * canvas.uniform(rng, n, 0.2, 0.32)
    width = outer * torch.sin(math.pi / count).clamp(max=0.5) * canvas.uniform(rng, n, 0.7, 0.94)
    distance, along, across = canvas.petals(
        radius, angle, count, inner, outer, width, canvas.uniform(rng, n, -0.4, 0.2), canvas.uniform(rng, n, 0.2, 1)
    )
    rim = 0.042 / scale
    fill = body + (tip - body) * canvas.smoothstep(0.1, 1.0, along)[:, None]
    fill = fill * (1.06 - 0.26 * across * across)[:, None]
    base = base * (1 - 0.16 * canvas.smoothstep(0.06, 0.0, distance))[:, None]
    base = canvas.over(base, metal, canvas.inside(distance * scale, size, 1.6))
    return canvas.over(base, fill, canvas.inside((distance + rim) * scale, size, 1.6))


def _filigree(base: Tensor, polar: tuple[Tensor, Tensor], count: Tensor, middle: Tensor, metal: Tensor, scale: Tensor,
              size: int) -> Tensor:  # fmt: skip
    """Two interlaced wavy bands of metal about ``middle``."""
    radius, angle = polar
    swing = 0.5 * middle / count
    wave = torch.cos(angle * count) * swing
    slope = (1 + (swing * count / middle) ** 2 * 0.6).sqrt()
    off = radius - middle
    band = torch.minimum((off - wave).abs(), (off + wave).abs()) / slope - 0.022 / scale
    return canvas.over(base, metal, canvas.inside(band * scale, size, 1.6))


def _disc(base: Tensor, radius: Tensor, edge: Tensor, fill: Tensor, metal: Tensor, scale: Tensor, size: int) -> Tensor:
    """A domed disc with a metal rim."""
    base = canvas.over(base, metal, canvas.inside((radius - edge) * scale, size, 1.6))
    dome = 1.1 - 0.3 * (radius / edge).clamp(max=1) ** 2
    inner = radius - edge + 0.042 / scale
    return canvas.over(base, fill * dome[:, None], canvas.inside(inner * scale, size, 1.6))


def draw(rng: torch.Generator, n: int, size: int) -> canvas.Sheet:
    """Paints n ornaments; attributes: palette, folds, layout, filigree, plate."""
    inks, side, layout = palettes.draw(rng, n), palettes.lights(rng, n), canvas.choose(rng, n, 2, (2.0, 1.0))
    close = (layout == 1).view(n, 1, 1)
    scale = torch.where(close, canvas.uniform(rng, n, 1.45, 1.75), canvas.uniform(rng, n, 0.8, 0.92))
    x, y = (axis / scale for axis in canvas.grid(size))
    fold = canvas.choose(rng, n, len(FOLDS), (1.0, 1.2, 0.8))
    count = torch.tensor(FOLDS)[fold].view(n, 1, 1).float()
    radius, angle = (x * x + y * y + 1e-6).sqrt(), torch.atan2(y, x) - math.pi / 2
    turn = math.pi / count

    metal = inks.either(inks.light.lerp(inks.accent, 0.35), inks.deep)
    order = canvas.choose(rng, n, 3).view(n, 1, 1, 1)
    colours = (inks.mid, inks.accent, inks.either(inks.deep.lerp(inks.mid, 0.25), inks.light.lerp(inks.mid, 0.2)))
    picture = palettes.backdrop(inks, side, size)
    plate = canvas.uniform(rng, n, 0, 1) < 0.5
    fill = inks.either(inks.deep, inks.ground.lerp(inks.mid, 0.3))
    disc = _disc(picture, radius, torch.tensor(0.99), fill, metal, scale, size)
    picture = torch.where(plate[:, None], disc, picture)
    edges = (canvas.uniform(rng, n, 0.86, 0.94), canvas.uniform(rng, n, 0.62, 0.7), canvas.uniform(rng, n, 0.4, 0.46))
    for ring, outer in enumerate(edges):
        ink, after = (sum(colours[(ring + s + k) % 3] * (order == s) for s in range(3)) for k in range(2))
        paint = (ink * 0.82, ink + (after - ink) * 0.2, metal)
        picture = _petal_ring(rng, picture, (radius, angle + ring % 2 * turn), count, outer, paint, scale, size)
    filigree = (canvas.uniform(rng, n, 0, 1) < 0.3) & (count < 12)
    laced = _filigree(picture, (radius, angle), count, canvas.uniform(rng, n, 0.64, 0.74), metal, scale, size)
    picture = torch.where(filigree[:, None], laced, picture)
    hub = inks.either(inks.light, inks.accent)
    picture = _disc(picture, radius, canvas.uniform(rng, n, 0.16, 0.21), hub, metal, scale, size)
    attributes = canvas.records(
        palette=palettes.named(inks), folds=(FOLDS, fold), layout=(LAYOUTS, layout), filigree=((False, True), filigree),
        plate=((False, True), plate),
    )  # fmt: skip
    return canvas.Sheet(picture.clamp(0, 1), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """What the ornament shows, in varied wording."""
    starts = {
        "single": (
            "symmetric rosette in {c}",
            "ornament with {k} petals a ring in {c}",
            "{k}-fold rosette in {c}",
        ),
        "close": ("close view of a large rosette in {c}", "symmetric ornament in {c}, detail"),
    }
    ends = (" with filigree", ", interlaced filigree") if attributes["filigree"] else ("", ", bold petals")
    phrase = words.choice(starts[attributes["layout"]]) + words.choice(ends)
    return phrase.format(c=palettes.tones(attributes["palette"], words), k=attributes["folds"])
