"""An atlas on disk as it is read, also while another process writes it. What lies where: see `store`."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from latentworld.arrays import Array, Pictures
from latentworld.atlas.chunks import Kept, attributes, damaged, reads, slots, store_of, whole
from latentworld.atlas.logz import LogZ
from latentworld.atlas.places import Places, sampling_from
from latentworld.atlas.schema import DERIVED
from latentworld.atlas.settings import portable
from latentworld.atlas.types import Atlas, Phases
from latentworld.errors import AtlasDamaged, AtlasError
from latentworld.extras import need
from latentworld.lipschitz import Floor
from latentworld.plane import Norm, Plane
from latentworld.tables import number, section
from latentworld.tables import whole as whole_number
from latentworld.vertices import digest

if TYPE_CHECKING:
    import zarr

_MOST = 10**8  # places of an atlas
_WIDEST = 2**26  # numbers of a place: a feature, a thumbnail; of a vertex


def read(path: str | Path) -> Atlas:
    """What the atlas holds so far, also while another process writes it. Raises AtlasDamaged."""
    return Reader(path).atlas()


class Reader:
    """An atlas on disk, by its store or by the folder of its survey. Raises AtlasDamaged.

    settings: as it was begun; plane and sampling: from them; block: places a block.
    """

    def __init__(self, path: str | Path, mode: Literal["r", "r+"] = "r") -> None:
        self.path = path = store_of(Path(path))
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
        store = need("latentworld.atlas.durable").Durable(path, read_only=mode == "r")
        self._group: zarr.Group = need("zarr").open_group(store, mode=mode, zarr_format=3, use_consolidated=False)
        vertices = self._whole("vertices")
        if digest(vertices) != hashed:
            raise damaged(path / "vertices", "does not match its hash", "take it from a copy of this atlas")
        self.plane = Plane(vertices, norm)
        self._marks = self._whole("done")[: self.slots] > 0

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

    def read_rates(self) -> Array | None:
        """Rates float64 [n] as written last; None when there are none, or places were added since."""
        return self._derived("rate") if self._fresh("rated") else None

    def read_labels(self) -> Phases | None:
        """Phases as written last; None when there are none, or places were added since."""
        if not self._fresh("labelled"):
            return None
        label, sure = (self._whole(name)[self._marks] for name in ("label", "confidence"))
        return Phases(self.attributes["names"], label.astype(np.int64), sure.astype(np.float64))

    def read_pullback(self) -> Array | None:
        """The pull-back metric float64 [n, 3] as written last; None as `read_rates`."""
        return self._derived("pullback") if self._fresh("metered") else None

    def read_metric(self) -> Array | None:
        """The metric by log Z float64 [n, 3] as written last; None as `read_rates`, and where no log Z was fitted."""
        return self._derived("metric") if self._fresh("metered") and self._fit() else None

    def read_logz(self) -> LogZ | None:
        """log Z over the window as fitted last, also where places were added since; None where it was not."""
        fit = self._fit()
        if not fit:
            return None
        with self._reads("logz"):
            rows = self._whole("logz")
            return LogZ(np.array(rows[:, :2]), np.array(rows[:, 2]), number(fit, "tau"))

    def read_surprise(self) -> Array | None:
        """The surprise float64 [n] as written last; None as `read_rates`."""
        return self._derived("surprise") if self._fresh("surprised") else None

    def _fit(self) -> dict[str, object]:
        return self.attributes.get("logz") or {}

    def _fresh(self, key: Literal["rated", "labelled", "metered", "surprised"]) -> bool:
        """Whether what is derived is there, and of all places that are done."""
        return bool(self.attributes.get(key)) and self.attributes[key] == self.done

    def _derived(self, name: str) -> Array:
        return np.asarray(self._whole(name)[self._marks], np.float64)

    # With the file named that fails

    def _opened(self, name: str) -> zarr.Array:
        """An array, of no more than any atlas has: what it says of its shape decides how much is allocated."""
        with self._reads(name):
            array = self._group[name]
            length, *rest = array.shape
            if length > _MOST or math.prod(rest) > _WIDEST:
                raise ValueError(f"a shape of {array.shape}")
            return array

    def _reads(self, name: str) -> AbstractContextManager[None]:
        if name in DERIVED or name == "logz":
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
