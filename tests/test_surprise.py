"""Surprise: fixed draws, the best denoiser, agreement with the exact -log p, and a number a latent in any batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from standins import surveys

from installation import rig
from latentworld import globe, preset
from latentworld.decoding import surprise
from latentworld.decoding.analytic import SHELL, Mixture, analytic, lattice_modes
from latentworld.decoding.surprise import AnalyticSurprise


def ranked(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values))


def test_draws_are_opposite_pairs_orthogonal_and_white_in_norm() -> None:
    found = surprise.draws(50)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.sqrt(50))
    np.testing.assert_array_equal(found[0], -found[1])
    np.testing.assert_allclose(found[0] @ found[2], 0, atol=1e-9)
    np.testing.assert_array_equal(found, surprise.draws(50))


def test_one_mode_is_denoised_by_its_closed_form() -> None:
    mixture, random = Mixture(np.array([[1.0, 0.0, 0.0]]), 0.3), np.random.default_rng(0)
    noisy, level = random.normal(size=(7, 3)), 0.7
    gain = np.sqrt(level) * 0.09 / (level * 0.09 + 1 - level)
    wanted = mixture.modes + gain * (noisy - np.sqrt(level) * mixture.modes)
    np.testing.assert_allclose(surprise.denoised(mixture, noisy, level), wanted)


def test_the_density_of_a_mixture_is_that_of_its_normals() -> None:
    mixture, clean = Mixture(lattice_modes(4, 0), 0.2), np.random.default_rng(0).normal(size=(6, 3)) / 2
    apart = ((clean[:, None] - mixture.modes) ** 2).sum(axis=2)
    wanted = np.log((np.exp(-apart / 0.08) / (2 * np.pi * 0.04) ** 1.5).mean(axis=1))
    np.testing.assert_allclose(surprise.log_density(mixture, clean), wanted)


@pytest.mark.parametrize("sigma", [0.1, 0.2])
def test_it_ranks_what_decodes_as_the_exact_density_does(sigma: float) -> None:
    world = AnalyticSurprise(analytic(surveys.PLANE, lattice_modes(12, 0), sigma, size=(2, 2)))
    unit = globe.normalise(np.random.default_rng(0).normal(size=(1500, 3)))
    told = surprise.loss(world.decoder.mixture, world.decoder.mixture.flow(unit * SHELL))
    assert np.corrcoef(ranked(told), ranked(world.exact(unit)))[0, 1] > 0.9


def test_a_network_judges_each_latent_alone() -> None:
    studio = rig.open_studio(preset.load("neutral", ["decoder.kind=scout", "decoder.batch=4"]))
    measure = rig.surprise_of(studio, studio.decoder)
    latents = studio.plane.latents(studio.plane.unit([0.1, 0.5, 0.9, 0.2, 0.7], [0.2, 0.5, 0.1, 0.8, 0.9]), 1.0)
    together = measure(latents, studio.prompt)
    alone = np.concatenate([measure(latents[i : i + 1], studio.prompt) for i in (3, 4)])
    np.testing.assert_array_equal(together[3:], alone)
    assert (together > 0).all()
    assert np.isfinite(together).all()
    assert together.std() > 0
    assert measure(torch.empty(0, *studio.decoder.shape), studio.prompt).shape == (0,)
