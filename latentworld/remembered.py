"""What was found to be so, and need not be looked into again: empty files in the cache folder, named by what was asked.

For checks whose answer follows from what they are given and takes long; only a yes is kept. Without a cache that can
be written to, everything is looked into each time.
"""

from __future__ import annotations

import contextlib
import hashlib

from latentworld import disk


def knows(asked: object) -> bool:
    """Whether this was found to be so. asked: whatever the answer hangs on, with a `repr` that says all of it."""
    return (disk.cache_folder() / "checked" / _name(asked)).is_file()


def keep(asked: object) -> None:
    """It is so."""
    place = disk.cache_folder() / "checked" / _name(asked)
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        disk.put(place, b"")


def _name(asked: object) -> str:
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:32]
