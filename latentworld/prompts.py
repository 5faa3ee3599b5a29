"""Prompts, and their embeddings exactly as the diffusers pipeline makes them; several texts may be mixed into one."""

from __future__ import annotations

import math
import warnings
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from latentworld.arrays import Array
from latentworld.errors import PresetError

if TYPE_CHECKING:
    from torch import Tensor

Mixture = tuple[tuple[str, float], ...]
"""Texts and their weights, >= 0 and not all 0; only their ratios count."""


@dataclass(frozen=True)
class Prompt:
    """What the picture should be, and what it should not.

    mixture: several texts at once, in place of `positive`; against: the same in place of `negative`. Raises
    PresetError for weights that are no mixture.
    """

    positive: str = ""
    negative: str = ""
    mixture: Mixture = ()
    against: Mixture = ()

    def __post_init__(self) -> None:
        for mixture in (self.mixture, self.against):
            weights = [weight for _, weight in mixture]
            if mixture and not (all(0 <= weight < math.inf for weight in weights) and sum(weights) > 0):
                raise PresetError(f"weights {weights} mix no prompt: each must be at least 0, one of them more")

    @property
    def toward(self) -> Mixture:
        """What the picture should be, as a mixture."""
        return self.mixture or ((self.positive, 1.0),)

    @property
    def away(self) -> Mixture:
        """What it should not be, as a mixture."""
        return self.against or ((self.negative, 1.0),)


class PromptTruncated(UserWarning):
    """A prompt has more words than the text encoder reads; the rest is ignored."""


class Texts(Protocol):
    """Texts to embeddings, each encoded once; any thread may ask. All decoders of a world share one."""

    def __call__(self, prompt: Prompt, guided: bool) -> Tensor:
        """Embeddings `[2, tokens, width]` (negative, positive) when guided, else `[1, tokens, width]`."""
        ...

    def text(self, text: str) -> Tensor:
        """Embedding `[1, tokens, width]` of one text."""
        ...

    def pooled(self, text: str) -> Array:
        """A text as one vector float64[width]."""
        ...

    def knows(self, text: str) -> bool:
        """Whether a text is encoded, so that asking for it costs nothing."""
        ...


@dataclass
class Encoder:
    """`Texts` through a world's text encoder: the last `capacity` ones are kept.

    A text is padded to the tokenizer's `model_max_length`; the embedding is the last hidden state of the text
    encoder, its final layer norm included, as the pipeline feeds it to the UNet.
    """

    tokenizer: Any
    text_encoder: Any
    capacity: int = 32
    _kept: OrderedDict[str, Tensor] = field(default_factory=OrderedDict, repr=False)
    _lock: Any = field(default_factory=Lock, repr=False)

    def __call__(self, prompt: Prompt, guided: bool) -> Tensor:
        """Embeddings `[2, tokens, width]` (negative, positive) when guided, else `[1, tokens, width]`."""
        import torch

        mixtures = [prompt.away, prompt.toward] if guided else [prompt.toward]
        return torch.cat([self.mixed(mixture) for mixture in mixtures])

    def mixed(self, mixture: Mixture) -> Tensor:
        """Embedding `[1, tokens, width]` of a mixture; of one text alone its own, to the last bit."""
        parts = [(text, weight) for text, weight in mixture if weight > 0]
        return self.text(parts[0][0]) if len(parts) == 1 else blend([(self.text(text), w) for text, w in parts])

    def text(self, text: str) -> Tensor:
        """Embedding `[1, tokens, width]` of one text."""
        with self._lock:
            if text in self._kept:
                self._kept.move_to_end(text)
                return self._kept[text]
        embedding = self._encode(text)  # outside the lock: nobody waits for another's text
        with self._lock:
            self._kept[text] = embedding
            while len(self._kept) > self.capacity:
                self._kept.popitem(last=False)
        return embedding

    def pooled(self, text: str) -> Array:
        """A text as one vector float64[width]: its embedding at the token where the text ends, as CLIP pools it."""
        import numpy as np

        words = self.tokenizer(text, truncation=True, max_length=self.tokenizer.model_max_length, verbose=False)
        return np.asarray(self.text(text)[0, len(words.input_ids) - 1].float().cpu(), np.float64)

    def knows(self, text: str) -> bool:
        """Whether a text is kept, so that asking for it costs nothing."""
        with self._lock:
            return text in self._kept

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


def blend(parts: list[tuple[Tensor, float]]) -> Tensor:
    """Weighted mean of embeddings `[..., width]`, each token as long as the weighted mean of the tokens' lengths.

    The mean alone is shorter than what it is made of (two of six texts of the embedded world half and half: .71 to .91
    of their length), and shorter tokens insist less: in the middle of a cross-fade the prompt would fade out.
    """
    import torch

    total = math.fsum(weight for _, weight in parts)
    mean = sum((weight / total) * part.float() for part, weight in parts)
    assert isinstance(mean, torch.Tensor)  # a blend has parts
    length = sum((weight / total) * part.float().norm(dim=-1, keepdim=True) for part, weight in parts)
    blended: Tensor = mean * (length / mean.norm(dim=-1, keepdim=True).clamp_min(1e-12))
    return blended.to(parts[0][0].dtype)


def _warn_if_truncated(tokenizer: Any, text: str, limit: int) -> None:
    whole = tokenizer(text, truncation=False, verbose=False).input_ids
    if len(whole) > limit:
        lost = tokenizer.decode(whole[limit - 1 : -1])
        warnings.warn(f"the prompt is longer than {limit} tokens: {lost!r} is ignored", PromptTruncated, stacklevel=4)
