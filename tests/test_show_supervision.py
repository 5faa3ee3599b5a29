"""A whole show with stand-ins for its children: they crash, hang, refuse and fail, and the show goes on."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from patience import until
from standins.show import HASTY, HERE, STANDINS, heard_by, put_on, venue
from standins.show import preset as standin_preset

from installation.ipc.messages import Cancel, Message, StageReport
from installation.show.children import Child
from installation.show.ending import Ending
from installation.show.opening import open_show
from installation.show.premises import Runtime
from installation.show.show import Show
from installation.venue import Doors, Wall
from latentworld.errors import ShowError
from latentworld.preset import dump

FROZEN = 8.0  # seconds: more than a silence that is borne, however crowded the machine


def running(show: Show, state: str = "running") -> Any:
    return until(lambda: show.status().renderer == state)


def pid_of(show: Show, who: str) -> int:
    supervised = {"renderer": show.processes.renderer, "stage": show.processes.stage}[who]
    return int(until(lambda: supervised.child).pid)


def light_stays(show: Show, reports: list[StageReport]) -> None:
    """After its first picture the stage never showed darkness."""
    shown = [report.light for report in reports if report.sequence]
    assert shown
    assert min(shown) > 0.2


def reports_of(show: Show) -> list[StageReport]:
    """What the stage will have reported."""
    found: list[StageReport] = []
    heard = show.status_collector.stage
    show.status_collector.stage = lambda now, message: (found.append(message), heard(now, message))[1]  # type: ignore[method-assign]
    return found


def kin() -> set[int]:
    """Processes of this one's, of other tests' libraries too."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_kill_9_of_the_renderer_is_a_pause_and_no_more(tmp_path: Path) -> None:
    before = kin()
    with put_on(tmp_path) as (show, said):
        reports, indices = reports_of(show), []
        show.watch(lambda tick: indices.extend(tick.index))
        for kill in range(3):
            frame = until(lambda kill=kill: indices[-1] if len(indices) > 60 * (kill + 1) else 0)
            os.kill(pid_of(show, "renderer"), signal.SIGKILL)
            until(lambda kill=kill, frame=frame: show.status().restarts == kill + 1 and indices[-1] > frame)
        light_stays(show, reports)
        assert indices == sorted(indices)
        steps = {b - a for a, b in pairwise(indices)}
        assert steps <= {1, 2, 3}  # a batch that was made and not told is made again or skipped, no more
        assert said.of("SIGKILL")
        assert show.status().renderer == "running"
    assert kin() <= before


def test_a_renderer_that_hangs_is_replaced(tmp_path: Path) -> None:
    with put_on(tmp_path) as (show, said):
        running(show)
        first = pid_of(show, "renderer")
        os.kill(first, signal.SIGSTOP)
        until(lambda: show.status().restarts == 1)
        assert said.of("the renderer hung")
        running(show)
        assert not psutil.pid_exists(first)


def test_a_second_wall_is_played_alike_and_there_again_when_it_dies(tmp_path: Path) -> None:
    second = Wall(kind="headless", size=(90, 160), part=(0.5, 0.0, 1.0, 1.0))
    with put_on(tmp_path, place=venue(tmp_path, Doors(osc=None, deck=0), walls=(second,))) as (show, said):
        running(show)
        first, other = show.processes.pids()["stage"], show.processes.pids()["stage 2"]
        asked = " ".join(psutil.Process(other).cmdline())
        assert '"part":[0.5,0.0,1.0,1.0]' in asked
        until(lambda: said.of("card http://"))
        os.kill(other, signal.SIGKILL)
        until(lambda: show.processes.pids().get("stage 2", other) != other)
        assert show.processes.pids()["stage"] == first
        assert said.of("the stage 2 ended by SIGKILL")
        assert show.status().restarts == 0


def test_a_window_that_is_closed_ends_the_show(tmp_path: Path) -> None:
    with put_on(tmp_path) as (show, said):
        until(lambda: said.of("renderer ready") and said.of("stage: "))
        show.desk.set("out.testcard", True, "test")
        until(lambda: show.ending.ended)
    assert said.of("the window was closed: the show ends")
    assert not said.of("starts again")


def test_a_show_that_is_to_end_before_it_began_ends_at_once(tmp_path: Path) -> None:
    ending = Ending()
    ending.end()
    with open_show(standin_preset(), venue(tmp_path), print, ending=ending, runtime=Runtime(programs=STANDINS)) as show:
        show.ending.wait()
    assert (tmp_path / "state.json").is_file()


def test_a_stage_that_dies_is_there_again_while_the_renderer_goes_on(tmp_path: Path) -> None:
    with put_on(tmp_path) as (show, _):
        running(show)
        show.desk.set("out.freeze", True, "test")
        renderer, stage = pid_of(show, "renderer"), pid_of(show, "stage")
        os.kill(stage, signal.SIGKILL)
        until(lambda: pid_of(show, "stage") != stage)
        until(lambda: show.status().presented > 0)
        assert pid_of(show, "renderer") == renderer
        assert show.status().restarts == 0


def test_failures_lead_to_safe_then_to_the_loop_and_back(tmp_path: Path) -> None:
    mood = tmp_path / "mood"
    mood.write_text("brief")
    (tmp_path / "state.json").write_text("{}")  # damaged: told, put aside
    safe = tmp_path / "another.toml"
    safe.write_text(dump(standin_preset(mood, title="the safe one", world={"name": "another"})))
    with put_on(tmp_path, mood, place=venue(tmp_path, safe=str(safe))) as (show, said):
        until(lambda: show.status().renderer == "loop")
        assert said.of("next is the safe")
        assert said.of("next is the loop")
        assert heard_by(show)["title"] == "the loop"
        mood.write_text("well")
        running(show)
        assert heard_by(show)["title"] == "the real thing"
        assert said.of("tried with the preset again")
    assert said.of("state.damaged.json")


def test_what_broke_the_preset_is_kept_from_the_safe_one(tmp_path: Path) -> None:
    mood = tmp_path / "mood"
    mood.write_text("dies")
    with put_on(tmp_path, mood, patience=replace(HASTY, retry=1000.0)) as (show, _):
        show.desk.set("model.batch", 16, "test")
        running(show, "safe")
        assert "model.batch" not in heard_by(show)["values"]
        show.desk.set("walk.speed", 2.0, "test")
        until(lambda: heard_by(show)["values"] == {"walk.speed": 2.0})


def test_a_world_that_cannot_be_read_ends_a_first_start_with_its_own_words(tmp_path: Path) -> None:
    mood = tmp_path / "mood"
    mood.write_text("refuses")
    before = kin()
    words = "the world cannot be read: copy it again"
    with pytest.raises(ShowError, match=words), put_on(tmp_path, mood) as (show, _):
        show.ending.wait(60)
    assert kin() <= before


def test_a_show_that_ran_here_before_goes_on_with_the_safe_preset_instead(tmp_path: Path) -> None:
    mood = tmp_path / "mood"
    mood.write_text("well")
    with put_on(tmp_path, mood) as (show, _):
        running(show)
    mood.write_text("refuses")
    with put_on(tmp_path, mood) as (show, said):
        running(show, "safe")
        assert said.of("the world cannot be read")


def test_a_stage_that_refuses_ends_the_start(tmp_path: Path) -> None:
    stage = tmp_path / "stage.py"
    stage.write_text(
        "import sys\nfrom installation.ipc.messages import Fault\nfrom installation.ipc.wire import Wire\n"
        "wire = Wire(sys.stdin.buffer, sys.stdout.buffer)\n"
        "wire.send(Fault('no display: use --headless'))\nwire.close()\nsys.exit(1)\n"
    )
    programs = replace(STANDINS, stage=str(stage))
    with (
        pytest.raises(ShowError, match="no display: use --headless"),
        put_on(tmp_path / "show", programs=programs) as (show, _),
    ):
        show.ending.wait(60)


def test_the_show_resumes_where_it_was_and_fresh_forgets(tmp_path: Path) -> None:
    with put_on(tmp_path) as (show, _):
        running(show)
        show.desk.set("walk.speed", 3.0, "test")
        until(lambda: show.status().frame > 50)
    kept = json.loads((tmp_path / "state.json").read_text())
    assert kept["values"] == {"walk.speed": 3.0}

    with put_on(tmp_path) as (show, said):
        running(show)
        assert show.status().frame >= kept["resume"]["index"]
        assert heard_by(show)["values"]["walk.speed"] == 3.0
        assert said.of("going on where the show of")
        assert not any(
            "angle" in word for word in psutil.Process(pid_of(show, "renderer")).cmdline()
        )  # anyone's to read

    with put_on(tmp_path, fresh=True) as (show, _):
        running(show)
        first = show.status()
        assert first.frame < kept["resume"]["index"]
        assert show.desk.value("walk.speed") is None


def test_a_saved_state_that_kills_costs_the_preset_nothing_and_is_gone(tmp_path: Path) -> None:
    with put_on(tmp_path) as (show, _):
        running(show)
        until(lambda: show.status().frame > 200)
    kept = json.loads((tmp_path / "state.json").read_text())
    kept["resume"] = {"unheard": kept["resume"]["index"]}  # the stand-in ends with a KeyError
    (tmp_path / "state.json").write_text(json.dumps(kept))
    with put_on(tmp_path, patience=replace(HASTY, tries=1)) as (show, said):
        running(show)
        assert said.of("starts again without")
        assert not said.of("next is")
        assert show.status().restarts == 1
        assert show.status().frame < 200  # from the beginning
    assert "unheard" not in (tmp_path / "state.json").read_text()


def test_kill_9_of_the_show_leaves_nobody_and_the_walk_resumes(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(HERE / "run_show.py"), str(tmp_path)], stderr=subprocess.PIPE, text=True, cwd=HERE.parent
    ) as process:
        assert process.stderr is not None
        crew = until(lambda: [child.pid for child in psutil.Process(process.pid).children()][1:])
        until(lambda: (tmp_path / "state.json").is_file() and "angle" in (tmp_path / "state.json").read_text())
        os.kill(crew[0], signal.SIGSTOP)  # one that hangs does not see its pipe close
        process.kill()
    until(lambda: not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in crew))
    kept = json.loads((tmp_path / "state.json").read_text())
    with put_on(tmp_path) as (show, said):
        running(show)
        assert show.status().frame >= kept["resume"]["index"] > 0
        assert said.of("going on")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_a_show_that_was_frozen_whole_keeps_its_stage_and_its_renderer(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "run_show.py"), str(tmp_path)], stderr=subprocess.PIPE, text=True, cwd=HERE.parent
    )
    lines: list[str] = []
    assert process.stderr is not None
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()))
    reader.start()

    def frames() -> int:
        kept = json.loads((tmp_path / "state.json").read_text()) if (tmp_path / "state.json").is_file() else {}
        return int((kept.get("resume") or {}).get("index", 0))

    try:
        before = until(frames)
        crew = [child.pid for child in psutil.Process(process.pid).children()]
        for number, pause in ((signal.SIGSTOP, FROZEN), (signal.SIGCONT, 0.0)):
            for pid in (process.pid, *crew):
                os.kill(pid, number)
            time.sleep(pause)
        until(lambda: frames() > before + 200)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        reader.join(60)
        process.stderr.close()
    silent = [float(found) for found in re.findall(r"no sign of life for ([\d.]+) s", "".join(lines))]
    assert all(seconds < FROZEN for seconds in silent), lines  # a crowded machine may have been slow besides


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_signals_end_it_in_good_order(number: signal.Signals, code: int, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "run_show.py"), str(tmp_path)], stderr=subprocess.PIPE, text=True, cwd=HERE.parent
    )
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if "renderer ready" in line:
            crew = psutil.Process(process.pid).children()
            process.send_signal(number)
    process.stderr.close()
    try:
        assert process.wait(60) == code, lines
    finally:
        process.kill()
    assert not any(child.is_running() for child in crew)
    assert json.loads((tmp_path / "state.json").read_text())["version"] == 1
    assert not any("Traceback" in line for line in lines)


def test_two_shows_do_not_share_a_folder(tmp_path: Path) -> None:
    with put_on(tmp_path), pytest.raises(ShowError, match="another show"), put_on(tmp_path):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_what_a_child_leaves_behind_is_swept(how: str, tmp_path: Path) -> None:
    script = tmp_path / "forking.py"
    script.write_text(
        "import os, sys, time\nfrom installation.ipc.messages import Cancel\nfrom installation.ipc.wire import Wire\n"
        "wire = Wire(sys.stdin.buffer, sys.stdout.buffer)\n"
        "pid = os.fork()\nif pid == 0:\n    time.sleep(3600)\nwire.send(Cancel(pid))\n"
        f"if {how == 'ends'}:\n    wire.close()\n    os._exit(0)\ntime.sleep(3600)\n"
    )
    log = logging.getLogger("test.children")
    left: list[Message] = []
    child = Child("forking", [str(script)], lambda _, message: left.append(message), log)
    (message,) = until(lambda: left)
    assert isinstance(message, Cancel)  # it has a number in it
    pid = message.id
    if how == "ends":
        assert child.wait(60)
    else:
        child.kill()
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")
    child.wait(60)
    assert not child.alive
