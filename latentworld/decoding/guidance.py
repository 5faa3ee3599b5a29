"""What is done to a guided prediction before a sampler takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def rescaled(guided: Tensor, towards: Tensor, share: float) -> Tensor:
    """A guided prediction `[b, C, H, W]` with the contrast of the positive one, mixed with itself by `share` in 0..1.

    Strong guidance overexposes where a schedule ends in pure noise (Lin et al. 2024, eq. 15 and 16; diffusers'
    `rescale_noise_cfg`). Standard deviations are a picture's own, so batch-mates do not matter.
    """
    axes = tuple(range(1, towards.ndim))
    matched = guided * (towards.std(dim=axes, keepdim=True) / guided.std(dim=axes, keepdim=True))
    return share * matched + (1 - share) * guided
