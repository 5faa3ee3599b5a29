"""How a survey on Ray grows with its workers, with a decoder that sleeps, so that cores are not the limit.

Every block of 16 places takes 0.25 s in its worker; handing out, bringing back and writing are real. Of each crew the
first blocks, one a worker, and everything before them (processes, imports, the decoder) count as starting up and are
timed apart; the share of linear is that of the steady rate, blocks a second over workers / 0.25 s. Exits with 1 when
any of them reaches less than 0.9.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from common import show

from latentworld.arrays import Array
from latentworld.atlas import cluster
from latentworld.atlas.sampling import Window
from latentworld.atlas.settings import settings_of
from latentworld.atlas.store import create
from latentworld.atlas.types import Render, Rendered
from latentworld.cluster.crew import Means
from latentworld.plane import Plane
from latentworld.vertices import from_seeds

BLOCK, FEATURES, THUMB = 16, 512, 64
AIM = 0.9


def asleep(seconds: float, lobby: Path, workers: int) -> Render:
    """A worker's factory: a decoder that sleeps, with features and thumbnails of the usual size.

    The workers meet in the `lobby`, a folder, before any of them begins: starting up is then told from steady work.
    """
    (lobby / str(os.getpid())).touch()

    def render(units: Array, radii: Array) -> Rendered:
        while len(list(lobby.iterdir())) < workers:
            time.sleep(0.05)
        time.sleep(seconds)
        features = np.repeat(units.astype(np.float32), -(-FEATURES // 3), axis=1)[:, :FEATURES]
        noise = np.random.default_rng(0).integers(0, 256, (len(units), THUMB, THUMB, 3), np.uint8)  # hard to compress
        return Rendered(features, noise)

    return render


def timed(workers: int, blocks: int, seconds: float) -> tuple[float, float, float]:
    """Seconds to start up, steady seconds a block, and seconds of the whole survey."""
    plane = Plane(from_seeds((0, 1, 2), (4, 16, 16)))
    sampling = Window(rows=blocks, columns=BLOCK)
    arrived: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(sampling, plane, block=BLOCK)
        with create(Path(folder) / "atlas.zarr", settings, plane, {}) as store:
            start = time.perf_counter()
            lobby = Path(folder) / "lobby"
            lobby.mkdir()
            factory = partial(asleep, seconds, lobby, workers)
            cluster.survey(store, factory, Means("local", workers), lambda *_: arrived.append(time.perf_counter()))
            whole = time.perf_counter() - start
    first = arrived[workers - 1]  # they begin together
    return first - start, (arrived[-1] - first) / (blocks - workers), whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.25, help="what a block takes")
    parser.add_argument("--blocks", type=int, default=80, help="blocks a worker")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    chosen = parser.parse_args()
    rows, shares = [], {}
    alone = 0.0
    for workers in chosen.workers:
        begun, each, whole = timed(workers, chosen.blocks * workers, chosen.seconds)
        alone = alone or each
        shares[workers] = chosen.seconds / (workers * each)
        figures = (f"{begun:.1f} s", f"{1 / each:.2f}", f"{alone / each:.2f}", f"{shares[workers]:.3f}")
        starting = chosen.blocks * chosen.seconds / whole
        rows.append((str(workers), str(chosen.blocks * workers), *figures, f"{whole:.1f} s", f"{starting:.3f}"))
    columns = ("workers", "blocks", "start-up", "blocks/s", "speed-up", "of linear", "whole", "with start-up")
    notes = [
        f"A block: {BLOCK} places, {chosen.seconds:g} s asleep, {FEATURES} features and {THUMB} px of noise.",
        "of linear: blocks/s times seconds / workers; with start-up: the same of the whole, Ray's start too.",
    ]
    show(f"Survey on Ray, aim {AIM} of linear", columns, rows, notes)
    return int(min(shares.values()) < AIM)


if __name__ == "__main__":
    sys.exit(main())
