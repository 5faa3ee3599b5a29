"""What a LoRA that is played costs a show: pictures while its strength fades, how many steps a fade has, coming back.

    python benchmarks/styles.py [--world embedded] [--engine openvino eager] [--decoder scout] [--fade 4] [--rank 16]

The loop's parts in one process: a walk along an edge, decoder, guard and eye as a show has them, and the builder on its
own thread. The LoRA is random, of all attention layers of the UNet, so that as much changes as with most styles. Aims:
no gap between two pictures above 4 times the longest without a fade; a strength that was there comes back with the next
picture. Every decoder is tried in a fresh folder for engines.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from common import show
from safetensors.torch import save_file

STILL = 4.0  # seconds of pictures before the fade
PATIENCE = 120.0


def written(world: Any, rank: int, file: Path) -> Path:
    """A random LoRA of every attention layer of a world's network."""
    drawn = torch.Generator().manual_seed(0)
    factors = {}
    for name, weight in world.denoiser.named_parameters():
        layer = name.removesuffix(".weight")
        if weight.ndim == 2 and layer.rpartition(".")[2].removeprefix("to_") in ("q", "k", "v") and "attn" in layer:
            rows, columns = weight.shape
            factors[f"unet.{layer}.lora_A.weight"] = torch.randn(rank, columns, generator=drawn) / rank
            factors[f"unet.{layer}.lora_B.weight"] = 0.02 * torch.randn(rows, rank, generator=drawn)
    save_file(factors, file)
    return file


@dataclass
class Stretch:
    """Pictures of a stretch of time. ends: when each was done; strengths: what they were made with."""

    ends: list[float] = field(default_factory=list)
    strengths: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Pictures a second, at the median time from one to the next; 0 of one picture."""
        return 1.0 / float(np.median(np.diff(self.ends))) if len(self.ends) > 1 else 0.0

    @property
    def gap(self) -> float:
        """The longest time between two pictures, ms; 0 of one picture."""
        return 1e3 * max(np.diff(self.ends), default=0.0)


class Loop:
    """A show's loop without walk and wall."""

    def __init__(self, preset: Any, world: Any) -> None:
        from installation.control.notices import Notices
        from installation.render.builder import Builder, warm
        from installation.render.live_preset import performed
        from installation.render.model_control import ModelControl
        from installation.rig import open_studio

        studio = open_studio(performed(preset))
        studio, _ = warm(studio, studio.prompt, time.monotonic)
        self.faults: list[str] = []
        self.builder = Builder(performed(preset), time.monotonic)
        notices = Notices(self.faults.append, lambda values: None)
        self.model = ModelControl(preset, studio, SimpleNamespace(batch=1), self.builder, notices)  # type: ignore[arg-type]
        self.place = 0.0

    def run(self, seconds: float, strength: Any, until: float | None = None) -> Stretch:
        """Pictures for so long, at strength(elapsed); until: or until this strength is shown."""
        from installation.control.controls import ModelControls

        made, began = Stretch(), time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            studio = self.model.studio
            self.model(ModelControls(), studio.prompt, (strength(elapsed),))
            studio, self.place = self.model.studio, self.place + 0.002
            latents = studio.plane.latents(studio.plane.unit(np.array([self.place % 1]), np.zeros(1)))
            self.model.eye(self.model.guard(latents, studio.prompt))
            made.ends.append(time.monotonic())
            made.strengths.append(studio.settings.loras[0].strength)
            if until is not None and made.strengths[-1] == until:
                break
        return made


def row(asked: argparse.Namespace, engine: str, lora: Path, world: Any) -> tuple[str, ...]:
    """One engine's figures."""
    from latentworld import preset

    loras = {"loras": [{"file": str(lora), "strength": 0.0}], "name": asked.world}
    decoder = {"engine": engine, "device": "cpu"}
    journey = preset.load("first-light").changed(
        world=loras, decoder=decoder, show={"decoder": asked.decoder, "batch": 1}, score=()
    )
    loop = Loop(journey, world)
    still = loop.run(STILL, lambda t: None)
    fading = loop.run(asked.fade, lambda t: round(min(t / asked.fade, 1.0), 2))
    arrived = loop.run(PATIENCE, lambda t: 1.0, until=1.0)
    loop.run(1.0, lambda t: 1.0)
    away = loop.run(PATIENCE, lambda t: 0.0, until=0.0)
    back = loop.run(PATIENCE, lambda t: 1.0, until=1.0)
    loop.builder.close()
    if loop.faults:
        print(*loop.faults, sep="\n")
    shown = len(set(fading.strengths) | set(arrived.strengths)) - 1
    lag = arrived.ends[-1] - fading.ends[-1]
    rates, gaps = (still.rate, fading.rate), (still.gap, max(fading.gap, arrived.gap))
    counts = (shown, len(away.ends), len(back.ends))
    return engine, *(f"{rate:.1f}" for rate in rates), *(f"{gap:.0f}" for gap in gaps), f"{lag:.1f}", *map(str, counts)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="embedded")
    parser.add_argument("--engine", nargs="+", default=["openvino", "eager"])
    parser.add_argument("--decoder", default="scout", choices=("scout", "faithful"))
    parser.add_argument("--fade", type=float, default=4.0)
    parser.add_argument("--rank", type=int, default=16)
    asked = parser.parse_args()
    from latentworld import worlds

    world = worlds.load(asked.world)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LATENTWORLD_CACHE"] = folder
        lora = written(world, asked.rank, Path(folder) / "style.safetensors")
        rows = [row(asked, engine, lora, world) for engine in asked.engine]
    columns = (
        "engine", "pictures/s", "while fading", "longest gap, ms", "while fading", "1 after, s", "strengths shown",
        "pictures until 0", "until 1 again",
    )  # fmt: skip
    title = f"A LoRA of rank {asked.rank} fades from 0 to 1 in {asked.fade:g} s, {asked.decoder}, batch 1"
    show(title, columns, rows, [f"other work on this machine: load {os.getloadavg()[0]:.1f}"])


if __name__ == "__main__":
    main()
