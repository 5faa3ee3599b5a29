"""The folder of a film: claimed while one is made; an earlier film stays until the new one is whole.

::

    with claimed(path):                    # nobody else makes one here meanwhile
        folder = begin(path, overwrite)    # path, or path/unfinished where a film is
        ...
        folder = settle(folder, path)      # whole: in the place of the earlier one
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from latentworld import disk
from latentworld.disk import claim, save, writing
from latentworld.errors import OutputExists

UNFINISHED = "unfinished"  # the folder of a film beside the one that it is to replace
LARGEST = 1 << 20  # bytes of a summary
_VIDEOS = ("film.mp4", "film.mov", "film.mkv")
_SUBTITLES = ("film.srt", "film.vtt")


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
    def sound(self) -> Path:
        """The sound of an image sequence."""
        return self.path / "sound.wav"

    def plan(self, digest: str) -> Path:
        """The way of a film that was planned first. digest: of what it was planned for."""
        return self.path / f"way-{digest}.plan"

    def plans(self) -> list[Path]:
        """The ways that were planned here."""
        return sorted(self.path.glob("way-*.plan"))

    @property
    def chunks(self) -> Path:
        """The pieces of a film under way."""
        return self.path / "chunks"

    @property
    def manifest(self) -> Path:
        """One line a piece."""
        return self.path / "chunks.jsonl"

    @property
    def progress(self) -> Path:
        """How far it is, for whoever watches from outside."""
        return self.path / "progress.json"

    @property
    def frames(self) -> Path:
        """The image sequence, where the film is one."""
        return self.path / "frames"

    def video(self, suffix: str) -> Path:
        """The film file."""
        return self.path / f"film{suffix}"

    def subtitles(self, form: str) -> Path:
        """The subtitles, under the film's name."""
        return self.path / f"film.{form}"

    def ours(self) -> list[Path]:
        """What an earlier film left here."""
        files = [self.path / name for name in (*_VIDEOS, *_SUBTITLES)]
        files += [self.preset, self.telemetry, self.sheet, self.chart, self.summary, self.take, self.frames]
        files += [self.sound]
        files += [self.chunks, self.manifest, self.progress, *self.plans(), *self.path.glob(".way-*.plan.chunks")]
        return [file for file in files if file.exists()]

    @property
    def plays(self) -> bool:
        """Whether there is anything to see."""
        videos = [self.path / name for name in _VIDEOS]
        videos += [file for file in self.chunks.glob("*") if file.suffix != ".csv"]
        return any(file.is_file() and file.stat().st_size for file in videos) or any(self.frames.glob("*.png"))

    @property
    def whole(self) -> bool:
        """Whether a film is there from its first frame to its last."""
        try:
            return json.loads(disk.read(self.summary, LARGEST))["complete"] is True
        except (OSError, ValueError, RecursionError, TypeError, KeyError):
            return False

    @property
    def joined(self) -> bool:
        """Whether a film is one file, or one folder of stills, and no more in chunks."""
        film = [self.path / name for name in _VIDEOS if (self.path / name).is_file()] or list(self.frames.glob("*.png"))
        return (
            self.manifest.is_file()
            and self.telemetry.is_file()
            and bool(film)
            and (self.whole or not self.chunks.exists())
        )

    @property
    def under_way(self) -> bool:
        """Whether a film was begun here that can be gone on with."""
        planning = bool(self.plans()) or any(self.path.glob(".way-*.plan.chunks"))
        return (self.manifest.is_file() or planning) and not self.whole

    def remove(self) -> None:
        """Remove what a film left, and the folder with it if nothing else lies there."""
        self.clear()
        with suppress(OSError):
            self.path.rmdir()

    def clear(self, but: Path | None = None) -> None:
        """Remove what a film left, and nothing else. but: a file of it that stays."""
        for file in self.ours():
            if file != but:
                with writing(file):
                    _remove(file)


@contextmanager
def made(path: Path) -> Iterator[None]:
    """A folder that takes files, its parents too; what was made here and stays empty is gone afterwards.

    Raises OutputError where it takes none.
    """
    new = [one for one in (path, *path.parents) if not one.exists()]
    prepare_folder(path)
    try:
        yield
    finally:
        with suppress(OSError):  # not empty: it is kept
            for folder in new:
                folder.rmdir()


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """`made`, and nobody else fills it meanwhile. Raises OutputExists for a file, or while it is being filled."""
    if path.is_file():
        raise OutputExists(f"{path} is a file: choose a folder")
    refusal = OutputExists(f"something is being made in {path}: wait for it, or choose another folder")
    with made(path):
        lock = path / ".lock"
        with writing(path):
            taken = claim(lock, refusal)
        try:
            yield
        finally:
            with suppress(OSError):  # some systems remove no file that is open
                lock.unlink()
            taken.release()


def busy(path: Path) -> bool:
    """Whether somebody is filling a folder now."""
    return disk.claimed(path / ".lock")


def check(path: Path, overwrite: bool = False) -> None:
    """Refuse what can be refused before anything is loaded; nothing is changed. Raises as `claimed`, and OutputExists
    where a film is that may not be replaced."""
    with claimed(path):
        begin(path, overwrite)


def begin(path: Path, overwrite: bool = False) -> Folder:
    """Where a film is made that is to lie in `path`: there, where it may have been begun, or, to `overwrite`, beside an
    earlier film, which stays until `settle`.

    Raises OutputExists where an earlier film may not be replaced.
    """
    if Folder(path).under_way and not overwrite:
        return Folder(path)
    there = Folder(path).ours()
    if there and not overwrite:
        raise OutputExists(f"{path} holds a film already ({there[0].name}): give --overwrite, or another folder")
    return Folder(path / UNFINISHED if there else path)


def settle(made: Folder, path: Path) -> Folder:
    """Put a whole film in the place of the earlier one, file by file, and remove its chunks; what else lies in `path`
    stays. Where a kill ends this, the same film settles when it is made again, from its chunks."""
    folder = Folder(path)
    with writing(path):
        if made != folder:
            _replace(made, folder)
        for file in (made.progress, made.chunks, *made.plans()):
            if file.exists():
                _remove(file)
        if made != folder:
            shutil.rmtree(made.path)
    return folder


def _replace(made: Folder, earlier: Folder) -> None:
    """All but the chunks, and the manifest that goes with them last."""
    left = (made.chunks, made.manifest, made.progress, *made.plans())
    files = [file for file in made.ours() if file not in left]
    names = {file.name for file in files}
    for file in earlier.ours():
        if file.is_dir() or file.name not in names:
            _remove(file)  # no folder replaces one that is not empty
    for file in files:
        file.replace(earlier.path / file.name)
    if made.manifest.is_file():
        made.manifest.replace(earlier.manifest)


def prepare_empty(path: Path) -> None:
    """Make a folder that takes files and holds none. Raises OutputExists for one that does, or a file of that name."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise OutputExists(f"{path} is there already, and not an empty folder: give another name")
    prepare_folder(path)


def prepare_folder(path: Path) -> None:
    """Make a folder that takes files; OutputError when it does not."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass  # a folder may exist and still refuse files


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    save(path, text.encode())


def _remove(file: Path) -> None:
    """A file, or a folder and all in it; of a link, the link alone: what lies behind it may hold more than ours."""
    shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink()
