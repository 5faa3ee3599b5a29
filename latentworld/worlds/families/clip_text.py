"""Prompts as Stable Diffusion 1 and 2 read them: one CLIP text encoder, its last hidden state."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from latentworld.arrays import Array
from latentworld.errors import PresetError
from latentworld.prompts import Conditioning, PromptTruncated

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase
    from transformers.models.clip.modeling_clip import CLIPTextModel
    from transformers.models.clip.tokenization_clip import CLIPTokenizer
    from transformers.tokenization_utils_base import BatchEncoding


LONGEST_TOLD = 60  # characters of what of a prompt is not read


@dataclass(frozen=True, eq=False)
class ClipText:
    """A tokenizer and a CLIP text encoder.

    A text is padded to `limit`; the embedding is the last hidden state of the text encoder, its final layer norm
    included, as the pipeline feeds it to the UNet. skip: how many of the last layers are left out, that norm apart.
    """

    tokenizer: CLIPTokenizer
    encoder: CLIPTextModel
    skip: int = 0

    @property
    def limit(self) -> int:
        """Tokens a text is padded or cut to: the tokenizer's `model_max_length` where the encoder has so many places.

        A tokenizer that says nothing claims 10^30 of them.
        """
        places, said = int(self.encoder.config.max_position_embeddings), self.tokenizer.model_max_length
        return int(said) if 2 <= said <= places else places

    def __call__(self, text: str) -> Conditioning:
        """Embeddings `[1, tokens, width]`, alone."""
        import torch

        words = self.words(text)
        masked = getattr(self.encoder.config, "use_attention_mask", False)
        mask = words.attention_mask.to(self.encoder.device) if masked else None
        with torch.no_grad():  # not inference mode: torch.compile and CUDA graphs take no inference tensors
            ids = words.input_ids.to(self.encoder.device)
            if not self.skip:
                return (self.encoder(ids, attention_mask=mask)[0],)
            states = self.encoder(ids, attention_mask=mask, output_hidden_states=True).hidden_states
            return (inner(self.encoder).final_layer_norm(states[-(self.skip + 1)]),)

    def words(self, text: str) -> BatchEncoding:
        """A text's tokens, padded or cut to `limit`. Warns PromptTruncated."""
        words = self.padded(text)
        warn_if_truncated(self.tokenizer, text, self.limit, self.limit)
        return words

    def padded(self, text: str) -> BatchEncoding:
        """The same without a word on what is cut off."""
        return self.tokenizer(text, padding="max_length", max_length=self.limit, truncation=True, return_tensors="pt")

    def skipping(self, layers: int) -> ClipText:
        """The same without so many of its last layers. Raises PresetError."""
        check_skip(layers, int(self.encoder.config.num_hidden_layers))
        return replace(self, skip=layers)

    def changed(self, change: Callable[[CLIPTextModel], CLIPTextModel]) -> ClipText:
        """The same with what `change` makes of a copy of its text encoder."""
        return replace(self, encoder=change(copy.deepcopy(self.encoder)))

    def pooled(self, text: str, conditioning: Conditioning) -> Array:
        """The embedding at the token where the text ends, float64[width], as CLIP pools it."""
        import numpy as np

        words = self.tokenizer(text, truncation=True, max_length=self.limit, verbose=False)
        return np.asarray(conditioning[0][0, len(words.input_ids) - 1].float().cpu(), np.float64)


def inner(encoder: CLIPTextModel) -> CLIPTextModel:
    """The layers themselves: transformers 5.6 took a level out of CLIPTextModel."""
    return dict(encoder.named_children()).get("text_model", encoder)  # type: ignore[return-value]


def check_skip(layers: int, count: int) -> None:
    """Raises PresetError where an encoder of `count` layers has no more than are to be left out."""
    if layers >= count:
        raise PresetError(f"clip_skip = {layers}: this world's text encoder has {count} layers: take fewer")


def warn_if_truncated(
    tokenizer: PreTrainedTokenizerBase, text: str, read: int, limit: int, closing: int = 1
) -> None:  # fmt: skip
    """Warn PromptTruncated, with what is not read, where a text has more tokens than are `read` of it. limit: tokens
    that people may write, fewer where a model adds words of its own; closing: tokens that end a text in any case."""
    tokens = tokenizer(text, truncation=False, verbose=False).input_ids
    if len(tokens) <= read:
        return
    lost = tokenizer.decode(tokens[read - closing : len(tokens) - closing])
    told = lost if len(lost) <= LONGEST_TOLD else f"{lost[:LONGEST_TOLD]}…"
    said = f"the prompt is longer than {limit} tokens: {told!r} is ignored ({len(tokens) - read} tokens)"
    warnings.warn(said, PromptTruncated, stacklevel=5)
