"""Zarr's folder store, with every file synced before it takes its name: what was committed outlives a power cut."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from zarr.storage import LocalStore

from latentworld import disk

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer as ZarrBuffer

ENDINGS = (disk.PARTIAL, ".partial")  # of side files: ours, zarr's own


class Durable(LocalStore):  # type: ignore[misc]
    """As LocalStore (which writes side files and renames them), with an fsync before the rename."""

    def set_sync(self, key: str, value: ZarrBuffer) -> None:
        """Write one whole file or none."""
        self._ensure_open_sync()
        self._check_writable()
        _put(self.root / key, value.as_buffer_like())

    async def _set(self, key: str, value: ZarrBuffer, exclusive: bool = False) -> None:
        if not self._is_open:
            await self._open()
        self._check_writable()
        path = self.root / key
        if exclusive and path.exists():  # one process writes an atlas: its lock makes this check enough
            raise FileExistsError(path)
        await asyncio.to_thread(_put, path, value.as_buffer_like())


def _put(path: Path, value: bytes | bytearray | memoryview) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    disk.put(path, value)


def sweep(root: Path) -> None:
    """Remove the side files that a killed process left under `root`."""
    for ending in ENDINGS:
        for side in root.rglob(f"*{ending}"):
            side.unlink(missing_ok=True)
