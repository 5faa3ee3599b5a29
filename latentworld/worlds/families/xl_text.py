"""Prompts as SDXL reads them: two CLIP text encoders at their last layer but one, and what the second makes of all."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from latentworld.arrays import Array
from latentworld.prompts import Conditioning
from latentworld.worlds.families.clip_text import ClipText, check_skip

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
        """Embeddings `[1, tokens, width]` of both, side by side, and the second one's pooled one, `[1, pooled]`."""
        import torch

        layers, pooled = [], None
        with torch.no_grad():
            for one, words in ((self.first, self.first.words(text)), (self.second, self.second.padded(text))):
                read = one.encoder(words.input_ids.to(one.encoder.device), output_hidden_states=True)
                layers.append(read.hidden_states[-(self.skip + 2)])
                pooled = read[0]
        assert pooled is not None  # two have read
        return torch.cat(layers, dim=-1), pooled

    def changed(self, change: Callable[[CLIPTextModel], CLIPTextModel]) -> TwoClips:
        """The same with what `change` makes of a copy of the first text encoder."""
        return replace(self, first=replace(self.first, encoder=change(copy.deepcopy(self.first.encoder))))

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
