"""The student: a UNet that walks the guided teacher's path in a few deterministic DDIM steps, without guidance.

The teacher's guided paths are run once and the points that the student must pass are kept. A DDIM step is linear in v,
so there is exactly one v that lands on the next point: first the student learns that v point by point, then it is
unrolled from the noise to the picture and learns from where it really lands. Start noise and seed therefore mean the
same picture to both.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from tqdm import tqdm

from foundry import captions, unet
from foundry.clip import generic
from foundry.data import FAMILIES, Split, seed_of
from foundry.presets import Preset
from foundry.training import Loss, train
from foundry.unet import Texts

CHUNK = 32


def levels(steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Times ``[steps]`` of the student, and signal and noise ``[steps + 1]`` there and at the end (1 and 0)."""
    schedule: DDIMScheduler = unet.scheduler()
    schedule.set_timesteps(steps)
    bars = torch.cat([schedule.alphas_cumprod[schedule.timesteps], torch.ones(1)])
    return schedule.timesteps, bars.sqrt(), (1 - bars).sqrt()


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
    teacher: UNet2DConditionModel, texts: Texts, prompts: list[str], x: Tensor, preset: Preset, segments: int
) -> Tensor:
    """Points ``[n, segments + 1, 4, h, w]`` of the teacher's path that the student must pass, the noise first."""
    schedule = unet.scheduler()
    schedule.set_timesteps(preset.teacher_steps)
    told = torch.cat([texts([captions.NEGATIVE] * len(x)), texts(prompts)]).to(x.device)
    points, every = [x], preset.teacher_steps // preset.student_steps
    for index, t in enumerate(schedule.timesteps[: segments * every]):
        with torch.autocast(x.device.type, torch.bfloat16, enabled=preset.bfloat16):
            v = teacher(torch.cat([x, x]), t, told).sample.float()
        without, with_ = v.chunk(2)
        x = schedule.step(without + preset.guidance * (with_ - without), t, x).prev_sample
        if (index + 1) % every == 0:
            points.append(x)
    return torch.stack(points, 1)


@dataclass(frozen=True)
class Paths:
    """Points ``float16 [n, segments + 1, 4, h, w]`` of the teacher's paths, and the prompt of each."""

    points: Tensor
    prompts: list[str]


def paths_of(
    folder: Path, count: int, segments: int, teacher: UNet2DConditionModel, texts: Texts, split: Split, preset: Preset
) -> Paths:
    """Paths of so many segments, computed in resumable chunks."""
    folder.mkdir(parents=True, exist_ok=True)
    side, prompts, kept = preset.data.size // 8, [], []
    for start in tqdm(range(0, count, CHUNK), desc=folder.name, mininterval=15, file=sys.stdout):
        path, size = folder / f"{start:06d}.npy", min(CHUNK, count - start)
        seed = seed_of(folder.name, start)
        told = prompts_for(size, split, seed)
        if not path.exists():
            noise = torch.randn(size, 4, side, side, generator=torch.Generator().manual_seed(seed))
            points = guided_path(teacher, texts, told, noise.to(teacher.device), preset, segments)
            np.save(path.with_suffix(".side.npy"), points.half().cpu().numpy())
            path.with_suffix(".side.npy").replace(path)
        kept.append(np.load(path))
        prompts += told
    return Paths(torch.from_numpy(np.concatenate(kept)), prompts)


def velocity(x: Tensor, target: Tensor, a: Tensor, s: Tensor, a_next: Tensor, s_next: Tensor) -> Tensor:
    """The one v with which a DDIM step from x lands on target. Levels broadcast over ``[n, 4, h, w]``."""
    return (target - (a_next * a + s_next * s) * x) / (s_next * a - a_next * s)


def step(x: Tensor, v: Tensor, a: Tensor, s: Tensor, a_next: Tensor, s_next: Tensor) -> Tensor:
    """A DDIM step: ``x0 = a x - s v``, ``noise = a v + s x``, ``x' = a' x0 + s' noise``."""
    return a_next * (a * x - s * v) + s_next * (a * v + s * x)


def stepwise(model: nn.Module, x: Tensor, target: Tensor, told: Tensor, at: Tensor, preset: Preset) -> Tensor:
    """Squared error of v for steps ``at [n]`` of the student, from ``x`` to ``target``, each ``[n, 4, h, w]``."""
    times, signal, noise = levels(preset.student_steps)
    a, s, a2, s2 = (level.view(-1, 1, 1, 1) for level in (signal[at], noise[at], signal[at + 1], noise[at + 1]))
    wanted = velocity(x, target, a, s, a2, s2).to(told.device)
    with torch.autocast(told.device.type, torch.bfloat16, enabled=preset.bfloat16):
        v = model(x.to(told.device), times[at].to(told.device), told).sample.float()
    return F.mse_loss(v, wanted)


def unrolled(model: nn.Module, points: Tensor, told: Tensor, preset: Preset) -> Tensor:
    """Squared error of every point reached from the noise, the final picture counting most."""
    times, signal, noise = levels(preset.student_steps)
    x, total = points[:, 0].to(told.device), torch.zeros((), device=told.device)
    for k, t in enumerate(times):
        with torch.autocast(told.device.type, torch.bfloat16, enabled=preset.bfloat16):
            v = model(x, t.to(told.device), told).sample.float()
        x = step(x, v, signal[k], noise[k], signal[k + 1], noise[k + 1])
        weight = 1.0 if k + 1 == len(times) else 0.3 / float(signal[k + 1]) ** 2
        total = total + weight * F.mse_loss(x, points[:, k + 1].to(told.device))
    return total / len(times)


def loss_for(whole: Paths, first: Paths, texts: Texts, preset: Preset, device: torch.device) -> Loss:
    """Step by step for 70% of the budget, half of it on first steps; then unrolled, a quarter as many at a time.

    The first step decides the family and is by far the hardest, so it has paths of its own: they end after one
    segment and cost a quarter of a whole one.
    """

    def pick(paths: Paths, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(paths.points), (count,), generator=rng)
        return paths.points[rows].float(), texts([paths.prompts[row] for row in rows.tolist()])

    def loss(model: nn.Module, rng: torch.Generator, done: float) -> tuple[Tensor, dict[str, float]]:
        half = max(1, preset.student.batch // 2)
        points, told = pick(whole, half if done < 0.7 else max(1, half // 2), rng)
        if done >= 0.7:
            value = unrolled(model, points, told.to(device), preset)
            return value, {"unrolled": float(value.detach())}
        early, told_early = pick(first, half, rng)
        at = torch.randint(1, preset.student_steps, (half,), generator=rng)
        rows = torch.arange(half)
        x = torch.cat([early[:, 0], points[rows, at]])
        target = torch.cat([early[:, 1], points[rows, at + 1]])
        at = torch.cat([torch.zeros(half, dtype=torch.long), at])
        value = stepwise(model, x, target, torch.cat([told_early, told]).to(device), at, preset)
        return value, {"stepwise": float(value.detach())}

    return loss


@torch.no_grad()
def sample(model: UNet2DConditionModel, texts: Texts, prompts: list[str], x: Tensor, steps: int) -> Tensor:
    """Scaled latents from ``x [n, 4, h, w]`` in a few steps, without guidance."""
    schedule = unet.scheduler()
    schedule.set_timesteps(steps)
    told = texts(prompts).to(x.device)
    for t in schedule.timesteps:
        x = schedule.step(model(x, t, told).sample, t, x).prev_sample
    return x


def cast(
    folder: Path, preset: Preset, split: Split, teacher: UNet2DConditionModel, texts: Texts, device: torch.device
) -> UNet2DConditionModel:
    """Trains, or loads what was trained."""
    if (folder / "model" / "config.json").exists():
        return UNet2DConditionModel.from_pretrained(folder / "model").to(device).eval()
    first = paths_of(folder / "beginnings", preset.beginnings, 1, teacher, texts, split, preset)
    whole = paths_of(folder / "paths", preset.trajectories, preset.student_steps, teacher, texts, split, preset)
    model = unet.build(preset).to(device)
    model.load_state_dict(teacher.state_dict())
    loss = loss_for(whole, first, texts, preset, device)
    model = train("student", folder, model, preset.student, loss, preset.fingerprint("student"))
    model.save_pretrained(folder / "model")
    return model
