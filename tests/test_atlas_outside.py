"""An atlas as other programs find it: coordinates, names, consolidated metadata; and as earlier versions left it."""

from __future__ import annotations

import errno
import json
import os
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("zarr", reason="the extra `atlas` is not installed")
pytest.importorskip("xarray", reason="the extra `atlas` is not installed")

import xarray
import zarr
from standins.stores import WINDOW, render, same, surveyed, terms
from standins.surveys import PLANE, RAW

from latentworld.atlas import durable, survey
from latentworld.atlas import store as store_module
from latentworld.atlas.logz import Fit, LogZ
from latentworld.atlas.metric import Fitted
from latentworld.atlas.reader import Reader, read
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.schema import DERIVED, SEEN, VARIABLES, WHERE
from latentworld.atlas.settings import settings_of
from latentworld.atlas.store import create, open_for_writing, resume_or_create
from latentworld.atlas.types import Phases
from latentworld.errors import DiskFull
from latentworld.lipschitz import Floor

PAGE = Path(__file__).parent.parent / "docs" / "atlas-format.md"
REFINED = Adaptive(rows=9, columns=9, coarse=4, budget=0.6)
SAMPLINGS = [WINDOW, Globe(nside=2), REFINED]


def concluded(path: Path) -> None:
    """Floor, rates, phases, metric and surprise, as a survey's end and `atlas metric` write them."""
    with open_for_writing(path) as store:
        count = store.done
        store.write_floor(Floor(0.0, 1e-6))
        store.write_rates(np.arange(float(count)))
        store.write_labels(Phases(("cat", "hill"), np.arange(count) % 2, np.ones(count)))
        found = LogZ(np.ones((4, 2)), np.zeros(4), 0.1)
        store.write_metric(
            np.ones((count, 3)), Fitted(found, np.ones((count, 3)), "gauss", 20.0, 9.0, Fit(1.0, 0.1, 7))
        )
        for index in store.unsurprised():
            start, stop = store.span(index)
            store.commit_surprise(index, np.arange(float(start), stop))


def consolidated(path: Path) -> dict[str, Any] | None:
    told = json.loads((path / "zarr.json").read_text()).get("consolidated_metadata")
    return None if told is None else told["metadata"]


def own(path: Path) -> dict[str, Any]:
    """What the arrays' own files say."""
    return {file.parent.name: json.loads(file.read_text()) for file in path.glob("*/zarr.json")}


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=lambda sampling: sampling.kind)
def test_xarray_opens_it_with_its_coordinates_and_no_warning(tmp_path: Path, sampling: Any) -> None:
    path = surveyed(tmp_path / "atlas", sampling)
    concluded(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = xarray.open_zarr(path).load()
    assert set(found.coords) == set(WHERE)
    assert set(found.data_vars) == {*SEEN, *DERIVED, "vertices", "logz"}
    there, atlas = found.isel(place=np.flatnonzero(found.done)), read(path)
    np.testing.assert_array_equal(np.stack([there.alpha, there.beta], 1), atlas.coordinates)
    np.testing.assert_array_equal(there.front, atlas.chart[2])
    np.testing.assert_array_equal(there.unit, atlas.unit)
    np.testing.assert_array_equal(there.rate, np.arange(len(atlas)))
    assert (found.place.size > len(atlas)) == (sampling is REFINED)  # slots that are no places say so
    assert (found.level.values < 0).sum() == found.place.size - len(atlas)
    assert set(there.rate.coords) == {"alpha", "beta", "front", "level"}


def test_a_window_unfolds_into_rows_and_columns(copied: Path) -> None:
    concluded(copied)
    found = xarray.open_zarr(copied)[["rate"]].set_index(place=["alpha", "beta"]).unstack("place")
    assert dict(found.sizes) == {"alpha": 10, "beta": 7}
    np.testing.assert_array_equal(found.rate, np.arange(70.0).reshape(10, 7))


def test_a_raw_planes_places_are_told_too(tmp_path: Path) -> None:
    sampling = Window(alpha=(-1.0, 2.0), rows=4, columns=3)
    with create(tmp_path / "raw", settings_of(sampling, RAW), RAW, {}):
        found = zarr.open_group(tmp_path / "raw", mode="r")
    np.testing.assert_array_equal(found["alpha"][:], np.repeat([-1.0, 0.0, 1.0, 2.0], 3))
    assert found["front"][:].all()


def test_every_array_says_what_it_is_and_the_page_names_it(copied: Path) -> None:
    concluded(copied)
    page = PAGE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| `([\w, ]+\[.*?\])` \|", page, re.MULTILINE))
    found = zarr.open_consolidated(copied)
    assert set(found) == set(VARIABLES) == set(rows)
    for name, array in found.arrays():
        assert {"long_name", "units", "description"} <= set(array.attrs)
        assert rows[name] == f"{array.dtype} [{', '.join(array.metadata.dimension_names)}]"


@pytest.mark.parametrize("library", ["xarray", "zarr", "tensorstore"])
def test_the_pages_examples_run(copied: Path, library: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(library)
    concluded(copied)
    (code,) = re.findall(rf"```python\n(import {library}\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert "out/50x50/atlas.zarr" in code
    exec(code.replace("out/50x50/atlas.zarr", str(copied)), {})
    told = capsys.readouterr().out
    assert "69" in told or library == "tensorstore"  # the steepest place's rate
    assert "70" in told or library == "xarray"


def test_what_is_consolidated_is_true_whenever_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each write of a survey's end, and of phases that are named anew."""
    finished = surveyed(tmp_path / "finished", REFINED)
    assert consolidated(finished) == own(finished)
    put, left = durable._put, 0

    def fails(path: Path, value: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        put(path, value)

    monkeypatch.setattr(durable, "_put", fails)
    seen = []
    for after in range(60):
        left = after
        try:
            concluded(finished)
            break
        except DiskFull:
            seen.append(consolidated(finished))
            assert seen[-1] in (None, own(finished))
    assert None in seen
    assert consolidated(finished) == own(finished)
    assert set(own(finished)) == set(VARIABLES)


def test_killed_before_it_is_consolidated_it_is_when_the_survey_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "consolidate", killed)
        with pytest.raises(KeyboardInterrupt):
            surveyed(tmp_path / "atlas", REFINED)
    assert Reader(tmp_path / "atlas").complete
    _none(tmp_path / "atlas")
    with open_for_writing(tmp_path / "atlas") as store:
        survey.run(store, render)
    assert consolidated(tmp_path / "atlas") == own(tmp_path / "atlas")


def test_nothing_is_consolidated_while_there_is_more_to_come(tmp_path: Path) -> None:
    with create(tmp_path / "atlas", terms(REFINED), PLANE, {}) as store:
        survey.run(store, render, lambda *_: _none(store.path))
        assert consolidated(store.path) == own(store.path)
        store.write_rates(np.zeros(store.done))
        store.extend(store.places(0))  # which changes every shape
        _none(store.path)
    assert {tuple(array["shape"])[:1] for name, array in own(store.path).items() if name != "vertices"} == {
        (Reader(store.path).slots,)
    }


def _none(path: Path) -> None:
    assert consolidated(path) is None


def test_an_atlas_of_an_earlier_version_is_read_and_gone_on_with(tmp_path: Path) -> None:
    """`golden/atlas-1.zip`: 17 of 22 places, in the second generation, rated; written before arrays had attributes."""
    with zipfile.ZipFile(Path(__file__).parent / "golden" / "atlas-1.zip") as kept:
        kept.extractall(tmp_path)
    path = tmp_path / "atlas"
    old = Reader(path)
    assert (old.done, old.generations, old.complete) == (17, [9, 13], False)
    np.testing.assert_array_equal(old.read_rates(), np.arange(17.0))
    with resume_or_create(path, terms(REFINED), PLANE, {}) as store:
        survey.run(store, render)
    concluded(path)
    same(path, surveyed(tmp_path / "new", REFINED))
    assert consolidated(path) == own(path)
    assert set(xarray.open_zarr(path).variables) == set(VARIABLES) - {"alpha", "beta", "front"}
