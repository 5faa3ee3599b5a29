"""How far faithful frames are from the vanilla diffusers pipeline called with the same latents.

    python benchmarks/fidelity.py [--world embedded] [--steps 50] [--engine eager openvino]

16 random positions: in the cell of the three vertices, outside it, and past the shell. Exit code 1 above 1/255.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from common import show
from torch import Tensor

from latentworld import vertices, worlds
from latentworld.decoding import faithful_decoder
from latentworld.plane import Plane
from latentworld.prompts import Prompt
from latentworld.worlds import World

REGIONS = ("in the cell",) * 6 + ("outside it",) * 5 + ("past the shell",) * 5


def positions(plane: Plane, seed: int) -> Tensor:
    """Latents `[16, C, H, W]` in the order of REGIONS."""
    rng = np.random.default_rng(seed)
    inside = np.array([region == "in the cell" for region in REGIONS])
    alpha, beta = (np.where(inside, rng.uniform(0, 1, 16), rng.uniform(-10, 10, 16)) for _ in range(2))
    past = np.array([region == "past the shell" for region in REGIONS])
    radius = np.where(past, rng.uniform(1.1, 3.0, 16), 1.0)
    return plane.latents(plane.unit(alpha, beta), radius)


def vanilla(world: World, path: str, latents: Tensor, prompt: Prompt, steps: int, guidance: float) -> Tensor:
    """The pipeline as a user calls it, one latent at a time; its scheduler is DDIM."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    make = StableDiffusionPipeline.from_single_file if path.endswith(".safetensors") else None
    make = make or StableDiffusionPipeline.from_pretrained
    pipe = make(path, dtype=torch.float32, safety_checker=None)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    asked = {"prompt": prompt.positive, "negative_prompt": prompt.negative, "guidance_scale": guidance}
    return torch.cat(
        [pipe(**asked, latents=one[None], num_inference_steps=steps, output_type="pt").images for one in latents]
    )


def main() -> int:
    """Print the table; 1 when any pixel is further than 1/255."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="embedded")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", nargs="+", default=["eager", "openvino"])
    asked = parser.parse_args()
    world = worlds.load(asked.world)
    told = world.card.defaults
    steps = asked.steps or told.steps
    guidance = told.guidance if asked.guidance is None else asked.guidance
    prompt = Prompt(told.prompt, told.negative)
    latents = positions(Plane(vertices.from_seeds((0, 123, 200), world.shape)), asked.seed)
    theirs = (vanilla(world, str(worlds.resolve(asked.world)[0]), latents, prompt, steps, guidance) * 255).round()
    worst, rows = 0.0, []
    for engine in asked.engine:
        decoder = faithful_decoder(world, steps=steps, guidance=guidance, batch=asked.batch, engine=engine)
        apart = ((decoder(latents, prompt) * 255).round() - theirs).abs().flatten(1)
        worst = max(worst, float(apart.max()))
        for region in dict.fromkeys(REGIONS):
            here = apart[[name == region for name in REGIONS]]
            rows.append((engine, region, str(len(here)), f"{here.max():.0f}", f"{(here > 0).float().mean():.5%}"))
    title = f"faithful against StableDiffusionPipeline: {asked.world}, {steps} steps, guidance {guidance}, fp32"
    show(title, ("engine", "positions", "number", "max difference / 255", "values that differ"), rows)
    return int(worst > 1)


if __name__ == "__main__":
    raise SystemExit(main())
