"""Cats: heads and seated bodies, drawn from a few soft shapes in head units (the head is about 1.2 wide)."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from foundry.scenes import canvas, palettes
from foundry.scenes.palettes import Inks

FAMILY = "cat"
PROMPT = "a cat looking at the camera"

# Coat, marking, light parts, nose; each is drawn towards an ink of the print.
FURS = {
    "black": ((40, 38, 48), (24, 24, 30), (240, 238, 236), (92, 72, 78)),
    "white": ((240, 236, 230), (210, 202, 196), (252, 250, 248), (236, 158, 156)),
    "ginger": ((232, 146, 66), (176, 88, 34), (252, 232, 206), (222, 128, 112)),
    "grey": ((138, 143, 154), (82, 87, 100), (230, 231, 236), (160, 116, 120)),
}
EYES = ((246, 190, 74), (176, 206, 112), (150, 200, 222))
PATTERNS = ("plain", "tabby", "tuxedo")
# Chances of the patterns, a row a fur.
COATS = ((4, 0, 5), (1, 0, 0), (2, 5, 3), (3, 4, 3))
POSES = ("portrait", "seated", "close-up")


def _stroke(base: Tensor, colour: Tensor, distance: Tensor, scale: Tensor, size: int, softness: float = 1.6) -> Tensor:
    """``colour`` where ``distance`` (head units) is negative."""
    return torch.lerp(base, colour, canvas.inside(distance * scale, size, softness)[:, None])


def _body(base: Tensor, x: Tensor, y: Tensor, look: dict[str, Tensor], size: int) -> Tensor:
    """Tail, pear-shaped trunk, bib, forelegs and paws."""
    scale, coat, side = look["scale"], look["coat"], look["tail"]
    tail = torch.maximum(canvas.ellipse(x * side - 0.5, y - 1.72, 0.55, 0.3).abs() - 0.11, 0.1 - x * side)
    shadow = canvas.ellipse(x, y - 2.05, 1.15, 0.2)
    base = base * (1 - 0.35 * canvas.smoothstep(0.12, -0.12, shadow))[:, None]
    trunk = torch.minimum(canvas.ellipse(x, y - 1.3, 0.66, 0.8), canvas.ellipse(x, y - 0.75, 0.46, 0.6))
    stripes = canvas.smoothstep(0.1, 0.7, torch.cos(10 * y - 5 * x * x + 2 * look["wobble"]))
    stripes = stripes * canvas.smoothstep(0.12, 0.4, x.abs()) * look["tabby"]
    fur = canvas.over(coat, look["mark"], stripes * 0.85)
    base = _stroke(base, coat * 0.86, tail, scale, size)
    base = _stroke(base, look["light"], torch.maximum(tail, 0.92 - x * side) + (1 - look["tuxedo"]) * 9, scale, size)
    light = 1.02 - 0.22 * (x / 0.7) ** 2 + 0.12 * x * look["side"] - 0.3 * canvas.smoothstep(0.75, 0.2, y)
    base = _stroke(base, fur * light[:, None], trunk, scale, size)
    bib = canvas.smoothstep(0.06, -0.1, torch.maximum(canvas.ellipse(x, y - 0.75, 0.27, 0.62), trunk)) * look["bib"]
    base = canvas.over(base, look["light"] * light[:, None], bib)
    legs = canvas.capsule(x.abs(), y, (0.17, 1.1), (0.17, 1.98)) - 0.145
    paws = torch.minimum(legs, canvas.ellipse(x.abs() - 0.18, y - 2.02, 0.2, 0.12))
    tone = (1.04 - 0.3 * ((x.abs() - 0.17) / 0.15) ** 2).clamp(0.72)
    # The legs fade in from the chest, so that no seam shows at the shoulder.
    fade = canvas.inside(legs * scale, size, 2) * canvas.smoothstep(1.0, 1.5, y)
    base = torch.lerp(base, coat * tone[:, None], fade[:, None])
    socks = torch.maximum(paws, 1.85 - y)
    base = _stroke(base, coat * 0.95, socks, scale, size)
    return _stroke(base, look["light"] * 0.97, socks + (1 - look["bib"]) * 9, scale, size)


def _head(base: Tensor, x: Tensor, y: Tensor, look: dict[str, Tensor], size: int) -> Tensor:
    """Ears and the skull with its markings."""
    scale, coat, mark = look["scale"], look["coat"], look["mark"]
    m = x.abs()
    spread = look["ears"]
    u, v = canvas.rotate(m - 0.36, -(y + 0.12), spread)
    for width, length, paint in ((0.235, 0.74, coat * 0.92), (0.145, 0.58, look["inner"])):
        t = v / length
        ear = (u.abs() - width * (1 - t * t)) / (1 + (2 * width * t / length) ** 2).sqrt()
        base = _stroke(base, paint, torch.maximum(torch.maximum(ear, (t - 1) * length), -v), scale, size)
    flare = 1 + 0.16 * y
    skull = canvas.ellipse(x / flare, y, look["wide"], 0.52) + 0.02 * (look["wobble"] - 0.5)
    brow = canvas.smoothstep(0.1, 0.7, torch.cos(15 * m + 2.5 * y)) * canvas.smoothstep(-0.14, -0.24, y)
    brow = brow * canvas.smoothstep(0.42, 0.34, m)
    cheek = canvas.smoothstep(0.0, 0.7, torch.cos(14 * y - 6 * m + 1.0)) * canvas.smoothstep(0.38, 0.46, m)
    fur = canvas.over(coat, mark, torch.maximum(brow, cheek * (y > -0.2)) * look["tabby"] * 0.85)
    blaze = canvas.smoothstep(0.03, -0.05, m - 0.05 - 0.42 * (y + 0.2).clamp(0)) * canvas.smoothstep(-0.34, -0.2, y)
    fur = canvas.over(fur, look["light"], blaze * look["tuxedo"])
    round_light = 1.1 - 0.42 * (m / 0.75) ** 2 - 0.22 * (y - 0.05) ** 2 + 0.12 * x * look["side"] - 0.08 * y
    return _stroke(base, fur * round_light[:, None], skull, scale, size, 2.2)


def _eyes(base: Tensor, x: Tensor, y: Tensor, look: dict[str, Tensor], size: int) -> Tensor:
    """Almond eyes with a rim, a shaded iris, a round or upright pupil and a highlight."""
    scale, high = look["scale"], look["open"]
    u, v = canvas.rotate(x.abs() - 0.275, y + 0.03, torch.tensor(-0.2))
    wide = 0.205
    almond = (v.abs() - high * (1 - (u / wide) ** 2)) / (1 + (2 * high * u / wide**2) ** 2).sqrt()
    eye = 0.45 * almond + 0.55 * canvas.ellipse(u, v, wide * 0.95, high * 1.02)
    base = _stroke(base, look["rim"], eye - 0.034, scale, size)
    glow = (0.8 + 2.0 * (v + 0.06) + 0.25 * canvas.smoothstep(0.15, 0.02, (u * u + v * v).sqrt())).clamp(0.6, 1.2)
    base = _stroke(base, look["iris"] * glow[:, None], eye, scale, size)
    pupil = torch.maximum(canvas.ellipse(x.abs() - 0.27, y + 0.03, look["pupil"], high * 0.9), eye + 0.012)
    base = _stroke(base, torch.full((1, 3, 1, 1), 0.06), pupil, scale, size)
    spark = ((x.abs() - 0.27 - 0.055 * look["side"] * x.sign()) ** 2 + (y + 0.085) ** 2).sqrt() - 0.042
    return _stroke(base, torch.ones(1, 3, 1, 1), spark, scale, size)


def _muzzle(base: Tensor, x: Tensor, y: Tensor, look: dict[str, Tensor], size: int) -> Tensor:
    """Muzzle pads, nose, mouth and whiskers."""
    scale, m = look["scale"], x.abs()
    pads = torch.minimum(canvas.ellipse(m - 0.105, y - 0.26, 0.155, 0.12), canvas.ellipse(x, y - 0.36, 0.1, 0.08))
    base = canvas.over(base, look["pad"], 0.9 * canvas.smoothstep(0.04, -0.05, pads))
    mouth = torch.minimum(
        torch.maximum(canvas.ellipse(m - 0.085, y - 0.25, 0.085, 0.09).abs() - 0.018, 0.28 - y),
        canvas.capsule(x, y, (0.0, 0.18), (0.0, 0.29)) - 0.018,
    )
    base = canvas.over(base, look["rim"], 0.75 * canvas.inside(mouth * scale, size, 2))
    nose = torch.maximum(0.8 * m + 0.6 * (y - 0.22), 0.11 - y) - 0.018
    base = _stroke(base, look["nose"] * (1.1 - 2.0 * (y - 0.13).clamp(0, 0.2))[:, None], nose, scale, size)
    sag = y - 0.12 * (m - 0.45) ** 2
    hairs = torch.stack([
        canvas.capsule(m, sag, (0.24, 0.24 + 0.07 * i), (0.78, 0.16 + 0.2 * i)) for i in range(2)
    ]).amin(0)  # fmt: skip
    there = look["whiskers"] * 0.75
    return canvas.over(base, look["whisker"], there * canvas.inside((hairs - 0.02) * scale, size, 2))


def _look(rng: torch.Generator, n: int, size: int, inks: Inks) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Names chosen (as columns of `canvas.records`) and the numbers and colours that follow from them."""
    fur = canvas.choose(rng, n, len(FURS), (1.1, 0.9, 1.2, 1.0))
    pattern = torch.multinomial(torch.tensor(COATS, dtype=torch.float32)[fur], 1, generator=rng).flatten()
    pose = canvas.choose(rng, n, len(POSES), (1.3, 1.0, 0.9))
    own = torch.stack([inks.deep * 0.6, inks.light, inks.accent, inks.mid])[fur, torch.arange(n)]
    coat, mark, light, nose = (canvas.palette([f[i] for f in FURS.values()], fur) for i in range(4))
    coat, mark = coat.lerp(own, 0.4), mark.lerp(own * 0.55, 0.4)
    light = light.lerp(inks.light, 0.5)
    eyes = canvas.palette(EYES, canvas.choose(rng, n, len(EYES)))
    slit = canvas.choose(rng, n, 2).view(n, 1, 1)
    seated, close = (pose == 1).view(n, 1, 1), (pose == 2).view(n, 1, 1)
    scale = canvas.uniform(rng, n, 0.86, 1.02)
    scale = torch.where(seated, 0.58 + 0.3 * (scale - 0.86), torch.where(close, scale * 1.38, scale))
    is_pattern = {name: (pattern == i).view(n, 1, 1).float() for i, name in enumerate(PATTERNS)}
    ginger, dark = (fur == 2).view(n, 1, 1, 1), (fur == 0).view(n, 1, 1, 1)
    pale = (is_pattern["tuxedo"] > 0)[:, None] | ~dark
    look = {
        **is_pattern, "bib": is_pattern["tuxedo"], "coat": coat, "mark": mark, "light": light, "scale": scale,
        "nose": nose, "inner": coat * 0.45 + nose * 0.5, "rim": mark * 0.25 + 0.06,
        "pad": torch.where(pale, 0.3 * coat + 0.7 * light, coat * 1.3),
        "whisker": torch.where((fur == 1).view(n, 1, 1, 1), light * 0.25 + inks.mid * 0.6, light),
        "whiskers": (~seated).float(), "iris": eyes.lerp(torch.where(ginger, inks.mid, inks.accent), 0.3),
        "pupil": canvas.uniform(rng, n, 0.9, 1.15) * torch.where(slit > 0, 0.05, 0.11),
        "open": canvas.uniform(rng, n, 0.135, 0.165), "wide": canvas.uniform(rng, n, 0.6, 0.66),
        "ears": canvas.uniform(rng, n, 0.16, 0.34), "side": palettes.lights(rng, n),
        "tilt": canvas.uniform(rng, n, -0.1, 0.1), "cx": canvas.uniform(rng, n, -0.08, 0.08),
        "cy": torch.where(seated, -0.42, torch.where(close, 0.08, 0.02) + canvas.uniform(rng, n, -0.06, 0.06)),
        "tail": canvas.choose(rng, n, 2).view(n, 1, 1) * 2.0 - 1, "wobble": canvas.noise(rng, n, size, 4),
    }  # fmt: skip
    chosen = {"fur": (list(FURS), fur), "pattern": (PATTERNS, pattern), "pose": (POSES, pose)}
    return chosen, look


def draw(rng: torch.Generator, n: int, size: int) -> canvas.Sheet:
    """Paints n cats; attributes: fur, pattern, pose, palette, light."""
    inks = palettes.draw(rng, n)
    chosen, look = _look(rng, n, size, inks)
    picture = palettes.backdrop(inks, look["side"], size)
    # Where the coat is nearly the ground's own tone, the ground behind it is lifted towards another ink.
    near = (look["coat"] - inks.ground).abs().mean(1, keepdim=True) < 0.16
    lifted = inks.either(inks.deep.lerp(inks.mid, 0.45), inks.ground.lerp(inks.mid, 0.6))
    picture = torch.where(near, picture.lerp(lifted.expand_as(picture), 0.85), picture)
    x, y = canvas.grid(size)
    x, y = (x - look["cx"]) / look["scale"], (y - look["cy"]) / look["scale"]
    picture = _body(picture, x, y, look, size)
    x, y = canvas.rotate(x, y, look["tilt"])
    picture = _head(picture, x, y, look, size)
    turn = canvas.uniform(rng, n, -0.07, 0.07)
    picture = _muzzle(_eyes(picture, x - turn, y, look, size), x - 1.3 * turn, y, look, size)
    attributes = canvas.records(**chosen, palette=palettes.named(inks), light=(palettes.SIDES, (look["side"] + 1) / 2))
    return canvas.Sheet(picture.clamp(0, 1), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """What the cat looks like, in varied wording."""
    a = attributes
    coats = {"plain": "cat", "tabby": "tabby cat", "tuxedo": "cat with a white blaze"}
    cat = f"{a['fur']} {coats[a['pattern']]}"
    start = {"portrait": "portrait of a {c}", "seated": "sitting {c}", "close-up": "close-up face of a {c}"}[a["pose"]]
    if words.random() < 0.3:
        start = "a {c}"
    extras = [f"in {palettes.tones(a['palette'], words)}", f"lit from the {a['light']}"]
    return start.format(c=cat) + ", " + ", ".join(extras[: words.choice((1, 1, 2))])
