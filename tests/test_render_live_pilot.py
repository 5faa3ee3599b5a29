"""The live pilot: paced by what was measured, steered to places, by hand, by a map, by looking; the same every time."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from installation.control.approach import LINGER, NIMBLE, toward
from installation.control.controls import LoopControls
from installation.render.live_pilot import RAYS, SHARE, Course, LivePilot, LivePilotState, felt
from latentworld import globe, walks
from latentworld.atlas import mesh, reader
from latentworld.atlas.prior import lookout as prior_lookout
from latentworld.decoding.analytic import SHELL, analytic
from latentworld.errors import NotFinite
from latentworld.lipschitz import Rates
from latentworld.pacing import PacingSpec
from latentworld.pilot import PilotSpec
from latentworld.plane import Plane
from latentworld.walks import Free

PLANE = Plane(np.random.default_rng(3).normal(size=(3, 4, 16, 16)))
WORLD = analytic(PLANE, 6, sigma=0.1, steps=20, size=(4, 4))
SPEC = PilotSpec()
PACE = PacingSpec(speed=4.0, floor=0.02, ceiling=24.0)


def feature(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
    return WORLD.mixture.flow(units * np.asarray(radii)[:, None] * SHELL)


def live(course: Course, spec: PilotSpec = SPEC, step: float = 0.0, period: float = 0.1, **state: float) -> LivePilot:
    return LivePilot(spec, PACE, step, lambda: course, lambda: period, LivePilotState(**state))  # type: ignore[arg-type]


def rates(*rate: float) -> Rates:
    return Rates(np.array(rate) * 0.4, np.full(len(rate), 0.4), np.array(rate))


def start(seed: int = 0, ease: float = NIMBLE) -> Free:
    random = np.random.default_rng(seed)
    unit = globe.normalise(random.normal(size=3))
    return Free(unit, globe.project(unit, random.normal(size=3)), PLANE.target, ease=ease)


def flown(pilot: LivePilot, walk: Free, ticks: int, course: list[Course] | None = None) -> tuple[Free, np.ndarray]:
    """The walk and its units; with a list of one course its `here` follows the walk."""
    units = []
    for _ in range(ticks):
        steering = pilot(walk, None, LoopControls(), 1)
        walk = walk.advance(float(steering.strides[-1]), steering.curvature)
        units.append(walk.unit)
        if course is not None:
            course[0] = replace(course[0], here=feature(walk.unit[None], np.ones(1))[0])
    return walk, np.array(units)


def test_a_steady_pace_is_speed_times_period() -> None:
    steering = live(Course(PLANE), period=0.05)(start(), None, LoopControls(), 4)
    np.testing.assert_allclose(steering.strides, 4.0 * 0.05 * np.arange(1, 5))
    assert not steering.marked.any()
    played = live(Course(PLANE, lift=2.0), period=0.05)(start(), None, LoopControls.of({"walk.speed": 10.0}), 1)
    np.testing.assert_allclose(played.strides, [10.0 * 0.05 / 2.0])  # arcs are counted on the walk's own radius


def test_a_fader_at_nothing_creeps() -> None:
    steering = live(Course(PLANE))(start(), None, LoopControls.of({"walk.speed": 0.0}), 3)
    assert (np.diff([0.0, *steering.strides]) > 0).all()
    assert steering.strides[-1] == pytest.approx(3 * 0.02 * 0.1)


def test_the_pace_aims_at_a_change_of_meaning_by_what_was_measured() -> None:
    calm, steep = rates(0.1, 0.1), rates(0.1, 2.0)
    asked = LoopControls.of({"rift.step": 0.4})
    pilot = live(Course(PLANE), speed=100.0)
    speeds = [pilot(start(), told, asked, 1).strides[0] / 0.1 for told in (calm, steep)]
    assert speeds == pytest.approx([4.0, 0.2])  # 0.4 over the rate
    for _ in range(60):
        last = pilot(start(), rates(0.001), asked, 1).strides[0] / 0.1
        assert last <= 1.2501 * speeds[-1]  # no faster than it may grow: a cliff may lie behind a calm
        speeds.append(last)
    assert speeds[-1] == pytest.approx(24.0)  # the ceiling
    assert live(Course(PLANE), step=0.4, rate=1e9, speed=1.0)(start(), None, LoopControls(), 1).strides[0] / 0.1 == 0.02


def test_rates_are_believed_quickly_and_forgotten_slowly() -> None:
    assert felt(LivePilotState(rate=1.0), rates(5.0)).rate == 5.0
    assert 0.5 < felt(LivePilotState(rate=1.0), rates(0.1)).rate < 1.0
    assert felt(LivePilotState(rate=1.0), rates(math.nan)).rate == 1.0
    assert felt(LivePilotState(rate=1.0), None).rate == 1.0


@pytest.mark.parametrize("seed", range(6))
def test_a_place_is_reached_and_walked_round(seed: int) -> None:
    goal = globe.normalise(np.random.default_rng(100 + seed).normal(size=3))
    _, units = flown(live(Course(PLANE, goal=goal), period=0.06), start(seed), 1100)
    away = globe.angle(units, goal)
    assert away[-200:].max() < 1.1 * LINGER
    assert away[-200:].min() > 0.9 * LINGER
    steps = globe.angle(units[:-1], units[1:])
    assert steps.min() > 0  # no frame is a repeated one
    far = away[:-1] > 0.2
    assert (np.diff(away)[far][20:] < 0).all()  # straight on, once it has turned


def test_the_way_to_a_place_is_a_great_circle() -> None:
    walk = start()
    goal, _ = globe.step(walk.unit, walk.heading, 0.5)
    assert abs(toward(walk, goal, 8.0)) < 1.0  # all but straight ahead
    opposite = toward(walk, -walk.unit, 8.0)
    assert opposite == 0.0
    left, _ = globe.step(walk.unit, globe.turn(walk.unit, walk.heading, 1.0), 0.5)
    right, _ = globe.step(walk.unit, globe.turn(walk.unit, walk.heading, -1.0), 0.5)
    assert toward(walk, left, 8.0) > 4.0
    assert toward(walk, right, 8.0) < -4.0


def test_the_hand_goes_before_the_autopilot() -> None:
    steering = live(Course(PLANE, hand=0.5))(start(), None, LoopControls(), 1)
    assert steering.curvature == pytest.approx(4.0)
    assert live(Course(PLANE, hand=0.0))(start(), None, LoopControls(), 1).curvature == 0.0


def looking(seed: int, ticks: int = 250, cost: float = 0.2, **spec: object) -> np.ndarray:
    """Units of a walk that looks for itself."""
    walk = start(seed, ease=115.0)
    course = [Course(PLANE, probe=feature, cost=cost, here=feature(walk.unit[None], np.ones(1))[0])]  # type: ignore[arg-type]
    pilot = LivePilot(PilotSpec(**spec), PACE, 0.0, lambda: course[0], lambda: 0.1)  # type: ignore[arg-type]
    return flown(pilot, walk, ticks, course)[1]


def on_rifts(units: np.ndarray) -> float:
    """Share of places in the tenth of the globe nearest to a rift."""
    survey = WORLD.rift_distance(globe.normalise(np.random.default_rng(9).normal(size=(4000, 3))))
    return float((WORLD.rift_distance(units) < np.quantile(survey, 0.1)).mean())


def test_a_look_finds_rifts_or_shuns_them() -> None:
    assert on_rifts(np.concatenate([looking(seed)[50:] for seed in range(2)])) > 0.6
    assert on_rifts(np.concatenate([looking(seed, attraction=-1.0)[50:] for seed in range(2)])) < 0.05


def test_looks_keep_to_their_share_of_the_time_and_to_what_is_near() -> None:
    for cost in (0.05, 0.5, 1.5):
        pilot = live(Course(PLANE, probe=feature, cost=cost, here=np.zeros(3)))  # type: ignore[arg-type]
        flown(pilot, start(ease=115.0), 200)
        assert 0 < pilot.probes / RAYS <= 200 * min(SHARE / cost, 1.0) + 1
    for course in (Course(PLANE, cost=0.1, here=np.zeros(3)), Course(PLANE, probe=feature, cost=9.0, here=np.zeros(3))):  # type: ignore[arg-type]
        pilot = live(course)
        flown(pilot, start(ease=115.0), 50)
        assert pilot.probes == 0
        assert pilot.state.wish == 0.0  # it holds the course
    slow = live(Course(PLANE, probe=feature, cost=9.0, here=np.zeros(3)), speed=0.2)  # type: ignore[arg-type]
    slow(start(ease=115.0), None, LoopControls.of({"walk.speed": 0.2}), 1)
    assert slow.probes == RAYS  # a slow walk has time to look


def test_a_map_steers_without_a_look(undisturbed: Path) -> None:
    atlas = reader.read(undisturbed)
    prior = prior_lookout(atlas, mesh.mesh(atlas))
    unit = atlas.unit[5 * 7 + 3]  # the middle
    walk = replace(
        start(ease=115.0), unit=unit, heading=globe.project(unit, np.array([0.3, -0.5, 0.8])), target=atlas.plane.target
    )
    walk = replace(walk, ease=1e6)  # it can follow what lies near
    course = Course(atlas.plane, probe=feature, cost=0.1, here=np.zeros(3), map=prior)  # type: ignore[arg-type]
    pilot = LivePilot(PilotSpec(reach=0.05), PACE, 0.0, lambda: course, lambda: 1e-3)
    pilot(walk, None, LoopControls(), 1)
    assert pilot.state.looked == 0.0
    assert pilot.probes == 0
    lost = replace(walk, unit=-unit, heading=-walk.heading, arc=9.0)  # the map ends before the far side
    pilot(lost, None, LoopControls(), 1)
    assert pilot.probes == RAYS


def test_no_attraction_holds_the_course() -> None:
    course = Course(PLANE, probe=feature, cost=0.1, here=np.zeros(3))  # type: ignore[arg-type]
    pilot = live(course)
    assert pilot(start(), None, LoopControls.of({"rift.attraction": 0.0}), 1).curvature == 0.0
    assert pilot.probes == 0
    off = live(course, PilotSpec(mode="off"))
    assert off(start(), None, LoopControls(), 1).curvature == 0.0
    off(start(), None, LoopControls.of({"rift.attraction": 1.0}), 1)  # asked for, it steers all the same
    assert off.probes == RAYS


def test_a_scout_that_sees_no_picture_holds_the_course() -> None:
    def blind(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
        raise NotFinite("no picture")

    pilot = live(Course(PLANE, probe=blind, cost=0.1, here=np.zeros(3)))  # type: ignore[arg-type]
    assert pilot(start(), None, LoopControls.of({"rift.attraction": 1.0}), 1).curvature == 0.0
    assert pilot.probes == RAYS


def test_a_helm_goes_on_where_another_left() -> None:
    course = Course(PLANE, probe=feature, cost=0.2, here=np.array([0.1, 0.2, 0.3]))  # type: ignore[arg-type]
    one = live(course, step=0.3)
    walk, told = start(ease=115.0), rates(0.3)
    for _ in range(9):
        steering = one(walk, told, LoopControls(), 1)
        walk = walk.advance(float(steering.strides[-1]), steering.curvature)
    told = rates(0.7)
    other = live(course, step=0.3, **asdict(one.save(told)))
    twin, rest = walk, None
    for _ in range(30):
        a, b = one(walk, told, LoopControls(), 1), other(twin, rest, LoopControls(), 1)
        assert a.curvature == b.curvature
        np.testing.assert_array_equal(a.strides, b.strides)
        walk = walk.advance(float(a.strides[-1]), a.curvature)
        twin = twin.advance(float(b.strides[-1]), b.curvature)
        told = rest = rates(0.5)
    np.testing.assert_array_equal(walk.unit, twin.unit)


def test_a_fixed_walk_is_only_paced() -> None:
    orbit = walks.build(walks.Orbit(), PLANE)
    course = Course(PLANE, probe=feature, cost=0.1, here=np.zeros(3), hand=1.0)  # type: ignore[arg-type]
    pilot = live(course)
    assert pilot(orbit, None, LoopControls(), 2).curvature == 0.0
    assert pilot.probes == 0
