"""Prompts, and their embeddings exactly as the diffusers pipeline makes them; several texts may be mixed into one."""

from __future__ import annotations

import math
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Protocol, TypeAlias

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from latentworld.arrays import Array
from latentworld.errors import Notice, PresetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn

REPEATED = 4  # times the longest of several texts that all of them may become to be of one length
LONGEST = 2000  # characters of a text: people paste long prompts, of which a text encoder reads what it can


def readable(text: str) -> bool:
    """Whether a text may be of a prompt: LONGEST characters at most, and none that controls a terminal or is half of
    one."""
    return len(text) <= LONGEST and _is_plain(text)


def _is_plain(text: str) -> bool:
    return all(sign.isspace() or unicodedata.category(sign) not in ("Cc", "Cs") for sign in text)


def _plain(text: str) -> str:
    if not _is_plain(text):
        raise PydanticCustomError("control", "must hold no characters for control")
    return text


PromptText = Annotated[str, Field(max_length=LONGEST), AfterValidator(_plain)]
"""A text as files may have it: what `readable` takes, and so presets, cards, OSC, the deck, takes and states."""

Conditioning: TypeAlias = "tuple[Tensor, ...]"
"""What a denoiser is given of texts, tensors of a row a text. How many there are, and which, is the family's:
embeddings `[texts, tokens, width]` alone for Stable Diffusion 1 and 2; others have a pooled vector beside them."""

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


class PromptTruncated(Notice):
    """A prompt has more words than are read; the rest is ignored."""


class Texts(Protocol):
    """Texts to what a denoiser is given of them, each read once; any thread may ask. All decoders of a world share
    one."""

    def __call__(self, prompt: Prompt, guided: bool) -> Conditioning:
        """Tensors `[2, ...]` (negative, positive) when guided, else `[1, ...]`."""
        ...

    def text(self, text: str) -> Conditioning:
        """What the denoiser is given of one text, tensors `[1, ...]`."""
        ...

    def pooled(self, text: str) -> Array:
        """A text as one vector float64[width]."""
        ...

    def knows(self, text: str) -> bool:
        """Whether a text is read, so that asking for it costs nothing."""
        ...


class TextEncoder(Protocol):
    """How a family's models read one text: tokenizers and text encoders behind one call."""

    def __call__(self, text: str) -> Conditioning:
        """What the denoiser is given of one text, each tensor `[1, ...]`. Warns PromptTruncated."""
        ...

    def changed(self, change: Callable[[nn.Module], nn.Module], part: str = "text_encoder") -> TextEncoder:
        """The same with what `change` makes of a copy of one of its networks. part: its folder's name. Raises
        WorldMismatch where it has none of that name."""
        ...

    def skipping(self, layers: int) -> TextEncoder:
        """The same without so many of the last layers of its CLIP. Raises PresetError where it has not so many, or
        none."""
        ...

    def pooled(self, text: str, conditioning: Conditioning) -> Array:
        """One text as one vector float64[width], out of what the call made of it."""
        ...


@dataclass
class Encoder:
    """`Texts` through a world's text encoder: the last `capacity` ones are kept."""

    read: TextEncoder
    capacity: int = 32
    _cache: OrderedDict[str, Conditioning] = field(default_factory=OrderedDict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __call__(self, prompt: Prompt, guided: bool) -> Conditioning:
        """Tensors `[2, ...]` (negative, positive) when guided, else `[1, ...]`."""
        import torch

        mixtures = [prompt.away, prompt.toward] if guided else [prompt.toward]
        return tuple(torch.cat(level(rows)) for rows in zip(*map(self.mixed, mixtures), strict=True))

    def mixed(self, mixture: Mixture) -> Conditioning:
        """What the denoiser is given of a mixture, tensors `[1, ...]`; of one text alone its own, to the last bit."""
        parts = [(self.text(text), weight) for text, weight in mixture if weight > 0]
        weights = [weight for _, weight in parts]
        if len(parts) == 1:
            return parts[0][0]
        columns = zip(*(tensors for tensors, _ in parts), strict=True)
        return tuple(blend(list(zip(level(column), weights, strict=True))) for column in columns)

    def text(self, text: str) -> Conditioning:
        """What the denoiser is given of one text, tensors `[1, ...]`."""
        with self._lock:
            if text in self._cache:
                self._cache.move_to_end(text)
                return self._cache[text]
        conditioning = self.read(text)  # outside the lock: nobody waits for another's text
        with self._lock:
            self._cache[text] = conditioning
            while len(self._cache) > self.capacity:
                self._cache.popitem(last=False)
        return conditioning

    def pooled(self, text: str) -> Array:
        """A text as one vector float64[width]."""
        return self.read.pooled(text, self.text(text))

    def knows(self, text: str) -> bool:
        """Whether a text is kept, so that asking for it costs nothing."""
        with self._lock:
            return text in self._cache


def level(texts: Sequence[Tensor]) -> list[Tensor]:
    """Embeddings `[1, tokens, width]` of texts, brought to one length; as they are where they have one.

    Each is repeated as a whole. To attend to a text that stands there twice is to attend to it once, so nothing of it
    changes, and a fade to a longer text sets out from the very picture of the shorter one (an empty chunk in its place
    moves a picture). Where the common length would be more than REPEATED times the longest, the last repetition is cut.
    """
    import torch

    lengths = {text.shape[1] for text in texts if text.ndim > 2}
    if len(lengths) < 2:
        return list(texts)
    common = math.lcm(*lengths)
    length = common if common <= REPEATED * max(lengths) else max(lengths)
    return [torch.cat([text] * -(-length // text.shape[1]), dim=1)[:, :length] for text in texts]


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
