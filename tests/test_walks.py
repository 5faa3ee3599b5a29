"""The conformance suite every walk passes, and what each kind promises of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from latentworld import globe, walks
from latentworld.arrays import Array
from latentworld.errors import GeometryError
from latentworld.plane import Plane
from latentworld.walks.arclength import ArcTable
from latentworld.walks.waypoints import through

VERTICES = np.random.default_rng(3).standard_normal((3, 4, 8, 8))
PLANE = Plane(VERTICES)
SPECS: dict[str, Any] = {
    "orbit": walks.Orbit(),
    "small orbit": walks.Orbit(latitude=50.0, phase=0.3, direction=-1, radius=2.0),
    "breathing orbit": walks.Orbit(radius=3.0, breaths=4.0),
    "waypoints": walks.Waypoints(),
    "open waypoints": walks.Waypoints(points=("z0", (0.8, 0.1, 2.0), (0.2, 3.0), "-z1"), closed=False),
    "hairpin": walks.Waypoints(points=("z0", "z1"), breaths=2.0, radius=1.5),
    "lissajous": walks.Lissajous(),
    "wander": walks.Wander(seed=7),
    "breathing wander": walks.Wander(seed=7, radius=2.5, breaths=3.0),
    "swath": walks.Swath(rows=4),
    "tiny swath": walks.Swath(alpha=(0.5, 0.500001), beta=(0.4, 0.400001), rows=3),
    "vast swath": walks.Swath(alpha=(-1000.0, 1000.0), beta=(-1000.0, 1000.0), rows=3),
    "spiral": walks.Spiral(),
    "rift": walks.Rift(radius=1.2),
    "breathing rift": walks.Rift(radius=2.0, breaths=5.0, ease=0.0),
}
EVEN = [name for name in SPECS if name != "spiral"]  # a spiral's speed is relative to its distance
CLOSED = ["orbit", "small orbit", "breathing orbit", "waypoints", "hairpin", "lissajous"]
every = pytest.mark.parametrize("name", list(SPECS))


@cache
def walked(name: str) -> Any:
    """The walk of that name at its start."""
    return walks.build(SPECS[name], PLANE)


@dataclass(frozen=True)
class Tick:
    index: npt.NDArray[np.int64]
    time: Array


def tick(n: int) -> Tick:
    return Tick(np.arange(n), np.arange(n) / 24.0)


def steering(strides: Any, curvature: float = 0.0) -> walks.Steering:
    strides = np.asarray(strides, np.float64)
    return walks.Steering(curvature, strides, np.zeros(len(strides), bool))


def span(walk: Any) -> float:
    return float(walk.length or 3.0 * PLANE.target)


def ahead(walk: Any, strides: Array, curvature: float = 0.0) -> Array:
    return PLANE.points(*walk.ahead(strides, curvature))


@every
def test_places_are_unit_and_radii_in_range(name: str) -> None:
    walk = walked(name)
    unit, radius = walk.ahead(np.linspace(0.0, 2.5 * span(walk), 400))
    assert unit.shape == (400, 3)
    assert radius.shape == (400,)
    np.testing.assert_allclose(globe.dot(unit, unit), 1.0, rtol=0, atol=1e-15)
    assert radius.min() > 0
    assert radius.max() <= 3.0 + 1e-12


@pytest.mark.parametrize("name", EVEN)
def test_strides_are_latent_arc_length_to_a_millionth(name: str) -> None:
    walk = walked(name)
    fine = 4e-6 * span(walk)  # so short that a chord is its arc
    for begin in np.linspace(0.02, 0.97, 17) * span(walk):
        chords = np.linalg.norm(np.diff(ahead(walk, begin + fine * np.arange(4)), axis=0), axis=1)
        np.testing.assert_allclose(chords, fine, rtol=1e-6, atol=1e-15 * PLANE.target)


@every
def test_the_path_is_smooth(name: str) -> None:
    """Halving the stride halves how much the direction of travel changes: there is no corner."""
    walk = walked(name)
    turns = []
    for n in (4000, 8000):
        unit, _ = walk.ahead(np.linspace(0.0, 0.999 * span(walk), n))
        travel = globe.normalise(np.diff(unit, axis=0))
        turns.append(globe.angle(travel[1:], travel[:-1]).max())
    assert turns[1] < 0.6 * turns[0] + 1e-6


@every
@given(cuts=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6), curvature=st.floats(-6.0, 6.0))
@settings(max_examples=5)
def test_ticks_cut_nothing(name: str, cuts: list[float], curvature: float) -> None:
    walk = walked(name)
    far, whole = np.linspace(0.7, 1.0, 7), 0.6 * span(walk)
    uncut = walk.ahead(far * whole, curvature)
    state, gone = walk, 0.0
    for cut in sorted(cuts):
        state = state.advance(cut * 0.7 * whole - gone, curvature)
        gone = cut * 0.7 * whole
    unit, radius = state.ahead(far * whole - gone, curvature)
    assert state.arc == pytest.approx(gone, abs=1e-12 * whole)
    np.testing.assert_allclose(unit, uncut[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(radius, uncut[1], rtol=0, atol=1e-12)


@every
def test_places_do_not_depend_on_their_batch(name: str) -> None:
    walk = walked(name)
    strides = np.linspace(0.01, 1.3, 9) * span(walk)
    many = walk.ahead(strides, 0.5)
    for i in (0, 4, 8):
        alone = walk.ahead(strides[i : i + 1], 0.5)
        assert alone[0][0].tobytes() == many[0][i].tobytes()
        assert alone[1][0] == many[1][i]


@every
def test_looking_ahead_changes_nothing(name: str) -> None:
    walk = walked(name)
    before = walk.ahead(np.array([1.0]))[0].tobytes()
    walk.advance(2.0, 1.0)
    walk.ahead(np.array([3.0]), -1.0)
    assert walk.arc == 0.0
    assert walk.ahead(np.array([1.0]))[0].tobytes() == before


@every
def test_a_step_places_the_frames_and_ends_on_the_last(name: str) -> None:
    walk = walked(name)
    after, path = walks.step(walk, steering([0.0, 0.5, 0.9], 0.3), tick(3))
    assert len(path) == 3
    np.testing.assert_allclose(after.ahead([0.0])[0][0], path.unit[2], rtol=0, atol=1e-14)
    assert after.arc == 0.9
    nothing, path = walks.step(after, steering([]), tick(0))
    assert nothing is after
    assert len(path) == 0


@every
@pytest.mark.parametrize("strides", [[-1.0], [np.nan], [0.5, 0.5], [0.7, 0.2], [1.0, 2.0, 3.0], [0.0, 1.0]])
def test_paths_that_repeat_or_leave_the_numbers_are_refused(name: str, strides: list[float]) -> None:
    walk = walked(name).advance(1.0)
    with pytest.raises(GeometryError, match=r"^[^\n]+: [^\n]+\.$"):
        walks.step(walk, steering(strides), tick(2 if len(strides) == 3 else len(strides)))


@pytest.mark.parametrize("name", CLOSED)
def test_closed_walks_close(name: str) -> None:
    walk = walked(name)
    ends = np.array([0.0, walk.length * (1 - 1e-12), walk.length, 7 * walk.length])
    points = ahead(walk, ends)
    np.testing.assert_allclose(points, np.broadcast_to(points[0], (4, 3)), rtol=0, atol=1e-9)
    for shift in (1e-4, 3e-4):  # and smoothly: what lies ahead of the seam continues what lies behind it
        behind, at, before = ahead(walk, walk.length * np.array([1 - shift, 1.0, 1 + shift]))
        travel = globe.normalise(np.stack([at - behind, before - at]))
        assert globe.angle(travel[0], travel[1]) < 0.1


@pytest.mark.parametrize("name", ["open waypoints", "swath", "spiral"])
def test_open_walks_go_there_and_back(name: str) -> None:
    walk = walked(name)
    s = np.linspace(0.0, 1.0, 11) * walk.length
    np.testing.assert_allclose(ahead(walk, 2 * walk.length - s), ahead(walk, s), rtol=0, atol=1e-9)


def test_an_orbit_is_the_circle_it_says() -> None:
    great, small = walked("orbit"), walked("small orbit")
    assert great.length == pytest.approx(2 * math.pi * PLANE.target, rel=1e-9)
    assert small.length == pytest.approx(2 * 2 * math.pi * PLANE.target * math.cos(math.radians(50)), rel=1e-9)
    centre, _ = walks.place(PLANE, "centre")
    np.testing.assert_allclose(great.ahead([0.0, great.length / 2])[0], [centre, -centre], rtol=0, atol=1e-9)
    inside = (np.array(PLANE.chart(great.ahead(np.linspace(0, great.length, 100))[0])[:2]) > 0).all(axis=0)
    assert 0 < inside.mean() < 0.9  # it leaves the cell


def test_waypoints_are_visited() -> None:
    walk = walked("open waypoints")
    unit, radius = walk.ahead(np.linspace(0, walk.length, 20001))
    for point in SPECS["open waypoints"].points:
        u, r = walks.place(PLANE, point)
        nearest = int(np.argmin(globe.angle(unit, u)))
        assert globe.angle(unit[nearest], u) < 1e-3
        assert radius[nearest] == pytest.approx(r, abs=1e-2)


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.floats(0.3, 3.0)), min_size=2, max_size=6), st.booleans()
)
@settings(max_examples=25)
def test_any_waypoints_make_an_even_path(points: list[tuple[float, float, float]], closed: bool) -> None:
    stops = PLANE.unit([p[0] for p in points], [p[1] for p in points])
    if (globe.angle(stops, np.roll(stops, 1, axis=0)) < 1e-2).any():
        return
    walk = walks.build(walks.Waypoints(points=tuple(points), closed=closed), PLANE)
    chords = np.linalg.norm(np.diff(ahead(walk, np.linspace(0.0, walk.length, 4001)), axis=0), axis=1)
    assert chords.max() <= walk.length / 4000 * (1 + 1e-5)
    assert np.median(chords) >= walk.length / 4000 * (1 - 1e-3)


def test_a_spiral_shrinks_geometrically() -> None:
    walk, spec = walked("spiral"), SPECS["spiral"]
    centre, _ = walks.place(PLANE, spec.centre)
    away = globe.angle(walk.ahead(np.linspace(0, walk.length, int(spec.turns) + 1))[0], centre)
    np.testing.assert_allclose(away[1:] / away[:-1], spec.shrink, rtol=1e-9)
    assert away[0] == pytest.approx(math.radians(spec.start))


def test_a_swath_stays_in_its_window_and_fills_it() -> None:
    walk = walks.build(walks.Swath(alpha=(0.2, 0.6), beta=(0.1, 0.5), rows=5), PLANE)
    alpha, beta, front = PLANE.chart(walk.ahead(np.linspace(0, walk.length, 2000))[0])
    assert front.all()
    assert alpha.min() > 0.2 - 0.1
    assert alpha.max() < 0.6 + 0.1
    assert beta.min() == pytest.approx(0.1, abs=1e-6)
    assert beta.max() == pytest.approx(0.5, abs=1e-6)


@given(st.floats(-6.0, 6.0), st.floats(0.1, 50.0))
@settings(max_examples=20)
def test_a_rift_without_ease_is_the_closed_form(curvature: float, stride: float) -> None:
    walk = walks.build(walks.Rift(ease=0.0), PLANE).advance(1e-9).advance(1.0, curvature)
    unit, heading = globe.arc(walk.unit, walk.heading, stride / PLANE.target, curvature)
    after = walk.advance(stride, curvature)
    np.testing.assert_allclose(after.unit, unit, rtol=0, atol=1e-13)
    np.testing.assert_allclose(after.heading, heading, rtol=0, atol=1e-13)


def test_a_bend_eases_in() -> None:
    walk = walks.build(walks.Rift(ease=2.0), PLANE)
    degree = PLANE.target * math.radians(1.0)
    assert walk.advance(1.0 * degree, 3.0).bend == pytest.approx(0.5, abs=0.06)
    assert walk.advance(20.0 * degree, 3.0).bend == 3.0
    assert walk.advance(20.0 * degree, 3.0).advance(1.0 * degree, -3.0).bend == pytest.approx(2.5, abs=0.06)


def test_a_free_walk_turns_left_by_what_it_is_told() -> None:
    for name in ("rift", "wander"):
        walk = walked(name)
        turned = walk.turned(0.4)
        assert globe.angle(walk.heading, turned.heading) == pytest.approx(0.4)
        assert globe.dot(turned.heading, globe.cross(walk.unit, walk.heading)) > 0
        assert turned.unit is walk.unit


def test_wanderers_follow_their_seed() -> None:
    again, other = walks.build(walks.Wander(seed=7), PLANE), walks.build(walks.Wander(seed=8), PLANE)
    far = np.array([2.0 * PLANE.target])
    assert again.ahead(far)[0].tobytes() == walked("wander").ahead(far)[0].tobytes()
    assert globe.angle(other.ahead(far)[0], again.ahead(far)[0])[0] > 1e-3


def test_headings_count_from_alpha_toward_beta() -> None:
    unit = PLANE.unit(0.3, 0.3)
    along, _ = globe.step(unit, walks.heading(PLANE, unit, 0.0), 1e-6)
    left, _ = globe.step(unit, walks.heading(PLANE, unit, 90.0), 1e-6)
    alpha, beta, _ = PLANE.chart(np.stack([unit, along, left]))
    assert alpha[1] > alpha[0]
    assert beta[1] == pytest.approx(beta[0], abs=1e-9)
    assert beta[2] > beta[0]


def test_a_raw_walk_is_even_in_raw_latents_and_stays_in_front() -> None:
    raw = Plane(VERTICES, "raw")
    walk = walks.build(walks.Swath(rows=3), raw)
    fine = 1e-5 * walk.length
    for begin in np.linspace(0.1, 0.9, 9) * walk.length:
        chord = np.linalg.norm(np.diff(raw.points(*walk.ahead([begin, begin + fine])), axis=0))
        assert chord == pytest.approx(fine, rel=1e-6)
    with pytest.raises(GeometryError, match="far side"):
        walks.build(walks.Orbit(), raw)


@pytest.mark.parametrize(
    "spec",
    [
        walks.Waypoints(points=("z0", "z0")),
        walks.Waypoints(points=("z0", (0.0, 0.0), "z1")),
        walks.Waypoints(points=("z0", "-z0", "z1")),
        walks.Waypoints(points=("z0", (0.5, 0.5, 2.0)), radius=2.0),
        walks.Swath(alpha=(0.5, 0.5)),
        walks.Lissajous(frequencies=(1, 1), phase=0.0),
        walks.Lissajous(amplitudes=(120.0, 120.0), frequencies=(2, 1), phase=45.0).model_copy(
            update={"amplitudes": (140.0, 140.0)}
        ),
    ],
)
def test_paths_that_lead_nowhere_are_refused(spec: Any) -> None:
    with pytest.raises(GeometryError, match=r"^[^\n]+: [^\n]+\.$"):
        walks.build(spec, PLANE)


def test_specs_refuse_what_they_do_not_know() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(walks.WalkSpec)
    assert adapter.validate_python({"kind": "orbit", "inclination": 40}).inclination == 40.0
    assert adapter.validate_python({"kind": "waypoints", "points": [[0, 1], "z2", [1, 2, 3]]}).points[2] == (1, 2, 3)
    for bad in (
        {"kind": "orbit", "inclinatoin": 40},
        {"kind": "walkabout"},
        {"kind": "rift", "radius": 4.0},
        {"kind": "rift", "start": "z9"},
        {"kind": "swath", "alpha": [0.0, math.nan]},
    ):
        with pytest.raises(ValidationError):
            adapter.validate_python(bad)


@pytest.mark.parametrize(("apart", "goes_on"), [(0.021, True), (0.019, False)])
def test_a_way_that_turns_back_is_crossed_to_the_left(apart: float, goes_on: bool) -> None:
    """At a waypoint the walk heads from where it came to where it goes, until those are nearly one way."""
    e = np.eye(3)
    came, goes = (np.cos(0.5) * e[0] + np.sin(0.5) * (np.cos(a) * e[1] + np.sin(a) * e[2])
                  for a in (apart / 2, -apart / 2))  # fmt: skip
    curve = through(np.stack([came, e[0], goes]), np.ones(3), closed=False)
    there = curve.knots[len(curve.knots) // 2]
    before, after = curve.unit(np.array([there - 1e-6, there + 1e-6]))
    assert (after - before) @ e[2] == pytest.approx(-2e-6 if goes_on else 2e-6, rel=1e-3)


def test_an_arc_table_inverts_a_known_curve() -> None:
    """A parabola has its arc length in closed form."""
    table = ArcTable.measure(lambda t: np.stack([t, t * t / 2, 0 * t], axis=1), np.array([0.0, 1.0, 4.0]))
    t = np.linspace(0.0, 4.0, 101)
    s = 0.5 * (t * np.sqrt(1 + t * t) + np.arcsinh(t))
    np.testing.assert_allclose(table.at(s), t, rtol=0, atol=1e-9)
    cells = np.concatenate([np.linspace(a, b, 128, endpoint=False) for a, b in ((0.0, 1.0), (1.0, 4.0))])
    assert table.at(table.starts[:-1]).tolist() == cells.tolist()  # where a cell begins it is the cell's, exactly


def test_an_arc_table_is_as_fine_as_it_must_be_and_no_finer() -> None:
    """128 cells from knot to knot, fewer where knots are many, 16 at least: hundreds of waypoints are measured fast."""
    for knots, cells in ((3, 128), (101, 40), (501, 16)):
        table = ArcTable.measure(lambda t: np.stack([t, 0 * t, 0 * t], axis=1), np.linspace(0.0, 1.0, knots))
        assert len(table.nodes) == cells * (knots - 1)
        assert table.length == pytest.approx(1.0)


def test_a_curve_that_stands_still_anywhere_has_no_pace() -> None:
    def halting(t: Array) -> Array:
        return np.stack([np.maximum(t, 0.5), 0 * t, 0 * t], axis=1)

    with pytest.raises(GeometryError, match="stands still"):
        ArcTable.measure(halting, np.array([0.0, 1.0]))
    for length in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(GeometryError, match="zero length"):
            ArcTable.linear(length, 1.0)
    assert ArcTable.linear(4.0, 2.0).at(np.array([0.0, 1.0, 4.0])).tolist() == [0.0, 0.5, 2.0]
