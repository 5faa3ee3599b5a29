"""The pilot on the analytic world: each mode does what it says, within its bounds, the same every time."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from latentworld import globe
from latentworld.decoding.analytic import SHELL, analytic
from latentworld.pacing import HIGH, LOW, PacingSpec
from latentworld.pilot import Fan, Pilot, PilotSpec, target
from latentworld.plane import Plane
from latentworld.walks import Free, Orbit, build

PLANE = Plane(np.random.default_rng(3).normal(size=(3, 4, 16, 16)))
WORLD = analytic(PLANE, 6, sigma=0.1, steps=20, size=(4, 4))
EASE = 115.0
STEADY = PacingSpec(kind="latent", speed=4.0)


def lookout(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """The world's features without its pictures."""
    return WORLD.mixture.flow(units * radii[:, None] * SHELL)


@dataclass(frozen=True)
class Asked:
    attraction: float | None = None
    speed: float | None = None


def pilot(mode: str = "ride", pace: PacingSpec = STEADY, **spec: float) -> Pilot:
    return Pilot(PilotSpec(mode=mode, **spec), pace, PLANE, lookout, lookout)  # type: ignore[arg-type]


def start(seed: int = 0) -> Free:
    random = np.random.default_rng(seed)
    unit = globe.normalise(random.normal(size=3))
    return Free(unit, globe.project(unit, random.normal(size=3)), PLANE.target, ease=EASE)


def flown(which: Pilot, walk: Free, ticks: int, n: int = 8, controls: object = None) -> tuple[np.ndarray, list[float]]:
    """Units of all frames, and the curvatures asked for."""
    units, curvatures = [], []
    for _ in range(ticks):
        steering = which(walk, None, controls, n)
        units.append(walk.ahead(steering.strides, steering.curvature)[0])
        curvatures.append(steering.curvature)
        walk = walk.advance(float(steering.strides[-1]), steering.curvature)
    return np.concatenate(units), curvatures


def near_rifts(units: np.ndarray) -> float:
    """Share of frames in the tenth of the globe nearest to a rift."""
    survey = WORLD.rift_distance(globe.normalise(np.random.default_rng(9).normal(size=(4000, 3))))
    return float((WORLD.rift_distance(units) < np.quantile(survey, 0.1)).mean())


@pytest.mark.parametrize(("mode", "least", "most"), [("ride", 0.9, 1.0), ("seek", 0.5, 1.0), ("avoid", 0.0, 0.02)])
def test_modes_find_rifts_or_shun_them(mode: str, least: float, most: float) -> None:
    late = [near_rifts(flown(pilot(mode), start(seed), 40)[0][160:]) for seed in range(2)]
    assert least <= np.mean(late) <= most


def test_attraction_scales_from_shunning_to_seeking() -> None:
    assert near_rifts(flown(pilot("seek", attraction=-1.0), start(1), 40)[0][160:]) <= 0.02
    assert flown(pilot("seek", attraction=0.0), start(1), 5)[1] == [0.0] * 5


def test_cross_goes_over_and_on() -> None:
    units, _ = flown(pilot("cross"), start(2), 60)
    cells = (units @ WORLD.mixture.modes.T).argmax(axis=1)
    assert len(set(cells.tolist())) >= 2
    assert near_rifts(units) < 0.25


@settings(max_examples=5)
@given(
    seed=st.integers(0, 99), most=st.floats(0.5, 20), change=st.floats(0.1, 5), mode=st.sampled_from(["seek", "cross"])
)
def test_the_camera_never_jerks(seed: int, most: float, change: float, mode: str) -> None:
    walk, which = start(seed), pilot(mode, max_curvature=most, max_change=change)
    for _ in range(6):
        steering = which(walk, None, None, 8)
        assert abs(steering.curvature) <= most
        assert abs(steering.curvature - walk.bend) <= change + 1e-12
        walk = walk.advance(float(steering.strides[-1]), steering.curvature)


def test_the_same_every_time_and_from_a_saved_state() -> None:
    pace = PacingSpec(kind="clip", clip_step=0.02, ceiling=12.0)
    first = pilot("ride", pace)
    walk = start(4)
    for _ in range(3):
        steering = first(walk, None, None, 8)
        walk = walk.advance(float(steering.strides[-1]), steering.curvature)
    again = Pilot(first.spec, pace, PLANE, lookout, lookout, state=first.state)
    one, two = first(walk, None, None, 8), again(walk, None, None, 8)
    np.testing.assert_array_equal(one.strides, two.strides)
    assert one.curvature == two.curvature
    whole, _ = flown(pilot("ride", pace), start(4), 4)
    np.testing.assert_array_equal(whole[-8:], walk.ahead(one.strides, one.curvature)[0])


def test_fixed_walks_are_paced_only() -> None:
    which = pilot("ride")
    steering = which(build(Orbit(), PLANE), None, None, 5)
    assert steering.curvature == 0.0
    assert which.probes == 0
    np.testing.assert_allclose(steering.strides, 4.0 / 24 * np.arange(1, 6))
    assert len(which(build(Orbit(), PLANE), None, None, 0).strides) == 0


def test_off_goes_straight() -> None:
    assert flown(pilot("off"), start(), 4)[1] == [0.0] * 4


def test_equal_steps_of_meaning_along_an_orbit() -> None:
    # The least rate of this world is .007 per latent: a ceiling of 4 latents a frame never binds at a step of .02.
    pace = PacingSpec(kind="clip", clip_step=0.02, speed=8.0, floor=0.01, ceiling=96.0)
    which, walk = pilot("off", pace), build(Orbit(inclination=31.0), PLANE)
    units, marks = [walk.ahead(np.zeros(1))[0]], []
    for _ in range(10):
        steering = which(walk, None, None, 16)
        units.append(walk.ahead(steering.strides)[0])
        marks.append(steering.marked)
        walk = walk.advance(float(steering.strides[-1]))
    path, marked = np.concatenate(units), np.concatenate(marks)
    steps = np.linalg.norm(np.diff(lookout(path, np.ones(len(path))), axis=0), axis=1)
    calm = steps[~marked]
    assert calm.min() / np.median(calm) >= 0.5
    assert calm.max() / np.median(calm) <= 2.0
    assert calm.min() >= LOW * 0.02 * 0.99
    assert calm.max() <= HIGH * 0.02 * 1.01
    assert marked.mean() < 0.1
    assert which.probes <= 2.2 * len(marked)


def test_controls_override_speed_and_attraction() -> None:
    walk = start(1)
    assert pilot("off")(walk, None, Asked(speed=12.0), 1).strides[0] == pytest.approx(0.5)
    assert pilot("off")(walk, None, Asked(speed=0.0), 1).strides[0] > 0
    shunned = near_rifts(flown(pilot("ride"), walk, 40, controls=Asked(attraction=-1.0))[0][160:])
    assert shunned <= 0.02


def test_a_walk_that_jumped_is_probed_anew() -> None:
    pace = PacingSpec(kind="clip", clip_step=0.02)
    used = pilot("off", pace)
    used(start(0), None, None, 8)
    fresh = Pilot(used.spec, pace, PLANE, lookout, lookout, state=replace(used.state, unit=None, feature=None))
    np.testing.assert_array_equal(used(start(5), None, None, 8).strides, fresh(start(5), None, None, 8).strides)


def fan(lateral: tuple[int, int] | None, radial: tuple[int, int] | None) -> Fan:
    """A calm fan of five rays but for one steep edge."""
    rates, rays = np.ones((3, 4)), np.ones((3, 5))
    if lateral:
        rates[lateral] = 50.0
    if radial:
        rays[radial] = 50.0
    return Fan(np.radians([-100, -50, 0, 50, 100]), np.array([0.1, 0.2, 0.4]), rates, rates.copy(), rays)


def test_targets() -> None:
    assert np.isnan(target("ride", fan(None, None))[1])
    assert target("ride", fan((0, 2), None)) == (0, 2.5)
    assert target("seek", fan((1, 0), None)) == (1, 0.5)
    assert target("seek", fan(None, (1, 3))) == (1, 3.0)
    assert target("cross", fan((0, 3), (0, 2))) == (0, 2.0)
    assert np.isnan(target("cross", fan((0, 3), (0, 4)))[1])  # only behind: go on
    assert target("avoid", fan((0, 2), (0, 2)))[1] < 2


@pytest.mark.parametrize("wrong", [{"mode": "fly"}, {"attraction": 2.0}, {"fan": 1}, {"reach": 0.0}, {"rech": 1.0}])
def test_specs_refuse_nonsense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PilotSpec(**wrong)  # type: ignore[arg-type]
