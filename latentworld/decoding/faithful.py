"""The faithful decoder: DDIM with eta = 0 and classifier-free guidance, the picture the diffusers pipeline makes."""

from __future__ import annotations

from latentworld.decoding import engines
from latentworld.decoding.diffusion import Diffusion
from latentworld.decoding.networks import Networks
from latentworld.decoding.running import Build
from latentworld.decoding.settings import DecoderSettings
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
    own = world.card.defaults
    settings = DecoderSettings(
        kind="faithful",
        steps=own.steps if steps is None else steps,
        guidance=own.guidance if guidance is None else guidance,
        batch=batch,
        size=size or (world.card.size, world.card.size),
        engine=engine,
        device=str(world.device),
        dtype=str(world.dtype).removeprefix("torch."),
        variant="" if lean else "plain",
    )
    return Diffusion(Networks(world), settings, build)
