"""The teacher: diffusers' UNet2DConditionModel on cached latents, conditioned on the frozen text tower of our CLIP.

The schedule ends in pure noise (zero terminal SNR) and the network predicts v. A schedule that stops short of noise
leaves a trace of the mean brightness in the last step; sampled from real noise, such a model cannot make a black sky.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from foundry import autoencoder, captions
from foundry.clip import generic
from foundry.data import FAMILIES, Split
from foundry.errors import FoundryError
from foundry.presets import Preset
from foundry.scenes.canvas import sheet
from foundry.training import Look, Loss, train
from latentworld.disk import put


def scheduler() -> DDIMScheduler:
    """DDIM, v-prediction, zero terminal SNR, trailing steps: the first step starts at pure noise."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def build(preset: Preset) -> UNet2DConditionModel:
    """A fresh UNet. Text is attended at the middle level and below it; the largest level is convolutions only."""
    channels = preset.shapes.unet
    text = [0 < level < max(2, len(channels) - 1) for level in range(len(channels))]
    return UNet2DConditionModel(
        sample_size=preset.data.size // 8,
        block_out_channels=channels,
        down_block_types=tuple("CrossAttnDownBlock2D" if t else "DownBlock2D" for t in text),
        up_block_types=tuple("CrossAttnUpBlock2D" if t else "UpBlock2D" for t in reversed(text)),
        layers_per_block=preset.shapes.unet_layers,
        cross_attention_dim=preset.shapes.text_width,
        attention_head_dim=tuple(width // preset.shapes.head for width in channels),
        norm_num_groups=16,
    )


class Texts:
    """Embeddings ``[n, tokens, width]`` of texts, each computed once and kept in half precision.

    Always in batches of one size, since rounding depends on it and a resumed cast must find the same numbers.
    """

    BATCH = 16

    def __init__(self, encoder: CLIPTextModel, tokenizer: CLIPTokenizer, device: torch.device) -> None:
        self.encoder, self.tokenizer, self.device = encoder.to(device), tokenizer, device
        self.known: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, texts: list[str]) -> Tensor:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        for start in range(0, len(new), self.BATCH):
            part = new[start : start + self.BATCH]
            full = part + [""] * (self.BATCH - len(part))
            tokens = self.tokenizer(full, padding="max_length", truncation=True, return_tensors="pt")
            hidden = self.encoder(tokens.input_ids.to(self.device)).last_hidden_state.half()
            self.known |= dict(zip(part, hidden[: len(part)].clone(), strict=True))
        return torch.stack([self.known[text] for text in texts]).float()


@torch.no_grad()
def latents_of(path: Path, vae: AutoencoderKL, split: Split, bfloat16: bool, batch: int = 32) -> Tensor:
    """Scaled latents of a split, ``float16 [n, 4, s/8, s/8]``, computed once."""
    if not path.exists():
        parts = []
        for rows in torch.arange(len(split)).split(batch):
            with torch.autocast(vae.device.type, torch.bfloat16, enabled=bfloat16):
                parts.append(autoencoder.encode(vae, split.batch(rows).to(vae.device)).half().cpu())
        np.save(path.with_suffix(".side.npy"), torch.cat(parts).numpy())
        path.with_suffix(".side.npy").replace(path)
    return torch.from_numpy(np.load(path)).contiguous()


def text_for(split: Split, row: int, pick: float) -> str:
    """Nothing in 10% (for guidance), words for the whole family in 10%, else one of the picture's captions."""
    told, spoilt = split.captions[row], split.attributes[row]["degraded"]
    if pick < 0.1:
        return ""
    if pick < 0.2 and not spoilt:
        texts = generic(int(split.family[row]))
        return texts[int(pick * 1e6) % len(texts)]
    return told[int(pick * 1e6) % len(told)]


def times(count: int, rng: torch.Generator) -> Tensor:
    """Stratified times ``[count]`` in 0..1, half of them uniform and half drawn to the middle (a Beta(2, 2)).

    Near both ends most of the error cannot be helped: fine noise at one, the choice of the picture at the other.
    """
    at = (torch.rand(1, generator=rng) + torch.arange(count) / count) % 1
    middle = 0.5 - torch.sin(torch.asin(1 - 2 * at) / 3)
    return torch.where(torch.arange(count) % 2 == 0, at, middle).clamp(0, 0.9999)


def loss_for(latents: Tensor, split: Split, texts: Texts, preset: Preset, device: torch.device) -> Loss:
    """Squared error of v."""
    noise_schedule = scheduler()

    def loss(model: nn.Module, rng: torch.Generator, done: float) -> tuple[Tensor, dict[str, float]]:
        rows = torch.randint(len(latents), (preset.unet.batch,), generator=rng)
        picks = torch.rand(len(rows), generator=rng).tolist()
        told = texts([text_for(split, row, pick) for row, pick in zip(rows.tolist(), picks, strict=True)])
        x0 = latents[rows].float()
        noise = torch.randn(x0.shape, generator=rng)
        at = times(len(rows), rng)
        t = (at * noise_schedule.config.num_train_timesteps).long()
        x = noise_schedule.add_noise(x0, noise, t)
        v = noise_schedule.get_velocity(x0, noise, t).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=preset.bfloat16):
            out = model(x.to(device), t.to(device), told.to(device)).sample.float()
        return F.mse_loss(out, v), {}

    return loss


@torch.no_grad()
def sample(
    unet: UNet2DConditionModel, texts: Texts, prompts: list[str], noise: Tensor, preset: Preset, steps: int = 20,
    negative: str = captions.NEGATIVE,
) -> Tensor:  # fmt: skip
    """Guided DDIM from ``noise [n, 4, h, w]``, as the pipeline does it; returns scaled latents."""
    schedule = scheduler()
    schedule.set_timesteps(steps)
    device = noise.device
    told = torch.cat([texts([negative] * len(noise)), texts(prompts)]).to(device)
    x = noise
    for t in schedule.timesteps:
        with torch.autocast(device.type, torch.bfloat16, enabled=preset.bfloat16):
            v = unet(torch.cat([x, x]), t, told).sample.float()
        without, with_ = v.chunk(2)
        x = schedule.step(without + preset.guidance * (with_ - without), t, x).prev_sample
    return x


def look_with(vae: AutoencoderKL, texts: Texts, preset: Preset) -> Look:
    """A sheet: a row of neutral pictures, then a row a family."""
    side, columns = preset.data.size // 8, preset.columns
    families = [generic(k)[0] for k in range(len(FAMILIES))]
    prompts = [p for p in [captions.NEUTRAL, captions.NEUTRAL, *families] for _ in range(columns)]
    noise = torch.randn(len(prompts), 4, side, side, generator=torch.Generator().manual_seed(5)).to(vae.device)

    def look(unet: nn.Module) -> Tensor:
        x = sample(unet, texts, prompts, noise, preset, steps=12)
        pictures = torch.cat([autoencoder.decode(vae, part) for part in x.split(10)]).float()
        return sheet(pictures.cpu(), columns * 2)

    return look


def begin(folder: Path, preset: Preset) -> UNet2DConditionModel:
    """A fresh UNet, or the one that an adopted world brought along."""
    if not (folder / "start" / "config.json").exists():
        return build(preset)
    model = UNet2DConditionModel.from_pretrained(folder / "start")
    if tuple(model.config.block_out_channels) != preset.shapes.unet:
        raise FoundryError(f"{folder / 'start'} is of another size than preset {preset.name!r}: adopt with its own")
    return model.train().requires_grad_(True)


def cast(
    folder: Path, preset: Preset, split: Split, vae: AutoencoderKL, texts: Texts, device: torch.device
) -> UNet2DConditionModel:
    """Trains, or loads what was trained."""
    if (folder / "model" / "config.json").exists():
        return UNet2DConditionModel.from_pretrained(folder / "model").to(device).eval()
    folder.mkdir(parents=True, exist_ok=True)
    latents = latents_of(folder / "latents.npy", vae, split, preset.bfloat16)
    torch.manual_seed(3)
    model = begin(folder, preset).to(device)
    loss = loss_for(latents, split, texts, preset, device)
    model = train("unet", folder, model, preset.unet, loss, preset.fingerprint("unet"), look_with(vae, texts, preset))
    model.save_pretrained(folder / "model")
    put(folder / "done", b"")
    return model
