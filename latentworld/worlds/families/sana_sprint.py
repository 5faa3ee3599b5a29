"""SANA-Sprint: Gemma 2's words after an instruction, 32 latent channels of 32 pixels, one or two steps along an arc.

Its members: SANA-Sprint 0.6B and 1.6B, which are told their guidance. SANA and SANA 1.5, of many steps, are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from latentworld.worlds.card import Defaults
from latentworld.worlds.families.chat_text import any_tokenizer
from latentworld.worlds.families.family import Config, Part, Scheduler
from latentworld.worlds.families.flow import FlowKind, family
from latentworld.worlds.families.instructed_text import InstructedText
from latentworld.worlds.layout import Folder
from latentworld.worlds.parts import pretrained

if TYPE_CHECKING:
    from diffusers.models.transformers.sana_transformer import SanaTransformer2DModel
    from torch import nn

    from latentworld.prompts import TextEncoder

NETWORK = ("diffusers.models.transformers.sana_transformer", "SanaTransformer2DModel")
GEMMA = pretrained("transformers.models.gemma2.modeling_gemma2", "Gemma2Model")
TEXT_PARTS = (Part("text_encoder", GEMMA), Part("tokenizer", any_tokenizer, weights=False))
SIGMA = 0.5  # of the data, in the schedule's words: SCMScheduler's sigma_data
NOISE, MIDDLE = 1.57080, 1.3  # where the arc begins, and the middle one of two steps, as the pipeline has them


def read(parts: Mapping[str, object]) -> TextEncoder:
    """Gemma 2's last hidden states."""
    return InstructedText(parts["tokenizer"], parts["text_encoder"])  # type: ignore[arg-type]


def denoiser(
    network: SanaTransformer2DModel, *, lean: bool = True, distilled_guidance: float | None = None
) -> nn.Module:
    """The transformer as a module of plain tensors."""
    from latentworld.worlds.families.flow_modules import SprintDenoiser

    return SprintDenoiser(network, SIGMA)


def begin(scheduler: Scheduler, steps: int, shape: tuple[int, int, int]) -> None:
    """Times along the arc: even, but for two steps."""
    scheduler.set_timesteps(steps, max_timesteps=NOISE, intermediate_timesteps=MIDDLE if steps == 2 else None)


def widths(folder: Folder) -> str:
    """What does not fit together, "" where all does."""
    network, words = folder.config("transformer"), folder.config("text_encoder")
    if words.get("model_type", "gemma2") != "gemma2":
        return f"its text_encoder is a {words.get('model_type')!r:.40}, where Gemma 2 is read"
    if (sigma := folder.config("scheduler").get("sigma_data", SIGMA)) != SIGMA:
        return f"its schedule has sigma_data = {sigma!r:.20}, and SANA-Sprint's has {SIGMA}"
    takes, gives = network.get("caption_channels", 2304), words.get("hidden_size", 2304)
    return "" if takes == gives else f"its transformer reads words of width {takes} and its text_encoder gives {gives}"


def few_step(index: Config, network: Config) -> str:
    """All are."""
    return "sprint"


FAMILY = family(
    FlowKind(
        name="sana_sprint",
        title="SANA-Sprint",
        pipeline="SanaSprintPipeline",
        network=NETWORK,
        takes=lambda network: bool(network.get("guidance_embeds")) and network.get("in_channels", 32) == 32,
        text_parts=TEXT_PARTS,
        read=read,
        widths=widths,
        channels=32,
        denoiser=denoiser,
        begin=begin,
        defaults=Defaults(steps=2, guidance=4.5, scout_steps=2),
        guidance="distilled",
        few_step=few_step,
        side=32,
        patch=1,
        sampler="scm",
        schedule="SCMScheduler",
        prediction="trigflow",
        vaes=("AutoencoderDC",),
    )
)
