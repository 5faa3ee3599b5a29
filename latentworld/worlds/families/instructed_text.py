"""Prompts as SANA reads them: after an instruction to a language model (Gemma 2), whose own words are left out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from latentworld import emphasis
from latentworld.arrays import Array
from latentworld.errors import PresetError
from latentworld.prompts import Conditioning
from latentworld.worlds.families.clip_text import check_part, warn_if_truncated

if TYPE_CHECKING:
    from torch import nn
    from transformers.models.gemma2.modeling_gemma2 import Gemma2Model
    from transformers.tokenization_utils_tokenizers import TokenizersBackend

LIMIT = 300  # tokens of a text that are read, as the pipeline has it
# SanaSprintPipeline's `complex_human_instruction`, which its models were trained with
INSTRUCTION = "\n".join((
    "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions suitable for image "
    "generation. Evaluate the level of detail in the user prompt:",
    "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial "
    "relationships to create vivid and concrete scenes.",
    "- If the prompt is already detailed, refine and enhance the existing details slightly without overcomplicating.",
    "Here are examples of how to transform or refine prompts:",
    "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping "
    "peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.",
    "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing street "
    "lamps, a diverse crowd of people in colorful clothing, and a double-decker bus passing by towering glass "
    "skyscrapers.",
    "Please generate only the enhanced description for the prompt below and avoid including any additional commentary "
    "or evaluations:",
    "User Prompt: ",
))  # fmt: skip


@dataclass(frozen=True, eq=False)
class InstructedText:
    """A tokenizer and a language model that reads a text after INSTRUCTION (SanaSprintPipeline's `encode_prompt`)."""

    tokenizer: TokenizersBackend
    encoder: Gemma2Model

    def __call__(self, text: str) -> Conditioning:
        """The last hidden states of the first and the last tokens, `[1, LIMIT, width]`, and 1 for words and 0 for
        padding, `[1, LIMIT]`."""
        import torch

        self.tokenizer.padding_side = "right"
        said = INSTRUCTION + text.lower().strip()
        most = len(self.tokenizer.encode(INSTRUCTION)) + LIMIT - 2
        words = self.tokenizer(said, padding="max_length", max_length=most, truncation=True, return_tensors="pt")
        emphasis.tell_unread(text, "this world's language model")
        warn_if_truncated(self.tokenizer, said, most, LIMIT, closing=0)
        device = self.encoder.device
        with torch.no_grad():
            states = self.encoder(words.input_ids.to(device), attention_mask=words.attention_mask.to(device))[0]
        kept = [0, *range(1 - LIMIT, 0)]
        told = words.attention_mask[:, kept].to(device, states.dtype)
        return states[:, kept] * told[..., None], told

    def changed(self, change: Callable[[nn.Module], nn.Module], part: str = "text_encoder") -> InstructedText:
        """The same with what `change` makes of a copy of its language model. Raises WorldMismatch for another part."""
        check_part(part)
        return replace(self, encoder=change(copy.deepcopy(self.encoder)))  # type: ignore[arg-type]

    def skipping(self, layers: int) -> InstructedText:
        """Raises PresetError: there is no CLIP here."""
        raise PresetError(f"clip_skip = {layers}: this world reads its prompt with a language model: leave it at 0")

    def pooled(self, text: str, conditioning: Conditioning) -> Array:
        """The mean of its words, float64[width]."""
        import numpy as np

        states, told = (tensor[0].double() for tensor in conditioning)
        return np.asarray((states.sum(dim=0) / told.sum().clamp_min(1)).cpu(), np.float64)
