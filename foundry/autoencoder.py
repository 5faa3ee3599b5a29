"""The autoencoder: diffusers' AutoencoderKL with latents that can be diffused, thin where pictures are large.

A plain autoencoder writes what it likes into the top half of its latents' spectrum (36% of their energy, where the same
pictures at that size have 8%), which noise destroys first and a small diffusion model must then guess. So here decoding
is asked of latents that were halved, turned, flipped and noised:

- scale equivariance: halved latents decode to the halved picture (Skorokhodov et al., 2502.14831);
- turns and flips of latents decode to the turned and flipped picture (EQ-VAE, Kouzelis et al., 2502.09509);
- decoding bears noise up to 0.4 of the latents' deviation (l-DeTok), which is what a teacher leaves;
- what of latents is lost by halving them is paid for: the three above leave 40% of the energy in the top half of the
  spectrum once pictures are sharp, at any weight; this takes it to 20% for 0.2 dB (docs/casting.md);
- each channel's deviation is pinned near 1, else scale escapes from the noise.

Most steps are taken on random crops (four times cheaper than a full picture), the last quarter on full pictures, since
group norms and the attention in the middle see the whole. Latents are centred by folding their mean into the
convolutions next to them, and `scaling_factor` is measured, so the UNet meets latents of mean 0 and deviation 1.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, AutoencoderTiny
from torch import Tensor, nn

from foundry import gates, ranks
from foundry.data import Split
from foundry.files import save_network
from foundry.machine import Machine
from foundry.presets import Preset
from foundry.scenes.canvas import sheet
from foundry.training import Loss, Watch, train

KL = 3e-4


def build(preset: Preset) -> AutoencoderKL:
    """A fresh autoencoder."""
    channels = preset.shapes.vae
    return AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        layers_per_block=preset.shapes.vae_layers,
        latent_channels=preset.shapes.channels,
        norm_num_groups=8,
        sample_size=preset.data.size,
    )


def draw(split: Split, preset: Preset, count: int, rng: torch.Generator, crops: bool) -> Tensor:
    """A batch ``[k, 3, s, s]``: ``count`` random crops of half the side, or a quarter as many whole pictures."""
    count = count if crops else max(1, count // 4)
    rows = torch.randint(len(split), (count,), generator=rng)
    pictures, size, factor = split.batch(rows), preset.data.size, preset.shapes.factor
    if torch.rand(1, generator=rng) < 0.5:
        pictures = pictures.flip(-1)
    if not crops:
        return pictures
    half = size // 2
    corners = torch.randint(0, half // factor + 1, (count, 2), generator=rng) * factor
    return torch.stack([p[:, y : y + half, x : x + half] for p, (y, x) in zip(pictures, corners.tolist(), strict=True)])


def turned(x: Tensor, which: int) -> Tensor:
    """One of the square's eight symmetries, of pictures or latents; 0 leaves them as they are."""
    x = torch.rot90(x, which % 4, (-2, -1))
    return x.flip(-1) if which >= 4 else x


def roughness(latents: Tensor) -> Tensor:
    """Mean square of what halving takes from latents ``[n, c, s, s]``: their difference from themselves halved by area
    and brought back by bilinear interpolation."""
    halved = F.avg_pool2d(latents, 2)
    return (latents - F.interpolate(halved, scale_factor=2, mode="bilinear", align_corners=False)).square().mean()


def edge_error(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of the gradients of two batches of pictures."""
    d = a - b
    return d.diff(dim=-1).abs().mean() + d.diff(dim=-2).abs().mean()


def loss_for(split: Split, preset: Preset, machine: Machine) -> Loss:
    """Squared plus absolute error of decoding what was done to the latents, and the pull on their scale."""
    ask = preset.latents

    def loss(model: nn.Module, rng: torch.Generator, done: float, count: int) -> tuple[Tensor, dict[str, float]]:
        crops = done < 0.72 and float(torch.rand(1, generator=rng)) > 0.12
        x = draw(split, preset, count, rng, crops).to(machine.device)
        mean, logvar = model.quant_conv(model.encoder(x)).float().chunk(2, dim=1)
        logvar = logvar.clamp(-30, 10)
        noise = torch.randn(mean.shape, generator=rng).to(machine.device)
        clean = torch.rand(len(x), 1, 1, 1, generator=rng) < 0.5
        most = torch.rand(len(x), 1, 1, 1, generator=rng) * ask.noise * ~clean
        z = mean + ((0.5 * logvar).exp() + most.to(machine.device)) * noise
        which = int(torch.randint(8, (1,), generator=rng)) if torch.rand(1, generator=rng) < ask.turned else 0
        wanted = turned(x, which)
        y = model.decode(turned(z, which)).sample.float()
        small = model.decode(F.avg_pool2d(mean, 2)).sample.float()
        square = F.mse_loss(y, wanted)
        halved = F.avg_pool2d(x, 2)
        scale = F.mse_loss(small, halved) + 0.2 * F.l1_loss(small, halved)
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        deviation = mean.transpose(0, 1).flatten(1).std(1)
        value = square + 0.2 * F.l1_loss(y, wanted) + ask.edges * edge_error(y, wanted) + KL * kl
        rough = roughness(mean)
        value = value + ask.scale * scale + ask.pin * (deviation - 1).square().mean() + ask.smooth * rough
        figures = {"psnr": float(-10 * torch.log10(square.detach() / 4)), "scale": float(scale.detach())}
        figures["rough"] = float(rough.detach())
        return value, {**figures, "deviation": float(deviation.detach().mean())}

    return loss


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Scaled latents ``[n, c, s/f, s/f]`` of pictures in -1..1."""
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
    vae.quant_conv.bias[: len(mean)] -= mean
    vae.post_quant_conv.bias += vae.post_quant_conv.weight[:, :, 0, 0] @ mean
    vae.register_to_config(scaling_factor=float(1 / z.sub(mean.view(1, -1, 1, 1)).std()))
    return vae


def look_for(split: Split, per_family: int = 3) -> torch.Tensor:
    """Rows of a sheet: the first few of every family."""
    return torch.cat([(split.family == k).nonzero()[:per_family, 0] for k in split.family.unique()])


def watch(held: Split, machine: Machine) -> Watch:
    """Pairs of pictures and reconstructions on a sheet, and the figures of gate G1 on held-out pictures."""
    shown = held.batch(look_for(held)).to(machine.device)
    judged = held.batch(look_for(held, 20)).to(machine.device)

    @torch.no_grad()
    def look(vae: nn.Module) -> Tensor:
        again = torch.cat([vae.decode(vae.encode(part).latent_dist.mean).sample for part in shown.split(8)])
        pairs = torch.stack([shown, again.float()], 1).flatten(0, 1) / 2 + 0.5
        return sheet(pairs.clamp(0, 1).cpu(), 12)

    def gate(vae: nn.Module) -> dict[str, float]:
        assert isinstance(vae, AutoencoderKL)
        return gates.autoencoder_figures(vae, judged)

    return Watch(look, gate)


def cast(folder: Path, preset: Preset, train_split: Split, held: Split, machine: Machine) -> AutoencoderKL:
    """Trains, or loads what was trained."""
    if not (folder / "model" / "config.json").exists():
        torch.manual_seed(1)
        model = build(preset).to(machine.device)
        loss, mark = loss_for(train_split, preset, machine), preset.fingerprint("autoencoder")
        seen = watch(held, machine)
        run = train("autoencoder", folder, model, preset.autoencoder, loss, mark, machine, seen)
        rows = torch.linspace(0, len(train_split) - 1, min(400, len(train_split))).long()
        if ranks.rank() == 0:
            vae = centre(run.average, train_split.batch(rows).to(machine.device))
            save_network(vae, folder / "model")
        ranks.wait()
    return AutoencoderKL.from_pretrained(folder / "model").to(machine.device).eval()
