"""Where an atlas and everything made of it lie, and what decoded it.

::

    out/                    a survey's folder; every command takes it, or the store in it
      atlas.zarr            the store: features, thumbnails, rates, labels
      preset.toml           what decoded it, every setting spelt out
      preview.png           the survey so far
      atlas.html            the page that shows it
      pictures/             grid, field, overlay, phases, globe: PNG and SVG
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latentworld.atlas.chunks import STORE
from latentworld.atlas.reader import Reader
from latentworld.disk import writing
from latentworld.errors import AtlasError
from latentworld.preset import Preset, load


@dataclass(frozen=True)
class SurveyFolder:
    """Where an atlas and what is made of it lie."""

    path: Path

    @staticmethod
    def at(path: str | Path) -> SurveyFolder:
        """By its own path or that of the store in it."""
        path = Path(path)
        return SurveyFolder(path.parent if path.suffix == ".zarr" else path)

    @property
    def store(self) -> Path:
        """The Zarr store of its places, features and thumbnails."""
        return self.path / STORE

    @property
    def preset(self) -> Path:
        """What decoded it."""
        return self.path / "preset.toml"

    def claim(self) -> None:
        """Make the folder, or go on in it. Raises AtlasError where another's preset.toml would be written over."""
        if self.preset.exists() and not self.store.exists():
            raise AtlasError(f"{self.preset} is of no atlas and would be replaced: move it, or choose another folder")
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    @property
    def preview(self) -> Path:
        """The survey so far."""
        return self.path / "preview.png"

    @property
    def page(self) -> Path:
        """The page that shows it."""
        return self.path / "atlas.html"

    @property
    def pictures(self) -> Path:
        """The folder of its plots."""
        return self.path / "pictures"


def preset_of(out: SurveyFolder, overrides: Sequence[str] = ()) -> Preset:
    """What decoded an atlas. Raises AtlasError where that is not kept with it."""
    if not out.preset.is_file():
        Reader(out.store)  # no atlas at all is the greater fault
        raise AtlasError(f"{out.path} has no preset.toml, so what made its pictures is not known: put one there")
    return load(out.preset, list(overrides))


def title_of(out: SurveyFolder) -> str:
    """What pictures of an atlas are headed by: its preset's title, else the folder's name."""
    return (load(out.preset).title if out.preset.is_file() else "") or out.path.resolve().name
