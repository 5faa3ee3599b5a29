"""Loading a world: the parts that its family names, on one device, at rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.device import settle, torch_dtype
from latentworld.errors import WorldDamaged
from latentworld.tables import section
from latentworld.worlds import files, parts
from latentworld.worlds.card import read_json
from latentworld.worlds.find import Found, find
from latentworld.worlds.layout import Checkpoint
from latentworld.worlds.look import used
from latentworld.worlds.world import Student, World

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny


def load(
    name: str | Path | Found = "embedded", device: str = "cpu", dtype: str = "float32", vae: str | Path | None = None
) -> World:
    """Load a world by name, folder, file or hub name (see `locate`), or one that was found. vae: as in `find`.

    Raises WorldMissing, WorldDamaged (naming the file), UnsafeWeights; UnknownFamily, which says what the model is
    instead; WorldMismatch where its parts do not fit each other.
    """
    import torch

    found = name if isinstance(name, Found) else find(name, vae)
    kind, place = torch_dtype(dtype), torch.device(device)
    settle(place)
    with parts.quiet():
        if isinstance(found.layout, Checkpoint):
            return _load_checkpoint(found, found.layout, kind, place)
        return _load_folder(found, kind, place)


def _load_checkpoint(found: Found, seen: Checkpoint, dtype: torch.dtype, device: torch.device) -> World:
    reader = found.family.checkpoint
    assert reader is not None  # it claimed the file
    loaded = dict(reader.load(seen, found.facts, dtype))
    digest = f"{files.digest([found.path], found.path.parent)}-{found.card.prediction}-{found.card.size}"
    if found.vae is not None:
        kind = found.family.vae_dtype(found.vae.config, dtype)
        loaded["vae"], digest = found.vae.load(kind), f"{digest}-{found.vae.digest}"
    return _assembled(found, found.path.stem, _at_rest(loaded, device), None, None, digest, dtype, device)


def _load_folder(found: Found, dtype: torch.dtype, device: torch.device) -> World:
    family, path = found.family, found.path
    hashed = used(found)
    own = [part for part in family.parts if part.name != "vae" or found.vae is None]
    kinds = {"vae": family.vae_dtype(read_json(path / "vae" / "config.json"), dtype)} if found.vae is None else {}
    loaded = {part.name: part.load(path / part.name, kinds.get(part.name, dtype)) for part in own}
    digest = files.digest(hashed, path)
    if found.vae is not None:
        kind = found.family.vae_dtype(found.vae.config, dtype)
        loaded["vae"], digest = found.vae.load(kind), f"{digest}-{found.vae.digest}"
    student, tiny = path / "student", path / "tiny_vae"
    more: dict[str, object] = {"tiny": parts.tiny_vae(tiny, dtype)} if tiny.is_dir() else {}
    if student.is_dir():
        for part in (student / family.network, student / "scheduler"):
            if not part.is_dir():
                raise WorldDamaged(
                    f"{part} is missing: remove {student} to do without a student, or copy the world again"
                )
        loader = next(part.load for part in family.parts if part.name == family.network)
        more["student"] = loader(student / family.network, dtype)
    more = _at_rest(more, device)
    pupil = None
    if "student" in more:
        pupil = Student(more["student"], family.schedule(parts.scheduler_config(student / "scheduler")))
    return _assembled(found, found.name, _at_rest(loaded, device), pupil, more.get("tiny"), digest, dtype, device)


def _at_rest(loaded: Mapping[str, object], device: torch.device) -> dict[str, object]:
    """The parts, their networks on the device, not to be trained."""
    from torch import nn

    for part in loaded.values():
        if isinstance(part, nn.Module):
            part.to(device).eval().requires_grad_(False)
    return dict(loaded)


def _assembled(
    found: Found,
    name: str,
    loaded: Mapping[str, object],
    student: Student | None,
    tiny_vae: AutoencoderTiny | None,
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
