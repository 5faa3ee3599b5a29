"""How long people wait for words: the time of commands that make nothing, each in a process of its own.

    python benchmarks/help.py [--times 20]

Aims: help within 0.3 s, the list of presets within 0.5 s. Told are the median and the worst of `--times` runs, after
two that fill the disk's cache, and how many modules were imported.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMANDS = {
    "-h": 0.3, "": 0.3, "--version": 0.3, "film -h": 0.3, "atlas survey -h": 0.3, "presets": 0.5,
    "presets keys walk": 0.5, "presets check neutral": 0.5, "worlds": 0.5,
}  # fmt: skip
COUNTED = "import sys; from installation import cli\ntry: cli.main()\nexcept SystemExit: pass\nprint(len(sys.modules))"


def taken(arguments: list[str]) -> float:
    """Seconds of one run, from the start of the process to its end."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "installation", *arguments], env=_environment(), capture_output=True, check=True
    )
    return time.perf_counter() - began


def modules(arguments: list[str]) -> int:
    """How many modules a command imports."""
    command = [sys.executable, "-c", COUNTED, *arguments]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    rows, missed = [], False
    for text, aim in COMMANDS.items():
        arguments = text.split()
        for _ in range(2):
            taken(arguments)
        found = sorted(taken(arguments) for _ in range(times))
        median = statistics.median(found)
        missed |= median > aim
        rows.append([f"latentworld {text}".strip(), f"{median:.2f} s", f"{found[-1]:.2f} s", str(modules(arguments)),
                     f"≤ {aim} s", "yes" if median <= aim else "NO"])  # fmt: skip
    from common import show  # imports torch, which would be in memory while others are timed

    show(f"time to words, median of {times}", ["command", "median", "worst", "modules", "asked", "reached"], rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
