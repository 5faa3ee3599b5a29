"""Rates against closed forms on linear and quadratic features, and the floor against a world of known jitter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentworld.errors import GeometryError
from latentworld.lipschitz import Floor, along, noise_floor, on_grid

RANDOM = np.random.default_rng(5)
LINEAR = RANDOM.normal(size=(7, 3))


def grid(n: int, m: int, skew: float = 0.6) -> np.ndarray:
    """A skew, unevenly scaled grid in a plane of R3."""
    a, b = np.meshgrid(np.linspace(0, 2, n), np.linspace(0, 0.7, m), indexing="ij")
    first, second = np.array([1.0, 0.2, 0.0]), np.array([skew, 1.0, 0.5])
    return a[..., None] * first + b[..., None] * second + np.array([3.0, 1.0, 2.0])


def tangent_gradient(jacobian: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Frobenius norm of a Jacobian [..., F, 3] on the plane of the grid."""
    basis, _ = np.linalg.qr(np.stack([points[1, 0] - points[0, 0], points[0, 1] - points[0, 0]], axis=1))
    return np.linalg.norm(jacobian @ basis, axis=(-2, -1))


def test_rates_of_linear_features_along_a_line() -> None:
    direction = np.array([0.3, -0.2, 0.9])
    points = np.array([0.0, 0.1, 0.4, 0.45, 2.0])[:, None] * direction
    rates, _ = along(points @ LINEAR.T, points)
    expected = np.linalg.norm(LINEAR @ direction) / np.linalg.norm(direction)
    assert np.isnan([rates.step[0], rates.distance[0], rates.rate[0]]).all()
    np.testing.assert_allclose(rates.rate[1:], expected, rtol=1e-12)
    np.testing.assert_allclose(rates.distance[1:], np.linalg.norm(np.diff(points, axis=0), axis=1), rtol=1e-12)


def test_rate_of_quadratic_features_is_exact_at_the_midpoint() -> None:
    x = np.array([0.0, 0.5, 1.5, 2.0])
    points = np.stack([x, 0 * x, 0 * x], axis=1)
    rates, _ = along((x**2)[:, None], points)
    np.testing.assert_allclose(rates.rate[1:], x[1:] + x[:-1], rtol=1e-12)


@given(cut=st.integers(0, 6))
def test_a_path_cut_anywhere_has_the_rates_of_the_whole(cut: int) -> None:
    points = np.random.default_rng(0).normal(size=(6, 3))
    features = np.sin(points @ LINEAR.T)
    whole, end = along(features, points)
    first, trail = along(features[:cut], points[:cut])
    second, last = along(features[cut:], points[cut:], trail)
    for name in ("step", "distance", "rate"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(first, name), getattr(second, name)]), getattr(whole, name)
        )
    assert end is not None
    assert last is not None
    np.testing.assert_array_equal(last.point, end.point)


def test_a_trail_keeps_no_batch_alive_and_takes_tensors() -> None:
    import torch

    features = torch.ones(4, 5)
    rates, trail = along(features, np.zeros((4, 3)))
    assert trail is not None
    assert trail.features.base is None
    assert np.isnan(rates.rate).all()
    assert (rates.step[1:] == 0).all()


def test_features_and_points_must_pair_up() -> None:
    for features, points in (((3, 2), (4, 3)), ((3,), (3, 3)), ((3, 2), (3, 2))):
        with pytest.raises(GeometryError, match="pair up"):
            along(np.zeros(features), np.zeros(points))


@pytest.mark.parametrize("shape", [(2, 2), (5, 4), (9, 3)])
def test_field_of_linear_features_is_exact_on_a_skew_grid(shape: tuple[int, int]) -> None:
    points = grid(*shape)
    field = on_grid(points @ LINEAR.T, points)
    np.testing.assert_allclose(field, tangent_gradient(LINEAR, points), rtol=1e-10)


def test_field_of_quadratic_features_converges_to_the_gradient() -> None:
    def error(n: int) -> float:
        points = grid(n, n)
        jacobian = 2 * (points @ LINEAR.T)[..., None] * LINEAR
        field = on_grid((points @ LINEAR.T) ** 2, points)[1:-1, 1:-1]
        return float(np.abs(field / tangent_gradient(jacobian, points)[1:-1, 1:-1] - 1).max())

    coarse, fine = error(9), error(33)
    assert fine < 5e-3
    assert fine < coarse / 6  # four times finer: second order


def test_field_on_a_line_is_the_mean_of_both_sides() -> None:
    x = np.array([0.0, 1.0, 3.0])
    field = on_grid((x**2)[:, None, None], np.stack([x, 0 * x, 0 * x], axis=1)[:, None])
    np.testing.assert_allclose(field[:, 0], [1.0, 2.5, 4.0])


def test_field_with_parallel_axes_is_finite() -> None:
    points = grid(4, 4, skew=0)
    points[..., :] = points[..., :1] * np.array([1.0, 2.0, 3.0]) + np.arange(4)[:, None] * np.array([1.0, 2.0, 3.0])
    assert np.isfinite(on_grid(points @ LINEAR.T, points)).all()


@pytest.mark.parametrize("scale", [1e-5, 1e5])
def test_a_field_has_a_unit_and_no_scale_of_its_own(scale: float) -> None:
    """Finer latents, as much steeper: axes that count as one direction (the horizon's) among them."""
    points = grid(4, 5)
    points[2:] = points[:1] * np.linspace(1.0, 2.0, 5)[:, None] + np.arange(2)[:, None, None]  # parallel axes there
    features = np.sin(points @ LINEAR.T)
    np.testing.assert_allclose(on_grid(features, scale * points), on_grid(features, points) / scale, rtol=1e-9)


def test_a_field_takes_single_features_and_two_places_and_works_in_doubles() -> None:
    points = grid(4, 5)
    one = points @ LINEAR.T[:, :1]
    np.testing.assert_allclose(on_grid(one, points), tangent_gradient(LINEAR[:1], points), rtol=1e-10)
    pair = on_grid(np.array([[[0.0], [3.0]]]), np.array([[[0.0, 0.0, 0.0], [0.0, 2.0, 0.0]]]))
    np.testing.assert_allclose(pair, [[1.5, 1.5]])
    rough = (1000 + points @ LINEAR.T).astype(np.float32)
    np.testing.assert_array_equal(on_grid(rough, points), on_grid(rough.astype(np.float64), points))


@pytest.mark.parametrize(("features", "points"), [((1, 1, 3), (1, 1, 3)), ((2, 2, 3), (2, 3, 3)), ((4, 3), (4, 3))])
def test_a_field_needs_two_points(features: tuple[int, ...], points: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match="two or more"):
        on_grid(np.zeros(features), np.zeros(points))


def test_floor_of_an_exact_world_is_nothing() -> None:
    floor = noise_floor(lambda units, radii: units @ LINEAR.T, np.array([0.0, 0.6, 0.8]))
    assert floor.repeat == 0.0
    assert floor.rounding < 1e-6


def test_floor_sees_slots_and_rounding() -> None:
    def slots(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
        return units @ LINEAR.T + 0.01 * (np.arange(len(units)) % 4 == 0)[:, None]

    assert noise_floor(slots, np.array([1.0, 0.0, 0.0])).repeat > 0.01

    def rounded(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
        return 1e6 * units.astype(np.float32).astype(np.float64)

    floor = noise_floor(rounded, np.array([0.3, 0.5, 0.7]))
    assert floor.repeat == 0.0
    assert 0.01 < floor.rounding < 1
    np.testing.assert_allclose(floor.rate([0.5, 2.0]), floor.jitter / np.array([0.5, 2.0]))
    with pytest.raises(GeometryError):
        noise_floor(rounded, np.array([1.0, 0, 0]), repeats=1)


def test_the_jitter_is_the_larger_of_what_slots_and_rounding_do() -> None:
    assert Floor(repeat=0.3, rounding=0.1).jitter == 0.3
    assert Floor(repeat=0.1, rounding=0.3).jitter == 0.3


def test_a_floor_is_measured_by_so_many_renderings_in_one_call() -> None:
    """The place itself in every other slot, the rest on a circle about it, of a radius float32 cannot tell."""
    calls: list[np.ndarray] = []

    def looked(units: np.ndarray, radii: np.ndarray) -> np.ndarray:
        calls.append(np.column_stack([units, radii]))
        return units

    place = np.array([0.48, 0.6, 0.64])  # on no axis
    noise_floor(looked, 2 * place, 1.5, repeats=5)
    (seen,) = calls
    assert seen.shape == (11, 4)
    assert (seen[:, 3] == 1.5).all()
    np.testing.assert_allclose(seen[::2, :3], np.tile(place, (6, 1)), atol=1e-15)
    around = seen[1::2, :3] - place
    np.testing.assert_allclose(np.linalg.norm(around, axis=1), 2.0**-24, rtol=1e-6)
    np.testing.assert_allclose(around.sum(axis=0), 0, atol=1e-14)  # evenly round it
    assert (looked(place[None], np.ones(1)) == place).all()


def test_a_trail_of_another_eye_tells_nothing() -> None:
    points = np.array([[1.0, 0, 0], [2.0, 0, 0]])
    _, trail = along(np.eye(2), points)
    rates, after = along(np.eye(3)[:2], points + 1, trail)
    assert np.isnan(rates.rate[0])
    assert rates.step[1] == pytest.approx(2**0.5)
    assert after is not None
    assert len(after.features) == 3
