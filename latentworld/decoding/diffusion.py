"""The one loop behind the faithful and the scout decoder: a recipe says what they differ in."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from latentworld.decoding import batches, engines
from latentworld.decoding.decoder import Profile, Progress, Watch, check_settings
from latentworld.errors import OutOfMemory, PresetError
from latentworld.prompts import Conditioning, Encoder, Prompt
from latentworld.worlds import World
from latentworld.worlds.families.family import Step

Build = Callable[[str, nn.Module, tuple[Tensor, ...], str], engines.Run]


@dataclass(frozen=True, eq=False)
class Recipe:
    """What makes a decoder: networks, schedule and step. `name` and `key` go into the profile and the engine cache."""

    name: str
    unet: nn.Module
    vae: nn.Module
    scheduler: Any
    step: Step
    steps: int
    guidance: float
    key: str


@dataclass(frozen=True, eq=False)
class Moment:
    """One step of a denoising, tensors `[b, C, H, W]` float32: `sample` before it, `after` it, and the `clean` latent
    that is predicted there; `time` of the schedule, `kept` the picture's share of the variance at it (alpha bar)."""

    time: int
    kept: float
    sample: Tensor
    clean: Tensor
    after: Tensor


class Diffusion:
    """A Decoder (see contract.py): starts at the latents, walks the schedule, paints. Made by `faithful` and `scout`.

    When a batch does not fit into memory it is halved, the call starts again, and `profile.batch` says so from then on.
    """

    def __init__(
        self,
        world: World,
        recipe: Recipe,
        batch: int,
        engine: str,
        size: tuple[int, int] | None = None,
        build: Build = engines.build,
    ) -> None:
        check_settings(recipe.steps, recipe.guidance, batch)
        self.recipe = recipe
        self.size = _checked_size(size or (world.card.size, world.card.size), world)
        self.shape = world.latent.shape(*self.size)
        on_cpu = world.device.type == "cpu"
        self.profile = Profile(
            decoder=recipe.name,
            world=recipe.key,
            device=str(world.device) if on_cpu else torch.cuda.get_device_name() if _is_cuda(world) else "mps",
            dtype=str(world.dtype).removeprefix("torch."),
            batch=batch,
            steps=recipe.steps,
            guidance=recipe.guidance,
            engine=engine,
            torch=torch.__version__,
            threads=torch.get_num_threads() if on_cpu else 0,
        )
        self._device, self._dtype, self._family = world.device, world.dtype, world.family
        self.prompts = Encoder(world.text)
        self._build = build
        self._denoise: engines.Run | None = None
        self._paint: engines.Run | None = None

    def __call__(self, latents: Tensor, prompt: Prompt, watch: Watch | None = None) -> Tensor:
        """Pictures of latents, as the contract has it. Raises Cancelled, OutOfMemory, DecodeError."""
        batches.check_latents(latents, self.shape)
        while True:
            try:
                return self._decode(latents.float(), prompt, watch)
            except (RuntimeError, MemoryError) as error:
                if not batches.is_out_of_memory(error):
                    raise
                self._halve(error)

    def _decode(self, latents: Tensor, prompt: Prompt, watch: Watch | None) -> Tensor:
        batch, steps = self.profile.batch, self.profile.steps
        progress = Progress(watch, -(-len(latents) // batch) * steps)
        conditioning = self._conditioning(prompt)
        made = batches.in_batches(latents, batch, lambda piece: self._picture(piece, conditioning, progress))
        return torch.empty(0, 3, *self.size) if made is None else made

    @property
    def warm(self) -> bool:
        """Whether its engines are built: the next call only computes."""
        return self._denoise is not None and self._paint is not None

    def variant(
        self, steps: int | None = None, guidance: float | None = None, batch: int | None = None,
        engine: str | None = None,
    ) -> Diffusion:  # fmt: skip
        """A decoder of the same networks with other settings; engines are shared where their shapes stay the same.

        The two may be called by two threads at once; one decoder may not. Raises PresetError.
        """
        recipe, profile = self.recipe, self.profile
        asked = {"steps": steps, "guidance": guidance, "batch": batch, "engine": engine}
        settings: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
        other = copy.copy(self)
        other.profile = replace(profile, **settings)
        check_settings(other.profile.steps, other.profile.guidance, other.profile.batch)
        scheduler = type(recipe.scheduler).from_config(recipe.scheduler.config)  # of its own: schedulers keep state
        other.recipe = replace(recipe, steps=other.profile.steps, guidance=other.profile.guidance, scheduler=scheduler)
        rebuilt = (other.profile.batch, other.profile.engine) != (profile.batch, profile.engine)
        if rebuilt:
            other._paint = None
        if rebuilt or other._is_guided != self._is_guided:
            other._denoise = None
        return other

    def moments(self, latents: Tensor, prompt: Prompt) -> Iterator[Moment]:
        """The denoising of `[b, C, H, W]` latents, b the profile's batch, one step at a time; for showing, so that what
        is predicted at each step is told too. Deterministic schedules only (DDIM)."""
        scheduler = self.recipe.scheduler
        self._family.begin(scheduler, self.recipe.steps, self.shape)
        conditioning = self._conditioning(prompt)
        sample: Tensor = latents.float().to(self._device) * scheduler.init_noise_sigma
        for time in scheduler.timesteps:
            stepped = scheduler.step(self._predict(sample, time, conditioning), time, sample, eta=0.0)
            kept = float(scheduler.alphas_cumprod[int(time)])
            yield Moment(int(time), kept, sample, stepped.pred_original_sample, stepped.prev_sample)
            sample = stepped.prev_sample

    def paint(self, clean: Tensor) -> Tensor:
        """Clean latents `[b, C, H, W]`, b the profile's batch, to pictures `[b, 3, height, width]` in 0..1, CPU."""
        sample = clean.to(self._device, self._dtype)
        if self._paint is None:
            self._paint = self._build(
                self.profile.engine, self.recipe.vae, (sample,), f"{self.profile.world}/{self.profile.decoder}/vae"
            )
        return self._paint(sample).float().cpu().contiguous()

    @property
    def _is_guided(self) -> bool:
        return self._family.guides(self.profile.guidance)

    def _conditioning(self, prompt: Prompt) -> Conditioning:
        """What the denoiser is given of a prompt, and of the guidance weight where its family is told it."""
        read = self.prompts(prompt, guided=self._is_guided)
        if self._family.guidance == "classifier-free":
            return read
        return *read, torch.tensor([self.profile.guidance], device=self._device, dtype=self._dtype)

    def _picture(self, start: Tensor, conditioning: Conditioning, progress: Progress) -> Tensor:
        return self.paint(self._sample(start.to(self._device), conditioning, progress))

    def _sample(self, start: Tensor, conditioning: Conditioning, progress: Progress) -> Tensor:
        """x_T to x_0, both `[b, C, H, W]` float32: cast for the UNet only, never between steps."""
        scheduler, recipe = self.recipe.scheduler, self.recipe
        # times stay on the CPU: coefficients are looked up without waiting for the device
        self._family.begin(scheduler, recipe.steps, self.shape)
        sample: Tensor = start * scheduler.init_noise_sigma
        for time in scheduler.timesteps:
            sample = recipe.step(scheduler, self._predict(sample, time, conditioning), time, sample, start)
            progress.step()
        return sample

    def _predict(self, sample: Tensor, time: Tensor, conditioning: Conditioning) -> Tensor:
        """The denoiser's word on a sample `[b, C, H, W]`, guidance included, float32."""
        rows = self.recipe.scheduler.scale_model_input(sample, time).to(self._dtype)
        prediction = self._denoised(rows, time.reshape(1).to(self._device), *conditioning).float()
        if not self._is_guided:
            return prediction
        against, towards = prediction.chunk(2)
        return against + self.recipe.guidance * (towards - against)

    def _denoised(self, *inputs: Tensor) -> Tensor:
        """Sample `[b, C, H, W]`, time `[1]` and conditioning to predictions `[rows x b, C, H, W]`."""
        if self._denoise is None:
            key = f"{self.profile.world}/{self.profile.decoder}"
            self._denoise = self._build(self.profile.engine, self.recipe.unet, inputs, key)
        return self._denoise(*inputs)

    def _halve(self, error: BaseException) -> None:
        if self.profile.batch == 1:
            raise OutOfMemory(
                f"one picture of {self.size[1]}x{self.size[0]} does not fit into the memory of {self.profile.device}: "
                f"choose a smaller size, dtype float16, or a smaller world"
            ) from error
        self._denoise = self._paint = None
        self.profile = replace(self.profile, batch=self.profile.batch // 2)
        batches.free_memory()


def _is_cuda(world: World) -> bool:
    return world.device.type == "cuda"


def _checked_size(size: tuple[int, int], world: World) -> tuple[int, int]:
    unit = world.latent.multiple
    if any(side < unit or side % unit for side in size):
        raise PresetError(f"size = {size[1]}x{size[0]}: this world makes pictures in multiples of {unit} pixels")
    return size
