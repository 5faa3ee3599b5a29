"""Where a density of noisy latents grows: the score that a denoiser knows, as ways between pictures follow it.

grad log p_t(x) = -eps(x, t) / sigma_t. At the latents' own noise level it is exact and needs no draw; averaged over
noisier levels, with draws that are the same for all points and all sweeps (common random numbers), it is smoother. Yu
et al. draw a level and a noise anew at every step, and follow (eps(x, away) - eps(x, toward)) / 2 instead of the score:
the direction in which a prompt becomes likelier against another one (`prompt`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from latentworld.arrays import Array
from latentworld.decoding.inverse import noise_of, velocity
from latentworld.errors import DecodeError
from latentworld.prompts import Prompt
from latentworld.relaxed import Points, Uphill

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.decoding.diffusion import Diffusion

By = Literal["score", "prompt"]
SPAN = 100  # times of the schedule above the latents' own over which it is averaged
DRAWS = 1  # the latents' own level alone


def uphill(decoder: Diffusion, prompt: Prompt, by: By = "score", draws: int = DRAWS, span: int = SPAN) -> Uphill:
    """At latents of the decoder's start, rows [n, C H W]. draws: how many levels, the first of them the latents' own.

    Raises DecodeError for a decoder that starts from pure noise.
    """
    start = decoder.settings.start
    if start is None:
        raise DecodeError("pure noise is equally likely everywhere on its sphere: give a noise level below 1")
    settings = decoder.settings
    guided = decoder.variant(
        replace(
            settings,
            kind="faithful",
            guidance=2.0 if by == "prompt" else 1.0,
            engine="eager",
            precision="",
            hold=None,
            bridge=None,
        )
    )
    last = len(decoder.scheduler.alphas_cumprod) - 1
    times = [min(start + round(span * number / max(draws - 1, 1)), last) for number in range(draws)]
    noises = noise_of(range(draws), decoder.shape)
    return _Uphill(guided, prompt, by, start, times, noises)


class _Uphill:
    def __init__(
        self, decoder: Diffusion, prompt: Prompt, by: By, start: int, times: list[int], noises: Tensor
    ) -> None:
        self._decoder, self._by, self._start, self._times, self._noises = decoder, by, start, times, noises
        self._conditioning = decoder.conditioning(prompt)
        self._kind = str(decoder.scheduler.config["prediction_type"])

    def __call__(self, points: Points) -> Points:
        import torch

        from latentworld.decoding import batches

        rows = torch.from_numpy(np.ascontiguousarray(points, np.float32)).reshape(-1, *self._decoder.shape)
        found = batches.in_batches(rows, self._decoder.settings.batch, self._of)
        assert found is not None
        made: Array = found.double().numpy().reshape(len(points), -1)
        return made

    def _of(self, sample: Tensor) -> Tensor:
        """Of one padded batch [b, C, H, W]."""
        total = sample.new_zeros(sample.shape)
        for time, noise in zip(self._times, self._noises, strict=True):
            keep = math.sqrt(self._share(time) / self._share(self._start))
            noisy = sample if time == self._start else keep * sample + math.sqrt(1 - keep**2) * noise
            total += keep * self._at(noisy.to(self._decoder.device), time).cpu()
        return total / len(self._times)

    def _at(self, sample: Tensor, time: int) -> Tensor:
        """The gradient at one level, by the chain rule with respect to the sample there."""
        share = self._share(time)
        angle = math.atan2(math.sqrt(1 - share), math.sqrt(share))
        noises = [
            math.cos(angle) * velocity(part, sample, angle, self._kind) + math.sin(angle) * sample
            for part in self._decoder.predictions(sample, time, self._conditioning)
        ]
        if self._by == "prompt":
            against, towards = noises
            return (against - towards) / 2
        return -noises[0] / math.sin(angle)

    def _share(self, time: int) -> float:
        return float(self._decoder.scheduler.alphas_cumprod[time])
