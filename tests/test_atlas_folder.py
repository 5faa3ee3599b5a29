"""The write-up's folder: written, read back, and refused where its pictures and metadata disagree."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("zarr", reason="the extra `atlas` is not installed")

from standins.surveys import PLANE

from latentworld.atlas import survey
from latentworld.atlas.folder import export, import_folder, import_into, read_folder, stand_in
from latentworld.atlas.reader import read
from latentworld.atlas.sampling import Globe, Window
from latentworld.atlas.settings import settings_of
from latentworld.atlas.store import create
from latentworld.atlas.thumbs import thumbnails
from latentworld.atlas.types import Atlas, Rendered
from latentworld.errors import AtlasDamaged, AtlasError, AtlasMismatch, OutputExists

WINDOW = Window(alpha=(0.4, 0.6), beta=(-0.1, 1.7), rows=4, columns=3)


class Eye:
    """The mean colour of each half, and nothing else."""

    dimension = 6

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.cat([half.mean(dim=(2, 3)) for half in pictures.chunk(2, dim=3)], dim=1)


def full(units: np.ndarray) -> np.ndarray:
    """Pictures float32 [n, 3, 16, 24] in 0..1."""
    ramp = np.linspace(0.2, 1.0, 24)
    return np.broadcast_to((np.abs(units)[:, :, None, None] * ramp), (len(units), 3, 16, 24)).astype(np.float32)


def developed(pictures: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.rint(pictures * 255).astype(np.uint8).transpose(0, 2, 3, 1))


def render(units: np.ndarray, radii: np.ndarray) -> Rendered:
    pictures = full(units)
    return Rendered(Eye()(torch.from_numpy(pictures)).numpy(), thumbnails(developed(pictures), 12))


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    told = settings_of(WINDOW, PLANE, block=5, prompt={"positive": "a cat", "negative": "blurry"}, seeds=[0, 123, 200])
    with create(tmp_path / "atlas", told, PLANE, {}) as store:
        survey.run(store, render)
    return read(tmp_path / "atlas")


@pytest.fixture
def folder(atlas: Atlas, tmp_path: Path) -> Path:
    export(atlas, tmp_path / "folder", lambda places: developed(full(atlas.unit[places])), {"author": "me"})
    return tmp_path / "folder"


def test_the_folder_is_the_write_ups(folder: Path) -> None:
    told = json.loads((folder / "metadata.json").read_text())
    assert set(told) == {"config", "images"}
    names = [f"a{row:03d}_b{column:03d}.png" for row in range(4) for column in range(3)]
    assert sorted(file.name for file in folder.iterdir()) == [*names, "metadata.json"]
    alphas, betas = np.linspace(0.4, 0.6, 4), np.linspace(-0.1, 1.7, 3)
    assert told["images"] == [
        {"filename": name, "row": i // 3, "col": i % 3, "alpha": float(alphas[i // 3]), "beta": float(betas[i % 3])}
        for i, name in enumerate(names)
    ]
    expected = {
        "grid_resolution": [4, 3], "alpha_interval": [0.4, 0.6], "beta_interval": [-0.1, 1.7], "pos_prompt": "a cat",
        "neg_prompt": "blurry", "seeds": [0, 123, 200], "eta": 0.0, "norm": "sphere", "author": "me",
    }  # fmt: skip
    assert expected.items() <= told["config"].items()
    with Image.open(folder / names[0]) as picture:
        assert picture.size == (24, 16)


def test_there_and_back(atlas: Atlas, folder: Path) -> None:
    back = import_folder(folder, Eye(), PLANE, thumb=12)
    np.testing.assert_array_equal(back.coordinates, atlas.coordinates)
    np.testing.assert_array_equal(back.unit, atlas.unit)
    np.testing.assert_array_equal(back.lattice, atlas.lattice)
    np.testing.assert_array_equal(back.thumbs, np.asarray(atlas.thumbs))
    np.testing.assert_allclose(back.features, atlas.features, atol=0.5 / 255 + 1e-6)
    assert (back.sampling, back.grid) == (WINDOW, (4, 3))
    assert back.settings["latent_distances"] == "measured"


def test_into_a_store_and_again(folder: Path, tmp_path: Path) -> None:
    held = import_folder(folder, Eye(), thumb=12)
    for _ in range(2):  # the second time there is nothing left to do
        import_into(tmp_path / "theirs", folder, Eye(), {}, thumb=12, block=5)
    kept = read(tmp_path / "theirs")
    assert kept.complete
    assert kept.settings["imported"]["author"] == "me"
    for name in ("unit", "features", "lattice", "thumbs", "coordinates"):
        np.testing.assert_array_equal(np.asarray(getattr(kept, name)), np.asarray(getattr(held, name)))


def test_without_a_plane_distances_are_typical_and_it_says_so(folder: Path) -> None:
    atlas = import_folder(folder, Eye(), thumb=12)
    assert atlas.settings["latent_distances"] == "typical, not measured"
    assert atlas.plane.shape == (4, 2, 3)
    flat = stand_in((512, 512)).vertices.reshape(3, -1)
    np.testing.assert_allclose(flat @ flat.T, 4 * 64 * 64 * np.eye(3), rtol=1e-12)


def test_thumbnails_will_do(atlas: Atlas, tmp_path: Path) -> None:
    export(atlas, tmp_path / "small")
    assert read_folder(tmp_path / "small").size == (8, 12)


def test_what_is_there_is_not_overwritten(atlas: Atlas, folder: Path) -> None:
    before = sorted(folder.iterdir())
    with pytest.raises(OutputExists, match="there already"):
        export(atlas, folder)
    assert sorted(folder.iterdir()) == before


def test_a_failed_export_leaves_nothing(atlas: Atlas, tmp_path: Path) -> None:
    def fails(places: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(atlas, tmp_path / "new", fails)
    assert not [file for file in tmp_path.iterdir() if "new" in file.name]


def test_only_complete_windows_are_exported(tmp_path: Path) -> None:
    with pytest.raises(AtlasError, match="only a complete window"):
        export(survey.in_memory(Globe(nside=1), PLANE, render), tmp_path / "globe")
    with create(tmp_path / "half", settings_of(WINDOW, PLANE, block=5), PLANE, {}) as store:
        survey.commit(store, 0, render(*survey.block_places(store, 0)))
        with pytest.raises(AtlasError, match="only a complete window"):
            export(store.atlas(), tmp_path / "out")


# Folders made elsewhere


def rewritten(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    told = json.loads((folder / "metadata.json").read_text())
    changed = change(told)
    (folder / "metadata.json").write_text(json.dumps(told if changed is None else changed))


def test_other_layouts_of_the_metadata(folder: Path) -> None:
    rewritten(folder, lambda told: {"steps": 50, "grid": list(reversed(told["images"])), "seeds": [1, 2, 3]})
    found = read_folder(folder)
    assert (found.window, found.config) == (WINDOW, {"steps": 50, "seeds": [1, 2, 3]})
    assert found.names[:4] == ("a000_b000.png", "a000_b001.png", "a000_b002.png", "a001_b000.png")
    rewritten(folder, lambda told: told["grid"])
    assert (read_folder(folder).window, read_folder(folder).config) == (WINDOW, {})


def test_rounded_coordinates_are_the_grids(folder: Path) -> None:
    rewritten(
        folder, lambda told: [record.update(alpha=round(record["alpha"], 7)) for record in told["images"]] and None
    )
    assert read_folder(folder).window == WINDOW


def change(index: int, **values: Any) -> Callable[[Path], None]:
    return lambda folder: rewritten(folder, lambda told: told["images"][index].update(values))


def picture(name: str, size: tuple[int, int]) -> Callable[[Path], None]:
    return lambda folder: Image.new("RGB", size).save(folder / name)


DISAGREE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a missing picture": (lambda f: (f / "a001_b002.png").unlink(), "a001_b002.png is named"),
    "an extra picture": (picture("a009_b009.png", (24, 16)), "a009_b009.png is not named"),
    "another size": (picture("a002_b000.png", (25, 16)), "a002_b000.png is 25x16, others 24x16"),
    "another alpha": (change(4, alpha=0.5), r"a001_b001.png says alpha 0.5, .* has 0.466667"),
    "a row too many": (change(11, row=4), "no picture at row 3, col 2"),
    "two at one node": (change(5, row=1, col=1), "a001_b002.png is a second picture at row 1, col 1"),
    "not a number": (change(3, beta=float("nan")), "a001_b000.png has beta nan"),
    "a word": (change(3, row="1"), "a001_b000.png has row '1'"),
    "no column": (change(3, col=None), "a001_b000.png has col None"),
    "a way out": (change(3, filename="../secret.png"), "names '../secret.png'"),
}


@pytest.mark.parametrize("case", DISAGREE)
def test_what_disagrees_is_named(folder: Path, case: str) -> None:
    harm, told = DISAGREE[case]
    harm(folder)
    with pytest.raises(AtlasMismatch, match=told) as error:
        read_folder(folder)
    assert "\n" not in str(error.value)


def test_metadata_or_pictures_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    (folder / "a003_b001.png").write_bytes(b"no picture")
    with pytest.raises(AtlasDamaged, match=r"a003_b001.png cannot be read"):
        read_folder(folder)
    cut = shutil.copy(folder / "a003_b002.png", folder / "a003_b001.png")
    Path(cut).write_bytes(Path(cut).read_bytes()[:60])  # its size can be read, its pixels cannot
    with pytest.raises(AtlasDamaged, match=r"a003_b001.png cannot be read"):
        import_folder(folder, Eye())
    (folder / "metadata.json").write_text('{"images": [')
    with pytest.raises(AtlasDamaged, match=r"metadata.json cannot be read"):
        read_folder(folder)
    (folder / "metadata.json").write_text('{"images": []}')
    with pytest.raises(AtlasDamaged, match="0 lists of pictures"):
        read_folder(folder)
    with pytest.raises(AtlasDamaged, match=re.escape(str(tmp_path / "nowhere"))):
        read_folder(tmp_path / "nowhere")


def test_one_picture_is_no_grid(folder: Path) -> None:
    rewritten(folder, lambda told: told["images"][:1])
    for file in folder.glob("*.png"):
        if file.name != "a000_b000.png":
            file.unlink()
    with pytest.raises(AtlasError, match="rows: "):
        read_folder(folder)


def test_an_eye_that_sees_no_number_is_refused(folder: Path) -> None:
    class Blind:
        dimension = 2

        def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
            return torch.full((len(pictures), 2), torch.nan)

    with pytest.raises(AtlasError, match="not finite"):
        import_folder(folder, Blind())
