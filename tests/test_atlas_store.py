"""An atlas on disk: written, read, killed, busy, resumed with other settings; damage: test_atlas_damage.py."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("zarr", reason="the extra `atlas` is not installed")

from standins.stores import WINDOW, begin, render, same, surveyed, terms
from standins.surveys import PLANE

from latentworld.atlas import chunks, survey
from latentworld.atlas.dataset import dataset
from latentworld.atlas.durable import Durable
from latentworld.atlas.reader import Reader, read
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.settings import differences, provenance, settings_of
from latentworld.atlas.store import create, open_for_writing, resume_or_create
from latentworld.atlas.types import Phases
from latentworld.decoding.analytic import analytic
from latentworld.errors import AtlasBusy, AtlasDamaged, AtlasError, AtlasMismatch, OutputExists
from latentworld.lipschitz import Floor

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("sampling", [WINDOW, Globe(nside=3), Adaptive(rows=40, columns=33, coarse=8, budget=0.3)])
def test_a_store_says_what_a_survey_in_memory_says(tmp_path: Path, sampling: Any) -> None:
    kept, held = read(surveyed(tmp_path / "atlas", sampling)), survey.in_memory(sampling, PLANE, render, block=11)
    for name in ("unit", "features", "lattice", "level", "thumbs", "coordinates"):
        np.testing.assert_array_equal(np.asarray(getattr(kept, name)), np.asarray(getattr(held, name)), err_msg=name)
    assert (kept.sampling, kept.grid, kept.complete) == (sampling, held.grid, True)
    np.testing.assert_array_equal(kept.plane.vertices, PLANE.vertices)


def test_thumbnails_are_read_where_they_are_asked_for(copied: Path) -> None:
    atlas = read(copied)
    whole = np.asarray(atlas.thumbs)
    assert atlas.thumbs.shape == whole.shape == (70, 3, 4, 3)
    np.testing.assert_array_equal(atlas.thumbs[13], whole[13])
    np.testing.assert_array_equal(atlas.thumbs[-1], whole[-1])
    np.testing.assert_array_equal(atlas.thumbs[6:19], whole[6:19])
    np.testing.assert_array_equal(atlas.thumbs[[40, 3]], whole[[40, 3]])
    assert atlas.thumbs[:0].shape == (0, 3, 4, 3)


def test_only_what_is_done_is_read_also_while_it_is_written(tmp_path: Path) -> None:
    with begin(tmp_path / "atlas") as store:
        assert len(read(store.path)) == 0
        for index in (4, 0):
            survey.commit(store, index, render(*survey.block_places(store, index)))
        atlas = read(store.path)
        assert not atlas.complete
        np.testing.assert_array_equal(atlas.lattice, WINDOW.lattice()[[*range(8), *range(32, 40)]])
        np.testing.assert_array_equal(atlas.features, atlas.unit.astype(np.float32))
        assert survey.pending(store) == [1, 2, 3, 5, 6, 7, 8]


def test_blocks_may_come_in_any_order(copied: Path, tmp_path: Path) -> None:
    with begin(tmp_path / "other") as store:
        for index in reversed(store.pending()):
            survey.commit(store, index, render(*survey.block_places(store, index)))
        assert survey.advance(store) is False
    same(copied, tmp_path / "other")


def test_every_chunk_is_of_one_block_and_no_side_file_stays(copied: Path) -> None:
    for name in ("features", "thumbs", "done"):
        assert len(list((copied / name / "c").iterdir())) == 9
    assert not list(copied.rglob("*.part*"))


def test_rates_labels_and_floor_are_kept_until_places_are_added(tmp_path: Path) -> None:
    phases = Phases(("cat", "mountain"), np.arange(8) % 2, np.linspace(0, 1, 8))
    with begin(tmp_path / "atlas") as store:
        store.commit(0, render(*survey.block_places(store, 0)))
        store.write_rates(np.arange(8.0))
        store.write_labels(phases)
        store.write_floor(Floor(0.0, 1e-6))
        with pytest.raises(AtlasError, match="derive it again"):
            store.write_rates(np.arange(9.0))
    again = Reader(tmp_path / "atlas")
    found, rates = again.read_labels(), again.read_rates()
    assert found is not None
    assert (list(found.names), found.label.tolist()) == (["cat", "mountain"], phases.label.tolist())
    np.testing.assert_allclose(found.confidence, phases.confidence, atol=1e-7)
    np.testing.assert_array_equal(rates, np.arange(8.0))
    assert again.atlas().floor == Floor(0.0, 1e-6)
    with open_for_writing(tmp_path / "atlas") as store:
        store.commit(1, render(*survey.block_places(store, 1)))
        assert (store.read_rates(), store.read_labels()) == (None, None)


def test_as_an_xarray_dataset(copied: Path, tmp_path: Path) -> None:
    with open_for_writing(copied) as store:
        store.write_rates(np.arange(70.0))
    found = dataset(copied, thumbs=True)
    assert dict(found.sizes) == {
        "row": 10, "column": 7, "axis": 3, "index": 2, "feature": 3, "height": 3, "width": 4, "channel": 3,
    }  # fmt: skip
    np.testing.assert_array_equal(found.alpha, np.linspace(0, 1, 10))
    assert float(found.rate.isel(row=2, column=3)) == 17.0
    assert dataset(surveyed(tmp_path / "globe", Globe(nside=1))).sizes["place"] == 12


# Resuming


def test_it_goes_on_where_it_was_interrupted(copied: Path, tmp_path: Path) -> None:
    path, seen = tmp_path / "other", []

    def stop(done: int, total: int, index: int) -> None:
        seen.append((done, total, index))
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), begin(path) as store:
        survey.run(store, render, stop)
    assert seen == [(8, 70, 0), (16, 70, 1), (24, 70, 2), (32, 70, 3)]
    with resume_or_create(path, terms(), PLANE, provenance("later")) as store:
        assert store.done == 32
        survey.run(store, render, lambda *told: seen.append(told))
    assert [index for *_, index in seen] == list(range(9))
    assert json.loads((path / "zarr.json").read_text())["attributes"]["provenance"]["created"] == "2026-01-01"
    same(copied, path)


def test_other_settings_are_refused_and_every_one_is_named(copied: Path) -> None:
    profile = analytic(PLANE, 8, batch=4).profile
    new = settings_of(Window(rows=11, columns=7), PLANE, profile, block=8, prompt="a cat", seeds=[1, 2, 3])
    with pytest.raises(AtlasMismatch) as told:
        resume_or_create(copied, new, PLANE, {})
    assert "\n" not in str(told.value)
    for part in ("sampling.rows was 10, now 11", 'prompt was null, now "a cat"', "seeds was null, now [1, 2, 3]"):
        assert part in str(told.value)
    resume_or_create(copied, terms(), PLANE, {}).close()  # and the lock was let go of


def test_a_profile_differs_key_by_key() -> None:
    a, b = (settings_of(WINDOW, PLANE, analytic(PLANE, 8, batch=batch).profile) for batch in (4, 8))
    assert differences(a, b) == ["profile.batch was 4, now 8"]


def test_numbers_that_are_not_finite_are_no_settings() -> None:
    with pytest.raises(AtlasError, match="finite"):
        settings_of(WINDOW, PLANE, guidance=float("nan"))
    with pytest.raises(AtlasError, match="block"):
        settings_of(WINDOW, PLANE, block=0)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_something_else_is_never_overwritten(tmp_path: Path, what: str) -> None:
    path = tmp_path / "mine"
    treasure = path if what == "file" else path / "notes.txt"
    treasure.parent.mkdir(exist_ok=True)
    treasure.write_text("mine")
    with pytest.raises(OutputExists, match="there already"):
        create(path, terms(), PLANE, {})
    with pytest.raises(AtlasDamaged, match="no atlas in"):
        resume_or_create(path, terms(), PLANE, {})
    assert treasure.read_text() == "mine"


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "atlas").mkdir()
    resume_or_create(tmp_path / "atlas", terms(), PLANE, {}).close()
    assert read(tmp_path / "atlas").settings == terms()


def test_another_process_writes(copied: Path) -> None:
    program = f"""
import sys, time
from latentworld.atlas.store import open_for_writing
with open_for_writing({str(copied)!r}):
    print("held", flush=True)
    sys.stdin.read()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(AtlasBusy, match="another process"):
            open_for_writing(copied)
        assert len(read(copied)) == 70
    finally:
        holder.communicate("")
    open_for_writing(copied).close()


WORLD = """
import numpy as np
from latentworld.atlas import survey
from latentworld.atlas.types import Rendered
from latentworld.atlas.reader import Reader, read
from latentworld.atlas.sampling import Adaptive, Window
from latentworld.atlas.settings import settings_of
from latentworld.atlas.store import resume_or_create
from latentworld.decoding.analytic import SHELL, Mixture, regular_modes
from latentworld.plane import Plane

PLANE = Plane(np.random.default_rng(1).normal(size=(3, 4, 8, 8)))
MIXTURE = Mixture(regular_modes(8), 0.1, steps=20)


def render(units, radii):
    features = MIXTURE.flow(units * (SHELL * radii[:, None])).astype(np.float32)
    return Rendered(features, np.repeat(np.uint8(features * 50 + 100)[:, None, None], 12, axis=1))


def go_on(path, sampling, on_block=None):
    with resume_or_create(path, settings_of(sampling, PLANE, block=10), PLANE, {}) as store:
        print("begun", flush=True)
        survey.run(store, render, on_block)
"""


@pytest.mark.parametrize(
    ("sampling", "kills"),
    [(Window(rows=20, columns=25), 3), (Adaptive(rows=30, columns=30, budget=0.3), 1)],
    ids=["window", "adaptive"],
)
def test_kill_minus_nine_loses_only_the_block_under_way(tmp_path: Path, sampling: Any, kills: int) -> None:
    """The analytic world without torch; killed at moments a seed chooses, within and between blocks."""
    chance, path, world = random.Random(7), tmp_path / "killed", dict[str, Any]()
    program = f"{WORLD}\ngo_on({str(path)!r}, {sampling!r}, lambda done, *_: print(done, flush=True))"
    found: list[int] = []
    for _ in range(kills):
        child = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        reports = [child.stdout.readline() for _ in range(chance.randrange(4, 12))]
        assert all(reports), "the child ended on its own"
        time.sleep(chance.uniform(0, 0.03))
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        found.append(len(read(path)))
        assert found[-1] >= int(reports[-1])  # what was reported is there
    assert found == sorted(found)
    exec(WORLD, world)
    world["go_on"](path, sampling)
    world["go_on"](tmp_path / "undisturbed", sampling)
    assert not list(path.rglob("*.part*"))
    same(path, tmp_path / "undisturbed")


def test_a_store_syncs_before_it_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda number: (synced.append(os.readlink(f"/proc/self/fd/{number}")), real(number))
    )
    with begin(tmp_path / "atlas") as store:
        assert isinstance(store._group.store, Durable)
        synced.clear()
        store.commit(0, render(*survey.block_places(store, 0)))
    names = [Path(name).relative_to(tmp_path / "atlas").parts[0] for name in synced]
    assert names[-1] == "done"
    assert {"features", "thumbs"} <= set(names)


def test_an_array_that_is_there_is_not_begun_again(tmp_path: Path) -> None:
    group = pytest.importorskip("zarr").open_group(tmp_path, mode="w")
    chunks.begun(group, "level", (10,), 5)[:] = 3
    with pytest.raises(ValueError, match="array"):
        chunks.begun(group, "level", (10,), 5)
    assert chunks.begun(group, "level", (10,), 5, overwrite=True)[0] != 3
