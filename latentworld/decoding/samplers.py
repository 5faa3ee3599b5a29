"""Samplers by name: which scheduler of diffusers goes along a world's schedule, and how one denoising step is taken.

A sampler is one entry of `SAMPLERS`. A family names the one its models are walked with, settings may name another and
are checked against this table, decoders look their step up in it, and a profile says which one made a picture.

Every step here is a function of the starting latent alone, so that a picture depends on its place and on nothing drawn
before it. Importing this module imports neither torch nor diffusers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from latentworld.decoding.ddim import Ddim
from latentworld.worlds.parts import quiet

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from latentworld.worlds.families.family import Scheduler

TCD_GAMMA = 0.3  # the scheduler's own, and what its authors recommend for few steps
Step = Callable[["Scheduler", "Tensor", "Tensor", "Tensor", "Tensor"], "Tensor"]
"""(scheduler, prediction, time, sample, start) -> the next sample; all `[b, C, H, W]` float32, time a number."""


@dataclass(frozen=True)
class Sampler:
    """How noise is taken out.

    module, name: the scheduler's class, in diffusers.schedulers; step: from one sample to the next; options: entries of
    its config that go before the world's; moments: whether its step also says which clean latent it predicts, so that a
    denoising can be shown step by step; renoises: whether it adds noise between steps (a function of the start); noise:
    the kind it takes out, that of a diffusion, of a flow, or of SANA-Sprint's arc between the two (`trigflow`);
    spacings: how its times may be spaced, where it does not say that itself; karras: whether its noise levels may be
    Karras'; indexed: whether it is told that it begins at the first of its times, which else it looks up; own: what
    computes the same without diffusers, for the configs that it takes.
    """

    module: str
    name: str
    step: Step
    options: Mapping[str, object] = field(default_factory=dict)
    moments: bool = False
    renoises: bool = False
    noise: Literal["diffusion", "flow", "trigflow"] = "diffusion"
    spacings: tuple[str, ...] = ()
    karras: bool = False
    indexed: bool = False
    own: type[Ddim] | None = None

    def scheduler(self, schedule: Mapping[str, object], **options: object) -> Scheduler:
        """A new scheduler (they keep state: one a decoder), from the config of the one that a world was made for, as
        its family repairs it. options: further entries, before all others."""
        config = {**schedule, **self.options, **options}
        return self.own(config) if self.own is not None and self.own.takes(config) else self.library(config)

    def library(self, config: Mapping[str, object]) -> Scheduler:
        """A new one of diffusers'."""
        kind = getattr(import_module(f"diffusers.schedulers.{self.module}"), self.name)
        with quiet():  # else it names every entry of another scheduler's config that this one leaves alone
            made: Scheduler = kind.from_config(config)
        return made


def ddim(scheduler: Scheduler, prediction: Tensor, time: Tensor, sample: Tensor, start: Tensor) -> Tensor:
    """One DDIM step with eta = 0 (Song et al. 2021, eq. 12): no noise, so nothing but the start matters."""
    stepped: Tensor = scheduler.step(prediction, time, sample, eta=0.0, return_dict=False)[0]
    return stepped


def lcm(scheduler: Scheduler, prediction: Tensor, time: Tensor, sample: Tensor, start: Tensor) -> Tensor:
    """One latent consistency step (Luo et al. 2023): to the picture at once, then back to the next noise level.

    LCMScheduler draws that noise from a generator, so a picture would depend on what was drawn before it. Here it is a
    function of the starting latent.
    """
    unused = _unused(sample)
    denoised: Tensor = scheduler.step(prediction, time, sample, generator=unused, return_dict=False)[1]
    index = scheduler.step_index  # already that of the next step
    if index >= len(scheduler.timesteps):
        return denoised
    alpha_bar: Tensor = scheduler.alphas_cumprod[scheduler.timesteps[index]]
    return alpha_bar.sqrt() * denoised + (1 - alpha_bar).sqrt() * noise_of(start, index)


def plain(scheduler: Scheduler, prediction: Tensor, time: Tensor, sample: Tensor, start: Tensor) -> Tensor:
    """One step of a sampler that draws nothing: Euler (Karras et al. 2022, algorithm 1), DPM-Solver++ 2M (Lu et al.
    2022), UniPC (Zhao et al. 2023), and Euler along a flow. What the last two of steps keep of those before them is of
    this batch alone, and is forgotten when its times are set."""
    stepped: Tensor = scheduler.step(prediction, time, sample, return_dict=False)[0]
    return stepped


def tcd(scheduler: Scheduler, prediction: Tensor, time: Tensor, sample: Tensor, start: Tensor) -> Tensor:
    """One step of trajectory consistency (Zheng et al. 2024, algorithm 4, gamma TCD_GAMMA): along the trajectory past
    the next noise level, then back to it by noise, which here is a function of the start as `lcm`'s is."""
    import torch

    unused = _unused(sample)
    times = scheduler.timesteps
    options: dict[str, object] = {"eta": TCD_GAMMA, "generator": unused, "return_dict": False}
    past: Tensor = scheduler.step(prediction, time, sample, **options)[1]
    index = scheduler.step_index  # already that of the next step
    if index >= len(times):
        return past
    share: Tensor = scheduler.alphas_cumprod
    alpha_bar, beyond = share[times[index]], share[torch.floor((1 - TCD_GAMMA) * times[index]).long()]
    return (alpha_bar / beyond).sqrt() * past + (1 - alpha_bar / beyond).sqrt() * noise_of(start, index)


def scm(scheduler: Scheduler, prediction: Tensor, time: Tensor, sample: Tensor, start: Tensor) -> Tensor:
    """One step of a continuous-time consistency model (Lu and Song 2025), as SANA-Sprint has it: to the picture at
    once, then back to the next noise level; latents are sigma_data times those of a walk until the last."""
    unused = _unused(sample)
    clean: Tensor = scheduler.step(prediction, time, sample, generator=unused, return_dict=False)[1]
    index, sigma = scheduler.step_index, float(scheduler.config["sigma_data"])
    angle = scheduler.timesteps[index]
    if index + 1 >= len(scheduler.timesteps):  # the last of its times is that of the picture
        return clean / sigma
    return angle.cos() * clean + angle.sin() * sigma * noise_of(start, index)


def noise_of(start: Tensor, index: int) -> Tensor:
    """Noise `[b, C, H, W]` for step `index`: each start on the shell, its elements shuffled and their signs flipped.

    An orthogonal map that is fixed for each step: white if the start is, uncorrelated with it, and continuous in it, so
    that neighbours get neighbouring noise (a hash of the latent as a seed would tear the plane at every position).
    """
    width = start[0].numel()
    order, signs = _map_of(width, index, start.device)
    flat = start.flatten(1).float()
    shell = flat * (math.sqrt(width) / flat.norm(dim=1, keepdim=True).clamp_min(1e-12))
    noise: Tensor = shell[:, order] * signs.to(start)
    return noise.view_as(start)


@lru_cache(maxsize=32)  # the steps of two decoders at the most
def _map_of(width: int, index: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The order of a step's elements and their signs, on a device: made once."""
    import torch

    generator = torch.Generator().manual_seed(1_000_003 + index)
    order = torch.randperm(width, generator=generator)
    signs = torch.randint(0, 2, (width,), generator=generator).mul_(2).sub_(1)
    return order.to(device), signs.to(device)


def _unused(sample: Tensor) -> torch.Generator | None:
    """What a scheduler's own draw is made from, which is thrown away. A processor's global generator is everybody's and
    must not be moved; a device's is nobody's, and what it draws need not be brought there."""
    import torch

    return torch.Generator().manual_seed(0) if sample.device.type == "cpu" else None


SPACINGS = ("leading", "trailing", "linspace")
_SOLVER = {"solver_order": 2, "use_flow_sigmas": False}
SAMPLERS: Mapping[str, Sampler] = MappingProxyType(
    {
        "ddim": Sampler("scheduling_ddim", "DDIMScheduler", ddim, moments=True, spacings=SPACINGS, own=Ddim),
        "euler": Sampler(
            "scheduling_euler_discrete", "EulerDiscreteScheduler", plain, spacings=SPACINGS, karras=True, indexed=True
        ),
        "dpmpp_2m": Sampler(
            "scheduling_dpmsolver_multistep",
            "DPMSolverMultistepScheduler",
            plain,
            options={**_SOLVER, "algorithm_type": "dpmsolver++", "solver_type": "midpoint"},
            spacings=SPACINGS,
            karras=True,
            indexed=True,
        ),
        "unipc": Sampler(
            "scheduling_unipc_multistep",
            "UniPCMultistepScheduler",
            plain,
            options={**_SOLVER, "solver_type": "bh2"},
            spacings=SPACINGS,
            karras=True,
            indexed=True,
        ),
        "lcm": Sampler("scheduling_lcm", "LCMScheduler", lcm, renoises=True, spacings=("trailing",)),
        "tcd": Sampler("scheduling_tcd", "TCDScheduler", tcd, renoises=True),
        "flow_euler": Sampler(
            "scheduling_flow_match_euler_discrete",
            "FlowMatchEulerDiscreteScheduler",
            plain,
            noise="flow",
            indexed=True,
            options={"stochastic_sampling": False},
        ),
        "scm": Sampler("scheduling_scm", "SCMScheduler", scm, renoises=True, noise="trigflow", indexed=True),
    }
)
