"""Cats: heads and seated bodies, drawn from a few soft shapes in head units (the head is about 1.2 wide)."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from foundry.scenes import canvas

FAMILY = "cat"
PROMPT = "a cat looking at the camera"

# Coat, marking, light parts, nose.
FURS = {
    "black": ((46, 44, 52), (30, 28, 34), (240, 238, 236), (92, 72, 78)),
    "white": ((242, 238, 232), (214, 206, 198), (252, 250, 248), (236, 158, 156)),
    "ginger": ((230, 148, 72), (178, 92, 36), (252, 230, 202), (222, 128, 112)),
    "grey": ((138, 143, 154), (84, 88, 100), (228, 229, 234), (148, 108, 112)),
    "cream": ((236, 212, 176), (200, 160, 116), (252, 243, 230), (228, 150, 138)),
    "brown": ((142, 104, 74), (80, 54, 38), (228, 208, 180), (170, 100, 88)),
}
EYES = {
    "green": (128, 186, 92), "amber": (232, 162, 48), "blue": (104, 174, 226), "copper": (204, 110, 46),
    "yellow": (234, 212, 88),
}  # fmt: skip
BACKGROUNDS = {
    "blue": ((150, 190, 220), (62, 98, 148)),
    "green": ((186, 206, 160), (84, 124, 96)),
    "pink": ((248, 214, 208), (214, 142, 148)),
    "golden": ((250, 222, 162), (212, 148, 82)),
    "teal": ((120, 190, 186), (30, 92, 104)),
    "purple": ((190, 168, 210), (92, 70, 128)),
    "cream": ((250, 240, 222), (218, 192, 160)),
    "dark": ((72, 76, 92), (28, 30, 40)),
}
PATTERNS = ("plain", "tabby", "patched", "tuxedo")
# Chances of the patterns, a row a fur.
COATS = ((5, 0, 2, 5), (1, 0, 0, 0), (1, 5, 2, 2), (2, 4, 2, 2), (3, 3, 1, 1), (1, 5, 1, 2))
POSES = ("portrait", "portrait", "seated", "close-up")


def _stroke(base: Tensor, colour: Tensor, distance: Tensor, scale: Tensor, size: int, softness: float = 1.6) -> Tensor:
    """``colour`` where ``distance`` (head units) is negative."""
    return torch.lerp(base, colour, canvas.inside(distance * scale, size, softness)[:, None])


def _body(base: Tensor, x: Tensor, y: Tensor, look: dict[str, Tensor], size: int) -> Tensor:
    """Tail, pear-shaped trunk, bib, forelegs and paws."""
    scale, coat, side = look["scale"], look["coat"], look["side"]
    tail = torch.maximum(canvas.ellipse(x * side - 0.5, y - 1.72, 0.55, 0.3).abs() - 0.11, 0.1 - x * side)
    shadow = canvas.ellipse(x, y - 2.05, 1.15, 0.2)
    base = base * (1 - 0.35 * canvas.smoothstep(0.12, -0.12, shadow))[:, None]
    trunk = torch.minimum(canvas.ellipse(x, y - 1.3, 0.66, 0.8), canvas.ellipse(x, y - 0.75, 0.46, 0.6))
    stripes = canvas.smoothstep(0.1, 0.7, torch.cos(11 * y - 5 * x * x + 3 * look["wobble"]))
    stripes = stripes * canvas.smoothstep(0.12, 0.4, x.abs()) * look["tabby"]
    fur = canvas.over(coat, look["mark"], stripes * 0.85)
    base = _stroke(base, coat * 0.86, tail, scale, size)
    base = _stroke(base, look["light"], torch.maximum(tail, 0.92 - x * side) + (1 - look["tuxedo"]) * 9, scale, size)
    light = 1.02 - 0.22 * (x / 0.7) ** 2 - 0.12 * x - 0.3 * canvas.smoothstep(0.75, 0.2, y)
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
    u, v = canvas.rotate(m - 0.34, -(y + 0.16), spread)
    for width, length, paint in ((0.23, 0.68, coat * 0.92), (0.14, 0.53, look["inner"])):
        t = v / length
        ear = (u.abs() - width * (1 - t * t)) / (1 + (2 * width * t / length) ** 2).sqrt()
        base = _stroke(base, paint, torch.maximum(torch.maximum(ear, (t - 1) * length), -v), scale, size)
    flare = 1 + 0.16 * y
    skull = canvas.ellipse(x / flare, y, look["wide"], 0.52) + 0.02 * (look["wobble"] - 0.5)
    brow = canvas.smoothstep(0.1, 0.7, torch.cos(20 * m + 2.5 * y)) * canvas.smoothstep(-0.14, -0.24, y)
    brow = brow * canvas.smoothstep(0.42, 0.34, m)
    cheek = canvas.smoothstep(0.0, 0.7, torch.cos(17 * y - 7 * m + 1.2)) * canvas.smoothstep(0.38, 0.46, m)
    fur = canvas.over(coat, mark, torch.maximum(brow, cheek * (y > -0.2)) * look["tabby"] * 0.85)
    fur = canvas.over(fur, look["light"], canvas.smoothstep(0.52, 0.58, look["blotch"]) * look["patched"])
    blaze = canvas.smoothstep(0.03, -0.05, m - 0.05 - 0.42 * (y + 0.2).clamp(0)) * canvas.smoothstep(-0.34, -0.2, y)
    fur = canvas.over(fur, look["light"], blaze * look["tuxedo"])
    round_light = 1.1 - 0.42 * (m / 0.75) ** 2 - 0.22 * (y - 0.05) ** 2 - 0.1 * x * look["side"] - 0.08 * y
    return _stroke(base, fur * round_light[:, None], skull, scale, size, 2.2)


def _eyes(base: Tensor, x: Tensor, y: Tensor, look: dict[str, Tensor], size: int) -> Tensor:
    """Almond eyes with a rim, a shaded iris, a slit or round pupil and a highlight."""
    scale, high = look["scale"], look["open"]
    u, v = canvas.rotate(x.abs() - 0.265, y + 0.04, torch.tensor(-0.22))
    wide = 0.175
    almond = (v.abs() - high * (1 - (u / wide) ** 2)) / (1 + (2 * high * u / wide**2) ** 2).sqrt()
    eye = 0.5 * almond + 0.5 * canvas.ellipse(u, v, wide * 0.95, high * 1.02)
    base = _stroke(base, look["rim"], eye - 0.028, scale, size)
    glow = (0.78 + 2.6 * (v + 0.06) + 0.3 * canvas.smoothstep(0.13, 0.02, (u * u + v * v).sqrt())).clamp(0.55, 1.25)
    base = _stroke(base, look["iris"] * glow[:, None], eye, scale, size)
    pupil = torch.maximum(canvas.ellipse(x.abs() - 0.26, y + 0.04, look["pupil"], high * 0.88), eye + 0.01)
    base = _stroke(base, torch.full((1, 3, 1, 1), 0.05), pupil, scale, size)
    spark = (((x + 0.045).abs() - 0.26) ** 2 + (y + 0.085) ** 2).sqrt() - 0.034
    return _stroke(base, torch.ones(1, 3, 1, 1), spark, scale, size)


def _muzzle(base: Tensor, x: Tensor, y: Tensor, look: dict[str, Tensor], size: int) -> Tensor:
    """Muzzle pads, nose, mouth and whiskers."""
    scale, m = look["scale"], x.abs()
    pads = torch.minimum(canvas.ellipse(m - 0.105, y - 0.25, 0.155, 0.12), canvas.ellipse(x, y - 0.36, 0.1, 0.08))
    base = canvas.over(base, look["pad"], 0.9 * canvas.smoothstep(0.035, -0.05, pads))
    mouth = torch.minimum(
        torch.maximum(canvas.ellipse(m - 0.08, y - 0.24, 0.08, 0.085).abs() - 0.013, 0.27 - y),
        canvas.capsule(x, y, (0.0, 0.18), (0.0, 0.28)) - 0.013,
    )
    base = canvas.over(base, look["rim"], 0.75 * canvas.inside(mouth * scale, size, 2))
    nose = torch.maximum(0.8 * m + 0.6 * (y - 0.2), 0.11 - y) - 0.012
    base = _stroke(base, look["nose"] * (1.1 - 2.0 * (y - 0.13).clamp(0, 0.2))[:, None], nose, scale, size)
    lift, sag = look["lift"], y - 0.12 * (m - 0.45) ** 2
    hairs = torch.stack([
        canvas.capsule(m, sag, (0.2, 0.22 + 0.045 * i), (0.84, 0.1 + 0.15 * i + lift)) for i in range(3)
    ]).amin(0)  # fmt: skip
    return canvas.over(base, look["whisker"], 0.7 * canvas.inside((hairs - 0.011) * scale, size, 2))


def _look(rng: torch.Generator, n: int, size: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Names chosen (as columns of `canvas.records`) and the numbers and colours that follow from them."""
    fur = canvas.choose(rng, n, len(FURS), (1.1, 0.8, 1.3, 1.1, 0.8, 1))
    pattern = torch.multinomial(torch.tensor(COATS, dtype=torch.float32)[fur], 1, generator=rng).flatten()
    pose, eyes = canvas.choose(rng, n, len(POSES)), canvas.choose(rng, n, len(EYES))
    coat, mark, light, nose = (canvas.palette([f[i] for f in FURS.values()], fur) for i in range(4))
    slit = canvas.choose(rng, n, 2)
    seated, close = (pose == 2).view(n, 1, 1), (pose == 3).view(n, 1, 1)
    scale = canvas.uniform(rng, n, 0.74, 1.05)
    scale = torch.where(seated, 0.5 + 0.4 * (scale - 0.74), torch.where(close, scale * 1.5, scale))
    is_pattern = {name: (pattern == i).view(n, 1, 1).float() for i, name in enumerate(PATTERNS)}
    bib = torch.maximum(is_pattern["tuxedo"], is_pattern["patched"])
    dark = (fur == 0).view(n, 1, 1, 1)
    pale = (is_pattern["tuxedo"] > 0)[:, None] | ((fur != 0).view(n, 1, 1, 1))
    warm = 0.92 + 0.14 * torch.rand(n, 1, 1, 1, generator=rng)
    look = {
        **is_pattern, "bib": bib, "coat": coat * warm, "mark": mark, "light": light, "scale": scale,
        "nose": nose, "inner": coat * 0.45 + nose * 0.5, "rim": mark * 0.25 + 0.06,
        "pad": torch.where(pale, 0.3 * coat + 0.7 * light, coat * 1.25),
        "whisker": torch.where(dark | (fur == 2).view(n, 1, 1, 1), light, light * 0.4 + 0.6),
        "iris": canvas.palette(list(EYES.values()), eyes),
        "pupil": canvas.uniform(rng, n, 0.8, 1.2) * torch.where(slit.view(n, 1, 1) > 0, 0.035, 0.09),
        "open": canvas.uniform(rng, n, 0.105, 0.15), "wide": canvas.uniform(rng, n, 0.58, 0.68),
        "ears": canvas.uniform(rng, n, 0.12, 0.42), "lift": canvas.uniform(rng, n, -0.08, 0.06),
        "side": canvas.choose(rng, n, 2).view(n, 1, 1) * 2.0 - 1, "tilt": canvas.uniform(rng, n, -0.32, 0.32),
        "cx": canvas.uniform(rng, n, -0.25, 0.25), "cy": torch.where(seated, -0.42, canvas.uniform(rng, n, -0.12, 0.2)),
        "wobble": canvas.noise(rng, n, size, 9), "blotch": canvas.noise(rng, n, size, 4),
    }  # fmt: skip
    chosen = {
        "fur": (list(FURS), fur), "pattern": (PATTERNS, pattern), "pose": (POSES, pose), "eyes": (list(EYES), eyes),
        "pupils": (("round", "slit"), slit),
    }  # fmt: skip
    return chosen, look


def draw(rng: torch.Generator, n: int, size: int) -> canvas.Sheet:
    """Paints n cats; attributes: fur, pattern, pose, eyes, pupils, tilt, background."""
    chosen, look = _look(rng, n, size)
    ground = canvas.choose(rng, n, len(BACKGROUNDS))
    tones = [canvas.palette([b[i] for b in BACKGROUNDS.values()], ground) for i in range(2)]
    picture = canvas.backdrop(rng, *tones, size)
    x, y = canvas.grid(size)
    x, y = (x - look["cx"]) / look["scale"], (y - look["cy"]) / look["scale"]
    picture = _body(picture, x, y, look, size)
    x, y = canvas.rotate(x, y, look["tilt"])
    picture = _head(picture, x, y, look, size)
    turn = canvas.uniform(rng, n, -0.09, 0.09)
    picture = _muzzle(_eyes(picture, x - turn, y, look, size), x - 1.3 * turn, y, look, size)
    attributes = canvas.records(
        **chosen, background=(list(BACKGROUNDS), ground), tilted=((False, True), look["tilt"].abs() > 0.15)
    )
    return canvas.Sheet(picture.clamp(0, 1), attributes)


def describe(attributes: dict[str, Any], words: random.Random) -> str:
    """What the cat looks like, in varied wording."""
    a = attributes
    coats = {"plain": "cat", "tabby": "tabby cat", "patched": "and white cat", "tuxedo": "cat with a white blaze"}
    cat = f"{a['fur']} {coats[a['pattern']]}"
    start = {"portrait": "portrait of a {c}", "seated": "sitting {c}", "close-up": "close-up face of a {c}"}[a["pose"]]
    if words.random() < 0.3:
        start = "a {c}"
    extras = [f"{a['eyes']} eyes", f"{a['pupils']} pupils", f"{a['background']} background"]
    if a["tilted"]:
        extras.append("tilted head")
    return start.format(c=cat) + ", " + ", ".join(words.sample(extras, words.choice((1, 2))))
