"""Schedules that families share: how noise is taken out, and at which times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentworld.errors import PresetError
from latentworld.worlds.parts import quiet

if TYPE_CHECKING:
    from latentworld.worlds.families.family import Config, Scheduler


def variance_preserving(config: Config, sampler: str) -> Scheduler:
    """DDIM or LCM (`ddim`, `lcm`) from any scheduler's config, with the repairs that StableDiffusionPipeline makes on
    loading. Raises PresetError for another sampler.

    The pipeline sets `steps_offset` to 1 and `clip_sample` to False; DDIMScheduler's own default for a config without
    `clip_sample` is True, which would clip latents as if they were pixels.
    """
    if sampler == "lcm":
        from diffusers.schedulers.scheduling_lcm import LCMScheduler as Made
    elif sampler == "ddim":
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler as Made
    else:
        raise PresetError(f"sampler = {sampler!r}: this world takes ddim or lcm")
    with quiet():  # else it names every entry of another scheduler's config that this one leaves alone
        made: Scheduler = Made.from_config(dict(config) | {"clip_sample": False, "steps_offset": 1})
    return made


def evenly(scheduler: Scheduler, steps: int, shape: tuple[int, int, int]) -> None:
    """Set the times of `steps` steps as the scheduler spaces them, whatever the latents' shape."""
    scheduler.set_timesteps(steps)
