"""Prompts as Stable Diffusion 1 and 2 read them: one CLIP text encoder, its last hidden state."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from latentworld import emphasis
from latentworld.arrays import Array
from latentworld.emphasis import Piece
from latentworld.errors import PresetError, WorldMismatch
from latentworld.prompts import Conditioning, PromptTruncated
from latentworld.worlds.families.clip_chunks import MOST, Chunk, Weighed, padded, split, weighed
from latentworld.worlds.families.learned import NONE, Lookup, Vectors, teach

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase
    from transformers.models.clip.modeling_clip import CLIPTextModel
    from transformers.models.clip.tokenization_clip import CLIPTokenizer
    from transformers.tokenization_utils_base import BatchEncoding

    from latentworld.worlds.families.clip_layers import PlainClip
    from latentworld.worlds.families.clip_words import ClipWords


LONGEST_TOLD = 60  # characters of what of a prompt is not read


@dataclass(frozen=True, eq=False)
class ClipText:
    """A tokenizer and a CLIP text encoder.

    A text is padded to `limit`; the embedding is the last hidden state of the text encoder, its final layer norm
    included, as the pipeline feeds it to the UNet. Weights, breaks and what is longer than that: see `emphasis` and
    `clip_chunks`. skip: how many of the last layers are left out, that norm apart; taught: words that stand for vectors
    of their own.
    """

    tokenizer: CLIPTokenizer | ClipWords
    encoder: CLIPTextModel | PlainClip
    skip: int = 0
    taught: Lookup = NONE

    @property
    def limit(self) -> int:
        """Tokens a text is padded or cut to: the tokenizer's `model_max_length` where the encoder has so many places.

        A tokenizer that says nothing claims 10^30 of them.
        """
        places, said = int(self.encoder.config.max_position_embeddings), self.tokenizer.model_max_length
        return int(said) if 2 <= said <= places else places

    def __call__(self, text: str) -> Conditioning:
        """Embeddings `[1, tokens, width]`, alone. Warns PromptTruncated and PromptSyntax."""
        import torch

        with torch.no_grad():  # not inference mode: torch.compile and CUDA graphs take no inference tensors
            read = [weighed(self._states(chunk), chunk.weights) for chunk in self.chunks(text)]
        return (read[0] if len(read) == 1 else torch.cat(read, dim=1),)

    def _states(self, chunk: Chunk) -> Tensor:
        masked = getattr(self.encoder.config, "use_attention_mask", False)
        ids, told = self.tensors(chunk)
        mask = told if masked else None
        if not self.skip:
            last: Tensor = self.encoder(ids, attention_mask=mask)[0]
            return last
        states = self.encoder(ids, attention_mask=mask, output_hidden_states=True).hidden_states
        normed: Tensor = inner(self.encoder).final_layer_norm(states[-(self.skip + 1)])
        return normed

    def tensors(self, chunk: Chunk) -> tuple[Tensor, Tensor]:
        """A chunk's tokens `[1, limit]`, and 1 for those that are words, on the encoder's device."""
        import torch

        return torch.tensor([chunk.ids], device=self.encoder.device), torch.tensor(
            [chunk.mask], device=self.encoder.device
        )

    def chunks(self, text: str, told: bool = True) -> list[Chunk]:
        """A text's tokens, MOST chunks at most. told: warn PromptTruncated of what is cut off, and PromptSyntax."""
        written = emphasis.read(text)
        if told:
            emphasis.tell(written.notes)
        room = max(self.limit - 2, 1)
        stretches = [[token for piece in stretch for token in self._tokens(piece)] for stretch in written.stretches]
        is_plain = written.stretches == ((Piece(text),),) and not self.taught.knows(text)
        if is_plain and sum(map(len, stretches)) <= room:
            words = self.padded(text)
            return [Chunk(tuple(words.input_ids[0].tolist()), int(words.attention_mask.sum()))]
        comma = self.tokenizer(",", add_special_tokens=False).input_ids
        pieces = split(stretches, room, comma[0] if len(comma) == 1 else None, self.taught.continues)
        if told and len(pieces) > MOST:
            self._tell_cut(pieces, MOST * room)
        begin, end, pad = self._ends
        return [padded(piece, self.limit, begin, end, pad) for piece in pieces[:MOST]]

    def _tokens(self, piece: Piece) -> list[Weighed]:
        found = [part if isinstance(part, tuple) else self._plain(part) for part in self.taught.parts(piece.text)]
        return [(token, piece.weight) for tokens in found for token in tokens]

    def _plain(self, text: str) -> Sequence[int]:
        ids: Sequence[int] = self.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids
        return ids

    def _tell_cut(self, pieces: Sequence[Sequence[Weighed]], limit: int) -> None:
        lost = [token for piece in pieces[MOST:] for token, _ in piece]
        warn_of_lost(self.tokenizer.decode(lost), len(lost), f"{MOST} chunks, {limit} tokens", stacklevel=5)

    def padded(self, text: str) -> BatchEncoding:
        """A text's tokens as they are written, padded or cut to `limit` without a word."""
        return self.tokenizer(text, padding="max_length", max_length=self.limit, truncation=True, return_tensors="pt")

    def learning(self, vectors: Vectors) -> ClipText:
        """The same with words that stand for vectors [n, width] each. Raises WorldMismatch where these do not fit."""
        encoder = copy.deepcopy(self.encoder)
        return replace(self, encoder=encoder, taught=Lookup(teach(encoder, vectors, self._ends[1])))

    @property
    def _ends(self) -> list[int]:
        """What begins a text, what ends it, and what fills it up."""
        empty = self.padded("").input_ids[0].tolist()
        return [empty[0], empty[1], empty[-1]]

    def skipping(self, layers: int) -> ClipText:
        """The same without so many of its last layers. Raises PresetError."""
        check_skip(layers, int(self.encoder.config.num_hidden_layers))
        return replace(self, skip=layers)

    def changed(self, change: Callable[[CLIPTextModel], CLIPTextModel], part: str = "text_encoder") -> ClipText:
        """The same with what `change` makes of a copy of its text encoder. Raises WorldMismatch for another `part`."""
        check_part(part)
        return replace(self, encoder=change(copy.deepcopy(self.encoder)))

    def pooled(self, text: str, conditioning: Conditioning) -> Array:
        """The embedding at the token where the text ends, float64[width], as CLIP pools it; of chunks their mean."""
        import numpy as np

        ends = [number * self.limit + chunk.words - 1 for number, chunk in enumerate(self.chunks(text, told=False))]
        return np.asarray(np.asarray(conditioning[0][0, ends].float().cpu(), np.float64).mean(axis=0))


def quick_encoder(folder: Path, dtype: torch.dtype) -> PlainClip | None:
    """A plain CLIP text encoder without transformers; None for another one. Errors as `clip_layers.read`."""
    from latentworld.worlds.families import clip_layers

    return clip_layers.read(folder, dtype)


def inner(encoder: CLIPTextModel) -> CLIPTextModel:
    """The layers themselves: transformers 5.6 took a level out of CLIPTextModel."""
    return dict(encoder.named_children()).get("text_model", encoder)  # type: ignore[return-value]


def check_part(part: str) -> None:
    """Raises WorldMismatch where another text encoder is meant than the first."""
    if part != "text_encoder":
        raise WorldMismatch(f"this world has no {part}: take a LoRA made for its kind")


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
    warn_of_lost(lost, len(tokens) - read, f"{limit} tokens", stacklevel=5)


def warn_of_lost(lost: str, count: int, limit: str, stacklevel: int) -> None:
    """Warn PromptTruncated of `count` tokens that are not read."""
    told = lost if len(lost) <= LONGEST_TOLD else f"{lost[:LONGEST_TOLD]}…"
    what = f"{told!r} is" if told.strip() else "what lies beyond is"
    said = f"the prompt is longer than {limit}: {what} ignored ({count} tokens)"
    warnings.warn(said, PromptTruncated, stacklevel=stacklevel + 1)
