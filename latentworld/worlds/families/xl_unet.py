"""SDXL's UNet as a module of plain tensors: it is told the picture's size and the pooled prompt with the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from latentworld.worlds.families.xl_fit import CELL

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class Denoiser(nn.Module):
    """One UNet evaluation of a batch under one prompt, through the library's forward.

    Nothing is shared between the rows of the negative and of the positive prompt (as `unet.Denoiser` does up to the
    first attention): the pooled prompt goes into every block with the time.
    """

    def __init__(self, unet: UNet2DConditionModel, guidance_embedding: Tensor | None = None) -> None:
        super().__init__()
        self.unet = unet
        self.register_buffer("guidance_embedding", guidance_embedding, persistent=False)

    def forward(self, sample: Tensor, time: Tensor, text: Tensor, pooled: Tensor) -> Tensor:
        """Latents `[b, C, H, W]`, time `[1]`, text `[rows, tokens, width]`, pooled `[rows, width']` -> predictions
        `[rows x b, C, H, W]`. The picture is said to be uncropped and of its own size, as the pipeline says it."""
        rows, batch = len(text), len(sample)
        height, width = sample.shape[2] * CELL, sample.shape[3] * CELL
        # filled where the text lies: a device that replays a captured graph can be brought nothing
        sizes = torch.cat([text.new_full((1, 1), side) for side in (height, width, 0, 0, height, width)], dim=1)
        known: Tensor | None = self.guidance_embedding  # type: ignore[assignment]
        out: Tensor = self.unet(
            sample.repeat(rows, 1, 1, 1),
            time,
            encoder_hidden_states=text.repeat_interleave(batch, dim=0),
            timestep_cond=None if known is None else known.expand(batch * rows, -1),
            added_cond_kwargs={
                "text_embeds": pooled.repeat_interleave(batch, dim=0),
                "time_ids": sizes.expand(batch * rows, -1),
            },
            return_dict=False,
        )[0]
        return out
