"""Vertices: the write-up's draws, and files that know whether they are whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from latentworld import vertices
from latentworld.errors import GeometryError, OutputError, WorldDamaged, WorldMissing

SEEDS, SHAPE = (0, 123, 200), (4, 16, 24)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_draws_are_the_write_ups(layout: vertices.Layout, dtype: vertices.Precision) -> None:
    randn_tensor = pytest.importorskip("diffusers.utils.torch_utils").randn_tensor
    ours = vertices.from_seeds(SEEDS, SHAPE, layout, dtype=dtype)
    assert ours.shape == (3, *SHAPE)
    assert ours.dtype == np.float64
    for z, seed in zip(ours, SEEDS, strict=True):
        size = (1, 16, 24, 4) if layout == "nhwc" else (1, 4, 16, 24)
        theirs = randn_tensor(
            size,
            generator=torch.Generator("cpu").manual_seed(seed),
            device=torch.device("cpu"),
            dtype=getattr(torch, dtype),
        )
        theirs = theirs.permute(0, 3, 1, 2) if layout == "nhwc" else theirs
        assert np.array_equal(z, theirs[0].double().numpy())


def test_the_write_ups_vertices_lie_on_the_shell() -> None:
    z = vertices.from_seeds(SEEDS, (4, 64, 64), dtype="float16")
    np.testing.assert_allclose(np.linalg.norm(z.reshape(3, -1), axis=1), 128.0, rtol=0.01)


def test_a_file_gives_back_the_same_bits(tmp_path: Path) -> None:
    z = vertices.from_seeds(SEEDS, SHAPE)
    file = tmp_path / "v.safetensors"
    vertices.save(file, z, {"seeds": list(SEEDS), "layout": "nhwc"})
    loaded, origin = vertices.load(file)
    assert loaded.tobytes() == z.tobytes()
    assert origin == {"seeds": [0, 123, 200], "layout": "nhwc"}
    assert vertices.digest(loaded) == vertices.digest(z) != vertices.digest(z + 1)
    assert [p.name for p in tmp_path.iterdir()] == ["v.safetensors"]


def test_one_changed_byte_is_found(tmp_path: Path) -> None:
    file = tmp_path / "v.safetensors"
    vertices.save(file, vertices.from_seeds(SEEDS, SHAPE), {})
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)
    with pytest.raises(WorldDamaged, match="hash"):
        vertices.load(file)
    file.write_bytes(data[:-9])
    with pytest.raises(WorldDamaged, match="seeds"):
        vertices.load(file)


def test_a_foreign_or_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorldMissing):
        vertices.load(tmp_path / "none.safetensors")
    file = tmp_path / "pickle.safetensors"
    torch.save({"vertices": torch.zeros(1)}, file)
    with pytest.raises(WorldDamaged):
        vertices.load(file)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "v.safetensors"
    vertices.save(file, vertices.from_seeds(SEEDS, SHAPE), {"take": 1})

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError):
        vertices.save(file, vertices.from_seeds((1, 2, 3), SHAPE), {"take": 2})
    assert vertices.load(file)[1] == {"take": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_seeds_of_64_bits_and_latents_of_one_number_can_be_drawn() -> None:
    z = vertices.from_seeds((-(2**63), 0, 2**64 - 1), (1, 1, 1))
    assert z.shape == (3, 1, 1, 1)
    assert np.isfinite(z).all()


def test_the_order_in_which_an_origin_is_told_makes_no_other_file(tmp_path: Path) -> None:
    z = vertices.from_seeds(SEEDS, SHAPE)
    vertices.save(tmp_path / "a", z, {"seeds": [0, 1, 2], "layout": "nhwc"})
    vertices.save(tmp_path / "b", z, {"layout": "nhwc", "seeds": [0, 1, 2]})
    for _ in range(8):  # the library alone writes a header in another order each time
        vertices.save(tmp_path / "b", z, {"layout": "nhwc", "seeds": [0, 1, 2]})
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert int.from_bytes((tmp_path / "a").read_bytes()[:8], "little") % 8 == 0  # what follows lies at a multiple of 8


@pytest.mark.parametrize(
    "call",
    [
        lambda: vertices.from_seeds((0, 1), SHAPE),
        lambda: vertices.from_seeds((0, 1, 2**64), SHAPE),
        lambda: vertices.from_seeds((0, 1, -(2**63) - 1), SHAPE),
        lambda: vertices.from_seeds(SEEDS, (4, 8)),  # type: ignore[arg-type]
        lambda: vertices.from_seeds(SEEDS, (4, 0, 8)),
        lambda: vertices.from_seeds(SEEDS, SHAPE, layout="chw"),  # type: ignore[arg-type]
        lambda: vertices.from_seeds(SEEDS, SHAPE, device="toaster"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: object) -> None:
    with pytest.raises(GeometryError, match=r"^[^\n]+: [^\n]+\.$"):
        call()  # type: ignore[operator]
