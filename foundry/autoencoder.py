"""The autoencoder: diffusers' AutoencoderKL, factor 8, four latent channels, thin where pictures are large.

Most steps are taken on random crops (four times cheaper than a full picture), the last quarter on full pictures, since
group norms and the attention in the middle see the whole. The KL weight is small: it only sets the noise that the
decoder must bear. Latents are centred by folding their mean into the convolutions next to them, and `scaling_factor`
is measured, so the UNet meets latents of mean 0 and deviation 1.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, AutoencoderTiny
from torch import Tensor, nn

from foundry.data import Split
from foundry.presets import Preset
from foundry.scenes.canvas import sheet
from foundry.training import Loss, train

KL = 3e-4


def build(preset: Preset) -> AutoencoderKL:
    """A fresh autoencoder."""
    channels = preset.shapes.vae
    return AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        layers_per_block=preset.shapes.vae_layers,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=preset.data.size,
    )


def draw(split: Split, preset: Preset, batch: int, rng: torch.Generator, crops: bool) -> Tensor:
    """A batch ``[k, 3, s, s]``: ``batch`` random crops of half the side, or a quarter as many whole pictures."""
    count = batch if crops else max(1, batch // 4)
    rows = torch.randint(len(split), (count,), generator=rng)
    pictures, size = split.batch(rows), preset.data.size
    if torch.rand(1, generator=rng) < 0.5:
        pictures = pictures.flip(-1)
    if not crops:
        return pictures
    half = size // 2
    corners = torch.randint(0, size // 16 + 1, (count, 2), generator=rng) * 8
    return torch.stack([p[:, y : y + half, x : x + half] for p, (y, x) in zip(pictures, corners.tolist(), strict=True)])


def loss_for(split: Split, preset: Preset, device: torch.device) -> Loss:
    """Squared plus absolute error, plus a small KL."""

    def loss(model: nn.Module, rng: torch.Generator, done: float) -> tuple[Tensor, dict[str, float]]:
        crops = done < 0.72 and float(torch.rand(1, generator=rng)) > 0.12
        x = draw(split, preset, preset.autoencoder.batch, rng, crops).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=preset.bfloat16):
            moments = model.quant_conv(model.encoder(x)).float()
            mean, logvar = moments.chunk(2, dim=1)
            logvar = logvar.clamp(-30, 10)
            noise = torch.randn(mean.shape, generator=rng).to(device)
            y = model.decode(mean + (0.5 * logvar).exp() * noise).sample.float()
        square = F.mse_loss(y, x)
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        value = square + 0.2 * F.l1_loss(y, x) + KL * kl
        return value, {"psnr": float(-10 * torch.log10(square.detach() / 4)), "kl": float(kl.detach())}

    return loss


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Scaled latents ``[n, 4, s/8, s/8]`` of pictures in -1..1."""
    return vae.encode(pictures).latent_dist.mean * vae.config.scaling_factor


@torch.no_grad()
def decode(vae: AutoencoderKL | AutoencoderTiny, latents: Tensor) -> Tensor:
    """Pictures in 0..1 of scaled latents."""
    return (vae.decode(latents / vae.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)


@torch.no_grad()
def centre(vae: AutoencoderKL, pictures: Tensor) -> AutoencoderKL:
    """Moves the mean of the latents into the convolutions beside them and sets `scaling_factor` by measurement."""
    z = torch.cat([vae.encode(part).latent_dist.mean for part in pictures.split(16)])
    mean = z.mean((0, 2, 3))
    vae.quant_conv.bias[:4] -= mean
    vae.post_quant_conv.bias += vae.post_quant_conv.weight[:, :, 0, 0] @ mean
    vae.register_to_config(scaling_factor=float(1 / z.sub(mean.view(1, -1, 1, 1)).std()))
    return vae


def look_for(split: Split, per_family: int = 3) -> torch.Tensor:
    """Rows of a sheet: the first few of every family."""
    return torch.cat([(split.family == k).nonzero()[:per_family, 0] for k in split.family.unique()])


def cast(folder: Path, preset: Preset, train_split: Split, held: Split, device: torch.device) -> AutoencoderKL:
    """Trains, or loads what was trained."""
    if (folder / "model" / "config.json").exists():
        return AutoencoderKL.from_pretrained(folder / "model").to(device).eval()
    shown = held.batch(look_for(held)).to(device)

    @torch.no_grad()
    def look(vae: nn.Module) -> Tensor:
        again = torch.cat([vae.decode(vae.encode(part).latent_dist.mean).sample for part in shown.split(8)])
        pairs = torch.stack([shown, again], 1).flatten(0, 1) / 2 + 0.5
        return sheet(pairs.clamp(0, 1).cpu(), 12)

    torch.manual_seed(1)
    model = build(preset).to(device)
    loss = loss_for(train_split, preset, device)
    vae = train("autoencoder", folder, model, preset.autoencoder, loss, preset.fingerprint("autoencoder"), look)
    rows = torch.linspace(0, len(train_split) - 1, min(400, len(train_split))).long()
    vae = centre(vae, train_split.batch(rows).to(device))
    vae.save_pretrained(folder / "model")
    return vae
