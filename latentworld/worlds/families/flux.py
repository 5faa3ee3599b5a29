"""FLUX.1: T5's words and CLIP's one vector, a transformer over tokens of 2 x 2 cells, 16 latent channels of 8 pixels.

Its members: schnell (few steps), dev (told its guidance), and what was made from them. Fill, Kontext and the control
models, which are given a picture beside the noise, are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from latentworld.worlds.card import Defaults
from latentworld.worlds.families.clip_text import ClipText
from latentworld.worlds.families.family import Config, Part
from latentworld.worlds.families.flow import FlowKind, even, family
from latentworld.worlds.families.t5_text import ClipAndT5, T5Text, t5_tokenizer, t5_width
from latentworld.worlds.layout import Folder
from latentworld.worlds.parts import pretrained, tokenizer

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
    from torch import nn

    from latentworld.prompts import TextEncoder

NETWORK = ("diffusers.models.transformers.transformer_flux", "FluxTransformer2DModel")
LIMIT = 512  # tokens of T5, as the pipeline pads a text
T5 = pretrained("transformers.models.t5.modeling_t5", "T5EncoderModel")
TEXT_PARTS = (
    Part("text_encoder", pretrained("transformers.models.clip.modeling_clip", "CLIPTextModel")),
    Part("text_encoder_2", T5),
    Part("tokenizer", tokenizer, weights=False),
    Part("tokenizer_2", t5_tokenizer, weights=False),
)


def read(parts: Mapping[str, object]) -> TextEncoder:
    """CLIP's one vector, T5's words."""
    clip = ClipText(parts["tokenizer"], parts["text_encoder"])  # type: ignore[arg-type]
    return ClipAndT5(clip, T5Text(parts["tokenizer_2"], parts["text_encoder_2"], LIMIT))  # type: ignore[arg-type]


def denoiser(
    network: FluxTransformer2DModel, *, lean: bool = True, distilled_guidance: float | None = None
) -> nn.Module:
    """The transformer as a module of plain tensors."""
    from latentworld.worlds.families.flow_modules import FluxDenoiser

    return FluxDenoiser(network)


def widths(folder: Folder) -> str:
    """What does not fit between text encoders and transformer, "" where all does."""
    network, clip, t5 = (folder.config(name) for name in ("transformer", "text_encoder", "text_encoder_2"))
    if t5.get("model_type", "t5") != "t5":
        return f"its text_encoder_2 is a {t5.get('model_type')!r:.40}, where T5 is read"
    if (takes := network.get("joint_attention_dim", 4096)) != (gives := t5_width(t5)):
        return f"its transformer reads words of width {takes} and its text_encoder_2 gives {gives}"
    whole, given = network.get("pooled_projection_dim", 768), clip.get("hidden_size", 512)
    wrong = f"its transformer takes a vector of width {whole} and its text_encoder gives {given}"
    return "" if whole == given else wrong


def few_step(index: Config, network: Config) -> str:
    """schnell is what is not told its guidance."""
    return "" if network.get("guidance_embeds") else "schnell"


FAMILY = family(
    FlowKind(
        name="flux",
        title="FLUX.1",
        pipeline="FluxPipeline",
        network=NETWORK,
        takes=lambda network: network.get("in_channels", 64) == 64 and network.get("out_channels") in (None, 64),
        text_parts=TEXT_PARTS,
        read=read,
        widths=widths,
        channels=16,
        denoiser=denoiser,
        begin=even,
        defaults=Defaults(steps=28, guidance=3.5),
        guidance="distilled",
        few_step=few_step,
    )
)
