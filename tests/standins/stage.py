"""A stage in a process of its own, as a show has it, and a display that is none."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from installation.ipc.encoding import decoded, encoded
from installation.ipc.messages import Fault, Message, SaveScreenshot, StageReport
from installation.ipc.ring import Ring

Picture = NDArray[np.uint8]
PATIENCE = 60.0  # seconds: of a machine that seven others use


class Stage:
    """`python -m installation.stage` on a ring; `feed` puts pictures until something is so."""

    def __init__(self, wall: dict[str, Any], ring: str | None = None, **environment: str) -> None:
        self.ring = Ring.create(8, (256, 256))
        self.messages: list[Message] = []
        command = [sys.executable, "-m", "installation.stage", "--ring", ring or self.ring.name]
        self.process = subprocess.Popen(
            [*command, "--wall", json.dumps(wall)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | environment,
        )  # fmt: skip
        self._errors = io.BytesIO()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._listen, self._drain)]
        for thread in self._threads:
            thread.start()
        self._made = 0

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        self.ring.close()
        self.ring.unlink()

    @property
    def errors(self) -> str:
        """What it said on standard error."""
        return self._errors.getvalue().decode()

    @property
    def reports(self) -> list[StageReport]:
        return [message for message in list(self.messages) if isinstance(message, StageReport)]

    @property
    def faults(self) -> list[str]:
        return [message.text for message in list(self.messages) if isinstance(message, Fault)]

    def say(self, message: Message) -> None:
        self.write(encoded(message))

    def write(self, line: bytes) -> None:
        """A line, whatever it is."""
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def put(self, picture: Picture) -> None:
        now = time.monotonic()
        self.ring.put(picture, self._made, now, 0.05, now)
        self._made += 1

    def feed(self, until: Callable[[], bool], picture: Callable[[int], Picture]) -> None:
        """Put a picture every 0.05 s until something is so."""
        give_up = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < give_up, (self.errors, self.messages[-2:])
            assert self.process.poll() is None, self.errors
            self.put(picture(self._made))
            time.sleep(0.05)

    def wait(self, until: Callable[[], bool]) -> None:
        give_up = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < give_up, (self.errors, self.messages[-2:])
            time.sleep(0.02)

    def shot(self, folder: Path) -> Picture:
        """What is on the wall now."""
        file = folder / f"{len(list(folder.iterdir()))}.png"
        self.say(SaveScreenshot(str(file)))
        self.wait(file.is_file)
        return np.asarray(Image.open(file))

    def settle(self, count: int = 2) -> None:
        """Wait until it has reported so many times more."""
        before = len(self.reports)
        self.wait(lambda: len(self.reports) >= before + count)

    def end(self) -> int:
        """Close its standard input, and wait for it; its status."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()
        return status

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.messages.append(decoded(line))

    def _drain(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._errors.write(line)


def needs(*programs: str) -> None:
    """Skip the test where one is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")


@contextmanager
def display(size: str = "640x360") -> Iterator[str]:
    """An X server on any free number that draws into memory; its name for DISPLAY."""
    needs("Xvfb")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{size}x24", "-noreset", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as answer:
            number = answer.readline().strip().decode()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()


def moving(number: int, size: int = 64) -> Picture:
    """A picture that is never dark and never the same: a bright bar on grey."""
    picture = np.full((size, size, 3), 96, np.uint8)
    picture[:, (number * 2) % size : (number * 2) % size + 8] = 230
    return picture


def quarters(size: int = 64) -> Picture:
    """Red, green, blue and white quarters, from the upper left clockwise."""
    picture = np.zeros((size, size, 3), np.uint8)
    half = size // 2
    picture[:half, :half, 0] = picture[:half, half:, 1] = picture[half:, half:, 2] = 255
    picture[half:, :half] = 255
    return picture
