"""Prompts, and their embeddings exactly as the diffusers pipeline makes them."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Prompt:
    """What the picture should be, and what it should not."""

    positive: str = ""
    negative: str = ""


class PromptTruncated(UserWarning):
    """A prompt has more words than the text encoder reads; the rest is ignored."""


@dataclass
class Encoder:
    """Texts to embeddings, each text encoded once: the last `capacity` ones are kept.

    A text is padded to the tokenizer's `model_max_length`; the embedding is the last hidden state of the text
    encoder, its final layer norm included, as the pipeline feeds it to the UNet.
    """

    tokenizer: Any
    text_encoder: Any
    capacity: int = 32
    _kept: OrderedDict[str, Tensor] = field(default_factory=OrderedDict, repr=False)

    def __call__(self, prompt: Prompt, guided: bool) -> Tensor:
        """Embeddings `[2, tokens, width]` (negative, positive) when guided, else `[1, tokens, width]`."""
        import torch

        texts = [prompt.negative, prompt.positive] if guided else [prompt.positive]
        return torch.cat([self.text(text) for text in texts])

    def text(self, text: str) -> Tensor:
        """Embedding `[1, tokens, width]` of one text."""
        if text in self._kept:
            self._kept.move_to_end(text)
            return self._kept[text]
        self._kept[text] = embedding = self._encode(text)
        while len(self._kept) > self.capacity:
            self._kept.popitem(last=False)
        return embedding

    def _encode(self, text: str) -> Tensor:
        import torch

        limit = self.tokenizer.model_max_length
        words = self.tokenizer(text, padding="max_length", max_length=limit, truncation=True, return_tensors="pt")
        _warn_if_truncated(self.tokenizer, text, limit)
        encoder = self.text_encoder
        masked = getattr(encoder.config, "use_attention_mask", False)
        mask = words.attention_mask.to(encoder.device) if masked else None
        with torch.no_grad():  # not inference mode: torch.compile and CUDA graphs take no inference tensors
            hidden: Tensor = encoder(words.input_ids.to(encoder.device), attention_mask=mask)[0]
        return hidden


def _warn_if_truncated(tokenizer: Any, text: str, limit: int) -> None:
    whole = tokenizer(text, truncation=False, verbose=False).input_ids
    if len(whole) > limit:
        lost = tokenizer.decode(whole[limit - 1 : -1])
        warnings.warn(f"the prompt is longer than {limit} tokens: {lost!r} is ignored", PromptTruncated, stacklevel=4)
