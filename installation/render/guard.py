"""What stands between the loop and the networks: pictures that are no pictures are caught, and every step is a sign of
life."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from latentworld.decoding.decoder import Around, Decoder, Watch
from latentworld.errors import NotFinite
from latentworld.prompts import Prompt
from latentworld.vision import Classifier, Eye

if TYPE_CHECKING:
    from torch import Tensor


class Guard(Around):
    """A decoder whose pictures are finite. `bad` bool[n] says which of the newest call's were not: in their place
    stands the last good picture (grey before one), so that features and rates stay finite too. `alive` is called after
    every denoising step; False cancels (the show is to stop)."""

    def __init__(self, decoder: Decoder, alive: Callable[[], bool]) -> None:
        self.decoder = decoder
        self.bad: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._alive = alive
        self._good: Tensor | None = None

    def around(self, decoder: Decoder) -> Self:
        """A guard that has seen no picture yet."""
        return type(self)(decoder, self._alive)

    def __call__(self, latents: Tensor, prompt: Prompt, watch: Watch | None = None) -> Tensor:
        """As the wrapped decoder, without NotFinite. Raises Cancelled when `alive` says so."""
        import torch

        made = self._made(latents, prompt, watch or (lambda done, total: self._alive()))
        self.bad = np.array([picture is None for picture in made], np.bool_)
        shown = []
        for picture in made:
            if picture is not None:
                self._good = picture.clone()
            shown.append(torch.full((3, *self.size), 0.5) if self._good is None else self._good)
        return torch.stack(shown) if shown else torch.empty(0, 3, *self.size)

    def _made(self, latents: Tensor, prompt: Prompt, watch: Watch) -> list[Tensor | None]:
        """The pictures, None for one that is none: found by halves, since a picture alone is the same bytes."""
        try:
            return list(self.decoder(latents, prompt, watch))
        except NotFinite:
            if len(latents) == 1:
                return [None]
            half = len(latents) // 2
            return self._made(latents[:half], prompt, watch) + self._made(latents[half:], prompt, watch)


class Attentive:
    """An eye that remembers the newest feature [F] it saw: what whiskers compare with. None before any."""

    def __init__(self, eye: Eye) -> None:
        self.eye = eye
        self.last: NDArray[np.float64] | None = None

    @property
    def dimension(self) -> int:
        """The eye's."""
        return self.eye.dimension

    def batched(self, batch: int) -> Self:
        """About the eye for as many pictures at a time; it has seen nothing yet."""
        return type(self)(self.eye.batched(batch))

    def texts(self, words: Sequence[str]) -> Tensor:
        """The eye's."""
        return self.eye.texts(words)

    def labels(self, words: Sequence[str]) -> Classifier:
        """The eye's."""
        return self.eye.labels(words)

    def __call__(self, pictures: Tensor) -> Tensor:
        """As the eye."""
        features = self.eye(pictures)
        if len(features):
            self.last = np.asarray(features[-1], np.float64)
        return features
