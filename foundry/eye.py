"""The second half of CLIP's training: the picture tower alone, on decoded pictures too, the text tower being finished.

The UNet listens to the text tower, so that one must not move any more; the picture tower may. Half of each batch are
pictures that went through the autoencoder, half of those by way of the teacher: such the eye will judge.
"""

from __future__ import annotations

import copy
import random
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPModel, CLIPTokenizer

from foundry import autoencoder, clip, ranks
from foundry.data import Split
from foundry.encoded import chunks
from foundry.files import save_network
from foundry.polish import Answers
from foundry.presets import Preset
from foundry.training import Loss, train
from foundry.unet import Ground

DECODED = 1000


def decoded(folder: Path, vae: AutoencoderKL, ground: Ground, given: Answers) -> tuple[Tensor, Tensor]:
    """Pictures ``float16 [k, 3, s, s]`` in 0..1 decoded from latents and from the teacher's answers, and their rows."""
    rows = given.rows[:: max(1, len(given.rows) // DECODED)]
    latents = torch.cat([ground.latents[rows], given.latents[:: max(1, len(given.rows) // DECODED)]])

    def make(start: int, stop: int) -> Tensor:
        part = latents[start:stop].float().to(ground.machine.device)
        return torch.cat([autoencoder.decode(vae, few) for few in part.split(16)])

    return chunks(folder, len(latents), 250, ground.machine, make, "decoded"), torch.cat([rows, rows])


def loss_for(split: Split, rows: Tensor, pictures: Tensor, tokenizer: CLIPTokenizer, device: torch.device) -> Loss:
    """CLIP's own contrast on drawn and decoded pictures, half and half."""

    def loss(model: nn.Module, rng: torch.Generator, done: float, count: int) -> tuple[Tensor, dict[str, float]]:
        half = count // 2
        drawn = torch.randint(len(split), (count - half,), generator=rng)
        again = torch.randint(len(rows), (half,), generator=rng)
        x = torch.cat([split.batch(drawn), pictures[again].float() * 2 - 1])
        words = random.Random(int(torch.randint(2**31, (1,), generator=rng)))
        chosen = torch.cat([drawn, rows[again]])
        return clip.contrast(model, split, chosen, clip.soften(x, rng), [False] * count, words, tokenizer, device)

    return loss


def cast(
    folder: Path, preset: Preset, ground: Ground, held: Split, seer: CLIPModel, tokenizer: CLIPTokenizer,
    vae: AutoencoderKL, given: Answers,
) -> CLIPModel:  # fmt: skip
    """Trains, or loads what was trained."""
    machine = ground.machine
    if not (folder / "model" / "config.json").exists():
        pictures, rows = decoded(folder / "decoded", vae, ground, given)
        model = copy.deepcopy(seer).train().requires_grad_(True)
        for part in (model.text_model, model.text_projection):
            part.requires_grad_(False)
        loss, mark = loss_for(ground.split, rows, pictures, tokenizer, machine.device), preset.fingerprint("eye")
        eye = train("eye", folder, model, preset.eye, loss, mark, machine, whole=True).average
        if ranks.rank() == 0:
            assert isinstance(eye, CLIPModel)
            clip.calibrate(eye, tokenizer, held)
            save_network(eye, folder / "model")
        ranks.wait()
    return CLIPModel.from_pretrained(folder / "model").to(machine.device).eval()
