"""Prompts as FLUX.2 klein and Z-Image read them: what a language model (Qwen 3) makes of a question, at some layers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld import emphasis
from latentworld.arrays import Array
from latentworld.errors import PresetError, WorldDamaged
from latentworld.prompts import Conditioning
from latentworld.worlds.families.clip_text import check_part, warn_if_truncated

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers.models.qwen3.modeling_qwen3 import Qwen3Model
    from transformers.tokenization_utils_tokenizers import TokenizersBackend

LIMIT = 512  # tokens a text is padded or cut to, as both pipelines have it
QWEN = ("transformers.models.qwen3.modeling_qwen3", "Qwen3Model")


@dataclass(frozen=True, eq=False)
class ChatText:
    """A tokenizer with its chat template, and a language model.

    layers: whose hidden states are read, side by side; thinking: what the template is told; masked: whether the
    denoiser is told which tokens are words: then what is none is 0, and a second tensor says which those are.
    """

    tokenizer: TokenizersBackend
    encoder: Qwen3Model
    layers: tuple[int, ...]
    thinking: bool
    masked: bool

    def __call__(self, text: str) -> Conditioning:
        """Hidden states `[1, tokens, width x layers]`; where it is masked, 1 for words and 0 else, `[1, tokens]`."""
        import torch

        asked = [{"role": "user", "content": text}]
        options = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": self.thinking}
        said = str(self.tokenizer.apply_chat_template(asked, **options))
        words = self.tokenizer(said, padding="max_length", max_length=LIMIT, truncation=True, return_tensors="pt")
        emphasis.tell_unread(text, "this world's language model")
        warn_if_truncated(self.tokenizer, said, LIMIT, LIMIT, closing=0)
        ids, mask = words.input_ids.to(self.encoder.device), words.attention_mask.to(self.encoder.device)
        with torch.no_grad():
            read = self.encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True, use_cache=False)
            states = torch.cat([read.hidden_states[layer] for layer in self.layers], dim=-1)
        if not self.masked:
            return (states,)
        told = mask.to(states.dtype)
        return states * told[..., None], told

    def changed(self, change: Callable[[nn.Module], nn.Module], part: str = "text_encoder") -> ChatText:
        """The same with what `change` makes of a copy of its language model. Raises WorldMismatch for another part."""
        check_part(part)
        return replace(self, encoder=change(copy.deepcopy(self.encoder)))  # type: ignore[arg-type]

    def skipping(self, layers: int) -> ChatText:
        """Raises PresetError: there is no CLIP here."""
        raise PresetError(f"clip_skip = {layers}: this world reads its prompt with a language model: leave it at 0")

    def pooled(self, text: str, conditioning: Conditioning) -> Array:
        """The mean of its tokens, float64[width x layers]."""
        import numpy as np

        return np.asarray(conditioning[0][0].double().mean(dim=0).cpu(), np.float64)


def any_tokenizer(folder: Path, dtype: torch.dtype | None = None) -> TokenizersBackend:
    """A language model's tokenizer, of whichever class its folder says, with its chat template."""
    from transformers.models.auto.tokenization_auto import AutoTokenizer

    try:
        found: TokenizersBackend = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise WorldDamaged(f"{folder} cannot be read ({error!s:.120}): copy or download the world again") from error
    return found
