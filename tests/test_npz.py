"""What was kept in an .npz file: whole, or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latentworld import npz


@pytest.mark.parametrize("packed", [True, False])
def test_damaged_bytes_are_no_file_and_no_fault(packed: bool, tmp_path: Path) -> None:
    """Whatever numpy, zipfile and zlib make of them."""
    draw = np.random.default_rng(0)
    held = {"a": draw.normal(size=(5, 3)), "b": draw.integers(0, 9, (4, 2))}
    (np.savez_compressed if packed else np.savez)(tmp_path / "whole.npz", **held)
    whole = (tmp_path / "whole.npz").read_bytes()
    found = npz.read(tmp_path / "whole.npz", "a", "b")
    assert found is not None
    np.testing.assert_array_equal(found["a"], held["a"])
    lost = 0
    for _ in range(300):
        data = bytearray(whole)
        for place in draw.integers(0, len(data), 3).tolist():
            data[place] = int(draw.integers(0, 256))
        (tmp_path / "damaged.npz").write_bytes(data[: int(draw.integers(1, len(data) + 1))])
        read = npz.read(tmp_path / "damaged.npz", "a", "b")
        lost += read is None
        if read is not None:  # the change lies where nobody reads
            np.testing.assert_array_equal(read["a"], held["a"])
            np.testing.assert_array_equal(read["b"], held["b"])
    assert lost > 200


def test_numbers_that_are_none_and_names_that_are_missing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.array([1.0, np.nan]), b=np.array(["words"]))
    assert npz.read(tmp_path / "a.npz", "a") is None
    assert npz.read(tmp_path / "a.npz", "b", "c") is None
    assert npz.read(tmp_path / "missing.npz", "a") is None
    found = npz.read(tmp_path / "a.npz", "b")
    assert found is not None
    assert found["b"].tolist() == ["words"]
