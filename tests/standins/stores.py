"""Small stores for tests: of a render without a decoder, in blocks of 8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from latentworld.atlas import survey
from latentworld.atlas.reader import read
from latentworld.atlas.sampling import Window
from latentworld.atlas.settings import provenance, settings_of
from latentworld.atlas.store import Store, create
from latentworld.atlas.types import Rendered
from standins.surveys import PLANE

WINDOW = Window(rows=10, columns=7)


def render(units: np.ndarray, radii: np.ndarray) -> Rendered:
    """Features and thumbnails that are functions of the place; black where alpha is small."""
    shade = np.clip(np.rint(units * 100), 0, 255).astype(np.uint8)
    thumbs = np.repeat(np.repeat(shade[:, None, None], 3, axis=1), 4, axis=2)
    return Rendered((units * radii[:, None]).astype(np.float32), thumbs)


def terms(sampling: Any = WINDOW, **more: Any) -> dict[str, Any]:
    return settings_of(sampling, PLANE, **{"block": 8, **more})


def begin(path: Path, sampling: Any = WINDOW) -> Store:
    return create(path, terms(sampling), PLANE, provenance("2026-01-01"))


def surveyed(path: Path, sampling: Any = WINDOW) -> Path:
    with begin(path, sampling) as store:
        survey.run(store, render)
    return path


def same(a: Path, b: Path) -> None:
    """Two finished atlases hold the same arrays."""
    one, other = read(a), read(b)
    assert one.complete
    assert other.complete
    for name in ("unit", "features", "lattice", "level", "thumbs"):
        np.testing.assert_array_equal(np.asarray(getattr(one, name)), np.asarray(getattr(other, name)), err_msg=name)
