"""The guided teacher's paths, run once and kept: points that the student must pass, from noise to picture.

Stored paths keep what a student is for: the same noise means the same picture to both. Whole paths teach all of it;
beginnings, cheaper, add to the first steps, where the family is decided.
"""

from __future__ import annotations

import dataclasses
import functools
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from foundry import captions
from foundry import machine as machines
from foundry.clip import generic
from foundry.data import FAMILIES, Split, seed_of
from foundry.diffusion import scheduler
from foundry.encoded import chunks
from foundry.machine import Machine, Plan
from foundry.presets import Preset
from foundry.texts import Texts

CHUNK = 32
EARLY = 2  # segments of a beginning


@dataclass(frozen=True)
class Paths:
    """Points ``float16 [n, segments + 1, c, h, w]`` of the teacher's paths, and the prompt of each."""

    points: Tensor
    prompts: list[str]


def prompts_for(count: int, split: Split, seed: int) -> list[str]:
    """60% the neutral prompt, 25% families' own words, the rest captions of clean pictures."""
    words = random.Random(seed)
    out = []
    for _ in range(count):
        pick, row = words.random(), words.randrange(len(split))
        if pick < 0.6 or split.attributes[row]["degraded"]:
            out.append(captions.NEUTRAL)
        else:
            out.append(words.choice(generic(words.randrange(len(FAMILIES))) if pick < 0.85 else split.captions[row]))
    return out


@torch.no_grad()
def guided_path(
    teacher: UNet2DConditionModel, texts: Texts, prompts: list[str], x: Tensor, preset: Preset, segments: int,
    machine: Machine, plan: Plan | None = None,
) -> Tensor:  # fmt: skip
    """Points ``[n, segments + 1, c, h, w]`` of the teacher's path that the student must pass, the noise first."""
    schedule = scheduler()
    schedule.set_timesteps(preset.teacher_steps)
    told = torch.cat([texts([captions.NEGATIVE] * len(x)), texts(prompts)]).to(x.device)
    points, every = [x], preset.teacher_steps // preset.student_steps
    for index, t in enumerate(schedule.timesteps[: segments * every]):
        with machine.autocast(plan):
            v = teacher(torch.cat([x, x]), t, told).sample.float()
        without, with_ = v.chunk(2)
        x = schedule.step(without + preset.guidance * (with_ - without), t, x).prev_sample
        if (index + 1) % every == 0:
            points.append(x)
    return torch.stack(points, 1)


def paths_of(
    folder: Path, count: int, segments: int, teacher: UNet2DConditionModel, texts: Texts, split: Split, preset: Preset,
    machine: Machine,
) -> Paths:  # fmt: skip
    """Paths of so many segments, computed in chunks that stay."""
    size = CHUNK if machine.device.type == "cpu" else 16 * CHUNK

    def told(start: int, stop: int) -> list[str]:
        return prompts_for(stop - start, split, seed_of(folder.name, start))

    @functools.cache
    def plan() -> Plan:
        noise = torch.randn(size, *preset.shape, generator=torch.Generator().manual_seed(0)).to(teacher.device)
        given, short = [captions.NEUTRAL] * size, dataclasses.replace(preset, teacher_steps=1, student_steps=1)
        return machines.precise(
            machine, size, lambda plan: guided_path(teacher, texts, given, noise, short, 1, machine, plan)
        )

    def make(start: int, stop: int) -> Tensor:
        rng = torch.Generator().manual_seed(seed_of(folder.name, start))
        noise = torch.randn(stop - start, *preset.shape, generator=rng).to(teacher.device)
        return guided_path(teacher, texts, told(start, stop), noise, preset, segments, machine, plan())

    if count == 0:
        return Paths(torch.zeros(0, segments + 1, *preset.shape), [])
    points = chunks(folder, count, size, machine, make, folder.name)
    return Paths(points, [text for start in range(0, count, size) for text in told(start, min(start + size, count))])
