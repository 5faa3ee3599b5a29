"""Figures that decide whether a stage is worth going on with; each gate says what it wants (docs/casting.md).

G1 is about the autoencoder: how much of the latents' energy lies in the top half of the spectrum, how much of a cell
cannot be told from its neighbours, and what decoding bears.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor


@dataclass(frozen=True)
class Goal:
    """What a gate wants of a figure: between `low` and `high`."""

    low: float = -math.inf
    high: float = math.inf

    def met(self, value: float) -> bool:
        """Whether ``value`` passes."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if self.low == -math.inf:
            return f"<= {self.high:g}"
        return f">= {self.low:g}" if self.high == math.inf else f"{self.low:g} to {self.high:g}"


G1 = {
    "top half": Goal(high=0.22),
    "unexplained": Goal(high=0.15),
    "psnr 0": Goal(low=29.5),
    "psnr 0.2": Goal(low=28.5),
    "psnr 0.3": Goal(low=27.0),
}
G3 = {"ladder 199": Goal(low=29.0), "ladder 399": Goal(low=25.5), "held over train": Goal(high=1.03)}
G4 = {"agrees": Goal(low=0.86)}
G5 = {"finest": Goal(0.7, 1.1), "edges": Goal(0.97, 1.05), "psnr 0": Goal(low=28.5)}


def bands(latents: Tensor) -> Tensor:
    """Shares ``[s]`` of the energy of ``latents [n, c, s, s]`` by band, the mean left out.

    A band is the larger of the two frequencies of a cosine transform, in half cycles a side: 0 to ``s - 1``.
    """
    s = latents.shape[-1]
    at = torch.arange(s, dtype=torch.float64)
    basis = torch.cos(torch.pi * (at[None] + 0.5) * at[:, None] / s) * (2 / s) ** 0.5
    basis[0] *= 0.5**0.5
    x = latents.double().cpu() - latents.double().cpu().mean((0, 2, 3), keepdim=True)
    energy = (basis @ x @ basis.T).square().mean((0, 1))
    band = torch.maximum(at[:, None], at[None]).long()
    total = torch.zeros(s, dtype=torch.float64).index_add_(0, band.flatten(), energy.flatten())
    total[0] = 0
    return (total / total.sum()).float()


def top_half(latents: Tensor) -> float:
    """Share of the latents' energy in the top half of the spectrum."""
    return float(bands(latents)[latents.shape[-1] // 2 :].sum())


def unexplained(latents: Tensor, reach: int = 2) -> float:
    """Share of a cell's variance, the mean over channels, that no linear map of its (2 reach + 1)² neighbourhood
    tells (all channels of the neighbours, none of the cell itself)."""
    n, c, s, _ = latents.shape
    span = 2 * min(reach, (s - 1) // 2) + 1
    x = (latents - latents.mean((0, 2, 3), keepdim=True)).float()
    patches = F.unfold(x, span).view(n, c, span * span, -1).permute(0, 3, 1, 2).reshape(-1, c, span * span)
    middle = span * span // 2
    wanted = patches[:, :, middle].double()
    others = torch.cat([patches[..., :middle], patches[..., middle + 1 :]], dim=2).flatten(1).double()
    gram = others.T @ others + 1e-6 * len(others) * torch.eye(others.shape[1], dtype=torch.float64)
    left = wanted - others @ torch.linalg.solve(gram, others.T @ wanted)
    return float((left.square().mean(0) / wanted.square().mean(0).clamp(min=1e-12)).mean())


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Decibels ``[n]`` between pictures in 0..1."""
    return -10 * torch.log10((a - b).square().mean((1, 2, 3)).clamp(min=1e-12))


def finest(pictures: Tensor) -> Tensor:
    """Energy ``[n]`` of the Laplacian of pictures ``[n, 3, h, w]`` in 0..1, their finest detail."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], device=pictures.device).expand(3, 1, 3, 3)
    return F.conv2d(pictures.float(), kernel, groups=3).square().mean((1, 2, 3))


def edges(pictures: Tensor) -> Tensor:
    """Mean absolute gradient ``[n]`` of pictures ``[n, 3, h, w]``."""
    across, down = pictures.diff(dim=-1).abs(), pictures.diff(dim=-2).abs()
    return across.mean((1, 2, 3)) + down.mean((1, 2, 3))


@torch.no_grad()
def autoencoder_figures(vae: AutoencoderKL, pictures: Tensor, batch: int = 16) -> dict[str, float]:
    """G1's figures on pictures ``[n, 3, s, s]`` in -1..1: spectrum and neighbourhood of the latents, PSNR at latent
    noise 0, 0.2 and 0.3 (of their deviation), finest energy and edges of reconstructions over the pictures'."""
    parts = [vae.encode(part).latent_dist.mean for part in pictures.split(batch)]
    latents = torch.cat(parts)
    scale = latents.std()
    real, rng = (pictures / 2 + 0.5).clamp(0, 1), torch.Generator().manual_seed(7)
    noise = torch.randn(latents.shape, generator=rng).to(latents.device) * scale
    figures = {"top half": top_half(latents), "unexplained": unexplained(latents.cpu()), "deviation": float(scale)}
    for amount in (0.0, 0.2, 0.3):
        noisy = latents + amount * noise
        again = torch.cat([(vae.decode(z).sample / 2 + 0.5).clamp(0, 1) for z in noisy.split(batch)])
        figures[f"psnr {amount:g}"] = float(psnr(real, again).mean())
        if amount == 0:
            figures["finest"] = float(finest(again).mean() / finest(real).mean())
            figures["edges"] = float(edges(again).mean() / edges(real).mean())
    return figures


def verdict(figures: dict[str, float], goals: dict[str, Goal]) -> list[str]:
    """A line a figure: its value, and what is wanted of it and whether it is met."""
    lines = []
    for name, value in figures.items():
        goal = goals.get(name)
        wanted = "" if goal is None else f"{goal!s:>12}  {'met' if goal.met(value) else 'NOT MET'}"
        lines.append(f"  {name:<34} {value:>10.4g}  {wanted}".rstrip())
    return lines
