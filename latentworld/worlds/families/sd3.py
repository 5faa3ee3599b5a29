"""Stable Diffusion 3 and 3.5: the words of two CLIPs and of T5, a flow transformer, 16 latent channels of 8 pixels.

Its members: 3 medium, 3.5 medium, large and large turbo, and what was made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from latentworld.worlds.card import Defaults
from latentworld.worlds.families.clip_text import ClipText
from latentworld.worlds.families.family import Part
from latentworld.worlds.families.flow import FlowKind, family, own
from latentworld.worlds.families.flux import T5
from latentworld.worlds.families.t5_text import ClipsAndT5, T5Text, t5_tokenizer, t5_width
from latentworld.worlds.families.xl_text import TwoClips
from latentworld.worlds.layout import Folder
from latentworld.worlds.parts import pretrained, tokenizer

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
    from torch import nn

    from latentworld.prompts import TextEncoder

NETWORK = ("diffusers.models.transformers.transformer_sd3", "SD3Transformer2DModel")
LIMIT = 256  # tokens of T5, as the pipeline pads a text
CLIP = pretrained("transformers.models.clip.modeling_clip", "CLIPTextModelWithProjection")
TEXT_PARTS = (
    Part("text_encoder", CLIP),
    Part("text_encoder_2", CLIP),
    Part("text_encoder_3", T5),
    Part("tokenizer", tokenizer, weights=False),
    Part("tokenizer_2", tokenizer, weights=False),
    Part("tokenizer_3", t5_tokenizer, weights=False),
)


def read(parts: Mapping[str, object]) -> TextEncoder:
    """Both CLIPs and T5."""
    first = ClipText(parts["tokenizer"], parts["text_encoder"])  # type: ignore[arg-type]
    clips = TwoClips(first, ClipText(parts["tokenizer_2"], parts["text_encoder_2"]))  # type: ignore[arg-type]
    return ClipsAndT5(clips, T5Text(parts["tokenizer_3"], parts["text_encoder_3"], LIMIT))  # type: ignore[arg-type]


def denoiser(
    network: SD3Transformer2DModel, *, lean: bool = True, distilled_guidance: float | None = None
) -> nn.Module:
    """The transformer as a module of plain tensors."""
    from latentworld.worlds.families.flow_modules import SD3Denoiser

    return SD3Denoiser(network)


def widths(folder: Folder) -> str:
    """What does not fit between text encoders and transformer, "" where all does."""
    network, t5 = folder.config("transformer"), folder.config("text_encoder_3")
    clips = [folder.config(name).get("projection_dim", 0) for name in ("text_encoder", "text_encoder_2")]
    if t5.get("model_type", "t5") != "t5":
        return f"its text_encoder_3 is a {t5.get('model_type')!r:.40}, where T5 is read"
    if (takes := network.get("joint_attention_dim", 4096)) != (gives := t5_width(t5)):
        return f"its transformer reads words of width {takes} and its text_encoder_3 gives {gives}"
    takes, both = network.get("pooled_projection_dim", 2048), sum(one for one in clips if isinstance(one, int))
    if takes == both:
        return ""
    return f"its transformer takes a vector of width {takes} and its first two text encoders give {both}"


FAMILY = family(
    FlowKind(
        name="sd3",
        title="Stable Diffusion 3",
        pipeline="StableDiffusion3Pipeline",
        network=NETWORK,
        takes=lambda network: network.get("in_channels", 16) == 16 and network.get("patch_size", 2) == 2,
        text_parts=TEXT_PARTS,
        read=read,
        widths=widths,
        channels=16,
        denoiser=denoiser,
        begin=own,
        defaults=Defaults(steps=28, guidance=4.5),
        named=("flow_turbo",),
    )
)
