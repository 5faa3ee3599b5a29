"""Files that people gave names: deleted, renamed and taken home, each by its name and never by a path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from installation.control.desk.snapshots import NAME
from latentworld import disk
from latentworld.disk import writing
from latentworld.errors import ControlError

LARGEST = 1 << 30  # bytes of a file that is taken home


@dataclass(frozen=True, eq=False)
class Shelf:
    """The files of one kind in a folder. what: they are called; in_use: names that something is being written to.
    Thread-safe; takes as long as the disk does."""

    folder: Path
    suffix: str
    what: str
    in_use: Callable[[], tuple[str, ...]] = tuple
    _lock: Lock = field(default_factory=Lock)

    def path(self, name: str) -> Path:
        """Where one lies. Raises ControlError for what is no name, or names none that is there."""
        path = self._named(name)
        if path.is_symlink() or not path.is_file():
            raise ControlError(f"there is no {self.what} {name!r:.70}: see the list of names")
        return path

    def read(self, name: str) -> bytes:
        """What is in one. Raises ControlError as `path`, and for what cannot be read."""
        path = self.path(name)
        try:
            return disk.read(path, LARGEST)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ControlError(f"the {self.what} {name} cannot be read ({why}): copy {path} by hand") from None

    def delete(self, name: str) -> None:
        """Forget one. Raises ControlError as `path`, and while it is being written."""
        with self._lock:
            path = self._free(name)
            with writing(path, fault=ControlError):
                path.unlink()

    def rename(self, name: str, to: str) -> None:
        """Call one otherwise. Raises ControlError as `delete`, for what is no name, and for one that is taken."""
        with self._lock:
            path, target = self._free(name), self._named(to)
            if target.exists() and not _same(path, target):
                raise ControlError(f"there is a {self.what} {to} already: delete it, or choose another name")
            with writing(target, fault=ControlError):
                path.rename(target)

    def _free(self, name: str) -> Path:
        if name in self.in_use():
            raise ControlError(f"the {self.what} {name} is being recorded: end that first")
        return self.path(name)

    def _named(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise ControlError(f"{name!r:.70} is no name: use letters, digits, blanks, _ and -, at most 64")
        return self.folder / f"{name}{self.suffix}"


def _same(one: Path, other: Path) -> bool:
    """Whether two names are of one file: of a disk that knows no capitals."""
    return one.exists() and other.exists() and one.samefile(other)
