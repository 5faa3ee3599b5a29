"""Prompts as SDXL reads them: two CLIP text encoders at their last layer but one, and what the second makes of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from latentworld.arrays import Array
from latentworld.prompts import Conditioning, level
from latentworld.worlds.families.clip_chunks import Chunk, weighed
from latentworld.worlds.families.clip_text import ClipText, check_skip
from latentworld.worlds.families.learned import Vectors

if TYPE_CHECKING:
    from torch import Tensor
    from transformers.models.clip.modeling_clip import CLIPTextModel


@dataclass(frozen=True, eq=False)
class TwoClips:
    """Two tokenizers and text encoders, CLIP ViT-L's and OpenCLIP bigG's, which both read the whole text.

    As StableDiffusionXLPipeline's `encode_prompt`, but that `skip` (its `clip_skip`) goes for a negative text too, as
    ComfyUI and A1111 have it. An empty negative text is read as one, as where that pipeline is given "".
    """

    first: ClipText
    second: ClipText
    skip: int = 0

    def __call__(self, text: str) -> Conditioning:
        """Embeddings `[1, tokens, width]` of both, side by side, and the second one's pooled one of the text's first
        chunk, `[1, pooled]`. Warns PromptTruncated and PromptSyntax."""
        import torch

        with torch.no_grad():
            first, _ = self._read(self.first, self.first.chunks(text))
            second, pooled = self._read(self.second, self.second.chunks(text, told=False))
        return torch.cat(level([first, second]), dim=-1), pooled

    def _read(self, one: ClipText, chunks: Sequence[Chunk]) -> tuple[Tensor, Tensor]:
        """One's embeddings of chunks, and what it gives of the first."""
        import torch

        read = [one.encoder(one.tensors(chunk)[0], output_hidden_states=True) for chunk in chunks]
        states = [out.hidden_states[-(self.skip + 2)] for out in read]
        layers = [weighed(own, chunk.weights) for own, chunk in zip(states, chunks, strict=True)]
        return layers[0] if len(layers) == 1 else torch.cat(layers, dim=1), read[0][0]

    def changed(self, change: Callable[[CLIPTextModel], CLIPTextModel], part: str = "text_encoder") -> TwoClips:
        """The same with what `change` makes of a copy of the first text encoder, or of the second (`text_encoder_2`).
        Raises WorldMismatch for another."""
        if part == "text_encoder_2":
            return replace(self, second=self.second.changed(change))
        return replace(self, first=self.first.changed(change, part))

    def learning(self, first: Vectors, second: Vectors) -> TwoClips:
        """The same with words that stand for vectors of their own in each. Raises WorldMismatch."""
        return replace(self, first=self.first.learning(first), second=self.second.learning(second))

    def skipping(self, layers: int) -> TwoClips:
        """The same without so many more of the last layers of both. Raises PresetError."""
        for one in (self.first, self.second):
            check_skip(layers, int(one.encoder.config.num_hidden_layers))
        return replace(self, skip=layers)

    def pooled(self, text: str, conditioning: Conditioning) -> Array:
        """The second one's pooled embedding, float64[pooled]."""
        import numpy as np

        word: Tensor = conditioning[1][0]
        return np.asarray(word.float().cpu(), np.float64)
