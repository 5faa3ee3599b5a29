"""What is brought out of a machine that may be taken away."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from foundry import keeping, presets


def test_a_world_is_brought_out_in_small_parts_that_make_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, folder = tmp_path / "cast" / "world", tmp_path / "out"
    (world / "unet").mkdir(parents=True)
    folder.mkdir()
    (folder / "unet.json").write_text("kept meanwhile")
    (world / "unet" / "weights").write_bytes(bytes(range(256)) * 100)
    assert keeping.bundle(world, folder) == []
    (world / "card.toml").write_text("name = 'embedded'\n")
    monkeypatch.setattr(keeping, "SHARD", 9000)
    parts = keeping.bundle(world, folder)
    assert sorted(path.name for path in folder.iterdir()) == [path.name for path in parts]
    assert max(path.stat().st_size for path in parts) == 9000
    with tarfile.open(fileobj=io.BytesIO(b"".join(path.read_bytes() for path in parts))) as archive:
        assert archive.extractfile("world/unet/weights").read() == bytes(range(256)) * 100  # type: ignore[union-attr]


def test_an_empty_cast_has_nothing_to_keep(tmp_path: Path) -> None:
    with keeping.brought(tmp_path / "cast", presets.TINY, tmp_path / "out", 60.0):
        pass
    assert not list((tmp_path / "out").glob("*"))
