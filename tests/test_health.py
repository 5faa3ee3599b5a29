"""The log, the metrics, the watchdog and what systemd is told."""

from __future__ import annotations

import json
import logging
import math
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from standins.messages import tick

from installation.backstage import ShownScene, Status
from installation.health import metrics
from installation.health.log import close_log, open_log
from installation.health.notify import Notifier
from installation.health.watchdog import Watchdog
from installation.ipc.messages import Ready, SceneChange, StageReport
from installation.ipc.scene import DecoderScene, PlaneScene, SceneDescription, WalkScene, WorldScene
from installation.show.status import StatusCollector
from latentworld.decoding import Profile
from latentworld.prompts import Prompt

NAN = math.nan
STATUS = Status(
    uptime=10.0, renderer="running", restarts=2, frame=99, rate=12.5, period=0.08, alpha=0.1, beta=0.2, front=True,
    unit=(1.0, 0.0, 0.0), radius=1.0, lipschitz=0.5, step=0.03, presented=60.0, presentations=600, missed=4,
    latency=(0.1, 0.2), fresh=0.1, memory={"show": 5, "renderer": 7}, temperature=None,
    scene=ShownScene(number=3, decoder=DecoderScene(guidance=NAN), world=WorldScene("embedded")), faults=("a",),
)  # fmt: skip


# ---- log


def test_lines_are_json_whatever_is_logged(tmp_path: Path) -> None:
    log = open_log(tmp_path / "deep" / "log.jsonl")
    try:
        log.warning("a\nb %s", "ü" * 10_000, extra={"role": "stage", "thing": object(), "rate": math.nan})
        try:
            raise ValueError("x")
        except ValueError:
            log.exception("failed")
        logging.getLogger("installation.control.desk.somewhere").warning("ours")
    finally:
        close_log(log)
    logging.getLogger("installation").warning("after the end")
    lines = [json.loads(line) for line in (tmp_path / "deep" / "log.jsonl").read_text("utf-8").splitlines()]
    assert [line["level"] for line in lines] == ["warning", "error", "warning"]
    assert lines[0]["role"] == "stage"
    assert lines[0]["rate"] is None
    assert len(lines[0]["text"]) <= 4000
    assert "ValueError: x" in lines[1]["trace"]
    assert lines[2]["text"] == "ours"


def test_the_log_is_bounded_and_keeps_the_newest(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log.jsonl", size=10_000, keep=2)
    try:
        for number in range(2000):
            log.info("event %d", number)
    finally:
        close_log(log)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log.jsonl", "log.jsonl.1", "log.jsonl.2"]
    assert sum(file.stat().st_size for file in files) <= 3 * 10_000
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["text"] == "event 1999"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_loses_lines_and_nothing_else() -> None:
    log = open_log(Path("/dev/full"))
    log.info("lost")
    log.info("lost")
    assert log.handlers[0].lost == 2  # type: ignore[attr-defined]
    close_log(log)


# ---- metrics


def test_metrics_are_what_prometheus_reads() -> None:
    families = {family.name: family for family in text_string_to_metric_families(metrics.text(STATUS).decode())}
    value = {name: family.samples[0].value for name, family in families.items()}
    assert value["latentworld_pictures_per_second"] == 12.5
    assert value["latentworld_latency_p99_seconds"] == 0.2
    assert value["latentworld_missed"] == 4
    assert value["latentworld_frames"] == 100
    assert math.isnan(value["latentworld_temperature_celsius"])
    memory = {sample.labels["process"]: sample.value for sample in families["latentworld_memory_bytes"].samples}
    assert memory == {"show": 5, "renderer": 7}
    states = {sample.labels["state"]: sample.value for sample in families["latentworld_renderer_state"].samples}
    assert states["running"] == 1.0
    assert sum(states.values()) == 1.0


@pytest.mark.parametrize(
    ("change", "held", "well"),
    [
        ({}, False, True),
        ({"fresh": 31.0}, False, False),
        ({"fresh": 31.0}, True, True),
        ({"fresh": math.inf, "renderer": "loading"}, False, True),
        ({"renderer": "safe"}, False, True),
        ({"renderer": "restarting"}, False, False),
        ({"renderer": "hung"}, False, False),
    ],
)
def test_health(change: dict[str, object], held: bool, well: bool) -> None:
    ok, told = metrics.health(replace(STATUS, **change), held)  # type: ignore[arg-type]
    assert ok is well
    assert told["ok"] is well
    scene = json.loads(json.dumps(told, allow_nan=False))["scene"]
    assert (scene["number"], scene["world"]["name"], scene["decoder"]["guidance"]) == (3, "embedded", None)


# ---- status_collector


SOMEWHERE: dict[str, Any] = {"alpha": (0.5, 0.5), "beta": (0.25, 0.25), "front": (False, False), "period": 0.1}


def test_gauges_gather_what_children_report() -> None:
    status_collector = StatusCollector(start=100.0)
    before = status_collector.status(101.0, "loading", 0)
    assert (before.frame, before.fresh, before.rate) == (-1, math.inf, 0.0)
    assert all(math.isnan(part) for part in before.latency)
    for i in range(100):
        status_collector.tick(100 + i / 10, tick(2 * i, **SOMEWHERE))
        status_collector.stage(100 + i / 10, StageReport(6 * i, i // 50, (i / 100,), 0.5))
    status = status_collector.status(110.0, "running", 1)
    assert (status.frame, status.alpha, status.front, status.uptime) == (199, 0.5, False, 10.0)
    assert math.isnan(status.lipschitz)
    assert status.rate == pytest.approx(20.0, rel=0.05)
    assert status.presented == pytest.approx(60.0)
    assert status.latency == pytest.approx((0.495, 0.98), abs=0.02)
    assert status.fresh == pytest.approx(0.6)
    status_collector.stage(111.0, StageReport(1, 3))  # another stage
    status = status_collector.status(111.0, "running", 1)
    assert (status.missed, status.presentations) == (1 + 3, 594 + 1)
    assert status.fresh == pytest.approx(1.6)  # the wall has shown nothing new since


def test_a_picture_that_is_made_has_some_time_to_reach_the_wall() -> None:
    status_collector = StatusCollector(start=100.0)
    status_collector.stage(100.5, StageReport(9, 0))
    assert status_collector.status(101.0, "loading", 0).fresh == math.inf
    status_collector.tick(101.0, tick(0, **SOMEWHERE))
    assert status_collector.status(101.5, "running", 0).fresh == 0.5
    status_collector.stage(102.0, StageReport(99, 0, fresh=0.25))
    assert status_collector.status(102.0, "running", 0).fresh == 0.25


def test_another_renderer_is_told_of_anew() -> None:
    status_collector = StatusCollector(0.0)
    profile = Profile("scout", "w", "cpu", "float32", 1, 4, 1.0, "eager")
    scene = SceneDescription(
        PlaneScene(), Prompt("a cat"), DecoderScene("scout"), WorldScene("w"), WalkScene("autopilot", {})
    )
    status_collector.ready(Ready(profile, "digest", "seer", "", (64, 96)))
    status_collector.changed(SceneChange(7, scene))
    shown = status_collector.status(1.0, "running", 0).scene
    assert (shown.number, shown.size, shown.profile, shown.prompt) == (7, (64, 96), profile, Prompt("a cat"))
    status_collector.ready(Ready(None, "", "", "", (128, 128), film="loop.mp4"))
    shown = status_collector.status(2.0, "loop", 1).scene
    assert shown == ShownScene(size=(128, 128), decoder=DecoderScene("film"), world=WorldScene("loop.mp4"))


def test_the_same_fault_again_is_no_news_and_only_the_last_are_kept() -> None:
    status_collector = StatusCollector(0.0)
    assert [status_collector.fault(t, "x") for t in (0.0, 10.0, 29.0, 31.0)] == [True, False, False, True]
    for i in range(100):
        status_collector.fault(40.0, f"fault {i}")
    assert len(status_collector.status(50.0, "running", 0).faults) == 20


# ---- watchdog


def dog() -> Watchdog:
    """Fed within 60 s; a renderer may load for 600 s; the show began at 0."""
    return Watchdog(interval=60.0, loading=600.0, start=0.0)


def fed(watch: Watchdog, times: range, fresh: float | None, held: bool = False, loading: bool = False) -> list[int]:
    found = []
    for now in times:
        watch.report(float(now), fresh)
        if watch.due(float(now), held, loading):
            found.append(now)
    return found


def test_pictures_feed_it_four_times_an_interval() -> None:
    assert fed(dog(), range(1, 61), fresh=0.1) == [1, 16, 31, 46]


def test_a_stage_that_repeats_an_old_picture_does_not() -> None:
    watch = dog()
    assert fed(watch, range(1, 20), fresh=0.1) == [1, 16]
    found = [now for now in range(20, 200) if (watch.report(now, float(now - 19)), watch.due(now, False, False))[1]]
    assert found == [31]  # for the picture of second 19, which is newer than the meal of second 16


def test_never_a_picture_never_fed() -> None:
    assert fed(dog(), range(1, 1000), fresh=None) == []
    assert fed(dog(), range(1, 1000), fresh=NAN) == []


def test_a_wall_held_on_purpose_is_exempt_while_the_stage_lives() -> None:
    watch = dog()
    assert fed(watch, range(1, 100), fresh=None, held=True) == [1, 16, 31, 46, 61, 76, 91]
    assert not watch.due(110.0, True, False)  # silent for 11 s
    quiet = dog()
    quiet.report(100.0, None)
    assert [quiet.due(105.1, True, False), quiet.due(105.0, True, False)] == [False, True]  # five are no silence yet


def test_loading_is_exempt_for_its_time_since_the_last_good_picture() -> None:
    watch = dog()
    meals = fed(watch, range(1, 1000), fresh=None, loading=True)
    assert (meals[0], meals[-1]) == (1, 586)
    again = dog()
    fed(again, range(1, 100), fresh=0.0)
    meals = [now for now in range(100, 2000) if again.due(float(now), False, True)]  # restarts for ever
    assert meals[-1] < 99 + 600


# ---- systemd


def test_systemd_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        notifier = Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "30000000"})
        assert notifier.interval == 30.0
        notifier.send("READY=1", "STATUS=two\nlines")
        assert manager.recv(1000) == b"READY=1\nSTATUS=two lines"
    notifier.send("WATCHDOG=1")  # the manager is gone


@pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX") or os.uname().sysname != "Linux", reason="abstract sockets are Linux's"
)
def test_an_abstract_socket_is_written_with_an_at() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0latentworld-test-" + str(os.getpid()))
        Notifier({"NOTIFY_SOCKET": f"@latentworld-test-{os.getpid()}"}).send("STOPPING=1")
        assert manager.recv(1000) == b"STOPPING=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "relative"}])
def test_without_systemd_it_is_silent(environment: dict[str, str]) -> None:
    notifier = Notifier(environment | {"WATCHDOG_USEC": "1000"})
    assert (notifier.asked, notifier.interval) == (False, None)
    notifier.send("READY=1")
