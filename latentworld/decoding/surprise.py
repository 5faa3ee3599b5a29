"""Surprise: how unlikely a decoded latent is, by how badly a little noise is taken out of it again.

l(x_0) = mean over m of (a / (1 - a)) |D(sqrt(a) x_0 + sqrt(1 - a) xi, a) - x_0|^2 / d: the denoising loss, one term of
the bound on -log p (Ho et al. 2020), at one low noise level a with m fixed draws. The draws are pairs of opposites,
orthogonal to each other and of norm sqrt(d): what is linear in them cancels, and what is quadratic is even in all
directions as far as they go. Measured on the analytic world (12 modes): Spearman with the exact -log p .996 to .999 at
sigma .1, .94 to .96 at .2, over five draws, at a = .98 and m = 4; at a = .9 with independent draws it is 0 to .83, and
at a = .5 it is negative.
It says nothing of x_T: on the shell N(0, I) is constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from latentworld.arrays import Array, Float64, Reals, Vector
from latentworld.decoding.analytic import SHELL, AnalyticDecoder, Mixture
from latentworld.prompts import Prompt

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.decoding.diffusion import Diffusion

LEVEL = 0.98  # of the picture's share of the variance
DRAWS = 4
SEED = 0


class Surprise(Protocol):
    """Latents [n, C, H, W] to how surprising what they decode to is, float64 [n]; a number a latent, whatever its
    batch-mates."""

    def __call__(self, latents: Tensor, prompt: Prompt) -> Vector: ...


def draws(dimension: int, count: int = DRAWS, seed: int = SEED) -> Float64[Reals, "count d"]:
    """Fixed noises: pairs of opposites, orthogonal between pairs, of norm sqrt(d)."""
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.normal(size=(dimension, (count + 1) // 2)))
    both = np.stack([basis.T, -basis.T], axis=1).reshape(-1, dimension)
    return np.asarray(both[:count] * np.sqrt(dimension))


class AnalyticSurprise:
    """Of the analytic world, by its exact score: for the estimate's own error against `exact`."""

    def __init__(self, decoder: AnalyticDecoder) -> None:
        self.decoder = decoder

    def __call__(self, latents: Tensor, prompt: Prompt) -> Vector:
        return loss(self.decoder.mixture, self.decoder.mixture.flow(self.decoder.world_points(latents.numpy())))

    def exact(self, unit: Array) -> Vector:
        """-log p of what decodes from the shell at units [n, 3]."""
        return -log_density(self.decoder.mixture, self.decoder.mixture.flow(unit * SHELL))


def loss(mixture: Mixture, clean: Float64[Reals, "n m"], level: float = LEVEL) -> Vector:
    """The denoising loss of clean points under a mixture's own score."""
    total, noises = np.zeros(len(clean)), draws(clean.shape[1])
    for noise in noises:
        found = denoised(mixture, np.sqrt(level) * clean + np.sqrt(1 - level) * noise, level)
        total += ((found - clean) ** 2).sum(axis=1)
    return np.asarray(total * level / (1 - level) / (len(noises) * clean.shape[1]))


def denoised(mixture: Mixture, noisy: Float64[Reals, "n m"], level: float) -> Float64[Reals, "n m"]:
    """E[x_0 | x_t] of a mixture, the best denoiser there is."""
    root, width = np.sqrt(level), level * mixture.sigma**2 + 1 - level
    apart = ((noisy[:, None] - root * mixture.modes) ** 2).sum(axis=2)
    share = np.exp(-(apart - apart.min(axis=1, keepdims=True)) / (2 * width))
    mean = (share / share.sum(axis=1, keepdims=True)) @ mixture.modes
    return np.asarray(mean + root * mixture.sigma**2 / width * (noisy - root * mean))


def log_density(mixture: Mixture, clean: Float64[Reals, "n m"]) -> Vector:
    """log p of clean points under a mixture."""
    apart = ((clean[:, None] - mixture.modes) ** 2).sum(axis=2) / (2 * mixture.sigma**2)
    least, count = apart.min(axis=1), mixture.modes.shape[1]
    inside = np.exp(-(apart - least[:, None])).mean(axis=1)
    return np.asarray(np.log(inside) - least - count / 2 * np.log(2 * np.pi * mixture.sigma**2))


class NetworkSurprise:
    """Of a world with networks: `maker` decodes to the clean latent, `judge`, the faithful network without guidance,
    takes the noise out. The level is the nearest time of the judge's schedule."""

    def __init__(self, maker: Diffusion, judge: Diffusion) -> None:
        self.maker, self.judge = maker, judge

    def __call__(self, latents: Tensor, prompt: Prompt) -> Vector:
        """Raises as the decoders do."""
        import torch

        from latentworld.decoding import batches

        noises = draws(int(np.prod(self.maker.shape))).reshape(-1, *self.maker.shape)
        fixed = [torch.from_numpy(noise).float() for noise in noises]
        found = batches.in_batches(
            latents.float(), self.maker.settings.batch, lambda piece: self._of(piece, prompt, fixed)
        )
        return np.zeros(0) if found is None else np.asarray(found.double().numpy())

    def _of(self, start: Tensor, prompt: Prompt, noises: list[Tensor]) -> Tensor:
        """Of one padded batch [b]."""
        clean = self.maker.clean(start, prompt).to(self.judge.device)
        scheduler, conditioning = self.judge.begin(), self.judge.conditioning(prompt)
        time = (scheduler.alphas_cumprod - LEVEL).abs().argmin().cpu()
        level, total = float(scheduler.alphas_cumprod[time]), clean.new_zeros(len(clean))
        for noise in noises:
            noisy = level**0.5 * clean + (1 - level) ** 0.5 * noise.to(clean.device)
            predicted = self.judge.predict(noisy, time, conditioning)
            found = scheduler.step(predicted, time, noisy, eta=0.0, return_dict=False)[1]
            total += ((found - clean) ** 2).flatten(1).mean(dim=1)
        return (total * (level / (1 - level)) / len(noises)).cpu()
