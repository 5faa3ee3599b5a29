"""The student: a UNet that walks the guided teacher's path in a few deterministic DDIM steps, without guidance.

First it learns to give the guided v in one forward instead of two (Meng et al., 2022), everywhere. Then it learns the
teacher's stored paths in three ways, one after the other:

- reflow with paired noise (Liu et al., 2209.03003): the ordinary loss, with the noise that led the teacher to a
  picture instead of any noise. In v-prediction a DDIM step is exact on that arc, so this straightens the way;
- point to point: a DDIM step is linear in v, so there is exactly one v that lands on the next stored point;
- unrolled from the noise to the picture, learning from where it really lands.

Start noise and seed therefore mean the same picture to both. How often it is of the same family (gate G4) is asked on
the way, on paths that are kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPModel, CLIPTokenizer

from foundry import autoencoder, captions, clip, gates, paths, ranks
from foundry.diffusion import levels, scheduler, signal_of, times
from foundry.files import save_network
from foundry.machine import Machine
from foundry.paths import EARLY, Paths
from foundry.presets import Preset
from foundry.texts import Texts, text_for
from foundry.training import Gate, Loss, Watch, train
from foundry.unet import Ground

APART = 640  # paths that are kept for the gate, an eighth where there are few
REFLOW, STEPWISE = 0.4, 0.8  # of the budget: reflow up to here, point to point up to here, then unrolled


def velocity(x: Tensor, target: Tensor, a: Tensor, s: Tensor, a_next: Tensor, s_next: Tensor) -> Tensor:
    """The one v with which a DDIM step from x lands on target. Levels broadcast over ``[n, c, h, w]``."""
    return (target - (a_next * a + s_next * s) * x) / (s_next * a - a_next * s)


def step(x: Tensor, v: Tensor, a: Tensor, s: Tensor, a_next: Tensor, s_next: Tensor) -> Tensor:
    """A DDIM step: ``x0 = a x - s v``, ``noise = a v + s x``, ``x' = a' x0 + s' noise``."""
    return a_next * (a * x - s * v) + s_next * (a * v + s * x)


def stepwise(model: nn.Module, x: Tensor, target: Tensor, told: Tensor, at: Tensor, steps: int) -> Tensor:
    """Squared error of v for steps ``at [n]`` of ``steps``, from ``x`` to ``target``, each ``[n, c, h, w]``."""
    when, signal, noise = levels(steps)
    a, s, a2, s2 = (level.view(-1, 1, 1, 1) for level in (signal[at], noise[at], signal[at + 1], noise[at + 1]))
    wanted = velocity(x, target, a, s, a2, s2).to(told.device)
    v = model(x.to(told.device), when[at].to(told.device), told).sample.float()
    return F.mse_loss(v, wanted)


def reflow(model: nn.Module, noise: Tensor, x0: Tensor, told: Tensor, at: Tensor) -> Tensor:
    """Squared error of v on the arc from ``noise`` to the picture ``x0`` the teacher made of it, at times ``at``."""
    signal = signal_of(scheduler())[at].view(-1, 1, 1, 1)
    sigma = (1 - signal * signal).sqrt()
    x, v = signal * x0 + sigma * noise, signal * noise - sigma * x0
    out = model(x.to(told.device), at.to(told.device), told).sample.float()
    return F.mse_loss(out, v.to(told.device))


def unrolled(model: nn.Module, points: Tensor, told: Tensor, steps: int) -> Tensor:
    """Squared error of every point reached from the noise, the final picture counting most."""
    when, signal, noise = levels(steps)
    x, total = points[:, 0].to(told.device), torch.zeros((), device=told.device)
    for k, t in enumerate(when):
        v = model(x, t.to(told.device), told).sample.float()
        x = step(x, v, signal[k], noise[k], signal[k + 1], noise[k + 1])
        weight = 1.0 if k + 1 == len(when) else 0.3 / float(signal[k + 1]) ** 2
        total = total + weight * F.mse_loss(x, points[:, k + 1].to(told.device))
    return total / len(when)


def guided_loss(teacher: UNet2DConditionModel, ground: Ground, preset: Preset) -> Loss:
    """Squared error of v against the teacher's guided v, on noised pictures with the prompts of the paths."""
    schedule, device = scheduler(), ground.machine.device
    signals = signal_of(schedule)
    none = ground.texts([captions.NEGATIVE]).to(device)

    def loss(model: nn.Module, rng: torch.Generator, done: float, count: int) -> tuple[Tensor, dict[str, float]]:
        rows = torch.randint(len(ground.latents), (count,), generator=rng)
        picks = (0.2 + 0.8 * torch.rand(count, generator=rng)).tolist()
        neutral = (torch.rand(count, generator=rng) < 0.5).tolist()
        prompts = [
            captions.NEUTRAL if plain else text_for(ground.split, row, pick)
            for row, pick, plain in zip(rows.tolist(), picks, neutral, strict=True)
        ]
        told = ground.texts(prompts).to(device)
        x0, t = ground.latents[rows].float(), times(count, rng, signals)
        x = schedule.add_noise(x0, torch.randn(x0.shape, generator=rng), t).to(device)
        with torch.no_grad():
            both = torch.cat([none.expand(count, -1, -1), told])
            without, with_ = teacher(torch.cat([x, x]), t.repeat(2).to(device), both).sample.float().chunk(2)
            wanted = without + preset.guidance * (with_ - without)
        return F.mse_loss(model(x, t.to(device), told).sample.float(), wanted), {}

    return loss


@dataclass(frozen=True)
class Lesson:
    """Rows drawn from paths: points ``[k, segments + 1, c, h, w]`` and their prompts' embeddings."""

    points: Tensor
    told: Tensor


def pick(kept: Paths, count: int, rng: torch.Generator, texts: Texts, device: torch.device) -> Lesson:
    """Random rows of stored paths."""
    rows = torch.randint(len(kept.points), (count,), generator=rng)
    return Lesson(kept.points[rows].float(), texts([kept.prompts[row] for row in rows.tolist()]).to(device))


def path_loss(whole: Paths, first: Paths, texts: Texts, preset: Preset, machine: Machine) -> Loss:
    """Reflow, then point to point (half of it on beginnings, if there are any), then unrolled, a quarter at a time."""
    total, steps = len(signal_of(scheduler())), preset.student_steps

    def loss(model: nn.Module, rng: torch.Generator, done: float, count: int) -> tuple[Tensor, dict[str, float]]:
        if done >= STEPWISE:
            lesson = pick(whole, max(1, count // 4), rng, texts, machine.device)
            value = unrolled(model, lesson.points, lesson.told, steps)
            return value, {"unrolled": float(value.detach())}
        if done < REFLOW:
            lesson = pick(whole, count, rng, texts, machine.device)
            at = ((torch.rand(1, generator=rng) + torch.arange(count) / count) % 1 * total).long()
            value = reflow(model, lesson.points[:, 0], lesson.points[:, -1], lesson.told, at)
            return value, {"reflow": float(value.detach())}
        early = count // 2 if len(first.prompts) else 0
        lessons, starts = [pick(whole, count - early, rng, texts, machine.device)], [steps]
        if early:
            lessons.append(pick(first, early, rng, texts, machine.device))
            starts.append(min(EARLY, steps))
        at = torch.cat([torch.randint(last, (len(part.points),), generator=rng)
                        for part, last in zip(lessons, starts, strict=True)])  # fmt: skip
        own = at.split([len(part.points) for part in lessons])
        x, target = (
            torch.cat([part.points[torch.arange(len(k)), k + ahead] for part, k in zip(lessons, own, strict=True)])
            for ahead in (0, 1)
        )
        value = stepwise(model, x, target, torch.cat([part.told for part in lessons]), at, steps)
        return value, {"stepwise": float(value.detach())}

    return loss


@torch.no_grad()
def sample(model: UNet2DConditionModel, texts: Texts, prompts: list[str], x: Tensor, steps: int) -> Tensor:
    """Scaled latents from ``x [n, c, h, w]`` in a few steps, without guidance."""
    schedule = scheduler()
    schedule.set_timesteps(steps)
    told = texts(prompts).to(x.device)
    for t in schedule.timesteps:
        x = schedule.step(model(x, t, told).sample, t, x).prev_sample
    return x


def apart(whole: Paths) -> tuple[Paths, Paths]:
    """What is learnt from, and what is asked of: the last `APART` paths, or an eighth."""
    rest = len(whole.prompts) - min(APART, len(whole.prompts) // 8)
    parts = (slice(None, rest), slice(rest, None))
    one, other = (Paths(whole.points[part], whole.prompts[part]) for part in parts)
    return one, other


def agreement_with(kept: Paths, ground: Ground, seer: CLIPModel, tokenizer: CLIPTokenizer, steps: int) -> Gate:
    """Gate G4: of kept paths under the neutral prompt, where families are open, the share at whose ends CLIP sees the
    family that it sees in the student's pictures."""
    neutral = [row for row, text in enumerate(kept.prompts) if text == captions.NEUTRAL] or range(len(kept.prompts))
    points, prompts = kept.points[torch.tensor([*neutral])], [kept.prompts[row] for row in neutral]

    def families(latents: Tensor) -> Tensor:
        pictures = torch.cat([autoencoder.decode(ground.vae, part) for part in latents.split(16)])
        return clip.family_probabilities(seer, tokenizer, pictures * 2 - 1).argmax(1)

    def gate(model: nn.Module) -> dict[str, float]:
        assert isinstance(model, UNet2DConditionModel)
        device, made = ground.machine.device, []
        for start in range(0, len(prompts), 32):
            noise = points[start : start + 32, 0].float().to(device)
            made.append(sample(model, ground.texts, prompts[start : start + 32], noise, steps))
        wanted = families(points[:, -1].float().to(device))
        figures = {"agrees": float((families(torch.cat(made)) == wanted).float().mean())}
        for line in gates.verdict(figures, gates.G4):
            ground.machine.log(line)
        return figures

    return gate


def _copy(source: UNet2DConditionModel) -> UNet2DConditionModel:
    model: UNet2DConditionModel = UNet2DConditionModel.from_config(source.config)
    model.load_state_dict(source.state_dict())
    return model.to(source.device).train()


def distil(folder: Path, preset: Preset, ground: Ground, teacher: UNet2DConditionModel) -> UNet2DConditionModel:
    """The network that gives the guided v in one forward: trained, or loaded."""
    if not (folder / "model" / "config.json").exists():
        mark = preset.fingerprint("distil")
        loss = guided_loss(teacher, ground, preset)
        run = train("distil", folder, _copy(teacher), preset.distil, loss, mark, ground.machine)
        _save(run.average, folder)
    return UNet2DConditionModel.from_pretrained(folder / "model").to(ground.machine.device)


def cast(
    folder: Path, preset: Preset, ground: Ground, teacher: UNet2DConditionModel, seer: CLIPModel,
    tokenizer: CLIPTokenizer,
) -> UNet2DConditionModel:  # fmt: skip
    """Trains, or loads what was trained; ``seer`` says whether it agrees."""
    machine = ground.machine
    if not (folder / "model" / "config.json").exists():
        given = (teacher, ground.texts, ground.split, preset, machine)
        first = paths.paths_of(folder.parent / "paths" / "beginnings", preset.beginnings, EARLY, *given)
        every = paths.paths_of(folder.parent / "paths" / "whole", preset.paths, preset.student_steps, *given)
        whole, kept = apart(every)
        start = distil(folder.parent / "distil", preset, ground, teacher)
        loss = path_loss(whole, first, ground.texts, preset, machine)
        gate, mark = agreement_with(kept, ground, seer, tokenizer, preset.student_steps), preset.fingerprint("student")
        watch = Watch(gate=gate, gate_every=600.0)
        run = train("student", folder, _copy(start), preset.student, loss, mark, machine, watch)
        _save(run.average, folder)
    return UNet2DConditionModel.from_pretrained(folder / "model").to(machine.device).eval()


def _save(model: nn.Module, folder: Path) -> None:
    """The result of a stage, written by the first process."""
    if ranks.rank() == 0:
        assert isinstance(model, UNet2DConditionModel)
        save_network(model, folder / "model")
    ranks.wait()
