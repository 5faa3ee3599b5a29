"""Is memory flat? Resident memory over 20,000 frames of the analytic world, through every sink a film has.

    python benchmarks/memory.py [--frames 20000] [--size 64]

Prints the least-squares slope after the first fifth (caches fill up there), in bytes a frame and MB per 20,000 frames.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Self

import numpy as np
import psutil  # type: ignore[import-untyped]

from installation.film import make
from installation.frames import Frames
from installation.stopwatch import Stopwatch
from latentworld import preset


class Gauge:
    """A sink that reads resident memory after every batch, and says so a hundred times."""

    def __init__(self, frames: int) -> None:
        self.frames, self.seen, self.watch = frames, 0, Stopwatch()
        self.samples: list[tuple[int, int]] = []
        self._process = psutil.Process()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        pass

    def send(self, frames: Frames) -> None:
        """Read memory."""
        before, self.seen = self.seen, self.seen + len(frames)
        self.samples.append((self.seen, self._process.memory_info().rss))
        if before * 20 // self.frames != self.seen * 20 // self.frames:
            rate = self.seen / self.watch.seconds
            print(f"{self.seen:7d} frames  {self.samples[-1][1] / 1e6:7.1f} MB  {rate:6.1f} frames/s", flush=True)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args()
    settings = [
        f"film.seconds={options.frames / 24}",
        f"decoder.height={options.size}",
        f"decoder.width={options.size}",
    ]
    journey = preset.load("analytic", [*settings, "film.scale=1", "decoder.steps=10"])
    gauge = Gauge(options.frames)
    with tempfile.TemporaryDirectory() as folder:
        film = make.film(journey, Path(folder), sinks=[gauge])
    index, memory = np.array(gauge.samples, dtype=np.float64).T
    late = index > options.frames / 5
    slope = np.polyfit(index[late], memory[late], 1)[0]
    print(f"RSS slope: {slope:.1f} bytes a frame, {slope * 20_000 / 1e6:.2f} MB per 20,000 frames", end="")
    print(f" (from {memory[late][0] / 1e6:.1f} to {memory[late][-1] / 1e6:.1f} MB; {film.summary.frames} frames)")


if __name__ == "__main__":
    main()
