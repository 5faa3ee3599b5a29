"""What a renderer leaves to the next, damaged in every way at every depth: the next one always comes up, what can be
kept is kept, and what cannot is named in a line."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from standins.film import PLANE
from test_render_director import Play

from installation.ipc.jsonable import table
from installation.render.saved_state import ANEW, SavedState, read, write
from latentworld import walks
from latentworld.errors import GeometryError

PLAYED = {"walk.kind": "orbit", "walk.radius": 1.2, "walk.speed": 3.0, "prompt.a": "sea", "prompt.negative": "fog",
          "prompt.fade": 5.0, "word.1.text": "moon", "word.1.weight": 0.5, "seed.vertex.1": 9}  # fmt: skip
STEERED = {"walk.position": (0.4, 0.3), "walk.auto": False, "rift.step": 0.3}
OTHERS: dict[type, Any] = {type(None): None, bool: True, int: 7, float: 0.5, str: "x", list: [], dict: {}}
ODD = (math.nan, -1e308, 10**400, [math.nan])
PARTS = [part.name for part in fields(SavedState)]
Path = tuple[Any, ...]


@cache
def saved(which: str) -> str:
    """As a renderer told it: on its way onto an orbit while texts fade, or steered toward a place."""
    play = Play()
    ticks = play.ticks(5, {"prompt.fade": 5.0}) + play.ticks(4, PLAYED if which == "orbit" else STEERED)
    told = json.loads(ticks[-1].resume or "")
    told["plane"] |= {"file": "venue/vertices/0a.safetensors", "instead": "own.safetensors"}  # a picture was given
    return json.dumps(told)


def named_as_before(state: SavedState) -> str:
    """The same as it was written before parts had versions."""
    wheel = asdict(state.walk_control) | {"mode": "goal", "position": [0.4, 0.3]}  # type: ignore[call-overload]
    director = {"wheel": wheel, "toward": table(state.toward), "away": table(state.away)}
    told = {**asdict(state.clock), "walk": state.walk, "helm": asdict(state.pilot), "controls": state.controls}
    return json.dumps(told | {"director": director | asdict(state.model)})


def undamaged(text: str) -> SavedState:
    lines: list[str] = []
    state = read(text, lines.append)
    assert lines == []
    return state


def places(value: Any, above: Path = ()) -> Iterator[Path]:
    """Every place in a value of JSON."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*above, key)
        yield from places(part, (*above, key))


def damages(whole: Any) -> Iterator[tuple[str, Path, Any]]:
    """Every key dropped, renamed, added, and given another type or a number that is none; as name, place and result."""

    def changed(path: Path, change: Any) -> Any:
        other = owner = copy.copy(whole)
        for key in path[:-1]:  # what is not on the way is shared
            owner[key] = copy.copy(owner[key])
            owner = owner[key]
        change(owner, path[-1])
        return other

    for path in places(whole):
        old = whole
        for key in path:
            old = old[key]
        yield "dropped", path, changed(path, lambda owner, key: owner.pop(key))
        if isinstance(path[-1], str):
            yield "renamed", path, changed(path, lambda owner, key: owner.__setitem__(f"{key}_", owner.pop(key)))
        if isinstance(old, dict):
            yield "added", path, changed(path, lambda owner, key: owner.__setitem__(key, owner[key] | {"unheard": 1}))
        kin = (int, float) if type(old) in (int, float) else (type(old),)
        for other in [*(value for kind, value in OTHERS.items() if kind not in kin), *ODD]:
            yield f"{other!r:.20}", path, changed(path, lambda owner, key, other=other: owner.__setitem__(key, other))
    yield "added", (), {**whole, "unheard": 1}


def comes_up(text: str) -> list[str]:
    """A renderer that begins with this makes finite pictures; what it told on the way."""
    lines: list[str] = []
    state = read(text, lines.append)
    play = Play(state=state)
    ticks = play.ticks(2, {**state.controls})
    assert np.isfinite([tick.place for tick in ticks]).all()
    assert ticks[0].index[0] == state.clock.index + 1
    return lines + play.faults


@pytest.mark.parametrize("which", ["orbit", "steered"])
def test_what_is_written_is_read(which: str) -> None:
    state = undamaged(saved(which))
    assert undamaged(write(state)) == state
    assert undamaged(named_as_before(state)) == replace(state, plane=ANEW.plane)  # which had no pictures
    assert read(None, lambda line: pytest.fail(line)) == ANEW
    assert all(
        getattr(state, part) not in (None, getattr(ANEW, part)) for part in PARTS
    )  # all of it is put to the test


@pytest.mark.parametrize("which", ["orbit", "steered"])
@pytest.mark.parametrize("part", PARTS)
def test_damage_to_one_part_spoils_no_other_and_is_named(part: str, which: str) -> None:
    text = saved(which)
    whole, written = undamaged(text), json.loads(text)
    count = 0
    for how, path, damaged in damages({part: written[part]}):
        count += 1
        lines: list[str] = []
        state = read(json.dumps(written | {part: None} | damaged), lines.append)
        for other in PARTS:
            assert other == part or getattr(state, other) == getattr(whole, other), (how, path, other)
        assert all("\n" not in line and len(line) < 400 for line in lines)
        if how == "added" and "values" not in path[-1:]:
            assert (lines, part == "walk" or state == whole) == ([], True), path
        lost = how in ("dropped", "renamed") and len(path) == 2 and path[1] != "version" and part != "controls"
        if part != "walk" and (lost or how in ("{}", "[]", "nan", "[nan]")):  # others may be what was meant
            assert lines, (how, path)
    assert count > 30


@pytest.mark.parametrize("part", ["clock", "pilot", "model"])
def test_of_values_that_stand_alone_only_the_damaged_one_is_lost(part: str) -> None:
    text = saved("orbit")
    whole, written = undamaged(text), json.loads(text)
    before, anew = asdict(getattr(whole, part)), asdict(getattr(ANEW, part))
    for name in before:
        for value in (math.nan, {}, *((3,) if name == "world" else ("x", 1e308))):
            lines: list[str] = []
            state = read(json.dumps(written | {part: written[part] | {name: value}}), lines.append)
            assert asdict(getattr(state, part)) == before | {name: anew[name]}
            assert lines == [f"the saved {part} has no usable {name}: the rest is kept"]


@pytest.mark.parametrize("which", ["orbit", "steered"])
def test_the_renderer_comes_up_whatever_was_damaged(which: str) -> None:
    texts = {}
    for how, path, damaged in damages(json.loads(saved(which))):
        text = json.dumps(damaged)
        state = read(text, lambda line: None)
        texts[repr(state)] = (text, how, path)  # those that read alike begin alike
    assert len(texts) > 120
    for text, how, path in texts.values():
        try:
            comes_up(text)
        except Exception as error:
            raise AssertionError(f"{how} at {path}: {error!r}") from error


def test_a_walk_that_cannot_be_used_begins_anew_with_a_line() -> None:
    text = saved("steered")
    written = json.loads(text)
    assert comes_up(text) == []
    walk = written["walk"]
    for other in ({"free": "nonsense"}, {}, walk | {"version": 9}, None, walk | {"arc": 10**400}, walk | {"arc": -1.0}):
        (line,) = comes_up(json.dumps(written | {"walk": other}))
        assert line.startswith("the saved walk ")
        assert line.endswith("it begins anew")


def test_a_part_of_a_later_version_begins_anew() -> None:
    written = json.loads(saved("orbit"))
    for part in PARTS:
        lines: list[str] = []
        state = read(json.dumps(written | {part: written[part] | {"version": 2}}), lines.append)
        assert getattr(state, part) == getattr(ANEW, part)
        assert lines == [f"the saved {part.replace('_', ' ')} is of version 2, this reads 1: it begins anew"]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000, '{"clock": NaN}', "\0"])
def test_what_is_no_saved_state_begins_anew(text: str) -> None:
    lines: list[str] = []
    assert read(text, lines.append) == ANEW
    assert lines
    assert all("\n" not in line for line in lines)


def test_damage_to_what_was_saved_before_parts_had_versions() -> None:
    whole = undamaged(saved("orbit"))
    for how, path, damaged in damages(json.loads(named_as_before(whole))):
        state = read(json.dumps(damaged), lambda line: None)
        different = [part for part in PARTS if part != "plane" and getattr(state, part) != getattr(whole, part)]
        assert len(different) <= 1 or path == ("director",), (how, path, different)


@pytest.mark.parametrize("lost", ["clock", "walk", "pilot", "model", "controls"])
def test_a_part_that_is_missing_takes_no_other_with_it(lost: str) -> None:
    text, lines = saved("steered"), list[str]()
    whole, parts = undamaged(text), json.loads(text)
    del parts[lost]
    found = read(json.dumps(parts), lines.append)
    assert len(lines) == 1
    for part in fields(SavedState):
        if part.name != lost:
            assert getattr(found, part.name) == getattr(whole, part.name), part.name


def test_a_radius_that_no_walk_has_is_damage() -> None:
    free = walks.keep(walks.build(walks.Rift(), PLANE))
    with pytest.raises(GeometryError, match="radius"):
        walks.restore(dict(free) | {"radius": 1e6}, walks.Rift(), PLANE)
