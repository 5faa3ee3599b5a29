"""An atlas's files: how they are begun, written, read, locked, and named when they cannot be."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from latentworld import texts
from latentworld.atlas import schema
from latentworld.atlas.schema import VARIABLES
from latentworld.disk import claim, writing
from latentworld.errors import AtlasBusy, AtlasDamaged, AtlasError
from latentworld.extras import need
from latentworld.tables import number, section

if TYPE_CHECKING:
    import zarr
    from filelock import BaseFileLock

FORMAT, VERSION = "latentworld.atlas", 1
_COPY = "take it from a copy of this atlas, or survey anew elsewhere"


class Attributes(TypedDict, total=False):
    """What an atlas's group says of itself, in its zarr.json; or such of it as changes.

    generations: places in each that was begun. rated, labelled, metered, surprised: of how many places rates, labels,
    metrics and surprise are, 0 while they are rewritten. logz: what log Z was fitted with, None where it is not.
    """

    format: str
    version: int
    settings: dict[str, object]
    generations: list[int]
    complete: bool
    provenance: dict[str, str]
    floor: dict[str, float] | None
    rated: int
    labelled: int
    names: list[str]
    metered: int
    logz: dict[str, object] | None
    surprised: int


STORE = "atlas.zarr"  # in a survey's folder


def store_of(path: Path) -> Path:
    """The store that is meant: a survey's folder stands for the one inside."""
    inside = path / STORE
    return inside if inside.is_dir() and not (path / "zarr.json").is_file() else path


def attributes(path: Path) -> Attributes:
    """What the group says of itself. Raises AtlasDamaged: nothing there, no atlas, unreadable, from a newer version."""
    file = path / "zarr.json"
    if not file.is_file():
        raise AtlasDamaged(_nothing_at(path))
    try:
        found = section(texts.table(texts.read(file)), "attributes")
        if found["format"] != FORMAT:
            raise AtlasDamaged(f"{path} is a Zarr folder but no atlas: check the path")
        newer = number(found, "version") > VERSION
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(file, "cannot be read as an atlas's", _COPY) from error
    if newer:
        raise AtlasDamaged(
            f"{path} was written by a newer latentworld (format {found['version']}, this one reads up to {VERSION}): "
            "update latentworld"
        )
    if missing := {"settings", "generations", "complete"} - found.keys():
        raise damaged(file, f"says nothing of {', '.join(sorted(missing))}", _COPY)
    return cast("Attributes", dict(found))


def _nothing_at(path: Path) -> str:
    """What to say where no atlas is, of the folder that was named and not of what should lie in it."""
    folder = path.parent if path.name == STORE else path
    there = f"no atlas in {folder}" if folder.exists() else f"there is no folder {folder}"
    makes = f"`latentworld atlas survey neutral -o {shlex.quote(str(folder))}` makes one"
    return f"{there}: name the folder of a survey; {makes}"


def damaged(file: Path, what: str, remedy: str = _COPY) -> AtlasDamaged:
    """The error that names a file, what is wrong with it and what to do."""
    return AtlasDamaged(f"{file} {what}: {remedy}")


@contextmanager
def reads(file: Path, remedy: str = _COPY) -> Iterator[None]:
    """Whatever fails in reading an array becomes AtlasDamaged naming it."""
    try:
        yield
    # zarr's own are ValueErrors or these; AtlasErrors are settings that make no sense
    except (OSError, ValueError, RuntimeError, LookupError, TypeError, AtlasError) as error:
        what = "is missing" if not (file / "zarr.json").is_file() else "cannot be read"
        raise damaged(file, what, remedy) from error


def writes(path: Path) -> AbstractContextManager[None]:
    """A disk that fails in writing becomes DiskFull or AtlasError; what was committed before stays."""
    return writing(path, "free some space and survey again, it goes on where it was", AtlasError)


def lock(path: Path) -> BaseFileLock:
    """The lock beside the folder, taken. Raises AtlasBusy when another process, or another store here, holds it."""
    file = path.absolute().with_name(f".{path.absolute().name}.lock")
    with writes(path):
        return claim(file, AtlasBusy(f"{path} is being written by another process: wait for it, or stop it"))


def begun(group: zarr.Group, name: str, shape: Sequence[int], chunk: int, overwrite: bool = False) -> zarr.Array:
    """A new array of the group, one of `schema.VARIABLES`, in chunks of `chunk` places, with checksums."""
    codecs, variable = need("zarr.codecs"), VARIABLES[name]
    return group.create_array(
        name,
        shape=tuple(shape),
        dtype=variable.dtype,
        chunks=(chunk, *shape[1:]),
        compressors=[codecs.ZstdCodec(level=3, checksum=True)],
        fill_value=variable.absent,
        dimension_names=variable.dimensions,
        attributes=schema.attributes(name),
        config={"write_empty_chunks": True},  # so that a missing chunk is told from a black one
        overwrite=overwrite,
    )


def consolidate(path: Path) -> None:
    """Let the group's zarr.json say what the arrays' say too, for those who open an atlas as a whole (xarray)."""
    zarr = need("zarr")
    with warnings.catch_warnings():
        # that it is no part of the specification of Zarr v3: who does not know it reads the arrays' own
        warnings.simplefilter("ignore", need("zarr.errors").ZarrUserWarning)
        zarr.consolidate_metadata(need("latentworld.atlas.durable").Durable(path), zarr_format=3)


def is_consolidated(path: Path) -> bool:
    """Whether the group's zarr.json says what the arrays' say. Raises OSError, and ValueError for what is no JSON."""
    return texts.table(texts.read(path / "zarr.json")).get("consolidated_metadata") is not None


def whole(places: int, block: int) -> int:
    """Places filled up to whole blocks."""
    return -(-places // block) * block


def slots(sizes: Sequence[int], block: int) -> int:
    """Length of the arrays for generations of these sizes: each but the last filled up to whole blocks."""
    return sum(whole(size, block) for size in sizes[:-1]) + sum(sizes[-1:])


class Kept:
    """Thumbnails on disk, of places at `slots` [n]; see `Thumbs`. The block read last is remembered.

    seen: reads a block, uint8 [block, h, w, 3].
    """

    def __init__(
        self,
        seen: Callable[[int], NDArray[np.uint8]],
        slots: NDArray[np.intp],
        block: int,
        picture: tuple[int, ...],
    ) -> None:
        self._seen, self._slots, self._block = seen, slots, block
        self._last: tuple[int, NDArray[np.uint8]] | None = None
        self.shape = (len(slots), *picture)

    def __len__(self) -> int:
        return len(self._slots)

    def __getitem__(self, key: int | slice | NDArray[np.integer]) -> NDArray[np.uint8]:
        slots = self._slots[key]
        if np.ndim(slots) == 0:
            return self._one(int(slots)).copy()
        found = [self._one(int(slot)) for slot in slots]
        return np.stack(found) if found else np.empty((0, *self.shape[1:]), np.uint8)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[np.generic]:
        return np.asarray(self[:], dtype)

    def _one(self, slot: int) -> NDArray[np.uint8]:
        index, offset = divmod(slot, self._block)
        if self._last is None or self._last[0] != index:
            self._last = index, self._seen(index)
        picture: NDArray[np.uint8] = self._last[1][offset]
        return picture
