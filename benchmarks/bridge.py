"""Bridges beside the plane's way between the same pictures, on the embedded world.

    python benchmarks/bridge.py [--steps 20] [--frames 25] [--strength 0.002] [--noise-level 0.6] [--out out/bridge]

Four pairs of held-out scenes, no one of them seen in training. For each: the bridge is built, filmed at even steps
through the held decoder at guidance 5, and so are the great circle at the same noise level (strength 0) and the plane's
way (both pictures inverted to pure noise). Told: log p of the noisy latents gained on the great circle, in nats, by the
line integral of the score; the denoising loss of what is decoded; CLIP steps; and what CLIP thinks of what it sees.
Strips: the bridge, the plane's way and the great circle, their CLIP steps under each on one scale.
"""

from __future__ import annotations

import argparse
import io
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from common import show
from PIL import Image, ImageDraw
from torch import Tensor
from vertices import scene

from installation import pictures
from installation.bridge.making import Wanted, build
from installation.pictures import SourcePicture
from installation.rig import of_plane, open_studio
from installation.studio import Studio
from installation.vertices.making import Options, Place, inverter_of, trio
from latentworld import preset, vertices
from latentworld.arrays import Array
from latentworld.decoding import inverse
from latentworld.decoding.bend import Bend
from latentworld.decoding.diffusion import Diffusion
from latentworld.decoding.uphill import uphill
from latentworld.plane import Plane
from latentworld.sections import PlaneSpec
from latentworld.tokens import DARK, PHASES
from latentworld.vertices import Bridge, Trio

PAIRS = (("planets", "cats"), ("flowers", "mountains"), ("rosettes", "moons"), ("seas", "textures"))
LEVEL, DRAWS = 0.98, 4  # of the denoising loss: the picture's share of the variance, and fixed noises in opposite pairs
ACROSS = 4  # midpoints of the line integral between a point of the great circle and the bridge's
GROUND, INK, COLOURS = DARK.ground, DARK.ink, (PHASES[1], PHASES[0], DARK.faint)


@dataclass(frozen=True, eq=False)
class Way:
    """What a way looks like: pictures [n, 3, h, w], CLIP steps [n - 1], sureness [n], denoising loss [n]."""

    pictures: Tensor
    steps: Array
    sure: Array
    loss: Array


def filmed(studio: Studio, made: Trio, folder: Path, name: str, frames: int) -> Way:
    """A vertex file's first edge at even angles, through the decoder that a preset with this file would have."""
    file = folder / f"{name}.safetensors"
    file.write_bytes(vertices.serialised(made))
    inverter = inverter_of(studio)
    settings = of_plane(inverter.settings, PlaneSpec(vertices=str(file)), studio.world, inverter.settings)
    decoder = inverter.variant(replace(settings, batch=5))
    plane = Plane(made.vertices)
    z0, z1 = (corner / np.linalg.norm(corner) for corner in plane.corners[:2])
    apart = math.acos(float(np.clip(z0 @ z1, -1, 1)))
    shares = np.linspace(0, 1, frames)[:, None]
    units = (np.sin((1 - shares) * apart) * z0 + np.sin(shares * apart) * z1) / math.sin(apart)
    clean = decoder.clean(plane.latents(units / np.linalg.norm(units, axis=1, keepdims=True)), studio.prompt)
    shown = decoder.paint_all(clean)
    features = studio.eye(shown)
    labels = studio.eye.labels([subject.prompt for subject in decoder.world.card.subjects])
    steps = np.linalg.norm(np.diff(np.asarray(features, np.float64), axis=0), axis=1)
    sure = np.asarray(labels(features).max(dim=1).values, np.float64)
    return Way(shown, steps, sure, loss(inverse.unguided(inverter, 5), clean, studio))


def loss(judge: Diffusion, clean: Tensor, studio: Studio) -> Array:
    """The denoising loss of clean latents [n, C, H, W], per number of a latent: high where they are surprising."""
    time_ = int((judge.scheduler.alphas_cumprod - LEVEL).abs().argmin())
    share = float(judge.scheduler.alphas_cumprod[time_])
    angle, kind = math.atan2(math.sqrt(1 - share), math.sqrt(share)), str(judge.scheduler.config["prediction_type"])
    conditioning, total = judge.conditioning(studio.prompt), torch.zeros(len(clean))
    noises = inverse.noise_of(range(DRAWS // 2), judge.shape)
    for noise in torch.cat([noises, -noises]):
        for at in range(0, len(clean), 5):
            noisy = math.cos(angle) * clean[at : at + 5] + math.sin(angle) * noise
            (word,) = judge.predictions(noisy, time_, conditioning)
            found = math.cos(angle) * noisy - math.sin(angle) * inverse.velocity(word, noisy, angle, kind)
            total[at : at + 5] += ((found - clean[at : at + 5]) ** 2).flatten(1).mean(dim=1)
    return np.asarray(total.double() * share / (1 - share) / DRAWS)


def gained(studio: Studio, made: Trio) -> Array:
    """log p of the bridge's inner points less that of the great circle's at the same share, nats [k]."""
    assert made.bridge is not None
    inverter = inverter_of(studio)
    gradient = uphill(inverter.variant(replace(inverter.settings, start=made.bridge.start, batch=15)), studio.prompt)
    way = made.bridge.latents.reshape(len(made.bridge.latents), -1)
    straight, radius = Bend(made.bridge.latents[[0, -1]]), float(np.linalg.norm(way[0]))
    circle = np.stack([radius * straight.at(share) for share in np.linspace(0, 1, len(way))])
    total = np.zeros(len(way) - 2)
    for number in range(ACROSS):
        middle = circle + (number + 0.5) / ACROSS * (way - circle)
        total += (gradient(middle[1:-1]) * (way - circle)[1:-1]).sum(axis=1) / ACROSS
    return total


def row(name: str, way: Way) -> list[str]:
    steps = way.steps
    even = steps.max() / steps.mean()
    return [name, f"{steps.sum():.2f}", f"{steps.max():.3f}", f"{even:.1f}", f"{way.loss.mean():.4f}",
            f"{np.mean(way.sure[1:-1] >= 0.9):.2f}"]  # fmt: skip


def strip(ways: Sequence[tuple[str, Way]], shown: int = 9) -> Image.Image:
    """Each way's pictures with the curve of its steps under them, all curves on one scale."""
    side, gap, curve = 128, 4, 56
    top = max(float(way.steps.max()) for _, way in ways)
    wide = shown * (side + gap) - gap
    page = Image.new("RGB", (wide + 32, len(ways) * (side + curve + 40) + 16), GROUND)
    pen = ImageDraw.Draw(page)
    for number, (name, way) in enumerate(ways):
        y = 16 + number * (side + curve + 40)
        for column, frame in enumerate(np.linspace(0, len(way.pictures) - 1, shown).round().astype(int)):
            levels = np.rint(way.pictures[frame].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
            page.paste(Image.fromarray(levels), (16 + column * (side + gap), y))
        low, colour = y + side + 8 + curve, COLOURS[number]
        for step, size in enumerate(way.steps):  # bars: a step belongs to the gap between two frames
            left = 16 + step * wide / len(way.steps)
            high = curve * float(size) / top
            pen.rectangle((left + 1, low - high, left + wide / len(way.steps) - 2, low), fill=colour)
        words = f"{name}: CLIP length {way.steps.sum():.2f}, largest step {way.steps.max():.2f}"
        pen.text((16, low + 6), words, INK)
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--strength", type=float, default=Wanted.strength)
    parser.add_argument("--noise-level", type=float, default=Wanted.noise_level)
    parser.add_argument("--out", type=Path, default=Path("out/bridge"))
    parser.add_argument("--pairs", type=int, nargs="+", default=range(len(PAIRS)))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    found = ["decoder.engine='eager'", "decoder.dtype='float32'", f"decoder.steps={asked.steps}"]
    studio = open_studio(preset.parse({}, found))
    for number in asked.pairs:
        measured(studio, PAIRS[number], asked)


def measured(studio: Studio, pair: tuple[str, str], asked: argparse.Namespace) -> None:
    inverter = inverter_of(studio)
    a, b = (drawn(name, inverter.size) for name in pair)
    seeds = vertices.from_seeds((0, 123, 200), inverter.shape)
    began, worked = time.perf_counter(), time.process_time()
    wanted = Wanted(noise_level=asked.noise_level, strength=asked.strength)
    bent = build(inverter, studio.prompt, (a, b), seeds[2], wanted).trio
    wall, cpu = time.perf_counter() - began, time.process_time() - worked
    assert bent.bridge is not None
    flat = replace(bent, bridge=Bridge(bent.bridge.latents[[0, -1]], bent.bridge.start))
    places = [Place(a), Place(b), Place(None, seeds[2], {"kind": "seed"})]
    plain = trio(inverter, studio.prompt, places, Options("guidance")).trio
    with tempfile.TemporaryDirectory() as folder:
        ways = [
            (name, filmed(studio, made, Path(folder), name, asked.frames))
            for name, made in (("bridge", bent), ("plane", plain), ("great circle", flat))
        ]
    gain, said = gained(studio, bent), bent.origin["bridge"]
    assert isinstance(said, dict)
    show(
        f"{pair[0]} to {pair[1]}: {asked.frames} frames, guidance 5, {asked.steps} steps",
        ("way", "CLIP length", "largest step", "largest/mean", "denoising loss", "share CLIP >= 0.9"),
        [row(name, way) for name, way in ways],
        [f"log p gained on the great circle: mean {gain.mean():.0f} nats, least {gain.min():.0f} of {gain.size} points",
         f"bridge {said['stretch']:.3f} times as long, last sweep moved {said['moved']:.4f} of the radius",
         f"built in {cpu:.1f} s of processor, {wall:.1f} s of wall"],
    )  # fmt: skip
    strip(ways).save(asked.out / f"{pair[0]}-{pair[1]}.png")


def drawn(family: str, size: tuple[int, int]) -> SourcePicture:
    """A held-out scene as a picture's file has it."""
    buffer = io.BytesIO()
    Image.fromarray((scene(family) * 255).round().byte().permute(1, 2, 0).numpy()).save(buffer, "PNG")
    return pictures.decoded(buffer.getvalue(), f"{family}.png", size)


if __name__ == "__main__":
    main()
