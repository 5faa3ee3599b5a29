"""Frames: pictures that carry their own places, rates and marks. Here, and only here, they become bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentworld.arrays import Pictures
from latentworld.lipschitz import Rates
from latentworld.plane import Path

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Frames:
    """A batch: where frames lie, pictures uint8[n, height, width, 3], rates, which steps are marked as rifts, and how
    frames were made that are no picture of their own place alone, by their numbers."""

    path: Path
    pictures: Pictures
    rates: Rates
    marked: NDArray[np.bool_]
    made: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.path)


def develop(pictures: Tensor) -> Pictures:
    """Pictures [n, 3, height, width] in 0..1 to uint8[n, height, width, 3], rounded as the diffusers pipeline does."""
    values = np.rint(pictures.detach().numpy() * np.float32(255)).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1))


def digest(picture: NDArray[np.uint8]) -> str:
    """Of a picture's bytes, 16 hexadecimal digits: equal pictures, equal digests."""
    return hashlib.blake2b(np.ascontiguousarray(picture).tobytes(), digest_size=8).hexdigest()
