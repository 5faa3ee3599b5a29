"""Snapshots: looks kept by name, and what happens to those that no longer fit."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from installation.control.desk import Desk, Trigger
from installation.control.desk import snapshots as module
from installation.control.desk.snapshots import Snapshots, parse
from installation.control.parameters import table
from latentworld.errors import ControlError, DiskFull


@pytest.fixture
def desk() -> Desk:
    return Desk(table(), lambda: 10.0)


@pytest.fixture
def shots(tmp_path: Path, desk: Desk) -> Snapshots:
    return Snapshots(tmp_path / "snapshots", desk)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("dusk", ("dusk", 0.0)), ("dusk|8", ("dusk", 8.0)), (("cue 2", 1.5), ("cue 2", 1.5)), ("a|", ("a", 0.0))],
)
def test_a_trigger_names_a_snapshot_and_seconds(value: object, wanted: tuple[str, float]) -> None:
    assert parse(value) == wanted


@pytest.mark.parametrize(
    "value",
    [None, 3.0, "", "../etc/passwd", "a/b", ".hidden", "a" * 65, "a|soon", "a|-1", "a|nan", "a|1e9", ("a", None, 1),
     (1.0, 2.0), ("a", [1]), "a|2|3"],
)  # fmt: skip
def test_what_is_no_name_or_no_fade_is_refused(value: object, shots: Snapshots) -> None:
    with pytest.raises(ControlError):
        parse(value)


def test_a_look_comes_back_with_what_the_preset_decided(shots: Snapshots, desk: Desk) -> None:
    desk.tell_base("walk.speed", 2.0)
    desk.set("prompt.a", "dusk")
    desk.set("word.1.weight", 0.25)
    desk.set("lfo.1.depth", 0.5)
    shots.save("dusk")
    desk.set("prompt.a", "noon")
    desk.set("word.1.weight", 1.0)
    desk.set("walk.speed", 9.0)
    desk.set("lfo.1.depth", 0.7)
    assert shots.recall("dusk", 4.0) == []
    assert (desk.value("prompt.a"), desk.value("word.1.weight"), desk.value("walk.speed")) == ("dusk", 0.25, None)
    assert desk.value("lfo.1.depth") == 0.7, "not of the loop or the stage"
    sent = desk.effective("loop", 12.0)
    assert (sent["prompt.a"], sent["word.1.weight"]) == ("dusk", pytest.approx(0.625))
    assert desk.effective("loop", 14.0)["walk.speed"] == 2.0


def test_a_look_never_darkens_the_room_nor_changes_the_wall(shots: Snapshots, desk: Desk) -> None:
    desk.set("out.blackout", True)
    shots.save("dark")
    apart = {row.name for row in desk.table.values() if row.scope != "picture"}
    assert len(apart) == 8
    assert not apart & json.loads((shots._folder / "dark.json").read_text())["values"].keys()
    desk.set("out.blackout", False)
    desk.set("out.gamma", 1.3)
    shots.recall("dark")
    assert (desk.value("out.blackout"), desk.value("out.gamma")) == (False, 1.3)


def test_who_steers_is_a_part_of_the_look(shots: Snapshots, desk: Desk) -> None:
    names = ("walk.auto", "walk.position", "walk.heading")
    saved = {}
    for look, name, value in (
        ("to a place", "walk.position", (1.0, 2.0)), ("by itself", "walk.auto", True), ("by hand", "walk.heading", 0.5),
    ):  # fmt: skip
        desk.set(name, value)
        saved[look] = [desk.value(name) for name in names]
        shots.save(look)
    assert saved == {
        "to a place": [False, (1.0, 2.0), 0.0], "by itself": [True, None, 0.0], "by hand": [False, None, 0.5],
    }  # fmt: skip
    for look in ("to a place", "by itself", "by hand", "by itself"):
        shots.recall(look)
        assert [desk.value(name) for name in names] == saved[look]


def test_next_goes_round_in_the_order_people_count(shots: Snapshots) -> None:
    for name in ("cue 10", "Cue 2", "cue 1", "2nd", "alpha"):
        shots.save(name)
    assert shots.names() == ["2nd", "alpha", "cue 1", "Cue 2", "cue 10"]
    shots.last = None
    seen = []
    for _ in range(6):
        shots.recall(shots.following())
        seen.append(shots.last)
    assert seen == ["2nd", "alpha", "cue 1", "Cue 2", "cue 10", "2nd"]
    shots.delete("alpha")
    assert shots.following() == "cue 1"
    with pytest.raises(ControlError, match="alpha"):
        shots.delete("alpha")


def test_one_that_no_longer_fits_is_recalled_as_far_as_it_goes(shots: Snapshots, desk: Desk) -> None:
    shots.save("old")
    values = {
        "walk.wobble": 1.0,
        "walk.speed": 99.0,
        "walk.kind": "crawl",
        "prompt.mix": 0.5,
        "prompt.a": 7,
        "panic": True,
        "record.video": True,
        "out.blackout": True,
        "rift.value": 3.0,
        "out.master": float("nan"),
        "view.zoom": None,
    }
    text = json.dumps({"format": module.FORMAT, "version": 9, "values": values})
    (shots._folder / "old.json").write_text(text)
    left = shots.recall("old")
    assert (desk.value("walk.speed"), desk.value("prompt.mix"), desk.value("view.zoom")) == (24.0, 0.5, 1.0)
    assert (desk.value("out.master"), desk.value("walk.kind")) == (1.0, None)
    assert (desk.value("record.video"), desk.held) == (False, False)
    told = ["version 9", "walk.wobble", "99", "walk.kind", "prompt.a", "panic", "record.video", "out.blackout",
            "rift.value", "out.master"]  # fmt: skip
    assert len(left) == len(told)
    assert all(word in line and "old" in line for word, line in zip(told, left, strict=True))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "latentworld snapshot"}', "[" * 100_000, "\xff"])
def test_a_damaged_one_is_one_line_and_changes_nothing(shots: Snapshots, desk: Desk, text: str) -> None:
    shots.save("bad")
    (shots._folder / "bad.json").write_text(text, encoding="latin-1")
    version = desk.version
    with pytest.raises(ControlError, match=r"snapshot bad cannot be read .*: save it anew"):
        shots.recall("bad")
    assert desk.version == version


def obeyed(shots: Snapshots, name: str, value: Any = None) -> list[str]:
    """What was left out by a press that is obeyed at once."""
    job = shots.job(Trigger(name, value))
    assert job is not None
    return job()()


def test_what_a_press_asks_for(shots: Snapshots, desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no snapshot yet: save one"):
        obeyed(shots, "snapshot.next")
    assert obeyed(shots, "snapshot.save", "one") == []
    assert obeyed(shots, "snapshot.recall", "one|2") == []
    assert obeyed(shots, "snapshot.next", 3.0) == []
    with pytest.raises(ControlError, match="no snapshot 'two'"):
        obeyed(shots, "snapshot.recall", "two")
    with pytest.raises(ControlError, match="no name"):
        shots.job(Trigger("snapshot.save", "../../x"))
    assert shots.job(Trigger("replay", "one")) is None
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ControlError, match="cannot write"):
        obeyed(Snapshots(blocked / "in", desk), "snapshot.save", "one")


def test_a_press_keeps_what_stood_when_it_was_made_and_changes_nothing_until_the_disk_has_answered(
    shots: Snapshots, desk: Desk
) -> None:
    desk.set("prompt.a", "pressed")
    save = shots.job(Trigger("snapshot.save", "one"))
    desk.set("prompt.a", "later")
    assert save is not None
    save()()
    recall = shots.job(Trigger("snapshot.recall", "one"))
    assert recall is not None
    done = recall()
    assert desk.value("prompt.a") == "later"
    assert done() == []
    assert desk.value("prompt.a") == "pressed"


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes")
def test_what_is_no_file_is_not_waited_for(shots: Snapshots) -> None:
    shots.save("one")
    os.mkfifo(shots._folder / "pipe.json")
    with pytest.raises(ControlError, match="it is no file"):
        shots.recall("pipe")


def test_what_is_kept_is_for_its_owner(shots: Snapshots) -> None:
    shots.save("one")
    assert (shots._folder / "one.json").stat().st_mode & 0o077 == 0


def test_a_folder_holds_only_so_many(shots: Snapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    for name in "ab":
        shots.save(name)
    shots.save("a")
    with pytest.raises(ControlError, match="delete some"):
        shots.save("c")


def test_a_write_that_fails_leaves_the_old_one(shots: Snapshots, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.set("prompt.a", "old")
    shots.save("one")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    desk.set("prompt.a", "new")
    with pytest.raises(DiskFull, match="full"):
        obeyed(shots, "snapshot.save", "one")
    shots.recall("one")
    assert desk.value("prompt.a") == "old"
    assert [path.name for path in shots._folder.iterdir()] == ["one.json"]
