"""What stands between the loop and the networks: pictures that are no pictures are caught, and every step is a sign of
life."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from installation.frames import Seen, see
from installation.loop import Scene
from latentworld.decoding.batches import no_pictures
from latentworld.decoding.decoder import Around, Decoder, Watch
from latentworld.errors import NotFinite
from latentworld.plane import Path
from latentworld.prompts import Prompt
from latentworld.vision import Classifier, Eye

if TYPE_CHECKING:
    from torch import Tensor


class Guard(Around):
    """A decoder whose pictures are finite. `bad` bool[n] says which of the newest call's were not: in their place
    stands the last good picture (grey before one), so that features and rates stay finite too. `finite` bool[n] says
    the same of pictures that stayed on a device, there, None on a processor. `alive` is called after every denoising
    step; False cancels (the show is to stop)."""

    def __init__(self, decoder: Decoder, alive: Callable[[], bool]) -> None:
        self.decoder = decoder
        self.bad: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._alive = alive
        self.finite: Tensor | None = None
        self._good: Tensor | None = None

    def around(self, decoder: Decoder) -> Self:
        """A guard that has seen no picture yet."""
        return type(self)(decoder, self._alive)

    def __call__(self, latents: Tensor, prompt: Prompt, watch: Watch | None = None, *, stay: bool = False) -> Tensor:
        """As the wrapped decoder, without NotFinite. Raises Cancelled when `alive` says so."""
        watch = watch or (lambda done, total: self._alive())
        self.finite = None
        if stay and self.profile.device != "cpu":
            return self._there(self.decoder(latents, prompt, watch, stay=True))
        import torch

        made = self._made(latents, prompt, watch)
        self.bad = np.array([picture is None for picture in made], np.bool_)
        shown = []
        for picture in made:
            if picture is not None:
                self._good = picture.clone()
            shown.append(torch.full((3, *self.size), 0.5) if self._good is None else self._good)
        return torch.stack(shown) if shown else torch.empty(0, 3, *self.size)

    def _there(self, made: Tensor) -> Tensor:
        """The pictures where they lie, the last good one before in place of each that is none."""
        import torch

        self.finite = made.isfinite().flatten(1).all(dim=1)
        grey = torch.full((1, 3, *self.size), 0.5, device=made.device)
        before = grey if self._good is None else self._good.to(made.device)[None]
        numbers = torch.arange(1, len(made) + 1, device=made.device)
        so_far = (numbers[:, None] >= numbers) & self.finite
        rows = torch.where(so_far, numbers, 0).amax(dim=1) if len(made) else numbers  # 0: the one before the batch
        shown = torch.cat([before, made])[rows]
        self._good = torch.cat([before, shown])[-1].clone()
        return shown

    def _made(self, latents: Tensor, prompt: Prompt, watch: Watch) -> list[Tensor | None]:
        """The pictures, None for one that is none: found by halves, since a picture alone is the same bytes."""
        try:
            return list(self.decoder(latents, prompt, watch))
        except NotFinite:
            if len(latents) == 1:
                return [None]
            half = len(latents) // 2
            return self._made(latents[:half], prompt, watch) + self._made(latents[half:], prompt, watch)


@dataclass(frozen=True, eq=False)
class Guarded(Scene):
    """A scene whose pictures are always some. guard: its decoder; attentive: its eye."""

    guard: Guard
    attentive: Attentive

    def seen(self, path: Path) -> Seen:
        """As `Scene.seen`, without NotFinite for a picture; where pictures stayed on a device, guard and eye are told
        what came down with them. Raises NotFinite where the eye sees none in what is one."""
        pictures = self.pictures(path)
        finite = self.guard.finite
        seen = see(pictures, self.eye(pictures), finite)
        if finite is not None:
            self.guard.bad = ~seen.finite
            if not seen.features.isfinite().all():
                raise no_pictures("the eye", "use another eye.clip")
            self.attentive.remember(seen.features)
        return seen


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
        if features.device.type == "cpu":
            self.remember(features)
        return features

    def remember(self, features: Tensor) -> None:
        """These are the newest, [n, F] on the CPU; those of a device are not waited for."""
        if len(features):
            self.last = np.asarray(features[-1], np.float64)
