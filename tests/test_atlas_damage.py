"""An atlas on disk that suffers: a full disk, damaged and missing files, a newer version."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("zarr", reason="the extra `atlas` is not installed")

from standins.stores import WINDOW, begin, render, same, terms
from standins.surveys import PLANE

from latentworld.atlas import durable, survey
from latentworld.atlas.reader import Reader, read
from latentworld.atlas.sampling import Adaptive
from latentworld.atlas.settings import settings_of
from latentworld.atlas.store import create, open_for_writing, resume_or_create
from latentworld.atlas.types import Rendered
from latentworld.errors import AtlasDamaged, DiskFull
from latentworld.plane import Plane

# A full disk


class Full:
    """Stands in for the write of one file: the disk is full from write number `after` on, and before the rename."""

    def __init__(self, after: int) -> None:
        self.left, self.put = after, durable._put

    def __call__(self, path: Path, value: Any) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        self.put(path, value)


@pytest.mark.parametrize("after", [0, 1, 3, 8, 14, 20, 24, 26, 70])
def test_a_full_disk_leaves_a_store_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """In the first block, between features and marks, while a generation is begun, and after the last place."""
    sampling, path = Adaptive(rows=13, columns=13, coarse=4, budget=0.5), tmp_path / "full"
    begin(path, sampling).close()
    with monkeypatch.context() as patch:
        patch.setattr(durable, "_put", Full(after))
        with open_for_writing(path) as store, pytest.raises(DiskFull, match="free some"):
            survey.run(store, render)
    read(path)
    with resume_or_create(path, terms(sampling), PLANE, {}) as store:
        survey.run(store, render)
    held = survey.in_memory(sampling, PLANE, render)
    kept = read(path)
    for name in ("features", "lattice", "level", "thumbs"):
        np.testing.assert_array_equal(np.asarray(getattr(kept, name)), np.asarray(getattr(held, name)), err_msg=name)


# Damage


def chunk(path: Path, name: str, index: int) -> Path:
    return next(file for file in (path / name / "c" / str(index)).rglob("*") if file.is_file())


@pytest.mark.parametrize("name", ["features", "thumbs"])
@pytest.mark.parametrize("harm", ["truncated", "flipped", "gone"])
def test_a_damaged_chunk_is_named_and_can_be_redone(copied: Path, undisturbed: Path, name: str, harm: str) -> None:
    file = chunk(copied, name, 5)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(data if harm == "flipped" else data[: len(data) // 2])
    with pytest.raises(AtlasDamaged) as told:
        np.asarray(read(copied).thumbs)
    assert str(file) in str(told.value)
    (copied / "done" / "c" / "5").unlink()  # as the message says
    with open_for_writing(copied) as store:
        assert store.pending() == [5]
        file.unlink(missing_ok=True)
        survey.run(store, render)
    same(copied, undisturbed)


def test_a_flipped_byte_is_found_wherever_it_lies(copied: Path) -> None:
    file = chunk(copied, "features", 5)
    good = file.read_bytes()
    for at in range(0, len(good), max(1, len(good) // 40)):
        file.write_bytes(good[:at] + bytes([good[at] ^ 0x01]) + good[at + 1 :])
        with pytest.raises(AtlasDamaged):
            np.asarray(read(copied).features)


def edited(path: Path, **attributes: Any) -> None:
    file = path / "zarr.json"
    told = json.loads(file.read_text())
    told["attributes"] |= attributes
    file.write_text(json.dumps(told))


def test_an_atlas_from_a_newer_version(copied: Path) -> None:
    edited(copied, version=2)
    for opens in (read, open_for_writing):
        with pytest.raises(AtlasDamaged, match=r"newer latentworld.*update latentworld"):
            opens(copied)


def test_what_is_no_atlas(tmp_path: Path, copied: Path) -> None:
    with pytest.raises(AtlasDamaged, match="there is no folder"):
        read(tmp_path / "nowhere")
    edited(copied, format="something.else")
    with pytest.raises(AtlasDamaged, match="no atlas: check the path"):
        read(copied)


@pytest.mark.parametrize("name", ["unit", "lattice", "level", "vertices", "done", "features", "thumbs"])
def test_a_missing_array_is_named(copied: Path, name: str) -> None:
    (copied / name / "zarr.json").unlink()
    with pytest.raises(AtlasDamaged, match=f"{name} is missing"):
        read(copied)


@pytest.mark.parametrize("name", ["unit", "done", "features", "vertices"])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_shape_that_no_memory_holds_is_damage(copied: Path, name: str, axis: int) -> None:
    file = copied / name / "zarr.json"
    told = json.loads(file.read_text())
    told["shape"][min(axis, len(told["shape"]) - 1)] = 10**10
    file.write_text(json.dumps(told))
    with pytest.raises(AtlasDamaged, match=name):
        np.asarray(read(copied).features[:])


def test_more_places_than_an_atlas_has_are_damage(copied: Path) -> None:
    file = copied / "zarr.json"
    told = json.loads(file.read_text())
    told["attributes"]["generations"] = [10**12]
    file.write_text(json.dumps(told))
    with pytest.raises(AtlasDamaged, match="cannot be read"):
        read(copied)


@pytest.mark.parametrize("name", ["settings", "generations", "complete"])
def test_an_atlas_that_lacks_a_part_of_itself_is_named(copied: Path, name: str) -> None:
    told = json.loads((copied / "zarr.json").read_text())
    del told["attributes"][name]
    (copied / "zarr.json").write_text(json.dumps(told))
    with pytest.raises(AtlasDamaged, match=f"says nothing of {name}"):
        read(copied)


def test_damaged_metadata_is_named(copied: Path) -> None:
    for file in (copied / "features" / "zarr.json", copied / "zarr.json"):
        file.write_text(file.read_text()[:40])
        with pytest.raises(AtlasDamaged, match=str(file.relative_to(copied)).split("/")[0]):
            read(copied)


def test_a_missing_block_is_told_from_a_black_one(tmp_path: Path) -> None:
    """Zeros are written like anything else: what has no file was lost."""
    black = lambda units, radii: Rendered(np.zeros((len(units), 4), np.float32), np.zeros((len(units), 4, 4, 3), "u1"))  # noqa: E731
    with begin(tmp_path / "atlas") as store:
        survey.run(store, black)
    assert not np.asarray(read(tmp_path / "atlas").thumbs[:]).any()
    for name in ("features", "thumbs"):
        lost = chunk(tmp_path / "atlas", name, 2)
        whole = lost.read_bytes()
        lost.unlink()
        with pytest.raises(AtlasDamaged, match=rf"{name}.*(missing|read)"):
            np.asarray(read(tmp_path / "atlas").thumbs[:])
        lost.write_bytes(whole)


def test_vertices_that_do_not_match_their_hash(copied: Path, tmp_path: Path) -> None:
    other = Plane(np.random.default_rng(9).normal(size=(3, 4, 8, 8)))
    create(tmp_path / "other", settings_of(WINDOW, other), other, {}).close()
    chunk(copied, "vertices", 0).write_bytes(chunk(tmp_path / "other", "vertices", 0).read_bytes())
    with pytest.raises(AtlasDamaged, match=r"vertices.*hash"):
        read(copied)


@pytest.mark.parametrize("settings", [{}, {"block": "many"}, {"sampling": {"kind": "window", "rows": 1}}])
def test_settings_that_make_no_sense_are_damage(copied: Path, settings: dict[str, Any]) -> None:
    told = json.loads((copied / "zarr.json").read_text())["attributes"]["settings"]
    edited(copied, settings={**told, **settings} if settings else {})
    with pytest.raises(AtlasDamaged, match="atlas cannot be read: take it from a copy"):
        read(copied)


def test_what_is_derived_can_be_derived_anew(copied: Path) -> None:
    with open_for_writing(copied) as store:
        store.write_rates(np.arange(70.0))
    (copied / "rate" / "c" / "0").write_bytes(b"no")
    with pytest.raises(AtlasDamaged, match="survey again"):
        Reader(copied).read_rates()
    with open_for_writing(copied) as store:
        store.write_rates(np.arange(70.0))
        np.testing.assert_array_equal(store.read_rates(), np.arange(70.0))


def test_a_surveys_folder_stands_for_the_store_inside(copied: Path, tmp_path: Path) -> None:
    folder = tmp_path / "map"
    folder.mkdir()
    copied.rename(folder / "atlas.zarr")
    np.testing.assert_array_equal(Reader(folder).atlas().unit, Reader(folder / "atlas.zarr").atlas().unit)
    (tmp_path / "empty" / "atlas.zarr").mkdir(parents=True)
    with pytest.raises(AtlasDamaged, match=r"no atlas in .*empty: name the folder"):
        Reader(tmp_path / "empty")
