"""`latentworld atlas` as scripts see it: one country surveyed, shown, drawn, exported, toured and zoomed into."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from installation import atlases
from latentworld import preset
from latentworld.atlas import store


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


SET = ["decoder.kind=analytic", "decoder.height=32", "decoder.width=32", "decoder.steps=10", "analytic.modes=8"]
SMALL = [part for setting in SET for part in ("--set", setting)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 12 x 12 survey of the analytic world, with its pictures."""
    monkeypatch = pytest.MonkeyPatch()
    out = tmp_path_factory.mktemp("atlas") / "country"
    monkeypatch.setattr("sys.argv", ["latentworld", "atlas", "survey", "neutral", "-o", str(out), "--size", "12x12",
                                     "--thumb", "16", *SMALL])  # fmt: skip
    from installation import cli

    with pytest.raises(SystemExit) as ended:
        cli.main()
    monkeypatch.undo()
    assert not ended.value.code
    return out


def test_a_survey_leaves_store_preset_preview_pictures_and_page(made: Path) -> None:
    assert len(store.read(made / "atlas.zarr")) == 144
    assert preset.load(made / "preset.toml").analytic.modes == 8
    assert size(made / "preview.png")[0] >= 100
    names = {"grid", "field", "overlay", "phases", "globe"}
    assert {path.stem for path in (made / "pictures").glob("*.svg")} == names
    assert {path.stem for path in (made / "pictures").glob("*.png")} == names
    assert b"<canvas" in (made / "atlas.html").read_bytes()


def test_the_same_survey_goes_on_and_another_is_refused(made: Path, run) -> None:  # type: ignore[no-untyped-def]
    again = ("atlas", "survey", "neutral", "-o", made, "--thumb", "16", *SMALL, "--no-plots")
    code, out, err = run(*again, "--size", "12x12")
    assert code == 0, err
    assert "places" in out
    code, out, err = run(*again, "--size", "13x12")
    assert (code, out) == (1, "")
    assert "rows was 12, now 13" in err
    assert err.count("error: ") == 1


def test_show_lists_figures_phases_and_rifts(made: Path, run) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run("atlas", "show", made / "atlas.zarr", "--count", "3")
    assert code == 0, err
    assert "median rate" in out
    assert "noise floor" in out
    assert "phase 1" in out
    assert out.count("--alpha") == 3


def test_plot_again_with_other_phases(made: Path, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    other = tmp_path / "other"
    shutil.copytree(made, other)
    code, out, err = run("atlas", "plot", other, "--phases", "2", "--light")
    assert code == 0, err
    assert str(other / "atlas.html") in out
    assert len(atlases.findings(atlases.folder(other)).phases.names) == 2


def test_export_and_import_are_a_round_trip(made: Path, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("atlas", "export", made, "-o", tmp_path / "folder")
    assert code == 0, err
    assert size(tmp_path / "folder" / "a003_b011.png") == (32, 32)  # full size, not the thumbnail's
    assert len(json.loads((tmp_path / "folder" / "metadata.json").read_text())["images"]) == 144
    code, _, err = run("atlas", "import", tmp_path / "folder", "-o", tmp_path / "theirs", "--phases", "3")
    assert code == 0, err
    found = atlases.findings(atlases.folder(tmp_path / "theirs"))
    assert found.atlas.grid == (12, 12)
    assert len(found.phases.names) == 3


def test_a_tour_is_a_preset_that_films(made: Path, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "seek.toml"
    code, out, err = run("atlas", "tour", made, "seek", "-o", target, "--stops", "3")
    assert code == 0, err
    assert "waypoints" in out
    code, out, err = run("film", target, "-o", tmp_path / "film", "--set", "film.seconds=0.25")
    assert code == 0, err
    assert (tmp_path / "film" / "film.mp4").stat().st_size > 0


def test_a_zoom_leaves_series_growth_figures_and_film(made: Path, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "zoom"
    code, said, err = run("atlas", "zoom", "neutral", "-o", out, "--atlas", made, "--size", "11x11", "--levels", "3",
                          "--thumb", "16", "--seconds", "0.2", *SMALL)  # fmt: skip
    assert code == 0, err
    told = json.loads((out / "zoom.json").read_text())
    assert [level["width"] for level in told["levels"]] == pytest.approx([0.1, 0.01, 0.001])
    rates = [level["largest_rate"] for level in told["levels"]]
    assert rates == sorted(rates)
    assert (out / "zoom.mp4").stat().st_size > 0
    assert size(out / "zoom.png")[0] > 300
    assert "largest rate grows" in said


BAD = {
    "empty window": ["survey", "-o", "OUT", "--alpha", "0.5:0.5"],
    "reversed window": ["survey", "-o", "OUT", "--beta", "1:0"],
    "one place": ["survey", "-o", "OUT", "--size", "1x1"],
    "not finite": ["survey", "-o", "OUT", "--alpha", "nan:1"],
    "no numbers": ["survey", "-o", "OUT", "--size", "many"],
    "no words": ["survey", "-o", "OUT", "--words", ""],
    "words without an eye for them": ["survey", "-o", "OUT", "--words", "a cat"],
    "no clusters": ["survey", "-o", "OUT", "--size", "4x4", "--phases", "0"],
    "unreachable Ray": ["survey", "-o", "OUT", "--size", "4x4", "--ray", "127.0.0.1:1"],
    "budget": ["survey", "-o", "OUT", "--adaptive", "--budget", "0.001"],
    "no atlas": ["show", "OUT"],
    "no atlas to draw": ["plot", "OUT"],
    "nothing to export": ["export", "OUT", "-o", "OUT/folder"],
    "nothing to import": ["import", "OUT/nowhere", "-o", "OUT"],
    "no place to fall into": ["zoom", "-o", "OUT", "--at", "nan,0"],
    "a zoom by one": ["zoom", "-o", "OUT", "--factor", "1"],
    "unwritable": ["survey", "-o", "/proc/nowhere"],
    "no rift": ["zoom", "-o", "OUT", "--atlas", "MADE", "--rift", "999"],
    "unknown tour": ["tour", "MADE", "fly", "-o", "OUT/t.toml"],
    "unknown label": ["tour", "MADE", "visit", "--label", "unicorn", "-o", "OUT/t.toml"],
    "no such line": ["tour", "MADE", "follow", "--line", "99", "-o", "OUT/t.toml"],
    "one point": ["tour", "MADE", "shortest", "--point", "0.5,0.5", "-o", "OUT/t.toml"],
    "a point outside": ["tour", "MADE", "shortest", "--point", "0,0", "--point", "7,7", "-o", "OUT/t.toml"],
}


@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD.keys())
def test_what_is_refused_is_one_line(arguments: list[str], run, made: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    places = {"OUT": str(tmp_path / "out"), "MADE": str(made)}
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
    decodes = arguments[0] in ("survey", "zoom")
    code, out, err = run("atlas", *arguments, *(SMALL if decodes else []))
    assert (code, out) == (1, ""), err
    lines = [line for line in err.splitlines() if "error: " in line]
    assert len(lines) == 1
    assert "Traceback" not in err
