"""The student: a UNet that walks the guided teacher's path in a few deterministic DDIM steps, without guidance.

The teacher's guided paths are run once and the points that the student must pass are kept. A DDIM step is linear in v,
so there is exactly one v that lands on the next point: first the student learns that v point by point, then it is
unrolled from the noise to the picture and learns from where it really lands. Start noise and seed therefore mean the
same picture to both.
"""

from __future__ import annotations

import random
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
def guided_path(teacher: UNet2DConditionModel, texts: Texts, prompts: list[str], x: Tensor, preset: Preset) -> Tensor:
    """Points ``[n, steps + 1, 4, h, w]`` of the teacher's path where the student must pass, noise first, x0 last."""
    schedule = unet.scheduler()
    schedule.set_timesteps(preset.teacher_steps)
    told = torch.cat([texts([captions.NEGATIVE] * len(x)), texts(prompts)]).to(x.device)
    points, every = [x], preset.teacher_steps // preset.student_steps
    for index, t in enumerate(schedule.timesteps):
        with torch.autocast(x.device.type, torch.bfloat16, enabled=preset.bfloat16):
            v = teacher(torch.cat([x, x]), t, told).sample.float()
        without, with_ = v.chunk(2)
        x = schedule.step(without + preset.guidance * (with_ - without), t, x).prev_sample
        if (index + 1) % every == 0:
            points.append(x)
    return torch.stack(points, 1)


def paths_of(folder: Path, teacher: UNet2DConditionModel, texts: Texts, split: Split, preset: Preset) -> Tensor:
    """The kept points, ``float16 [n, steps + 1, 4, h, w]``, computed in resumable chunks."""
    folder.mkdir(parents=True, exist_ok=True)
    side = preset.data.size // 8
    bar = tqdm(range(0, preset.trajectories, CHUNK), desc="trajectories", mininterval=15)
    for start in bar:
        path = folder / f"{start:06d}.npy"
        if path.exists():
            continue
        count = min(CHUNK, preset.trajectories - start)
        noise = torch.randn(count, 4, side, side, generator=torch.Generator().manual_seed(seed_of("path", start)))
        prompts = prompts_for(count, split, start)
        points = guided_path(teacher, texts, prompts, noise.to(teacher.device), preset).half().cpu()
        np.save(path.with_suffix(".side.npy"), points.numpy())
        path.with_suffix(".side.npy").replace(path)
    kept = [np.load(folder / f"{start:06d}.npy") for start in range(0, preset.trajectories, CHUNK)]
    return torch.from_numpy(np.concatenate(kept))


def all_prompts(split: Split, preset: Preset) -> list[str]:
    """The prompt of every path."""
    starts = range(0, preset.trajectories, CHUNK)
    return [p for s in starts for p in prompts_for(min(CHUNK, preset.trajectories - s), split, s)]


def velocity(x: Tensor, target: Tensor, a: Tensor, s: Tensor, a_next: Tensor, s_next: Tensor) -> Tensor:
    """The one v with which a DDIM step from x lands on target. Levels broadcast over ``[n, 4, h, w]``."""
    return (target - (a_next * a + s_next * s) * x) / (s_next * a - a_next * s)


def step(x: Tensor, v: Tensor, a: Tensor, s: Tensor, a_next: Tensor, s_next: Tensor) -> Tensor:
    """A DDIM step: ``x0 = a x - s v``, ``noise = a v + s x``, ``x' = a' x0 + s' noise``."""
    return a_next * (a * x - s * v) + s_next * (a * v + s * x)


def stepwise(model: nn.Module, points: Tensor, told: Tensor, at: Tensor, preset: Preset) -> Tensor:
    """Squared error of v, each path at one of its steps ``at [n]``."""
    times, signal, noise = levels(preset.student_steps)
    pick = torch.arange(len(points))
    x, target = points[pick, at], points[pick, at + 1]
    shape = (-1, 1, 1, 1)
    a, s, a2, s2 = (level.view(shape) for level in (signal[at], noise[at], signal[at + 1], noise[at + 1]))
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


def loss_for(paths: Tensor, prompts: list[str], texts: Texts, preset: Preset, device: torch.device) -> Loss:
    """Step by step for 55% of the budget, then unrolled with a quarter of the batch (four networks deep)."""

    def loss(model: nn.Module, rng: torch.Generator, done: float) -> tuple[Tensor, dict[str, float]]:
        deep = done > 0.55
        count = max(2, preset.student.batch // preset.student_steps) if deep else preset.student.batch
        rows = torch.randint(len(paths), (count,), generator=rng)
        at = torch.randint(preset.student_steps, (count,), generator=rng)
        points = paths[rows].float()
        told = texts([prompts[row] for row in rows.tolist()]).to(device)
        if deep:
            value = unrolled(model, points, told, preset)
            return value, {"unrolled": float(value.detach())}
        value = stepwise(model, points, told, at, preset)
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
    paths = paths_of(folder / "paths", teacher, texts, split, preset)
    model = unet.build(preset).to(device)
    model.load_state_dict(teacher.state_dict())
    loss = loss_for(paths, all_prompts(split, preset), texts, preset, device)
    model = train("student", folder, model, preset.student, loss, preset.fingerprint("student"))
    model.save_pretrained(folder / "model")
    return model
