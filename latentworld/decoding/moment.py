"""One step of a denoising, for showing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Moment:
    """One step of a denoising, tensors `[b, C, H, W]` float32: `sample` before it, `after` it, and the `clean` latent
    that is predicted there; `time` of the schedule, `alpha_bar` the picture's share of the variance at it."""

    time: int
    alpha_bar: float
    sample: Tensor
    clean: Tensor
    after: Tensor
