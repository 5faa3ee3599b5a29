"""Pictures a second on this machine, side by side in one run, against the write-up's own loop.

    python benchmarks/speed.py [--world embedded] [--steps 50] [--repeats 5]

Contestants take turns, so that a machine that slows down slows all of them; medians are shown. Goals on two cores:
faithful at least 1.3x the pipeline in batches of 8 and 2.5x the pipeline one at a time; the scout from latents to CLIP
features at least 20 pictures a second at 128 px, aiming at 30.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from common import show
from torch import Tensor

from latentworld import worlds
from latentworld.decoding import engines, faithful_decoder, scout_decoder
from latentworld.prompts import Prompt
from latentworld.vision import clip_eye
from latentworld.worlds import World

Contest = dict[str, Callable[[], Any]]


def pipelines(world: World, path: str, latents: Tensor, prompt: Prompt, steps: int, guidance: float) -> Contest:
    """The write-up's loop: the pipeline, to PIL pictures, `num_images_per_prompt` the batch."""
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(path, dtype=torch.float32, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    asked = {"prompt": prompt.positive, "negative_prompt": prompt.negative, "guidance_scale": guidance}

    def run(batch: int) -> None:
        for some in latents.split(batch):
            pipe(**asked, latents=some, num_images_per_prompt=len(some), num_inference_steps=steps)

    return {"pipeline, one at a time": lambda: run(1), "pipeline, batches of 8": lambda: run(8)}


def ours(world: World, latents: Tensor, prompt: Prompt, asked: argparse.Namespace) -> Contest:
    """The faithful decoder by engine; the scout with and without CLIP by engine."""
    contest: Contest = {}
    for engine in asked.engine:
        faithful = faithful_decoder(world, steps=asked.steps, guidance=asked.guidance, batch=asked.batch, engine=engine)
        contest[f"faithful, {engine}"] = lambda decoder=faithful: decoder(latents, prompt)
    for engine in asked.engine:
        scout, eye = scout_decoder(world, batch=asked.batch, engine=engine), None
        if world.clip is not None:
            eye = clip_eye(None, world, batch=asked.batch, engine=engine)
        look: Callable[[Tensor], Tensor] = (lambda pictures: pictures) if eye is None else eye
        contest[f"scout to CLIP, {engine}"] = lambda decoder=scout, see=look: see(decoder(latents, prompt))
        if engine == "openvino" and engines.has_bfloat16():  # as a show has it
            coarse = scout.variant(replace(scout.settings, precision="bfloat16"))
            contest["the same in bfloat16"] = lambda decoder=coarse, see=look: see(decoder(latents, prompt))
    return contest


def measure(contest: Contest, repeats: int) -> dict[str, list[float]]:
    """Seconds of each contestant's turns; a first turn, which compiles and warms up, is not counted."""
    took: dict[str, list[float]] = {name: [] for name in contest}
    for turn in range(repeats + 1):
        for name, run in contest.items():
            began = time.perf_counter()
            run()
            if turn:
                took[name].append(time.perf_counter() - began)
    return took


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="embedded")
    parser.add_argument("--steps", type=int, help="the card's by default")
    parser.add_argument("--guidance", type=float, help="the card's by default")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--engine", nargs="+", default=["eager", "openvino"])
    asked = parser.parse_args()
    world = worlds.load(asked.world)
    told = world.card.defaults
    asked.steps = asked.steps or told.steps
    asked.guidance = told.guidance if asked.guidance is None else asked.guidance
    prompt = Prompt(told.prompt, told.negative)
    latents = torch.randn(asked.pictures, *world.shape, generator=torch.Generator().manual_seed(0))
    path = str(worlds.resolve(asked.world)[0])
    contest = pipelines(world, path, latents, prompt, asked.steps, asked.guidance) | ours(world, latents, prompt, asked)
    rates = {
        name: asked.pictures / statistics.median(seconds) for name, seconds in measure(contest, asked.repeats).items()
    }
    one, eight = rates["pipeline, one at a time"], rates["pipeline, batches of 8"]
    rows = [
        (name, f"{rate:.2f}", f"{1e3 / rate:.1f}", f"{rate / one:.2f}x", f"{rate / eight:.2f}x")
        for name, rate in rates.items()
    ]
    title = (
        f"{asked.world} at {world.card.size} px: {asked.steps} steps, guidance {asked.guidance} "
        f"(scout {told.scout_steps} steps), medians of {asked.repeats} interleaved turns of {asked.pictures} pictures"
    )
    show(title, ("", "pictures/s", "ms a picture", "against one at a time", "against batches of 8"), rows)


if __name__ == "__main__":
    main()
