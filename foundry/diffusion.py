"""The noise schedule that all stages and the shipped world share, its levels, and guided sampling.

The schedule ends in pure noise (zero terminal SNR) and networks predict v. A schedule that stops short of noise leaves
a trace of the mean brightness in the last step; sampled from real noise, such a model cannot make a black sky.
"""

from __future__ import annotations

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor

from foundry import captions
from foundry.machine import Machine
from foundry.texts import Texts


def scheduler() -> DDIMScheduler:
    """DDIM, v-prediction, zero terminal SNR, trailing steps: the first step starts at pure noise."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def signal_of(schedule: DDIMScheduler) -> Tensor:
    """Signal ``[times]`` of a schedule, falling from about 1 to 0."""
    bars: Tensor = schedule.alphas_cumprod
    return bars.sqrt()


def levels(steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Times ``[steps]`` of so many steps, and signal and noise ``[steps + 1]`` there and at the end (1 and 0)."""
    schedule = scheduler()
    schedule.set_timesteps(steps)
    bars = torch.cat([schedule.alphas_cumprod[schedule.timesteps], torch.ones(1)])
    return schedule.timesteps, bars.sqrt(), (1 - bars).sqrt()


def times(count: int, rng: torch.Generator, signals: Tensor) -> Tensor:
    """Stratified times ``[count]``, of five two uniform, two drawn to the middle and one where geometry breaks.

    Near both ends most of the error cannot be helped: fine noise at one, the choice of the picture at the other; so two
    fifths follow a Beta(2, 2). At a signal of 0.5 to 0.9 a rosette loses a petal's shape; one fifth lies there.
    """
    total, number = len(signals), torch.arange(count)
    at = (torch.rand(1, generator=rng) + number / max(1, count)) % 1
    middle = 0.5 - torch.sin(torch.asin((1 - 2 * at).clamp(-1, 1)) / 3)
    first, last = int((signals > 0.9).sum()), int((signals > 0.5).sum())
    kind = torch.randint(5, (count,), generator=rng) if count < 5 else torch.randperm(count, generator=rng) % 5
    chosen = torch.where(kind < 2, at, torch.where(kind < 4, middle, (first + at * (last - first)) / total))
    return (chosen * total).long().clamp(0, total - 1)


@torch.no_grad()
def sample(
    unet: UNet2DConditionModel, texts: Texts, prompts: list[str], noise: Tensor, machine: Machine, guidance: float,
    steps: int = 20, negative: str = captions.NEGATIVE,
) -> Tensor:  # fmt: skip
    """Guided DDIM from ``noise [n, c, h, w]``, as the pipeline does it; returns scaled latents."""
    schedule = scheduler()
    schedule.set_timesteps(steps)
    told = torch.cat([texts([negative] * len(noise)), texts(prompts)]).to(noise.device)
    x = noise
    for t in schedule.timesteps:
        with machine.autocast():
            v = unet(torch.cat([x, x]), t, told).sample.float()
        without, with_ = v.chunk(2)
        x = schedule.step(without + guidance * (with_ - without), t, x).prev_sample
    return x
