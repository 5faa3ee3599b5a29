"""Flow transformers as modules of plain tensors that any engine can run: packing and ids of places are made in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel


def packed(sample: Tensor) -> Tensor:
    """Latents `[b, C, H, W]` as tokens of 2 x 2 cells, `[b, H/2 x W/2, 4C]`, channels outermost."""
    batch, channels, height, width = sample.shape
    tiles = sample.view(batch, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return tiles.reshape(batch, (height // 2) * (width // 2), channels * 4)


def unpacked(tokens: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Back to latents `[b, C, H, W]` of this shape."""
    channels, height, width = shape
    tiles = tokens.view(len(tokens), height // 2, width // 2, channels, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return tiles.reshape(len(tokens), channels, height, width)


def places(height: int, width: int, like: Tensor) -> Tensor:
    """Where each token of a picture lies: 0, row, column, `[height x width, 3]`."""
    ids = torch.zeros(height, width, 3, dtype=like.dtype, device=like.device)
    ids[..., 1] += torch.arange(height, dtype=like.dtype, device=like.device)[:, None]
    ids[..., 2] += torch.arange(width, dtype=like.dtype, device=like.device)[None, :]
    return ids.view(height * width, 3)


class FluxDenoiser(nn.Module):
    """FLUX.1's transformer: one row, the guidance weight told to it where it was distilled to take one (dev)."""

    def __init__(self, network: FluxTransformer2DModel) -> None:
        super().__init__()
        self.network, self.is_told = network, bool(network.config.guidance_embeds)

    def forward(self, sample: Tensor, time: Tensor, text: Tensor, pooled: Tensor, guidance: Tensor) -> Tensor:
        """Latents `[b, C, H, W]`, time `[1]` of 1,000, text `[1, tokens, width]`, pooled `[1, width']`, guidance `[1]`
        -> velocities `[b, C, H, W]`."""
        batch, channels, height, width = sample.shape
        out: Tensor = self.network(
            hidden_states=packed(sample),
            timestep=time.expand(batch) / 1000,
            guidance=guidance.float().expand(batch) if self.is_told else None,
            pooled_projections=pooled.expand(batch, -1),
            encoder_hidden_states=text.expand(batch, -1, -1),
            txt_ids=torch.zeros(text.shape[1], 3, dtype=sample.dtype, device=sample.device),
            img_ids=places(height // 2, width // 2, sample),
            return_dict=False,
        )[0]
        return unpacked(out, (channels, height, width))


class SD3Denoiser(nn.Module):
    """Stable Diffusion 3's transformer, which packs by itself."""

    def __init__(self, network: SD3Transformer2DModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, sample: Tensor, time: Tensor, text: Tensor, pooled: Tensor) -> Tensor:
        """Latents `[b, C, H, W]`, time `[1]` of 1,000, text `[rows, tokens, width]`, pooled `[rows, width']` ->
        velocities `[rows x b, C, H, W]`."""
        rows, batch = len(text), len(sample)
        out: Tensor = self.network(
            hidden_states=sample.repeat(rows, 1, 1, 1),
            timestep=time.expand(rows * batch),
            encoder_hidden_states=text.repeat_interleave(batch, dim=0),
            pooled_projections=pooled.repeat_interleave(batch, dim=0),
            return_dict=False,
        )[0]
        return out
