"""What is done to pictures before they are kept: grain, and networks that enlarge."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from installation.film import make, upscale, verify
from installation.film.finish import DEEPEST, Finish, grained
from installation.film.manifest import read
from installation.film.output import Folder
from installation.film.sinks import Memory
from latentworld import preset
from latentworld.errors import (
    NotFinite,
    OutputExists,
    ShowError,
    UnsafeWeights,
    WorldDamaged,
    WorldMismatch,
    WorldMissing,
)

pytestmark = pytest.mark.usefixtures("plain")

SMALL = [
    "decoder.height=32", "decoder.width=32", "decoder.steps=10", "decoder.batch=4", "film.seconds=1", "film.fps=16",
    "film.chunk=0.5", "film.scale=1", "film.codec=frames",
]  # fmt: skip


def journey(*overrides: str) -> preset.Preset:
    return preset.load("analytic", [*SMALL, *overrides])


def pictures(folder: Path) -> list[np.ndarray]:
    """The stills of a film."""
    found = []
    for path in sorted((folder / "frames").glob("*.png")):
        with Image.open(path) as image:
            found.append(np.asarray(image))
    return found


def grey(level: int, side: int = 64) -> np.ndarray:
    return np.full((side, side, 3), level, np.uint8)


def test_grain_is_deepest_in_the_middle_and_none_in_black_and_white() -> None:
    depths = [float(grained(grey(level), 1.0, 7).astype(int).std()) for level in (0, 24, 128, 231, 255)]
    assert depths[0] == depths[4] == 0.0
    assert 0.9 * DEEPEST < depths[2] < 1.1 * DEEPEST
    assert depths[1] < 0.75 * depths[2] > depths[3]
    made = grained(grey(128), 0.5, 7).astype(int)
    assert made.mean() == pytest.approx(128, abs=0.5)
    assert np.array_equal(made[..., 0], made[..., 2])  # of one colour
    beside = np.corrcoef(made[:, :-1, 0].ravel(), made[:, 1:, 0].ravel())[0, 1]
    assert 0.3 < beside < 0.6  # soft by about a pixel


@given(st.integers(0, 2**40), st.integers(2, 40), st.integers(2, 40), st.floats(0.01, 1.0))
@settings(deadline=None, max_examples=30)
def test_grain_hangs_on_the_frames_number_and_on_nothing_else(number: int, high: int, wide: int, amount: float) -> None:
    picture = np.random.default_rng(high * 41 + wide).integers(0, 256, (high, wide, 3), dtype=np.uint8)
    one = grained(picture, amount, number)
    grained(picture, amount, number + 1)
    assert np.array_equal(one, grained(picture, amount, number))
    assert one.shape == picture.shape
    assert one.dtype == np.uint8


def test_grain_is_drawn_from_bits_that_stay() -> None:
    made = grained(grey(128, 16), 1.0, 345_599)
    assert hashlib.sha256(made.tobytes()).hexdigest()[:16] == "7830d73bb8b5eef6"


@pytest.mark.parametrize("codec", ["frames", "h264", "ffv1"])
def test_a_chunk_made_alone_has_the_very_grain(codec: str, tmp_path: Path) -> None:
    """Telemetry and digests of the pictures are those of a film without."""
    asked = [f"film.codec={codec}", "film.added_grain=0.7", "film.scale=2"]
    film = make.film(journey(*asked), tmp_path / "whole")

    class Stop(Memory):
        def send(self, frames: make.telemetry.Frames) -> None:
            super().send(frames)
            if int(frames.path.index[-1]) >= 12:
                raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        make.film(journey(*asked), tmp_path / "film", sinks=[Stop()])
    again = make.film(journey(*asked), tmp_path / "film")
    files = [[chunk.sha256 for chunk in read(each.folder.manifest).chunks] for each in (film, again)]
    assert files[0] == files[1]
    bare = make.film(journey(f"film.codec={codec}", "film.scale=2"), tmp_path / "bare")
    assert bare.folder.telemetry.read_bytes() == film.folder.telemetry.read_bytes()
    one, two = (read(each.folder.manifest).chunks for each in (bare, film))
    assert [chunk.pictures for chunk in one] == [chunk.pictures for chunk in two]
    assert [chunk.decoded for chunk in one] != [chunk.decoded for chunk in two]
    if codec == "frames":
        for number, (plain, made) in enumerate(zip(pictures(tmp_path / "bare"), pictures(tmp_path / "whole"))):
            assert np.array_equal(grained(plain, 0.7, number), made)


def test_what_is_left_to_the_encoder_is_said() -> None:
    class Twice:
        scale = 2

        def __call__(self, picture: np.ndarray) -> np.ndarray:
            return picture.repeat(2, axis=0).repeat(2, axis=1)

    assert Finish((64, 96)).leaves((16, 24)) == (16, 24)
    assert Finish((64, 96), enlarger=Twice()).leaves((16, 24)) == (32, 48)
    assert Finish((64, 96), enlarger=Twice(), grain=0.1).leaves((16, 24)) == (64, 96)
    for finish in (Finish((64, 96)), Finish((64, 96), enlarger=Twice()), Finish((64, 96), enlarger=Twice(), grain=0.1)):
        made = finish(np.zeros((16, 24, 3), np.uint8), 0)
        assert made.shape[:2] == finish.leaves((16, 24))


# networks


def compact(path: Path, scale: int = 2, channels: int = 3, weight: float = 0.3, seed: int = 0) -> Path:
    """A network of the kind that is called Compact, with random weights: small, and known to spandrel by its names."""
    import torch
    from safetensors.torch import save_file
    from torch import nn

    torch.manual_seed(seed)
    first, last = nn.Conv2d(channels, 8, 3, 1, 1), nn.Conv2d(8, channels * scale**2, 3, 1, 1)
    body = nn.Sequential(first, nn.PReLU(8), nn.Conv2d(8, 8, 3, 1, 1), nn.PReLU(8), last)
    save_file({f"body.{name}": weight * value for name, value in body.state_dict().items()}, path)
    return path


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """The file of a network that doubles pictures."""
    pytest.importorskip("einops")
    with upscale._without_torchvision():
        pytest.importorskip("spandrel")
    return compact(tmp_path / "twice.safetensors")


def noise(high: int, wide: int) -> np.ndarray:
    return np.random.default_rng(high).integers(0, 256, (high, wide, 3), dtype=np.uint8)


@pytest.mark.parametrize("side", [(16, 24), (192, 192), (193, 40), (300, 250)])
def test_a_picture_in_tiles_is_the_picture_in_one(
    side: tuple[int, int], network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = upscale.load(str(network))
    assert found is not None
    made = found(noise(*side))
    assert made.shape == (2 * side[0], 2 * side[1], 3)
    assert np.array_equal(made, found(noise(*side)))
    monkeypatch.setattr(upscale, "TILE", 4096)
    whole = found(noise(*side))
    assert np.abs(made.astype(int) - whole).max() <= (0 if max(side) <= 192 else 1)  # the network sees 3 pixels far
    assert np.abs(made.astype(int) - noise(*side).repeat(2, axis=0).repeat(2, axis=1)).max() < 60  # and changes them
    assert not np.array_equal(made, noise(*side).repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize("codec", ["frames", "h265"])
def test_a_film_is_enlarged_and_says_so(codec: str, network: Path, tmp_path: Path) -> None:
    asked = [f"film.codec={codec}", f"film.upscale={network}"]
    memory = Memory()
    film = make.film(journey(*asked), tmp_path / "film", sinks=[memory])
    told = json.loads(film.folder.summary.read_text())
    digest = hashlib.sha256(network.read_bytes()).hexdigest()
    assert told["upscale"] == {"network": "twice.safetensors", "digest": digest, "scale": 2}
    assert told["size"] == [64, 64]
    assert memory.pictures.shape[1:] == (32, 32, 3)  # measured as the model made them
    assert read(film.folder.manifest).identity.enlarger == digest
    assert verify.verify(Folder(tmp_path / "film")) == []
    if codec == "frames":
        found = upscale.load(str(network))
        for kept, picture in zip(pictures(tmp_path / "film"), memory.pictures):
            assert np.array_equal(kept, found(picture))


def test_a_size_goes_before_the_networks_own(network: Path, tmp_path: Path) -> None:
    asked = [f"film.upscale={network}", "film.seconds=0.25"]
    for number, (setting, side) in enumerate({"film.scale=3": (96, 96), "film.size=[48, 80]": (48, 80)}.items()):
        film = make.film(journey(*asked, setting), tmp_path / str(number))
        assert pictures(film.folder.path)[0].shape[:2] == side


def test_another_network_is_another_film(network: Path, tmp_path: Path) -> None:
    asked = [f"film.upscale={network}"]

    class Stop(Memory):
        def send(self, frames: make.telemetry.Frames) -> None:
            super().send(frames)
            if int(frames.path.index[-1]) >= 10:
                raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        make.film(journey(*asked), tmp_path / "film", sinks=[Stop()])
    moved = network.rename(tmp_path / "moved.safetensors")
    other = compact(tmp_path / "other.safetensors", seed=1)
    for name in (str(other), "lanczos"):
        with pytest.raises(OutputExists, match="enlarger"):
            make.film(journey(f"film.upscale={name}"), tmp_path / "film")
    assert make.film(journey(f"film.upscale={moved}"), tmp_path / "film").complete  # its digest stands for it


def bad(kind: str, folder: Path) -> Path:
    """A file that is no network to enlarge with."""
    import torch
    from safetensors.torch import save_file

    path = folder / f"bad{'.pth' if kind == 'pickle' else '.safetensors'}"
    if kind == "grey":
        return compact(path, channels=1)
    if kind == "small":
        return compact(path, scale=1)
    if kind == "weights":
        save_file({"unet.conv.weight": torch.zeros(4, 4)}, path)
    elif kind != "missing":
        path.write_bytes(b"no weights" * 100)
    return path


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [("missing", WorldMissing, "no such file"), ("pickle", UnsafeWeights, "convert it"),
     ("text", WorldDamaged, "no safetensors"), ("weights", WorldMismatch, "that spandrel knows"),
     ("grey", WorldMismatch, "takes 1 channels"), ("small", WorldMismatch, "enlarges nothing")],
)  # fmt: skip
def test_what_is_no_network_is_told_in_a_line_before_a_world_is_loaded(
    kind: str, error: type[Exception], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "build", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(error, match=said) as caught:
        make.film(journey(f"film.upscale={bad(kind, tmp_path)}"), tmp_path / "film")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "film").exists()


def test_a_network_of_numbers_that_are_none_is_told(network: Path, tmp_path: Path) -> None:
    path = compact(tmp_path / "nan.safetensors", weight=float("nan"))
    with pytest.raises(NotFinite, match="take another network"):
        make.film(journey(f"film.upscale={path}"), tmp_path / "film")


def test_without_spandrel_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(upscale.sys.modules, "spandrel", None)
    with pytest.raises(ShowError, match=r"spandrel is missing: .* spandrel"):
        upscale.load(str(compact(tmp_path / "a.safetensors")))
