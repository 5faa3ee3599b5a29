"""A new atlas as it is laid down on disk, with nothing of it done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentworld.atlas.chunks import FORMAT, VERSION, begun
from latentworld.atlas.extras import need
from latentworld.atlas.places import Places, count, first, sampling_from
from latentworld.plane import Plane
from latentworld.tables import section
from latentworld.tables import whole as whole_number

if TYPE_CHECKING:
    import zarr

SLAB = 16384  # places a chunk of unit, lattice and level


def lay_down(path: Path, settings: dict[str, object], plane: Plane, provenance: dict[str, str]) -> None:
    """Lay down a whole atlas with nothing done."""
    sampling, block = sampling_from(section(settings, "sampling")), whole_number(settings, "block")
    total = count(sampling)
    attributes = {"format": FORMAT, "version": VERSION, "settings": settings, "provenance": provenance}
    attributes |= {"generations": [total], "complete": False, "floor": None}
    durable, zarr = need("latentworld.atlas.durable"), need("zarr")
    group = zarr.create_group(durable.Durable(path), attributes=attributes, zarr_format=3)
    begun(group, "vertices", plane.vertices.shape, np.float64, 3, 0.0)[:] = plane.vertices
    begun(group, "unit", (total, 3), np.float64, SLAB, np.nan)
    begun(group, "lattice", (total, 2), np.int64, SLAB, -1)
    begun(group, "level", (total,), np.int64, SLAB, -1)
    begun(group, "done", (total,), np.uint8, block, 0)
    for start in range(0, total, SLAB):
        put_places(group, start, first(sampling, plane, start, min(start + SLAB, total)))


def put_places(group: zarr.Group, start: int, places: Places) -> None:
    """Write places from number `start` on."""
    for name, values in (("unit", places.unit), ("lattice", places.lattice), ("level", places.level)):
        group[name][start : start + len(places)] = values
