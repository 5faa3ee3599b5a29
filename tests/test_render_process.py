"""The renderer as a process: it loads, shows, plays on, hears, answers, goes on where another was killed, and ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from standins.clock import Clock

from installation.clock import LiveClock
from installation.control.mailbox import Mailbox
from installation.control.parameters import loop_table
from installation.ipc.messages import (
    Answer,
    Ask,
    Beat,
    Cancel,
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
    Unfollow,
    Waiting,
)
from installation.ipc.questions import WordsQuestion
from installation.ipc.ring import Ring
from installation.ipc.wire import Wire
from installation.render.message_reader import MessageReader
from installation.render.speaker import Speaker
from installation.show.children import Programs
from latentworld import globe, preset
from latentworld.errors import TakeError

JOURNEY = ["decoder.height=32", "decoder.width=32", "decoder.steps=6", "show.rate=60", "pilot.mode=off"]
PATIENCE = 60.0
Told = TypeVar("Told", bound=Message)


class Renderer:
    """A renderer in a process of its own, and everything it said."""

    def __init__(self, ring: Ring, path: Path, resume: str | None = None, spare: bool = False) -> None:
        command = [sys.executable, "-m", *Programs().render(ring.name, path, resume is not None, spare=spare)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
        self.wire = Wire(self.process.stdout, self.process.stdin)  # type: ignore[arg-type]
        if resume is not None:
            self.wire.send(ResumeFrom(resume))
        self.said: list[Message] = []
        self._ready = threading.Condition()
        self._ended = False
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for message in self.wire.read():
            with self._ready:
                self.said.append(message)
                self._ready.notify_all()
        with self._ready:
            self._ended = True
            self._ready.notify_all()

    def wait(self, kind: type[Told], which: Callable[[Told], bool] = lambda message: True, after: int = 0) -> Told:
        """The first message of a kind of which that is true."""
        found: list[Told] = []

        def there() -> bool:
            found[:] = [message for message in self.said[after:] if isinstance(message, kind) and which(message)]
            return bool(found) or self._ended

        with self._ready:
            assert self._ready.wait_for(there, PATIENCE), self.said[-3:]
        assert found, (self.said[-3:], self.process.wait(5), self.process.stderr.read().decode()[-2000:])  # type: ignore[union-attr]
        return found[0]

    def end(self) -> int:
        """Its exit status, when it was asked to stop."""
        self.wire.send(Stop())
        self.wire.close()
        code = self.process.wait(PATIENCE)
        self.close()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        with self._ready:
            self._ready.wait_for(lambda: self._ended, PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        self.wire.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "journey.toml"
    file.write_text(preset.dump(preset.load("analytic", JOURNEY)), encoding="utf-8")
    return file


def test_a_spare_waits_and_goes_on_as_one_that_is_started_then(ring: Ring, path: Path) -> None:
    first = Renderer(ring, path)
    begun = first.wait(Tick)
    spare = Renderer(ring, path, begun.resume, spare=True)
    spare.wait(Waiting)
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait(PATIENCE)
    first.close()
    last = [message for message in first.said if isinstance(message, Tick)][-1]
    assert not any(isinstance(message, Ready | Tick | Fault) for message in spare.said)
    spare.wire.send(TakeOver(last.resume))
    spare.wire.send(ControlChanges({}, (), 7.0))
    assert spare.wait(Ready).size == (32, 32)
    tick = spare.wait(Tick)
    assert tick.index[0] == last.index[-1] + 1
    assert spare.wait(Tick, lambda tick: tick.stamp == 7.0)  # it hears what is played
    assert spare.end() == 0

    started = Renderer(ring, path, last.resume)
    assert started.wait(Tick).digest[0] == tick.digest[0]
    assert started.end() == 0


def test_a_spare_takes_up_what_it_was_not_loaded_for(ring: Ring, path: Path) -> None:
    spare = Renderer(ring, path, spare=True)
    spare.wait(Waiting)
    spare.wire.send(TakeOver(json.dumps({"model": {"version": 1, "batch": 3}})))
    assert len(spare.wait(Tick).index) == 3
    assert spare.end() == 0


def test_a_spare_whose_show_is_gone_ends(ring: Ring, path: Path) -> None:
    spare = Renderer(ring, path, spare=True)
    spare.wait(Waiting)
    assert spare.end() == 0


def test_it_shows_hears_and_goes_on_where_it_was_killed(ring: Ring, path: Path) -> None:
    first = Renderer(ring, path)
    ready = first.wait(Ready)
    assert ready.size == (32, 32)
    assert preset.parse(tomllib.loads(ready.preset)).decoder.steps == 6
    assert first.said[0] == Beat()  # alive while it loads
    first.wait(Tick)
    first.wire.send(ControlChanges({"walk.speed": 1.5, "walk.kind": "orbit", "prompt.a": 3}, (), 42.0))
    heard = first.wait(Tick, lambda tick: tick.stamp == 42.0)
    first.wait(Fault, lambda fault: "prompt.a takes a text" in fault.text)
    shot = ring.get(ring.newest)
    assert shot is not None
    assert shot.picture.shape == (32, 32, 3)
    assert heard.index[0] > 0
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait(PATIENCE)
    first.close()
    last = [message for message in first.said if isinstance(message, Tick)][-1]
    newest = ring.newest

    second = Renderer(ring, path, last.resume)
    tick = second.wait(Tick)
    assert tick.index[0] == last.index[-1] + 1
    assert tick.time[0] > last.time[-1]
    scene = second.wait(SceneChange).scene
    assert scene.walk.spec["kind"] == "orbit"
    there, here = np.array(last.place[-1][:3]), np.array(tick.place[0][:3])
    assert 0 < float(globe.angle(there, here)) < 0.1  # one stride on, and not at the start again
    assert ring.newest > newest
    assert second.end() == 0


def test_a_show_that_is_gone_ends_it(ring: Ring, path: Path) -> None:
    renderer = Renderer(ring, path)
    renderer.wait(Tick)
    renderer.process.stdin.close()  # type: ignore[union-attr]
    assert renderer.process.wait(PATIENCE) == 0
    renderer.close()


@pytest.mark.parametrize("fault", ["ring", "preset"])
def test_what_cannot_be_survived_is_one_line_and_a_status(ring: Ring, tmp_path: Path, path: Path, fault: str) -> None:
    if fault == "preset":
        path.write_text('[world]\nname = "nowhere/at-all"\n', encoding="utf-8")
    name = "lw-1-00000000" if fault == "ring" else ring.name
    command = [sys.executable, "-m", "installation.render", "--ring", name, "--preset", str(path)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    ours, theirs = os.pipe()  # its show is there all the time: one that is alone ends in any case
    try:
        done = subprocess.run(command, stdin=ours, capture_output=True, env=environment, timeout=PATIENCE, check=False)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 1
    last = done.stderr.decode().strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "Traceback" not in done.stderr.decode()


def test_a_saved_state_that_is_damaged_is_told_and_the_rest_goes_on(ring: Ring, path: Path) -> None:
    saved = {"index": 7, "time": 3.0, "period": 0.1, "walk": {"free": "nonsense"}, "controls": {"walk.kind": "orbit"},
             "helm": {"speed": "fast", "unheard": 1}, "director": {"wheel": 3, "world": "nowhere/at-all"}}  # fmt: skip
    saved["unheard"] = "x" * 300_000  # more than an argument may be long
    renderer = Renderer(ring, path, json.dumps(saved))
    assert renderer.wait(Tick).index == (8,)
    assert renderer.wait(SceneChange).scene.walk.spec["kind"] == "orbit"
    for name in (
        "walk cannot be used",
        "walk control is no table",
        "pilot has no usable rate, speed",
        "toward is missing",
    ):
        renderer.wait(Fault, lambda fault, name=name: name in fault.text)
    assert renderer.end() == 0


# --- its parts ---------------------------------------------------------------------------------------------------


class Deaf:
    """A wire that says what it is told to, and keeps what is sent."""

    def __init__(self, *messages: Message) -> None:
        self._messages = messages
        self.sent: list[Message] = []

    def read(self) -> Iterator[Message]:
        yield from self._messages

    def send(self, message: Message, droppable: bool = False) -> None:
        self.sent.append(message)


def heard(*messages: Message) -> tuple[Mailbox, list[str], Deaf, list[Any]]:
    mailbox, faults, done, wire = Mailbox(), list[str](), threading.Event(), Deaf(*messages)
    followed: list[Any] = []
    MessageReader(wire, mailbox, faults.append, done.set, followed.append, lambda: followed.append(None))  # type: ignore[arg-type]
    assert done.wait(PATIENCE)
    return mailbox, faults, wire, followed


def test_controls_are_checked_again_and_the_rest_is_taken() -> None:
    values = {"walk.speed": 1e9, "walk.radius": "wide", "no.such": 1, "walk.position": (1, 2), "out.freeze": True,
              "model.world": "another", "rift.value": 3, "walk.kind": "orbit"}  # fmt: skip
    triggers = (("walk.jump", None), ("walk.jump", 1.0), ("panic", None))
    mailbox, faults, _, _ = heard(ControlChanges(values, triggers, 9.0), ControlChanges({"walk.kind": None}, (), 8.0))
    latest = mailbox.latest()
    assert latest.values() == {"walk.speed": 24.0, "walk.position": (1.0, 2.0), "model.world": "another"}
    assert latest.walk.jump
    assert latest.stamp == 9.0
    assert faults == ["walk.radius takes a finite number, not 'wide'"]


def test_a_message_that_fails_does_not_end_the_thread() -> None:
    mailbox, faults, done, wire = Mailbox(), list[str](), threading.Event(), Deaf(
        Follow("missing.take"), Follow("broken"), Ask(3, WordsQuestion(("a",))), Unfollow(), Cancel(7), Beat(),
        ControlChanges({"walk.speed": 2.0}), Stop(), ControlChanges({"walk.speed": 3.0}),
    )  # fmt: skip

    def follow(file: str) -> None:
        raise TakeError("there is no take: record one") if file == "missing.take" else ZeroDivisionError("oh")

    left: list[None] = []
    MessageReader(wire, mailbox, faults.append, done.set, follow, lambda: left.append(None))  # type: ignore[arg-type]
    assert done.wait(PATIENCE)
    assert mailbox.latest().values() == {"walk.speed": 2.0}
    assert faults == [
        "there is no take: record one", "a Follow message could not be obeyed: ZeroDivisionError: oh",
    ]  # fmt: skip
    assert wire.sent == [Answer(3, fault="the world is still loading: ask again")]
    assert left == [None]


def test_the_renderers_table_is_the_loops() -> None:
    rows = loop_table()
    assert "walk.speed" in rows
    assert not [name for name in rows if name.startswith(("out.", "lfo.", "slew."))]
    assert rows["model.world"].check("anything printable") == "anything printable"


def test_the_same_fault_is_not_told_over_and_over() -> None:
    now, wire = [0.0], Deaf()
    speaker = Speaker(wire, lambda: now[0])  # type: ignore[arg-type]
    for at, text in ((0.0, "a"), (0.1, "a"), (0.2, "b"), (3.0, "a")):
        now[0] = at
        speaker.fault(text)
        speaker.beat()
    assert [message.text for message in wire.sent if isinstance(message, Fault)] == ["a", "b", "a"]
    assert sum(message == Beat() for message in wire.sent) == 2


# --- the live clock ----------------------------------------------------------------------------------------------


def beaten(clock: LiveClock, world: Clock, work: list[float]) -> list[Any]:
    ticks = []
    for tick, seconds in zip(clock, [*work, None]):  # type: ignore[list-item]
        if seconds is None:
            clock.stop()
            break
        ticks.append((tick, clock.began, clock.period))
        world.now += seconds
    return ticks


def test_the_clock_counts_on_and_is_paced_evenly() -> None:
    world = Clock()
    clock = LiveClock(2, 10.0, 0.1, 41, 7.0, world, world.sleep)
    ticks = beaten(clock, world, [0.05] * 10)
    assert [tick.index.tolist() for tick, _, _ in ticks] == [[42 + 2 * i, 43 + 2 * i] for i in range(10)]
    np.testing.assert_allclose(np.diff([began for _, began, _ in ticks]), 0.2)  # two pictures at ten a second
    times = np.concatenate([tick.time for tick, _, _ in ticks])
    np.testing.assert_allclose(np.diff(times), 0.1, atol=0.006)
    assert times[0] > 7.0


def test_the_period_is_smooth_and_finds_what_ticks_take() -> None:
    world = Clock()
    clock = LiveClock(1, 0.0, 0.5, -1, 0.0, world, world.sleep)
    ticks = beaten(clock, world, [0.1] * 60 + [2.0] + [0.1] * 60)
    periods = np.array([period for _, _, period in ticks])
    assert periods[59] == pytest.approx(0.1, rel=0.02)
    assert periods[62] < 0.15  # one hitch of twenty periods moves it by a fifth
    assert world.sleeps == []
    times = np.array([tick.time[0] for tick, _, _ in ticks])
    assert (np.diff(times) > 0).all()
    assert abs((times[-1] - times[0]) - (ticks[-1][1] - ticks[0][1])) < 2.0  # show time keeps to the wall's


def test_a_machine_that_slept_catches_up_at_once() -> None:
    world = Clock()
    clock = LiveClock(1, 0.0, 0.1, -1, 0.0, world, world.sleep)
    ticks = beaten(clock, world, [0.1, 0.1, 3600.0, 0.1, 0.1])
    assert ticks[-1][0].time[0] > 3600.0
    assert ticks[-1][2] < 0.2
