"""What a show does besides: what it looks up from time to time."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from patience import until

from installation.show.chores import Chore, Chores, resident


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to see a process that is not waited for")
def test_memory_of_what_is_gone_or_not_yet_waited_for_is_left_out() -> None:
    killed = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    killed.kill()
    until(lambda: ") Z " in Path(f"/proc/{killed.pid}/stat").read_text())
    assert set(resident({"here": os.getpid(), "killed": killed.pid})) == {"here"}
    killed.wait()
    found = resident({"here": os.getpid(), "killed": killed.pid})
    assert set(found) == {"here"}
    assert found["here"] > 1_000_000


def test_a_chore_that_fails_is_logged_and_done_again_and_hinders_no_other(caplog: pytest.LogCaptureFixture) -> None:
    failed, done = [], threading.Event()

    def fails(now: float) -> None:
        failed.append(now)
        raise RuntimeError("no such sensor")

    log = logging.getLogger("chores")
    chores = Chores([Chore("fails", 0.0, fails), Chore("works", 0.0, lambda now: done.set())], time.monotonic, log)
    with caplog.at_level(logging.ERROR, logger="chores"):
        chores.start()
        try:
            assert done.wait(60.0)
            until(lambda: len(failed) > 1)
        finally:
            chores.stop()
    assert "a chore failed" in caplog.text
    assert "no such sensor" in caplog.text
