"""The judge's survey and dive, on features whose rates are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from foundry import rifts

SHAPE, SEEDS = (4, 16, 16), (0, 123, 200)


def sigmoid(sharp: float, noise: float = 0.0) -> rifts.Eye:
    """Features on a circle that turn by pi / 2 at one hyperplane, by `sharp` pi / 8 per latent at most, and slowly all
    over; `noise` is what the last bits of a latent do to them."""
    z = torch.tensor(rifts.plane(SHAPE, SEEDS).vertices).flatten(1)
    normal = (z[1] - z[0]) / (z[1] - z[0]).norm()

    def eye(latents: Tensor) -> Tensor:
        across = latents.flatten(1).double() @ normal
        at = torch.tanh(sharp / 2 * across) * math.pi / 4 + 0.01 * across + noise * torch.sin(1e9 * across)
        return torch.stack([at.cos(), at.sin()], 1).float()

    return eye


def test_a_window_is_drawn_with_alpha_to_the_right_and_beta_up() -> None:
    plane = rifts.plane(SHAPE, SEEDS)
    alpha, beta, _ = plane.chart(rifts.drawn(rifts.window(plane, (0.5, 0.5), 1.0, 3)))
    np.testing.assert_allclose(alpha, [[0, 0.5, 1]] * 3, atol=1e-12)
    np.testing.assert_allclose(beta, np.transpose([[1, 0.5, 0]] * 3), atol=1e-12)


def test_a_dive_finds_the_known_rate_and_where_it_stops_growing() -> None:
    sharp, plane = 60.0, rifts.plane(SHAPE, SEEDS)
    eye = sigmoid(sharp)
    rates, contrast, median = rifts.survey(plane, eye, 24)
    assert contrast > 3
    zooms, width = rifts.dive(plane, eye, rates, 4, 12)
    assert zooms[3].largest * median == pytest.approx(sharp * math.pi / 8, rel=0.03)
    assert width == pytest.approx(0.001)
    assert all(zoom.sound for zoom in zooms[:4])


def test_a_dive_ends_where_rounding_begins() -> None:
    plane = rifts.plane(SHAPE, SEEDS)
    rates, _, _ = rifts.survey(plane, sigmoid(60.0), 24)
    zooms, _ = rifts.dive(plane, sigmoid(60.0, noise=0.01), rates, 8, 12)
    assert [zoom.sound for zoom in zooms] == [True] * (len(zooms) - 1) + [False]
    assert len(zooms) == 5
