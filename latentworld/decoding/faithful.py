"""The faithful decoder: DDIM with eta = 0 and classifier-free guidance, the picture the diffusers pipeline makes."""

from __future__ import annotations

from latentworld.decoding import engines
from latentworld.decoding.diffusion import Build, Diffusion, Recipe
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
        unet=world.family.denoiser(world.denoiser, lean=lean),
        vae=world.family.painter(world.vae, world.latent),
        scheduler=type(world.scheduler).from_config(world.scheduler.config),  # of our own: schedulers keep state
        step=world.family.step,
        steps=told.steps if steps is None else steps,
        guidance=told.guidance if guidance is None else guidance,
        key=world.digest,
    )
    return Diffusion(world, recipe, batch, engine, size, build)
