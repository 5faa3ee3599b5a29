"""How soon panic is obeyed while a show is flooded.

    python benchmarks/panic.py [--presses 200] [--saves 50] [--quiet]

A show of the tests' stand-ins hears 5,000 OSC messages a second (flood.py) and saves a snapshot so many times a second,
under ever new names of a few. Each sample: blackout is switched on over OSC, the stage has heard of it, then
`/lw/panic` is sent; what is measured is the time until the stage has heard that blackout is off, in milliseconds. Aim:
the 99th percentile below 100 ms. `--quiet`: without flood and saves.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import show as table
from flood import flood

from installation.ports.osc import codec
from installation.show.children import Programs
from installation.show.opening import open_show
from installation.show.premises import Runtime
from installation.show.show import Show
from installation.venue import Doors, Venue, Wall
from latentworld.preset import parse

STANDINS = Path(__file__).parent.parent / "tests" / "standins" / "show"
HEARD = "LATENTWORLD_HEARD"
STAGE = f"""
import os, sys, threading, time
from installation.ipc.messages import ControlChanges, StageReport, Stop
from installation.ipc.wire import Wire
wire, over = Wire(sys.stdin.buffer, sys.stdout.buffer), threading.Event()
def read():
    with open(os.environ["{HEARD}"], "a", buffering=1) as heard:
        for message in wire.read():
            if isinstance(message, ControlChanges) and "out.blackout" in message.values:
                heard.write(f"{{int(bool(message.values['out.blackout']))}} {{time.monotonic()}}\\n")
            if isinstance(message, Stop):
                break
    over.set()
threading.Thread(target=read, daemon=True).start()
presented = 0
while not over.wait(0.1):
    presented += 1
    wire.send(StageReport(presented, 0, fresh=0.0), droppable=True)
"""
NAMES = 10  # of snapshots
LONGEST = 5.0  # seconds after which a press counts as unheard, and is made again


class Heard:
    """What the stage heard of blackout."""

    def __init__(self, path: Path) -> None:
        self._path, self._seen = path, 0

    def wait(self, dark: bool, patience: float) -> float | None:
        """The moment at which it heard that it is to be so, since the last that was waited for; None: it did not."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            lines = self._path.read_text().splitlines()
            for number, line in enumerate(lines[self._seen :], self._seen + 1):
                value, when = line.split()
                if bool(int(value)) is dark:
                    self._seen = number
                    return float(when)
            time.sleep(0.002)
        return None


class Sender:
    """A performer's OSC program."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, address: str, *arguments: object) -> float:
        """Send a message; when."""
        packet = codec.pack(address, arguments)
        now = time.monotonic()
        self._out.sendto(packet, ("127.0.0.1", self._port))
        return now


@contextlib.contextmanager
def performed(folder: Path) -> Iterator[tuple[Show, int]]:
    """A show of stand-ins with its OSC port."""
    stage, renderer = folder / "stage.py", str(STANDINS / "standin_renderer.py")
    stage.write_text(STAGE)
    os.environ[HEARD] = str(folder / "heard")
    (folder / "heard").touch()
    doors = Doors(osc=0, deck=None)
    venue = Venue(folder=str(folder / "show"), wall=Wall(kind="headless"), doors=doors, midi=False)
    said: list[str] = []
    runtime = Runtime(programs=Programs(renderer, str(stage), str(stage), renderer))
    with open_show(parse({"title": "flooded"}), venue, said.append, runtime=runtime) as show:
        while show.status().renderer != "running":
            time.sleep(0.1)
        (port,) = (int(line.split("udp port ")[1].split()[0]) for line in said if line.startswith("osc: "))
        yield show, port


@contextlib.contextmanager
def saving(sender: Sender, rate: float) -> Iterator[None]:
    """Snapshots are saved so many times a second."""
    ended = threading.Event()

    def save() -> None:
        for number in itertools.count():
            if ended.wait(1 / rate):
                return
            sender.send("/lw/snapshot/save", f"cue {number % NAMES}")

    thread = threading.Thread(target=save)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def sampled(sender: Sender, heard: Heard, presses: int) -> tuple[list[float], int]:
    """Seconds from panic to its being obeyed, and how often it was not heard."""
    seconds, unheard = list[float](), 0
    while len(seconds) < presses and unheard <= presses:
        sender.send("/lw/out/blackout", 1)
        if heard.wait(True, LONGEST) is None:
            unheard += 1
            continue
        time.sleep(0.03)
        sent = sender.send("/lw/panic", 1)
        obeyed = heard.wait(False, LONGEST)
        if obeyed is None:
            unheard += 1
        else:
            seconds.append(obeyed - sent)
    return seconds, unheard


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--saves", type=float, default=50.0)
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, performed(Path(folder)) as (show, port):
        sender, heard = Sender(port), Heard(Path(folder) / "heard")
        with contextlib.ExitStack() as flooded:
            sent = [] if options.quiet else flooded.enter_context(flood(port))
            if not options.quiet:
                flooded.enter_context(saving(Sender(port), options.saves))
                time.sleep(1.0)
            began = time.monotonic()
            seconds, unheard = sampled(sender, heard, options.presses)
            lasted = time.monotonic() - began + 1.0
        dropped, restarts = show.desk.dropped, show.status().restarts
    if not seconds:
        sys.exit("panic was never obeyed")
    p50, p99 = np.percentile(np.array(seconds) * 1e3, [50, 99])
    rows = [
        ["panics", f"{len(seconds)}"], ["not heard", f"{unheard}"], ["obeyed within, p50", f"{p50:.1f} ms"],
        ["p99", f"{p99:.1f} ms"], ["worst", f"{max(seconds) * 1e3:.1f} ms"],
        ["messages a second", f"{sum(sent) / lasted:,.0f}"],
        ["saves a second", "0" if options.quiet else f"{options.saves:g}"],
        ["presses the desk had no room for", f"{dropped}"], ["restarts", f"{restarts}"],
    ]  # fmt: skip
    table("panic in a flood", ["", "value"], rows)


if __name__ == "__main__":
    main()
