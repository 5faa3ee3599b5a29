"""Worlds with random weights in the shapes of Stable Diffusion 1.5 and SDXL, made on the device: they cost what trained
ones cost. `tiny` has the same parts with narrow layers, for rehearsing on a processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from latentworld.prompts import Prompt
from latentworld.worlds import Card, World
from latentworld.worlds.families import sd1, sdxl
from latentworld.worlds.families.family import Family

PROMPT = Prompt("High quality picture, 4k, detailed", "blurry, ugly, stock photo")
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "set_alpha_to_one": False}


@dataclass(frozen=True)
class Widths:
    """How wide networks are. side: pixels; words: width of a text; sees: pixels of CLIP."""

    side: int = 512
    unet: tuple[int, ...] = (320, 640, 1280, 1280)
    xl: tuple[int, ...] = (320, 640, 1280)
    depths: tuple[int, ...] = (1, 2, 10)
    vae: tuple[int, ...] = (128, 256, 512, 512)
    words: int = 768
    xl_words: int = 2048
    pooled: int = 1280
    groups: int = 32
    clip: int = 768
    clip_layers: int = 12
    sees: int = 224
    patch: int = 32
    tiny: int = 64


FULL = Widths()
TINY = Widths(64, (32, 32, 32, 32), (32, 32, 32), (1, 1, 1), (16, 16, 16, 16), 32, 48, 16, 16, 32, 1, 32, 8, 8)


@dataclass(frozen=True)
class RandomWords:
    """A text encoder that has read every text already: what it gives is random. shapes: of one row of each tensor."""

    shapes: tuple[tuple[int, ...], ...]
    device: torch.device
    dtype: torch.dtype

    def __call__(self, text: str) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(len(text))
        return tuple(torch.randn(1, *shape, generator=generator).to(self.device, self.dtype) for shape in self.shapes)

    def changed(self, change: Callable[[nn.Module], nn.Module], part: str = "text_encoder") -> RandomWords:
        return self

    def skipping(self, layers: int) -> RandomWords:
        return self

    def pooled(self, text: str, conditioning: tuple[Tensor, ...]) -> Any:
        return conditioning[0].float().mean(dim=1)[0].cpu().double().numpy()


def _vae(widths: Widths, **other: Any) -> nn.Module:
    from diffusers import AutoencoderKL

    blocks = len(widths.vae)
    return AutoencoderKL(
        block_out_channels=widths.vae, layers_per_block=2, latent_channels=4, norm_num_groups=widths.groups,
        down_block_types=("DownEncoderBlock2D",) * blocks, up_block_types=("UpDecoderBlock2D",) * blocks, **other,
    )  # fmt: skip


def sd15(device: torch.device, dtype: torch.dtype, widths: Widths) -> World:
    """SD 1.5's shapes."""
    from diffusers import UNet2DConditionModel

    with torch.device(device):
        unet = UNet2DConditionModel(
            sample_size=widths.side // 8, block_out_channels=widths.unet, cross_attention_dim=widths.words,
            attention_head_dim=8, norm_num_groups=widths.groups,
        )  # fmt: skip
        vae = _vae(widths)
    words = RandomWords(((77, widths.words),), device, dtype)
    return _world("sd15-random", sd1.FAMILY, unet, vae, words, device, dtype, widths, sd1.FAMILY.schedule(BETAS))


def sdxl_turbo(device: torch.device, dtype: torch.dtype, widths: Widths) -> World:
    """SDXL-Turbo's shapes: its UNet, made for one step."""
    from diffusers import UNet2DConditionModel

    levels = len(widths.xl)
    with torch.device(device), _as(dtype):
        unet = UNet2DConditionModel(
            sample_size=widths.side // 8, block_out_channels=widths.xl, cross_attention_dim=widths.xl_words,
            attention_head_dim=tuple(max(width // 64, 1) for width in widths.xl), use_linear_projection=True,
            transformer_layers_per_block=widths.depths, norm_num_groups=widths.groups,
            down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (levels - 1),
            up_block_types=("CrossAttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",), addition_embed_type="text_time",
            addition_time_embed_dim=256, projection_class_embeddings_input_dim=widths.pooled + 6 * 256,
        )  # fmt: skip
        vae = _vae(widths, scaling_factor=0.13025)
    words = RandomWords(((77, widths.xl_words), (widths.pooled,)), device, dtype)
    schedule = sdxl.FAMILY.schedule({**BETAS, "timestep_spacing": "trailing"})
    return _world("sdxl-turbo-random", sdxl.FAMILY, unet, vae, words, device, dtype, widths, schedule, "turbo")


def _world(
    name: str, family: Family, unet: Any, vae: Any, words: Any, device: torch.device, dtype: torch.dtype,
    widths: Widths, schedule: Any, few_step: str = "",
) -> World:  # fmt: skip
    from diffusers import AutoencoderTiny

    with torch.device(device):
        narrow = (widths.tiny,) * 4
        tiny = AutoencoderTiny(encoder_block_out_channels=narrow, decoder_block_out_channels=narrow)
    for model in (unet, vae, tiny):
        model.to(dtype).eval().requires_grad_(False)
    latent = family.latent(unet.config, vae.config)
    return World(
        name=name, source="random", family=family, card=Card(name=name, size=widths.side), latent=latent,
        denoiser=unet, vae=vae, text=words, schedule=schedule, few_step=few_step, student=None, tiny_vae=tiny,
        clip=None, digest=f"random-{name}", device=device, dtype=dtype,
    )  # fmt: skip


def eye(device: torch.device, dtype: torch.dtype, widths: Widths) -> Callable[[Tensor], Tensor]:
    """CLIP ViT-B/32's shape, preprocessing included: pictures to unit features where they lie."""
    from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig

    from latentworld.transfer import uploaded
    from latentworld.vision.clip import OPENAI_MEAN, OPENAI_STD, Gaze, Optics

    vision = CLIPVisionConfig(
        hidden_size=widths.clip, intermediate_size=4 * widths.clip, num_hidden_layers=widths.clip_layers,
        num_attention_heads=max(widths.clip // 64, 1), patch_size=widths.patch, image_size=widths.sees,
    ).to_dict()  # fmt: skip
    with torch.device(device):
        gaze = Gaze(CLIPModel(CLIPConfig(vision_config=vision)).to(dtype).eval())
    optics = Optics(widths.sees, (widths.sees, widths.sees), OPENAI_MEAN, OPENAI_STD)

    def look(pictures: Tensor) -> Tensor:
        with torch.inference_mode():
            return gaze(optics(uploaded(pictures, device)).to(dtype)).float().clone()

    return look


class _as:
    """New weights of this kind: 2.6 billion of float32 would take a minute to make and twice the memory."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype, self._before = dtype, torch.get_default_dtype()

    def __enter__(self) -> None:
        torch.set_default_dtype(self._dtype)

    def __exit__(self, *error: object) -> None:
        torch.set_default_dtype(self._before)
