"""What is shown in `examples/` runs: the notebook, the programs, the patches for Pure Data by what they send."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from installation import venue
from installation.control.parameters import table

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
PATCHES = [*sorted(EXAMPLES.rglob("*.pd")), *sorted((ROOT / "docs" / "layouts").glob("*.pd"))]
BESIDE = {"/lw/subscribe", "/lw/confirm"}
"""Addresses that are no parameters: docs/osc.md, asking and listening."""
SMALL = ["decoder.kind=analytic", "decoder.height=32", "decoder.width=32", "decoder.steps=5", "analytic.modes=8",
         "film.seconds=0.5", "film.scale=1", "pacing.kind=latent", "pacing.speed=40", "pacing.ceiling=80"]  # fmt: skip


@pytest.mark.timeout(280)
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    formats, client = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = formats.read(EXAMPLES / "walk.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)  # kept without: they would be kept in every version
    where = {"metadata": {"path": str(tmp_path)}}
    done = client.NotebookClient(notebook, timeout=240, resources=where).execute()
    shown = [part for cell in done.cells for part in cell.get("outputs", []) if "image/png" in part.get("data", {})]
    assert len(shown) == 4  # pictures, a walk, its rates, a map
    assert not [part for cell in done.cells for part in cell.get("outputs", []) if part.get("name") == "stderr"]


def test_a_film_in_ten_lines(tmp_path: Path) -> None:
    text = (EXAMPLES / "film.py").read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) <= 10
    program = text.replace('"film.seconds=4", ', "".join(f'"{setting}", ' for setting in SMALL))
    assert program != text
    script, environment = tmp_path / "film.py", {**os.environ, "PYTHONPATH": str(ROOT)}
    script.write_text(program)
    command = [sys.executable, str(script), str(tmp_path / "out")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "out" / "film.mp4").stat().st_size > 0


def test_a_sink_of_ones_own(tmp_path: Path) -> None:
    runpy.run_path(str(EXAMPLES / "sink.py"))["main"]("analytic", str(tmp_path / "film"), *SMALL)
    with Image.open(tmp_path / "film.png") as barcode:
        assert barcode.size == (12, 120)
        assert len(barcode.getcolors() or []) > 1


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.name)
def test_a_patch_for_pure_data_sends_what_there_is(patch: Path) -> None:
    text = patch.read_text(encoding="utf-8")
    objects = [line for line in text.splitlines() if line.startswith("#X ") and not line.startswith("#X connect")]
    wires = [tuple(map(int, found)) for found in re.findall(r"^#X connect (\d+) (\d+) (\d+) (\d+);$", text, re.M)]
    assert len(wires) == text.count("#X connect")
    assert {end for one, _, other, _ in wires for end in (one, other)} <= set(range(len(objects)))
    formats = {number: found[1] for number, line in enumerate(objects)
               if (found := re.search(r"oscformat(?: -f \w+)? ([^;]+);", line))}  # fmt: skip
    sent = {f"/{words.replace(' ', '/')}" for words in formats.values()}
    assert sent
    assert sent <= {row.address for row in table(["embedded"]).values()} | BESIDE
    out = next(number for number, line in enumerate(objects) if "netsend -u -b" in line)
    assert all(reaches(number, out, wires) for number in formats)


def reaches(start: int, end: int, wires: list[tuple[int, ...]]) -> bool:
    """Whether a wire leads from an object to another, over others."""
    known, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        following = {other for one, _, other, _ in wires if one == here} - known
        known |= following
        waiting += following
    return end in known


def test_each_example_is_named_in_the_docs() -> None:
    page = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    kinds = (".py", ".ipynb", ".pd", ".txt")
    parts = [path for path in EXAMPLES.rglob("*") if path.suffix in kinds and "src" not in path.parts]
    assert len(parts) >= 7
    assert [str(path.relative_to(ROOT)) for path in parts if str(path.relative_to(ROOT)) not in page] == []


def test_the_venue_of_the_page_on_other_programs_is_one(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "programs.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```", text, re.M | re.S)
    (tmp_path / "venue.toml").write_text(block)
    made = venue.load(tmp_path / "venue.toml")
    assert made.wall.size == (1080, 1920)
    assert made.doors.open
    assert made.doors.allow == ("192.168.1.20",)
