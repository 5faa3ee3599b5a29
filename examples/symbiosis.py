"""Two textures of our own drawing and a third, and the vertices that the preset *symbiosis* walks between.

    python examples/symbiosis.py            draws presets/symbiosis/*.png and inverts them in the embedded world
    python examples/symbiosis.py --sheet triangle.png    the plane between them, a picture every fifth of a side

bark: ridges of noise that noise has bent; lichen: two substances that react and spread (Gray and Scott; parameters
after Pearson, "Complex patterns in a simple system", 1993); water: light through a wavy surface. Every pixel follows
from the numbers here.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float64]
HERE = Path(__file__).resolve().parent.parent / "presets" / "symbiosis"
SIDE = 256


def noise(seed: int, scale: float, power: float = 1.6, stretch: float = 1.0) -> Field:
    """Smooth noise in -1..1, periodic: features of about `scale` pixels, `stretch` times as long across."""
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij")
    f = np.hypot(x * stretch, y) * scale
    shaped = np.fft.fft2(rng.normal(size=(SIDE, SIDE))) * np.exp(-(f**power))
    found = np.fft.ifft2(shaped).real
    return np.asarray(np.clip(found / (2.2 * found.std()), -1, 1))


def coloured(height: Field, stops: list[tuple[float, tuple[int, int, int]]]) -> Field:
    """A field 0..1 through a ramp of colours: [SIDE, SIDE, 3] in 0..1."""
    at = [stop for stop, _ in stops]
    return np.stack([np.interp(height, at, [ink[c] / 255 for _, ink in stops]) for c in range(3)], axis=-1)


def lit(height: Field, strength: float = 2.2) -> Field:
    """Light from the upper left on a relief, about 1 where it is level."""
    dy, dx = np.gradient(height)
    return np.asarray(np.clip(1.0 + strength * (dx + dy), 0.55, 1.5))[..., None]


def bark() -> Field:
    """Upright ridges, warm and deep."""
    x = np.linspace(0, 1, SIDE)[None, :]
    bent = 7.0 * x + 0.75 * noise(1, 70) + 0.16 * noise(2, 18, stretch=2.5)
    ridge = 1 - np.abs(2 * (bent % 1.0) - 1) ** 1.5
    height = 0.8 * ridge + 0.2 * (0.5 + 0.5 * noise(3, 9, stretch=3.0))
    ramp = [(0.0, (22, 12, 12)), (0.35, (84, 38, 26)), (0.7, (178, 98, 52)), (1.0, (240, 196, 136))]
    return coloured(height, ramp) * lit(6 * height, 0.35)


def lichen(steps: int = 5000) -> Field:
    """Spots that have grown together, pale green on slate."""
    feed, kill = 0.037, 0.06
    v = np.where(noise(4, 24)[::2, ::2] > 0.35, 0.6, 0.0)  # at half the size: its lines are few pixels wide
    u = 1.0 - v

    def spread(field: Field) -> Field:
        rolled = [np.roll(field, shift, axis) for axis in (0, 1) for shift in (1, -1)]
        across = [np.roll(np.roll(field, a, 0), b, 1) for a in (1, -1) for b in (1, -1)]
        return np.asarray(0.2 * sum(rolled) + 0.05 * sum(across) - field)

    for _ in range(steps):
        reaction = u * v * v
        u += 1.0 * spread(u) - reaction + feed * (1 - u)
        v += 0.5 * spread(v) + reaction - (feed + kill) * v
    levels = ((v - v.min()) / (v.max() - v.min()) * 65535).astype(np.float32)
    large = Image.fromarray(levels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    height = np.clip(np.asarray(large, np.float64) / 65535, 0, 1)
    ramp = [(0.0, (24, 34, 44)), (0.3, (50, 84, 82)), (0.6, (132, 176, 122)), (1.0, (232, 240, 190))]
    return coloured(height, ramp) * lit(5 * height, 0.35)


def water() -> Field:
    """Bright threads on deep blue."""
    sheets = [1 - np.abs(noise(seed, 58) + 0.3 * noise(seed + 10, 90)) for seed in (5, 6)]
    height = np.clip(0.12 + (sheets[0] ** 9 + 0.7 * sheets[1] ** 9) / 1.5, 0, 1)
    ramp = [(0.0, (6, 22, 58)), (0.35, (18, 74, 132)), (0.7, (70, 160, 200)), (1.0, (226, 250, 250))]
    return coloured(np.asarray(height), ramp)


def sheet(target: Path, cells: int = 5, side: int = 128, gap: int = 10) -> None:
    """The triangle of the preset's plane: z0 at the top, z1 below left, z2 below right."""
    from installation.frames import develop
    from installation.rig import open_studio
    from latentworld import preset
    from latentworld.tokens import DARK

    studio = open_studio(preset.load(HERE.parent / "symbiosis.toml", ["decoder.batch=7"]))
    places = [(row - column, column) for row in range(cells + 1) for column in range(row + 1)]
    alpha, beta = (np.array([place[k] / cells for place in places]) for k in (0, 1))
    pictures = develop(studio.decoder(studio.plane.latents(studio.plane.unit(alpha, beta)), studio.prompt))
    step, margin = side + gap, 32
    page = Image.new("RGB", ((cells + 1) * step + 2 * margin - gap, (cells + 1) * step + 2 * margin - gap), DARK.ground)
    for (left, right), picture in zip(places, pictures, strict=True):
        row = left + right
        across = margin + (cells - row) * step // 2 + right * step
        page.paste(Image.fromarray(picture).resize((side, side)), (across, margin + row * step))
    page.save(target, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures-only", action="store_true", help="invert nothing")
    parser.add_argument("--sheet", type=Path, help="draw the plane into this PNG, and nothing else")
    parser.add_argument("--strip", type=Path, help="a PNG that shows how near each picture is reached")
    asked = parser.parse_args()
    if asked.sheet is not None:
        sheet(asked.sheet)
        return
    HERE.mkdir(parents=True, exist_ok=True)
    for draw in (bark, lichen, water):
        levels = np.rint(np.clip(draw(), 0, 1) * 255).astype(np.uint8)
        Image.fromarray(levels).save(HERE / f"{draw.__name__}.png", optimize=True)
    if not asked.pictures_only:
        from installation.cli import app

        given = [str(HERE / f"{draw.__name__}.png") for draw in (bark, lichen, water)]
        options = ["--preset", str(HERE.parent / "symbiosis.toml"), "--overwrite"]
        options += [] if asked.strip is None else ["--strip", str(asked.strip)]
        command = ["vertices", "from-picture", *given, "-o", str(HERE / "trio.safetensors"), *options]
        app(command, standalone_mode=False)


if __name__ == "__main__":
    main()
