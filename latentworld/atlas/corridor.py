"""A survey refined along ways: a store of its own beside the atlas, on a lattice 4, 16 or 64 times as fine.

Its first generation is the atlas itself, copied; every further one a band of nodes about a way, decoded as the atlas
was. So it is killed at any moment and goes on, several tours share it, and the atlas stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from latentworld.arrays import Indices, Int64, Pairs, Units, Wholes
from latentworld.atlas import store as stores
from latentworld.atlas import survey
from latentworld.atlas.ground import of_window
from latentworld.atlas.places import Places
from latentworld.atlas.sampling import Adaptive, Window
from latentworld.atlas.store import Store
from latentworld.atlas.survey import OnBlock
from latentworld.atlas.types import Atlas, Render, Rendered
from latentworld.errors import AtlasError
from latentworld.extras import need

FINER = 4  # a round
MOST = 3  # rounds
_STRIDES: dict[int, Literal[4, 16, 64]] = {1: 4, 2: 16, 3: 64}
BAND = 2.0  # cells of the round before, to either side of a way


def opened(atlas: Atlas, path: Path, rounds: int, provenance: Mapping[str, str]) -> Store:
    """The refined survey of a whole window, begun with its places or gone on with.

    Raises AtlasError for another kind of survey, or rounds other than 1 to 3; and as `store.resume_or_create`.
    """
    window = atlas.sampling
    if not 1 <= rounds <= MOST:
        raise AtlasError(f"{rounds} rounds of refinement: give 1 to {MOST}")
    if not isinstance(window, Window) or atlas.grid is None:
        raise AtlasError("only a whole window can be refined about a way: finish its survey, or leave --refine out")
    factor = FINER**rounds
    fine = Adaptive(
        alpha=window.alpha, beta=window.beta, rows=(window.rows - 1) * factor + 1,
        columns=(window.columns - 1) * factor + 1, coarse=_STRIDES[rounds], budget=1.0,
    )  # fmt: skip
    settings = {**atlas.settings, "sampling": fine.model_dump(mode="json")}
    kept = stores.resume_or_create(path, settings, atlas.plane, provenance)
    try:
        for index in kept.pending():
            places = kept.places(index)
            if (places.level > 0).any():
                continue
            rows = places.lattice // factor @ np.array([window.columns, 1])
            kept.commit(index, Rendered(atlas.features[rows], atlas.thumbs[rows]))
    except BaseException:
        kept.close()
        raise
    return kept


def widen(kept: Store, ways: Sequence[Units], number: int, render: Render, on_block: OnBlock | None = None) -> int:
    """Survey a band about ways [n, 3] on round `number`'s lattice, from 1; how many places that took.

    What an earlier run left is done first.
    """
    survey_pending(kept, render, on_block)
    seen = kept.atlas()
    nodes = _band(seen, ways, number)
    taken = _keys(kept, seen.lattice)
    fresh = nodes[~np.isin(_keys(kept, nodes), taken)]
    if len(fresh):
        window = kept.sampling
        assert isinstance(window, Adaptive)
        unit = kept.plane.unit(*window.coordinates(fresh).T)
        kept.extend(Places(unit, fresh, np.full(len(fresh), 2 * number, np.int64)))
        survey_pending(kept, render, on_block)
    kept.finish()
    return len(fresh)


def survey_pending(kept: Store, render: Render, on_block: OnBlock | None = None) -> None:
    """Decode whatever was begun and is not there yet."""
    for index in kept.pending():
        kept.commit(index, render(*survey.block_places(kept, index)))
        if on_block is not None:
            on_block(kept.done, kept.total, index)


def _band(seen: Atlas, ways: Sequence[Units], number: int) -> Int64[Wholes, "m 2"]:
    """Nodes [m, 2] of a round's lattice within `BAND` cells of the round before of any of the ways."""
    window = seen.sampling
    assert isinstance(window, Adaptive)
    chart = of_window(seen)
    stride = window.coarse // FINER**number
    reach = BAND * stride * FINER
    found = []
    for unit in ways:
        way = chart.place(unit)[0]
        gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))])
        at = np.arange(0.0, gone[-1] + stride / 2, stride / 2)
        line = np.stack([np.interp(at, gone, axis) for axis in way.T], axis=1)
        around = np.arange(-int(np.ceil(reach / stride)), int(np.ceil(reach / stride)) + 1)
        square = np.stack(np.meshgrid(around, around, indexing="ij"), axis=-1).reshape(-1, 2)
        near = np.unique((np.round(line / stride)[:, None] + square).reshape(-1, 2), axis=0)
        apart, _ = need("scipy.spatial").cKDTree(line).query(near * stride)
        found.append(near[apart <= reach] * stride)
    nodes = np.unique(np.concatenate(found), axis=0).astype(np.int64)
    ends = np.array([window.rows, window.columns])
    return np.asarray(nodes[(nodes >= 0).all(axis=1) & (nodes < ends).all(axis=1)])


def _keys(kept: Store, lattice: Pairs) -> Indices:
    window = kept.sampling
    assert isinstance(window, Adaptive)
    return np.asarray(lattice @ np.array([window.columns, 1]))
