"""The one loop behind the faithful and the scout decoder: a recipe says what they differ in."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from weakref import WeakMethod

import torch
from torch import Tensor

from latentworld.decoding import batches, engines, foresight, torch_engines
from latentworld.decoding.decoder import Progress, Watch
from latentworld.decoding.foresight import check_engine, check_hold, check_start, check_steps, times_from
from latentworld.decoding.guidance import rescaled
from latentworld.decoding.hold import HeldRows, Hold
from latentworld.decoding.moment import Moment
from latentworld.decoding.networks import Networks
from latentworld.decoding.profile import Profile, of_torch, versions
from latentworld.decoding.running import Build, Running
from latentworld.decoding.settings import DecoderSettings
from latentworld.decoding.shaped import Shaped
from latentworld.errors import DecodeError, EngineFailed, Notice, OutOfMemory, PresetError
from latentworld.plane import Plane
from latentworld.prompts import Conditioning, Prompt, Texts
from latentworld.transfer import Pace, landed, uploaded
from latentworld.worlds import World
from latentworld.worlds.families.family import LatentFormat, Scheduler


class Diffusion:
    """A Decoder (see decoder.py) of a world with networks: starts at the latents, walks the schedule, paints.

    When a batch does not fit into memory it is halved, the call starts again, and `settings` and `profile` say so from
    then on.
    """

    def __init__(self, networks: Networks, settings: DecoderSettings, build: Build = engines.build) -> None:
        """Raises PresetError and WorldMismatch for settings that the world cannot have."""
        world = networks.world
        if torch.device(settings.device) != world.device or settings.dtype != _name(world.dtype):
            here, wanted = f"{world.device} in {_name(world.dtype)}", f"{settings.device} in {settings.dtype}"
            raise PresetError(f"the world {world.name!r} lies on {here}, not on {wanted}: open it again for that")
        self.settings, self.size, self.shape = settings, networks.size(settings), networks.shape(settings)
        self.recipe = networks.recipe(settings)
        self._family = world.family
        self._timetable = self.recipe.timetable(world.family, settings)
        self._sampler, self.scheduler = self._timetable.sampler, self._timetable.scheduler
        check_engine(self._family, settings.engine)
        check_steps(self._timetable, settings.steps, self.shape)
        if settings.start is not None:
            check_start(self._timetable.name, self.scheduler, settings.start)
        self._hold, self._bend = networks.hold(settings), networks.bend(settings)
        if self._hold is not None:
            check_hold(self._timetable.name)
        self.profile: Profile = of_torch(
            settings,
            world.device,
            world=world.digest,
            variant=self.recipe.variant,
            sampler=self._timetable.name,
            family=world.family.name,
            hold="" if self._hold is None else self._hold.digest,
            bridge="" if settings.bridge is None else settings.bridge.digest[:16],
            loras=self.recipe.loras,
        )
        self._networks, self._build = networks, build
        self.device, self._dtype, self._pace = world.device, world.dtype, Pace(world.device)
        self._run_by("eager" if settings.engine in networks.failed else settings.engine)
        self._times: dict[tuple[float, torch.dtype], Tensor] = {}

    def __call__(self, latents: Tensor, prompt: Prompt, watch: Watch | None = None, *, stay: bool = False) -> Tensor:
        """Pictures of latents, as the contract has it. Raises Cancelled, OutOfMemory, NotFinite, DecodeError."""
        batches.check_latents(latents, self.shape)
        while True:
            try:
                return self._decode(latents.float(), prompt, watch, stay)
            except EngineFailed as error:
                self._fall_back(error)
            except (RuntimeError, MemoryError) as error:
                if not batches.is_out_of_memory(error):
                    raise
                self._halve(error)

    def _decode(self, latents: Tensor, prompt: Prompt, watch: Watch | None, stay: bool) -> Tensor:
        batch = self.settings.batch
        progress = Progress(watch, -(-len(latents) // batch) * self.calls)
        conditioning, stays = self.conditioning(prompt), stay and self.device.type != "cpu"

        def pictures(piece: Tensor) -> Tensor:
            made = self._picture(piece, conditioning, progress)
            return made if stays else self._landed(made)

        made = batches.in_batches(latents, batch, pictures)
        if made is None:
            return torch.empty(0, 3, *self.size, device=self.device if stays else None)
        return made

    @property
    def texts(self) -> Texts:
        """Where texts are encoded: one for all decoders of a world, but those whose LoRA changes its text encoder, or
        who leave out more of its layers."""
        return self._networks.texts_of(self.recipe, self.settings.sampling.clip_skip)

    @property
    def latent(self) -> LatentFormat:
        """What its latents are."""
        return self._networks.world.latent

    @property
    def world(self) -> World:
        """Whose networks it runs."""
        return self._networks.world

    @property
    def rows(self) -> int:
        """As the contract has it; the family says when a weight asks for two."""
        return 2 if self._family.guides(self.settings.guidance) else 1

    @property
    def calls(self) -> int:
        """How many steps a picture takes: fewer than the settings' where it starts half-way."""
        start, steps = self.settings.start, self.settings.steps
        return steps if start is None else len(times_from(self.scheduler, start, steps))

    @property
    def warm(self) -> bool:
        """Whether its engines are built: the next call only computes."""
        return self._running.warm(self.rows) if self._whole is None else self._whole.warm

    def has(self, settings: DecoderSettings) -> bool:
        """As the contract has it."""
        return self._networks.has(settings)

    def fits(self, prompt: Prompt) -> bool:
        """As the contract has it: engines of fixed shapes are built for each length of texts."""
        run = self._denoise if self._whole is None else self._whole
        return run.follows or run.knows(self._tried(prompt))

    def fit(self, prompt: Prompt) -> None:
        """As the contract has it."""
        try:
            self._fit(prompt)
        except EngineFailed as error:
            self._fall_back(error)
            self._fit(prompt)

    def _fit(self, prompt: Prompt) -> None:
        run = self._denoise if self._whole is None else self._whole
        run(*self._tried(prompt))

    def _tried(self, prompt: Prompt) -> tuple[Tensor, ...]:
        """What the denoiser is given of a prompt, or the whole picture is made of, with no noise at all."""
        rows = torch.zeros(self.settings.batch, *self.shape, device=self.device)
        if self._whole is not None:
            return rows, *self.conditioning(prompt)
        return rows.to(self._dtype), self._told(self.scheduler.timesteps[0]), *self.conditioning(prompt)

    @property
    def _denoise(self) -> Shaped:
        """Sample `[b, C, H, W]`, time `[1]` and conditioning to predictions `[rows x b, C, H, W]`."""
        return self._running.denoise(self.rows)

    def variant(self, settings: DecoderSettings) -> Diffusion:
        """A decoder of the same world under other settings, as the contract has it; of another kind too.

        The two may be called by two threads at once; one decoder may not. Raises PresetError, WorldMismatch.
        """
        return Diffusion(self._networks, settings, self._build)

    def holding(self, hold: Hold) -> Diffusion:
        """The same decoder with a hold that lies in no file. Raises as `variant`."""
        self._networks.keep(hold)
        return self.variant(replace(self.settings, hold=hold.settings))

    def clean(self, latents: Tensor, prompt: Prompt, watch: Watch | None = None) -> Tensor:
        """Clean latents `[n, C, H, W]` float32 on the CPU, which `paint` makes pictures of, of start latents."""
        total = -(-len(latents) // self.settings.batch) * self.calls
        progress, conditioning = Progress(watch, total), self.conditioning(prompt)

        def sampled(piece: Tensor) -> Tensor:
            return landed(self._sample(self._laid(piece), conditioning, self._paced(progress), self._held(piece)))[0]

        made = batches.in_batches(latents.float(), self.settings.batch, sampled)
        return torch.empty(0, *self.shape) if made is None else made

    def paint_all(self, clean: Tensor) -> Tensor:
        """Pictures of any number of clean latents. Errors as `paint`."""
        made = batches.in_batches(clean, self.settings.batch, self.paint)
        return torch.empty(0, 3, *self.size) if made is None else made

    def on(self, plane: Plane) -> Diffusion:
        """Itself: networks do not know planes."""
        return self

    def moments(self, latents: Tensor, prompt: Prompt) -> Iterator[Moment]:
        """The denoising of `[b, C, H, W]` latents, b the settings' batch, one step at a time; for showing, so that what
        is predicted at each step is known too. Raises DecodeError for a sampler that does not say it."""
        if not self._sampler.moments:
            raise DecodeError(f"the sampler {self.profile.sampler!r} does not say what it predicts: take 'ddim'")
        scheduler, held = self.begin(), self._held(latents.float())
        conditioning = self.conditioning(prompt)
        sample: Tensor = self._laid(latents.float()) * scheduler.init_noise_sigma
        for number, time in enumerate(scheduler.timesteps):
            predicted = self.predict(sample, time, conditioning, held)
            stepped, clean = scheduler.step(predicted, time, sample, eta=0.0, return_dict=False)
            alpha_bar = float(scheduler.alphas_cumprod[int(time)])
            after = self._corrected(stepped, number, held)
            yield Moment(int(time), alpha_bar, sample, clean, after)
            sample = after

    def paint(self, clean: Tensor) -> Tensor:
        """Clean latents `[b, C, H, W]`, b the settings' batch, to pictures `[b, 3, height, width]` in 0..1, CPU.

        Raises NotFinite.
        """
        return self._landed(self._painted(clean))

    def _painted(self, clean: Tensor) -> Tensor:
        """As `paint`, on the device; there nobody has looked at the numbers yet."""
        sample = uploaded(clean, self.device, self.recipe.paint_dtype or self._dtype)
        return self._running.paint(sample).float().contiguous()

    def _landed(self, pictures: Tensor) -> Tensor:
        """Painted pictures on the CPU, looked at. Raises NotFinite."""
        found, is_fine = landed(pictures, pictures.isfinite().all())
        if not is_fine:
            remedy = batches.OTHERS if self.settings.dtype == "float32" else batches.REMEDY
            raise batches.no_pictures(f"the world {self._networks.world.name!r} in {self.settings.dtype}", remedy)
        return found

    def conditioning(self, prompt: Prompt) -> Conditioning:
        """What the denoiser is given of a prompt, and of the guidance weight where its family takes it."""
        read = self.texts(prompt, guided=self.rows == 2)
        if self._family.guidance == "classifier-free":
            return read
        return *read, torch.full((1,), self.settings.guidance, device=self.device, dtype=self._dtype)

    def _picture(self, start: Tensor, conditioning: Conditioning, progress: Progress) -> Tensor:
        """A batch from start latents on the CPU to pictures on the device, where nobody has looked at them yet."""
        laid = self._laid(start)
        if self._whole is None:
            return self._painted(self._sample(laid, conditioning, self._paced(progress), self._held(start)))
        made = self._whole(laid, *conditioning)
        self._pace.step()  # of batches here: within one there is nothing to wait for
        for _ in range(self.calls):
            progress.step()
        return made

    def _paced(self, progress: Progress) -> Callable[[], None]:
        """What is done after each step: the device is waited for, the watcher asked."""
        pace = Pace(self.device)

        def stepped() -> None:
            pace.step()
            progress.step()

        return stepped

    def _captured(self, example: tuple[Tensor, ...]) -> engines.Run:
        """All steps and the painting of start latents on the device, in one graph."""

        def pictures(laid: Tensor, *conditioning: Tensor) -> Tensor:
            return self._painted(self._sample(laid, conditioning, lambda: None, None))

        return torch_engines.captured(pictures, example, "whole")

    def begin(self) -> Scheduler:
        """The scheduler at its first step. Times stay on the CPU: coefficients are looked up without waiting for the
        device."""
        self._timetable.begin(self.settings.steps, self.shape)
        if self.settings.start is not None:
            self.scheduler.timesteps = times_from(self.scheduler, self.settings.start, self.settings.steps)
        return self.scheduler

    def advanced(self, sample: Tensor, number: int, conditioning: Conditioning) -> tuple[Tensor, Tensor]:
        """A sample `[b, C, H, W]` float32 after one step alone, by its number: without guidance, and with this
        decoder's, which must be above 1. No hold."""
        scheduler = self.begin()
        time = scheduler.timesteps[number]
        against, towards = self._raw(sample, time, conditioning).chunk(2)
        guided = against + self.settings.guidance * (towards - against)
        step = self._sampler.step
        alone = step(scheduler, towards, time, sample, sample)
        return alone, step(self.begin(), guided, time, sample, sample)

    def _sample(
        self, start: Tensor, conditioning: Conditioning, stepped: Callable[[], None], held: HeldRows | None
    ) -> Tensor:
        """x_T to x_0, both `[b, C, H, W]` float32: cast for the UNet only, never between steps; `stepped` is called
        after each."""
        scheduler, step = self.begin(), self._sampler.step
        sample: Tensor = start * self._timetable.first
        for number, time in enumerate(self._timetable.times):
            sample = step(scheduler, self.predict(sample, time, conditioning, held), time, sample, start)
            sample = self._corrected(sample, number, held)
            stepped()
        return sample

    def _laid(self, start: Tensor) -> Tensor:
        """Start latents `[b, C, H, W]` on the CPU, bent where a bridge leads outside the plane, on the device."""
        return uploaded(start if self._bend is None else self._bend.bent(start), self.device)

    def _held(self, start: Tensor) -> HeldRows | None:
        """The hold of start latents `[b, C, H, W]` on the CPU."""
        return None if self._hold is None else self._hold.rows(start)

    def _corrected(self, sample: Tensor, number: int, held: HeldRows | None) -> Tensor:
        weight = self.settings.guidance if self.rows == 2 else 1.0
        return sample if held is None else held.corrected(sample, number, self.calls, weight)

    def predict(self, sample: Tensor, time: Tensor, conditioning: Conditioning, held: HeldRows | None = None) -> Tensor:
        """The denoiser's word on a sample `[b, C, H, W]` at one of its schedule's times, guidance included, float32.

        held: eases each row's guidance.
        """
        prediction = self._raw(sample, time, conditioning)
        if self.rows == 1:
            return prediction
        against, towards = prediction.chunk(2)
        weight = self.settings.guidance
        guidance: float | Tensor = weight if held is None else held.guidance(weight, self.device)
        guided, share = against + guidance * (towards - against), self.settings.sampling.rescale
        return rescaled(guided, towards, share) if share else guided

    def predictions(self, sample: Tensor, time: int, conditioning: Conditioning) -> tuple[Tensor, ...]:
        """The network's words on a sample `[b, C, H, W]` at any time of its schedule, without guidance, float32: toward
        the prompt alone, or against it and toward it where this decoder guides."""
        return self._raw(sample, torch.tensor(time), conditioning).chunk(self.rows)

    def _raw(self, sample: Tensor, time: Tensor, conditioning: Conditioning) -> Tensor:
        """The network's word on a sample, a row a text `[rows x b, C, H, W]`, float32."""
        rows = self._timetable.entering(sample, time).to(self._dtype)
        return self._denoise(rows, self._told(time), *conditioning).float()

    def _told(self, time: Tensor) -> Tensor:
        """A time of the schedule `[1]` as the network is told it; each is brought to the device once."""
        key = (float(time), time.dtype)
        if key not in self._times:
            self._times[key] = time.reshape(1).to(self.device)
        return self._times[key]

    def _fall_back(self, error: EngineFailed) -> None:
        """Eager in place of an engine that could not be built, said once a world. What was asked for stays in
        `settings`; `profile` says what makes the pictures."""
        if self.profile.engine == "eager":
            raise error
        if self.settings.engine not in self._networks.failed:
            warnings.warn(f"{error}; pictures are made by 'eager' from now on", Notice, stacklevel=3)
        self._networks.failed.add(self.settings.engine)
        self._run_by("eager")

    def _run_by(self, engine: str) -> None:
        networks = "eager" if engine == "whole" else engine
        self._running = Running.of(self.recipe, self.settings, networks, self._build)
        self._whole: Shaped | None = None  # of this decoder alone: steps, guidance and sampler are in it
        if engine == "whole" and self._hold is None:  # a hold looks up each row on the processor
            capture = WeakMethod(self._captured)  # else a card's memory would wait for the collector of cycles
            self._whole = Shaped(lambda example: capture()(example), follows=False)  # type: ignore[misc]
        if engine != self.profile.engine:
            made_of = versions(self.profile.device, engine)
            self.profile = replace(self.profile, engine=engine, precision="", versions=made_of)

    def _halve(self, error: BaseException) -> None:
        batch = self.settings.batch
        if batch == 1:
            raise OutOfMemory(foresight.too_large(self._networks.world.latent, self.size, self.device)) from error
        self.settings = replace(self.settings, batch=batch // 2)
        self._run_by(self.profile.engine)
        self.profile = replace(self.profile, batch=batch // 2)
        batches.free_memory()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
