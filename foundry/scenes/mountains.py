"""Mountains: one broad massif with its snow, a range in the haze behind or before it, a sun, often a mirror lake."""

from __future__ import annotations

import random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from foundry.scenes import canvas, palettes
from foundry.scenes.canvas import Sheet, inside, smoothstep, uniform
from foundry.scenes.palettes import Inks

FAMILY = "mountains"
PROMPT = "mountain landscape with snow"


def _peak(rng: torch.Generator, picture: Tensor, cx: Tensor, top: Tensor, side: Tensor, inks: Inks, snow: Tensor,
          far: float) -> Tensor:  # fmt: skip
    """A peak over ``picture``: a lit and a shaded flank parted by a winding ridge, snow down to ``snow``, hazy feet.

    ``far`` in 0..1 is how much of it is lost in the haze.
    """
    n, _, size, _ = picture.shape
    x, y = canvas.grid(size)
    off = x - cx
    wave = sum(uniform(rng, n, 0.015, 0.04) * torch.sin(f * x[:1] + uniform(rng, n, 0, 6.28)) for f in (4.0, 7.5))
    slope = uniform(rng, n, 0.62, 0.85) * (1 + uniform(rng, n, -0.15, 0.15) * off[:, :1].sign())
    line = top + slope * ((off[:, :1] ** 2 + 0.0016).sqrt() - 0.04) + wave * (6 * off[:, :1].abs()).clamp(max=1)
    down = (y - top).clamp(min=0)
    ridge = 0.07 * torch.sin(9 * down + uniform(rng, n, 0, 6.28)) * (4 * down).clamp(max=1) - side * 0.3 * down
    lit = smoothstep(-0.035, 0.035, side * (off - ridge))
    spurs = 0.06 * torch.sin(uniform(rng, n, 9, 12) * x + uniform(rng, n, 0, 6.28))
    white = smoothstep(-0.03, 0.03, snow - y + spurs)
    haze = far + (1 - far) * smoothstep(0.1, 0.9, y - line) * 0.75
    mist = inks.either(inks.deep.lerp(inks.mid, 0.45), inks.ground.lerp(inks.mid, 0.55))
    stone, dry = lit * (1 - haze), (1 - lit) * (1 - haze)
    weights = [stone * (1 - white), dry * (1 - white), stone * white, dry * white, haze]
    snowy = (inks.light, inks.light.lerp(inks.mid, 0.5))
    colour = canvas.mix(weights, [inks.mid, inks.deep.lerp(inks.mid, 0.3), *snowy, mist])
    return picture.lerp(colour, inside(line - y, size, 1.5)[:, None])


def _massif(rng: torch.Generator, picture: Tensor, top: Tensor, side: Tensor, inks: Inks, snow: Tensor) -> Tensor:
    """Two shoulders and before them the main summit."""
    n, cx = len(picture), uniform(rng, len(picture), -0.38, 0.38)
    for shift in (-side, side):
        picture = _peak(
            rng, picture, cx + shift * uniform(rng, n, 0.5, 0.85), top + uniform(rng, n, 0.14, 0.36), side, inks,
            top + snow, 0.25,
        )  # fmt: skip
    return _peak(rng, picture, cx, top, side, inks, top + snow, 0.0)


def _range(rng: torch.Generator, picture: Tensor, crest: Tensor, ink: Tensor, foot: Tensor) -> Tensor:
    """A plain silhouette of long slopes over ``picture``, fading to ``foot`` below."""
    n, _, size, _ = picture.shape
    x, y = canvas.grid(size)
    line = crest.expand(n, 1, size)
    for f, amount in ((2.3, 0.09), (4.6, 0.05), (9.0, 0.018)):
        line = line + amount * torch.sin(f * x[:1] + uniform(rng, n, 0, 6.28))
    fade = smoothstep(0.0, 0.6, y - line)[:, None]
    return picture.lerp(ink + (foot - ink) * fade, inside(line - y, size, 1.5)[:, None])


def _lake(rng: torch.Generator, picture: Tensor, shore: Tensor, there: Tensor, tint: Tensor) -> Tensor:
    """A still lake below ``shore`` that mirrors the view, a little darker."""
    n, _, size, _ = picture.shape
    x, y = canvas.grid(size)
    below = (y - shore).expand(n, -1, -1)
    ripple = 0.02 * torch.sin(11 * torch.log(below.clamp(min=0.03)) + uniform(rng, n, 0, 6.28)) * below.clamp(0, 1)
    at = torch.stack([x + ripple, (shore - below * 1.05).clamp(-0.99, 0.99)], dim=-1)
    mirror = F.grid_sample(picture, at, align_corners=False, padding_mode="reflection")
    bank = torch.exp(-((below / 0.035) ** 2))[:, None] * 0.5
    mirror = mirror.lerp(tint.expand_as(mirror), (0.22 + bank).clamp(max=0.7))
    return canvas.over(picture, mirror, inside(-below, size, 1.5) * there)


def draw(rng: torch.Generator, n: int, size: int) -> Sheet:
    """n mountain landscapes; attributes: palette, snow, light, sun, lake."""
    inks, side, (x, y) = palettes.draw(rng, n), palettes.lights(rng, n), canvas.grid(size)
    sky = palettes.backdrop(inks, side, size)
    low = inks.either(inks.ground.lerp(inks.mid, 0.55), inks.light)
    sky = sky.lerp(low.expand_as(sky), 0.75 * smoothstep(-0.7, 0.5, y).expand(n, -1, -1)[:, None])
    sun = (uniform(rng, n, 0, 1) < 0.55).float()
    cx, cy = side * uniform(rng, n, 0.3, 0.66), uniform(rng, n, -0.7, -0.4)
    away = ((x - cx) ** 2 + (y - cy) ** 2).sqrt()
    sky = canvas.over(sky, inks.accent.expand_as(sky), 0.35 * torch.exp(-away * 4) * sun)
    sky = canvas.over(sky, inks.accent.expand_as(sky), inside(away - uniform(rng, n, 0.13, 0.2), size, 1.5) * sun)
    deep = inks.either(inks.ground * 0.85, inks.deep)
    hazy = inks.either(inks.deep.lerp(inks.mid, 0.55), inks.ground.lerp(inks.mid, 0.45))
    picture = _range(rng, sky, uniform(rng, n, -0.02, 0.16), hazy, low)
    top, snow = uniform(rng, n, -0.55, -0.2), uniform(rng, n, 0.16, 0.5)
    picture = _massif(rng, picture, top, side, inks, snow)
    lake = canvas.choose(rng, n, 2, [0.6, 0.4])
    near = uniform(rng, n, 0.6, 0.78) + lake.view(n, 1, 1) * 9  # no near slope before a lake
    picture = _range(rng, picture, near, deep, deep * 0.8)
    picture = _lake(rng, picture, uniform(rng, n, 0.36, 0.52), lake.view(n, 1, 1).float(), inks.deep)
    attributes = canvas.records(
        palette=palettes.named(inks), snow=((False, True), snow > 0.34), light=(palettes.SIDES, (side + 1) / 2),
        sun=((False, True), sun), lake=((False, True), lake), night=((False, True), inks.dark),
    )  # fmt: skip
    return Sheet(picture.clamp(0, 1), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """A phrase true of the picture."""
    heads = ["mountains", "mountain landscape", "a tall mountain peak", "mountain peak in haze", "high mountains"]
    cover = ["with snow", "covered in snow"] if attributes["snow"] else ["with snow on top", "with a snow cap"]
    parts = [words.choice(heads), words.choice(cover), "in " + palettes.tones(attributes["palette"], words)]
    extras = [f"lit from the {attributes['light']}", "dark sky" if attributes["night"] else "pale sky"]
    if attributes["sun"]:
        extras.append(words.choice(["sun in the sky", "a large sun"]))
    if attributes["lake"]:
        extras += [words.choice(["mirrored in a lake", "still lake below", "reflection in a lake"])]
    return canvas.phrase(" ".join(parts), words.sample(extras, words.randint(0, 2)), 16)
