"""Geometry of the globe: the group laws of steps and turns, and exactness where formulas usually lose digits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentworld import globe
from latentworld.arrays import Array
from latentworld.errors import GeometryError

prove = settings(max_examples=40)
coordinate = st.floats(-1.0, 1.0)
angles = st.floats(-10.0, 10.0)
curvatures = st.floats(-20.0, 20.0)


@st.composite
def units(draw: st.DrawFn) -> Array:
    v = np.array([draw(coordinate), draw(coordinate), draw(coordinate)])
    return globe.normalise(v if np.abs(v).max() > 1e-3 else np.array([1.0, 0.0, 0.0]))


@st.composite
def states(draw: st.DrawFn) -> tuple[Array, Array]:
    u = draw(units())
    axis = np.eye(3)[int(np.argmin(np.abs(u)))]
    return u, globe.turn(u, globe.project(u, axis), draw(angles))


def assert_close(a: object, b: object, tolerance: float = 1e-14) -> None:
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=0, atol=tolerance)


@prove
@given(states(), angles, curvatures)
def test_travel_keeps_place_unit_and_heading_tangent(state: tuple[Array, Array], length: float, k: float) -> None:
    u, h = globe.arc(*state, length, k)
    assert_close([globe.dot(u, u), globe.dot(h, h), globe.dot(u, h)], [1.0, 1.0, 0.0], 1e-15)


def test_heading_stays_tangent_after_many_steps() -> None:
    u, h = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    for i in range(2000):
        u, h = globe.arc(u, h, 0.37, np.sin(i))
    assert_close([globe.dot(u, u), globe.dot(h, h), globe.dot(u, h)], [1.0, 1.0, 0.0], 1e-15)


@prove
@given(states(), angles)
def test_step_then_back_returns(state: tuple[Array, Array], angle: float) -> None:
    there = globe.step(*state, angle)
    assert_close(globe.step(*there, -angle), state)


@prove
@given(states(), angles, angles, curvatures)
def test_arcs_compose(state: tuple[Array, Array], a: float, b: float, k: float) -> None:
    assert_close(globe.arc(*globe.arc(*state, a, k), b, k), globe.arc(*state, a + b, k), 1e-12)


@prove
@given(states(), angles)
def test_an_arc_without_curvature_is_a_step_on_the_great_circle(state: tuple[Array, Array], angle: float) -> None:
    u, h = state
    assert_close(globe.arc(u, h, angle, 0.0)[0], np.cos(angle) * u + np.sin(angle) * h)
    assert_close(globe.arc(u, h, angle, 0.0), globe.step(u, h, angle), 0.0)


@prove
@given(states(), curvatures)
def test_an_arc_is_a_small_circle_of_its_curvature(state: tuple[Array, Array], k: float) -> None:
    w = np.sqrt(1 + k * k)
    assert_close(globe.arc(*state, 2 * np.pi / w, k), state, 1e-13)
    points, _ = globe.arc(*state, np.linspace(0, 2 * np.pi / w, 7), np.full(7, k))
    u, h = state
    pole = (k * u + globe.cross(u, h)) / w
    assert_close(globe.dot(points, pole), np.full(7, k / w))


@prove
@given(states(), st.floats(0.0, 0.5), curvatures)
def test_left_is_positive(state: tuple[Array, Array], length: float, k: float) -> None:
    u, h = state
    place, _ = globe.arc(u, h, length, k)
    assert k * globe.dot(place, globe.cross(u, h)) >= -1e-14 * abs(k)
    assert globe.dot(globe.turn(u, h, 0.1), globe.cross(u, h)) > 0


@prove
@given(units(), units())
def test_tangent_leads_to_the_other_place(u: Array, v: Array) -> None:
    whole = float(globe.angle(u, v))
    if 1e-6 < whole < np.pi - 1e-6:
        assert_close(globe.step(u, globe.tangent(u, v), whole)[0], v)
        assert_close(globe.angle(u, globe.slerp(u, v, 0.25)), whole / 4, 1e-14 / np.sin(whole))


@prove
@given(states(), st.floats(-14.0, -1.0))
def test_angles_are_exact_near_zero_and_near_pi(state: tuple[Array, Array], exponent: float) -> None:
    tiny = 10.0**exponent
    u, h = state
    v = np.cos(tiny) * u + np.sin(tiny) * h
    assert_close(globe.angle(u, v), tiny, 4e-16)
    assert_close(np.pi - globe.angle(u, -v), tiny, 1e-15)


@prove
@given(units(), st.integers(-1000, 1000))
def test_normalise_has_no_range_limit(u: Array, exponent: int) -> None:
    assert_close(globe.normalise(np.ldexp(u, exponent)), u, 3e-16)


@prove
@given(states(), angles, curvatures)
def test_batches_change_nothing(state: tuple[Array, Array], length: float, k: float) -> None:
    u, h = state
    alone = globe.arc(u[None], h[None], np.array([length]), np.array([k]))
    many = globe.arc(np.stack([h, u, u]), np.stack([u, h, h]), np.array([1.0, 0.5, length]), np.array([0.0, 1.0, k]))
    assert (alone[0][0] == many[0][2]).all()
    assert (alone[1][0] == many[1][2]).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: globe.normalise([0.0, 0.0, 0.0]),
        lambda: globe.normalise([np.nan, 0.0, 1.0]),
        lambda: globe.tangent([1.0, 0, 0], [1.0, 0, 0]),
        lambda: globe.tangent([1.0, 0, 0], [-1.0, 0, 0]),
        lambda: globe.slerp([1.0, 0, 0], [-1.0, 0, 0], 0.5),
        lambda: globe.project([1.0, 0, 0], [2.0, 0, 0]),
        lambda: globe.arc([1.0, 0, 0], [0.0, 1, 0], np.inf, 0.0),
    ],
)
def test_numbers_that_name_no_place_are_refused(call: object) -> None:
    with pytest.raises(GeometryError, match=r"^[^\n]*[:;] [^\n]+\.$"):
        call()  # type: ignore[operator]


def test_slerp_between_equal_places_stays() -> None:
    u = globe.normalise([1.0, 2.0, 3.0])
    assert_close(globe.slerp(u, u, [0.0, 0.3, 1.0]), np.stack([u, u, u]), 2e-16)
