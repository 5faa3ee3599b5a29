"""A renderer for tests: it speaks the renderer's messages and puts a moving picture that costs nothing.

What it does wrong is said by the first word of the file that the preset's description names: `refuses` (a fault and
status 1), `dies` (before its first picture), `brief` (after it), `mute` (hangs after it), `alone` (well, and its spare
dies while it loads), anything else is well.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
import tomllib
from collections import deque
from pathlib import Path

import numpy as np

from installation.ipc.messages import (
    Answer,
    Ask,
    Beat,
    ControlChanges,
    Fault,
    Follow,
    Message,
    Ready,
    ResumeFrom,
    SceneChange,
    Stop,
    TakeOver,
    Tick,
    Value,
    Waiting,
)
from installation.ipc.questions import WordsAnswer, WordsQuestion
from installation.ipc.ring import Ring
from installation.ipc.scene import DecoderScene, PlaneScene, SceneDescription, WalkScene, WorldScene
from installation.ipc.wire import Wire
from latentworld.decoding import Profile
from latentworld.prompts import Prompt

SIDE, BATCH, PERIOD, STEP = 64, 2, 0.02, 0.01
PROFILE = Profile("standin", "w", "cpu", "float32", BATCH, 1, 1.0, "eager")
SCENE = SceneDescription(
    PlaneScene(), Prompt("a test"), DecoderScene(), WorldScene(name="w"), WalkScene("autopilot", {"kind": "orbit"})
)


def picture(angle: float) -> np.ndarray:
    """Never constant, never dark, another one at every angle."""
    x = np.arange(SIDE)[None, :] / SIDE * 2 * np.pi + 20 * angle
    y = np.arange(SIDE)[:, None] / SIDE * 2 * np.pi
    return np.stack([128 + 100 * np.sin(x + y + phase) for phase in (0, 2, 4)], axis=-1).astype(np.uint8)


class Renderer:
    def __init__(self, options: argparse.Namespace, wire: Wire) -> None:
        self.wire, self.ring = wire, Ring.attach(options.ring)
        self.preset = Path(options.preset).read_text(encoding="utf-8")
        self.table = tomllib.loads(self.preset)
        told = next(wire.read()) if options.resume else None
        resume = json.loads(told.state) if isinstance(told, ResumeFrom) else {"angle": 0.0, "index": 0}
        self.angle, self.index = float(resume["angle"]), int(resume["index"])
        self.waits = options.spare
        self.values: dict[str, Value | None] = {}
        self.stamp, self.placed = 0.0, not options.loop
        self.letters: deque[Message] = deque()
        self.over = threading.Event()
        if not self.waits:
            threading.Thread(target=self.read, daemon=True).start()

    def wait(self) -> bool:
        """Until it takes over; False where that never comes."""
        self.wire.send(Waiting())
        called = next(self.wire.read(), None)
        if not isinstance(called, TakeOver):
            return False
        resume = json.loads(called.state or "{}")
        self.angle, self.index = float(resume.get("angle", 0.0)), int(resume.get("index", 0))
        threading.Thread(target=self.read, daemon=True).start()
        return True

    def read(self) -> None:
        for message in self.wire.read():
            self.letters.append(message)
        self.over.set()

    def obey(self, message: Message) -> None:
        match message:
            case ControlChanges(values=values, stamp=stamp):
                self.values |= values
                self.stamp = max(self.stamp, stamp)
            case Ask(id=number, question=WordsQuestion(texts=("values",))):
                told = json.dumps({"values": self.values, "title": self.table["title"]})
                self.wire.send(Answer(number, WordsAnswer((told,), (), (0.0, 0.0), (), (), (), 0, (0.0, 0.0))))
            case Ask(id=number):
                self.wire.send(Answer(number, fault="that means nothing"))
            case Follow(file=file):
                self.wire.send(Fault(f"following {file}"))
            case Stop():
                self.over.set()

    def tick(self) -> None:
        angles = self.angle + STEP * np.arange(1, BATCH + 1)
        index = tuple(range(self.index, self.index + BATCH))
        for number, angle in zip(index, angles):
            self.ring.put(picture(angle), number, time.monotonic(), PERIOD, self.stamp)
        self.angle, self.index = float(angles[-1]), self.index + BATCH
        one = (1.0,) * BATCH
        places = tuple((float(np.cos(a)), float(np.sin(a)), 0.0, 1.0) for a in angles.tolist())
        self.wire.send(
            Tick(
                index=index, time=tuple(i * PERIOD for i in index), place=places, alpha=tuple(angles.tolist()),
                beta=one, front=(True,) * BATCH, rate=one, step=(0.02,) * BATCH, digest=("00",) * BATCH, scene=1,
                stamp=self.stamp, period=PERIOD, resume=json.dumps({"angle": self.angle, "index": self.index}),
            )
            if self.placed
            else Tick(index, tuple(i * PERIOD for i in index), period=PERIOD),
            droppable=True,
        )  # fmt: skip

    def run(self, mood: str) -> None:
        self.wire.send(Beat())
        if mood == "refuses":
            self.wire.send(Fault("the world cannot be read: copy it again"))
        if mood == "alone" and self.waits:
            os._exit(4)
        if self.waits and not self.wait():
            return
        if mood in ("refuses", "dies"):
            self.wire.close()
            sys.exit(1 if mood == "refuses" else 3)
        self.wire.send(Ready(PROFILE, "w", "s", self.preset, (SIDE, SIDE)))
        self.wire.send(SceneChange(1, SCENE))
        while not self.over.wait(PERIOD * BATCH):
            while self.letters:
                self.obey(self.letters.popleft())
            self.tick()
            if mood == "brief":
                self.wire.close()
                os._exit(9)
            if mood == "mute":
                time.sleep(3600)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--ring", "--preset", "--file"):
        parser.add_argument(name)
    for name in ("--safe", "--resume", "--spare"):
        parser.add_argument(name, action="store_true")
    options = parser.parse_args()
    options.loop = options.preset is None  # the player of the loop
    if options.loop:
        options.preset = str(Path(__file__).parent / "loop.toml")
    wire = Wire(sys.stdin.buffer, sys.stdout.buffer)
    renderer = Renderer(options, wire)
    mood = Path(renderer.table["description"]) if renderer.table.get("description") else None
    renderer.run(mood.read_text().strip() if mood and mood.is_file() else "well")
    wire.close()


if __name__ == "__main__":
    main()
