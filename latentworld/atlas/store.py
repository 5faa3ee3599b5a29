"""An atlas on disk: a Zarr v3 folder that may be killed at any moment and goes on where it was.

::

    where    unit, lattice, level, alpha, beta, front: written when a generation begins, before `generations` counts it
    seen     features, thumbs, done: one chunk of each is one *block* of places, `done` is written last
    derived  rate, label, confidence, metric, pullback, surprise: rewritten whole; the group's attributes say how many
             places they are of
    logz     the atoms of a window's log Z
    vertices the plane, so that an atlas can be read without its world

Every generation begins on a whole block, so no chunk is ever written by two commits; slots between generations have
level -1 and are no places. Every file is written aside, synced and renamed. Once the survey is complete the group's
zarr.json holds what the arrays' say too (consolidated), and never while one of them changes. One process writes at a
time (a lock beside the folder), any number read meanwhile.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentworld.atlas import chunks
from latentworld.atlas.chunks import Attributes, attributes, begun, consolidate, is_consolidated, slots, whole, writes
from latentworld.atlas.laying import lay_down, put_places
from latentworld.atlas.places import Places
from latentworld.atlas.reader import Reader
from latentworld.atlas.schema import VARIABLES
from latentworld.atlas.settings import differences, otherwise
from latentworld.atlas.types import Phases, Rendered
from latentworld.errors import AtlasError, OutputExists
from latentworld.extras import need
from latentworld.lipschitz import Floor
from latentworld.plane import Plane

if TYPE_CHECKING:
    import zarr
    from filelock import BaseFileLock

    from latentworld.atlas.metric import Fitted


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


class Store(Reader):
    """An atlas on disk that is written: a context manager that lets go of its lock."""

    def __init__(self, path: Path, lock: BaseFileLock) -> None:
        super().__init__(path, "r+")
        self._lock = lock
        self._arrays: dict[str, zarr.Array] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the lock."""
        self._lock.release()

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
            self._note({"complete": False})
            for name, variable in VARIABLES.items():
                if variable.placed and name in self._group:
                    array = self._group[name]
                    array.resize((slots(sizes, self.block), *array.shape[1:]))
            put_places(self._group, start, places, self.sampling, self.plane)
            self._note({"generations": sizes})
        self._marks = np.append(self._marks, np.zeros(self.slots - len(self._marks), np.bool_))

    def finish(self) -> None:
        """Say that there will be no further generation, and consolidate, also where a kill came between the two."""
        with writes(self.path):
            if not self.complete:
                self._note({"complete": True})
            if not is_consolidated(self.path):
                self._settle()

    # What is derived from it

    def write_floor(self, floor: Floor) -> None:
        """Keep the measured noise floor."""
        with writes(self.path):
            self._note({"floor": asdict(floor)})
            self._settle()
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

    def write_metric(self, pullback: ArrayLike, fitted: Fitted | None) -> None:
        """Keep the pull-back metric [n, 3] and, of a window, log Z with its metric; an earlier log Z goes."""
        found: dict[str, NDArray[np.generic]] = {"pullback": np.asarray(pullback, np.float64)}
        if fitted is not None:
            found["metric"] = np.asarray(fitted.tensors, np.float64)
        during: Attributes = {"metered": 0, "logz": None}
        if fitted is not None:
            rows = np.column_stack([fitted.logz.atoms, fitted.logz.heights])
            with writes(self.path):
                self._note(during)
                begun(self._group, "logz", rows.shape, len(rows), overwrite=True)[:] = rows
        self._derive(found, during, {"metered": self.done, "logz": None if fitted is None else fitted.record()})

    def unsurprised(self) -> list[int]:
        """Blocks that are done and whose surprise is not there yet; begins the array where there is none."""
        if "surprise" not in self._group or self._group["surprise"].chunks != (self.block,):
            with writes(self.path):
                self._note({"surprised": 0})
                begun(self._group, "surprise", (self.slots,), self.block, overwrite=True)[:] = np.nan
        kept = self._whole("surprise")[: self.slots]
        return sorted({int(slot) // self.block for slot in np.flatnonzero(self._marks & ~np.isfinite(kept))})

    def commit_surprise(self, index: int, surprise: ArrayLike) -> None:
        """Keep the surprise of a block's places; once every place has its own, it can be read.

        Raises AtlasError where it does not fit or is not finite; DiskFull.
        """
        start, stop = self.span(index)
        found = np.asarray(surprise, np.float64)
        if found.shape != (stop - start,) or not np.isfinite(found).all():
            raise AtlasError(f"the surprise of block {index} is not {stop - start} finite numbers: measure it again")
        with writes(self.path):
            self._group["surprise"].with_config({"write_empty_chunks": True})[start:stop] = found
            if not self.unsurprised():
                self._note({"surprised": self.done})
                self._settle()

    def _derive(self, found: dict[str, NDArray[np.generic]], during: Attributes, after: Attributes) -> None:
        """Rewrite derived arrays whole; the attributes say `during` it that there are none, and `after` it of how many
        places they are."""
        for name, values in found.items():
            width = (3,) if VARIABLES[name].inner else ()
            if values.shape != (self.done, *width):
                raise AtlasError(f"{name} has shape {list(values.shape)}, {self.done} places are done: derive it again")
        with writes(self.path):
            self._note(during)
            for name, values in found.items():
                filled = np.full((self.slots, *values.shape[1:]), VARIABLES[name].absent, values.dtype)
                filled[self._marks] = values
                begun(self._group, name, filled.shape, len(filled), overwrite=True)[:] = filled
            self._note(after)
            self._settle()

    def _settle(self) -> None:
        """Once the survey is complete: consolidate what the arrays say of themselves."""
        if self.complete:
            consolidate(self.path)

    def _note(self, changes: Attributes) -> None:
        """Change attributes. What was consolidated goes: it may be about to become untrue."""
        self._group.update_attributes({**self.attributes, **changes})
        self.attributes.update(changes)

    def _array(self, name: str, values: NDArray[np.generic]) -> zarr.Array:
        """An array of blocks to write to, begun where the first block is written."""
        if name not in self._arrays:
            if name not in self._group:
                begun(self._group, name, (self.slots, *values.shape[1:]), self.block)
            # so that a missing chunk is told from a black one
            self._arrays[name] = self._group[name].with_config({"write_empty_chunks": True})
        return self._arrays[name]
