"""Help as newcomers meet it: short, quick, with examples that are run, and completed by the shell."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

from installation import cli
from installation.cli import completion
from installation.cli.commands import COMMANDS, command
from installation.cli.examples import EXAMPLES
from installation.cli.help import page, path

ROOT = Path(__file__).parent.parent
Run = Callable[..., tuple[int, str, str]]
FULL = [part for setting in ("decoder.kind=analytic", "decoder.height=32", "decoder.width=32", "decoder.steps=5",
                             "film.seconds=0.2", "film.scale=1") for part in ("--set", setting)]  # fmt: skip


def every() -> Iterator[tuple[str, Any]]:
    """Every command and group there is, with a context, by what is typed to reach it."""
    whole = typer.main.get_command(cli.app)
    root = whole.context_class(whole, info_name="latentworld")
    yield "", root
    for name in COMMANDS:
        found = command(name)
        context = found.context_class(found, info_name=name, parent=root)
        yield path(context), context
        for inner, part in getattr(found, "commands", {}).items():
            below = part.context_class(part, info_name=inner, parent=context)
            yield path(below), below


def test_every_command_has_two_examples_and_no_example_is_of_none() -> None:
    names = {name for name, _ in every()}
    assert {name for name, lines in EXAMPLES.items() if len(lines) >= 2} == names


def test_help_shows_the_examples_and_no_type_of_a_switch() -> None:
    for name, context in every():
        text = page(context.command, context)
        assert "<bool>" not in text, name
        assert all(f"  latentworld {line}\n" in text for line in EXAMPLES[name]), name
        assert text.startswith(f"Usage: latentworld {name}".strip()), name


def test_the_list_says_of_each_what_its_own_help_begins_with() -> None:
    for name, told in COMMANDS.items():
        words = " ".join((command(name).help or "").split())
        assert words.startswith(told.words), name


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_both_options_show_it(option: str, run: Run) -> None:
    for arguments in ([], ["film"], ["atlas", "survey"], ["presets", "keys"]):
        code, out, err = run(*arguments, option)
        assert (code, err) == (0, "")
        assert out.startswith("Usage: latentworld")
        assert "\n\n\n" not in out


def test_alone_it_greets_with_four_first_steps(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert len(re.findall(r"^  latentworld ", out, re.MULTILINE)) == 4


def test_help_imports_no_command_and_no_library_of_tables() -> None:
    program = (
        "import sys; sys.argv = ['latentworld', '-h']; from installation import cli\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        "heavy = ('rich', 'numpy', 'pydantic', 'torch', 'installation.cli.film')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_pipe_is_not_wrapped(run: Run) -> None:
    code, out, _ = run("presets")
    assert code == 0
    row = next(line for line in out.splitlines() if line.startswith("first-light"))
    assert row.endswith("rides it, and the pacing ...")
    assert "(Lobashev et al. 2025)" in next(line for line in out.splitlines() if line.startswith("neutral"))
    option = next(line for line in run("film", "-h")[1].splitlines() if line.startswith("      --set"))
    assert option.endswith("explains them.")


@pytest.mark.parametrize("arguments", [["presets"], ["worlds"], ["worlds", "show", "embedded"], ["doctor"]])
def test_programs_have_json(arguments: list[str], run: Run) -> None:
    code, out, err = run(*arguments, "--json")
    assert code == 0, err
    assert json.loads(out)


def test_a_film_and_how_it_stands_as_json(run: Run, tmp_path: Path) -> None:
    code, out, err = run("film", "analytic", "-o", tmp_path / "film", *FULL, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert Path(told["video"]).is_file()
    assert (told["frames"], told["complete"]) == (5, True)
    code, out, _ = run("film", "status", tmp_path / "film", "--json")
    assert (code, json.loads(out)["joined"]) == (0, True)


# Completion


def completed(line: str) -> list[str]:
    """What fish is offered at the end of a line."""
    told = {"_LATENTWORLD_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_ARGS": line}  # fmt: skip
    program = "import sys; sys.argv = ['latentworld']; from installation import cli; cli.main()"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={**os.environ, **told}, capture_output=True,
                          text=True, check=False)  # fmt: skip
    return [row.split("\t")[0] for row in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("latentworld fi", {"film"}),
        ("latentworld film ne", {"neutral"}),
        ("latentworld film neutral --set pilot.m", {"pilot.mode", "pilot.max_curvature", "pilot.max_change"}),
        ("latentworld film neutral --set walk.kind=li", {"walk.kind=lissajous"}),
        ("latentworld worlds show emb", {"embedded"}),
        ("latentworld new a.toml --walk spi", {"spiral"}),
        ("latentworld presets keys walk.o", {"walk.orbit"}),
    ],
)
def test_a_shell_is_offered(line: str, offered: set[str]) -> None:
    assert set(completed(line)) == offered


def test_every_key_can_be_completed_and_set() -> None:
    from latentworld import walks
    from latentworld.reference import sections

    names = {name for name, _ in completion.override("")}
    for section in sections(walks.specs()):
        if not section.title.startswith("[[") and section.name != "preset":
            assert {f"{section.name.split('.')[0]}.{key.name}" for key in section.keys} <= names


# The examples, run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the examples name: two pictures, schedules, a map and a film."""
    folder = tmp_path_factory.mktemp("examples")
    rng = np.random.default_rng(1)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), np.uint8)).resize((160, 160)).save(folder / name)
    shutil.copy(ROOT / "examples" / "score" / "deforum.txt", folder / "deforum.txt")
    frames = [{"frame": 0, "deforum_prompt": "sea"}, {"frame": 24, "deforum_prompt": "moon"}]
    settings = "{film.seconds=0.2, film.scale=1, decoder.height=32, decoder.width=32, decoder.steps=5}"
    (folder / "pieces.toml").write_text(f"preset = 'analytic'\n[[job]]\nset = {settings}\n")
    (folder / "parseq.json").write_text(json.dumps({"rendered_frames": frames, "options": {"output_fps": 24}}))
    return folder


NEVER = (
    "show ", "bridge", "vertices", "harvest", "prospect", "atlas emergence",
    "atlas zoom", "atlas metric", "atlas find", "film neutral -o out/own",
    "atlas plot out/map --words", "gallery -o out/few",
)  # fmt: skip
"""Minutes with networks, or a window: understood by test_printed_commands.py, run by the tests of each."""
FIRST = ("film", "plan", "score import", "score", "new", "still", "atlas survey", "atlas", "atlas export")
"""The others look at what these make."""
SETTINGS = {
    "film": FULL, "batch": FULL, "plan": FULL, "still": FULL[:8],
    "atlas survey": ["--size", "4x4", "--thumb", "16", "--no-plots", *FULL[:8]], "atlas plot": ["--dpi", "30"],
}  # fmt: skip


def tiny(line: str) -> list[str]:
    """An example's arguments with settings that make it quick, and `--overwrite` where an earlier one made the same."""
    words = shlex.split(line)
    one, two = words[0], " ".join(words[:2])
    if two in ("film status", "film verify", "batch status", "batch pieces.toml"):
        return words
    more = SETTINGS.get(two, SETTINGS.get(one, []))
    if "--globe" in words:
        words[words.index("--globe") + 1], more = "2", more[2:]
    if words[1:2] == ["piece.toml"]:  # its score guides, which the analytic decoder cannot
        more = [*FULL[6:], "--set", "decoder.kind=faithful"]
    again = [] if "--overwrite" in words or one not in ("film", "plan", "new", "score") else ["--overwrite"]
    return [*words, *(more if not words[1:2] or not words[1].endswith(".png") else []), *again]


def examples() -> list[str]:
    """Lines of all helps, those first that make what others look at."""
    names = [*FIRST, *(name for name in EXAMPLES if name not in FIRST)]
    return [line for name in names for line in EXAMPLES[name] if not line.startswith(NEVER)]


def test_the_examples_of_every_help_run(place: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    failed = []
    for line in examples():
        code, out, err = run(*tiny(line))
        if code:
            failed.append((line, err.strip().splitlines()[-1:] or out[-200:]))
    assert not failed, "\n".join(f"{line}: {said}" for line, said in failed)
