"""Mountain ranges: ridge behind ridge in the haze, snow caps, a dawn or noon sky, now and then a mirror lake."""

from __future__ import annotations

import random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from . import canvas
from .canvas import Sheet, inside, smoothstep, uniform

FAMILY = "mountains"
PROMPT = "mountain landscape with snow"
LAYERS = 5  # painted from the farthest to the nearest

# sky top, sky middle, horizon, haze, rock lit, rock shade, snow lit, snow shade, forest
PALETTES = {
    "alpine blue day": "2c68b2 70a6d8 cee4f2 b0cde6 8c847e 424c62 fcfcfa 96b2d8 1e3836",
    "golden dawn": "5476a8 e2b296 ffe0aa f4cea8 b2704e 4e405a ffe2bc 968cac 2c2630",
    "dusk violet": "262254 7c5492 f4a08e ba84a6 785476 2e2852 f0bec8 7668a4 181630",
    "winter grey": "808e9e acb8c4 dee4e8 ccd4dc 7a7e84 464e5a f6f8fa acb8c8 343e46",
    "desert red": "4684b6 a8c4ce f8dcb4 e8be98 ce6a3e 703432 fae8d6 ba9696 582c24",
    "alpenglow": "1e386e 6e7ab2 f0b8b2 a096be d6765c 3e3c68 ffb294 6c74b0 161e32",
    "moonlit night": "080e24 16264c 46628c 344e78 465674 141e3a bacce8 466094 080e1a",
    "misty green": "78a8be b0ced0 e8eede c4d8d0 688660 2c504c f4f8f4 a0bac0 183a2e",
    "orange sunset": "3a3058 d06854 ffbe60 e28a60 964e42 3a243e ffcca0 926a82 1e1422",
    "polar blue": "3e78a4 8cbed6 e2f0f4 bcdae8 627a92 2c4c72 fafeff 82b2d6 24425c",
}


def _sky(rng: torch.Generator, n: int, size: int, paints: list[Tensor], sun: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Three-stop gradient, streaks of cloud and, where present, a sun with its glow."""
    x, y = canvas.grid(size)
    stops = torch.stack([p.flatten(1) for p in (paints[0], paints[1], paints[2])], dim=1)
    sky = canvas.gradient_map(stops, ((y[:, :1] + 1) / uniform(rng, n, 1.0, 1.5)).clamp(0, 1)).expand(-1, -1, -1, size)
    cloud = smoothstep(0.5, 0.9, canvas.clouds(rng, n, size, 4, 3, 2.2)) * uniform(rng, n, 0.0, 0.75)
    sky = canvas.over(sky, (paints[2] * 0.6 + 0.4 * paints[6]).expand_as(sky), cloud)
    cx, cy, shown = sun
    away = torch.sqrt((x - cx) ** 2 + (y - cy) ** 2)
    warm = (paints[6] * 0.7 + 0.3).clamp(max=1).expand_as(sky)
    sky = canvas.over(sky, warm, torch.exp(-away * 3.2) * 0.6 * shown)
    return canvas.over(sky, warm, inside(away - 0.11, size, 1.5) * shown)


def _ridge(
    rng: torch.Generator, sky: Tensor, part: float, crest: Tensor, paints: list[Tensor], side: Tensor, snow: Tensor,
    bend: Tensor,
) -> Tensor:  # fmt: skip
    """Paints one range over ``sky``; ``part`` is 0 for the farthest and 1 for the nearest."""
    n, _, size, _ = sky.shape
    x, y = canvas.grid(size)
    far, near = 1 - part, part > 0.9
    relief = uniform(rng, n, 0.15, 0.45) * (0.35 + 0.65 * far)
    line, offsets, tops = canvas.summits(rng, n, size, 4 + round(2 * part), crest, relief, (0.55, 1.15, 0.35))
    below = y - line
    at = x + 0.35 * bend * (below + 0.15).clamp(0, 0.6)
    off = canvas.look_up(offsets, at)
    drop = (y - canvas.look_up(tops, at)).clamp(min=0) + 0.1
    fan = off / drop * uniform(rng, n, 0.8, 1.4) + bend * 0.9
    spur = 4 * (fan - (fan + 0.5).floor()).abs() - 1
    lit = smoothstep(-0.5, 0.5, -side * off / drop * 1.5 + 0.45 * spur)
    line_of_snow = crest + snow * (0.45 + 0.55 * far) - y + 0.1 * spur * (below * 8).clamp(0, 1) + 0.1 * bend
    white = smoothstep(-0.025, 0.025, line_of_snow) * (0.15 if near else 1.0)
    haze = (0.6 * far**1.3 + (0.6 * far + 0.3 * (not near)) * smoothstep(0.05, 0.6, below)).clamp(max=0.92)
    rock = (1 - haze) * (1 - white)
    white = (1 - haze) * white
    bright, dark = (paints[8] * 1.3, paints[8] * 0.7) if near else (paints[4], paints[5])
    weights = [rock * lit, rock * (1 - lit), white * lit, white * (1 - lit), haze]
    colour = canvas.mix(weights, [bright, dark, paints[6], paints[7], paints[3]])
    return sky.lerp(colour, inside(-below / 1.3, size, 1.2)[:, None])


def _lake(rng: torch.Generator, picture: Tensor, shore: Tensor, present: Tensor, tint: Tensor) -> Tensor:
    """A still lake below ``shore`` that mirrors the view, darkened and gently rippled."""
    n, _, size, _ = picture.shape
    x, y = canvas.grid(size)
    below = (y - shore).expand(n, -1, -1)
    phase = 9 * torch.log(below.clamp(min=0.02)) + 3 * canvas.clouds(rng, n, size, 3, 1)
    ripple = 0.035 * torch.sin(phase) * below.clamp(0, 1)
    at = torch.stack([x + ripple, (shore - below * 1.08 + ripple).clamp(-0.99, 0.99)], dim=-1)
    mirror = F.grid_sample(picture, at, align_corners=False, padding_mode="reflection")
    mirror = mirror * 0.78 + tint * 0.1
    bank = torch.exp(-((below / 0.025) ** 2))[:, None] * 0.6
    mirror = mirror + (tint - mirror) * bank
    return canvas.over(picture, mirror, inside(-below, size, 1.2) * present)


def draw(rng: torch.Generator, n: int, size: int) -> Sheet:
    """n mountain landscapes."""
    which = canvas.choose(rng, n, len(PALETTES))
    value = uniform(rng, n, 0.92, 1.06)[:, None]
    paints = [paint * value for paint in canvas.paints(PALETTES, which)]
    side = torch.where(uniform(rng, n, 0, 1) < 0.5, -1.0, 1.0)
    shown = (uniform(rng, n, 0, 1) < 0.35).float()
    horizon, reach = uniform(rng, n, -0.3, 0.1), uniform(rng, n, 0.0, 0.55)
    height = torch.minimum(uniform(rng, n, -0.8, -0.3), horizon - reach).clamp(min=-0.85)
    sun = (-side * uniform(rng, n, 0.2, 0.75), height, shown)
    snow, layers = uniform(rng, n, 0.0, 0.7), canvas.choose(rng, n, 3).view(n, 1, 1) + LAYERS - 2
    picture, bend = _sky(rng, n, size, paints, sun), canvas.clouds(rng, n, size, 4, 2) - 0.5
    for k in range(LAYERS):
        part = k / (LAYERS - 1)
        crest = horizon + (0.78 - horizon) * part**1.2 - (reach if k == 1 else 0.25 * reach * (k == 2))
        crest = crest + uniform(rng, n, -0.06, 0.06) + 3.0 * ((k == 0) & (layers < 5)) + 3.0 * ((k == 3) & (layers < 4))
        picture = _ridge(rng, picture, part, crest, paints, side, snow, bend if k % 2 else -bend.flip(2))
    lake = canvas.choose(rng, n, 2, [0.7, 0.3])
    shore = uniform(rng, n, 0.3, 0.62)
    picture = _lake(rng, picture, shore, lake.view(n, 1, 1).float(), paints[8] * 0.6 + paints[2] * 0.2)
    attributes = [
        {
            "family": FAMILY,
            "palette": list(PALETTES)[int(which[i])],
            "snow": round(float(snow[i]), 2),
            "light": "left" if side[i] > 0 else "right",
            "sun": bool(shown[i] > 0),
            "lake": bool(lake[i]),
            "peak": round(float(reach[i]), 2),
            "ranges": int(layers[i]),
        }
        for i in range(n)
    ]
    return Sheet(picture.clamp(0, 1), attributes)


MOODS = {
    "alpine blue day": ["under a clear blue sky", "on an alpine day", "in bright daylight"],
    "golden dawn": ["at golden dawn", "in golden morning light", "at sunrise"],
    "dusk violet": ["at violet dusk", "in purple twilight", "under a violet evening sky"],
    "winter grey": ["in grey winter light", "under a pale winter sky", "on a grey winter day"],
    "desert red": ["of red desert rock", "of red rock in warm light", "in a red desert"],
    "alpenglow": ["in alpenglow", "glowing pink at dusk", "with rosy evening light"],
    "moonlit night": ["on a moonlit night", "in blue moonlight", "under a dark night sky"],
    "misty green": ["in green mist", "in green morning mist", "with misty green slopes"],
    "orange sunset": ["at orange sunset", "under a burning orange sky", "in warm sunset light"],
    "polar blue": ["in cold polar light", "under a pale turquoise sky", "in icy blue air"],
}


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """A phrase true of the picture."""
    heads = ["mountains", "mountain landscape", "mountain range", "layered mountains", "mountain ridges in haze"]
    if attributes["peak"] > 0.3:
        heads += ["high mountains", "a tall mountain peak", "mountain peaks"]
    snow = attributes["snow"]
    cover = (
        ["with snow", "covered in snow"]
        if snow > 0.35
        else ["with snow caps", "with snow on top", "with snow on the summits"]
    )
    parts = [words.choice(heads), words.choice(MOODS[attributes["palette"]])]
    if snow > 0.15:
        parts.insert(1, words.choice(cover))
    extras = [f"lit from the {attributes['light']}"]
    if attributes["sun"]:
        extras.append("moon in the sky" if attributes["palette"] == "moonlit night" else "low sun in the sky")
    if attributes["lake"]:
        extras += [words.choice(["mirrored in a lake", "still lake below", "reflection in a lake"])]
    return canvas.phrase(" ".join(parts), words.sample(extras, words.randint(0, min(2, len(extras)))), 14)
