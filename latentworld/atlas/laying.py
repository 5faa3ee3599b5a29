"""A new atlas as it is laid down on disk, with nothing of it done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.atlas.chunks import FORMAT, VERSION, begun
from latentworld.atlas.places import Places, coordinates, count, first, sampling_from
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.schema import WHERE
from latentworld.extras import need
from latentworld.plane import Plane
from latentworld.tables import section
from latentworld.tables import whole as whole_number

if TYPE_CHECKING:
    import zarr

SLAB = 16384  # places a chunk of where they are
_WIDTH = {"unit": (3,), "lattice": (2,)}


def lay_down(path: Path, settings: dict[str, object], plane: Plane, provenance: dict[str, str]) -> None:
    """Lay down a whole atlas with nothing done."""
    sampling, block = sampling_from(section(settings, "sampling")), whole_number(settings, "block")
    total = count(sampling)
    attributes = {"format": FORMAT, "version": VERSION, "settings": settings, "provenance": provenance}
    attributes |= {"generations": [total], "complete": False, "floor": None}
    durable, zarr = need("latentworld.atlas.durable"), need("zarr")
    group = zarr.create_group(durable.Durable(path), attributes=attributes, zarr_format=3)
    begun(group, "vertices", plane.vertices.shape, 3)[:] = plane.vertices
    for name in WHERE:
        begun(group, name, (total, *_WIDTH.get(name, ())), SLAB)
    begun(group, "done", (total,), block)
    for start in range(0, total, SLAB):
        put_places(group, start, first(sampling, plane, start, min(start + SLAB, total)), sampling, plane)


def put_places(
    group: zarr.Group, start: int, places: Places, sampling: Window | Adaptive | Globe, plane: Plane
) -> None:
    """Write places from number `start` on."""
    alpha, beta = coordinates(sampling, plane, places.unit, places.lattice).T
    front = plane.chart(places.unit)[2]
    values = {**vars(places), "alpha": alpha, "beta": beta, "front": front}
    for name in WHERE:
        if name in group:  # atlases from before have no alpha, beta, front
            group[name][start : start + len(places)] = values[name]
