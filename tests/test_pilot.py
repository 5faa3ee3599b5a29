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
from latentworld.pilot import Fan, Pilot, PilotSpec, PilotState, target
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


def test_the_pace_is_guessed_from_what_the_last_tick_left() -> None:
    """Spacing and trend of a state are the first guess: where probes lie, before any has answered."""
    looks: list[np.ndarray] = []

    def ahead(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
        looks.append(np.asarray(units))
        return lookout(units, radii)

    def first(**state: float) -> np.ndarray:
        looks.clear()
        pace = PacingSpec(kind="clip", clip_step=0.02, ceiling=12.0)
        which = Pilot(PilotSpec(mode="off"), pace, PLANE, lookout, ahead, state=PilotState(**state))
        which(build(Orbit(), PLANE), None, None, 4)
        return globe.angle(looks[0][0], looks[0]) * PLANE.target

    even = np.diff(first(spacing=0.1))
    np.testing.assert_allclose(even, even[0], rtol=1e-3)
    rising = np.diff(first(spacing=0.1, trend=1.1))
    assert (np.diff(rising) > 1e-4).all()


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


def test_attraction_beyond_its_ends_is_its_ends() -> None:
    """A pedal may give more than a fader's whole way."""
    for asked, end in ((3.0, 1.0), (-7.0, -1.0)):
        over = pilot("ride", max_curvature=200.0, max_change=1e6)(start(1), None, Asked(attraction=asked), 8)
        whole = pilot("ride", max_curvature=200.0, max_change=1e6)(start(1), None, Asked(attraction=end), 8)
        assert over.curvature == whole.curvature != 0.0
    half = pilot("ride", max_curvature=200.0, max_change=1e6)(start(1), None, Asked(attraction=0.5), 8)
    assert half.curvature == pytest.approx(
        pilot("ride", max_curvature=200.0, max_change=1e6)(start(1), None, Asked(attraction=1.0), 8).curvature / 2
    )


def test_the_speed_fader_raises_the_ceiling_and_never_lowers_it() -> None:
    """Over flat land the walk goes at the ceiling: at the preset's speed and below it at the preset's ceiling."""

    def flat(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
        return np.ones((len(units), 3))

    pace = PacingSpec(kind="clip", speed=8.0, ceiling=24.0)
    for speed, ceiling in ((None, 24.0), (8.0, 24.0), (2.0, 24.0), (16.0, 48.0)):
        which, walk = Pilot(PilotSpec(mode="off"), pace, PLANE, flat, flat, fps=24.0), start(0)  # type: ignore[arg-type]
        for _ in range(4):
            placed = which(walk, None, Asked(speed=speed), 8)
            walk = walk.advance(float(placed.strides[-1]))
        np.testing.assert_allclose(np.diff(placed.strides), ceiling / 24.0, rtol=1e-6)


def test_the_speed_fader_scales_the_step_of_meaning() -> None:
    def along_a_line(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
        return 0.5 * units

    pace = PacingSpec(kind="clip", speed=8.0, clip_step=0.02, ceiling=1000.0)
    which, walk = Pilot(PilotSpec(mode="off"), pace, PLANE, along_a_line, along_a_line), start(0)  # type: ignore[arg-type]
    for _ in range(4):
        placed = which(walk, None, Asked(speed=4.0), 8)
        walk = walk.advance(float(placed.strides[-1]))
    steps = np.linalg.norm(np.diff(0.5 * walk.ahead(placed.strides)[0], axis=0), axis=1)
    np.testing.assert_allclose(steps, 0.01, rtol=0.05)


def test_what_one_tick_decoded_the_next_does_not_ask_for() -> None:
    """The last frame's feature is handed on: n even frames cost n probes, and no place is asked for twice."""
    asked: list[bytes] = []

    def counting(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
        asked.extend(unit.tobytes() for unit in np.round(units, 9))
        return 0.3 * units

    pace = PacingSpec(kind="clip", speed=0.02 / 0.3 * PLANE.target * 24, clip_step=0.02, ceiling=1e4)
    which, walk, costs = Pilot(PilotSpec(mode="off"), pace, PLANE, counting, counting), start(0), []  # type: ignore[arg-type]
    for _ in range(4):
        before = which.probes
        placed = which(walk, None, None, 8)
        costs.append(which.probes - before)
        walk = walk.advance(float(placed.strides[-1]))
    assert len(set(asked)) == len(asked) == which.probes
    assert costs[1:] == [8, 8, 8]


@pytest.mark.parametrize("batch", [2, 32])
def test_no_more_is_asked_of_the_pacings_lookout_at_once_than_a_batch(batch: int) -> None:
    asked: list[int] = []

    def ahead(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
        asked.append(len(units))
        return lookout(units, radii)

    pace = PacingSpec(kind="clip", clip_step=0.05, ceiling=200.0)
    which = Pilot(PilotSpec(mode="off"), pace, PLANE, lookout, ahead, batch=batch)
    flown(which, start(), ticks=6, n=16)
    assert max(asked) <= batch
    assert batch < 16 or max(asked) > 8  # 8 is what it takes unless it is told


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


def test_riding_holds_the_rift_at_hand_and_seeking_goes_for_the_steepest() -> None:
    """A rift runs through the near ring; a steeper edge lies on the far one, still ahead."""
    seen = fan((0, 2), None)
    seen.lateral[2, 1] = 90.0
    assert target("ride", seen) == (0, 2.5)
    assert target("seek", seen) == (2, 1.5)
    seen.steps[0, 2] = 1.0  # nothing through the near ring: then riding seeks
    assert target("ride", seen) == target("seek", seen)


def test_of_rifts_through_the_near_ring_the_one_ahead_is_ridden() -> None:
    steps, angles = np.ones((3, 8)), np.radians(np.linspace(-100, 100, 9))
    steps[0, 6], steps[0, 4] = 50.0, 40.0  # the steeper one at 62 degrees, the other at 12
    seen = Fan(angles, np.array([0.1, 0.2, 0.4]), steps, steps, np.ones((3, 9)))
    assert target("ride", seen) == (0, 4.5)
    assert target("ride", replace(seen, steps=steps[:, ::-1], lateral=steps[:, ::-1])) == (0, 3.5)


def test_what_stands_out_by_less_than_half_is_no_target() -> None:
    seen = fan(None, None)
    seen.lateral[1, 2] = 1.49
    assert np.isnan(target("seek", seen)[1])
    seen.lateral[1, 2] = 1.7  # cos^2 of half of 25 degrees takes 5% off, which the choice knows and the sight does not
    assert target("seek", seen) == (1, 2.5)


def test_avoiding_fears_what_is_near_most() -> None:
    """Rifts near by on the left and as steep ones far away on the right: to the right, and the other way round."""
    seen = fan(None, None)
    seen.lateral[0, 2:] = seen.lateral[2, :2] = 50.0
    assert target("avoid", seen) == (1, 1.0)
    assert target("avoid", replace(seen, lateral=seen.lateral[:, ::-1])) == (1, 3.0)
    assert target("avoid", fan(None, None)) == (1, 2.0)  # of equals the straightest


def test_the_curve_of_pursuit_passes_through_its_target() -> None:
    """With an edge straight to the left as the only one in sight the walk's next quarter circle ends there."""
    which, walk = pilot("seek", max_curvature=200.0, max_change=1e6), replace(start(3), ease=np.inf)
    aim, _ = globe.step(walk.unit, globe.turn(walk.unit, walk.heading, np.radians(50.0)), 0.2)
    arc = np.array([0.1, 0.2, 0.4])
    curvature = which._pursue(walk, 1.0, replace(fan(None, (1, 3)), arcs=arc), 1, 3.0)
    lengths = np.linspace(0.0, 0.3, 30_001)
    unit, _ = globe.arc(walk.unit[None], walk.heading[None], lengths, curvature)
    assert globe.angle(unit, aim).min() < 1e-5
    assert curvature > 0  # left


def test_crossing_looks_no_further_aside_than_its_cone() -> None:
    angles = np.radians([-80, -40, -20, 0, 20, 40, 80])
    for ray, found in ((4, 4.0), (2, 2.0), (5, np.nan), (1, np.nan)):
        radial = np.ones((3, 7))
        radial[1, ray] = 50.0
        seen = Fan(angles, np.array([0.1, 0.2, 0.4]), np.ones((3, 6)), np.ones((3, 6)), radial)
        np.testing.assert_equal(target("cross", seen), (0, found))


@pytest.mark.parametrize(("speed", "ease"), [(4.0, EASE), (120.0, EASE), (4.0, 8.0), (4.0, 1e6)])
def test_the_fan_stands_where_the_walk_can_follow(speed: float, ease: float) -> None:
    """Rings at half, whole and twice the reach; or so that the near one lies a tick and sqrt(1.8 / ease) away."""
    asked: list[np.ndarray] = []

    def counting(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
        asked.append(units)
        return np.ones((len(units), 3))

    pace = PacingSpec(kind="latent", speed=speed, ceiling=1e3)
    which = Pilot(PilotSpec(mode="seek", fan=5, spread=60.0, reach=6.0), pace, PLANE, counting, counting)  # type: ignore[arg-type]
    walk = replace(start(2), ease=ease)
    which(walk, None, None, 8)
    arcs = globe.angle(asked[0][1:].reshape(3, 5, 3), walk.unit)
    tick = 8 * speed / 24 / PLANE.target
    reach = min(max(6.0 / PLANE.target, 2 * (tick + np.sqrt(1.8 / ease))), 0.5)
    np.testing.assert_allclose(arcs, np.tile([[0.5], [1.0], [2.0]], 5) * reach, rtol=1e-9)
    np.testing.assert_array_equal(asked[0][0], walk.unit)
    for ring in asked[0][1:].reshape(3, 5, 3):
        bearings = [globe.tangent(walk.unit, unit) for unit in ring]
        left = globe.cross(walk.unit, walk.heading)
        angles = [np.degrees(np.arctan2(b @ left, b @ walk.heading)) for b in bearings]
        np.testing.assert_allclose(angles, [-60, -30, 0, 30, 60], atol=1e-6)


def test_a_look_holds_for_a_quarter_of_the_near_ring_and_a_tick_at_least() -> None:
    which, walk, looks = pilot("seek"), start(1), []
    for _ in range(20):
        before = which.probes
        steering = which(walk, None, None, 1)
        looks.append(which.probes > before)
        walk = walk.advance(float(steering.strides[-1]), steering.curvature)
    stride = 4.0 / 24
    arcs = max(6.0 / PLANE.target, 2 * (stride / PLANE.target + np.sqrt(1.8 / EASE))) * PLANE.target
    every = int(np.ceil(0.25 * 0.5 * arcs / stride))
    assert looks == [k % every == 0 for k in range(20)]
    assert 1 < every < 10
    before = which.probes
    which(walk, None, Asked(attraction=-0.5), 1)  # another wish is looked at anew
    assert which.probes > before


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
