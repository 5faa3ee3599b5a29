"""Wide horizons: seas with a path of light under a large sun, and dunes with lit and shaded flanks."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from foundry.scenes import canvas, palettes
from foundry.scenes.canvas import Sheet, inside, smoothstep, uniform
from foundry.scenes.palettes import Inks

FAMILY = "sea"
PROMPT = "sea under a wide sky"
KINDS = ("sea", "dunes")


def _sky(inks: Inks, side: Tensor, horizon: Tensor, sun: dict[str, Tensor], size: int) -> Tensor:
    """The ground, glowing towards the horizon, and the disc of the sun with its glow."""
    x, y = canvas.grid(size)
    sky = palettes.backdrop(inks, side, size)
    low = inks.either(inks.deep.lerp(inks.mid, 0.5).lerp(inks.accent, 0.12), inks.light)
    sky = sky.lerp(low.expand_as(sky), 0.85 * smoothstep(-1.0, 0.0, y - horizon)[:, None] ** 2)
    away = ((x - sun["x"]) ** 2 + (y - sun["y"]) ** 2).sqrt()
    glow = 0.4 * torch.exp(-(away - sun["radius"]).clamp(min=0) * 5) * sun["shown"]
    sky = canvas.over(sky, inks.accent.expand_as(sky), glow)
    return canvas.over(sky, inks.accent.expand_as(sky), inside(away - sun["radius"], size, 1.5) * sun["shown"])


def _sea(rng: torch.Generator, sky: Tensor, inks: Inks, horizon: Tensor, sun: dict[str, Tensor]) -> Tensor:
    """Water below the horizon, darker towards us, and the path of light as bars that widen and part."""
    n, _, size, _ = sky.shape
    x, y = canvas.grid(size)
    deep = (y - horizon).clamp(min=0)
    far, near = inks.either(inks.deep.lerp(inks.mid, 0.5), inks.mid), inks.either(inks.ground * 0.9, inks.deep)
    water = far + (near - far) * smoothstep(0.0, 0.85, deep)[:, None]
    # Swells: a few broad bars over the whole width, wider towards us.
    phase = 6.2832 * torch.log(1 + 2.6 * deep) * uniform(rng, n, 2.6, 3.4) + uniform(rng, n, 0, 6.28)
    bend = uniform(rng, n, 0.5, 0.9) * torch.sin(1.7 * x / (0.5 + deep) + uniform(rng, n, 0, 6.28))
    swell = torch.sin(phase + bend)
    pale = inks.either(inks.mid, inks.light)
    water = canvas.over(water, pale.expand_as(water), 0.2 * smoothstep(0.1, 0.7, swell) * smoothstep(0.03, 0.2, deep))
    width = sun["radius"] * 0.75 + 0.28 * deep * sun["spread"]
    bars = smoothstep(0.15, 0.85, torch.sin(phase + bend)) + smoothstep(0.16, 0.0, deep)
    span = (x - sun["x"]).abs() - width * (0.75 + 0.3 * torch.sin(0.5 * phase))
    path = inside(span, size, 6) * bars.clamp(max=1) * sun["shown"]
    shine = inks.accent.lerp(inks.light, 0.35)
    water = canvas.over(water, shine.expand_as(water), 0.9 * path)
    return sky.lerp(water, inside(horizon - y, size, 1.5)[:, None])


def _dunes(rng: torch.Generator, sky: Tensor, inks: Inks, horizon: Tensor, side: Tensor) -> Tensor:
    """Three dunes, one behind the other; the crest of each winds down between a lit and a shaded flank."""
    n, _, size, _ = sky.shape
    x, y = canvas.grid(size)
    picture = sky
    sand = inks.either(inks.mid, inks.mid.lerp(inks.light, 0.15))
    shade = inks.either(inks.deep, inks.deep.lerp(inks.mid, 0.12))
    for k, part in enumerate((0.0, 0.5, 1.0)):
        top = horizon - 0.16 + 0.5 * part + uniform(rng, n, -0.05, 0.05)
        cx = side * (0.75 * (k % 2) - 0.3) + uniform(rng, n, -0.25, 0.25)
        off = x - cx
        line = (
            top + uniform(rng, n, 0.3, 0.5) * ((off * off + 0.02).sqrt() - 0.14) + 0.03 * torch.sin(4 * x + 6.28 * part)
        )
        down = (y - top).clamp(min=0)
        crest = (
            cx
            - side * (0.55 * down + 0.3 * down * down)
            + uniform(rng, n, 0.05, 0.12) * torch.sin(down * uniform(rng, n, 5, 7))
        )
        lit = smoothstep(-0.03 - 0.08 * down, 0.03 + 0.08 * down, side * (x - crest))
        haze = (0.55 * (1 - part)) * torch.ones_like(lit)
        bright = sand.lerp(inks.light, 0.35 * part)
        low = inks.either(inks.deep.lerp(inks.mid, 0.5), inks.light)
        tone = lit * (1 - 0.35 * smoothstep(0.0, 0.9, y - line))
        colour = canvas.mix([tone * (1 - haze), (1 - tone) * (1 - haze), haze], [bright, shade, low])
        picture = picture.lerp(colour, inside(line - y, size, 1.5)[:, None])
    return picture


def draw(rng: torch.Generator, n: int, size: int) -> Sheet:
    """n pictures, about two seas to one of dunes; attributes: kind, palette, sun, light, low."""
    inks, side = palettes.draw(rng, n), palettes.lights(rng, n)
    kind = canvas.choose(rng, n, 2, [0.64, 0.36])
    dunes = (kind == 1).view(n, 1, 1)
    horizon = torch.where(dunes, uniform(rng, n, 0.0, 0.25), uniform(rng, n, -0.05, 0.35))
    shown = (uniform(rng, n, 0, 1) < torch.where(dunes, 0.6, 0.85)).float()
    radius, up = uniform(rng, n, 0.16, 0.3), uniform(rng, n, 0, 1)
    sun = {
        "x": side * uniform(rng, n, 0.0, 0.5),
        "y": (horizon - 0.1 - dunes * 0.28 - up * (horizon + 0.5)).clamp(min=radius - 0.9),
        "radius": radius, "shown": shown, "spread": uniform(rng, n, 0.6, 1.3),
    }  # fmt: skip
    sky = _sky(inks, side, horizon, sun, size)
    picture = torch.where(dunes[:, None], _dunes(rng, sky, inks, horizon, side), _sea(rng, sky, inks, horizon, sun))
    attributes = canvas.records(
        kind=(KINDS, kind), palette=palettes.named(inks), sun=((False, True), shown),
        light=(palettes.SIDES, (side + 1) / 2), low=((False, True), up < 0.4), night=((False, True), inks.dark),
    )  # fmt: skip
    return Sheet(picture.clamp(0, 1), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """A phrase true of the picture."""
    tone = palettes.tones(attributes["palette"], words)
    low = "low " if attributes["low"] else ""
    if attributes["kind"] == "dunes":
        heads = [f"dunes in {tone}", f"desert dunes, {tone}", f"sand dunes in {tone}"]
        extras = [words.choice(["soft shadows", f"lit from the {attributes['light']}", "winding crests", "wide sky"])]
    else:
        heads = [f"sea in {tone}", f"ocean, {tone}", f"sea under a wide sky, {tone}", f"waves on the sea, {tone}"]
        extras = [words.choice(["calm horizon", "gentle waves", "open water"])]
        if attributes["sun"]:
            extras.append(words.choice(["glittering path under the sun", "sun reflected on the water"]))
    if attributes["sun"]:
        extras.append(words.choice([f"{low}sun in the sky", f"a large {low}sun"]))
    extras.append("dark sky" if attributes["night"] else "pale sky")
    return canvas.phrase(words.choice(heads), words.sample(extras, words.randint(1, 2)), 16)
