"""How long a command says nothing to a pipe: the first word, and the longest silence between two.

    python benchmarks/silence.py ["film neutral --set decoder.kind=faithful --set film.seconds=0.7"]

Aims: a first word within 10 s, no silence of more than 65 s (a line a minute). Each command has an `-o` of its own.
Another checkout is measured by running this file there.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIRST, LONGEST = 10.0, 65.0
COMMANDS = (
    "film neutral --set decoder.kind=faithful --set film.seconds=0.7 --set film.fps=24",
    "atlas survey neutral --size 12x12 --scout",
)


def silences(arguments: list[str]) -> tuple[float, float, float]:
    """Seconds to the first line of stderr, of the longest silence, and of the whole run."""
    command = [sys.executable, "-m", "installation", *arguments]
    own = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = last = time.perf_counter()
    first, longest = None, 0.0
    with subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for _ in running.stderr:
            now = time.perf_counter()
            first = now - began if first is None else first
            longest, last = max(longest, now - last), now
    if running.returncode:
        raise SystemExit(f"latentworld {shlex.join(arguments)} failed ({running.returncode})")
    end = time.perf_counter()
    return first if first is not None else end - began, max(longest, end - last), end - began


def main() -> int:
    rows, missed = [], False
    for text in sys.argv[1:] or COMMANDS:
        with tempfile.TemporaryDirectory() as folder:
            first, longest, whole = silences([*shlex.split(text), "-o", str(Path(folder) / "made")])
        missed |= first > FIRST or longest > LONGEST
        rows.append([f"latentworld {text}", f"{first:.1f} s", f"{longest:.1f} s", f"{whole:.0f} s"])
    from common import show  # imports torch, which would be in memory while others are timed

    show("silence in a pipe", ["command", "first word", "longest silence", "whole"], rows)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
