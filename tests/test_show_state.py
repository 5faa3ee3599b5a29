"""What a show remembers, and how it takes what is on disk: whole, damaged, of another preset, or held by another."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path

import pytest
from standins.show import put_on

from installation.control.desk import Desk
from installation.control.parameters import table
from installation.show import preset_controls, state
from installation.show.children import Programs
from installation.show.descriptors import Reserve
from installation.show.launcher import Launcher
from installation.show.resume import Resume
from installation.venue import Venue
from latentworld.errors import ShowError
from latentworld.preset import Preset, load, parse

RESUME = json.dumps({"unit": [0.1 + 0.2, 1 / 3, -0.0], "index": 12345678901, "arc": 1e-300}, separators=(",", ":"))


def test_a_state_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    kept = state.State("abc", RESUME, {"walk.speed": 0.1, "walk.position": [0.25, 0.5], "prompt.a": "größer"}, "today")
    state.save(tmp_path, kept)
    assert state.load(tmp_path) == kept
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    assert state.load(tmp_path / "nowhere") is None


DAMAGE = {
    "cut short": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "zeros": lambda text: "\0" * len(text),
    "another kind": lambda text: "[1, 2]",
    "another version": lambda text: json.dumps(json.loads(text) | {"version": 99}),
    "no preset": lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "preset"}),
    "deep": lambda text: "[" * 200_000,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_state_is_put_aside(damage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    state.save(tmp_path, state.State("abc", RESUME))
    path = tmp_path / "state.json"
    broken = damage(path.read_text(encoding="utf-8"))
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(ShowError, match=r"state\.damaged\.json"):
        state.load(tmp_path)
    assert (tmp_path / "state.damaged.json").read_text(encoding="utf-8") == broken
    assert state.load(tmp_path) is None


@pytest.mark.parametrize(("change", "kept", "line"), [
    ({"values": [1]}, (RESUME, {}), "set on the desk"), ({"resume": [1]}, (None, {"walk.speed": 0.5}), "goes on from"),
    ({"resume": "x"}, (None, {"walk.speed": 0.5}), "goes on from"),
    # a thousand times what a renderer leaves
    ({"resume": {"junk": "x" * 5_000_000}}, (None, {"walk.speed": 0.5}), "goes on from"),
])  # fmt: skip
def test_one_half_of_a_state_is_kept_where_the_other_is_damaged(
    change: dict[str, object], kept: tuple[object, object], line: str, tmp_path: Path
) -> None:
    state.save(tmp_path, state.State("abc", RESUME, {"walk.speed": 0.5}))
    path = tmp_path / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change), encoding="utf-8")
    found = state.load(tmp_path)
    assert found is not None
    assert (found.resume, found.values) == kept
    assert len(found.lost) == 1
    assert line in found.lost[0]


def test_a_walk_goes_on_in_the_same_country_only() -> None:
    here = load("first-light")
    same = [here.model_copy(update={"title": "other", "film": Preset().film.model_copy(update={"seconds": 9.0})})]
    others = [
        load("first-light", [change])
        for change in ("plane.seeds=[1,2,3]", "world.name=elsewhere", "walk.kind=orbit", "prompt.positive=x")
    ]
    assert {state.identity(preset) for preset in same} == {state.identity(here)}
    assert len({state.identity(preset) for preset in [here, *others]}) == 5


def test_one_show_a_folder(tmp_path: Path) -> None:
    taken = state.claim(tmp_path)
    with pytest.raises(ShowError, match="another show"):
        state.claim(tmp_path)
    taken.release()
    state.claim(tmp_path).release()


@pytest.mark.skipif(sys.platform == "win32", reason="has other modes")
def test_what_a_show_keeps_is_its_owners_and_links_are_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    (tmp_path / ".lock").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic links"), state.claim(tmp_path):
        pass
    (tmp_path / "state.json").symlink_to(elsewhere)
    state.save(tmp_path, state.State("abc", RESUME))
    assert elsewhere.read_text() == "precious"
    folder = tmp_path / "show"
    with put_on(folder):
        assert folder.stat().st_mode & 0o077 == 0
        found = [path for path in folder.rglob("*") if path.is_file()]
        assert {".lock", "log.jsonl", "preset.toml", "safe.toml"} <= {path.name for path in found}
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*") if path.is_file())
    assert (folder / "state.json").is_file()


def test_what_stands_on_the_desk_and_what_ends_with_the_show() -> None:
    desk = Desk(table())
    for name, value in {
        "walk.speed": 3.0,
        "walk.position": (0.5, 0.5),
        "record.take": True,
        "lfo.1.depth": 0.5,
    }.items():
        desk.set(name, value, "test")
    desk.tell("rift.value", 3.0)
    place = {"walk.position": (0.5, 0.5)}
    assert state.standing(desk) == place | {"walk.speed": 3.0, "lfo.1.depth": 0.5, "walk.auto": False}
    for name, value in (*place.items(), ("walk.heading", 0.5), ("walk.heading", 0.0), ("walk.auto", True)):
        desk.set(name, value, "test")
        anew = Desk(table())
        assert state.stand(anew, json.loads(json.dumps(state.standing(desk)))) == []
        assert state.standing(anew) == state.standing(desk)


def test_what_cannot_have_stood_on_the_desk_is_named_and_left_out(tmp_path: Path) -> None:
    with put_on(tmp_path):
        pass
    path = tmp_path / "state.json"
    sound = {"prompt.mix": 0.5, "walk.position": [0.25, 0.5], "walk.auto": False}
    damaged = {"walk.wobble": 1.0, "walk.speed": 1e308, "model.world": "nowhere/at-all", "model.steps": 2.5,
               "walk.heading": None, "record.video": True, "rift.value": 3.0, "panic": True}  # fmt: skip
    path.write_text(json.dumps(json.loads(path.read_text()) | {"values": sound | damaged}), encoding="utf-8")
    with put_on(tmp_path) as (show, said):
        assert [line for line in said if "state.json" in line] == [
            f"state.json: {', '.join(damaged)} cannot be set as they were saved: they stand as the preset has them"
        ]
        assert state.standing(show.desk) == sound | {"walk.position": (0.25, 0.5)}
        assert show.desk.value("record.video") is False
    left_out = json.loads(path.read_text())["values"]
    assert left_out == sound


def test_a_preset_as_values_on_the_desk() -> None:
    neutral = preset_controls.played(load("neutral"))
    assert neutral["prompt.a"] == "High quality picture, 4k, detailed"
    assert (neutral["walk.kind"], neutral["model.world"], neutral["model.steps"]) == ("orbit", "embedded", 50)
    assert neutral["rift.attraction"] == 0.0  # its pilot is off
    from_card = preset_controls.played(parse({}))
    assert from_card["prompt.a"]  # what a preset leaves open its world's card says
    rows = table()
    assert preset_controls.fitting(rows, neutral) == neutral
    assert "model.world" not in preset_controls.fitting(rows, neutral | {"model.world": "elsewhere"})
    assert preset_controls.parsed("no toml [") == {}


def test_panic_knows_every_control_but_the_walls_setup() -> None:
    rows = table()
    calm = preset_controls.calm(rows, load("neutral"))
    assert calm["out.blackout"] is False
    assert calm["prompt.mix"] == 0.0
    assert not {"out.gamma", "out.black"} & calm.keys()
    desk = Desk(rows)
    desk.set("prompt.mix", 1.0)
    desk.recall(calm, 0.0)
    assert desk.value("prompt.mix") == 0.0


def test_a_state_of_the_greatest_length_is_handed_on() -> None:
    assert state.may_be_handed_on("x" * state.LONGEST_RESUME)
    assert not state.may_be_handed_on("x" * (state.LONGEST_RESUME + 1))


@pytest.mark.parametrize(
    ("texts", "goes_on"), [(["x" * 2000] * 1900, True), (["花" * 2000] * 700, False), (["\ud800"], False)]
)
def test_a_state_too_long_to_be_handed_on_begins_anew(texts: list[str], goes_on: bool, tmp_path: Path) -> None:
    left = json.dumps({"toward": texts}, ensure_ascii=False, separators=(",", ":"))
    state.save(tmp_path, state.State("p", left, {}, "now"))
    kept = state.load(tmp_path)
    assert kept is not None
    assert (kept.resume == left, len(kept.lost)) == (goes_on, 0 if goes_on else 1)
    if not goes_on:
        assert kept.resume is None
    nothing, said = tmp_path / "nothing.py", io.StringIO()
    nothing.touch()
    log = logging.Logger("launcher")
    log.addHandler(logging.StreamHandler(said))
    venue = Venue(folder=str(tmp_path))
    launcher = Launcher(Programs(renderer=str(nothing)), "ring", venue, Resume(left), Reserve(0), log)
    child = launcher.renderer("preset", lambda child, message: None)
    assert child.wait(30.0)
    assert ("begins anew" in said.getvalue()) != goes_on
