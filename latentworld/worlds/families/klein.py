"""FLUX.2 klein: Qwen 3's thoughts at three layers, latents of 128 channels and 16 pixels, whitened by their statistics.

Its members: klein 4B and 9B, distilled (4 steps, no guidance) and base. FLUX.2 dev, which reads with Mistral, is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from latentworld.worlds.card import Defaults
from latentworld.worlds.families.chat_text import QWEN, ChatText, any_tokenizer
from latentworld.worlds.families.family import Config, LatentFormat, Part, Scheduler
from latentworld.worlds.families.flow import FlowKind, family
from latentworld.worlds.layout import Folder
from latentworld.worlds.parts import pretrained

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2
    from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel
    from torch import nn

    from latentworld.prompts import TextEncoder

NETWORK = ("diffusers.models.transformers.transformer_flux2", "Flux2Transformer2DModel")
LAYERS = (9, 18, 27)
TEXT_PARTS = (Part("text_encoder", pretrained(*QWEN)), Part("tokenizer", any_tokenizer, weights=False))


def read(parts: Mapping[str, object]) -> TextEncoder:
    """Qwen 3's hidden states at three layers; padding is read as words are."""
    return ChatText(parts["tokenizer"], parts["text_encoder"], LAYERS, False, False)  # type: ignore[arg-type]


def denoiser(
    network: Flux2Transformer2DModel, *, lean: bool = True, distilled_guidance: float | None = None
) -> nn.Module:
    """The transformer as a module of plain tensors."""
    from latentworld.worlds.families.flow_modules import Flux2Denoiser

    return Flux2Denoiser(network)


def painter(vae: AutoencoderKLFlux2, latent: LatentFormat) -> nn.Module:
    """The VAE's decoder behind its batch norm's statistics."""
    from latentworld.worlds.families.flow_modules import WhitenedPainter

    return WhitenedPainter(vae)


def begin(scheduler: Scheduler, steps: int, shape: tuple[int, int, int]) -> None:
    """Even noise levels, shifted by tokens and steps as BFL fitted it (`compute_empirical_mu`)."""
    tokens = shape[1] * shape[2]
    many, few = 0.00016927 * tokens + 0.45666666, 8.73809524e-05 * tokens + 1.89833333  # at 200 and at 10 steps
    slope = (many - few) / 190.0
    mu = many if tokens > 4300 else slope * steps + (many - 200.0 * slope)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)


def widths(folder: Folder) -> str:
    """What does not fit between text encoder and transformer, "" where all does."""
    network, words = folder.config("transformer"), folder.config("text_encoder")
    if words.get("model_type", "qwen3") != "qwen3":
        return f"its text_encoder is a {words.get('model_type')!r:.40}, where Qwen 3 is read"
    width = words.get("hidden_size", 2560)
    gives = len(LAYERS) * width if isinstance(width, int) else 0
    takes = network.get("joint_attention_dim", 7680)
    return "" if takes == gives else f"its transformer reads words of width {takes} and its text_encoder gives {gives}"


def few_step(index: Config, network: Config) -> str:
    """The distilled ones say so."""
    return "klein" if index.get("is_distilled") else ""


FAMILY = family(
    FlowKind(
        name="klein",
        title="FLUX.2 klein",
        pipeline="Flux2KleinPipeline",
        network=NETWORK,
        takes=lambda network: network.get("in_channels", 128) == 128,
        text_parts=TEXT_PARTS,
        read=read,
        widths=widths,
        channels=128,
        denoiser=denoiser,
        begin=begin,
        defaults=Defaults(steps=50, guidance=4.0),
        few_step=few_step,
        side=64,
        patch=1,
        pack=2,
        painter=painter,
        vaes=("AutoencoderKLFlux2",),
    )
)
