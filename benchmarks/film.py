"""Long films: what chunks cost, and whether memory and open files stay.

    python benchmarks/film.py chunks [--frames 5760] [--turns 3]     chunks of a minute against one piece, in turns
    python benchmarks/film.py memory [--frames 100000]               resident memory and open files while one is made

Both film the analytic world at 64 pixels, where a frame costs least and everything around it therefore most.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from common import machine

SMALL = [
    "decoder.height=64", "decoder.width=64", "decoder.steps=10", "decoder.batch=16", "analytic.modes=8", "film.scale=1",
    "pacing.kind=latent",
]  # fmt: skip


def film(folder: Path, frames: int, chunk: float) -> subprocess.Popen[bytes]:
    """A film in a process of its own."""
    settings = [*SMALL, f"film.seconds={frames / 24}", f"film.chunk={chunk}"]
    told = [part for setting in settings for part in ("--set", setting)]
    arguments = [sys.executable, "-m", "installation", "film", "analytic", "-o", str(folder), *told]
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def seconds(frames: int, chunk: float) -> float:
    """What a film takes, loading and joining included."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        if film(Path(folder, "film"), frames, chunk).wait():
            sys.exit("the film failed: run it by hand to see why")
        return time.perf_counter() - began


def chunks(frames: int, turns: int) -> None:
    """Times of one piece and of chunks of a minute, one after the other."""
    print(machine())
    whole, cut = [], []
    for _ in range(turns):
        whole.append(seconds(frames, 3600.0))
        cut.append(seconds(frames, 60.0))
        print(f"one piece {whole[-1]:.1f} s, chunks {cut[-1]:.1f} s", flush=True)
    ratio = np.array(cut) / np.array(whole) - 1
    print(f"{frames} frames, {frames / 1440:g} chunks: {100 * ratio.mean():+.1f} ± "
          f"{100 * ratio.std(ddof=1) / np.sqrt(turns):.1f}% of the time")  # fmt: skip


def memory(frames: int) -> None:
    """Samples of a film's process once a second: slope of its resident memory, most of it, most open files."""
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        process = film(Path(folder, "film"), frames, 60.0)
        watched, samples = psutil.Process(process.pid), []
        began = time.perf_counter()
        while process.poll() is None:
            try:
                row = (time.perf_counter() - began, watched.memory_info().rss / 1e6, watched.num_fds())
            except psutil.Error:
                break
            samples.append(row)
            time.sleep(1.0)
        if process.wait():
            sys.exit("the film failed: run it by hand to see why")
    times, resident, handles = np.array(samples).T
    settled = times > min(20.0, times[-1] / 3)
    settled[-3:] = False  # joining and drawing
    slope = np.polyfit(times[settled] / 3600, resident[settled], 1)[0]
    grown = np.median(resident[settled][-20:]) - np.median(resident[settled][:20])
    few, many = handles[settled].min(), handles[settled].max()
    print(f"{frames} frames in {times[-1]:.0f} s: {slope:+.2f} MB an hour, {grown:+.1f} MB over the film, at most "
          f"{resident.max():.0f} MB; open files {few:.0f} to {many:.0f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    cost = commands.add_parser("chunks")
    cost.add_argument("--frames", type=int, default=5760)
    cost.add_argument("--turns", type=int, default=3)
    grown = commands.add_parser("memory")
    grown.add_argument("--frames", type=int, default=100_000)
    options = parser.parse_args()
    if options.command == "chunks":
        chunks(options.frames, options.turns)
    else:
        memory(options.frames)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
