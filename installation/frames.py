"""Frames: pictures that carry their own places, rates and marks. Here, and only here, they become bytes."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentworld.arrays import Pictures
from latentworld.decoding.batches import no_pictures
from latentworld.lipschitz import Rates
from latentworld.plane import Path
from latentworld.transfer import landed

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.walks import Walk


LARGE = 1 << 18  # bytes of a picture


@dataclass(frozen=True, eq=False)
class Seen:
    """A batch as it comes down to the processor: pictures uint8[n, height, width, 3], features float32[n, F], and
    whether both are numbers, bool[n]."""

    pictures: Pictures
    features: Tensor
    finite: NDArray[np.bool_]

    def checked(self) -> Seen:
        """Itself. Raises NotFinite."""
        if not self.finite.all():
            raise no_pictures("the decoder")
        return self


@dataclass(frozen=True, eq=False)
class Frames:
    """A batch: where frames lie, pictures uint8[n, height, width, 3], rates, which steps are marked as rifts, how
    frames were made that are no picture of their own place alone, by their numbers, and the walk as it stands at the
    last one."""

    path: Path
    pictures: Pictures
    rates: Rates
    marked: NDArray[np.bool_]
    made: Mapping[int, str] = field(default_factory=dict)
    walk: Walk | None = None

    def __len__(self) -> int:
        return len(self.path)


def develop(pictures: Tensor) -> Pictures:
    """Pictures [n, 3, height, width] in 0..1 to uint8[n, height, width, 3], rounded as the diffusers pipeline does."""
    found: Pictures = landed(_levels(pictures))[0].numpy()
    return found


def see(pictures: Tensor, features: Tensor, finite: Tensor | None = None) -> Seen:
    """Pictures [n, 3, height, width] in 0..1 and their features [n, F], wherever they lie, as bytes on the processor,
    by one copy. finite: bool[n], what somebody found who put others in their place; what lies on the processor was
    looked at by who made it."""
    fine = _finite(pictures, features) if finite is None else finite
    levels, known, fine = landed(_levels(pictures), features, fine)
    return Seen(levels.numpy(), known, fine.numpy())


def felt(pictures: Tensor, features: Tensor) -> Tensor:
    """The features [n, F] of pictures, wherever they lie, on the processor. Raises NotFinite."""
    known, fine = landed(features, _finite(pictures, features))
    if not fine.all():
        raise no_pictures("the decoder")
    return known


def _levels(pictures: Tensor) -> Tensor:
    """uint8[n, height, width, 3], where the pictures lie."""
    import torch

    levels = (pictures.detach() * 255.0).round_().clamp_(0, 255).to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous()


def _finite(pictures: Tensor, features: Tensor) -> Tensor:
    """Which of a batch are numbers, bool[n], where they lie."""
    if pictures.device.type == "cpu":
        return pictures.new_ones(len(pictures)).bool()
    return pictures.isfinite().flatten(1).all(dim=1) & features.isfinite().all(dim=1)


def digest(picture: NDArray[np.uint8]) -> str:
    """Of a picture's bytes, 16 hexadecimal digits: equal pictures, equal digests."""
    return hashlib.blake2b(np.ascontiguousarray(picture).tobytes(), digest_size=8).hexdigest()


def digests(pictures: Pictures) -> tuple[str, ...]:
    """Of each picture; those of large ones are made beside one another, since one of 512 x 512 takes .8 ms."""
    if len(pictures) < 2 or pictures[0].nbytes < LARGE:
        return tuple(digest(picture) for picture in pictures)
    return tuple(_threads().map(digest, pictures))


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1), thread_name_prefix="digest")
