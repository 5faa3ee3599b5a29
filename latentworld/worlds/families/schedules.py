"""Schedules that families share: which noise there is at each time, and at which times it is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentworld.worlds.families.family import Config, Scheduler


def variance_preserving(config: Config) -> Config:
    """A scheduler's config with the repairs that StableDiffusionPipeline makes on loading.

    The pipeline sets `steps_offset` to 1 and `clip_sample` to False; DDIMScheduler's own default for a config without
    `clip_sample` is True, which would clip latents as if they were pixels.
    """
    return {**config, "clip_sample": False, "steps_offset": 1}


def evenly(scheduler: Scheduler, steps: int, shape: tuple[int, int, int]) -> None:
    """Set the times of `steps` steps as the scheduler spaces them, whatever the latents' shape."""
    scheduler.set_timesteps(steps)
