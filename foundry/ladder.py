"""Gate G3: where geometry breaks. A real picture is noised to some time and the teacher finishes it; the PSNR to the
picture as the autoencoder keeps it says how much the teacher had to make up and did not. (SDEdit, Meng et al., 2021.)

Guidance moves away from that picture, and farther the better words are learnt: from step 2,700 of a teacher to step
4,200 its held-out losses fell by a seventh, the ladder at guidance 2 fell by .2 dB, and without guidance it rose by .6.
So both are taken, and the one without guidance chooses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor

from foundry import autoencoder, captions, gates
from foundry.diffusion import scheduler, signal_of
from foundry.machine import Machine
from foundry.texts import Texts

TIMES = (199, 399, 599, 799)
SIGNALS = (0.9, 0.75, 0.55)


@dataclass(frozen=True)
class Pictures:
    """Scaled latents ``[n, c, h, w]`` of pictures and a caption of each."""

    latents: Tensor
    captions: list[str]


@torch.no_grad()
def ladder(
    unet: UNet2DConditionModel, vae: AutoencoderKL, texts: Texts, real: Pictures, machine: Machine,
    guidance: float = 2.0, steps: int = 20,
) -> dict[str, float]:  # fmt: skip
    """Decibels to the autoencoder's own picture after noising to each of `TIMES` and finishing by DDIM: ``ladder 199``
    and so on, ``unguided 199`` at guidance 1."""
    schedule, figures = scheduler(), dict[str, float]()
    schedule.set_timesteps(steps)
    x0 = real.latents.float().to(machine.device)
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(11)).to(machine.device)
    told = texts(real.captions).to(machine.device)
    none = texts([captions.NEGATIVE] * len(x0)).to(machine.device)
    wanted = torch.cat([autoencoder.decode(vae, part) for part in x0.split(16)]).float()
    for time in TIMES:
        x = schedule.add_noise(x0, noise, torch.full((len(x0),), time, device=x0.device))
        for t in [t for t in schedule.timesteps if int(t) <= time]:
            with machine.autocast():
                v = unet(torch.cat([x, x]), t, torch.cat([none, told])).sample.float()
            without, with_ = v.chunk(2)
            x = schedule.step(without + guidance * (with_ - without), t, x).prev_sample
        made = torch.cat([autoencoder.decode(vae, part) for part in x.split(16)]).float()
        figures[f"{'ladder' if guidance != 1 else 'unguided'} {time}"] = float(gates.psnr(wanted, made).mean())
    return figures


@torch.no_grad()
def losses(unet: UNet2DConditionModel, texts: Texts, real: Pictures, machine: Machine) -> dict[str, float]:
    """Squared error of v at each of `SIGNALS`, with the same noise every time."""
    schedule, figures = scheduler(), dict[str, float]()
    signals = signal_of(schedule)
    for signal in SIGNALS:
        time = int((signals - signal).abs().argmin())
        rng, total = torch.Generator().manual_seed(13), 0.0
        for start in range(0, len(real.latents), 32):
            x0 = real.latents[start : start + 32].float()
            noise, t = torch.randn(x0.shape, generator=rng), torch.full((len(x0),), time)
            told = texts(real.captions[start : start + 32]).to(machine.device)
            x = schedule.add_noise(x0, noise, t).to(machine.device)
            with machine.autocast():
                out = unet(x, t.to(machine.device), told).sample.float()
            v = schedule.get_velocity(x0, noise, t).to(machine.device)
            total += float(F.mse_loss(out, v)) * len(x0)
        figures[f"loss {signal:g}"] = total / len(real.latents)
    return figures


def mean_loss(figures: dict[str, float]) -> float:
    """The mean of `losses`."""
    return sum(figures[f"loss {signal:g}"] for signal in SIGNALS) / len(SIGNALS)
