"""Walks while they are being walked: kept and restored to the last bit, turned about, joined without a break."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.film import PLANE

from installation.control.controls import LoopControls
from installation.control.notices import Notices
from installation.control.walk_control import WalkControl, WalkControlState, glided, stays
from installation.ipc.jsonable import line
from latentworld import globe, walks
from latentworld.errors import GeometryError, WalkRefused
from latentworld.plane import Plane

SPECS = [walks.Rift(), walks.Wander(seed=3), walks.Wander(radius=2.0, breaths=1.0), walks.Orbit(), walks.Swath(rows=3),
         walks.Orbit(radius=2.0, breaths=2.0), walks.Waypoints(closed=False), walks.Spiral(turns=2.0)]  # fmt: skip
SILENT = Notices(lambda line: None, lambda values: None)
NAMES = [f"{spec.kind}-{spec.breaths:g}" for spec in SPECS]
FIXED = [spec for spec in SPECS if spec.kind in ("orbit", "swath", "waypoints")]


def gone(walk: walks.Walk, ticks: int, stride: float = 0.037, curvature: float = 0.4) -> tuple[walks.Walk, np.ndarray]:
    """The walk after so many strides, and its places [n, 4]."""
    places = []
    for _ in range(ticks):
        walk = walk.advance(stride, curvature)
        units, radii = walk.ahead(0.0)
        places.append([*units[0], radii[0]])
    return walk, np.array(places)


def through_text(walk: walks.Walk, spec: walks.WalkSpec, plane: Plane = PLANE) -> walks.Walk:
    return walks.restore(json.loads(json.dumps(walks.keep(walk))), spec, plane)


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_a_kept_walk_goes_on_to_the_last_bit(spec: walks.WalkSpec) -> None:
    walk, _ = gone(walks.build(spec, PLANE), 7)
    _, undisturbed = gone(walk, 30)
    _, resumed = gone(through_text(walk, spec), 30)
    np.testing.assert_array_equal(resumed, undisturbed)


@pytest.mark.parametrize("spec", FIXED, ids=lambda spec: f"{spec.kind}-{spec.breaths:g}")
def test_a_fixed_walk_steered_off_and_on_again_is_kept_too(spec: walks.WalkSpec) -> None:
    fixed = walks.build(spec, PLANE)
    assert isinstance(fixed, walks.Fixed)
    off = walks.departed(fixed.advance(0.5), walks.roaming(spec, PLANE))
    off, _ = gone(off, 20, 0.05, 2.0)
    _, undisturbed = gone(off, 20)
    np.testing.assert_array_equal(gone(through_text(off, spec), 20)[1], undisturbed)
    way = walks.joined(off, fixed, PLANE)
    assert isinstance(way, walks.Joined)
    way, _ = gone(way, 3)
    _, undisturbed = gone(way, 200)
    np.testing.assert_array_equal(gone(through_text(way, spec), 200)[1], undisturbed)


@pytest.mark.parametrize("spec", FIXED, ids=lambda spec: f"{spec.kind}-{spec.breaths:g}")
@pytest.mark.parametrize("seed", range(4))
def test_joining_neither_jumps_nor_turns_on_the_spot(spec: walks.WalkSpec, seed: int) -> None:
    random = np.random.default_rng(seed)
    unit = globe.normalise(random.normal(size=3))
    free = replace(walks.roaming(spec, PLANE), unit=unit, heading=globe.project(unit, random.normal(size=3)), arc=7.0)
    fixed = walks.build(spec, PLANE)
    assert isinstance(fixed, walks.Fixed)
    way = walks.joined(free, fixed, PLANE)
    assert isinstance(way, walks.Joined)
    strides = np.linspace(0.0, way.way.length + 0.3, 4000)
    units, radii = way.ahead(strides)
    np.testing.assert_allclose(units[0], unit, atol=1e-12)
    np.testing.assert_allclose(globe.tangent(units[0], units[1]), free.heading, atol=0.05)
    steps = globe.angle(units[:-1], units[1:]) * PLANE.target
    assert steps.max() <= 1.05 * (strides[1] - strides[0])  # places may also part in radius, never more than the stride
    headings = globe.tangent(units[:-1], units[1:])
    turns = globe.angle(headings[:-1], headings[1:])
    assert np.median(turns) < 0.1
    assert turns.max() < 0.3  # a kink would be radians
    assert np.abs(np.diff(radii)).max() < 0.02
    on, _ = fixed.redirected(1, fixed.closed, way.then.place).ahead(np.zeros(1))
    np.testing.assert_allclose(way.ahead(way.way.length)[0], on, atol=1e-9)
    # stepping through the seam is the same as looking across it
    stepped, _ = gone(way, 1, way.way.length + 0.2)
    np.testing.assert_allclose(stepped.ahead(0.0)[0], way.ahead(way.way.length + 0.2)[0], atol=1e-12)
    assert isinstance(stepped, walks.Fixed)


@settings(max_examples=40)
@given(st.sampled_from(FIXED), st.floats(0.0, 60.0), st.sampled_from([1, -1]), st.booleans())
def test_redirecting_keeps_the_place(spec: walks.WalkSpec, arc: float, way: int, closed: bool) -> None:
    walk = walks.build(spec, PLANE)
    assert isinstance(walk, walks.Fixed)
    walk = walk.advance(arc)
    other = walk.redirected(way, closed)  # type: ignore[arg-type]
    np.testing.assert_allclose(other.ahead(0.0)[0], walk.ahead(0.0)[0], atol=1e-9)
    assert other.arc == walk.arc
    back = other.redirected(-way, closed)  # type: ignore[arg-type]
    if 0.02 < other.place < other.length - 0.02:
        ahead = other.ahead([0.01])[0]
        np.testing.assert_allclose(walk.redirected(way, closed).ahead([0.01])[0], ahead, atol=1e-9)  # type: ignore[arg-type]
        assert float(globe.angle(ahead[0], back.ahead([0.01])[0][0])) > 0


def test_what_was_not_kept_is_refused() -> None:
    for kept in ({}, {"free": [1, 0, 0]}, {"free": [9, 0, 0], "heading": [0, 1, 0], "arc": 0, "bend": 0, "radius": 1},
                 {"fixed": 0.0, "arc": float("nan"), "way": 1, "closed": True},
                 {"fixed": 0, "arc": 0, "way": 7, "closed": 1}, {"joined": 3, "arc": 0, "then": {}}):  # fmt: skip
        with pytest.raises(GeometryError, match="begin a new one"):
            walks.restore(kept, walks.Orbit(), PLANE)
    with pytest.raises(GeometryError, match="a rift walk cannot go on"):
        walks.restore({"fixed": 0.0, "arc": 0.0, "way": 1, "closed": True}, walks.Rift(), PLANE)


def test_recentring_carries_the_heading_along() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        unit, other = globe.normalise(random.normal(size=(2, 3)))
        walk = replace(walks.roaming(walks.Rift(), PLANE), unit=unit, heading=globe.tangent(unit, other))
        there = walks.recentred(walk, other)
        np.testing.assert_allclose(
            there.heading, globe.step(unit, walk.heading, globe.angle(unit, other))[1], atol=1e-9
        )
    np.testing.assert_allclose(walks.recentred(walk, walk.unit).heading, walk.heading, atol=1e-9)


# --- the wheel ---------------------------------------------------------------------------------------------------


def drive(wheel: WalkControl, walk: walks.Walk, controls: LoopControls, ticks: int, stride: float = 0.02) -> tuple:  # type: ignore[type-arg]
    """The walk after ticks under the same controls (triggers once), and its units; no helm: straight on."""
    units = []
    for _ in range(ticks):
        walk = wheel(walk, controls.walk, PLANE, 0.1)
        controls = replace(controls, walk=replace(controls.walk, jump=False))
        walk = walk.advance(stride)
        units.append(walk.ahead(0.0)[0][0])
    return walk, np.array(units)


def begun(spec: walks.WalkSpec) -> tuple[WalkControl, walks.Walk]:
    wheel = WalkControl(spec, 8.0, SILENT)
    return wheel, wheel.begin(PLANE)


@pytest.mark.parametrize("spec", [walks.Rift(), walks.Orbit(), walks.Swath(rows=3)], ids=lambda spec: spec.kind)
def test_reverse_goes_back_where_it_came_from(spec: walks.WalkSpec) -> None:
    wheel, walk = begun(spec)
    walk, there = drive(wheel, walk, LoopControls(), 20)
    walk, back = drive(wheel, walk, LoopControls.of({"walk.direction": "reverse"}), 20)
    np.testing.assert_allclose(back[:-1], there[:-1][::-1], atol=1e-9)
    _, again = drive(wheel, walk, LoopControls.of({"walk.direction": "forward"}), 20)
    np.testing.assert_allclose(again, there, atol=1e-9)


def test_a_fixed_walk_that_is_joined_in_reverse_goes_as_far_as_it_is_told() -> None:
    wheel, walk = begun(walks.Rift())
    walk, _ = drive(wheel, walk, LoopControls.of({"walk.direction": "reverse"}), 150, 0.01 * PLANE.target)
    asked = LoopControls.of({"walk.kind": "orbit", "walk.direction": "reverse"})
    walk, _ = drive(wheel, walk, asked, 3, 0.01 * PLANE.target)
    assert isinstance(walk, walks.Joined | walks.Fixed)
    assert (walk.then if isinstance(walk, walks.Joined) else walk).way == -1
    _, units = drive(wheel, walk, asked, 2000, 0.01 * PLANE.target)
    steps = globe.angle(units[-200:-1], units[-199:])
    assert steps == pytest.approx(0.01, rel=0.02)


def test_a_walk_bends_as_easily_as_its_present_kind_does() -> None:
    wheel, walk = begun(walks.Rift(ease=2.0))
    walk, _ = drive(wheel, walk, LoopControls(), 3)
    assert isinstance(walk, walks.Free)
    rift = walk.ease
    walk, _ = drive(wheel, walk, LoopControls.of({"walk.kind": "wander"}), 3)
    wander = walks.roaming(walks.plain("wander"), PLANE)
    assert isinstance(walk, walks.Free)
    assert walk.ease == wander.ease != rift
    assert walk.wind is not None
    walk, _ = drive(wheel, walk, LoopControls(), 3)
    assert isinstance(walk, walks.Free)
    assert (walk.ease, walk.wind) == (rift, None)


def test_where_a_kind_breaks_the_one_before_it_is_walked() -> None:
    wheel, walk = begun(walks.Rift())
    walk, _ = drive(wheel, walk, LoopControls.of({"walk.kind": "wander"}), 2)
    asked = LoopControls.of({"walk.kind": "orbit"})
    walk, _ = drive(wheel, walk, asked, 2)
    wheel.give_way(WalkRefused("it broke", "orbit"), walk, PLANE)
    assert wheel.state.kind == "wander"
    wheel.give_way(WalkRefused("it broke", "wander"), walk, PLANE)
    assert wheel.state.kind == "rift"


def test_ping_pong_turns_back_on_closed_walks_and_free_ones() -> None:
    for spec in (walks.Orbit(), walks.Rift()):
        wheel, walk = begun(spec)
        asked = LoopControls.of({"walk.direction": "ping-pong"})
        stride = 0.05 * PLANE.target
        _, units = drive(wheel, walk, asked, 400, stride)
        steps = globe.angle(units[:-1], units[1:])
        assert steps.max() < 0.051  # it turns, it does not jump
        ways = np.diff(units, axis=0)
        turned = (ways[1:] * ways[:-1]).sum(axis=1) < 0
        assert 2 <= turned.sum() <= 14, turned.sum()


def test_a_position_takes_over_and_auto_gives_back() -> None:
    wheel, walk = begun(walks.Orbit())
    walk, _ = drive(wheel, walk, LoopControls(), 3)
    assert isinstance(walk, walks.Fixed)
    asked = LoopControls.of({"walk.position": (0.9, 0.1), "walk.auto": False})
    walk, _ = drive(wheel, walk, asked, 3)
    assert isinstance(walk, walks.Free)
    walk, units = drive(wheel, walk, LoopControls.of({"walk.position": (0.9, 0.1), "walk.auto": True}), 4000, 0.01)
    assert isinstance(walk, walks.Fixed)
    assert globe.angle(units[:-1], units[1:]).max() * PLANE.target < 0.0101
    orbit = walks.build(walks.Orbit(), PLANE).ahead(np.linspace(0, 20, 4000))[0]
    assert min(globe.angle(orbit, units[-1])) < 2e-3


def test_a_heading_that_is_out_steers_though_the_autopilot_is_on() -> None:
    wheel, walk = begun(walks.Orbit())
    walk, _ = drive(wheel, walk, LoopControls.of({"walk.heading": 0.5}), 2)
    assert isinstance(walk, walks.Free)
    walk, _ = drive(wheel, walk, LoopControls.of({"walk.heading": 0.01}), 1)
    assert isinstance(walk, walks.Joined)


def test_a_jump_is_there_at_once() -> None:
    for spec in (walks.Rift(), walks.Orbit()):
        wheel, walk = begun(spec)
        walk, _ = drive(wheel, walk, LoopControls(), 3)
        goal = PLANE.unit(-2.0, 1.5)
        asked = LoopControls.of({"walk.position": (-2.0, 1.5), "walk.auto": True}, ("walk.jump",))
        walk = wheel(walk, asked.walk, PLANE, 0.1)
        assert float(globe.angle(walk.ahead(0.0)[0][0], goal)) < 1e-6
    nowhere = LoopControls.of({}, ("walk.jump",))  # without a position there is nowhere to jump to
    wheel, walk = begun(walks.Rift())
    assert wheel(walk, nowhere.walk, PLANE, 0.1).ahead(0.0)[0].tolist() == walk.ahead(0.0)[0].tolist()


@pytest.mark.parametrize("kind", ["rift", "wander", "orbit", "waypoints", "lissajous", "swath", "spiral"])
@pytest.mark.parametrize("spec", [walks.Rift(), walks.Orbit()], ids=lambda spec: spec.kind)
def test_every_kind_of_walk_is_reached_from_every_other_without_a_jump(spec: walks.WalkSpec, kind: str) -> None:
    wheel, walk = begun(spec)
    walk, before = drive(wheel, walk, LoopControls(), 5)
    walk, after = drive(wheel, walk, LoopControls.of({"walk.kind": kind}), 50)
    units = np.concatenate([before, after])
    assert globe.angle(units[:-1], units[1:]).max() * PLANE.target < 0.0201
    assert wheel.spec.kind == kind
    restored = WalkControl(spec, 8.0, SILENT, WalkControlState.read(json.loads(line(wheel.save()))).value)
    assert restored.state == wheel.state


def test_a_radius_glides_there_and_back() -> None:
    wheel, walk = begun(walks.Orbit())
    asked, radii = LoopControls.of({"walk.radius": 2.0}), []
    for _ in range(60):
        walk = wheel(walk, asked.walk, PLANE, 0.05)
        radii.append(float(walk.ahead(0.0)[1][0]))
        walk = walk.advance(0.01)
    assert np.abs(np.diff([1.0, *radii])).max() < 0.25
    assert radii[-1] == pytest.approx(2.0, abs=2e-4)
    walk, _ = drive(wheel, walk, LoopControls(), 60)
    assert not isinstance(walk, walks.Lifted)
    assert glided(1.0, 0.05, 1.0, 1e9) == pytest.approx(0.05)
    assert glided(None, None, 1.0, 1.0) is None


def test_a_raw_plane_is_left_before_its_horizon() -> None:
    raw = Plane(PLANE.vertices, "raw")
    walk = walks.roaming(walks.Rift(), PLANE)
    assert stays(raw, walk, 0.1)
    assert not stays(raw, replace(walk, unit=-walk.unit, heading=-walk.heading), 0.1)
    assert not stays(raw, walk, 2.0 * PLANE.target)  # it would cross the horizon
    assert stays(PLANE, walk, 2.0 * PLANE.target)


def test_another_plane_leaves_the_walk_where_it_is() -> None:
    other = Plane(np.roll(PLANE.vertices, 1, axis=0) + 0.1, "sphere")
    for spec in (walks.Rift(), walks.Orbit()):
        wheel, walk = begun(spec)
        walk, units = drive(wheel, walk, LoopControls(), 9)
        moved = wheel.moved(walk, other)
        np.testing.assert_allclose(moved.ahead(0.0)[0][0], units[-1], atol=1e-9)
        assert isinstance(moved, walks.Free) == isinstance(spec, walks.Rift)  # a fixed walk is joined again at once
        assert np.isfinite(gone(moved, 5)[1]).all()


def test_a_walk_on_its_way_back_takes_the_other_direction_without_a_break() -> None:
    spec = walks.Orbit()
    control = WalkControl(spec, 8.0, SILENT)
    walk, _ = drive(control, control.begin(PLANE), LoopControls(), 5)
    walk, _ = drive(control, walk, LoopControls.of({"walk.heading": 0.9, "walk.auto": False}), 20)
    walk, _ = drive(control, walk, LoopControls.of({"walk.auto": True}), 1)
    assert isinstance(walk, walks.Joined)
    reverse = LoopControls.of({"walk.auto": True, "walk.direction": "reverse"})
    walk, places = drive(control, walk, reverse, 400)
    steps = np.linalg.norm(np.diff(places[:, :3], axis=0), axis=1)
    assert steps.max() < 3 * np.median(steps)
    orbit = walks.build(spec, PLANE)
    on, ahead = (walk.ahead(stride)[0][0] for stride in (0.0, 0.02))
    circle = orbit.ahead(np.linspace(0.0, orbit.length or 0.0, 4000))[0]
    first, second = (int((circle @ unit).argmax()) for unit in (on, ahead))
    assert float((circle @ on).max()) > 1 - 1e-6, "on the orbit again"
    assert 0 < (first - second) % len(circle) < len(circle) // 2, "against its direction"
