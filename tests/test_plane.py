"""The plane and its chart: equal to the write-up's formula, isometric, exact far out, and blind to batch-mates."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentworld import globe
from latentworld.arrays import Array
from latentworld.errors import GeometryError
from latentworld.plane import Norm, Path, Plane, check_place

prove = settings(max_examples=40)
VERTICES = np.random.default_rng(3).standard_normal((3, 4, 16, 16))
SKEWED = VERTICES[[0, 1, 1]] + np.array([0.0, 0.0, 0.3])[:, None, None, None] * VERTICES[[2]]
PLANES: dict[Norm, Plane] = {norm: Plane(VERTICES, norm) for norm in ("sphere", "global", "raw")}
chart = st.floats(-1e3, 1e3)


def written(alpha: float, beta: float) -> Array:
    """The write-up's line, in float64."""
    z0, z1, z2 = VERTICES
    return np.asarray(z0 + alpha * (z1 - z0) + beta * (z2 - z0))


def uniform(n: int, seed: int = 0) -> Array:
    return globe.normalise(np.random.default_rng(seed).standard_normal((n, 3)))


@prove
@given(chart, chart)
def test_latents_are_the_write_ups_formula(alpha: float, beta: float) -> None:
    z = written(alpha, beta)
    length = float(np.linalg.norm(z))
    local = float(np.mean([np.linalg.norm(v) for v in VERTICES]))
    targets = {"sphere": local, "global": math.sqrt(1024), "raw": length}
    for norm, target in targets.items():
        if norm == "raw" and not PLANES["raw"].chart(PLANES["raw"].unit(alpha, beta))[2]:
            continue
        plane = PLANES[norm]  # type: ignore[index]
        ours = plane.latents(plane.unit(alpha, beta)).numpy()[0]
        np.testing.assert_allclose(ours, z * (target / length), rtol=2e-7, atol=2e-7 * target / 32 * 4)


def test_targets() -> None:
    assert PLANES["global"].target == 32.0
    assert PLANES["sphere"].target == pytest.approx(np.mean([np.linalg.norm(v) for v in VERTICES]), rel=1e-15)
    assert PLANES["sphere"].dimension == 1024
    assert PLANES["sphere"].shape == (4, 16, 16)


@prove
@given(chart, chart)
def test_the_chart_goes_round(alpha: float, beta: float) -> None:
    plane = PLANES["sphere"]
    a, b, front = plane.chart(plane.unit(alpha, beta))
    size = 1.0 + abs(alpha) + abs(beta)
    assert front
    assert abs(a - alpha) < 2e-15 * size**2
    assert abs(b - beta) < 2e-15 * size**2
    a, b, front = plane.chart(-plane.unit(alpha, beta))
    assert not front
    assert abs(a - alpha) < 2e-15 * size**2


@pytest.mark.parametrize("plane", [PLANES["sphere"], Plane(SKEWED)], ids=["random", "skewed"])
def test_every_place_has_chart_coordinates_that_lead_back(plane: Plane) -> None:
    unit = uniform(500)
    alpha, beta, front = plane.chart(unit)
    back = plane.unit(alpha, beta) * np.where(front, 1.0, -1.0)[:, None]
    np.testing.assert_allclose(back, unit, rtol=0, atol=1e-13)


def test_vertices_are_where_they_belong() -> None:
    plane = PLANES["raw"]
    latents = plane.latents(plane.unit([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])).numpy()
    np.testing.assert_allclose(latents, VERTICES, rtol=0, atol=1e-6)
    np.testing.assert_allclose(plane.corners, plane.points(plane.unit([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])), atol=1e-12)


def test_far_coordinates_creep_toward_the_horizon() -> None:
    plane = PLANES["sphere"]
    end = globe.normalise(plane.corners[1] - plane.corners[0])
    left = globe.angle(plane.unit([1.0, 10.0, 1e3, 1e6, 1e12, 1e300], 0.0), end)
    assert (np.diff(left) <= 0).all()
    np.testing.assert_allclose(left[1:5] * [10.0, 1e3, 1e6, 1e12], left[2] * 1e3, rtol=0.06)
    assert left[-1] < 1e-15


def test_on_the_horizon_coordinates_are_infinite_and_not_nan() -> None:
    plane = Plane(np.eye(3).reshape(3, 3, 1, 1))  # its weights sum to exactly zero here
    alpha, beta, front = plane.chart(globe.normalise([[-1.0, 1.0, 0.0], [1.0, 0.0, -1.0]]))
    assert alpha.tolist() == [np.inf, 0.0]
    assert beta.tolist() == [0.0, -np.inf]
    assert not front.any()


def test_neighbours_a_trillionth_apart_are_told_apart() -> None:
    plane = PLANES["sphere"]
    for alpha in (0.5, 1.0):
        near = plane.points(plane.unit([alpha, alpha + 1e-12], 0.3))
        tenth = plane.points(plane.unit([alpha, alpha + 1e-4], 0.3))
        ratio = np.linalg.norm(np.diff(near, axis=0)) / np.linalg.norm(np.diff(tenth, axis=0))
        assert ratio == pytest.approx(1e-8, rel=2e-3)


@pytest.mark.parametrize("norm", ["sphere", "global", "raw"])
@pytest.mark.parametrize("vertices", [VERTICES, SKEWED], ids=["random", "skewed"])
def test_points_are_isometric_to_latents(norm: Norm, vertices: Array) -> None:
    plane = Plane(vertices, norm)
    rng = np.random.default_rng(1)
    unit = plane.unit(rng.uniform(0, 1, 40), rng.uniform(0, 1, 40)) if norm == "raw" else uniform(40)
    radius = rng.uniform(0.5, 3.0, 40)
    latents = plane.latents(unit, radius).double().numpy().reshape(40, -1)
    points = plane.points(unit, radius)
    ours = np.linalg.norm(points[:20] - points[20:], axis=1)
    np.testing.assert_allclose(ours, np.linalg.norm(latents[:20] - latents[20:], axis=1), rtol=1e-6)
    if norm != "raw":
        np.testing.assert_allclose(np.linalg.norm(latents, axis=1), radius * plane.target, rtol=1e-6)


@prove
@given(st.permutations(range(6)), st.integers(0, 5))
def test_a_latent_has_the_same_bits_in_every_batch(order: list[int], alone: int) -> None:
    plane = PLANES["sphere"]
    unit, radius = uniform(6, seed=5), np.linspace(0.5, 3.0, 6)
    batch = plane.latents(unit[order], radius[order])
    single = plane.latents(unit[alone], radius[alone])
    assert batch[order.index(alone)].numpy().tobytes() == single[0].numpy().tobytes()


def test_latents_are_float32_on_the_cpu() -> None:
    z = PLANES["sphere"].latents(uniform(0))
    assert tuple(z.shape) == (0, 4, 16, 16)
    assert str(z.dtype) == "torch.float32"
    assert str(z.device) == "cpu"


@pytest.mark.parametrize(
    "call",
    [
        lambda: PLANES["sphere"].unit(np.nan, 0.0),
        lambda: PLANES["sphere"].unit([0.0, np.inf], 0.0),
        lambda: PLANES["sphere"].latents(uniform(1), np.nan),
        lambda: PLANES["sphere"].latents(uniform(1), 0.0),
        lambda: PLANES["sphere"].points([[0.0, 2.0, 0.0]], 1.0),
        lambda: PLANES["raw"].points(-PLANES["raw"].unit(0.3, 0.3), 1.0),
        lambda: Plane(VERTICES[[0, 1, 1]]),
        lambda: Plane(np.stack([VERTICES[0], VERTICES[1], 2 * VERTICES[1] - VERTICES[0]])),
        lambda: Plane(VERTICES * np.array([1.0, 0.0, 1.0])[:, None, None, None]),
        lambda: Plane(VERTICES * np.nan),
        lambda: Plane(VERTICES[:2]),
        lambda: Plane(VERTICES, "cube"),  # type: ignore[arg-type]
        lambda: Path(np.arange(2), np.zeros(2), np.zeros((3, 3)), np.ones(2)),
    ],
)
def test_what_names_no_place_is_refused_in_one_line(call: object, unchecked: None) -> None:
    with pytest.raises(GeometryError, match=r"^[^\n]+\.$"):
        call()  # type: ignore[operator]


def test_vertices_cannot_change_under_a_plane() -> None:
    mine = VERTICES.copy()
    plane = Plane(mine)
    mine[:] = 0
    assert np.array_equal(plane.vertices, VERTICES)
    for kept in (plane.vertices, plane.corners):
        with pytest.raises(ValueError, match="read-only"):
            kept[:] = 0


def test_importing_geometry_imports_no_torch() -> None:
    code = "import sys, latentworld.plane, latentworld.walks, latentworld.vertices; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- places as people write them ---------------------------------------------------------------------------------


@prove
@given(chart, chart, st.floats(0.05, 3.0), st.booleans())
def test_a_place_is_read_back_as_it_is_written(alpha: float, beta: float, radius: float, far: bool) -> None:
    plane, signed = PLANES["sphere"], -radius if far else radius
    unit, factor = plane.place(alpha, beta, signed)
    assert factor == radius
    again = plane.written(unit, factor)
    assert again[2] == signed
    assert globe.angle(plane.place(*again)[0], unit) < 1e-9


def test_the_far_side_is_the_antipode() -> None:
    plane = PLANES["sphere"]
    near, far = plane.place(0.3, -2.0, 0.5), plane.place(0.3, -2.0, -0.5)
    np.testing.assert_array_equal(far[0], -near[0])
    assert (near[1], far[1]) == (0.5, 0.5)
    np.testing.assert_array_equal(plane.latents(*far).numpy(), -plane.latents(*near).numpy())


@prove
@given(st.floats(0.0, 2.0 * math.pi))
def test_the_horizon_is_written_as_a_place_beside_it(turn: float) -> None:
    """There the vertex weights sum to 0: the chart has no numbers, or infinite ones."""
    plane = PLANES["sphere"]
    edges = plane.corners[1:] - plane.corners[0]
    unit = globe.normalise(math.cos(turn) * edges[0] + math.sin(turn) * edges[1])
    alpha, beta, radius = plane.written(unit)
    assert math.isfinite(alpha)
    assert math.isfinite(beta)
    assert globe.angle(plane.place(alpha, beta, radius)[0], unit) < 1e-9


@pytest.mark.parametrize("radius", [0.0, 0.049, -0.049, 3.01, -3.01, math.nan, math.inf])
def test_a_radius_that_is_no_place_is_refused(radius: float) -> None:
    with pytest.raises(GeometryError, match=r"give 0\.05 to 3, or -3 to -0\.05"):
        PLANES["sphere"].place(0.0, 0.0, radius)


@pytest.mark.parametrize("place", [(math.nan, 0.0), (0.0, math.inf), (-math.inf, math.nan)])
def test_a_place_needs_both_coordinates(place: tuple[float, float]) -> None:
    with pytest.raises(GeometryError, match="must be finite"):
        check_place(*place, 1.0)


def test_how_vertices_lie_in_memory_does_not_matter() -> None:
    turned = Plane(np.asfortranarray(VERTICES))
    plane = PLANES["sphere"]
    assert turned.vertices.flags.c_contiguous
    assert np.array_equal(turned.corners, plane.corners)
    assert turned.latents(plane.unit(0.2, 0.3)[None], 1.0).equal(plane.latents(plane.unit(0.2, 0.3)[None], 1.0))
