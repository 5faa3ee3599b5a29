"""The analytic world against its closed forms, and as a decoder."""

import numpy as np
import pytest
import torch

from installation.frames import develop
from latentworld import globe
from latentworld.decoding.analytic import (
    RANGE,
    SHELL,
    AnalyticDecoder,
    AnalyticEye,
    Mixture,
    analytic,
    lattice_modes,
    regular_modes,
)
from latentworld.errors import Cancelled, DecodeError, GeometryError
from latentworld.lipschitz import noise_floor, on_grid
from latentworld.plane import Plane
from latentworld.prompts import Prompt

RANDOM = np.random.default_rng(1)
PLANE = Plane(RANDOM.normal(size=(3, 4, 8, 8)))
EYE = AnalyticEye()


def world(modes: int = 6, sigma: float = 0.2, size: tuple[int, int] = (16, 24), batch: int = 4) -> AnalyticDecoder:
    return analytic(PLANE, modes, sigma, size=size, batch=batch)


def places(count: int) -> np.ndarray:
    return globe.normalise(np.random.default_rng(2).normal(size=(count, 3)))


def latents64(units: np.ndarray) -> torch.Tensor:
    """Latents without the cast: the way to see more than float32 can carry."""
    flat = np.linalg.solve(PLANE.corners, PLANE.vertices.reshape(3, -1))
    return torch.from_numpy((PLANE.points(units) @ flat).reshape(-1, *PLANE.shape))


@pytest.mark.parametrize(
    ("sigma", "exact", "papers"),
    [
        (0.5, 3.508, 3.5),
        (0.3, 35.14, 35),
        (0.2, 532.9, 533),
        (0.1, 4.736e4, 4.7e4),
        (0.05, 1.054e6, 8.6e5),
        (0.02, 6.182e6, 2.4e6),
    ],
)
def test_the_toy_of_the_papers(sigma: float, exact: float, papers: float) -> None:
    """The published toy as secants over +-1e-7: at sigma = .05 and .02 the derivative itself is larger."""
    toy = Mixture(np.array([[-1.0], [1.0]]), sigma, steps=50)
    assert toy.jacobian([[0.0]])[0, 0, 0] == pytest.approx(exact, rel=1e-3)
    h = 1e-7
    assert (toy.flow([[h]]) - toy.flow([[-h]]))[0, 0] / (2 * h) == pytest.approx(papers, rel=0.02)


def test_jacobian_is_the_derivative_of_the_flow() -> None:
    mixture = world().mixture
    x, h = RANDOM.normal(size=(5, 3)), 1e-6
    numeric = np.stack([(mixture.flow(x + h * e) - mixture.flow(x - h * e)) / (2 * h) for e in np.eye(3)], axis=2)
    np.testing.assert_allclose(mixture.jacobian(x), numeric, rtol=1e-4, atol=1e-6)


def test_the_steepest_known_rate_is_measured_through_pictures() -> None:
    """2.4e6 at sigma = .02: from latents through float64 pictures to features."""
    steep = analytic(PLANE, 2, 0.02, size=(4, 4))
    pole = steep.mixture.modes[1]
    middle = globe.normalise(np.cross(pole, [0.3, 0.5, 0.8]))[None]
    angle = 1e-7 / SHELL  # +-1e-7 in world units, as in docs/sources.md
    both = np.concatenate([globe.step(middle, pole[None], np.array([s]))[0] for s in (-angle, angle)])
    features = EYE(steep(latents64(both), Prompt())).numpy()
    assert features.dtype == np.float64
    assert np.linalg.norm(features[1] - features[0]) / 2e-7 == pytest.approx(2.4e6, rel=0.02)


@pytest.mark.parametrize("modes", [2, 4, 6, 8, 12])
@pytest.mark.parametrize("sigma", [0.3, 0.1])
def test_rifts_of_regular_solids_are_their_voronoi_diagram(modes: int, sigma: float) -> None:
    decoder, units = world(modes, sigma), places(1500)
    distance = decoder.rift_distance(units)
    clear = distance > 1e-6
    nearest = (units @ decoder.mixture.modes.T).argmax(axis=1)
    np.testing.assert_array_equal(decoder.basin(units)[clear], nearest[clear])
    rate = decoder.true_rate(units)
    assert np.median(rate[distance < 0.05]) > 1.3 * np.median(rate)


def test_true_rate_is_what_the_features_do() -> None:
    decoder, units = world(sigma=0.5), places(20)
    heading = globe.project(units, places(21)[1:])
    h = 1e-5
    ends = [EYE(decoder(latents64(globe.step(units, heading, np.full(20, s))[0]), Prompt())).numpy() for s in (-h, h)]
    measured = np.linalg.norm(ends[1] - ends[0], axis=1) / (2 * h * PLANE.target)
    along = decoder.true_rate(units, 1.0, heading)
    np.testing.assert_allclose(measured, along, rtol=1e-6)
    assert (along <= decoder.true_rate(units) * (1 + 1e-9)).all()


def test_the_field_finds_the_ridge_and_its_height() -> None:
    decoder = world(2, 0.3, size=(4, 4), batch=64)
    pole = decoder.mixture.modes[1]
    middle = globe.normalise(np.cross(pole, [0.3, 0.5, 0.8]))
    side = np.cross(middle, pole)
    a, b = np.meshgrid(np.linspace(-1.013e-2, 1e-2, 41), np.linspace(0, 1e-2, 3), indexing="ij")
    units = globe.normalise(middle + a[..., None] * pole + b[..., None] * side)
    features = EYE(decoder(PLANE.latents(units.reshape(-1, 3)), Prompt())).numpy().reshape(41, 3, 3)
    field = on_grid(features, PLANE.points(units))
    assert abs(int(field[:, 1].argmax()) - int(np.abs(a[:, 1]).argmin())) <= 1
    assert field.max() == pytest.approx(decoder.true_rate(middle[None])[0], rel=0.05)


def test_the_floor_is_that_of_float32() -> None:
    decoder = world(sigma=0.3)
    floor = noise_floor(lambda u, r: EYE(decoder(PLANE.latents(u, r), Prompt())), places(3)[2])
    assert floor.repeat == 0.0
    assert floor.jitter < 5e-6


def test_eye_reads_the_end_of_the_flow() -> None:
    decoder, units = world(), places(30)
    features = EYE(decoder(PLANE.latents(units), Prompt()))
    assert features.shape == (30, EYE.dimension)
    np.testing.assert_allclose(features, decoder.mixture.flow(units * SHELL), atol=2e-5)


def test_far_past_the_shell_x0_still_fits_the_pixel() -> None:
    decoder, units = world(sigma=0.5), places(50)
    features = EYE(decoder(PLANE.latents(units, np.full(50, 3.0)), Prompt()))
    np.testing.assert_allclose(features, decoder.mixture.flow(units * SHELL * 3), atol=1e-4)


def test_same_position_same_picture_alone_and_in_any_batch() -> None:
    latents = PLANE.latents(places(11))
    whole = world()(latents, Prompt())
    assert whole.shape == (11, 3, 16, 24)
    assert whole.dtype == torch.float32
    assert 0 <= whole.min() <= whole.max() <= 1
    assert torch.equal(torch.cat([world()(row[None], Prompt()) for row in latents]), whole)
    assert torch.equal(world(batch=7)(latents.flip(0), Prompt()).flip(0), whole)
    assert world()(latents[:0], Prompt()).shape == (0, 3, 16, 24)


def test_modes_look_different_and_pictures_are_continuous() -> None:
    decoder = world(12, 0.1, size=(32, 32))
    modes = decoder(PLANE.latents(decoder.mixture.modes), Prompt())
    apart = torch.cdist(modes.flatten(1), modes.flatten(1)) + 1e9 * torch.eye(12)
    assert apart.min() > 2
    near = places(1)[0] + np.linspace(0, 1e-5, 2)[:, None] * np.array([1.0, 0, 0])
    pair = decoder(PLANE.latents(globe.normalise(near)), Prompt())
    assert (pair[0] - pair[1]).abs().max() < 1e-3


def test_watch_counts_every_step_and_cancels() -> None:
    seen: list[tuple[int, int]] = []
    world()(PLANE.latents(places(6)), Prompt(), lambda done, total: seen.append((done, total)) or True)
    assert seen == [(step + 1, 100) for step in range(100)]
    with pytest.raises(Cancelled):
        world()(PLANE.latents(places(6)), Prompt(), lambda done, total: done < 60)


def test_profiles_tell_worlds_apart() -> None:
    hashes = {world(m, s).profile.hash for m in (4, 6) for s in (0.1, 0.2)} | {world(size=(8, 8)).profile.hash}
    assert len(hashes) == 5
    assert world(4, 0.1).profile == world(4, 0.1).profile


@pytest.mark.parametrize("wrong", [{"sigma": 0.0}, {"sigma": float("nan")}, {"steps": 0}, {"modes": np.zeros(3)}])
def test_no_mixture(wrong: dict[str, object]) -> None:
    with pytest.raises(GeometryError):
        Mixture(**({"modes": np.eye(3), "sigma": 0.2} | wrong))  # type: ignore[arg-type]


def test_bad_input() -> None:
    with pytest.raises(DecodeError):
        world()(torch.zeros(1, 4, 9, 9), Prompt())
    with pytest.raises(GeometryError, match="regular solid"):
        regular_modes(5)


def test_lattices_are_seeded_unit_and_apart() -> None:
    modes = lattice_modes(10, 3)
    np.testing.assert_array_equal(modes, lattice_modes(10, 3))
    np.testing.assert_allclose(np.linalg.norm(modes, axis=1), 1)
    assert globe.angle(modes[:, None], modes[None])[~np.eye(10, dtype=bool)].min() > 0.3


def test_what_the_eye_reads_is_not_seen() -> None:
    """x_0 lies in a corner of the picture, below what a byte can say, and to the last bit."""
    decoder = analytic(PLANE, 6, 0.2, steps=5, size=(16, 16))
    latents = PLANE.latents(places(20))
    pictures = decoder(latents)
    assert (develop(pictures)[:, 0, 0] == 0).all()
    exact = decoder.mixture.flow(decoder.world_points(latents.numpy()))
    kept = torch.from_numpy(np.clip(0.5 + exact / RANGE, 0, 1)).float()  # as a float32 between 0 and 1 has it
    assert torch.equal(AnalyticEye()(pictures), (kept - 0.5) * RANGE)
