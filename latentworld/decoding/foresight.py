"""What a model and its settings must be, said before a weight is read: else the first decode fails, minutes later, in a
library's words."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld import remembered
from latentworld.decoding.profile import card
from latentworld.decoding.timetable import MadeFor, member_of_lora, timetable, whole_of
from latentworld.device import NAMES, fitting_side, free_bytes
from latentworld.errors import PresetError, WorldDamaged, WorldMismatch, WorldMissing
from latentworld.worlds.card import read_json
from latentworld.worlds.files import weights
from latentworld.worlds.layout import Folder
from latentworld.worlds.look import used

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from latentworld.decoding.settings import DecoderSettings
    from latentworld.decoding.timetable import Timetable
    from latentworld.worlds.families.family import Config, Family, LatentFormat, Scheduler
    from latentworld.worlds.find import Found

MEND = "copy the scheduler's folder of the model it was made from"
MISSING = 0.25  # the largest share of a schedule that may be missing at its noisy end, beside one step's own


def check(found: Found, settings: DecoderSettings) -> None:
    """Raises PresetError where this model cannot be sampled under these settings, what `lora.look` raises of a LoRA
    file, and WorldDamaged or UnsafeWeights where one of the files that will be read is not whole as its header has it.
    """
    check_size(found.facts.latent, settings.size)
    check_engine(found.family, settings.engine)
    check_precision(settings)
    schedule, made = _made_for(found, settings)
    if schedule:
        _check_schedule(found, settings, schedule, made)
    _check_files(found, settings)


def _made_for(found: Found, settings: DecoderSettings) -> tuple[Config, MadeFor]:
    """The schedule of the networks that these settings name, and what they were made for, as `recipes` has them."""
    schedule, usual, few = found.facts.schedule, found.family.sampler, found.facts.few_step
    student = found.path / "student" / "scheduler"
    if settings.kind != "scout":
        return schedule, whole_of(found.family, few)
    if settings.lora is not None:
        return schedule, MadeFor.few(member_of_lora(Path(settings.lora), found.family))
    if isinstance(found.layout, Folder) and student.is_dir():
        schedule = found.layout.config("student/scheduler")
        return schedule, MadeFor("lcm" if schedule.get("_class_name") == "LCMScheduler" else usual)
    return schedule, MadeFor.few(few) if few else MadeFor(usual)


def _check_schedule(found: Found, settings: DecoderSettings, schedule: Config, made: MadeFor) -> None:
    try:
        repaired = found.family.schedule(schedule)
        table = timetable(found.family, repaired, made, settings.sampler, settings.sampling)
        whole = not table.count or bool(table.scheduler.alphas_cumprod.isfinite().all())
    except PresetError:
        raise
    except Exception as error:  # whatever a library makes of numbers that mean nothing
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorldDamaged(f"{found.path}: its scheduler_config.json gives no schedule ({why:.120}): {MEND}") from error
    if not whole or (table.sampler.noise == "diffusion" and not table.count):
        raise WorldDamaged(f"{found.path}: its scheduler_config.json gives no schedule: {MEND}")
    check_steps(table, settings.steps, found.facts.latent.shape(*settings.size))


def _check_files(found: Found, settings: DecoderSettings) -> None:
    """By their headers alone; those of a single file, and of a VAE in place of a model's own, `find` has read."""
    from latentworld.decoding import lora

    if isinstance(found.layout, Folder):
        used(found)
        _check_outlines(found)
    for file in ([] if settings.lora is None else [settings.lora]) + [one.file for one in settings.loras]:
        contents = lora.look(Path(file))
        networks: dict[lora.Part, str] = {"denoiser": found.family.network, **lora.FOLDERS}
        for part, name in networks.items():
            if contents.parts[part] and all(name != own.name for own in found.family.parts):
                raise WorldMismatch(
                    f"{file} has parts for a {name}, and this world has none: take one made for its kind"
                )
            if contents.parts[part] and (weights_of := found.weights(name)):
                lora.check(contents, part, weights_of)
    if settings.tiny_vae is not None:
        _check_tiny_vae(Path(settings.tiny_vae), found)


def _check_tiny_vae(folder: Path, found: Found) -> None:
    """Raises WorldMissing, WorldMismatch for what is no AutoencoderTiny or one of other latents, WorldDamaged or
    UnsafeWeights as `weights`."""
    if not folder.is_dir():
        raise WorldMissing(f"decoder.tiny_vae = {folder}: there is no such folder; give that of an AutoencoderTiny")
    config = read_json(folder / "config.json")
    name = str(config.get("_class_name", "AutoencoderTiny"))
    if name != "AutoencoderTiny":
        raise WorldMismatch(f"tiny_vae = {folder} is of class {name}: give the folder of an AutoencoderTiny (TAESD)")
    if (own := config.get("latent_channels", 4)) != (wanted := found.facts.latent.channels):
        raise WorldMismatch(
            f"decoder.tiny_vae = {folder} reads {own} latent channels, and this world has {wanted}: give one made for "
            f"it"
        )
    weights(folder)


def _check_outlines(found: Found) -> None:
    """Raises WorldDamaged where a part's config asks for other weights than lie beside it. What was whole once is not
    laid out again: that takes the model's library."""
    family, student = found.family, f"student/{found.family.network}"
    own = [(part.name, part) for part in family.parts if part.name != "vae" or found.vae is None]
    own += [(student, part) for part in family.parts if part.name == family.network and (found.path / student).is_dir()]
    for name, part in own:
        if part.outline is None:
            continue
        config, held = read_json(found.path / name / "config.json"), found.weights(name)
        said = ("outline", version("diffusers"), part.name, sorted(config.items()), sorted(held.items()))
        if remembered.knows(said):
            continue
        asked = part.outline(found.path / name)
        wrong = [key for key, shape in asked.items() if held.get(key) != shape]
        if part.name == family.network:  # layers that no config asks for would be left out of every picture
            wrong += [key for key in held if key not in asked]
        if wrong:
            asks, has = (list(shapes[wrong[0]]) if wrong[0] in shapes else "none" for shapes in (asked, held))
            raise WorldDamaged(
                f"{found.path / name}: its config.json and its weights are of two models ({wrong[0]:.80}: {asks} and "
                f"{has}): copy or download it again"
            )
        remembered.keep(said)


def check_size(latent: LatentFormat, size: tuple[int, int]) -> None:
    """Raises PresetError for a picture of (height, width) pixels that these latents do not make."""
    unit = latent.multiple
    if any(side < unit or side % unit for side in size):
        raise PresetError(f"size = {size[1]}x{size[0]}: this world makes pictures in multiples of {unit} pixels")


def too_large(latent: LatentFormat, size: tuple[int, int], device: torch.device) -> str:
    """What to do where one picture of (height, width) pixels does not fit, with the side of a square one that would as
    far as a card says what is free."""
    where = card(device) if device.type in NAMES else device.type
    free, said = free_bytes(str(device)), f"one picture of {size[1]}x{size[0]} does not fit into the memory of {where}"
    if free is None:
        return f"{said}: choose a smaller size, dtype float16, or a smaller world"
    side = int(fitting_side(free)) // latent.multiple * latent.multiple
    would = f"{side}x{side} should" if 0 < side < max(size) else "no size is sure to"
    return f"{said}, of which {free / 1e9:.1f} GB are free: {would} (decoder.width and decoder.height), or float16"


def check_engine(family: Family, engine: str) -> None:
    """Raises PresetError for an engine that would keep the shapes of the first text for all others."""
    if family.eager and engine != "eager":
        raise PresetError(
            f"engine = {engine!r}: {family.title}'s texts have lengths of their own, that it cannot follow: use 'eager'"
        )


def check_precision(settings: DecoderSettings) -> None:
    """Raises PresetError for a precision that this processor or card has no instructions for, and what `fp8.check`
    does."""
    if settings.precision == "fp8":
        from latentworld.decoding import fp8

        fp8.check(settings.device, settings.dtype)
    elif settings.precision:
        from latentworld.decoding.engines import has_bfloat16

        if not has_bfloat16():
            raise PresetError(
                "scout_precision = 'bfloat16': this processor does not multiply it (AVX-512 BF16 or AMX): use 'auto'"
            )


def check_steps(table: Timetable, steps: int, shape: tuple[int, int, int]) -> None:
    """Raises PresetError for so many steps that the schedule has no times for them, or begins in the midst.

    Where times are spaced from the clean end (`leading`), as Stable Diffusion's are, what is left over of their whole
    number is missing at the noisy end: 501 steps of 1,000 begin at time 501, and take pure noise for half a picture.
    """
    try:
        table.begin(steps, shape)
    except (ValueError, IndexError, ZeroDivisionError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise PresetError(f"steps = {steps}: this world's schedule cannot be walked so ({why}): take fewer") from error
    if not table.count or steps in (table.fixed or {}):  # a flow's times are no whole numbers; others are as meant
        return
    first, count = max(int(time) for time in table.times), table.count
    fewer = next(number for number in range(min(steps, count - 1), 0, -1) if count % number == 0)
    if first >= count:
        raise PresetError(f"steps = {steps}: this world's schedule has no times for so many: take {fewer} or fewer")
    if first < (1 - MISSING) * count - count // steps:
        raise PresetError(
            f"steps = {steps}: this world's schedule would begin at time {first} of {count}, in the midst: take {fewer}"
        )


def check_start(sampler: str, scheduler: Scheduler, start: int) -> None:
    """Raises PresetError for a sampler or a schedule that cannot be taken up at a time in its midst."""
    if sampler != "ddim":
        raise PresetError(f"the sampler {sampler!r} starts from pure noise alone: use the faithful decoder with 'ddim'")
    count = len(scheduler.alphas_cumprod)
    if start >= count:
        raise PresetError(f"start = {start}: this world's schedule has {count} times: give one below")


def check_hold(sampler: str) -> None:
    """Raises PresetError for a sampler along which vertices from pictures were not inverted."""
    if sampler != "ddim":
        raise PresetError(
            f"vertices from pictures are inverted along DDIM's steps, and {sampler!r} takes others: "
            f"set decoder.sampler = 'ddim', or plane.hold = 'none'"
        )


def times_from(scheduler: Scheduler, start: int, steps: int) -> Tensor:
    """The times of a denoising that begins at `start`, a whole stride of `steps` apart, as DDIM's steps go down.

    From a time of the schedule these are the schedule's own; from another one no step is shorter than it believes.
    """
    import torch

    return torch.arange(start, -1, -(int(scheduler.config["num_train_timesteps"]) // steps))
