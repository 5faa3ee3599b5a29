"""The scout: few steps, no guidance, a tiny VAE if there is one. Rough and fast, and as reproducible as the other."""

from __future__ import annotations

import copy
import hashlib
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentworld.decoding import engines
from latentworld.decoding.diffusion import Build, Diffusion, Recipe
from latentworld.decoding.lora import fused
from latentworld.worlds import World, parts
from latentworld.worlds.files import digest, weights

LCM_WEIGHT = 7.5  # what LCM's authors use where the UNet is told a guidance weight (guidance_scale 8.5)


def scout(
    world: World,
    steps: int | None = None,
    batch: int = 8,
    engine: str = "eager",
    size: tuple[int, int] | None = None,
    lora: Path | None = None,
    tiny_vae: Path | None = None,
    build: Build = engines.build,
) -> Diffusion:
    """A few-step decoder: the world's student; else the world itself taken as an LCM or Turbo checkpoint.

    `lora` is an LCM LoRA (.safetensors), fused into a copy of the world's UNet; `tiny_vae` a folder with an
    AutoencoderTiny, instead of the world's. Raises PresetError, WorldDamaged.
    """
    unet, scheduler, name, key = _denoiser(world, lora)
    vae, key = _painter(world, tiny_vae, key)
    recipe = Recipe(
        name=f"scout/{name}/{'tiny' if vae is not world.vae else 'full'}",
        unet=world.family.denoiser(unet, told_guidance=LCM_WEIGHT),
        vae=world.family.painter(vae, world.latent_of(vae)),
        scheduler=scheduler,
        step=renoised if type(scheduler).__name__ == "LCMScheduler" else world.family.step,
        steps=world.card.defaults.scout_steps if steps is None else steps,
        guidance=1.0,
        key=key,
    )
    return Diffusion(world, recipe, batch, engine, size, build)


def _denoiser(world: World, lora: Path | None) -> tuple[Any, Any, str, str]:
    if lora is not None:
        unet = fused(copy.deepcopy(world.denoiser), lora)
        return unet, world.family.scheduler(world.scheduler.config, "lcm"), "lora", _mixed(world.digest, lora)
    if world.student is not None:
        own = type(world.student.scheduler).from_config(world.student.scheduler.config)
        return world.student.denoiser, own, "student", world.digest
    return world.denoiser, world.family.scheduler(world.scheduler.config, "lcm"), "lcm", world.digest


def _painter(world: World, tiny_vae: Path | None, key: str) -> tuple[Any, str]:
    if tiny_vae is not None:
        vae = parts.tiny_vae(tiny_vae, world.dtype).to(world.device).eval().requires_grad_(False)
        return vae, _mixed(key, *weights(tiny_vae))
    return (world.vae if world.tiny_vae is None else world.tiny_vae), key


def _mixed(key: str, *files: Path) -> str:
    inner = "".join(digest([file], file.parent) for file in files)
    return hashlib.sha256(f"{key} {inner}".encode()).hexdigest()[:16]


def renoised(scheduler: Any, prediction: Tensor, time: Tensor, sample: Tensor, start: Tensor) -> Tensor:
    """One latent consistency step (Luo et al. 2023): to the picture at once, then back to the next noise level.

    LCMScheduler draws that noise from a generator, so a picture would depend on what was drawn before it. Here it is a
    function of the starting latent.
    """
    unused = torch.Generator().manual_seed(0)  # the scheduler's own draw, thrown away, must not move the global one
    denoised: Tensor = scheduler.step(prediction, time, sample, generator=unused, return_dict=False)[1]
    index = scheduler.step_index  # already that of the next step
    if index >= len(scheduler.timesteps):
        return denoised
    kept: Tensor = scheduler.alphas_cumprod[scheduler.timesteps[index]]
    return kept.sqrt() * denoised + (1 - kept).sqrt() * noise_of(start, index)


def noise_of(start: Tensor, index: int) -> Tensor:
    """Noise `[b, C, H, W]` for step `index`: each start on the shell, its elements shuffled and their signs flipped.

    An orthogonal map that is fixed for each step: white if the start is, uncorrelated with it, and continuous in it, so
    that neighbours get neighbouring noise (a hash of the latent as a seed would tear the plane at every position).
    """
    width = start[0].numel()
    generator = torch.Generator().manual_seed(1_000_003 + index)
    order = torch.randperm(width, generator=generator)
    signs = torch.randint(0, 2, (width,), generator=generator).mul_(2).sub_(1)
    flat = start.flatten(1).float()
    shell = flat * (math.sqrt(width) / flat.norm(dim=1, keepdim=True).clamp_min(1e-12))
    noise: Tensor = shell[:, order.to(start.device)] * signs.to(start)
    return noise.view_as(start)
