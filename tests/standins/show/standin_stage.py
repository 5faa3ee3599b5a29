"""A stage for tests, and an output: it looks at the ring, presents nothing anywhere, and reports ten times a second."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path

from installation.ipc.messages import Card, ControlChanges, Fault, StageReport, Stop, WindowClosed
from installation.ipc.ring import Ring
from installation.ipc.wire import Wire


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--ring", "--wall", "--to", "--reserve"):
        parser.add_argument(name)
    options = parser.parse_args()
    wire, ring, over = Wire(sys.stdin.buffer, sys.stdout.buffer), Ring.attach(options.ring), threading.Event()
    values: dict[str, object] = {}

    def read() -> None:
        for message in wire.read():
            match message:
                case ControlChanges(values=changed):
                    values.update(changed)
                    if changed.get("out.testcard"):  # somebody closes the window
                        wire.send(WindowClosed())
                case Card(deck=deck):
                    wire.send(Fault(f"card {deck}"))
                case Stop():
                    break
        over.set()

    threading.Thread(target=read, daemon=True).start()
    video = Path(options.to.removeprefix("video:")) if options.to and options.to.startswith("video:") else None
    presented, seen, fresh, light, stamp = 0, 0, None, 0.0, 0.0
    latency: list[float] = []
    while not over.wait(1 / 30):
        presented, now = presented + 1, time.monotonic()
        shot = ring.get(ring.newest)
        if shot is not None and shot.sequence != seen:
            seen, fresh, light = shot.sequence, now, float(shot.picture.mean()) / 255
            if shot.stamp > stamp:
                stamp, latency = shot.stamp, [*latency, now - shot.stamp]
        if presented % 3 == 0:
            age = None if fresh is None else now - fresh
            held = bool(values.get("out.blackout") or values.get("out.freeze"))
            wire.send(
                StageReport(
                    presented, 0, tuple(latency), age, seen, light, monitor="none", size=(720, 1280), held=held
                ),
                droppable=True,
            )
            latency = []
    if video is not None:
        video.write_text(f"{presented} {values.get('out.freeze')}")
    wire.close()


if __name__ == "__main__":
    main()
