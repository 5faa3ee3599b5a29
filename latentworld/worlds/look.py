"""Looking into worlds without loading them: what `latentworld worlds` shows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from latentworld.errors import WorldError
from latentworld.worlds import card as cards
from latentworld.worlds import files
from latentworld.worlds.card import Card
from latentworld.worlds.locate import EMBEDDED, PARTS, resolve


@dataclass(frozen=True)
class Summary:
    """A world at a glance: picture size in pixels, parameters per part, size on disk in megabytes (10^6 bytes)."""

    name: str
    source: str
    path: Path
    card: Card
    size: int
    prediction: str
    parameters: dict[str, int]
    disk_mb: float
    student: bool
    tiny_vae: bool
    clip: bool


def inspect(name: str | Path) -> Summary:
    """Look into one world; a hub name that is not on this machine yet is fetched. Raises as `load` does."""
    path, source = resolve(name)
    if path.is_file():
        return _single(str(name), source, path)
    list(files.parts(path))
    weighted = [part for part in (*PARTS, "student/unet", "tiny_vae", "clip") if part not in ("tokenizer", "scheduler")]
    card = cards.read(path, path.name, cards.facts(path))
    return Summary(
        name=str(name),
        source=source,
        path=path,
        card=card,
        size=card.size,
        prediction=card.prediction,
        parameters={part: files.parameters(path / part) for part in weighted if (path / part).is_dir()},
        disk_mb=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6,
        student=(path / "student").is_dir(),
        tiny_vae=(path / "tiny_vae").is_dir(),
        clip=(path / "clip").is_dir() or card.clip is not None,
    )


def _single(name: str, source: str, path: Path) -> Summary:
    from latentworld.worlds import single_file

    shapes = {key: tuple(entry["shape"]) for key, entry in files.header(path).items()}
    card = cards.read(path, path.stem, single_file.facts(shapes))
    return Summary(
        name=name,
        source=source,
        path=path,
        card=card,
        size=card.size,
        prediction=card.prediction,
        parameters=single_file.parameters(shapes),
        disk_mb=path.stat().st_size / 1e6,
        student=False,
        tiny_vae=False,
        clip=card.clip is not None,
    )


def listing() -> list[Summary]:
    """The worlds on this machine: the embedded one and pipelines in the hub's cache. Unusable ones are left out."""
    found = []
    for name in (["embedded"] if EMBEDDED.is_dir() else []) + sorted(_cached_repositories()):
        try:
            found.append(inspect(name))
        except WorldError:
            continue
    return found


def _cached_repositories() -> set[str]:
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    indices = cache.glob("models--*--*/snapshots/*/model_index.json")
    return {path.parts[-4].removeprefix("models--").replace("--", "/", 1) for path in indices}
