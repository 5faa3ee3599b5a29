"""Stills: several at once, enlarged, made again from themselves; and no setting is passed over in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from installation.film import imprint

Run = Callable[..., tuple[int, str, str]]
SMALL = ["still", "--decoder", "analytic", "--set", "decoder.height=32", "--set", "decoder.width=32"]
WAYS = {
    "at": (["--at", "0.2,0.3", "--at", "0.7,-1", "--at", "0.7,-1,-1.5"], 3),
    "grid": (["--grid", "2x3"], 6),
    "random": (["--random", "5"], 5),
    "random, radius": (["--random", "2", "--radius", "0.5"], 2),
}


@pytest.mark.parametrize(("way", "count"), WAYS.values(), ids=WAYS.keys())
def test_several_places_are_each_the_picture_of_one(way: list[str], count: int, run: Run, tmp_path: Path) -> None:
    code, out, err = run(*SMALL, *way, "-o", tmp_path / "many")
    assert code == 0, err
    files = [Path(line) for line in out.splitlines()]
    assert len(set(files)) == count == len(list((tmp_path / "many").iterdir()))
    for file in files:
        place = imprint.read(file).place
        assert place is not None
        where = ["--alpha", place.alpha, "--beta", place.beta, "--radius", place.radius]
        assert run(*SMALL, *where, "-o", tmp_path / "one.png")[0] == 0
        np.testing.assert_array_equal(Image.open(file), Image.open(tmp_path / "one.png"))


def test_a_grid_has_the_corners_and_a_drawing_is_repeated(run: Run, tmp_path: Path) -> None:
    run(*SMALL, "--grid", "2x2", "-o", tmp_path / "grid")
    places = [imprint.read(file).place for file in sorted((tmp_path / "grid").iterdir())]
    assert [(round(p.alpha, 9), round(p.beta, 9)) for p in places if p] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    names = []
    for folder, draw in (("a", "7"), ("b", "7"), ("c", "8")):
        run(*SMALL, "--random", "3", "--draw", draw, "-o", tmp_path / folder)
        names.append(sorted(file.name for file in (tmp_path / folder).iterdir()))
    assert names[0] == names[1] != names[2]


SIZES = {
    "scale": (["--scale", "3"], (96, 96)),
    "size": (["--size", "48x80"], (80, 48)),
    "fit, grain": (["--size", "64x48", "--set", "film.fit=cover", "--set", "film.added_grain=0.4"], (48, 64)),
}


@pytest.mark.parametrize(("options", "size"), SIZES.values(), ids=SIZES.keys())
def test_a_picture_enlarged_and_moved_is_made_again_to_the_byte(
    options: list[str], size: tuple[int, int], run: Run, tmp_path: Path
) -> None:
    code, _, err = run(*SMALL, "--at", "0.3,0.4", *options, "-o", tmp_path / "a.png")
    assert (code, err) == (0, "")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == size
    moved = tmp_path / "elsewhere" / "b.png"
    moved.parent.mkdir()
    (tmp_path / "a.png").rename(moved)
    code, _, err = run("still", moved, "-o", tmp_path / "again.png")
    assert (code, err) == (0, "")
    assert (tmp_path / "again.png").read_bytes() == moved.read_bytes()


def test_one_as_the_model_made_it_is_made_again_to_the_byte_and_can_be_enlarged(run: Run, tmp_path: Path) -> None:
    first, again, large = (tmp_path / name for name in ("a.png", "again.png", "large.png"))
    assert run(*SMALL, "--alpha", "0.3", "--beta", "0.4", "-o", first)[0] == 0
    assert run("still", first, "-o", again)[0] == 0
    assert again.read_bytes() == first.read_bytes()
    code, _, err = run("still", first, "--scale", "2", "-o", large)
    assert (code, err) == (0, "")
    with Image.open(large) as image:
        assert image.size == (64, 64)


def test_what_a_still_does_not_heed_is_told(run: Run, tmp_path: Path) -> None:
    place = ["--at", "0.1,0.2", "-o", tmp_path / "a.png"]
    _, _, err = run(
        *SMALL, *place, "--set", "walk.kind=orbit", "--set", "film.fps=30", "--prompt", "a cat", "--guidance", "3"
    )
    assert "walk.kind, film.fps" in err or "film.fps" in err
    assert "prompt.positive" in err
    assert "decoder.guidance" in err
    assert run(*SMALL, *place)[2] == ""  # nor is what a preset says of its films


def test_several_pictures_are_no_one_file(run: Run, tmp_path: Path) -> None:
    code, _, err = run(*SMALL, "--random", "3", "-o", tmp_path / "a.png")
    assert code == 2
    assert "3 pictures go into a folder" in err
    assert not (tmp_path / "a.png").exists()


MISUSED = {
    "nowhere": [],
    "half a place": ["--alpha", "0.3"],
    "two ways": ["--at", "0.1,0.2", "--grid", "2x2"],
    "no place": ["--at", "0.1"],
    "no grid": ["--grid", "3"],
    "an endless grid": ["--grid", "1000x1000"],
    "a drawing of nothing": ["--draw", "3", "--at", "0.1,0.2"],
    "no size": ["--at", "0.1,0.2", "--size", "large"],
}


@pytest.mark.parametrize("options", MISUSED.values(), ids=MISUSED.keys())
def test_misuse_is_one_line(options: list[str], run: Run, tmp_path: Path) -> None:
    code, out, err = run(*SMALL, *options, "-o", tmp_path / "a.png")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1


def test_places_that_are_none_leave_nothing(run: Run, tmp_path: Path) -> None:
    code, _, err = run(*SMALL, "--at", "0.1,0.2", "--at", "nan,0", "-o", tmp_path / "many")
    assert code == 1
    assert "finite" in err
    assert not (tmp_path / "many").exists()
