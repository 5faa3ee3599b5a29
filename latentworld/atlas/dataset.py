"""An atlas as an xarray Dataset, for those who would rather work with names than with indices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latentworld.atlas.reader import Reader
from latentworld.extras import need

if TYPE_CHECKING:
    import xarray


def dataset(path: str | Path, thumbs: bool = False) -> xarray.Dataset:
    """What an atlas holds as an xarray.Dataset; thumbnails only when asked for, since they are large.

    A complete window has the dimensions row and column, with alpha and beta as coordinates along them; anything else
    has the one dimension place. Also axis (of `unit`, 3), index (of `lattice`, 2),
    entry (of `metric` and `pullback`, 3: g11, g12, g22) and feature. Raises AtlasDamaged.
    """
    store = Reader(path)
    atlas, phases = store.atlas(), store.read_labels()
    named: dict[str, tuple[tuple[str, ...], NDArray[np.generic]]] = {
        "unit": (("axis",), atlas.unit),
        "lattice": (("index",), atlas.lattice),
        "level": ((), atlas.level),
        "features": (("feature",), atlas.features),
    }
    if (rates := store.read_rates()) is not None:
        named["rate"] = ((), rates)
    for name, values, inner in (
        ("metric", store.read_metric(), ("entry",)),
        ("pullback", store.read_pullback(), ("entry",)),
        ("surprise", store.read_surprise(), ()),
    ):
        if values is not None:
            named[name] = (inner, values)
    if phases is not None:
        named |= {"label": ((), phases.label), "confidence": ((), phases.confidence)}
    if thumbs:
        named["thumbs"] = (("height", "width", "channel"), np.asarray(atlas.thumbs))
    grid = atlas.grid or (len(atlas),)
    places = ("row", "column") if atlas.grid else ("place",)
    arrays = {
        name: ((*places, *rest), values.reshape(*grid, *values.shape[1:])) for name, (rest, values) in named.items()
    }
    coordinates = atlas.coordinates.reshape(*grid, 2)
    if atlas.grid:
        axes = {"alpha": ("row", coordinates[:, 0, 0]), "beta": ("column", coordinates[0, :, 1])}
    else:
        axes = {"alpha": ("place", coordinates[:, 0]), "beta": ("place", coordinates[:, 1])}
    origin = {"settings": store.attributes["settings"], "provenance": store.attributes.get("provenance", {})}
    labels = {} if phases is None else {"names": list(phases.names)}
    return need("xarray").Dataset(arrays, axes, {**origin, **labels})
