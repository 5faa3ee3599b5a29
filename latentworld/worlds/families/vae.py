"""A VAE's two halves as modules of plain tensors; the decoder's any engine can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny


class Painter(nn.Module):
    """Latents to pictures. scale, shift: as in `LatentFormat`."""

    def __init__(self, vae: AutoencoderKL | AutoencoderTiny, scale: float, shift: float = 0.0) -> None:
        super().__init__()
        self.vae, self.scale, self.shift = vae, scale, shift

    def forward(self, latents: Tensor) -> Tensor:
        """Latents `[b, C, H, W]` -> pictures `[b, 3, height, width]` in 0..1."""
        own = latents / self.scale
        if self.shift != 0.0:
            own = own + self.shift
        decoded: Tensor = self.vae.decode(own, return_dict=False)[0]
        return (decoded * 0.5 + 0.5).clamp(0, 1)


class PictureEncoder(nn.Module):
    """Pictures to clean latents, the mean of what the VAE says of them. scale, shift: as in `LatentFormat`."""

    def __init__(self, vae: AutoencoderKL | AutoencoderTiny, scale: float, shift: float = 0.0) -> None:
        super().__init__()
        self.vae, self.scale, self.shift = vae, scale, shift

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures `[b, 3, height, width]` in 0..1 -> latents `[b, C, H, W]`."""
        said = self.vae.encode(pictures * 2 - 1, return_dict=False)[0]
        own: Tensor = said if isinstance(said, Tensor) else said.mode()
        return (own - self.shift) * self.scale
