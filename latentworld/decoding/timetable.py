"""At which times a decoder's networks are asked, and what its scheduler is given and gives at each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.decoding.samplers import SAMPLERS, Sampler
from latentworld.decoding.sampling import Sampling, check
from latentworld.worlds.few_step import MEMBERS, named, steps_in
from latentworld.worlds.parts import quiet

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.worlds.families.family import Config, Family, Scheduler

Times = Mapping[int, tuple[int, ...]]
"""The times of so many steps, falling, of networks that were trained at these and no others."""


@dataclass(frozen=True)
class MadeFor:
    """The sampling that networks were made for: a name in `SAMPLERS`, the spacing of its times, and the times of so
    many steps where those are not spaced evenly."""

    sampler: str
    spacing: str = ""
    times: Times | None = None

    @staticmethod
    def few(name: str) -> MadeFor:
        """A few-step member of that name."""
        member = MEMBERS[name]
        return MadeFor(member.sampler, member.spacing, member.times)


@dataclass(frozen=True, eq=False)
class Timetable:
    """One sampler along one world's schedule. name: of the sampler; scheduler: its state, so one a decoder; trailing:
    whether a sampler that spaces its times itself (LCM) is given trailing ones; fixed: as in `Times`."""

    family: Family
    name: str
    scheduler: Scheduler
    trailing: bool = False
    fixed: Times | None = None

    @property
    def sampler(self) -> Sampler:
        """Of that name."""
        return SAMPLERS[self.name]

    @property
    def count(self) -> int:
        """Times of training; 0 where a schedule has none."""
        return len(self.scheduler.alphas_cumprod) if self.sampler.noise == "diffusion" else 0

    @property
    def first(self) -> float | Tensor:
        """Factor of a walk's latent at the first step: of so strong a noise is it taken for."""
        if self.sampler.noise == "trigflow":
            return float(self.scheduler.config["sigma_data"])
        return 1.0 if self.sampler.noise == "flow" else self.scheduler.init_noise_sigma

    @property
    def times(self) -> Tensor:
        """Those at which the network is asked, on the CPU, after `begin`."""
        times = self.scheduler.timesteps
        return times[:-1] if self.sampler.noise == "trigflow" else times

    def begin(self, steps: int, shape: tuple[int, int, int]) -> None:
        """Set the times of so many steps over latents of a shape. Raises what a scheduler raises for steps it lacks."""
        fixed = (self.fixed or {}).get(steps) or (_trailing(self.count, steps) if self.trailing else None)
        if fixed is None:
            self.family.begin(self.scheduler, steps, shape)
        else:
            with quiet(imported=True):  # LCM's warns of times that its own training had not
                self.scheduler.set_timesteps(timesteps=list(fixed))
        if self.sampler.indexed:
            self.scheduler.set_begin_index(0)

    def entering(self, sample: Tensor, time: Tensor) -> Tensor:
        """A sample as the network takes it."""
        return self.scheduler.scale_model_input(sample, time) if self.sampler.noise == "diffusion" else sample


def member_of_lora(lora: Path, family: Family) -> str:
    """Which few-step member a LoRA makes of this family, by its file's name; where that says nothing an LCM, and of a
    flow one whose steps nobody knows."""
    noise = SAMPLERS[family.sampler].noise
    able = tuple(name for name, member in MEMBERS.items() if SAMPLERS[member.sampler].noise == noise)
    return named(lora.stem, able) or {"diffusion": "lcm", "flow": "flow_lora", "trigflow": "sprint"}[noise]


def few_steps_of(lora: Path, family: Family) -> tuple[int | None, float]:
    """The steps that a LoRA was made for, None where its name does not say what it is, and its guidance of two texts, 1
    for none."""
    name = member_of_lora(lora, family)
    member = MEMBERS[name]
    steps = steps_in(lora.stem, member)
    if not named(lora.stem, (name,)):
        return None, 1.0
    usual = steps[0] if len(steps) == 1 else member.usual
    return usual, member.guided.get(usual, 1.0)


def whole_of(family: Family, few_step: str) -> MadeFor:
    """What a world's own network is made for in faithful pictures; of an LCM the many steps of its family, as ever."""
    member = MEMBERS.get(few_step)
    return MadeFor(family.sampler) if member is None or not member.whole else MadeFor.few(few_step)


def timetable(family: Family, schedule: Config, made: MadeFor, name: str, sampling: Sampling) -> Timetable:
    """A new timetable. schedule: of the networks, as their family repairs it; made: what they were made for; name: of
    the sampler that is asked for, "" for that one; sampling: what else is asked for. Raises PresetError as `check`."""
    made = made if name in ("", made.sampler) else MadeFor(name)
    check(made.sampler, sampling, SAMPLERS[family.sampler].noise, family.title)
    sampler, spacing = SAMPLERS[made.sampler], sampling.spacing or made.spacing
    scheduler = sampler.scheduler(schedule, **({"timestep_spacing": spacing} if spacing else {}), **sampling.options)
    trailing = spacing == "trailing" and sampler.spacings == ("trailing",)
    return Timetable(family, made.sampler, scheduler, trailing, None if sampling.spacing else made.times)


def _trailing(count: int, steps: int) -> tuple[int, ...] | None:
    """Times of `steps` steps counted from the noisy end: 999 749 499 249 of 1,000."""
    return tuple(round(count - index * count / steps) - 1 for index in range(steps)) if 1 <= steps <= count else None
