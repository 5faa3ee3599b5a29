"""Z-Image: Qwen 3's words, a transformer over words and picture in one row, FLUX.1's 16 latent channels of 8 pixels.

Its members: Z-Image-Turbo (8 steps, no guidance) and Z-Image. Its pipeline's guidance is one less than the weight here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from latentworld.worlds.card import Defaults
from latentworld.worlds.families.chat_text import QWEN, ChatText, any_tokenizer
from latentworld.worlds.families.family import Part
from latentworld.worlds.families.flow import FlowKind, even, family
from latentworld.worlds.layout import Folder
from latentworld.worlds.parts import pretrained

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_z_image import ZImageTransformer2DModel
    from torch import nn

    from latentworld.prompts import TextEncoder

NETWORK = ("diffusers.models.transformers.transformer_z_image", "ZImageTransformer2DModel")
TEXT_PARTS = (Part("text_encoder", pretrained(*QWEN)), Part("tokenizer", any_tokenizer, weights=False))


def read(parts: Mapping[str, object]) -> TextEncoder:
    """Qwen 3's hidden states at its last layer but one, and which of them are words."""
    return ChatText(parts["tokenizer"], parts["text_encoder"], (-2,), True, True)  # type: ignore[arg-type]


def denoiser(
    network: ZImageTransformer2DModel, *, lean: bool = True, distilled_guidance: float | None = None
) -> nn.Module:
    """The transformer as a module of plain tensors."""
    from latentworld.worlds.families.flow_modules import ZImageDenoiser

    return ZImageDenoiser(network)


def widths(folder: Folder) -> str:
    """What does not fit between text encoder and transformer, "" where all does."""
    network, words = folder.config("transformer"), folder.config("text_encoder")
    if words.get("model_type", "qwen3") != "qwen3":
        return f"its text_encoder is a {words.get('model_type')!r:.40}, where Qwen 3 is read"
    takes, gives = network.get("cap_feat_dim", 2560), words.get("hidden_size", 2560)
    return "" if takes == gives else f"its transformer reads words of width {takes} and its text_encoder gives {gives}"


FAMILY = family(
    FlowKind(
        name="z_image",
        title="Z-Image",
        pipeline="ZImagePipeline",
        network=NETWORK,
        takes=lambda network: network.get("in_channels", 16) == 16 and not network.get("siglip_feat_dim"),
        text_parts=TEXT_PARTS,
        read=read,
        widths=widths,
        channels=16,
        denoiser=denoiser,
        begin=even,
        defaults=Defaults(steps=28, guidance=5.0),
        named=("z_turbo",),
        eager=True,  # texts have lengths of their own in there, which other engines would keep from the first one
    )
)
