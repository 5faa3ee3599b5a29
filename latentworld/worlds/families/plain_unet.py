"""What Stable Diffusion 1 and 2 have in common: one CLIP text encoder, a UNet that is given noise alone, a VAE.

`family` makes a family of that kind; what differs is said in sd1.py and sd2.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from latentworld.errors import WorldMismatch
from latentworld.worlds.card import DEFAULTS, Defaults
from latentworld.worlds.families import clip_words, fit, original, schedules
from latentworld.worlds.families.clip_text import ClipText, quick_encoder
from latentworld.worlds.families.family import (
    Colour,
    Config,
    Facts,
    Family,
    LatentFormat,
    Part,
)
from latentworld.worlds.families.original_parts import Kind
from latentworld.worlds.layout import Folder
from latentworld.worlds.parts import autoencoder, decoder_outline, outline, pretrained, scheduler_config, tokenizer

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from torch import nn

    from latentworld.prompts import TextEncoder

UNET = ("diffusers.models.unets.unet_2d_condition", "UNet2DConditionModel")
PARTS = (
    Part("unet", pretrained(*UNET), outline=partial(outline, *UNET)),
    Part("vae", autoencoder, outline=decoder_outline),
    Part("text_encoder", pretrained("transformers.models.clip.modeling_clip", "CLIPTextModel"), quick=quick_encoder),
    Part("tokenizer", tokenizer, weights=False, quick=clip_words.read),
    Part("scheduler", scheduler_config, weights=False, quick=scheduler_config),
)
# what a pipeline's folder may list beside: a filter of pictures that is never asked, and its helpers
BESIDE = {"safety_checker", "feature_extractor", "image_encoder"}
FEW_STEP = ("LCMScheduler", "TCDScheduler")  # of checkpoints that a distillation was fused into
PREDICTIONS = ("epsilon", "v_prediction", "sample")
# the UNet's settings that make it something else than a function of noise, time and text
CONDITIONS = ("class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim", "encoder_hid_dim_type")


def family(
    name: str,
    title: str,
    claims: Callable[[Config], bool],
    channels: int,
    colours: tuple[Colour, ...] = (),
    bias: Colour = (0.0, 0.0, 0.0),
    shifted: bool = False,
    defaults: Defaults = DEFAULTS,
    single: Kind | None = None,
    few_step: tuple[str, ...] = (),
) -> Family:
    """A family of models of this kind.

    claims: whether a UNet's config is of it. channels, colours, bias: of a latent; shifted: whether its pipeline adds
    the VAE's shift, which that of Stable Diffusion does not. single: how its single files are laid out, None where
    there are none. few_step: as a `Family` has it.
    """

    def latent(unet: Config, vae: Config) -> LatentFormat:
        cell = 2 ** (len(vae.get("block_out_channels") or [1] * 4) - 1)
        halvings = len(unet.get("block_out_channels") or [1] * 4) - 1
        scale, shift = fit.vae_scale(vae, 0.18215), fit.vae_shift(vae)
        return LatentFormat(channels, cell, cell * 2**halvings, scale, shift if shifted else 0.0, colours, bias)

    def facts(folder: Folder) -> Facts:
        return _facts(folder, latent(folder.config("unet"), folder.config("vae")))

    return Family(
        name=name,
        title=title,
        parts=PARTS,
        claims=lambda folder: _is_plain(folder, channels) and claims(folder.config("unet")),
        facts=facts,
        latent=latent,
        text=text,
        denoiser=denoiser,
        painter=painter,
        schedule=schedules.variance_preserving,
        begin=schedules.evenly,
        predictions=PREDICTIONS,
        defaults=defaults,
        checkpoint=None if single is None else original.reader(single, latent, channels),
        few_step=few_step,
        encoder=encoder,
    )


def text(parts: Mapping[str, object]) -> TextEncoder:
    """One CLIP text encoder's last hidden state."""
    return ClipText(parts["tokenizer"], parts["text_encoder"])


def denoiser(network: UNet2DConditionModel, *, lean: bool = True, distilled_guidance: float | None = None) -> nn.Module:
    """The UNet as a module of plain tensors (see unet.py)."""
    from latentworld.worlds.families.unet import Denoiser, guidance_embedding

    width = network.config.get("time_cond_proj_dim")
    if width is None or distilled_guidance is None:
        return Denoiser(network, lean=lean)
    return Denoiser(network, guidance_embedding(distilled_guidance, width).to(network.device, network.dtype), lean)


def painter(vae: AutoencoderKL | AutoencoderTiny, latent: LatentFormat) -> nn.Module:
    """The VAE's decoder as a module of plain tensors."""
    from latentworld.worlds.families.vae import Painter

    return Painter(vae, latent.scale, latent.shift)


def encoder(vae: AutoencoderKL | AutoencoderTiny, latent: LatentFormat) -> nn.Module:
    """The VAE's encoder as a module of plain tensors."""
    from latentworld.worlds.families.vae import PictureEncoder

    return PictureEncoder(vae, latent.scale, latent.shift)


def _is_plain(folder: Folder, channels: int) -> bool:
    """Whether a folder holds these parts, no others, and a UNet that is given noise, time and text alone."""
    listed = folder.components
    names = {part.name for part in PARTS}
    if listed and (not names <= listed.keys() or listed.keys() - names - BESIDE):
        return False
    if not listed and not (folder.path / "unet").is_dir():
        return False
    if listed.get("unet", "UNet2DConditionModel") != "UNet2DConditionModel":
        return False
    if not listed.get("text_encoder", "CLIPTextModel").startswith("CLIPTextModel"):
        return False
    unet = folder.config("unet")
    return unet.get("_class_name", "UNet2DConditionModel") == "UNet2DConditionModel" and is_plain_unet(unet, channels)


def is_plain_unet(unet: Config, channels: int) -> bool:
    """Whether a UNet of this config maps latents of so many channels, a time and a text to latents, nothing else."""
    ends = unet.get("in_channels", 4), unet.get("out_channels", 4)
    return ends == (channels, channels) and not any(unet.get(key) for key in CONDITIONS)


def _facts(folder: Folder, latent: LatentFormat) -> Facts:
    fit.check(folder, latent)
    unet, schedule = folder.config("unet"), folder.config("scheduler")
    sample = unet.get("sample_size") or 64
    side = sample[0] if isinstance(sample, list | tuple) else sample
    if not isinstance(side, int):
        raise WorldMismatch(
            f"{folder.path}: its UNet's sample_size is {sample!r:.40}: give one number in its config.json"
        )
    told = unet.get("time_cond_proj_dim") is not None  # a UNet that is told its guidance is a latent consistency model
    few_step = "lcm" if told or schedule.get("_class_name") in FEW_STEP else ""
    return Facts(side * latent.cell, str(schedule.get("prediction_type", "epsilon")), latent, schedule, few_step)
