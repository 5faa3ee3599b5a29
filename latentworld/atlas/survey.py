"""The loop of a survey: every block that is not done, rendered and kept; then the next generation.

Blocks may be committed in any order and by anyone who holds the store, so `pending`, `block_places`, `commit` and
`advance` are all that a cluster needs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latentworld.arrays import Array
from latentworld.atlas.places import Places, first, next_generation
from latentworld.atlas.progress import ProgressPicture
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.store import Store
from latentworld.atlas.types import Atlas, Render, Rendered
from latentworld.errors import AtlasError
from latentworld.plane import Plane

OnBlock = Callable[[int, int, int], None]
"""Called with places done, places in all that are begun, and the block just kept."""


def pending(store: Store) -> list[int]:
    """Blocks of the generations begun so far that are not done."""
    return store.pending()


def block_places(store: Store, index: int) -> tuple[Array, Array]:
    """Units [n, 3] and radii [n] of a block."""
    units = store.places(index).unit
    return units, np.full(len(units), store.radius)


def commit(store: Store, index: int, rendered: Rendered) -> None:
    """Keep a block, see `Store.commit`."""
    store.commit(index, rendered)


def advance(store: Store) -> bool:
    """Once nothing is pending: begin the next generation, or say that the survey is complete (False)."""
    if store.complete:
        store.finish()
        return False
    if waiting := store.pending():
        raise AtlasError(f"{len(waiting)} blocks are not done yet: commit them before the next generation")
    if isinstance(store.sampling, Adaptive):
        seen = store.atlas()
        places = next_generation(store.sampling, store.plane, seen.lattice, seen.level, seen.features)
        if places is not None:
            store.extend(places)
            return True
    store.finish()
    return False


def run(store: Store, render: Render, on_block: OnBlock | None = None, preview: ProgressPicture | None = None) -> None:
    """Survey until complete. Stopped between blocks or within one, nothing is lost but the block under way.

    Holds one block in memory; an adaptive survey also everything seen so far between two generations.
    """
    more = True
    while more:
        waiting = store.pending()
        for index in waiting:
            store.commit(index, render(*block_places(store, index)))
            if preview is not None:
                preview(store, index, last=index == waiting[-1])
            if on_block is not None:
                on_block(store.done, store.total, index)
        more = advance(store)


def in_memory(
    sampling: Window | Adaptive | Globe, plane: Plane, render: Render, radius: float = 1.0, block: int = 64
) -> Atlas:
    """A whole survey without a disk: for zooms and small windows."""
    places: Places | None = first(sampling, plane)
    seen: list[Places] = []
    found: list[Rendered] = []
    while places is not None:
        seen.append(places)
        for start in range(0, len(places), block):
            unit = places.unit[start : start + block]
            found.append(render(unit, np.full(len(unit), radius)))
        unit = np.concatenate([one.unit for one in seen])
        lattice = np.concatenate([one.lattice for one in seen])
        level = np.concatenate([one.level for one in seen])
        features = np.concatenate([f.features for f in found])
        if not isinstance(sampling, Adaptive):
            break
        places = next_generation(sampling, plane, lattice, level, features)
    thumbs = np.concatenate([f.thumbs for f in found])
    return Atlas(plane, sampling, unit, features, thumbs, lattice, level, radius)
