"""Every command that we print or write down for people is run, or at least understood, as they would type it."""

from __future__ import annotations

import ast
import os
import re
import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

from installation import cli, rig
from installation.atlas import rendering
from installation.cli.commands import COMMANDS
from installation.cli.commands import command as made_by_name
from installation.cli.help import Group
from latentworld import preset
from latentworld.atlas import reader, store, zoom

ROOT = Path(__file__).parent.parent
SMALL = [part for setting in ("decoder.kind=analytic", "decoder.height=32", "decoder.width=32", "decoder.steps=10",
                              "analytic.modes=8") for part in ("--set", setting)]  # fmt: skip
OPTIONS = {"-h", "--help", "--version", "--install-completion", "--show-completion"}
Run = Callable[..., tuple[int, str, str]]


# Those in the documentation and in messages: understood


def fenced(page: str) -> Iterator[str]:
    """Lines of a page's code fences, comments cut off."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            yield re.split(r"\s#\s|\s&&\s|\s\|\s", line)[0].strip()


def commands(lines: Iterator[str]) -> Iterator[list[str]]:
    """Arguments of each of the lines that calls us, whatever its path."""
    for line in lines:
        if match := re.match(r"(?:\$ )?(?:\S*/)?latentworld (.+)", line):
            yield shlex.split(match[1])


def documented() -> list[tuple[str, list[str]]]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [(page.name, told) for page in pages for told in commands(fenced(page.read_text(encoding="utf-8")))]


def spoken() -> list[tuple[str, list[str]]]:
    """Commands in backticks, in the strings and docstrings of our source."""
    found = []
    for path in chain((ROOT / "installation").rglob("*.py"), (ROOT / "latentworld").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                quoted = (line.strip() for line in re.findall(r"`(latentworld [^`]+)`", node.value))
                found += [(path.name, told) for told in commands(quoted)]
    return found


def understood(arguments: list[str]) -> None:
    """Raises what misuse raises where an option, an argument or a command is not known, and PresetError where a preset
    or a `--set` is none."""
    command, context = typer.main.get_command(cli.app), None
    while commands := getattr(command, "commands", None):
        context = command.context_class(command, info_name=command.name, parent=context)
        arguments = command.spelt(arguments) if isinstance(command, Group) else arguments
        if not arguments or (context.parent is None and arguments[0] in OPTIONS):
            return
        assert arguments[0] in commands, f"no command {arguments[0]}"
        made = made_by_name(arguments[0]) if context.parent is None else commands[arguments[0]]
        command, arguments = made, arguments[1:]
    context = command.make_context(command.name, list(arguments), parent=context)
    named, overrides = context.params.get("preset"), context.params.get("set_") or []
    if named and (named in preset.names() or str(named).endswith(".toml")):
        preset.load(named if named in preset.names() else "neutral", list(overrides))
    elif overrides:
        preset.parse({}, list(overrides))


@pytest.mark.parametrize(
    ("where", "arguments"), documented(), ids=lambda value: " ".join(value) if isinstance(value, list) else value
)
def test_commands_in_the_documentation_are_understood(where: str, arguments: list[str]) -> None:
    understood(arguments)


def test_commands_in_messages_are_understood() -> None:
    found = spoken()
    assert {"doctor", "presets", "osc"} <= {arguments[0] for _, arguments in found}
    for where, arguments in found:
        first, *rest = arguments
        inner = getattr(everything().get(first), "commands", {})
        name_alone = not rest or (len(rest) == 1 and rest[0] in inner)  # as a docstring calls a command
        if name_alone or {"-h", "--help"} & set(arguments):
            assert first in {*everything(), *OPTIONS, "COMMAND"}, where
        else:
            understood(arguments)


def test_each_picture_of_the_docs_is_made_by_a_command_or_said_to_be_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import pictures

    there = {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
    assert there == {*pictures.PICTURES, *pictures.BY_HAND}
    assert {made.step for made in pictures.PICTURES.values()} - {""} <= pictures.STEPS.keys()
    for name, step in pictures.STEPS.items():
        lines = [line.format(name, **{other: other for other in step.after}) for line in step.commands]
        for arguments in commands(iter(lines)):
            understood(arguments)
        scripts = [shlex.split(line)[1] for line in lines if line.startswith("python ") and " -m " not in line]
        assert all((ROOT / script).is_file() for script in scripts), name


def everything() -> dict[str, Any]:
    """Commands and groups by name."""
    return {name: made_by_name(name) for name in COMMANDS}


def test_a_group_alone_shows_its_help_as_it_is_laid_out(run: Run) -> None:
    code, out, err = run("atlas")
    assert (code, out) == (2, "")
    assert err.startswith("Usage: latentworld atlas")
    assert err.count("\n") > 10


def test_every_command_has_the_help_that_misuse_points_to(run: Run) -> None:
    names: list[list[str]] = [[]]
    for name, command in everything().items():
        names += [[name], *([name, inner] for inner in getattr(command, "commands", {}))]
    for each in names:
        code, out, err = run(*each, "--help")
        assert (code, err) == (0, ""), each
        assert "Usage" in out
    for misused, see in (
        (["flim"], "latentworld --help"), (["film", "--nope"], "latentworld film --help"),
        (["atlas", "survey", "neutral", "--size", "3"], "latentworld atlas survey --help"),
    ):  # fmt: skip
        code, _, err = run(*misused)
        assert code == 2
        assert err.rstrip().endswith(f"See `{see}`") or err.rstrip().endswith(f"; see `{see}`"), err


# Those that a run prints: run


@pytest.fixture(scope="module")
def globe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey of a globe, whose rifts lie on both sides, by a command."""
    out = tmp_path_factory.mktemp("globe") / "map"
    with pytest.MonkeyPatch.context() as patch:
        asked = ["atlas", "survey", "neutral", "-o", str(out), "--globe", "5", "--thumb", "16", "--no-plots", *SMALL]
        patch.setattr("sys.argv", ["latentworld", *asked])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert not ended.value.code
    return out


def test_the_places_that_an_atlas_lists_are_stills(globe: Path, run: Run, tmp_path: Path) -> None:
    """Both sides of the globe; the picture is the one that was surveyed there."""
    code, out, err = run("atlas", "show", globe, "--count", "40")
    assert code == 0, err
    places = [line[line.index("--alpha") :].split() for line in out.splitlines() if "--alpha" in line]
    far = [place for place in places if "--radius" in place]
    assert far, "none on the far side: list more"
    assert len(far) < len(places), "none in front: list more"
    studio = rig.open_studio(preset.load(globe / "preset.toml"))
    look, seen = rendering.renderer(studio, rendering.chosen(studio, scout=False), 32), []
    for place in (places[0], far[0], next(place for place in places if place[:4] == far[0][:4])):
        picture = tmp_path / "still.png"
        code, out, err = run("still", globe / "preset.toml", *place, "-o", picture)
        assert code == 0, err
        unit = studio.plane.unit(float(place[1]), float(place[3])) * (-1.0 if "--radius" in place else 1.0)
        seen.append(np.asarray(Image.open(picture)))
        np.testing.assert_array_equal(seen[-1], look(unit[None], np.ones(1)).thumbs[0])
    assert (seen[1] != seen[0]).any()


def typed(told: str) -> list[str]:
    """The command at the end of what was told."""
    return shlex.split(told.strip().splitlines()[-1].split(": latentworld ")[-1].split(", latentworld ")[-1])


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str, int], None]:
    """Makes call number `at` of a function end with a Ctrl-C before it."""

    def patch(module: Any, name: str, at: int) -> None:
        real, calls = getattr(module, name), []

        def interrupted(*told: Any, **more: Any) -> Any:
            calls.append(told)
            if len(calls) == at:
                os.kill(os.getpid(), signal.SIGINT)
            return real(*told, **more)

        monkeypatch.setattr(module, name, interrupted)

    return patch


def test_a_survey_that_was_stopped_goes_on_by_the_command_it_prints(
    run: Run, tmp_path: Path, stopping: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a map"  # quoted
    stopping(store.Store, "commit", 3)
    asked = ("atlas", "survey", "analytic", "-o", out, "--size", "6x6", "--block", "6", "--thumb", "8", "--no-plots")
    code, _, err = run(*asked, *SMALL)
    assert code == 130
    assert "interrupted with 12 of 36 places kept" in err
    monkeypatch.undo()
    code, _, err = run(*typed(err))
    assert code == 0, err
    assert reader.read(out / "atlas.zarr").complete


def test_a_zoom_that_was_stopped_falls_on_by_the_command_it_prints(
    run: Run, tmp_path: Path, stopping: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping(zoom, "_survey", 2)
    out = tmp_path / "zoom"
    asked = ("atlas", "zoom", "-o", out, "--size", "11x11", "--levels", "2", "--thumb", "8", "--no-film", *SMALL)
    code, _, err = run(*asked)
    assert code == 130, err
    assert "interrupted after 1 levels" in err
    monkeypatch.undo()
    code, said, err = run(*typed(err))
    assert code == 0, err
    assert str(out) in said


def test_a_film_that_was_interrupted_is_made_whole_by_the_command_it_prints(run: Run, tmp_path: Path) -> None:
    out, overrides = tmp_path / "a film", ["--set", "film.seconds=2", "--set", "film.fps=24"]
    frames = threading.Event()

    def stop() -> None:  # as soon as there is something of the film
        while not frames.wait(0.005):
            log = out / "chunks" / "000000000.part.csv"
            if log.exists() and log.stat().st_size > 300:
                os.kill(os.getpid(), signal.SIGINT)
                return

    stopper = threading.Thread(target=stop)
    stopper.start()
    code, _, err = run("film", "analytic", "-o", out, *overrides, *SMALL)
    frames.set()
    stopper.join()
    assert code == 130, err
    assert "interrupted after " in err
    assert "the chunk under way is made again" in err
    code, said, err = run(*typed(err))
    assert code == 0, err
    assert "48 frames in" in err
    assert said.strip() == str(out / "film.mp4")
