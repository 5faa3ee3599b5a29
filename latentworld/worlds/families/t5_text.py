"""Prompts as FLUX.1 and Stable Diffusion 3 read them: CLIP for the whole, T5 for the words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld import emphasis
from latentworld.arrays import Array
from latentworld.errors import PresetError, WorldDamaged
from latentworld.prompts import Conditioning
from latentworld.worlds.families.clip_text import ClipText, check_skip, warn_if_truncated
from latentworld.worlds.families.family import Config
from latentworld.worlds.families.xl_text import TwoClips

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from transformers.models.t5.modeling_t5 import T5EncoderModel
    from transformers.tokenization_utils_tokenizers import TokenizersBackend

WORDS = 4096  # what T5-XXL gives of each token


@dataclass(frozen=True, eq=False)
class T5Text:
    """A tokenizer and T5's encoder. limit: tokens a text is padded or cut to."""

    tokenizer: TokenizersBackend
    encoder: T5EncoderModel
    limit: int

    def __call__(self, text: str) -> Tensor:
        """Embeddings `[1, limit, width]`; padding is read as words are, as the pipelines do."""
        import torch

        words = self.tokenizer(text, padding="max_length", max_length=self.limit, truncation=True, return_tensors="pt")
        emphasis.tell_unread(text, "T5")
        warn_if_truncated(self.tokenizer, text, self.limit, self.limit)
        with torch.no_grad():
            read: Tensor = self.encoder(words.input_ids.to(self.encoder.device), output_hidden_states=False)[0]
        return read


@dataclass(frozen=True, eq=False)
class ClipAndT5:
    """FLUX.1's: what T5 makes of the words, and CLIP's one vector of them all (FluxPipeline's `encode_prompt`)."""

    clip: ClipText
    t5: T5Text

    def __call__(self, text: str) -> Conditioning:
        """Embeddings `[1, tokens, width]` and the pooled one, `[1, pooled]`."""
        import torch

        words = self.clip.padded(text)
        with torch.no_grad():
            pooled = self.clip.encoder(words.input_ids.to(self.clip.encoder.device)).pooler_output
        return self.t5(text), pooled

    def changed(self, change: Callable[[nn.Module], nn.Module], part: str = "text_encoder") -> ClipAndT5:
        """The same with what `change` makes of a copy of its CLIP."""
        return replace(self, clip=self.clip.changed(change, part))  # type: ignore[arg-type]

    def skipping(self, layers: int) -> ClipAndT5:
        """Raises PresetError: CLIP's layers are not read here."""
        raise PresetError(
            f"clip_skip = {layers}: this world reads T5's words, and of CLIP the whole alone: leave it at 0"
        )

    def pooled(self, text: str, conditioning: Conditioning) -> Array:
        """CLIP's vector, float64[pooled]."""
        return _vector(conditioning)


@dataclass(frozen=True, eq=False)
class ClipsAndT5:
    """Stable Diffusion 3's: both CLIPs' words side by side, T5's after them, and both CLIPs' one vector
    (StableDiffusion3Pipeline's `encode_prompt`)."""

    clips: TwoClips
    t5: T5Text

    def __call__(self, text: str) -> Conditioning:
        """Embeddings `[1, tokens, width]` of all, and the pooled ones, `[1, pooled]`."""
        import torch
        from torch.nn.functional import pad

        words, layers, pooled = self.t5(text), [], []
        skip = self.clips.skip + 2
        with torch.no_grad():
            for one in (self.clips.first, self.clips.second):
                read = one.encoder(one.padded(text).input_ids.to(one.encoder.device), output_hidden_states=True)
                layers.append(read.hidden_states[-skip])
                pooled.append(read[0])
        beside = torch.cat(layers, dim=-1)
        return torch.cat([pad(beside, (0, words.shape[-1] - beside.shape[-1])), words], dim=1), torch.cat(
            pooled, dim=-1
        )

    def changed(self, change: Callable[[nn.Module], nn.Module], part: str = "text_encoder") -> ClipsAndT5:
        """The same with what `change` makes of a copy of one of its CLIPs."""
        return replace(self, clips=self.clips.changed(change, part))  # type: ignore[arg-type]

    def skipping(self, layers: int) -> ClipsAndT5:
        """The same without so many of the last layers of both CLIPs. Raises PresetError."""
        for one in (self.clips.first, self.clips.second):
            check_skip(layers, int(one.encoder.config.num_hidden_layers))
        return replace(self, clips=self.clips.skipping(layers))

    def pooled(self, text: str, conditioning: Conditioning) -> Array:
        """Both CLIPs' vectors, float64[pooled]."""
        return _vector(conditioning)


def t5_tokenizer(folder: Path, dtype: torch.dtype | None = None) -> TokenizersBackend:
    """T5's tokenizer: tokenizer.json, or spiece.model where sentencepiece is installed."""
    from transformers.models.t5.tokenization_t5 import T5Tokenizer

    try:
        found: TokenizersBackend = T5Tokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise WorldDamaged(f"{folder} cannot be read ({error!s:.120}): copy or download the world again") from error
    return found


def t5_width(words: Config) -> int:
    """What a T5 encoder of this config gives of each token."""
    width = words.get("d_model", WORDS)
    return width if isinstance(width, int) else WORDS


def _vector(conditioning: Conditioning) -> Array:
    import numpy as np

    return np.asarray(conditioning[1][0].float().cpu(), np.float64)
