"""`python -m installation.stage.fallback_film --ring NAME [--file VIDEO]`: an endless film instead of the renderer.

The last resort when nothing can be rendered, so it refuses nothing: what cannot be played is told, and the loop that
comes with latentworld is played instead. A film whose end does not meet its beginning is faded into it. It speaks the
renderer's messages: `ready`, and a `tick` for each picture that says nothing of places, for a film has none.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from installation.ipc import child
from installation.ipc.messages import Answer, Ask, Fault, Ready, Stop, Tick
from installation.stage.outputs.pace import slots
from latentworld.arrays import Picture
from latentworld.errors import ShowError

if TYPE_CHECKING:
    from installation.ipc.ring import Ring
    from installation.ipc.wire import Wire

OURS = Path(__file__).with_name("loop.mp4")
FADE = 1.0  # seconds in which an end that does not meet the beginning is faded into it
SEAM = 2.0  # the most that the step over the seam may be, in usual steps, of a film that needs no fade
LARGEST = 1024  # pixels of a side: what the ring of a show has room for
SLOWEST, FASTEST = 1.0, 60.0  # pictures a second


def pictures(path: Path, largest: int = LARGEST) -> Iterator[Picture]:
    """The pictures of a film from its beginning to its end, uint8[h, w, 3] RGB, made no larger than `largest`."""
    import cv2

    film = cv2.VideoCapture(str(path.absolute()))
    try:
        while True:
            there, picture = film.read()
            if not there:
                return
            high = max(picture.shape[:2]) / largest
            if high > 1:
                size = (round(picture.shape[1] / high), round(picture.shape[0] / high))
                picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            yield np.ascontiguousarray(picture[..., ::-1], np.uint8)
    finally:
        film.release()


def rate(path: Path) -> float:
    """Its pictures a second. Raises ShowError where no picture can be read."""
    import cv2

    film = cv2.VideoCapture(str(path.absolute()))
    try:
        rate, there = float(film.get(cv2.CAP_PROP_FPS)), film.read()[0]
    finally:
        film.release()
    if not there:
        raise ShowError(f"the loop {path} cannot be played: use a video that ffmpeg reads, such as H.264 in an .mp4")
    return min(max(rate, SLOWEST), FASTEST) if rate > 0 else 24.0


def endless(film: Callable[[], Iterator[Picture]], fade: int) -> Iterator[Picture]:
    """A film again and again; where its end does not meet its beginning, its last `fade` pictures are faded into its
    first. film: begins it. Raises ShowError where it has no pictures."""
    begun = 0  # pictures of the beginning that were already seen in the fade
    while True:
        head: list[Picture] = []
        tail: deque[Picture] = deque()  # read, not yet shown
        count = 0
        for picture in film():
            count += 1
            if len(head) < fade:
                head.append(picture)
            if count > begun:
                tail.append(picture)
            if len(tail) > fade:
                yield tail.popleft()
        if not count:
            raise ShowError("the loop has no pictures: use another video")
        rest = list(tail)
        begun = 0 if meets(rest, head[0]) else min(len(rest), len(head), count // 3)
        yield from rest[: len(rest) - begun]
        yield from faded(rest[len(rest) - begun :], head)


def meets(tail: Sequence[Picture], first: Picture) -> bool:
    """Whether the step from the last picture to the first is a usual one."""
    steps = [_distance(a, b) for a, b in pairwise(tail)]
    usual = float(np.median(steps)) if steps else 0.0
    return _distance(tail[-1], first) <= SEAM * usual


def faded(tail: Sequence[Picture], head: Sequence[Picture]) -> Iterator[Picture]:
    """The tail going over into the head."""
    from installation.stage.light import mixed

    for number, (old, new) in enumerate(zip(tail, head), start=1):
        yield mixed(old, new, number / (len(tail) + 1))


def play(ring: Ring, path: Path | None, wire: Wire, clock: Callable[[], float], ended: threading.Event) -> None:
    """Put the film's pictures into the ring at its own rate until the show ends. path: None for the loop that comes
    with latentworld."""
    path, fps = _chosen(path, wire)
    before = ring.get(ring.newest)
    first = before.frame + 1 if before else 0
    film = endless(lambda: pictures(path), round(FADE * fps))
    for (slot, _), picture in zip(slots(fps, clock, ended.wait), film):
        if slot == 0:
            height, width = picture.shape[:2]
            wire.send(Ready(None, "", "", "", (height, width), film=path.name))
        ring.put(picture, first + slot, clock(), 1 / fps, 0.0)
        wire.send(Tick((first + slot,), (slot / fps,), period=1 / fps), droppable=True)  # a film has no places


def obey(wire: Wire, ended: threading.Event) -> None:
    """Hear the show until it says stop or is gone; questions are answered with the reason why they cannot be."""
    for message in wire.read():
        match message:
            case Stop():
                break
            case Ask(id=number):
                wire.send(Answer(number, fault="the pre-rendered loop is playing: no model is running"))
    ended.set()


def _chosen(path: Path | None, wire: Wire) -> tuple[Path, float]:
    if path is not None:
        try:
            return path, rate(path)
        except ShowError as error:
            wire.send(Fault(f"{error}; the loop that comes with latentworld is played"))
    return OURS, rate(OURS)


def _distance(a: Picture, b: Picture) -> float:
    """Mean difference of two pictures of one size, in steps of a byte."""
    return float(np.abs(a.astype(np.int16) - b).mean())


def main() -> int:
    """Run; 0 when the show ended it, 1 with one line on stderr after a fault."""
    parser = argparse.ArgumentParser(prog="installation.stage.fallback_film", description=__doc__)
    parser.add_argument("--ring", required=True)
    parser.add_argument("--file", type=Path, default=None)
    arguments = parser.parse_args()
    from installation.ipc.ring import Ring

    wire, ended = child.standard(), threading.Event()
    threading.Thread(target=obey, args=(wire, ended), name="inbox", daemon=True).start()
    try:
        with child.ended_by_signals(ended):
            play(Ring.attach(arguments.ring), arguments.file, wire, time.monotonic, ended)
    except ShowError as error:
        return child.refused(str(error))
    finally:
        wire.close()
    return 0


if __name__ == "__main__":
    child.run(main)
