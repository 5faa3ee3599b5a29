"""What was kept in an .npz file of ours, or nothing: a file that is damaged is one that is not there."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Held = dict[str, NDArray[np.generic]]


def read(file: Path, *names: str) -> Held | None:
    """The arrays of these names; None where the file or one of them is missing, cannot be read, or holds numbers that
    are not finite.

    Damaged bytes make numpy, zipfile and zlib raise nearly anything (zlib.error, NotImplementedError, RuntimeError,
    tokenize.TokenError; 43 of 2,700 files with a few bytes changed), so whatever they raise means the same.
    """
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as held:
            found = {name: np.asarray(held[name]) for name in names}
    except Exception:
        return None
    floats = (array for array in found.values() if np.issubdtype(array.dtype, np.floating))
    return found if all(np.isfinite(array).all() for array in floats) else None
