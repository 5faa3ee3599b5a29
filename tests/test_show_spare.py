"""A second renderer that waits: when it is started, how it takes over, and what happens where it cannot."""

from __future__ import annotations

import errno
import os
import signal
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from patience import until
from standins import tiny_world
from standins.messages import tick
from standins.show import HASTY, preset, put_on
from test_show_supervision import kin, pid_of, running

from installation.health import memory, metrics
from installation.ipc.messages import Fault, Message, TakeOver, Waiting
from installation.render.process import room_on_card
from installation.show import spare
from installation.show.show import Show
from installation.show.spare import LATER, Spare
from latentworld.device import Choice
from latentworld.errors import ShowError
from latentworld.preset import parse


class Wire:
    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


class Child:
    """Stands for a process."""

    def __init__(self, receive: spare.Ear) -> None:
        self.receive, self.wire, self.pid = receive, Wire(), 1
        self.alive, self.refusal = True, ""

    def why(self) -> str:
        return "ended by SIGKILL"

    def kill(self) -> None:
        self.alive = False

    def wait(self, patience: float) -> bool:
        return True


class Keeper:
    """A spare whose processes are ours."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.children: list[Child] = []
        self.said: list[str] = []
        self.fault: Exception | None = None
        self.lacking: str | None = None
        self.signals: list[signal.Signals] = []
        monkeypatch.setattr(spare.os, "kill", lambda pid, sign: self.signals.append(sign))
        self.spent = 0.0
        self.spare = Spare(self.start, lambda pid: self.lacking, self.said.append, lambda pid: self.spent)  # type: ignore[arg-type]

    def start(self, receive: spare.Ear) -> Child:
        if self.fault is not None:
            raise self.fault
        self.children.append(Child(receive))
        return self.children[-1]

    def hear(self, message: Message) -> None:
        self.children[-1].receive(self.children[-1], message)  # type: ignore[arg-type]


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Keeper:
    return Keeper(monkeypatch)


def test_it_is_started_beside_a_renderer_that_runs_and_loads_in_bites(keeper: Keeper) -> None:
    keeper.spare.tend(0.0, None)
    assert (keeper.spare.state, keeper.children) == ("none", [])
    for step in range(600):
        keeper.spare.tend(step / 60, 7)
        runs = not keeper.signals or keeper.signals[-1] == signal.SIGCONT
        keeper.spent += 1 / 60 if runs else 0.0
    assert keeper.spare.state == "loading"
    assert len(keeper.children) == 1
    assert keeper.spent == pytest.approx(10 * spare.SHARE, abs=0.05)
    assert keeper.signals[:4] == [signal.SIGSTOP, signal.SIGCONT] * 2
    keeper.hear(Waiting())
    keeper.signals.clear()
    for step in range(600, 700):
        keeper.spare.tend(step / 60, 7)
    assert keeper.spare.state == "waiting"
    assert keeper.signals in ([], [signal.SIGCONT])  # it waits for a line, and is not stopped again
    assert keeper.said == ["a spare renderer is loaded, and waits"]


@pytest.mark.parametrize("is_ready", [True, False])
def test_it_takes_over_as_it_is(keeper: Keeper, is_ready: bool) -> None:
    heard: list[Message] = []
    keeper.spare.tend(0.0, 7)
    keeper.spent = 1.0
    keeper.spare.tend(0.1, 7)  # it has had too much: it is stopped
    assert keeper.signals == [signal.SIGSTOP]
    if is_ready:
        keeper.hear(Waiting())
    taken = keeper.spare.take(lambda child, message: heard.append(message), "the state")
    assert taken is keeper.children[0]
    assert keeper.children[0].wire.sent == [TakeOver("the state")]
    assert keeper.signals.count(signal.SIGCONT) == keeper.signals.count(signal.SIGSTOP)
    keeper.hear(tick(1))
    assert heard == [tick(1)]
    assert keeper.spare.take(lambda *_: None, None) is None  # there was one
    keeper.spare.tend(1.0, 8)
    keeper.hear(Waiting())  # of the next one
    assert (heard, len(keeper.children)) == ([tick(1)], 2)


def test_without_memory_there_is_none_and_it_is_looked_again(keeper: Keeper) -> None:
    keeper.lacking = "it would need 9 MB"
    for now in range(100):
        keeper.spare.tend(float(now), 7)
    assert keeper.said == ["no spare renderer: it would need 9 MB"]
    keeper.lacking = None
    keeper.spare.tend(100.0 + LATER, 7)
    assert keeper.spare.state == "loading"


def test_one_that_keeps_dying_is_given_up(keeper: Keeper) -> None:
    now = 0.0
    for _ in range(3):
        keeper.spare.tend(now, 7)
        keeper.hear(Fault("the card is full"))
        keeper.children[-1].alive = False
        keeper.spare.tend(now, 7)
        keeper.spare.tend(now + 1.0, 7)  # too early
        now += 1000.0
    assert len(keeper.children) == 3
    keeper.spare.tend(now + 1e6, 7)
    assert (keeper.spare.state, len(keeper.children)) == ("off", 3)
    assert keeper.said[0] == "the spare renderer is lost (the card is full): it is tried again"
    assert keeper.said[-1].endswith("there will be none")


def test_no_process_is_to_be_had(keeper: Keeper) -> None:
    keeper.fault = OSError(errno.EAGAIN, "no process")
    keeper.spare.tend(0.0, 7)
    assert keeper.spare.state == "none"
    assert "it cannot be started" in keeper.said[0]
    keeper.fault = None
    keeper.spare.tend(LATER, 7)
    assert keeper.spare.state == "loading"


def test_a_dead_one_takes_nothing_over(keeper: Keeper) -> None:
    keeper.spare.tend(0.0, 7)
    keeper.children[0].alive = False
    assert keeper.spare.take(lambda *_: None, "s") is None


def test_memory_is_the_machines_or_the_groups(tmp_path: Path) -> None:
    machine = memory.free(tmp_path)  # no control group
    assert 0 < machine <= psutil.virtual_memory().total
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 600\ninactive_file 100\n")
    for most, free in (("max", None), ("1000", 400), ("words", None)):
        (tmp_path / "memory.max").write_text(most)
        assert (
            abs(memory.free(tmp_path) - (machine if free is None else free)) < machine / 2
            if free is None
            else (memory.free(tmp_path) == free)
        )
    assert memory.lacking(800, lambda: 1000) is None
    assert "it would need 1 MB, and 0 MB are free" in str(memory.lacking(800_000, lambda: 10))


@pytest.mark.parametrize(("free", "refused"), [(1e6, True), (1e12, False)])
def test_a_card_without_room_is_told(free: float, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Choice("cuda:0", "float32", "eager", 1)
    monkeypatch.setattr("installation.render.process.choose", lambda *_: card)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (free, free))
    room_on_card(parse({"decoder": {"kind": "analytic"}}))
    world = parse({"world": {"name": str(tiny_world.folder())}})
    with pytest.raises(ShowError, match=r"GB are free: set show\.spare = false") if refused else nullcontext():
        room_on_card(world)


# ---- in a show


def spared(show: Show) -> int:
    until(lambda: show.status().spare == "waiting")
    return show.processes.pids()["spare"]


SPARE = {"show": {"spare": True}}


def test_a_spare_is_the_renderer_after_a_kill(tmp_path: Path) -> None:
    before = kin()
    with put_on(tmp_path, performed=preset(**SPARE)) as (show, said):
        indices: list[int] = []
        show.watch(lambda tick: indices.extend(tick.index))
        for kill in range(2):
            waiting = spared(show)
            assert metrics.health(show.status())[1]["spare"] == "waiting"
            frame = show.status().frame
            os.kill(pid_of(show, "renderer"), signal.SIGKILL)
            until(lambda waiting=waiting: show.processes.pids().get("renderer") == waiting)
            until(lambda frame=frame: indices[-1] > frame)
            assert show.status().restarts == kill + 1
        assert indices == sorted(indices)  # it goes on from where the first one was
        running(show)
        assert said.of("a spare renderer is loaded")
    assert kin() <= before


def test_a_spare_takes_over_from_one_that_hangs(tmp_path: Path) -> None:
    with put_on(tmp_path, performed=preset(**SPARE)) as (show, said):
        waiting = spared(show)
        os.kill(pid_of(show, "renderer"), signal.SIGSTOP)
        until(lambda: show.processes.pids().get("renderer") == waiting)
        running(show)
        assert said.of("the renderer hung")


def test_a_spare_that_dies_costs_the_show_nothing(tmp_path: Path) -> None:
    mood = tmp_path / "mood"
    mood.write_text("alone")
    with put_on(tmp_path / "show", performed=preset(mood, **SPARE)) as (show, said):
        running(show)
        until(lambda: said.of("the spare renderer is lost"))
        os.kill(pid_of(show, "renderer"), signal.SIGKILL)
        until(lambda: show.status().restarts == 1)
        running(show)


def test_the_safe_preset_is_no_spares_business(tmp_path: Path) -> None:
    mood = tmp_path / "mood"
    mood.write_text("well")
    patience = replace(HASTY, retry=1000.0)
    with put_on(tmp_path / "show", performed=preset(mood, **SPARE), patience=patience) as (show, said):
        first = spared(show)
        mood.write_text("dies")  # the next spare, once it has taken over, and whoever comes after it
        os.kill(pid_of(show, "renderer"), signal.SIGKILL)
        until(lambda: show.status().spare == "waiting" and show.processes.pids()["spare"] != first)
        os.kill(first, signal.SIGKILL)
        running(show, "safe")
        assert said.of("next is the safe")
        assert show.status().spare in ("none", "off")


def test_without_the_wish_there_is_no_spare(tmp_path: Path) -> None:
    with put_on(tmp_path) as (show, _):
        running(show)
        time.sleep(0.5)
        assert show.status().spare is None
        assert "spare" not in show.processes.pids()
