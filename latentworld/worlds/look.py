"""Looking into worlds without loading them: what `latentworld worlds` shows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from latentworld.errors import WorldError
from latentworld.worlds import files
from latentworld.worlds.card import Card
from latentworld.worlds.families import Family, LatentFormat
from latentworld.worlds.find import Found, at, find
from latentworld.worlds.hub import cached
from latentworld.worlds.layout import Checkpoint
from latentworld.worlds.locate import EMBEDDED, HubRef


@dataclass(frozen=True)
class Summary:
    """A world at a glance: picture size in pixels, parameters per part, size on disk in megabytes (10^6 bytes), whether
    it has a student or is a few-step model itself (`few_step` as in `Facts`)."""

    name: str
    source: str
    path: Path
    family: Family
    latent: LatentFormat
    card: Card
    size: int
    prediction: str
    parameters: dict[str, int]
    disk_mb: float
    student: bool
    few_step: str
    tiny_vae: bool
    clip: bool


@dataclass(frozen=True)
class Refused:
    """A repository in the hub's cache that is no world here, and why, in one line."""

    name: str
    why: str


def inspect(name: str | Path) -> Summary:
    """Look into one world; a hub name that is not on this machine yet is fetched. Raises as `load` does."""
    return summary(find(name))


def summary(found: Found) -> Summary:
    """A world at a glance. Raises WorldDamaged or UnsafeWeights where a part is missing or not whole."""
    path, seen = found.path, found.layout
    if isinstance(seen, Checkpoint):
        assert found.family.checkpoint is not None  # it claimed the file
        counted, disk = found.family.checkpoint.sizes(seen), path.stat().st_size
    else:
        used(found)
        weighted = (*(part.name for part in found.family.parts if part.weights), *_extras(found), "clip")
        counted = {part: files.parameters(path / part) for part in weighted if (path / part).is_dir()}
        disk = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return Summary(
        name=found.name,
        source=found.source,
        path=path,
        family=found.family,
        latent=found.facts.latent,
        card=found.card,
        size=found.card.size,
        prediction=found.card.prediction,
        parameters=counted,
        disk_mb=disk / 1e6,
        student=(path / "student").is_dir(),
        few_step=found.facts.few_step,
        tiny_vae=(path / "tiny_vae").is_dir(),
        clip=found.clip is not None,
    )


def used(found: Found) -> list[Path]:
    """Every file of a world's folder that pictures depend on, in the order in which they are hashed.

    Raises WorldDamaged where a part is missing or has no weights, UnsafeWeights where they are pickled.
    """
    own = [part for part in found.family.parts if part.name != "vae" or found.vae is None]
    parts = [(part.name, part.weights) for part in own]
    parts += [(name, not name.endswith("scheduler")) for name in _optional(found) if (found.path / name).is_dir()]
    return files.used(found.path, parts)


def listing() -> list[Summary]:
    """The worlds on this machine: the embedded one and pipelines in the hub's cache. Unusable ones are left out."""
    return survey()[0]


def survey() -> tuple[list[Summary], list[Refused]]:
    """The worlds on this machine, and what of the hub's cache is none here. Nothing is fetched."""
    usable, refused = [inspect("embedded")] if (EMBEDDED / "model_index.json").is_file() else [], []
    for name in sorted(_cached_repositories()):
        folder = cached(HubRef(name))
        try:
            if folder is not None:
                usable.append(summary(at(folder, name, f"{name}@{folder.name}")))
        except WorldError as error:
            refused.append(Refused(name, str(error).removeprefix(f"{folder}: ")))
    return usable, refused


def _optional(found: Found) -> tuple[str, ...]:
    return f"student/{found.family.network}", "student/scheduler", "tiny_vae"


def _extras(found: Found) -> tuple[str, ...]:
    return tuple(name for name in _optional(found) if not name.endswith("scheduler"))


def _cached_repositories() -> set[str]:
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    indices = cache.glob("models--*--*/snapshots/*/model_index.json")
    return {path.parts[-4].removeprefix("models--").replace("--", "/", 1) for path in indices}
