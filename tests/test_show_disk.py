"""A disk that takes its time, or never answers: the show is played on, tells of it, and ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest
from patience import until
from standins.show import HERE, heard_by, put_on

from installation.control.desk import Trigger
from installation.disk_worker import MOST, DiskWorker
from installation.show import premises, preset_controls
from installation.show.descriptors import Reserve
from installation.show.show import Show
from latentworld import disk
from latentworld.errors import ShowError


class DeadDisk:
    """Whoever reads or writes through `latentworld.disk` waits until `answers` is set."""

    def __init__(self) -> None:
        self.answers, self.asked = threading.Event(), threading.Event()

    def wait(self, *_: object) -> bytes:
        self.asked.set()
        self.answers.wait()
        raise OSError("it was away")


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], DeadDisk]]:
    """Called, the disk answers no more."""
    found = DeadDisk()

    def dies() -> DeadDisk:
        monkeypatch.setattr("installation.control.desk.snapshots.put", found.wait)
        for name in ("read", "put"):
            monkeypatch.setattr(disk, name, found.wait)
        return found

    yield dies
    found.answers.set()


def running(show: Show) -> None:
    until(lambda: show.status().renderer == "running")


# ---- the worker


@pytest.fixture
def worker() -> Iterator[DiskWorker]:
    made, reserve = DiskWorker(time.monotonic, Reserve()), Reserve()
    made.start()
    yield made
    made.stop(10)
    reserve.close()


def test_work_is_done_in_order_and_its_faults_are_whose_it_was(worker: DiskWorker) -> None:
    done: list[int] = []
    futures = [worker.submit(lambda number=number: done.append(number)) for number in range(20)]  # type: ignore[misc]
    bad = worker.submit(lambda: 1 // 0)
    assert isinstance(bad.exception(60), ZeroDivisionError)
    assert all(future.done() for future in futures)
    assert done == list(range(20))


def test_what_is_the_same_is_done_once_as_far_as_order_allows(worker: DiskWorker) -> None:
    hold, done = threading.Event(), list[str]()
    futures: list[Future[None]] = [worker.submit(lambda: hold.wait() and None)]
    until(lambda: worker.stalled > 0)
    for text, key, commutes in (
        ("save a, old", "a", True), ("save b", "b", True), ("save a", "a", True), ("recall a", "r", False),
        ("recall a again", "r", False), ("next", None, False), ("next", None, False), ("save a later", "a", True),
    ):  # fmt: skip
        futures.append(worker.submit(lambda text=text: done.append(text), key, commutes))  # type: ignore[misc]
    hold.set()
    assert worker.stop(60)
    assert done == ["save a", "save b", "recall a again", "next", "next", "save a later"]
    assert [future.cancelled() for future in futures].count(True) == 2


def test_too_much_is_refused_and_a_disk_that_is_away_is_not_waited_for(worker: DiskWorker) -> None:
    hold = threading.Event()
    worker.submit(hold.wait)
    until(lambda: worker.stalled > 0.05)
    futures = [worker.submit(int) for _ in range(MOST + 3)]
    assert sum(isinstance(future.exception(0), ShowError) for future in futures if future.done()) == 3
    assert not worker.stop(0.05)
    hold.set()


# ---- the show


def test_what_is_played_goes_on_while_the_disk_does_not_answer(
    tmp_path: Path, dead: Callable[[], DeadDisk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(premises, "FAREWELL", 0.2)
    with put_on(tmp_path) as (show, said):
        running(show)
        show.desk.press("snapshot.save", "dusk")
        until(lambda: show.snapshots.names() == ["dusk"])
        away = dead()
        monkeypatch.setattr(preset_controls, "_card", away.wait)  # of the safe preset's world
        show.desk.press("snapshot.recall", "dusk")
        assert away.asked.wait(60)
        show.desk.set("walk.speed", 5.0, "test")
        until(lambda: heard_by(show)["values"].get("walk.speed") == 5.0)
        for name in ("out.blackout", "record.take"):
            show.desk.set(name, True, "test")
        until(lambda: show.status().held)
        show.desk.press("panic")
        until(lambda: said.of("panic: to the safe preset"))
        until(lambda: not show.status().held)
        until(lambda: said.of("does not answer: nothing is kept until it does"))
        assert show.pulse.age < 10
        assert show.status().restarts == 0
    assert said.of("what was to be kept last is lost")


def test_panic_leaves_behind_what_was_pressed_before_it(tmp_path: Path) -> None:
    with put_on(tmp_path) as (show, said):
        running(show)
        show.desk.set("prompt.mix", 1.0, "test")
        show.desk.press("snapshot.save", "loud")
        until(lambda: show.snapshots.names() == ["loud"])
        hold = threading.Event()
        worker = show.recordings._worker
        worker.submit(hold.wait)
        show.desk.press("snapshot.recall", "loud")
        show.desk.press("snapshot.next")
        show.desk.press("snapshot.save", "quiet")
        show.desk.press("replay", "nothing")
        show.desk.press("panic")
        until(lambda: said.of("panic"))
        hold.set()
        until(lambda: show.snapshots.names() == ["loud", "quiet"])
        worker.submit(int).result(60)
        assert show.desk.value("prompt.mix") == 0.0
        show.desk.press("snapshot.recall", "quiet")
        until(lambda: show.desk.value("prompt.mix") == 1.0)  # as it was before panic
        assert not said.of("no take")


def test_a_flood_of_presses_keeps_panic_and_switches_from_nobody(tmp_path: Path) -> None:
    with put_on(tmp_path) as (show, said):
        running(show)
        show.desk.set("prompt.mix", 1.0, "test")
        for number in range(2000):
            show.desk.press("snapshot.save", f"cue {number % 400}")
        show.desk.press("panic")
        assert Trigger("panic") in show.desk._presses["desk"] or said.of("panic")
        until(lambda: show.desk.value("prompt.mix") == 0.0)
        until(lambda: said.of("panic"))  # announced on another thread
        until(lambda: said.of("not heard") or said.of("does not keep up"))


def test_sigterm_ends_a_show_whose_disk_does_not_answer(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "run_show.py"), str(tmp_path), "--dead-disk"],
        stderr=subprocess.PIPE, text=True, cwd=HERE.parent,
    )  # fmt: skip
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if "does not answer: nothing is kept" in line:
            crew = psutil.Process(process.pid).children()
            process.send_signal(signal.SIGTERM)
    process.stderr.close()
    assert process.wait(60) == 0, lines
    assert not any(child.is_running() for child in crew)
    assert not any("Traceback" in line for line in lines)


FULL = """
import os, resource, subprocess, sys
from pathlib import Path
from installation.show.descriptors import Reserve
from latentworld import disk
resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
reserve, held, pipe = Reserve(), [], subprocess.PIPE
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
for _ in range(3):
    reserve.use(lambda: subprocess.Popen([sys.executable, "-c", ""], stdin=pipe, stdout=pipe, stderr=pipe).wait(60))
    reserve.use(lambda: disk.save(Path(sys.argv[1]) / "state.json", b"kept"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
def test_children_are_started_and_state_is_saved_when_the_table_of_files_is_full(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], check=True, cwd=HERE.parents[2])
    assert (tmp_path / "state.json").read_bytes() == b"kept"
