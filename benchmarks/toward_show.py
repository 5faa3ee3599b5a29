"""Words in a show: from an OSC text to a heading that bends, and the picture rate of `toward` against `ride`.

    python benchmarks/toward_show.py [--turns 6] [--seconds 15] [--set SECTION.KEY=VALUE]

The embedded world is performed on this machine without a wall; `--set pilot.atlas=…` gives it a map, which a slow one
needs to be steered by words. A text is sent over OSC; the tick in which it is known to the renderer is the first whose
stamp is not older; asked is that the pilot's curvature is another by the tick after it. Then turns of `ride` and of
`toward` are counted.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import threading
import time

import numpy as np
from common import machine

from installation.ipc.messages import Tick
from installation.render.saved_state import read as saved

WORDS = ("a single flower", "a cat", "the sea", "a ringed planet", "mountains with snow", "polished marble")


class Ticks:
    """What the renderer told, in the order it came."""

    def __init__(self) -> None:
        self._ready, self.told = threading.Condition(), list[tuple[float, Tick]]()

    def __call__(self, tick: Tick) -> None:
        with self._ready:
            self.told.append((time.monotonic(), tick))
            self._ready.notify_all()

    def wait(self, count: int, patience: float = 90.0) -> None:
        """Until so many have come."""
        with self._ready:
            self._ready.wait_for(lambda: len(self.told) >= count, patience)


def bends(tick: Tick) -> float:
    """The curvature that the pilot asked for."""
    state = saved(tick.resume, lambda line: None)
    return state.pilot.wish


def latency(port: int, ticks: Ticks, text: str) -> tuple[int, float]:
    """Ticks and seconds from a text to another heading."""
    from pythonosc.udp_client import SimpleUDPClient

    begun, sent = len(ticks.told), time.monotonic()
    SimpleUDPClient("127.0.0.1", port).send_message("/lw/rift/words", text)
    known = None
    for number in range(begun, begun + 40):
        ticks.wait(number + 1)
        when, tick = ticks.told[number]
        if known is None and tick.stamp >= sent:
            known, before = number, bends(ticks.told[number - 1][1])
        if known is not None and bends(tick) != before:
            return number - known, when - sent
    return -1, float("nan")


def rate(ticks: Ticks, seconds: float) -> float:
    """Pictures a second from now."""
    before = len(ticks.told)
    time.sleep(seconds)
    return sum(len(tick.index) for _, tick in ticks.told[before:]) / seconds


def main() -> None:
    from installation.show.opening import open_show
    from installation.venue import Doors, Venue, Wall
    from latentworld import preset as presets

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    lines: list[str] = []

    def announce(line: str) -> None:
        lines.append(line)
        print(line, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        wall = Wall(kind="headless", size=(240, 240), rate=30.0)
        venue = Venue(folder=folder, wall=wall, doors=Doors(osc=0, deck=0), midi=False)
        own = ["walk.kind=rift", "pilot.mode=toward", "pilot.words=a moon", "show.latency=1.0", *options.set]
        with open_show(presets.load("neutral", own), venue, announce, fresh=True) as show:
            ticks = Ticks()
            show.watch(ticks)
            ticks.wait(60)
            port = next(int(found[1]) for line in lines if (found := re.match(r"osc: udp port (\d+)", line)))
            print(machine())
            for text in WORDS:
                count, seconds = latency(port, ticks, text)
                print(f"{text:18s} bends after {count} ticks, {1000 * seconds:.0f} ms")
                time.sleep(1.5)
            rates: dict[str, list[float]] = {"ride": [], "toward": []}
            for _ in range(options.turns):
                for mode in rates:
                    show.desk.set("rift.mode", mode, "benchmark")
                    time.sleep(1.0)
                    rates[mode].append(rate(ticks, options.seconds))
            ride, toward = (float(np.median(rates[mode])) for mode in rates)
            print(json.dumps({mode: [round(value, 1) for value in values] for mode, values in rates.items()}))
            print(f"pictures a second: ride {ride:.1f}, toward {toward:.1f}: {toward / ride:.0%} (asked: 95%)")


if __name__ == "__main__":
    main()
