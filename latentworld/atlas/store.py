"""An atlas on disk: a Zarr v3 folder that may be killed at any moment and goes on where it was.

::

    unit, lattice, level    where: written when a generation begins, before the group's `generations` counts it
    features, thumbs, done  what was seen: one chunk of each is one *block* of places, `done` is written last
    rate, label             derived, rewritten whole; the group's attributes say how many places they are of
    vertices                the plane, so that an atlas can be read without its world
    alpha, beta             not kept: they follow from `lattice` or `unit`

Every generation begins on a whole block, so no chunk is ever written by two commits; slots between generations have
level -1 and are no places. Every file is written aside, synced and renamed. One process writes at a time (a lock beside
the folder), any number read meanwhile.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentworld.arrays import Array, Pictures
from latentworld.atlas import chunks
from latentworld.atlas.chunks import (
    Attributes,
    Kept,
    attributes,
    begun,
    damaged,
    reads,
    slots,
    whole,
    writes,
)
from latentworld.atlas.extras import need
from latentworld.atlas.laying import lay_down, put_places
from latentworld.atlas.places import Places, sampling_from
from latentworld.atlas.settings import differences, otherwise, portable
from latentworld.atlas.types import Atlas, Phases, Rendered
from latentworld.errors import AtlasDamaged, AtlasError, OutputExists
from latentworld.lipschitz import Floor
from latentworld.plane import Norm, Plane
from latentworld.tables import number, section
from latentworld.tables import whole as whole_number
from latentworld.vertices import digest

if TYPE_CHECKING:
    import zarr
    from filelock import BaseFileLock

_MOST = 10**8  # places of an atlas
_WIDEST = 2**26  # numbers of a place: a feature, a thumbnail; of a vertex
_DERIVED = ("rate", "label", "confidence")
_PER_PLACE = ("unit", "lattice", "level", "features", "thumbs", "done")


def create(path: str | Path, settings: Mapping[str, object], plane: Plane, provenance: Mapping[str, str]) -> Store:
    """Begin an atlas at `path`, which must not be there yet, and open it for writing.

    Raises OutputExists, AtlasBusy, DiskFull.
    """
    path = Path(path)
    lock = chunks.lock(path)
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise OutputExists(f"{path} is there already: choose another path, or resume it if it is an atlas")
        with writes(path):
            side = path.with_name(f".{path.name}.begun")
            shutil.rmtree(side, ignore_errors=True)
            try:
                lay_down(side, dict(settings), plane, dict(provenance))
                side.replace(path)
            except BaseException:
                shutil.rmtree(side, ignore_errors=True)
                raise
        return Store(path, lock)
    except BaseException:
        lock.release()
        raise


def open_for_writing(path: str | Path) -> Store:
    """An atlas to go on with. Raises AtlasDamaged, AtlasBusy."""
    path = Path(path)
    attributes(path)  # before a lock is laid beside something else
    lock = chunks.lock(path)
    try:
        need("latentworld.atlas.durable").sweep(path)
        return Store(path, lock)
    except BaseException:
        lock.release()
        raise


def resume_or_create(
    path: str | Path, settings: Mapping[str, object], plane: Plane, provenance: Mapping[str, str]
) -> Store:
    """Go on with the atlas at `path`, or begin one where there is nothing.

    Raises AtlasMismatch naming every setting that differs, and as `create` and `open_for_writing`.
    """
    path = Path(path)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return create(path, settings, plane, provenance)
    store = open_for_writing(path)
    found = differences(store.settings, settings)
    if found:
        store.close()
        raise otherwise(path, found)
    return store


def read(path: str | Path) -> Atlas:
    """What the atlas holds so far, also while another process writes it. Raises AtlasDamaged."""
    return Store(Path(path)).atlas()


class Store:
    """An atlas on disk. Without a lock it only reads; a context manager that lets go of the lock.

    settings: as it was begun; plane and sampling: from them; block: places a block.
    """

    def __init__(self, path: Path, lock: BaseFileLock | None = None) -> None:
        self.path, self._lock = path, lock
        self.attributes = attributes(path)
        self.settings = portable(self.attributes["settings"])
        with reads(path):
            self.sampling = sampling_from(section(self.settings, "sampling"))
            self.block, self.radius = whole_number(self.settings, "block"), number(self.settings, "radius")
            plane = section(self.settings, "plane")
            hashed, norm = plane["vertices"], cast("Norm", plane["norm"])  # the plane checks it
            floor = self.attributes.get("floor")
            self.floor = None if floor is None else Floor(**floor)
            if not 0 <= self.slots <= _MOST:
                raise ValueError(f"{self.slots} places")
        store = need("latentworld.atlas.durable").Durable(path, read_only=lock is None)
        self._group: zarr.Group = need("zarr").open_group(store, mode="r" if lock is None else "r+", zarr_format=3)
        self._arrays: dict[str, zarr.Array] = {}
        vertices = self._whole("vertices")
        if digest(vertices) != hashed:
            raise damaged(path / "vertices", "does not match its hash", "take it from a copy of this atlas")
        self.plane = Plane(vertices, norm)
        self._marks = self._whole("done")[: self.slots] > 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            self._lock.release()

    # What there is

    @property
    def generations(self) -> list[int]:
        """How many places each generation has that was begun."""
        return list(self.attributes["generations"])

    @property
    def complete(self) -> bool:
        """Whether every generation there will be is done."""
        return bool(self.attributes["complete"])

    @property
    def slots(self) -> int:
        """Length of the arrays: the generations, each but the last filled up to whole blocks."""
        return slots(self.generations, self.block)

    @property
    def done(self) -> int:
        """How many places are done."""
        return int(self._marks.sum())

    @property
    def total(self) -> int:
        """How many places there are in the generations begun so far."""
        return sum(self.generations)

    @property
    def blocks(self) -> int:
        """How many blocks there are in the generations begun so far."""
        return -(-self.slots // self.block)

    def pending(self) -> list[int]:
        """Blocks that are not done, in order."""
        return [int(i) for i in np.flatnonzero(~self._marks[:: self.block])]

    def span(self, index: int) -> tuple[int, int]:
        """First slot of a block and the one after its last."""
        start, first = index * self.block, 0
        for size in self.generations:
            if 0 <= start < first + size:
                return start, min(start + self.block, first + size)
            first = whole(first + size, self.block)
        raise AtlasError(f"block {index} is not in this atlas: it has {self.blocks}")

    def places(self, index: int) -> Places:
        """The places of a block."""
        part = slice(*self.span(index))
        return Places(*(self._part(name, part) for name in ("unit", "lattice", "level")))

    def thumbs(self, index: int) -> Pictures:
        """The thumbnails of a block that is done."""
        return self._seen("thumbs", index)

    def atlas(self) -> Atlas:
        """Every place that is done; thumbnails stay on disk. Raises AtlasDamaged."""
        at = np.flatnonzero(self._marks)
        unit, lattice, level = (self._whole(name)[at] for name in ("unit", "lattice", "level"))
        features = np.zeros((0, 0), np.float32)
        thumbs: Kept | Pictures = np.zeros((0, 0, 0, 3), np.uint8)
        if len(at):
            self._all_there()
            features = self._whole("features")[at]
            thumbs = Kept(self.thumbs, at, self.block, self._opened("thumbs").shape[1:])
        return Atlas(
            self.plane,
            self.sampling,
            unit,
            features,
            thumbs,
            lattice,
            level,
            self.radius,
            self.settings,
            self.floor,
            self.complete,
        )

    # Going on

    def commit(self, index: int, rendered: Rendered) -> None:
        """Keep what was seen at a block's places: all of it or nothing.

        Raises AtlasError when it does not fit the block or is not finite; DiskFull, and the atlas is as before.
        """
        start, stop = self.span(index)
        if len(rendered) != stop - start or len(rendered.thumbs) != stop - start:
            raise AtlasError(f"block {index} has {stop - start} places, {len(rendered)} were rendered: render it again")
        if not np.isfinite(rendered.features).all():
            raise AtlasError(f"block {index} has features that are not finite: try dtype float32, or another engine")
        found: dict[str, NDArray[np.generic]] = {
            "features": rendered.features,
            "thumbs": rendered.thumbs,
            "done": np.ones(stop - start, np.uint8),
        }
        with writes(self.path):
            for name, values in found.items():
                array = self._array(name, values)
                if array.shape[1:] != values.shape[1:]:
                    what = f"{name} of this atlas are {list(array.shape[1:])}, not {list(values.shape[1:])}"
                    raise AtlasError(f"{what}: render with its own settings")
                array[start:stop] = values
        self._marks[start:stop] = True

    def extend(self, places: Places) -> None:
        """Begin the next generation."""
        start = whole(self.slots, self.block)
        sizes = [*self.generations, len(places)]
        self._arrays.clear()
        with writes(self.path):
            for name in _PER_PLACE:
                if name in self._group:
                    array = self._group[name]
                    array.resize((slots(sizes, self.block), *array.shape[1:]))
            put_places(self._group, start, places)
            self._note({"generations": sizes, "complete": False})
        self._marks = np.append(self._marks, np.zeros(self.slots - len(self._marks), np.bool_))

    def finish(self) -> None:
        """Say that there will be no further generation."""
        if not self.complete:
            with writes(self.path):
                self._note({"complete": True})

    # What is derived from it

    def write_floor(self, floor: Floor) -> None:
        """Keep the measured noise floor."""
        with writes(self.path):
            self._note({"floor": asdict(floor)})
        self.floor = floor

    def write_rates(self, rates: ArrayLike) -> None:
        """Keep rates [n], one a place that is done, in the order of `atlas()`."""
        self._derive({"rate": np.asarray(rates, np.float32)}, {"rated": 0}, {"rated": self.done})

    def write_labels(self, phases: Phases) -> None:
        """Keep the phases' labels [n], how sure they are, and their names."""
        found: dict[str, NDArray[np.generic]] = {
            "label": np.asarray(phases.label, np.int16),
            "confidence": np.asarray(phases.confidence, np.float32),
        }
        self._derive(found, {"labelled": 0}, {"labelled": self.done, "names": list(phases.names)})

    def read_rates(self) -> Array | None:
        """Rates float64 [n] as written last; None when there are none, or places were added since."""
        if not self.attributes.get("rated") or self.attributes["rated"] != self.done:
            return None
        return np.asarray(self._whole("rate")[self._marks], np.float64)

    def read_labels(self) -> Phases | None:
        """Phases as written last; None when there are none, or places were added since."""
        if not self.attributes.get("labelled") or self.attributes["labelled"] != self.done:
            return None
        label, sure = (self._whole(name)[self._marks] for name in ("label", "confidence"))
        return Phases(self.attributes["names"], label.astype(np.int64), sure.astype(np.float64))

    def _derive(self, found: dict[str, NDArray[np.generic]], during: Attributes, after: Attributes) -> None:
        """Rewrite derived arrays whole; the attributes say `during` it that there are none, and `after` it of how many
        places they are."""
        for name, values in found.items():
            if values.shape != (self.done,):
                raise AtlasError(f"{name} has shape {list(values.shape)}, {self.done} places are done: derive it again")
        with writes(self.path):
            self._note(during)
            for name, values in found.items():
                absent = -1 if values.dtype.kind == "i" else np.nan
                filled = np.full(self.slots, absent, values.dtype)
                filled[self._marks] = values
                array = begun(self._group, name, filled.shape, filled.dtype, len(filled), absent, overwrite=True)
                array[:] = filled
            self._note(after)

    def _note(self, changes: Attributes) -> None:
        self._group.update_attributes({**self.attributes, **changes})
        self.attributes.update(changes)

    # Reading, with the file named that fails

    def _array(self, name: str, values: NDArray[np.generic]) -> zarr.Array:
        """An array of blocks to write to, begun where the first block is written."""
        if name not in self._arrays:
            if name not in self._group:
                absent = np.float32(np.nan) if name == "features" else 0
                begun(self._group, name, (self.slots, *values.shape[1:]), values.dtype, self.block, absent)
            # so that a missing chunk is told from a black one
            self._arrays[name] = self._group[name].with_config({"write_empty_chunks": True})
        return self._arrays[name]

    def _opened(self, name: str) -> zarr.Array:
        """An array, of no more than any atlas has: what it says of its shape decides how much is allocated."""
        with self._reads(name):
            array = self._group[name]
            length, *rest = array.shape
            if length > _MOST or math.prod(rest) > _WIDEST:
                raise ValueError(f"a shape of {array.shape}")
            return array

    def _reads(self, name: str) -> AbstractContextManager[None]:
        if name in _DERIVED:
            return reads(self.path / name, "survey again: what is there stays, this is derived anew")
        return reads(self.path / name)

    def _part(self, name: str, part: slice) -> NDArray[Any]:
        array = self._opened(name)
        with self._reads(name):
            return np.asarray(array[part])

    def _whole(self, name: str) -> NDArray[Any]:
        """All of an array; where that fails, the chunk that does is looked for, so that it can be named."""
        try:
            return self._part(name, slice(None))
        except AtlasDamaged:
            if name in ("features", "thumbs"):
                for index in range(self.blocks):
                    self._seen(name, index)
            raise

    def _seen(self, name: str, index: int) -> NDArray[Any]:
        """A block of features or thumbnails."""
        self._opened(name)
        try:
            return self._part(name, slice(*self.span(index)))
        except AtlasDamaged as error:
            raise self._lost(name, index, "cannot be read") from error

    def _all_there(self) -> None:
        for name in ("features", "thumbs"):
            self._opened(name)
            for index in np.flatnonzero(self._marks[:: self.block]):
                if not self._chunk(name, int(index)).is_file():
                    raise self._lost(name, int(index), "is missing")

    def _chunk(self, name: str, index: int) -> Path:
        rest = {"features": "0", "thumbs": "0/0/0", "done": ""}[name]
        return self.path / name / "c" / str(index) / rest

    def _lost(self, name: str, index: int, what: str) -> AtlasDamaged:
        mark = self._chunk("done", index)
        return damaged(self._chunk(name, index), what, f"delete {mark} and survey again: that block alone is redone")
