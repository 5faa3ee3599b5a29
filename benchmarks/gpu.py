"""An SD-1.5-shaped world with random weights on a GPU: pictures a second against the diffusers pipeline and the limit.

    python benchmarks/gpu.py [--batch 8 16] [--dtype float16 bfloat16] [--engine eager graphs compile] [--steps 50]

512 px, 50 steps, guidance 5 as the write-up has it; the scout is 4 steps, a tiny VAE and CLIP ViT-B/32. Random weights
cost what trained ones cost. The limits are FLOP counts (ours: 83.0 TFLOP a faithful picture with CLIP L/14, 3.36 a
scout's) over what a card sustains in half precision. Aims on an H100: 5 faithful and 120 scout pictures a second.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import show

from latentworld.decoding import faithful_decoder, scout_decoder
from latentworld.prompts import Prompt
from latentworld.worlds import Card, World
from latentworld.worlds.families import sd1
from latentworld.worlds.families.clip_text import ClipText

TFLOP = {"faithful": 80.3 + 2.5, "scout": 3.36}  # a picture; performance.md
SUSTAINED = {"H100": 790.0, "H200": 790.0, "A100": 250.0, "4090": 165.0}  # TFLOP/s in half precision
DEVICE = "cuda"
PROMPT = Prompt("High quality picture, 4k, detailed", "blurry, ugly, stock photo")


class Words:
    """A tokenizer without a vocabulary: 77 numbers, as the text encoder wants them."""

    model_max_length = 77

    def __call__(self, text: Any, **options: Any) -> Any:
        from transformers import BatchEncoding

        ids = torch.full((1, 77), 7)
        short = options.get("padding") in (None, False, "longest")
        return BatchEncoding({"input_ids": [7] if short and "verbose" in options else ids, "attention_mask": ids})

    def decode(self, ids: Any) -> str:
        return ""


def world(dtype: torch.dtype) -> World:
    """SD 1.5's shapes, random weights, on the GPU."""
    from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    widths, four = (320, 640, 1280, 1280), 4
    with torch.device(DEVICE):
        unet = UNet2DConditionModel(
            sample_size=64, block_out_channels=widths, cross_attention_dim=768, attention_head_dim=8
        )
        vae = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * four, up_block_types=("UpDecoderBlock2D",) * four,
        )  # fmt: skip
        tiny = AutoencoderTiny()
        text = CLIPTextModel(
            CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
        )
    for model in (unet, vae, tiny, text):
        model.to(dtype).eval().requires_grad_(False)
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "set_alpha_to_one": False}
    return World(
        name="sd15-random", source="random", family=sd1.FAMILY, card=Card(name="sd15-random", size=512),
        latent=sd1.LATENT, denoiser=unet, vae=vae, text=ClipText(Words(), text),
        schedule=sd1.FAMILY.schedule(betas), few_step="", student=None, tiny_vae=tiny, clip=None,
        digest="random", device=torch.device(DEVICE), dtype=dtype,
    )  # fmt: skip


def eye(dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    """CLIP ViT-B/32 with random weights, preprocessing included."""
    from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig

    from latentworld.vision.clip import OPENAI_MEAN, OPENAI_STD, Gaze, Optics

    vision = CLIPVisionConfig(patch_size=32).to_dict()
    with torch.device(DEVICE):
        gaze = Gaze(CLIPModel(CLIPConfig(vision_config=vision)).to(dtype).eval())
    optics = Optics(224, (224, 224), OPENAI_MEAN, OPENAI_STD)

    def look(pictures: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return gaze(optics(pictures.to(DEVICE)).to(dtype)).float().cpu()

    return look


def pipeline(ours: World) -> Any:
    """The diffusers pipeline over the same networks, laid out plainly."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    pipe = StableDiffusionPipeline(
        vae=ours.vae, text_encoder=None, tokenizer=None, unet=ours.denoiser,
        safety_checker=None, feature_extractor=None,
        scheduler=DDIMScheduler.from_config(ours.schedule), requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe


def rate(run: Callable[[], Any], pictures: int, repeats: int) -> float:
    """Pictures a second, the median of `repeats` after one that warms up."""
    took = []
    for turn in range(repeats + 1):
        torch.cuda.synchronize()
        began = time.perf_counter()
        run()
        torch.cuda.synchronize()
        if turn:
            took.append(time.perf_counter() - began)
    return pictures / statistics.median(took)


def contest(dtype: str, batch: int, asked: argparse.Namespace) -> list[tuple[str, ...]]:
    """Rows of the table for one dtype and batch: the pipeline, then ours by engine, then the scout by engine."""
    kind = getattr(torch, dtype)
    ours, look = world(kind), eye(kind)
    z = torch.randn(batch, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    text = torch.randn(2, 77, 768, device=DEVICE, dtype=kind)
    pipe = pipeline(ours)

    def vanilla() -> None:
        pipe(
            prompt_embeds=text[1:], negative_prompt_embeds=text[:1], num_images_per_prompt=batch, output_type="pt",
            latents=z.to(DEVICE, kind), num_inference_steps=asked.steps, guidance_scale=5.0,
        )  # fmt: skip

    base = rate(vanilla, batch, asked.repeats)
    rows = [_row("pipeline", dtype, batch, base, base, "faithful")]
    for engine in asked.engine:
        decoder = faithful_decoder(ours, steps=asked.steps, guidance=5.0, batch=batch, engine=engine)
        found = rate(lambda decoder=decoder: decoder(z, PROMPT), batch, asked.repeats)
        rows.append(_row(f"faithful, {engine}", dtype, batch, found, base, "faithful"))
    for engine in asked.engine:
        scout = scout_decoder(ours, steps=4, batch=batch, engine=engine)
        found = rate(lambda scout=scout: look(scout(z, PROMPT)), batch, asked.repeats * 4)
        rows.append(_row(f"scout to CLIP, {engine}", dtype, batch, found, base, "scout"))
    return rows


def _row(name: str, dtype: str, batch: int, found: float, base: float, kind: str) -> tuple[str, ...]:
    card = torch.cuda.get_device_name()
    sustained = next((speed for part, speed in SUSTAINED.items() if part in card), None)
    share = "-" if sustained is None else f"{found * TFLOP[kind] / sustained:.0%}"
    return (name, dtype, str(batch), f"{found:.2f}", f"{found / base:.2f}x", share)


def main() -> None:
    """Print the table, or that there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--dtype", nargs="+", default=["float16", "bfloat16"])
    parser.add_argument("--engine", nargs="+", default=["eager", "graphs"])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        print(f"{Path(__file__).name}: not run: no CUDA device")
        return
    rows = [row for dtype in asked.dtype for batch in asked.batch for row in contest(dtype, batch, asked)]
    title = f"SD-1.5-shaped, random weights, 512 px, {asked.steps} steps with guidance"
    show(title, ("", "dtype", "batch", "pictures/s", "against the pipeline", "of the card's limit"), rows)


if __name__ == "__main__":
    main()
