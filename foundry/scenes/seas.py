"""Wide horizons: seas with a glittering path under sun or moon, and dunes with lit and shaded flanks."""

from __future__ import annotations

import random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import canvas
from .canvas import Sheet, inside, smoothstep, uniform

FAMILY = "sea"
PROMPT = "sea under a wide sky"

# sky top, sky middle, horizon, light, far water, near water
SEAS = {
    "golden sunset": "3a4c80 e89670 ffd68c ffecbe ce8a68 283058",
    "moonlit night": "060a1c 122246 405c88 e2ecfa 243a62 040a1a",
    "blue noon": "266cbe 70b0e2 d4eaf4 fffcf0 60a2c8 0e4276",
    "rose dawn": "768ebe e2b2bc ffdec8 fff2e2 ceacb8 485882",
    "storm grey": "424c58 7a848e c4cacc f0f2ee 7a8890 26343e",
    "violet dusk": "241c50 7a488a f69880 ffd6b2 925c88 1a1842",
    "turquoise tropics": "2c86c4 8acce2 e6f4ec fffff4 62cecc 086886",
    "burning orange": "462442 d65436 ffb84e ffe8a0 be5638 2a1630",
    "green evening": "1e425c 6ea29e f6e2a8 fff6d2 789e92 103242",
}

# sky top, sky middle, horizon, light, sand lit, sand shade
DUNES = {
    "golden sand": "3474b8 8ebcda f0e2c4 fff8e0 ecb870 8a543a",
    "red sand": "4a6ea0 c8b0a8 fcd8b0 ffecce de7442 682a2a",
    "rose sand": "6e78b0 deaeba fedcc4 fff0e0 eaac92 80546a",
    "moonlit sand": "080c20 162448 425880 e6eefa 7080a2 161e3a",
    "white sand": "3a7ebe 96c6e4 e8f0f0 fffff8 f4eee2 9eaac0",
    "sunset sand": "3c2c58 ce6254 ffbc68 ffe6aa e0824a 46243c",
}


def _sky(
    rng: torch.Generator, n: int, size: int, paints: list[Tensor], horizon: Tensor, sun: dict[str, Tensor]
) -> Tensor:
    """Gradient down to the horizon, bars of cloud, and the sun or moon with its glow."""
    x, y = canvas.grid(size)
    stops = torch.stack([p.flatten(1) for p in paints[:3]], dim=1)
    fall = ((y[:, :1] + 1) / (horizon + 1.0)).clamp(0, 1)
    sky = canvas.gradient_map(stops, fall ** uniform(rng, n, 0.7, 1.4)).expand(-1, -1, -1, size)
    away = torch.sqrt((x - sun["x"]) ** 2 + (y - sun["y"]) ** 2)
    sky = sky.lerp(paints[3].expand_as(sky), (torch.exp(-away * sun["glow"]) * 0.75 * sun["shown"])[:, None])
    disc = inside(away - sun["radius"], size, 1.5) * sun["shown"]
    sky = sky.lerp(paints[3].expand_as(sky), disc[:, None])
    cloud = smoothstep(0.5, 0.85, canvas.clouds(rng, n, size, 5, 3, 3.5))
    cloud = cloud * uniform(rng, n, 0.0, 0.8) * smoothstep(0.0, 0.25, horizon - y) * (1 - 0.85 * disc)
    tint = paints[2] * 0.7 + paints[3] * 0.2
    return sky.lerp(tint.expand_as(sky), cloud[:, None])


def _waves(rng: torch.Generator, n: int, size: int, deep: Tensor) -> Tensor:
    """Wave heights -1..1 in perspective: crests widen with ``deep``, the distance below the horizon."""
    x, _ = canvas.grid(size)
    texture = canvas.clouds(rng, n, 128, 9, 2)[:, None]
    along = x / (0.5 + deep) * uniform(rng, n, 0.35, 0.6) + uniform(rng, n, -0.2, 0.2)
    back = 1.1 * torch.log(deep.clamp(min=0.004) + 0.05) + uniform(rng, n, 0.9, 1.4)
    field = F.grid_sample(texture, torch.stack([along, back], dim=-1), align_corners=False, padding_mode="reflection")
    return (field[:, 0] - 0.5) * 2.4


def _sea(rng: torch.Generator, sky: Tensor, paints: list[Tensor], horizon: Tensor, sun: dict[str, Tensor]) -> Tensor:
    """Water below the horizon: darker towards us, waves, and the path of light."""
    n, _, size, _ = sky.shape
    x, y = canvas.grid(size)
    deep = (y - horizon).clamp(min=0)
    waves = _waves(rng, n, size, deep) * uniform(rng, n, 0.4, 1.0)
    rise = smoothstep(0.0, 0.3, deep)
    near = (smoothstep(0.0, 1.1, deep) ** 0.7 - 0.28 * waves * (0.15 + rise)).clamp(0, 1)
    width = sun["radius"] * 0.8 + 0.05 + 0.35 * deep * uniform(rng, n, 0.4, 1.2)
    path = torch.exp(-(((x - sun["x"]) / width) ** 2)) * sun["shown"]
    sparkle = smoothstep(-0.35, 0.45, waves * (0.3 + rise) + 0.55 * path - 0.3)
    gleam = (path * sparkle * (1 - 0.35 * deep)).clamp(0, 1)
    haze = torch.exp(-deep * 14) * 0.5 * (1 - gleam)
    weights = [near * (1 - gleam) * (1 - haze), (1 - near) * (1 - gleam) * (1 - haze), gleam, haze * (1 - gleam)]
    total = sum(weights)
    water = canvas.mix([w / total for w in weights], [paints[5], paints[4], paints[3], paints[2]])
    return sky.lerp(water, inside(horizon - y, size, 1.2)[:, None])


def _dunes(rng: torch.Generator, sky: Tensor, paints: list[Tensor], horizon: Tensor, side: Tensor) -> Tensor:
    """Three ranges of dunes; the crest of each winds down between a lit and a shaded flank."""
    n, _, size, _ = sky.shape
    x, y = canvas.grid(size)
    picture = sky
    for k, part in enumerate((0.0, 0.45, 1.0)):
        crest = horizon - 0.12 + (0.62 - horizon) * part * uniform(rng, n, 0.75, 1.1)
        relief = uniform(rng, n, 0.15, 0.3)
        line, offsets, tops = canvas.summits(rng, n, size, 4 - k, crest, relief, (0.25, 0.6, 0.0))
        below = y - line
        off = canvas.look_up(offsets, x.expand_as(below))
        drop = (y - canvas.look_up(tops, x.expand_as(below))).clamp(min=0)
        wind = uniform(rng, n, 0.1, 0.3) * torch.sin(drop * uniform(rng, n, 3, 6)) * side - drop * side * 0.3
        edge = side * (off - wind)
        lit = smoothstep(0.03, -0.03 - 0.25 * drop, edge)
        swell = torch.sin((drop * 1.2 + 0.25 * off * side) * 30 / (0.6 + drop) + 3 * off) * (0.04 + 0.05 * part)
        tone = (lit * (0.92 - 0.35 * drop) + (1 - lit) * 0.25 * drop + swell * lit).clamp(0, 1)
        haze = (0.6 * (1 - part) + 0.15 * smoothstep(0.1, 0.5, below)).clamp(0, 1) * (1 - 0.6 * part)
        weights = [tone * (1 - haze), (1 - tone) * (1 - haze), haze]
        sand = canvas.mix(weights, [paints[4], paints[5], paints[2] * 0.6 + paints[4] * 0.4])
        picture = picture.lerp(sand, inside(-below, size, 1.2)[:, None])
    return picture


def _half(rng: torch.Generator, n: int, size: int, dunes: bool) -> tuple[Tensor, list[dict[str, Any]]]:
    """n pictures of one kind, with their attributes."""
    table = DUNES if dunes else SEAS
    which = canvas.choose(rng, n, len(table))
    value = uniform(rng, n, 0.94, 1.05)[:, None]
    paints = [paint * value for paint in canvas.paints(table, which)]
    horizon = uniform(rng, n, -0.15, 0.3) if dunes else uniform(rng, n, -0.35, 0.35)
    shown = (uniform(rng, n, 0, 1) < (0.4 if dunes else 0.8)).float()
    up = uniform(rng, n, 0, 1)
    sun = {
        "x": uniform(rng, n, -0.65, 0.65),
        "y": horizon - (0.18 if dunes else 0.02) - up * (horizon + 0.7),
        "shown": shown,
        "radius": uniform(rng, n, 0.06, 0.2),
        "glow": uniform(rng, n, 1.8, 4.0),
    }
    picture = _sky(rng, n, size, paints, horizon, sun)
    side = torch.where(sun["x"] < 0, 1.0, -1.0)
    picture = _dunes(rng, picture, paints, horizon, side) if dunes else _sea(rng, picture, paints, horizon, sun)
    attributes = [
        {
            "family": FAMILY,
            "kind": "dunes" if dunes else "sea",
            "palette": list(table)[int(which[i])],
            "sun": bool(shown[i] > 0),
            "light": "left" if side[i] > 0 else "right",
            "height": round(float(up[i]), 2),
            "horizon": round(float(horizon[i]), 2),
        }
        for i in range(n)
    ]
    return picture.clamp(0, 1), attributes


def draw(rng: torch.Generator, n: int, size: int) -> Sheet:
    """n pictures, about two seas to one of dunes, in mixed order."""
    kinds = canvas.choose(rng, n, 2, [0.62, 0.38])
    pictures, attributes = torch.empty(n, 3, size, size), [{} for _ in range(n)]
    for kind in (0, 1):
        rows = (kinds == kind).nonzero()[:, 0]
        if len(rows):
            pictures[rows], made = _half(rng, len(rows), size, bool(kind))
            for row, attribute in zip(rows.tolist(), made, strict=True):
                attributes[row] = attribute
    return Sheet(pictures, attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """A phrase true of the picture."""
    mood, night = attributes["palette"], attributes["palette"].startswith("moonlit")
    body = "moon" if night else "sun"
    low = "low " if attributes["height"] < 0.4 else ""
    if attributes["kind"] == "dunes":
        heads = [f"dunes of {mood}", f"desert dunes, {mood}", f"{mood} dunes", f"dunes in {mood} colours"]
        extras = [words.choice(["soft shadows", f"lit from the {attributes['light']}", "winding crests", "wide sky"])]
    else:
        heads = [f"sea at {mood}" if mood.split()[-1] in TIMES else f"sea in {mood}", f"ocean, {mood}"]
        heads += [f"sea under a wide sky, {mood}", f"waves on the sea, {mood} colours"]
        extras = [words.choice(["calm horizon", "gentle waves", "open water"])]
        if attributes["sun"]:
            extras.append(words.choice([f"glittering path under the {body}", f"{body} reflected on the water"]))
    if attributes["sun"]:
        extras.append(f"{low}{body} in the sky")
    return canvas.phrase(words.choice(heads), words.sample(extras, words.randint(1, min(2, len(extras)))), 14)


TIMES = ("sunset", "night", "noon", "dawn", "dusk", "evening")
