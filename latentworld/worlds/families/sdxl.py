"""SDXL: the words of two CLIPs, a UNet that is told sizes and a pooled prompt too, 4 latent channels of 8 pixels.

Its members: SDXL base and what was made from it (Juggernaut, Pony, Illustrious, NoobAI, ...), SDXL-Turbo, and those
that Lightning, Hyper-SD, DMD2, LCM or TCD distilled, whole or as a LoRA that was fused in. What they are for a few
steps their name, scheduler or card says (`few_step`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from latentworld.worlds.card import Defaults
from latentworld.worlds.families import fit, schedules, xl_fit, xl_original
from latentworld.worlds.families.clip_text import ClipText
from latentworld.worlds.families.family import Colour, Config, Facts, Family, LatentFormat, Part
from latentworld.worlds.families.plain_unet import PREDICTIONS, UNET, painter
from latentworld.worlds.families.xl_text import TwoClips
from latentworld.worlds.layout import Folder
from latentworld.worlds.parts import autoencoder, decoder_outline, outline, pretrained, scheduler_config, tokenizer

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from torch import nn

    from latentworld.prompts import TextEncoder

CLIP = "transformers.models.clip.modeling_clip"
PARTS = (
    Part("unet", pretrained(*UNET), outline=partial(outline, *UNET)),
    Part("vae", autoencoder, outline=decoder_outline),
    Part("text_encoder", pretrained(CLIP, "CLIPTextModel")),
    Part("text_encoder_2", pretrained(CLIP, "CLIPTextModelWithProjection")),
    Part("tokenizer", tokenizer, weights=False),
    Part("tokenizer_2", tokenizer, weights=False),
    Part("scheduler", scheduler_config, weights=False),
)
SCALE = 0.13025
# Latents of SDXL's VAE as colours: ComfyUI, comfy/latent_formats.py, SDXL.
COLOURS: tuple[Colour, ...] = (
    (0.3651, 0.4232, 0.4341),
    (-0.2533, -0.0042, 0.1068),
    (0.1076, 0.1111, -0.0362),
    (-0.3165, -0.2492, -0.2188),
)
BIAS: Colour = (0.1084, -0.0175, -0.0011)
MEMBERS = ("lightning", "hyper", "dmd2", "turbo", "tcd", "lcm")  # a Lightning of a Turbo is sampled as a Lightning


def latent(unet: Config, vae: Config) -> LatentFormat:
    """SDXL's latents; the scale is the VAE's own."""
    cell = 2 ** (len(vae.get("block_out_channels") or [1] * 4) - 1)
    halvings = len(unet.get("block_out_channels") or [1] * 3) - 1
    scale = fit.vae_scale(vae, SCALE)
    return LatentFormat(4, cell, cell * 2**halvings, scale, 0.0, COLOURS, BIAS)


def facts(folder: Folder) -> Facts:
    """What a folder's configs say. Raises WorldMismatch, WorldDamaged."""
    unet, schedule = folder.config("unet"), folder.config("scheduler")
    made = latent(unet, folder.config("vae"))
    xl_fit.check(folder, made)
    side = unet.get("sample_size")
    side = side if isinstance(side, int) else 128
    prediction, few_step = str(schedule.get("prediction_type", "epsilon")), _few_step(unet, schedule, side)
    return Facts(side * made.cell, prediction, made, schedule, few_step)


def denoiser(network: UNet2DConditionModel, *, lean: bool = True, distilled_guidance: float | None = None) -> nn.Module:
    """The UNet as a module of plain tensors; there is no leaner one than the library's (see xl_unet.py)."""
    from latentworld.worlds.families.unet import guidance_embedding
    from latentworld.worlds.families.xl_unet import Denoiser

    width = network.config.get("time_cond_proj_dim")
    if width is None or distilled_guidance is None:
        return Denoiser(network)
    return Denoiser(network, guidance_embedding(distilled_guidance, width).to(network.device, network.dtype))


def text(parts: Mapping[str, object]) -> TextEncoder:
    """Both text encoders."""
    first = ClipText(parts["tokenizer"], parts["text_encoder"])  # type: ignore[arg-type]
    return TwoClips(first, ClipText(parts["tokenizer_2"], parts["text_encoder_2"]))  # type: ignore[arg-type]


def _few_step(unet: Config, schedule: Config, side: int) -> str:
    """What a model was made for, by its configs alone: SDXL-Turbo is SDXL of half the side with an ancestral Euler."""
    name = str(schedule.get("_class_name", ""))
    if unet.get("time_cond_proj_dim") is not None or name == "LCMScheduler":
        return "lcm"
    if name == "TCDScheduler":
        return "tcd"
    trailing = name.startswith("EulerAncestral") and schedule.get("timestep_spacing") == "trailing"
    return "turbo" if side == 64 and trailing else ""


FAMILY = Family(
    name="sdxl",
    title="SDXL",
    parts=PARTS,
    claims=xl_fit.claims,
    facts=facts,
    latent=latent,
    text=text,
    denoiser=denoiser,
    painter=painter,
    schedule=lambda config: {**config, "clip_sample": False},
    begin=schedules.evenly,
    sampler="euler",
    predictions=PREDICTIONS,
    defaults=Defaults(steps=30),
    checkpoint=xl_original.reader(latent),
    few_step=MEMBERS,
    vae_dtype=xl_fit.vae_dtype,
)
