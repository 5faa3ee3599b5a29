"""The judge's own figures, where they are known."""

from __future__ import annotations

import math

import pytest
import torch

from foundry import measures


def circle(angles: torch.Tensor) -> torch.Tensor:
    """Unit features ``[n, 2]``."""
    return torch.stack([angles.cos(), angles.sin()], 1)


def test_the_interval_of_a_share() -> None:
    low, high = measures.interval(76, 100)
    assert (low, high) == (pytest.approx(0.668, abs=0.002), pytest.approx(0.833, abs=0.002))
    wide, narrow = (measures.interval(count // 2, count) for count in (10, 1000))
    assert wide[1] - wide[0] > narrow[1] - narrow[0]
    assert measures.interval(0, 20)[0] == pytest.approx(0, abs=1e-12)


def test_the_distance_of_two_samples_of_one_kind_is_nothing_and_grows_with_what_differs() -> None:
    rng = torch.Generator().manual_seed(0)
    near = [circle(0.3 * torch.randn(400, generator=rng)) for _ in range(2)]
    far = [circle(0.3 * torch.randn(400, generator=rng) + shift) for shift in (0.5, 1.0)]
    same = measures.distance(*near)
    assert abs(same) < 60
    assert same < measures.distance(near[0], far[0]) < measures.distance(near[0], far[1])
    point = circle(torch.zeros(5))
    assert measures.distance(point, circle(torch.full((5,), math.pi))) == pytest.approx(16000)


def test_the_spread_of_points_about_their_own_families_mean() -> None:
    angles = torch.tensor([0.0, math.pi, 1.0, 1.0])
    assert measures.spread(circle(angles), torch.tensor([0, 0, 1, 1])) == pytest.approx(0.5)
