"""The two layouts a model comes in, seen through what is small: a diffusers folder's configs, a checkpoint's header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from latentworld.worlds import files
from latentworld.worlds.card import read_json


@dataclass(frozen=True)
class Folder:
    """A diffusers folder. `index` is its model_index.json, empty where there is none."""

    path: Path
    index: Mapping[str, object]

    @property
    def pipeline(self) -> str:
        """Class of the pipeline that the index names, "" where it names none."""
        return str(self.index.get("_class_name", ""))

    @property
    def components(self) -> dict[str, str]:
        """Parts that the index lists and does not leave empty, with their classes."""
        pairs = {name: entry for name, entry in self.index.items() if isinstance(entry, list) and len(entry) == 2}
        return {name: str(entry[1]) for name, entry in pairs.items() if entry[1] is not None}

    def config(self, part: str) -> Mapping[str, object]:
        """A part's config, empty where the part is not there. Raises WorldDamaged for one that cannot be read."""
        folder = self.path / part
        name = "scheduler_config.json" if part.endswith("scheduler") else "config.json"
        return read_json(folder / name) if folder.is_dir() else {}


@dataclass(frozen=True)
class Checkpoint:
    """A single .safetensors file, by its header: shapes of its tensors by key, what else it says of itself, and their
    number types, where it was read."""

    path: Path
    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]
    types: Mapping[str, str] = field(default_factory=dict)


def read(path: Path) -> Folder | Checkpoint:
    """What is there: a folder or a file. Raises WorldDamaged."""
    if path.is_file():
        content, metadata = files.header_and_metadata(path)
        shapes = {key: tuple(entry["shape"]) for key, entry in content.items()}
        return Checkpoint(path, shapes, metadata, {key: entry["dtype"] for key, entry in content.items()})
    index = path / "model_index.json"
    return Folder(path, read_json(index) if index.is_file() else {})
