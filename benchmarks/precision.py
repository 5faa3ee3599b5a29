"""How far a scout's pictures in another precision are from its own float32 twin's: the same family, pixels, rates.

    python benchmarks/precision.py [first-light] [--places 512] [--stride 0.25 1 4]

Places lie evenly on the plane's globe (a Fibonacci sphere). At each there is a second one, `--stride` latents of arc
away, as from one frame of a show to its next: the Lipschitz rate between the two is measured through either scout, each
through the same float32 eye. Aim: at least 98 in 100 of the same family.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from common import show
from scipy.stats import spearmanr

from installation.rig import open_studio
from installation.studio import Studio
from latentworld import globe
from latentworld import preset as presets
from latentworld.arrays import Array, Units
from latentworld.decoding import Decoder

Seen = tuple[Array, Array, Array]  # pictures 0..1 [n, 3, h, w], families by number [n], rates feature/latent [n]


def evenly(count: int) -> Units:
    """Units [count, 3] of a Fibonacci sphere."""
    rank = np.arange(count) + 0.5
    height, turn = 1 - 2 * rank / count, np.pi * (1 + 5**0.5) * rank
    ring = np.sqrt(1 - height**2)
    return np.asarray(np.stack([ring * np.cos(turn), ring * np.sin(turn), height], axis=1))


def seen(studio: Studio, decoder: Decoder, units: Units, stride: float) -> Seen:
    """What one decoder makes of places and of their neighbours."""
    assert studio.networks is not None
    plane, classify = studio.plane, studio.eye.labels([one.prompt for one in studio.networks.world.card.subjects])
    sideways = globe.normalise(np.cross(units, np.roll(units, 1, axis=1)))
    beyond, _ = globe.step(units, sideways, np.full(len(units), stride / plane.target))
    pictures, beside = (decoder(plane.latents(some, 1.0), studio.prompt) for some in (units, beyond))
    features, others = studio.eye(pictures), studio.eye(beside)
    chord = np.linalg.norm(plane.points(units, 1.0) - plane.points(beyond, 1.0), axis=1)
    rates = np.linalg.norm(np.asarray(features - others, np.float64), axis=1) / chord
    return pictures.numpy(), classify(features).argmax(dim=1).numpy(), rates


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", default="first-light")
    parser.add_argument("--places", type=int, default=512)
    parser.add_argument("--stride", type=float, nargs="+", default=[1.0])
    asked = parser.parse_args()
    studio = open_studio(presets.load(asked.preset).changed(decoder={"kind": "scout", "engine": "openvino"}))
    twin, fast = (studio.decoder.variant(replace(studio.settings, precision=one)) for one in ("", "bfloat16"))
    units, rows, began = evenly(asked.places), [], time.perf_counter()
    for stride in asked.stride:
        (slow, family, rates), (quick, other, felt) = (seen(studio, one, units, stride) for one in (twin, fast))
        away = 255 * np.abs(slow - quick).mean(axis=(1, 2, 3))
        apart = np.median(np.abs(felt / rates - 1))
        rows.append(
            (f"{stride:g}", f"{(family == other).mean():.2%}", f"{away.mean():.2f}", f"{np.quantile(away, 0.99):.2f}",
             f"{spearmanr(rates, felt).statistic:.4f}", f"{apart:.2%}")
        )  # fmt: skip
    title = f"{asked.preset}: a scout in bfloat16 against float32, {asked.places} places of the plane"
    columns = ("stride, latents", "same family", "pixels apart /255, mean", "99 in 100", "rates: rank correlation",
               "median apart")  # fmt: skip
    show(title, columns, rows, [f"{time.perf_counter() - began:.0f} s"])


if __name__ == "__main__":
    main()
