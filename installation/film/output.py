"""The folder of a film: refused when it holds one already or cannot be written, and made ready otherwise."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from latentworld.disk import save, writing
from latentworld.errors import OutputExists

_VIDEOS = ("film.mp4", "film.mkv")


@dataclass(frozen=True)
class Folder:
    """What a film leaves, and where."""

    path: Path

    @property
    def preset(self) -> Path:
        """The preset, every setting spelt out."""
        return self.path / "preset.toml"

    @property
    def telemetry(self) -> Path:
        """One line a frame."""
        return self.path / "telemetry.csv"

    @property
    def sheet(self) -> Path:
        """Evenly spaced frames on one page."""
        return self.path / "contact-sheet.png"

    @property
    def chart(self) -> Path:
        """The path, coloured by Lipschitz value."""
        return self.path / "path.png"

    @property
    def summary(self) -> Path:
        """The film in figures."""
        return self.path / "film.json"

    @property
    def take(self) -> Path:
        """The take that was filmed, where one was."""
        return self.path / "film.take"

    @property
    def frames(self) -> Path:
        """The image sequence, where the film is one."""
        return self.path / "frames"

    def video(self, suffix: str) -> Path:
        """The film file."""
        return self.path / f"film{suffix}"

    def ours(self) -> list[Path]:
        """What an earlier film left here."""
        files = [self.path / name for name in _VIDEOS]
        files += [self.preset, self.telemetry, self.sheet, self.chart, self.summary, self.take, self.frames]
        return [file for file in files if file.exists()]

    def clear(self) -> None:
        """Remove what an earlier film left, and nothing else."""
        for file in self.ours():
            with writing(file):
                shutil.rmtree(file) if file.is_dir() else file.unlink()


def prepare(path: Path, overwrite: bool = False) -> Folder:
    """Make the folder. OutputExists when a film is there and may not go; OutputError when it cannot be written.

    An earlier film stays until `clear`: should the new one fail to start, nothing is lost.
    """
    folder = Folder(path)
    with writing(path):
        if path.exists() and not path.is_dir():
            raise OutputExists(f"{path} is a file: choose a folder for the film")
        if (there := folder.ours()) and not overwrite:
            raise OutputExists(f"{path} holds a film already ({there[0].name}): give --overwrite, or another folder")
    prepare_folder(path)
    return folder


def prepare_folder(path: Path) -> None:
    """Make a folder that takes files; OutputError when it does not."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass  # a folder may exist and still refuse files


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    save(path, text.encode())
