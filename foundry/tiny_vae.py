"""A tiny decoder of the same latents for the scout: diffusers' AutoencoderTiny, learnt from the full one's latents.

It reads scaled latents, as the UNet writes them, so its own scaling factor is 1; half of what it learns from are the
teacher's own answers, as in the polish. Its encoder is a stub that imitates the full encoder roughly: the scout only
decodes.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor, nn

from foundry import ranks
from foundry.autoencoder import edge_error
from foundry.files import save_network
from foundry.polish import Answers
from foundry.presets import Preset
from foundry.training import Loss, train
from foundry.unet import Ground


def build(preset: Preset) -> AutoencoderTiny:
    """A fresh tiny autoencoder."""
    width, blocks = preset.shapes.tiny, preset.shapes.tiny_blocks
    return AutoencoderTiny(
        encoder_block_out_channels=(8,) * len(blocks),
        decoder_block_out_channels=(width,) * len(blocks),
        num_encoder_blocks=(1,) * len(blocks),
        num_decoder_blocks=blocks,
        latent_channels=preset.shapes.channels,
        scaling_factor=1.0,
    )


def loss_for(ground: Ground, given: Answers, preset: Preset) -> Loss:
    """Absolute and squared error and edges of crops, and the squared error of the stub's latents."""
    side, factor, device = preset.side, preset.shapes.factor, ground.machine.device
    half = max(1, side // 2)

    def loss(model: nn.Module, rng: torch.Generator, done: float, count: int) -> tuple[Tensor, dict[str, float]]:
        own = torch.randint(len(given.rows), (count,), generator=rng)
        free, even = torch.randint(len(ground.split), (count,), generator=rng), torch.arange(count) % 2 == 0
        rows = torch.where(even, given.rows[own], free)
        latents = torch.where(even.view(-1, 1, 1, 1), given.latents[own], ground.latents[rows])
        y, x = torch.randint(0, side - half + 1, (2,), generator=rng).tolist()
        z = latents.float()[..., y : y + half, x : x + half].to(device)
        area = (slice(factor * y, factor * (y + half)), slice(factor * x, factor * (x + half)))
        wanted = ground.split.batch(rows)[..., area[0], area[1]].to(device)
        again, stub = model.decoder(z).float(), model.encoder(wanted).float()
        square = F.mse_loss(again, wanted)
        value = square + 0.3 * F.l1_loss(again, wanted) + 0.15 * edge_error(again, wanted) + 0.05 * F.mse_loss(stub, z)
        return value, {"psnr": float(-10 * torch.log10(square.detach() / 4))}

    return loss


def cast(folder: Path, preset: Preset, ground: Ground, given: Answers) -> AutoencoderTiny:
    """Trains, or loads what was trained."""
    machine = ground.machine
    if not (folder / "model" / "config.json").exists():
        torch.manual_seed(4)
        model, mark = build(preset).to(machine.device), preset.fingerprint("tiny_vae")
        tiny = train("tiny_vae", folder, model, preset.tiny_vae, loss_for(ground, given, preset), mark, machine).average
        if ranks.rank() == 0:
            assert isinstance(tiny, AutoencoderTiny)
            save_network(tiny, folder / "model")
        ranks.wait()
    return AutoencoderTiny.from_pretrained(folder / "model").to(machine.device).eval()
