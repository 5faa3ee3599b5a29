"""`latentworld atlas` as scripts see it: one country surveyed, shown, drawn, exported, toured and zoomed into."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from installation.atlas import findings, writeup
from installation.atlas.survey_folder import SurveyFolder
from installation.cli.atlas.report import tell
from latentworld import preset
from latentworld.atlas import reader, store, survey, zoom
from latentworld.errors import DiskFull
from latentworld.extras import EXTRA, install


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


ROOT = Path(__file__).parent.parent
SET = ["decoder.kind=analytic", "decoder.height=32", "decoder.width=32", "decoder.steps=10", "analytic.modes=8"]
SMALL = [part for setting in SET for part in ("--set", setting)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 12 x 12 survey of the analytic world, with its pictures."""
    monkeypatch = pytest.MonkeyPatch()
    out = tmp_path_factory.mktemp("atlas") / "country"
    monkeypatch.setattr("sys.argv", ["latentworld", "atlas", "survey", "neutral", "-o", str(out), "--size", "12x12",
                                     "--thumb", "16", "--dpi", "40", *SMALL])  # fmt: skip
    from installation import cli

    with pytest.raises(SystemExit) as ended:
        cli.main()
    monkeypatch.undo()
    assert not ended.value.code
    return out


def test_a_survey_writes_over_no_preset_of_somebody_else(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "preset.toml").write_text("title = 'mine'\n")
    code, _, err = run("atlas", "survey", "neutral", "-o", tmp_path, "--size", "4x4", "--no-plots", *SMALL)
    assert (code, "preset.toml is of no atlas and would be replaced: move it, or choose another folder" in err) == (
        1,
        True,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["preset.toml"]
    assert (tmp_path / "preset.toml").read_text() == "title = 'mine'\n"


def test_a_survey_leaves_store_preset_preview_pictures_and_page(made: Path) -> None:
    assert len(reader.read(made / "atlas.zarr")) == 144
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
    assert "line  1  mean rate" in out


def test_a_country_without_a_rift_is_shown_as_one(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = findings.read(SurveyFolder.at(made))
    flat = [replace(site, contrast=1.1) for site in found.sites]
    tell(replace(found, sites=flat), count=2)
    said = capsys.readouterr().out
    assert "rift  1" not in said
    assert "steep  1" in said
    assert "no rift: no place is 2 times as steep as the median" in said
    tell(replace(found, sites=[replace(flat[0], contrast=2.0)]), count=2)
    assert "rift  1" in (said := capsys.readouterr().out)
    assert "no rift" not in said


def test_plot_again_with_other_phases(made: Path, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    other = tmp_path / "other"
    shutil.copytree(made, other)
    code, out, err = run("atlas", "plot", other, "--phases", "2", "--light", "--dpi", "40")
    assert code == 0, err
    assert str(other / "atlas.html") in out
    assert len(findings.read(SurveyFolder.at(other)).phases.names) == 2


@pytest.fixture(scope="module")
def folder(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as the write-up's folder."""
    return writeup.export(SurveyFolder.at(made), tmp_path_factory.mktemp("export") / "folder", True)


def test_export_and_import_are_a_round_trip(made: Path, folder: Path, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, said, err = run("atlas", "export", made, "-o", tmp_path / "small", "--no-full")
    assert (code, said) == (0, f"{tmp_path / 'small'}\n"), err
    assert size(tmp_path / "small" / "a003_b011.png") == (16, 16)
    assert size(folder / "a003_b011.png") == (32, 32)  # full size, not the thumbnail's
    assert len(json.loads((folder / "metadata.json").read_text())["images"]) == 144
    code, _, err = run("atlas", "import", folder, "-o", tmp_path / "theirs", "--phases", "3", "--dpi", "40")
    assert code == 0, err
    found = findings.read(SurveyFolder.at(tmp_path / "theirs"))
    assert found.atlas.grid == (12, 12)
    assert len(found.phases.names) == 3


def test_a_tour_is_a_preset_that_films(made: Path, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    target = tmp_path / "seek.toml"
    code, out, err = run("atlas", "tour", made, "seek", "-o", target, "--stops", "3")
    assert code == 0, err
    assert "waypoints" in out
    assert preset.load(target).title == "Neutral, along the rifts"
    for mode in ("follow", "avoid"):
        code, out, err = run("atlas", "tour", made, mode, "-o", tmp_path / "new" / f"{mode}.toml")
        assert code == 0, err
    code, out, err = run("film", target, "-o", tmp_path / "film", "--set", "film.seconds=0.25")
    assert code == 0, err
    assert (tmp_path / "film" / "film.mp4").stat().st_size > 0


def test_a_zoom_leaves_series_growth_figures_and_film(  # type: ignore[no-untyped-def]
    made: Path, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    again = ("atlas", "zoom", "-o", out, "--atlas", made, "--size", "11x11", "--levels", "2", "--no-film")
    code, said, err = run(*again)
    assert (code, said) == (1, "")
    assert "zoom already" in err
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr("latentworld.atlas.plots.growth", lambda *_, **__: (_ for _ in ()).throw(DiskFull("full")))
        assert run(*again, "--overwrite")[0] == 1
    assert before == {file.name: file.read_bytes() for file in out.iterdir()}  # stays until another is whole
    code, said, err = run(*again, "--overwrite")  # with the atlas's own preset
    assert code == 0, err
    assert json.loads((out / "zoom.json").read_text())["levels"][0]["largest_rate"] == pytest.approx(rates[0])
    assert not (out / "zoom.mp4").exists()  # nothing of the earlier one stays


def test_an_atlas_of_another_size_is_told_before_a_world_is_loaded(  # type: ignore[no-untyped-def]
    made: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("installation.rig.open_studio", lambda *_: pytest.fail("it was loaded"))
    code, _, err = run("atlas", "survey", "neutral", "-o", made, "--size", "5x5", *SMALL)
    assert code == 1
    assert "was begun otherwise: " in err


def test_ctrl_c_ends_a_survey_with_one_line_and_the_same_command_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "country"
    asked = ["survey", "neutral", "-o", str(out), "--size", "200x200", "--thumb", "8", "--no-plots", *SMALL]
    command = [sys.executable, "-m", "installation", "atlas", *asked]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    done = out / "atlas.zarr" / "done" / "c"
    while process.poll() is None and len(list(done.glob("*"))) < 3:
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGINT)
    said, err = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, ""), err
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith("interrupted with ")
    assert last.endswith(f" of 40000 places kept; the same command goes on: latentworld atlas {' '.join(asked)}")
    with store.open_for_writing(out / "atlas.zarr") as kept:  # the lock was let go of
        assert 48 <= kept.done == int(last.split()[2])


def test_a_survey_that_is_stopped_before_its_first_place(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(survey, "run", lambda *told: os.kill(os.getpid(), signal.SIGTERM))
    code, said, err = run("atlas", "survey", "-o", tmp_path / "out", "--size", "4x4", *SMALL)
    assert (code, said) == (130, "")
    assert "interrupted with 0 of 16 places kept" in err
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(("at", "left"), [(1, 0), (3, 2)])
def test_ctrl_c_leaves_the_levels_of_a_zoom_so_far(  # type: ignore[no-untyped-def]
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, left: int
) -> None:
    real, asked = zoom._survey, []

    def interrupted(*told):  # type: ignore[no-untyped-def]
        asked.append(told)
        if len(asked) == at:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*told)

    monkeypatch.setattr(zoom, "_survey", interrupted)
    out = tmp_path / "zoom"
    code, said, err = run("atlas", "zoom", "-o", out, "--size", "11x11", "--thumb", "8", "--no-film", *SMALL)
    assert code == 130
    assert "Traceback" not in err
    assert "interrupted" in err
    if left:
        assert len(json.loads((out / "zoom.json").read_text())["levels"]) == left
        assert "--overwrite" in err
        assert "above the floor" in said
    else:
        assert not out.exists()


def test_what_was_imported_without_its_preset_has_no_tour(made: Path, run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    other = tmp_path / "other"
    shutil.copytree(made, other)
    (other / "preset.toml").unlink()
    for command in (("tour", other, "seek", "-o", tmp_path / "t.toml"), ("plot", other, "--words", "a cat")):
        code, out, err = run("atlas", *command)
        assert (code, out) == (1, "")
        assert "has no preset.toml" in err
    code, out, err = run("atlas", "tour", tmp_path / "nothing", "seek", "-o", tmp_path / "t.toml")
    assert (code, out) == (1, "")
    assert (
        f"there is no folder {tmp_path / 'nothing'}: name the folder of a survey" in err
    )  # not that its preset is missing


def test_without_the_extra_one_line_names_it(  # type: ignore[no-untyped-def]
    made: Path, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing, command in (("zarr", ("show", made)), ("matplotlib", ("zoom", "-o", tmp_path / "z", *SMALL))):
        with monkeypatch.context() as patch:
            for name in [name for name in sys.modules if name.split(".")[0] == missing]:
                patch.delitem(sys.modules, name)
            patch.delitem(sys.modules, "latentworld.atlas.durable", raising=False)
            patch.setitem(sys.modules, missing, None)
            code, out, err = run("atlas", *command)
        assert (code, out) == (1, "")
        assert err == f"error: {missing} is missing: {install(EXTRA.get(missing, ''))}\n"


BAD = {
    "empty window": ["survey", "-o", "OUT", "--alpha", "0.5:0.5"],
    "reversed window": ["survey", "-o", "OUT", "--beta", "1:0"],
    "one place": ["survey", "-o", "OUT", "--size", "1x1"],
    "not finite": ["survey", "-o", "OUT", "--alpha", "nan:1"],
    "no numbers": ["survey", "-o", "OUT", "--size", "many"],
    "no words": ["survey", "-o", "OUT", "--words", ""],
    "words without an eye for them": ["survey", "-o", "OUT", "--words", "a cat"],
    "no clusters": ["survey", "-o", "OUT", "--size", "4x4", "--phases", "0"],
    "budget": ["survey", "-o", "OUT", "--adaptive", "--budget", "0.001"],
    "no atlas": ["show", "OUT"],
    "no atlas to draw": ["plot", "OUT"],
    "nothing to export": ["export", "OUT", "-o", "OUT/folder"],
    "nothing to import": ["import", "OUT/nowhere", "-o", "OUT"],
    "no place to fall into": ["zoom", "-o", "OUT", "--at", "nan,0"],
    "a zoom by one": ["zoom", "-o", "OUT", "--factor", "1"],
    "unwritable": ["survey", "-o", "/proc/nowhere"],
    "no radius": ["survey", "-o", "OUT", "--size", "4x4", "--radius", "0"],
    "another plane": ["zoom", "-o", "OUT", "--atlas", "MADE", "--set", "plane.seeds=[1,2,3]", "--size", "11x11"],
    "a film of no length": ["zoom", "-o", "OUT", "--seconds", "nan"],
    "a fall outside its window": ["zoom", "-o", "OUT", "--at", "3,3"],
    "a tour over the atlas's preset": ["tour", "MADE", "-o", "MADE/preset.toml"],
    "a tour that is no preset": ["tour", "MADE", "-o", "OUT"],
    "an import over a survey": ["import", "FOLDER", "-o", "MADE"],
    "an export of what is there": ["export", "MADE", "-o", "MADE"],
    "no rift": ["zoom", "-o", "OUT", "--atlas", "MADE", "--rift", "999"],
    "unknown tour": ["tour", "MADE", "fly", "-o", "OUT/t.toml"],
    "unknown label": ["tour", "MADE", "visit", "--label", "unicorn", "-o", "OUT/t.toml"],
    "no such line": ["tour", "MADE", "follow", "--line", "99", "-o", "OUT/t.toml"],
    "one point": ["tour", "MADE", "shortest", "--point", "0.5,0.5", "-o", "OUT/t.toml"],
    "a point outside": ["tour", "MADE", "shortest", "--point", "0,0", "--point", "7,7", "-o", "OUT/t.toml"],
}


@pytest.mark.parametrize(
    "arguments",
    [
        *(pytest.param(arguments, id=name) for name, arguments in BAD.items()),
        pytest.param(
            ["survey", "-o", "OUT", "--size", "4x4", "--ray", "127.0.0.1:1"],
            id="unreachable Ray", marks=pytest.mark.cluster,
        ),
    ],
)  # fmt: skip
def test_what_is_refused_is_one_line(  # type: ignore[no-untyped-def]
    arguments: list[str], run, made: Path, folder: Path, tmp_path: Path
) -> None:
    places = {"OUT": str(tmp_path / "out"), "MADE": str(made), "FOLDER": str(folder)}
    for name, place in places.items():
        arguments = [argument.replace(name, place) for argument in arguments]
    decodes = arguments[0] in ("survey", "zoom")
    code, out, err = run("atlas", *arguments, *(SMALL if decodes else []))
    assert (code, out) == (1, ""), err
    lines = [line for line in err.splitlines() if "error: " in line]
    assert len(lines) == 1
    assert "Traceback" not in err
