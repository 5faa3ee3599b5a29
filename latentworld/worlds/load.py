"""Loading a world: its parts with their own classes, not through the pipeline, which would import far more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentworld.errors import LatentWorldError, WorldDamaged
from latentworld.worlds import card as cards
from latentworld.worlds import files
from latentworld.worlds.card import Card
from latentworld.worlds.locate import resolve

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Student:
    """A few-step UNet distilled from the world's own, with the scheduler it was made for; it needs no guidance."""

    unet: Any
    scheduler: Any


@dataclass(frozen=True, eq=False)
class World:
    """A loaded model bundle. `digest` hashes every file that pictures depend on; `source` says where it came from."""

    name: str
    source: str
    card: Card
    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any
    student: Student | None
    tiny_vae: Any | None
    clip: Path | str | None
    digest: str
    device: torch.device
    dtype: torch.dtype

    @property
    def shape(self) -> tuple[int, int, int]:
        """Latent channels, height, width at the card's size."""
        side = self.card.size // self.factor
        return (int(self.unet.config.in_channels), side, side)

    @property
    def factor(self) -> int:
        """Pixels per latent element along one side."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))


def load(name: str | Path = "embedded", device: str = "cpu", dtype: str = "float32") -> World:
    """Load a world by name, folder, file or hub name (see `locate`).

    Raises WorldMissing, WorldDamaged (naming the file) or UnsafeWeights.
    """
    import torch

    kind = getattr(torch, dtype)
    path, source = resolve(name)
    with quiet():
        if path.is_file():
            from latentworld.worlds import single_file

            world = single_file.load(path, source, kind)
        else:
            world = _load_folder(str(name), path, source, kind)
    place = torch.device(device)
    student = None if world.student is None else world.student.unet
    for model in (world.unet, world.vae, world.text_encoder, world.tiny_vae, student):
        if model is not None:
            model.to(place).eval().requires_grad_(False)
    return replace(world, device=place)


def _load_folder(name: str, path: Path, source: str, dtype: torch.dtype) -> World:
    import torch
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    used = files.used(path)
    card = cards.read(path, path.name, cards.facts(path))
    return World(
        name=name,
        source=source,
        card=card,
        unet=module(UNet2DConditionModel, path / "unet", dtype),
        vae=module(_autoencoder(path / "vae"), path / "vae", dtype),
        text_encoder=text_encoder(path / "text_encoder", dtype),
        tokenizer=tokenizer(path / "tokenizer"),
        scheduler=scheduler(path / "scheduler", lcm=False),
        student=_student(path / "student", UNet2DConditionModel, dtype),
        tiny_vae=load_tiny_vae(path / "tiny_vae", dtype) if (path / "tiny_vae").is_dir() else None,
        clip=path / "clip" if (path / "clip").is_dir() else card.clip,
        digest=files.digest(used, path),
        device=torch.device("cpu"),
        dtype=dtype,
    )


def _student(folder: Path, unet: Any, dtype: torch.dtype) -> Student | None:
    if not folder.is_dir():
        return None
    for part in (folder / "unet", folder / "scheduler"):
        if not part.is_dir():
            raise WorldDamaged(f"{part} is missing: remove {folder} to do without a student, or copy the world again")
    return Student(module(unet, folder / "unet", dtype), scheduler(folder / "scheduler"))


def load_tiny_vae(folder: Path, dtype: torch.dtype) -> Any:
    """An AutoencoderTiny (TAESD and its kin) from its folder."""
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    return module(AutoencoderTiny, folder, dtype)


def _autoencoder(folder: Path) -> Any:
    if cards.read_json(folder / "config.json").get("_class_name") == "AutoencoderTiny":
        from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

        return AutoencoderTiny
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return AutoencoderKL


def module(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """A diffusers model with every weight from its files; WorldDamaged names the folder otherwise."""
    cards.read_json(folder / "config.json")
    form = files.variant(files.weights(folder))
    options = {"dtype": dtype, "use_safetensors": True, "local_files_only": True, "variant": form}
    return _whole(folder, lambda: kind.from_pretrained(folder, output_loading_info=True, **options))


def text_encoder(folder: Path, dtype: torch.dtype) -> Any:
    """The CLIP text tower of a diffusers folder."""
    from transformers.models.clip.modeling_clip import CLIPTextModel

    cards.read_json(folder / "config.json")
    options = {"variant": files.variant(files.weights(folder)), "local_files_only": True, "use_safetensors": True}
    return _whole(
        folder, lambda: CLIPTextModel.from_pretrained(folder, dtype=dtype, output_loading_info=True, **options)
    )


def _whole(folder: Path, make: Callable[[], tuple[Any, dict[str, Any]]]) -> Any:
    try:
        model, info = make()
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorldDamaged(f"{folder} cannot be loaded ({why}): copy or download the world again") from error
    lacking = sorted(key for key in info["missing_keys"] if not key.endswith("position_ids"))
    if lacking:
        raise WorldDamaged(f"{folder} lacks {len(lacking)} weights ({lacking[0]}): copy or download the world again")
    return model


def tokenizer(folder: Path) -> Any:
    """The tokenizer of a diffusers folder, from vocab.json and merges.txt or tokenizer.json."""
    from transformers.models.clip.tokenization_clip import CLIPTokenizer

    if not (folder / "tokenizer.json").is_file():
        for name in ("vocab.json", "merges.txt"):
            if not (folder / name).is_file():
                raise WorldDamaged(f"{folder / name} is missing: copy or download the world again")
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except LatentWorldError:
        raise
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise WorldDamaged(f"{folder} cannot be read ({error}): copy or download the world again") from error


def scheduler(folder: Path, lcm: bool | None = None) -> Any:
    """The scheduler of a folder: DDIM from its config, or LCM (`lcm` None asks the config)."""
    config = cards.read_json(folder / "scheduler_config.json")
    return scheduler_from(config, config.get("_class_name") == "LCMScheduler" if lcm is None else lcm)


def scheduler_from(config: dict[str, Any], lcm: bool = False) -> Any:
    """DDIM (or LCM) from any scheduler's config, with the repairs that StableDiffusionPipeline makes on loading.

    The pipeline sets `steps_offset` to 1 and `clip_sample` to False; DDIMScheduler's own default for a config without
    `clip_sample` is True, which would clip latents as if they were pixels.
    """
    if lcm:
        from diffusers.schedulers.scheduling_lcm import LCMScheduler as Scheduler
    else:
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler as Scheduler
    return Scheduler.from_config(dict(config) | {"clip_sample": False, "steps_offset": 1})


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no advice from the libraries while a world is loaded; everything as it was afterwards."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    speakers = (diffusers_logging, transformers_logging)
    levels = [speaker.get_verbosity() for speaker in speakers]
    bars = transformers_logging.is_progress_bar_enabled()
    for speaker in speakers:
        speaker.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        for speaker, level in zip(speakers, levels, strict=True):
            speaker.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
