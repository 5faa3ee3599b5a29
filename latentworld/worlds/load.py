"""Loading a world: the parts that its family names, on one device, at rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentworld.deferred import Deferred
from latentworld.device import settle, torch_dtype
from latentworld.errors import WorldDamaged
from latentworld.tables import section
from latentworld.worlds import files, parts
from latentworld.worlds.card import read_json
from latentworld.worlds.families import Family
from latentworld.worlds.find import Found, find
from latentworld.worlds.layout import Checkpoint
from latentworld.worlds.look import used
from latentworld.worlds.world import Student, World

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

_log = logging.getLogger(__name__)  # what takes a while is said there, for whoever waits: `installation/cli/progress`


def load(
    name: str | Path | Found = "embedded",
    device: str = "cpu",
    dtype: str = "float32",
    vae: str | Path | None = None,
    quick: bool = False,
) -> World:
    """Load a world by name, folder, file or hub name (see `locate`), or one that was found. vae: as in `find`. quick:
    of a folder in float32, networks are read when they are asked for, and texts go without transformers where they can.

    Raises WorldMissing, WorldDamaged (naming the file), UnsafeWeights; UnknownFamily, which says what the model is
    instead; WorldMismatch where its parts do not fit each other.
    """
    import torch

    found = name if isinstance(name, Found) else find(name, vae)
    kind, place = torch_dtype(dtype), torch.device(device)
    settle(place)
    if isinstance(found.layout, Checkpoint):
        with parts.quiet():
            _log.info("reading %s", found.path.name)
            return _load_checkpoint(found, found.layout, kind, place)
    return _load_folder(found, kind, place, quick and kind == torch.float32)


def _load_checkpoint(found: Found, seen: Checkpoint, dtype: torch.dtype, device: torch.device) -> World:
    reader = found.family.checkpoint
    assert reader is not None  # it claimed the file
    loaded = dict(reader.load(seen, found.facts, dtype))
    digest = f"{files.digest([found.path], found.path.parent)}-{found.card.prediction}-{found.card.size}"
    if found.vae is not None:
        kind = found.family.vae_dtype(found.vae.config, dtype)
        loaded["vae"], digest = found.vae.load(kind), f"{digest}-{found.vae.digest}"
    loaded = {name: _at_rest(part, device) for name, part in loaded.items()}
    return _assembled(found, found.path.stem, loaded, None, None, digest, dtype, device)


def _load_folder(found: Found, dtype: torch.dtype, device: torch.device, quick: bool) -> World:
    family, path = found.family, found.path
    digest = files.digest(used(found), path)
    kinds = {"vae": family.vae_dtype(read_json(path / "vae" / "config.json"), dtype)} if found.vae is None else {}
    loaded: dict[str, object] = {}
    for part in family.parts:
        if part.name == "vae" and found.vae is not None:
            continue
        load = partial(part.load, path / part.name, kinds.get(part.name, dtype))
        soon = part.quick(path / part.name, dtype) if quick and part.quick is not None else None
        is_deferred = quick and part.name in (family.network, "vae")
        loaded[part.name] = _ready(part.name, load, device, is_deferred) if soon is None else _at_rest(soon, device)
    if found.vae is not None:
        load = partial(found.vae.load, family.vae_dtype(found.vae.config, dtype))
        loaded["vae"], digest = _ready("vae", load, device, quick), f"{digest}-{found.vae.digest}"
    student, tiny = path / "student", path / "tiny_vae"
    tiny_vae = _ready("tiny vae", partial(parts.tiny_vae, tiny, dtype), device, quick) if tiny.is_dir() else None
    pupil = _student(family, student, dtype, device, quick) if student.is_dir() else None
    return _assembled(found, found.name, loaded, pupil, tiny_vae, digest, dtype, device)


def _student(family: Family, folder: Path, dtype: torch.dtype, device: torch.device, quick: bool) -> Student:
    for part in (folder / family.network, folder / "scheduler"):
        if not part.is_dir():
            raise WorldDamaged(f"{part} is missing: remove {folder} to do without a student, or copy the world again")
    loader = next(part.load for part in family.parts if part.name == family.network)
    network = _ready("student", partial(loader, folder / family.network, dtype), device, quick)
    return Student(denoiser=network, schedule=family.schedule(parts.scheduler_config(folder / "scheduler")))


def _ready(name: str, load: Callable[[], object], device: torch.device, is_deferred: bool) -> Any:
    """A part, or what makes it later. name: for who waits."""

    def made() -> object:
        _log.info("reading the %s", name.replace("_", " "))
        with parts.quiet():
            return _at_rest(load(), device)

    return Deferred(made) if is_deferred else made()


def _at_rest(part: object, device: torch.device) -> object:
    """A part; if it is a network, on the device, not to be trained."""
    from torch import nn

    if isinstance(part, nn.Module):
        part.to(device).eval().requires_grad_(False)
    return part


def _assembled(
    found: Found,
    name: str,
    loaded: Mapping[str, object],
    student: Student | None,
    tiny_vae: AutoencoderTiny | Deferred[AutoencoderTiny | None] | None,
    digest: str,
    dtype: torch.dtype,
    device: torch.device,
) -> World:
    family = found.family
    return World(
        name=name,
        source=found.source,
        family=family,
        card=found.card,
        latent=found.facts.latent,
        denoiser=loaded[family.network],
        vae=loaded["vae"],
        text=family.text(loaded),
        schedule=family.schedule(found.facts.schedule or section(loaded, "scheduler")),
        few_step=found.facts.few_step,
        student=student,
        tiny_vae=tiny_vae,
        clip=found.clip,
        digest=digest,
        device=device,
        dtype=dtype,
    )
