"""The faithful decoder: DDIM with eta = 0 and classifier-free guidance, the picture the diffusers pipeline makes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from latentworld.decoding import engines
from latentworld.decoding.diffusion import Build, Diffusion, Recipe
from latentworld.decoding.modules import Denoiser, Painter
from latentworld.worlds import World


def faithful(
    world: World,
    steps: int | None = None,
    guidance: float | None = None,
    batch: int = 8,
    engine: str = "eager",
    size: tuple[int, int] | None = None,
    lean: bool = True,
    build: Build = engines.build,
) -> Diffusion:
    """A decoder equal to `StableDiffusionPipeline(..., scheduler=DDIM)` called with the same latents.

    `steps` and `guidance` default to the world's card; guidance up to 1 leaves the negative pass out, as the pipeline
    does. `lean=False` runs the library's own UNet forward, the slow twin. Raises PresetError.
    """
    told = world.card.defaults
    recipe = Recipe(
        name="faithful" if lean else "faithful/plain",
        unet=Denoiser(world.unet, lean=lean),
        vae=Painter(world.vae),
        scheduler=type(world.scheduler).from_config(world.scheduler.config),  # of our own: schedulers keep state
        step=ddim,
        steps=told.steps if steps is None else steps,
        guidance=told.guidance if guidance is None else guidance,
        key=world.digest,
    )
    return Diffusion(world, recipe, batch, engine, size, build)


def ddim(scheduler: Any, prediction: Tensor, time: Tensor, sample: Tensor, start: Tensor) -> Tensor:
    """One DDIM step with eta = 0 (Song et al. 2021, eq. 12): no noise, so nothing but the start matters."""
    stepped: Tensor = scheduler.step(prediction, time, sample, eta=0.0, return_dict=False)[0]
    return stepped
