"""Takes as text: what was recorded is read back, whatever happened to the file; what cannot be is named by its line."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from standins.takes import SMALL, Clock, changed, evening, performed, pressed, ready, scene, tick, way

from installation import takes
from installation.control.desk import Desk
from installation.control.parameters import table
from installation.ipc.scene import DecoderScene, WalkScene
from installation.takes import recorder as recording
from latentworld import preset
from latentworld.decoding import Profile
from latentworld.errors import PresetError, TakeError
from latentworld.prompts import LONGEST, Prompt, readable

TIMES, UNITS, _ = way(12)
PROFILE = Profile("scout", "abc", "cpu", "float32", 4, 1, 1.0, "eager", threads=2)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


def begin(path: Path, clock: Clock | None = None, **other: object) -> takes.Recorder:
    return takes.Recorder(path, takes.header(ready(), {}, "2026-01-01T20:00:00"), clock or Clock(), **other)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "evening.take"


@pytest.fixture
def lines(path: Path) -> list[str]:
    return evening(path)


@given(
    st.integers(1, 20), st.integers(1, 5), st.integers(0, 2**40), st.floats(1e-3, 1e5), st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.sampled_from(["walk.speed", "prompt.a", "walk.position"]), NUMBER), max_size=5),
)  # fmt: skip
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_recorded_is_read_back(
    tmp_path: Path, n: int, batch: int, index: int, began: float, seed: int, sets: list[tuple[str, float]]
) -> None:
    rng = np.random.default_rng(seed)
    units = rng.normal(size=(n, 3))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    times, radii = began + np.cumsum(rng.uniform(1e-3, 1, n)), rng.uniform(0.05, 2, n)
    path, clock = tmp_path / "any.take", Clock()
    path.unlink(missing_ok=True)
    recorder = begin(path, clock)
    recorder.scene(scene(3))
    for first in range(0, n, batch):
        part = slice(first, first + batch)
        clock.now += 0.5
        recorder.tick(
            tick(np.arange(n)[part] + index, times[part], units[part], radii[part], 3, ["cd"] * len(times[part]))
        )
    for name, value in sets:
        recorder.change(changed(name, value))
        recorder.flush()
    recorder.press(pressed("walk.jump"), "deck:1")
    recorder.close()
    take = takes.read(path)
    assert take.complete
    assert not take.warnings
    assert take.shots.unit.tobytes() == units.tobytes()
    assert take.shots.radius.tobytes() == radii.tobytes()
    assert take.shots.time.tobytes() == times.tobytes()
    assert take.shots.index.tolist() == list(range(index, index + n))
    assert take.shots.sum == ("cd",) * n
    assert np.isnan(take.shots.rate).all()
    assert [(event.name, event.value) for event in take.events] == [*sets, ("walk.jump", None)]
    assert [event.press for event in take.events] == [False] * len(sets) + [True]
    assert take.scenes[0].prompt == Prompt("dusk", "fog")
    assert take.header.preset == preset.load("analytic", SMALL)


TEXT = st.text(st.characters(), max_size=60) | st.text("ab 花\n", min_size=1990, max_size=2010)


@given(TEXT, TEXT)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("x" * LONGEST, "\u2028\u00ad 花" * 500)
def test_whatever_a_preset_takes_as_a_prompt_a_take_reads_back_and_the_desk_plays(
    tmp_path: Path, positive: str, negative: str
) -> None:
    given_prompt = {"positive": positive, "negative": negative}
    if not (readable(positive) and readable(negative)):
        with pytest.raises(PresetError, match=r"^[^\n]{1,300}$"):
            preset.load("analytic", SMALL).changed(prompt=given_prompt)
        return
    journey = preset.load("analytic", SMALL).changed(prompt=given_prompt)
    path = tmp_path / "any.take"
    path.unlink(missing_ok=True)
    recorder = takes.Recorder(path, takes.header(ready(journey), {}, "2026-01-01T20:00:00"), Clock())
    recorder.scene(scene(1, ((positive, 1.0),)))
    recorder.tick(tick(np.arange(1), TIMES[:1], UNITS[:1], np.ones(1)))
    recorder.close()
    take = takes.read(path)
    assert (take.header.preset.prompt, take.scenes[0].prompt.positive) == (journey.prompt, positive)
    for text in (positive, negative):
        assert preset.parse({"prompt": {"positive": table()["prompt.a"].check(text)}})


def test_the_header_says_how_the_show_was(path: Path) -> None:
    values = {"walk.speed": 3.0, "prompt.b": None}
    told = ready(world="abc", seer="eye@1", profile=PROFILE, size=(64, 96))
    recorder = takes.Recorder(path, takes.header(told, values, "2026-01-01T20:00:00", 0.08), Clock())
    recorder.scene(scene())
    recorder.tick(tick(np.arange(1), TIMES[:1], UNITS[:1], np.ones(1)))
    recorder.close()
    head = takes.read(path).header
    assert (head.world, head.seer, head.size, head.period) == ("abc", "eye@1", (64, 96), 0.08)
    assert head.values == {"walk.speed": 3.0}
    assert Profile.read(head.profile) == PROFILE
    assert head.profile["hash"] == PROFILE.hash
    assert json.loads(path.read_text().splitlines()[0])["preset"]["decoder"]["kind"] == "analytic"  # a table, no text


def test_a_desk_is_heard(path: Path) -> None:
    clock = Clock()
    recorder, desk = begin(path, clock), Desk(table(), clock)
    stop = desk.listen(recorder.listen)
    clock.now += 2.0
    desk.set("walk.speed", 5.0, "osc:here")
    desk.press("walk.jump", source="midi")
    stop()
    desk.set("walk.speed", 6.0)
    recorder.scene(scene())
    recorder.tick(tick(np.arange(1), TIMES[:1], UNITS[:1], np.ones(1)))
    recorder.close()
    told = [(event.at, event.name, event.value, event.source) for event in takes.read(path).events]
    assert told == [(2.0, "walk.speed", 5.0, "osc:here"), (2.0, "walk.jump", None, "")]


def test_of_a_flood_the_last_is_kept_and_every_press(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "OFTEN", 3600.0)  # one write alone
    recorder = begin(path)
    recorder.scene(scene())
    recorder.tick(tick(np.arange(1), TIMES[:1], UNITS[:1], np.ones(1)))
    for i in range(50_000):
        recorder.change(changed("walk.speed", float(i), 100.0 + i / 5000))
        if i % 5000 == 0:
            recorder.press(pressed("snapshot.next"))
    recorder.close()
    events = takes.read(path).events
    assert [event.value for event in events if not event.press][-1] == 49_999.0
    assert len([event for event in events if not event.press]) <= 2  # the writer may have begun before the flood
    assert sum(event.press for event in events) == 10


def test_a_negative_that_fades_is_kept(path: Path) -> None:
    prompt = Prompt("dusk", "fog", against=(("fog", 0.25), ("rain", 0.75)))
    told = {0: scene(1), 3: scene(2, prompt=prompt)}
    take = takes.read(performed(path, UNITS, TIMES, scenes=told))
    assert take.scenes[1].prompt == Prompt("dusk", "", against=(("fog", 0.25), ("rain", 0.75)))


def test_a_text_is_told_once_however_long_it_fades(lines: list[str], path: Path) -> None:
    assert sum('"dusk"' in line for line in lines) == 1
    take = takes.read(path)
    assert take.scenes[1].prompt.mixture == (("dusk", 0.5), ("dawn", 0.5))
    assert take.shots.scene.tolist() == [0] * 6 + [1] * 6


@given(st.integers(1, 400))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_crash_in_the_middle_of_a_line_loses_that_line_alone(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "crashed.take"
    if not path.exists():
        performed(path, UNITS, TIMES, scenes={0: scene(1, [("dämmerung", 1.0)])}, end=False)
        shutil.copy(path, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    path.write_bytes(whole[: len(whole) - cut])
    take = takes.read(path)
    left = whole[: len(whole) - cut]
    torn = not left.endswith(b"\n") and not left.endswith(b"}")
    assert len(take.shots) == 12 - whole.count(b"\n") + left.count(b"\n") + (left.endswith(b"}"))
    assert not take.complete
    assert len(take.warnings) == 1 + torn
    assert ("cut short: it is left out" in take.warnings[0]) == torn


def test_a_character_cut_in_two_is_a_line_cut_short(lines: list[str], path: Path) -> None:
    path.write_bytes("".join(lines[:-1]).encode() + '{"at": 9, "text": 9, "is": "ä'.encode()[:-1])
    assert len(takes.read(path).shots) == 12


DISKS = {"full": (errno.ENOSPC, "is full"), "gone": (errno.EIO, "cannot write")}


@pytest.mark.parametrize("name", DISKS)
def test_a_disk_that_takes_no_more_ends_the_take_and_nothing_else(
    name: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, words = DISKS[name]
    told: list[TakeError] = []
    over = Signal()

    def failed(fault: TakeError) -> None:
        told.append(fault)
        over.set()

    recorder = begin(path, failed=failed)
    recorder.scene(scene())
    recorder.tick(tick(np.arange(2), TIMES[:2], UNITS[:2], np.ones(2)))
    recorder.flush()

    class Full:
        def __init__(self, file: object) -> None:
            self.file, self.room = file, 200

        def write(self, data: memoryview) -> int:
            if self.room <= 0:
                raise OSError(code, os.strerror(code))
            taken = self.file.write(data[: self.room])  # type: ignore[attr-defined]
            self.room -= taken
            return taken

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

    recorder._file = Full(recorder._file)  # type: ignore[assignment]
    recorder.tick(tick(np.arange(2, 12), TIMES[2:], UNITS[2:], np.ones(10)))
    assert over.wait(10)
    assert words in str(told[0])
    assert recorder.fault is told[0]
    assert not recorder.open
    for _ in range(3):  # the show goes on telling it
        recorder.tick(tick(np.arange(12, 13), TIMES[-1:] + 1, UNITS[-1:], np.ones(1)))
        recorder.change(changed("walk.speed", 1.0))
    recorder.close()
    assert len(told) == 1
    take = takes.read(path)
    assert 2 <= len(take.shots) < 12
    assert not take.complete


def test_a_reserve_of_the_disk_is_never_touched(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = Signal()
    monkeypatch.setattr(recording, "SYNCED", 0.0)
    monkeypatch.setattr(recording.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    recorder = begin(path, reserve=2000, failed=lambda fault: over.set())
    assert over.wait(10)
    assert "no room to spare" in str(recorder.fault)


def test_a_disk_that_hangs_holds_nobody_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, let_go = Signal(), Signal()
    recorder = begin(path)
    monkeypatch.setattr(recorder, "_write", lambda lines: (stuck.set(), let_go.wait(30)))
    monkeypatch.setattr(recording, "MOST", 50)
    assert stuck.wait(10)
    for i in range(60):
        recorder.press(pressed(str(i)))
    assert "takes no more" in str(recorder.fault)
    recorder.close(patience=0.0)
    let_go.set()


def test_a_new_take_is_written_as_docs_say(path: Path) -> None:
    clock = Clock()
    recorder = begin(path, clock)
    walk = WalkScene("hand", {"kind": "rift", "radius": 1.0})
    decoder = DecoderScene("scout", 4, 1.0, 2, "eager", "float32", "cpu", "abc", (32, 32))
    recorder.scene(scene(7, [("dusk", 0.5), ("dawn", 0.5)], walk=walk, decoder=decoder))
    clock.now += 0.25
    recorder.change(changed("walk.position", (0.5, 0.25), clock.now, "deck:1"))
    recorder.press(pressed("snapshot.recall", "dusk|8"), "deck:1")
    recorder.tick(tick(np.array([40]), np.array([7.5]), UNITS[:1], np.ones(1), 7))
    recorder.close()
    x, y, z = UNITS[0].tolist()
    assert path.read_text().splitlines()[1:] == [
        '{"at": 0.0, "text": 1, "is": "dusk"}',
        '{"at": 0.0, "text": 2, "is": "dawn"}',
        '{"at": 0.0, "text": 3, "is": "fog"}',
        '{"at": 0.0, "scene": 7, "prompt": {"mix": [[1, 0.5], [2, 0.5]], "not": [[3, 1.0]]}, "plane": {"seeds": '
        '[0, 123, 200], "norm": "sphere", "layout": "nhwc", "device": "cpu", "dtype": "float32", "vertices": null, '
        '"shape": null, "digest": null, "corners": null, "hold": null, "reach": null}, '
        '"decoder": {"kind": "scout", "steps": 4, "guidance": 1.0, '
        '"batch": 2, "engine": "eager", "dtype": "float32", "device": "cpu", "profile": "abc", "size": [32, 32], '
        '"sampler": null, "variant": null, "sampling": null, "loras": null}, '
        '"world": {"name": "embedded", "revision": null, "digest": null, "seer": null}, '
        '"walk": {"kind": "rift", "radius": 1.0, "mode": "hand"}}',
        '{"at": 0.25, "set": "walk.position", "to": [0.5, 0.25], "by": "deck:1"}',
        '{"at": 0.25, "press": "snapshot.recall", "value": "dusk|8", "by": "deck:1"}',
        f'{{"at": 0.25, "index": 40, "time": 7.5, "place": [{x!r}, {y!r}, {z!r}, 1.0], "rate": null, "step": 0.1, '
        '"sum": "ab", "scene": 7}',
        '{"at": 0.25, "end": "closed"}',
    ]
    first = json.loads(path.read_text().splitlines()[0])
    assert list(first) == [
        "take",
        "latentworld",
        "started",
        "world",
        "seer",
        "profile",
        "size",
        "period",
        "values",
        "preset",
    ]
    take = takes.read(path)
    assert take.scenes[0].walk == walk
    assert take.scenes[0].decoder == decoder


def test_frames_of_a_scene_that_nobody_told_would_be_damage(path: Path) -> None:
    recorder = begin(path)
    recorder.scene(scene(1))
    recorder.tick(tick(np.arange(2), TIMES[:2], UNITS[:2], np.ones(2), 1))
    recorder.flush()
    recorder.tick(tick(np.arange(2, 4), TIMES[2:4], UNITS[2:4], np.ones(2), 2))
    assert "scene 2 was not told" in str(recorder.fault)
    recorder.close()
    assert len(takes.read(path).shots) == 2


def test_no_take_is_written_over(lines: list[str], path: Path) -> None:
    with pytest.raises(TakeError, match="already: choose another name"):
        begin(path)
    with pytest.raises(TakeError, match="cannot write"):
        begin(Path("/proc/nowhere/a.take"))
    assert path.read_text() == "".join(lines)


def test_a_renderer_that_counts_anew_goes_on_in_the_take(path: Path) -> None:
    clock = Clock()
    recorder = begin(path, clock)
    recorder.scene(scene(7))
    recorder.tick(tick(np.arange(50, 54), TIMES[:4], UNITS[:4], np.ones(4), 7))
    clock.now += 3.0
    recorder.scene(scene(1, [("dawn", 1.0)]))
    recorder.tick(tick(np.arange(4), np.arange(4) * 0.1, UNITS[4:8], np.ones(4)))
    recorder.tick(tick(np.arange(4, 6), 0.4 + np.arange(2) * 0.1, UNITS[8:10], np.ones(2)))
    recorder.close()
    shots = takes.read(path).shots
    assert shots.index.tolist() == list(range(50, 60))
    np.testing.assert_allclose(shots.time[4:] - shots.time[3], 3.0 + np.arange(6) * 0.1)
    assert shots.scene.tolist() == [0] * 4 + [1] * 6


def test_any_thread_may_tell(path: Path) -> None:
    recorder = begin(path)

    def fade(of: int) -> None:
        for i in range(20):
            recorder.scene(scene(of * 100 + i, [(f"text {of} {i}", 1.0), ("shared", 1.0)]))
            recorder.press(pressed(f"{of}.{i}"))

    threads = [Thread(target=fade, args=(of,)) for of in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.tick(tick(np.arange(1), TIMES[:1], UNITS[:1], np.ones(1), 305))
    recorder.close()
    take = takes.read(path)
    assert len(take.events) == len(take.scenes) == 80
    assert take.scenes[take.shots.scene[0]].prompt.mixture[0][0] == "text 3 5"
