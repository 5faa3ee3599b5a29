"""The gates' figures, on latents and pictures whose figures are known."""

from __future__ import annotations

import math

import pytest
import torch

from foundry import gates
from foundry.gates import Goal


def waves(frequency: int, side: int = 16) -> torch.Tensor:
    """``[1, 1, side, side]``: a cosine of so many half cycles across."""
    across = torch.cos(math.pi * (torch.arange(side) + 0.5) * frequency / side)
    return across.expand(1, 1, side, side).clone()


def test_a_wave_lies_in_its_own_band() -> None:
    for frequency in (1, 5, 8, 15):
        assert float(gates.bands(waves(frequency))[frequency]) == pytest.approx(1, abs=1e-5)
    assert gates.top_half(waves(7)) == pytest.approx(0, abs=1e-5)
    assert gates.top_half(waves(8)) == pytest.approx(1, abs=1e-5)


def test_white_noise_has_most_of_its_energy_in_the_top_half() -> None:
    noise = torch.randn(64, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    assert gates.top_half(noise) == pytest.approx(0.75, abs=0.02)  # 192 of 256 coefficients


def test_noise_cannot_be_told_from_its_neighbours_and_a_wave_can() -> None:
    noise = torch.randn(64, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    assert gates.unexplained(noise) == pytest.approx(1, abs=0.03)
    assert gates.unexplained(waves(3) + 0.5 * waves(5)) < 1e-4
    assert gates.unexplained(waves(3) + noise[:, :1]) == pytest.approx(2 / 3, abs=0.1)


def test_decibels_and_edges_in_closed_form() -> None:
    a = torch.zeros(2, 3, 8, 8)
    assert gates.psnr(a, a + 0.1).tolist() == pytest.approx([20.0, 20.0], abs=1e-4)
    ramp = torch.arange(8.0).expand(1, 3, 8, 8) / 8
    assert float(gates.edges(ramp)) == pytest.approx(1 / 8)
    assert float(gates.finest(ramp)) == pytest.approx(0, abs=1e-9)
    point = torch.zeros(1, 3, 9, 9)
    point[..., 4, 4] = 1
    assert float(gates.finest(point)) == pytest.approx((16 + 4) / 49)


def test_a_verdict_says_what_is_wanted_and_whether_it_is_met() -> None:
    lines = gates.verdict({"top half": 0.3, "psnr 0": 30.0, "other": 1.0}, gates.G1)
    assert lines[0].endswith("<= 0.22  NOT MET")
    assert lines[1].endswith(">= 29.5  met")
    assert lines[2].endswith("1")
    assert str(Goal(0.7, 1.1)) == "0.7 to 1.1"
    assert not Goal(0.7, 1.1).met(1.2)
