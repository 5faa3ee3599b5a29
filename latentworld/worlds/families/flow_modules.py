"""Flow transformers as modules of plain tensors that any engine can run: packing and ids of places are made in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2
    from diffusers.models.transformers.sana_transformer import SanaTransformer2DModel
    from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
    from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel
    from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
    from diffusers.models.transformers.transformer_z_image import ZImageTransformer2DModel


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


def words(count: int, like: Tensor) -> Tensor:
    """Where each token of a text lies for FLUX.2: 0, 0, 0, its number, `[count, 4]`."""
    return pad(torch.arange(count, dtype=like.dtype, device=like.device)[:, None], (3, 0))


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


class Flux2Denoiser(nn.Module):
    """FLUX.2's transformer; latents are its tokens already, one a cell."""

    def __init__(self, network: Flux2Transformer2DModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, sample: Tensor, time: Tensor, text: Tensor) -> Tensor:
        """Latents `[b, C, H, W]`, time `[1]` of 1,000, text `[rows, tokens, width]` -> velocities
        `[rows x b, C, H, W]`."""
        rows, (batch, _, height, width) = len(text), sample.shape
        out: Tensor = self.network(
            hidden_states=sample.flatten(2).transpose(1, 2).repeat(rows, 1, 1),
            timestep=time.expand(rows * batch) / 1000,
            guidance=None,
            encoder_hidden_states=text.repeat_interleave(batch, dim=0),
            txt_ids=words(text.shape[1], sample).expand(rows * batch, -1, -1),
            img_ids=pad(places(height, width, sample), (0, 1)).expand(rows * batch, -1, -1),
            return_dict=False,
        )[0]
        return out.transpose(1, 2).reshape(rows * batch, -1, height, width)


class WhitenedPainter(nn.Module):
    """FLUX.2's VAE: latents get back mean and deviation of their channels, and come apart into 2 x 2 cells."""

    def __init__(self, vae: AutoencoderKLFlux2) -> None:
        super().__init__()
        self.vae = vae
        deviation = (vae.bn.running_var + vae.config.batch_norm_eps).sqrt()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", vae.bn.running_mean.view(1, -1, 1, 1), persistent=False)
        self.register_buffer("deviation", deviation.view(1, -1, 1, 1), persistent=False)

    def forward(self, latents: Tensor) -> Tensor:
        """Latents `[b, 4C, H, W]` -> pictures `[b, 3, height, width]` in 0..1."""
        own = latents * self.deviation + self.mean
        batch, channels, height, width = own.shape
        apart = own.reshape(batch, channels // 4, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
        apart = apart.reshape(batch, channels // 4, height * 2, width * 2)
        decoded: Tensor = self.vae.decode(apart, return_dict=False)[0]
        return (decoded * 0.5 + 0.5).clamp(0, 1)


class ZImageDenoiser(nn.Module):
    """Z-Image's transformer: time runs from data to noise, and so does its velocity."""

    def __init__(self, network: ZImageTransformer2DModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, sample: Tensor, time: Tensor, text: Tensor, words: Tensor) -> Tensor:
        """Latents `[b, C, H, W]`, time `[1]` of 1,000, text `[rows, tokens, width]`, words `[rows, tokens]` above 0
        where a token is one -> velocities `[rows x b, C, H, W]`."""
        rows, batch = len(text), len(sample)
        texts = [text[row][words[row] > 0] for row in range(rows) for _ in range(batch)]
        pictures = list(sample.repeat(rows, 1, 1, 1).unsqueeze(2).unbind(0))
        out = self.network(pictures, ((1000 - time) / 1000).expand(rows * batch), texts, return_dict=False)[0]
        return -torch.stack(list(out)).squeeze(2)


class SprintDenoiser(nn.Module):
    """SANA-Sprint's transformer, which was trained along a line, asked along an arc (Chen et al. 2025, section 3.1).

    sigma: how wide data is along the arc; latents are as wide.
    """

    def __init__(self, network: SanaTransformer2DModel, sigma: float) -> None:
        super().__init__()
        self.network, self.sigma = network, sigma
        self.told = float(network.config.guidance_embeds_scale)

    def forward(self, sample: Tensor, time: Tensor, text: Tensor, words: Tensor, guidance: Tensor) -> Tensor:
        """Latents `[b, C, H, W]`, time `[1]` an angle of 0..pi/2, text `[1, tokens, width]`, words `[1, tokens]`
        above 0 where a token is one, guidance `[1]` -> velocities along the arc `[b, C, H, W]`."""
        batch, angle = len(sample), time.expand(len(sample))
        share = angle.sin() / (angle.cos() + angle.sin())
        s = share.view(-1, 1, 1, 1).to(sample.dtype)
        entering = sample / self.sigma * (s**2 + (1 - s) ** 2).sqrt()
        out: Tensor = self.network(
            entering,
            encoder_hidden_states=text.expand(batch, -1, -1),
            encoder_attention_mask=(words > 0).to(sample.dtype).expand(batch, -1),
            guidance=guidance.expand(batch) * self.told,
            timestep=share,
            return_dict=False,
        )[0]
        return ((1 - 2 * s) * entering + (1 - 2 * s + 2 * s**2) * out) / (s**2 + (1 - s) ** 2).sqrt() * self.sigma
