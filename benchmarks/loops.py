"""Loops without a seam: the step from the last frame to the first against the others, preset by preset.

    python benchmarks/loops.py [PRESET …] [--seconds 4] [--fps 12]

Each preset is filmed as a loop (`film.loop`), through the decoder that it names. Aims: the seam within 1.2 times the
median step, every unmarked step within twice and half of it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from common import machine

from installation.film import make, telemetry
from latentworld import preset

PRESETS = ("analytic", "first-light", "neutral", "ornaments", "void")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("presets", nargs="*", default=PRESETS)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--fps", type=float, default=12.0)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    print(machine())
    for name in options.presets:
        asked = [f"film.seconds={options.seconds}", f"film.fps={options.fps}", "film.loop=true", *options.settings]
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            film = make.film(preset.load(name, asked), Path(folder, "film"))
            steps = telemetry.read(film.folder.telemetry).clip_step[1:]
        seen, median = film.summary, float(np.median(steps))
        assert seen.seam_step is not None  # it is a loop
        print(f"{name}: {seen.frames} frames, seam {seen.seam_step / median:.3f} of the median step {median:.4f}, "
              f"largest {steps.max() / median:.2f}, least {steps.min() / median:.2f}, {seen.marked_steps} marked, even "
              f"{seen.even}, {time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
