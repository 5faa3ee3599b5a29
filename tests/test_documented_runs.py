"""Every command block of the README and the docs, run: in a folder of its own, with settings that make it quick.

Those of networks take minutes and are marked slow. What cannot be run here stands in NEVER, with why: whatever is
printed and stands nowhere fails.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from installation.film import make
from latentworld import preset

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
Run = Callable[..., tuple[int, str, str]]

NEVER = {
    r"git clone ADDRESS|^cd ": "fetches this very checkout",
    r"^make |^source |python3? -m venv|pip install": "sets up an environment: .ci/run and .ci/check-wheel do",
    r"^sudo ": "changes the machine",
    r"^ray |ray://|--ray|HEAD": "a cluster: test_atlas_cluster.py and test_film_cluster.py",
    r"python -m foundry|LATENTWORLD_OLD_STACK": "casts a world, for hours",
    r"--preview|^latentworld show ": "a window or a wall: test_stage_window.py, test_show_command.py",
    r"--install-completion": "writes into the shell's own files: test_help.py",
    r"--take|--like film.mp4 --take": "needs a performance: test_takes_film.py",
    r"python benchmarks/": "measures, for minutes",
    r"mine\.|piece\.py": "needs sound to follow: test_beats.py",
    r"frames/0000": "a frame of a film of stills: test_imprint.py",
}
"""What is not run, and why."""
NETWORKS = (
    r"prospect|out/globe|vertices|bridge|harvest|atlas find|own\.safetensors|trio\.safetensors|pilot\.mode=toward"
)
LONG = ("atlas.md", "score.md")
SMALL = [part for setting in ("decoder.kind=analytic", "decoder.height=32", "decoder.width=32", "decoder.steps=5",
                              "analytic.modes=8") for part in ("--set", setting)]  # fmt: skip
FEW = ["--set", "decoder.steps=2", "--set", "decoder.scout_steps=2"]
SHORT = [part for setting in ("film.seconds=0.25", "film.fps=24", "film.scale=1", "pacing.kind=latent")
         for part in ("--set", setting)]  # fmt: skip
NAMES = {
    "PRESET": "analytic",
    "DIR": "out/other",
    "STORE": "out/store",
    "FILE": "piece.plan",
    "0:34560": "0:6",
    "settings.txt": "deforum.txt",
}


@dataclass(frozen=True)
class Printed:
    """A command as a page prints it."""

    page: str
    text: str

    @property
    def never(self) -> str | None:
        """Why it is not run."""
        return next((why for pattern, why in NEVER.items() if re.search(pattern, self.text)), None)

    @property
    def networks(self) -> bool:
        """Whether networks are needed, or half a minute."""
        return self.page in LONG or re.search(NETWORKS, self.text) is not None


def printed(page: Path) -> Iterator[Printed]:
    """Lines of a page's shell blocks, comments cut off."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```(?:sh|bash)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if told := re.split(r"\s+#\s", line)[0].strip():
                yield Printed(page.name, told)


def quick(command: Printed) -> list[str]:
    """Its arguments, with settings that make it quick."""
    words = [NAMES.get(word, word) for word in shlex.split(command.text)[1:]]
    guided = (
        re.search(NETWORKS, command.text) or "piece.toml" in words
    )  # whose score guides, which the analytic decoder cannot
    decoder = FEW if guided else SMALL
    match words[:2]:
        case ["film", "status" | "verify"] | ["batch", "status" | "pieces.toml"]:
            return words
        case ["film", "--plan"]:  # the way is the plan's
            return [*words, *decoder, "--set", "film.scale=1"]
        case ["batch", *_]:
            return [*words, *decoder, *SHORT]
        case ["film" | "plan", *_]:
            return [*words, *decoder, *SHORT, *(["--overwrite"] if words[0] == "plan" else [])]
        case ["still", *_]:
            return [*words, *(decoder if not words[1].endswith(".png") else [])]
        case ["vertices", "from-picture"]:
            return [*words, "--steps", "2"]
        case ["bridge", *_]:
            return [*words, "--set", "decoder.steps=3"]
        case ["atlas", "survey"]:
            size = ["--globe", "4"] if "--globe" in words else ["--size", "6x6"]
            return [*words, *size, "--thumb", "16", "--dpi", "30", *decoder]
        case ["atlas", "zoom"]:
            return [*words, "--size", "11x11", "--levels", "1", "--no-film", "--thumb", "16", "--dpi", "30", *decoder]
        case ["atlas", "metric"]:
            return [*words, "--atoms", "16", "--no-plots"]
        case ["atlas", "find"]:
            return [*words, "-n", "2", "--decodes", "2"]
        case ["prospect", *_]:
            return [*words, "-n", "2", "--globe", "2", *FEW]
        case ["harvest", *_]:
            return [*words, "-n", "3"]
    return words


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages name: pictures, schedules, a film."""
    rng = np.random.default_rng(3)
    for name in ("a.jpg", "b.png", "bark.png", "lichen.png", "water.png", "tulip.png", "mountain.png"):
        grain = rng.integers(0, 255, (6, 6, 3), np.uint8)
        Image.fromarray(grain).resize((160, 160), Image.Resampling.BICUBIC).save(tmp_path / name)
    shutil.copy(ROOT / "examples" / "score" / "deforum.txt", tmp_path / "deforum.txt")
    settings = "{film.seconds=0.2, film.scale=1, decoder.height=32, decoder.width=32, decoder.steps=5}"
    (tmp_path / "pieces.toml").write_text(f"preset = 'analytic'\n[[job]]\nset = {settings}\n")
    tiny = preset.load("analytic", [setting for setting in [*SMALL, *SHORT] if setting != "--set"])
    make.still(tiny, 0.3, 0.4, 1.0, tmp_path / "picture.png")
    made = make.film(tiny, tmp_path / "out" / "long")
    shutil.copy(made.video, tmp_path / "film.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pages(networks: bool) -> list[Path]:
    """Those with commands that are run, with networks or without."""
    return [page for page in PAGES
            if any(not told.never and told.networks is networks for told in printed(page))]  # fmt: skip


def all_run(page: Path, run: Run, networks: bool) -> None:
    """Raises AssertionError, with what was said, where a command of a page fails."""
    made: list[str] = []
    for told in printed(page):
        if told.never or (told.networks and not networks):
            continue
        words = quick(told)
        if words[0] == "film" and "-o" in words:  # what a page films twice are two ways to the same
            place = words.index("-o") + 1
            made.append(words[place])
            words[place] += "again" * (made.count(words[place]) - 1)
        code, out, err = run(*words)
        assert code == 0, f"{told.text}\n{err or out}"


@pytest.mark.parametrize("page", pages(False), ids=lambda page: page.name)
@pytest.mark.usefixtures("plain")
def test_what_is_printed_runs(page: Path, place: Path, run: Run) -> None:
    all_run(page, run, networks=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages(True), ids=lambda page: page.name)
@pytest.mark.usefixtures("plain")
def test_what_is_printed_for_networks_runs(page: Path, place: Path, run: Run) -> None:
    all_run(page, run, networks=True)


def test_what_is_not_run_is_known_and_all_else_is_ours() -> None:
    commands = [told for page in PAGES for told in printed(page)]
    assert len(commands) > 60
    assert [told for told in commands if not told.never and not told.text.startswith("latentworld ")] == []
    assert [pattern for pattern in NEVER if not any(re.search(pattern, told.text) for told in commands)] == []


# The library, as the README uses it


def snippet() -> str:
    """The README's program."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)[0]


def test_the_program_of_the_readme_runs(place: Path) -> None:
    small = ", ".join(repr(part) for part in [*SMALL, "--set", "film.scale=1"] if part != "--set")
    program = snippet().replace('"film.seconds=4"', f'"film.seconds=0.5", {small}')
    assert program != snippet()
    command, here = [sys.executable, "-c", program], {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=place, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "film.mp4" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)  # mypy reads torch and diffusers for it
def test_the_program_of_the_readme_has_types(place: Path) -> None:
    (place / "program.py").write_text(snippet())
    # silent: of an installed package mypy reports nothing but what it says of itself
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "program.py"]
    done = subprocess.run(command, cwd=place, env={"MYPYPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
