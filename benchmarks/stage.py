"""The stage alone: how evenly it presents, what that costs, and how long a picture takes from the ring to the wall.

    python benchmarks/stage.py [--walls headless window] [--heights 360 720] [--rates 10 20] [--batch 1 2 4]
                               [--seconds 20] [--jitter 0.1]

Another process makes moving patterns, so many a second (--rates) in batches, each up to --jitter of its time off;
every picture is stamped when it is put, so latency is the stage's own. `window` opens one on DISPLAY, or on an Xvfb of
its own where there is none: that has no vsync and no graphics card (Mesa's llvmpipe), so that the processor does all.
With a display and a card, `--walls fullscreen` measures those.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import psutil

from installation.ipc.encoding import decoded
from installation.ipc.messages import StageReport
from installation.ipc.ring import Ring

WARM = 4.0  # seconds that are not counted


def make(name: str, rate: float, batch: int, jitter: float, size: int) -> None:
    """The renderer's stand-in: pictures into the ring for as long as the one who started it lives."""
    ring, chance, parent = Ring.attach(name), random.Random(0), os.getppid()
    x = np.arange(size)
    start, number = time.monotonic(), 0
    while os.getppid() == parent:
        due = start + number / rate + chance.uniform(-jitter, jitter) * batch / rate
        time.sleep(max(due - time.monotonic(), 0.0))
        for _ in range(batch):
            wave = (np.sin(x[:, None] / 9 + number / 5) + np.cos(x[None] / 11 - number / 7)) * 60 + 128
            now = time.monotonic()
            ring.put(np.repeat(wave.astype(np.uint8)[..., None], 3, axis=2), number, now, 1 / rate, now)
            number += 1


@dataclass
class Seen:
    """What a stage said of the counted seconds."""

    seconds: float
    first: StageReport
    last: StageReport
    latency: list[float] = field(default_factory=list)
    light: float = 1.0
    cpu: dict[str, float] = field(default_factory=dict)  # of a core

    @property
    def counts(self) -> list[int]:
        assert self.first.intervals is not None
        assert self.last.intervals is not None
        return [b - a for a, b in zip(self.first.intervals.counts, self.last.intervals.counts, strict=True)]

    @property
    def edges(self) -> list[float]:
        assert self.last.intervals is not None
        return list(self.last.intervals.edges)


def watch(wall: dict[str, Any], options: argparse.Namespace, rate: float, batch: int, display: str | None) -> Seen:
    """Start a maker and a stage, and listen."""
    ring = Ring.create(8, (options.size, options.size))
    here = [sys.executable, __file__, "--make", ring.name, "--rates", str(rate), "--jitter", str(options.jitter)]
    environment = os.environ | ({"DISPLAY": display} if display else {})
    maker = subprocess.Popen([*here, "--batch", str(batch), "--size", str(options.size)])
    stage = subprocess.Popen(
        [sys.executable, "-m", "installation.stage", "--ring", ring.name, "--wall", json.dumps(wall)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    try:
        return _listen(stage, options.seconds)
    finally:
        assert stage.stdin is not None
        stage.stdin.close()
        stage.wait(10)
        maker.kill()
        maker.wait()
        ring.close()
        ring.unlink()


def _listen(stage: subprocess.Popen[bytes], seconds: float) -> Seen:
    assert stage.stdout is not None
    process, seen, began, spent = psutil.Process(stage.pid), None, 0.0, 0.0
    start: float | None = None
    for line in stage.stdout:
        message, now = decoded(line), time.monotonic()
        if not isinstance(message, StageReport):
            print(f"  {message}")
            continue
        start = start or now
        if now - start < WARM:
            continue
        if seen is None:
            seen, began, spent = Seen(0.0, message, message), now, _cpu(process)
            continue
        seen.last, seen.seconds = message, now - began
        seen.latency += message.latency
        seen.light = min(seen.light, message.light)
        seen.cpu = {"stage": (_cpu(process) - spent) / seen.seconds}
        if seen.seconds >= seconds:
            break
    if seen is None:
        raise SystemExit("the stage ended before anything was counted")
    return seen


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def tell(name: str, seen: Seen) -> None:
    """Print it."""
    shown, missed = seen.last.presented - seen.first.presented, seen.last.missed - seen.first.missed
    p50, p99 = np.percentile(seen.latency, [50, 99]) * 1000 if seen.latency else (np.nan, np.nan)
    print(
        f"{name}: {shown / seen.seconds:.1f} presentations/s of {seen.last.rate:.1f}, {missed} missed of {shown};"
        f" vsync {'kept' if seen.last.vsync else 'none'}; stamp to wall p50 {p50:.0f} ms, p99 {p99:.0f} ms;"
        f" {seen.cpu['stage'] * 100:.0f}% of a core; lowest mean light {seen.light:.2f}"
        + (f"; drawn by {seen.last.drawn}" if seen.last.drawn else "")
    )
    edges = [0, *seen.edges, np.inf]
    for low, high, count in zip(edges, edges[1:], seen.counts):
        if count:
            print(f"    {low:>5g} .. {high:<5g} ms {count:>5}  {'#' * max(round(60 * count / sum(seen.counts)), 1)}")


@contextlib.contextmanager
def display(wanted: bool) -> Iterator[str | None]:
    """DISPLAY, or an Xvfb where there is none and one is wanted."""
    if not wanted or os.environ.get("DISPLAY"):
        yield os.environ.get("DISPLAY")
        return
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x720x24", "-noreset", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as answer:
            yield f":{answer.readline().strip().decode()}"
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--walls", nargs="+", default=["headless", "window"])
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rates", nargs="+", type=float, default=[10.0], help="pictures a second")
    parser.add_argument("--heights", nargs="+", type=int, default=[720], help="of walls of 16:9, in pixels")
    parser.add_argument("--present", type=float, default=30.0, help="presentations a second; 0: the display's own")
    parser.add_argument("--jitter", type=float, default=0.1)
    parser.add_argument("--size", type=int, default=128, help="pixels of a picture's side")
    parser.add_argument("--make", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make(options.make, options.rates[0], options.batch[0], options.jitter, options.size)
        return
    with display(any(wall != "headless" for wall in options.walls)) as screen:
        for kind, height, rate, batch in product(options.walls, options.heights, options.rates, options.batch):
            wall = {"kind": kind, "size": [height, height * 16 // 9], "rate": options.present}
            name = f"{kind} {height}x{height * 16 // 9}, {rate:g} pictures/s in batches of {batch}"
            tell(name, watch(wall, options, rate, batch, screen))


if __name__ == "__main__":
    main()
