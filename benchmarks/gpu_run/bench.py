"""What every slice of a run is given: the device, the clock that waits for it, and the sizes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from gpu_run import worlds
from gpu_run.rows import Record
from latentworld.decoding import engines, torch_engines
from latentworld.decoding.diffusion import Diffusion
from latentworld.decoding.networks import Networks
from latentworld.decoding.running import Build
from latentworld.decoding.settings import DecoderSettings
from latentworld.deferred import now
from latentworld.worlds import World

SUSTAINED = {"H100": 790.0, "H200": 790.0, "A100": 250.0, "4090": 165.0}  # TFLOP/s in half precision
TFLOP = {"step": 1.606, "vae": 2.515, "tiny": 0.141, "clip": 0.0088}  # a picture of SD 1.5 at 512 px, a guided step


def built(engine: str, module: engines.Module, example: tuple[Tensor, ...], key: str) -> engines.Run:
    """As decoders have engines made, and one more."""
    if engine == "compiled, not captured":
        return torch_engines.uncaptured(now(module).eval(), example, key)
    return engines.build(engine, module, example, key)


@dataclass
class Bench:
    """One run. half: the precision that is timed; batches: of the slices; ways: their engines, first the one that the
    others are compared with; steps: of a slice, of the 50 that it stands for; build: how engines are made."""

    record: Record
    device: torch.device
    widths: worlds.Widths
    half: torch.dtype = torch.float16
    batches: tuple[int, ...] = (8, 16, 32, 64)
    ways: tuple[str, ...] = ("eager", "graphs", "compiled, not captured", "compile")
    steps: int = 10
    repeats: int = 5
    build: Build = built
    sustained: float | None = None
    _eye: Callable[[Tensor], Tensor] | None = None
    _worlds: dict[tuple[str, torch.dtype], Networks] = field(default_factory=dict)

    @property
    def is_real(self) -> bool:
        """Whether there is a card."""
        return self.device.type == "cuda"

    def settle(self) -> None:
        """Wait for the device."""
        if self.is_real:
            torch.cuda.synchronize(self.device)

    def seconds(self, run: Callable[[], Any], repeats: int | None = None) -> list[float]:
        """How long each of some calls takes, after one that warms up."""
        took = []
        for turn in range((repeats or self.repeats) + 1):
            self.settle()
            began = time.perf_counter()
            run()
            self.settle()
            if turn:
                took.append(time.perf_counter() - began)
        return took

    def median(self, run: Callable[[], Any], repeats: int | None = None) -> float:
        """The median of `seconds`."""
        return statistics.median(self.seconds(run, repeats))

    def held(self) -> float | None:
        """The most memory that was held since it was asked last, GB."""
        if not self.is_real:
            return None
        most = torch.cuda.max_memory_allocated(self.device) / 1e9
        torch.cuda.reset_peak_memory_stats(self.device)
        return most

    def limit(self, pictures: float, tflop: float) -> float | None:
        """The share of what the card can that so many pictures a second of so many TFLOP each are."""
        return None if self.sustained is None else pictures * tflop / self.sustained

    def networks(self, kind: str, dtype: torch.dtype | None = None) -> Networks:
        """A world in random numbers, made once; the others are let go of."""
        key = (kind, dtype or self.half)
        if key not in self._worlds:
            self._worlds.clear()
            self.free()
            make = {"sd15": worlds.sd15, "sdxl-turbo": worlds.sdxl_turbo}[kind]
            torch.manual_seed(0)
            self._worlds[key] = Networks(make(self.device, key[1], self.widths))
        return self._worlds[key]

    def decoder(self, networks: Networks, **asked: Any) -> Diffusion:
        """A decoder of a world; faithful, guided, unless it is asked otherwise."""
        world, side = networks.world, self.widths.side
        usual = DecoderSettings(
            kind="faithful", steps=self.steps, guidance=5.0, batch=1, size=(side, side), device=str(world.device),
            dtype=str(world.dtype).removeprefix("torch."),
        )  # fmt: skip
        return Diffusion(networks, replace(usual, **asked), self.build)

    def eye(self) -> Callable[[Tensor], Tensor]:
        """CLIP, made once."""
        self._eye = self._eye or worlds.eye(self.device, self.half, self.widths)
        return self._eye

    def latents(self, batch: int, world: World) -> Tensor:
        """The same ones every time, on the processor."""
        shape = world.latent.shape(self.widths.side, self.widths.side)
        return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(0))

    def free(self) -> None:
        """Give back what nobody holds."""
        from latentworld.decoding.batches import free_memory

        free_memory()
