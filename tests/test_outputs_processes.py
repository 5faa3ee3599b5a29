"""Outputs and the pre-rendered loop as the processes they are: played over pipes, ended in every way there is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from patience import until

from installation.ipc.messages import Answer, Ask, ControlChanges, Fault, Message, OutputReport, Ready, Stop, Tick
from installation.ipc.questions import WordsQuestion
from installation.ipc.ring import Ring
from installation.ipc.wire import Wire
from installation.stage import fallback_film
from installation.venue import Wall

Picture = NDArray[np.uint8]
Told = TypeVar("Told", bound=Message)
RATE = 20.0
WALL = Wall(size=(48, 64), rate=RATE, fit="cover")


class Process:
    """A child and what it said."""

    def __init__(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", module, *arguments]
        pipe = subprocess.PIPE
        # a group of its own, as the show starts its children
        self.child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        assert self.child.stdin
        assert self.child.stdout
        self.wire = Wire(self.child.stdout, self.child.stdin)
        self.said: list[Message] = []
        self.reader = threading.Thread(target=self._listen)
        self.reader.start()

    def _listen(self) -> None:
        for message in self.wire.read():
            self.said.append(message)

    def of(self, kind: type[Told]) -> list[Told]:
        return [message for message in self.said if isinstance(message, kind)]

    def presented(self, more: int) -> int:
        """Wait until so many more pictures were presented than were told of by now."""
        count = lambda: self.of(OutputReport)[-1].presented if self.of(OutputReport) else 0  # noqa: E731
        before = count()
        return int(until(lambda: count() >= before + more and count()))

    def ended(self) -> tuple[int, str]:
        """Its exit status and what it said on stderr, when it has ended."""
        assert self.child.stderr
        code = self.child.wait(60)
        self.reader.join(10)
        self.wire.close()
        assert self.child.stdout
        with self.child.stderr, self.child.stdout:
            return code, self.child.stderr.read().decode()


@contextmanager
def started(module: str, *arguments: str) -> Iterator[Process]:
    process = Process(module, *arguments)
    try:
        yield process
    finally:
        if process.child.poll() is None:
            process.child.kill()
            process.ended()


def output(ring: Ring, target: str, *more: str) -> Any:
    return started(
        "installation.stage.outputs", "--ring", ring.name, "--to", target, "--wall", WALL.model_dump_json(),
        "--reserve", "0", *more,
    )  # fmt: skip


def red(level: int, size: tuple[int, int] = (48, 64)) -> Picture:
    picture = np.zeros((*size, 3), np.uint8)
    picture[..., 0] = level
    return picture


def film_of(path: Path) -> NDArray[np.float64]:
    """Mean colour [n, 3] RGB of every picture."""
    return np.array([picture.mean((0, 1)) for picture in fallback_film.pictures(path)])


def test_a_recording_shows_what_the_wall_shows_and_plays_after_stop(ring: Ring, tmp_path: Path) -> None:
    ring.put(red(200), 0, 0.0, 0.1, 0.0)
    path = tmp_path / "video" / "a.mp4"
    with output(ring, f"video:{path}") as process:
        process.presented(30)
        process.wire.send(ControlChanges({"out.fade": 0.0, "out.blackout": True, "out.gamma": 2.5}))
        process.presented(20)
        process.wire.send(ControlChanges({"out.blackout": False, "out.master": 0.5}))
        process.presented(20)
        process.wire.send(ControlChanges({"out.freeze": True, "out.master": 1.0, "no.such": 1, "out.fade": "x"}))
        process.presented(20)
        ring.put(np.ascontiguousarray(red(200)[..., ::-1]), 1, 0.0, 0.1, 0.0)  # blue, while it is frozen
        process.presented(20)
        process.wire.send(ControlChanges({"out.freeze": False}))
        process.presented(30)
        told = process.of(OutputReport)
        process.wire.send(Stop())
        assert process.ended() == (0, "")
    assert {(t.size, t.rate, t.to) for t in told} == {((48, 64), RATE, f"video:{path}")}
    assert [fault.text for fault in process.of(Fault)] == ["out.fade takes a finite number, not 'x'"]
    means = film_of(path)
    assert len(means) >= told[-1].presented + told[-1].missed
    seen = ["red" if r > 150 else "half" if r > 60 else "blue" if b > 150 else "dark" for r, _, b in means]
    changes = [colour for colour, _ in groupby(seen)]
    assert changes[changes.index("red") :][:4] == ["red", "dark", "half", "red"]
    assert changes[-1] == "blue"
    runs = [(colour, len(list(run))) for colour, run in groupby(seen)]
    again = [length for colour, length in runs if colour == "red"][1]
    assert again >= 35, "it was frozen for forty presentations, though a blue picture was there for twenty"


ENDS = {
    "the pipe is closed": lambda process: process.child.stdin.close(),
    "SIGTERM": lambda process: process.child.terminate(),
    "Ctrl-C": lambda process: process.child.send_signal(signal.SIGINT),
    "kill -9 of its group": lambda process: os.killpg(process.child.pid, signal.SIGKILL),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_however_a_recording_ends_it_plays(end: Any, ring: Ring, tmp_path: Path) -> None:
    ring.put(red(200), 0, 0.0, 0.1, 0.0)
    path = tmp_path / "a.mp4"
    with output(ring, f"video:{path}") as process:
        count = process.presented(40)
        encoders = [child for child in psutil.Process(process.child.pid).children() if "ffmpeg" in child.name()]
        end(process)
        code, _ = process.ended()
    assert code in (0, -signal.SIGKILL)
    _, alive = psutil.wait_procs(encoders, timeout=30)
    assert (len(encoders), alive) == (1, [])
    means = film_of(path)
    assert len(means) >= count - 40  # what was in the pipe is written too; the queue of a killed process is lost
    assert means[-1, 0] > 150


def test_what_cannot_be_is_told_in_a_line(ring: Ring, tmp_path: Path) -> None:
    with output(ring, f"video:{tmp_path / 'a.avi'}") as process:
        code, said = process.ended()
    assert code == 1
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "write video:FILE.mp4" in said
    assert process.of("fault") == []  # its last words are told once


def test_a_ring_that_is_gone_is_a_line(tmp_path: Path) -> None:
    with started("installation.stage.outputs", "--ring", "lw-1-00000000", "--to", "camera") as process:
        code, said = process.ended()
    assert (code, said.count("\n")) == (1, 1)
    assert "start the show" in said


def test_a_disk_that_is_full_ends_the_recording_and_says_so(ring: Ring, tmp_path: Path) -> None:
    with output(ring, f"video:{tmp_path / 'a.mp4'}", "--reserve", str(10**18)) as process:
        code, said = process.ended()
    assert code == 1
    assert "free some space" in said
    assert not (tmp_path / "a.mp4").exists()


# ---- the loop


def test_the_loop_speaks_as_a_renderer_and_goes_on_in_its_ring(ring: Ring) -> None:
    ring.put(red(10), 41, 0.0, 0.1, 0.0)
    with started("installation.stage.fallback_film", "--ring", ring.name) as process:
        until(lambda: len(process.of(Tick)) >= 5)
        process.wire.send(Ask(7, WordsQuestion(("a",))))
        process.wire.send(ControlChanges({"walk.speed": 1.0}, (), 1.0))
        answer = until(lambda: process.of(Answer))[0]
        process.wire.send(Stop())
        assert process.ended() == (0, "")
    assert isinstance(process.said[0], Ready)
    assert process.of(Ready)[0].size == (128, 128)
    assert (answer.id, "no model" in answer.fault) == (7, True)
    ticks = process.of(Tick)
    assert [tick.index for tick in ticks[:3]] == [(42,), (43,), (44,)]
    assert all(tick.place == tick.rate == tick.alpha == tick.digest == () for tick in ticks)
    shot = ring.get(ring.newest)
    assert shot is not None
    assert (shot.frame, shot.period, shot.stamp) == (ring.newest + 40, pytest.approx(1 / 12), 0.0)
    assert shot.picture.std() > 5


def test_a_loop_that_cannot_be_played_is_told_and_ours_is_played(ring: Ring, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no film" * 1000)
    with started(
        "installation.stage.fallback_film", "--ring", ring.name, "--file", str(tmp_path / "broken.mp4")
    ) as process:
        until(lambda: process.of(Tick))
        assert process.child.stdin
        process.child.stdin.close()
        code, _ = process.ended()
    assert code == 0
    assert "cannot be played" in process.of(Fault)[0].text
    assert process.of(Ready)[0].film == "loop.mp4"


# ---- the loop's film, pure


def grey(level: float) -> Picture:
    return np.full((4, 4, 3), round(level), np.uint8)


def shown(film: list[Picture], count: int, fade: int) -> list[int]:
    playing = fallback_film.endless(lambda: iter(film), fade)
    return [int(next(playing)[0, 0, 0]) for _ in range(count)]


def test_a_film_that_closes_is_repeated_as_it_is() -> None:
    levels = [100, 110, 120, 130, 120, 110]
    assert shown([grey(level) for level in levels], 20, 3) == (levels * 4)[:20]


def test_an_end_that_does_not_meet_the_beginning_is_faded_into_it() -> None:
    film = [grey(level) for level in range(0, 200, 10)]  # 20 pictures
    seen = shown(film, 3 * 16 + 4, 4)
    lap = seen[4:20]
    assert seen[:16] == list(range(0, 160, 10))
    assert lap[:12] == list(range(40, 160, 10)), "what was seen in the fade is not seen again"
    assert seen[36:52] == seen[20:36] == lap, "every lap is the same"
    assert max(abs(b - a) for a, b in pairwise(seen[15:21])) < 80, "no jump of 190"
    assert seen[16:20] != [160, 170, 180, 190]


def test_short_films_and_single_pictures_go_round_too() -> None:
    assert shown([grey(7)], 5, 12) == [7] * 5
    assert len(shown([grey(0), grey(250)], 9, 12)) == 9
    with pytest.raises(fallback_film.ShowError, match="no pictures"):
        next(fallback_film.endless(lambda: iter(()), 4))


def test_the_loop_that_comes_with_latentworld_is_small_and_closes() -> None:
    assert fallback_film.OURS.stat().st_size <= 600_000
    film = list(fallback_film.pictures(fallback_film.OURS))
    assert len(film) > 200
    assert fallback_film.meets(film[-12:], film[0])
    assert min(picture.std() for picture in film) > 10
    assert fallback_film.rate(fallback_film.OURS) == 12.0


def test_large_films_are_made_to_fit_the_ring(tmp_path: Path) -> None:
    from installation.stage.outputs.kinds.video import Video

    with Video(tmp_path / "a.mp4", 10.0, reserve=0) as video:
        video.send(np.full((40, 80, 3), 90, np.uint8), 0)
    assert next(fallback_film.pictures(tmp_path / "a.mp4", largest=40)).shape == (20, 40, 3)


def test_what_nobody_foresaw_ends_a_child_with_a_line_and_its_traceback() -> None:
    """It ended by SIGABRT before, over the thread that reads standard input, and said nothing of why."""
    program = "from installation.ipc import child; wire = child.standard(); child.run(lambda: 1 // 0)"
    done = subprocess.run([sys.executable, "-c", program], input="", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ZeroDivisionError: ")
