"""How long a preset made for a GPU would take on a processor, so that nobody starts it by mistake."""

from __future__ import annotations

import time

import torch

from foundry import unet
from foundry.errors import FoundryError
from foundry.machine import Machine
from foundry.presets import Preset

TEACHER = 4_000_000  # samples that the GPU presets' teacher takes in its minutes on one large GPU


def seconds_a_sample(preset: Preset, batch: int = 8) -> float:
    """Of the teacher's training, here and now, by one thread."""
    model = unet.build(preset, preset.shapes.unets[0])
    x, t = torch.zeros(batch, *preset.shape), torch.full((batch,), 500)
    told = torch.zeros(batch, preset.shapes.tokens, preset.shapes.text_width)
    best = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        model(x, t, told).sample.square().mean().backward()
        best = min(best, (time.perf_counter() - began) / batch)
    return best


def refuse_days(preset: Preset, machine: Machine) -> None:
    """FoundryError with an estimate for a GPU preset on a processor."""
    if machine.device.type == "cpu" and preset.name.startswith("gpu"):
        days = TEACHER * seconds_a_sample(preset) / 86400
        raise FoundryError(
            f"preset {preset.name!r} would take about {days:.0f} days on this processor: use --preset cpu, or "
            "--device cuda"
        )
