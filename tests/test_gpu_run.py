"""The prepared run on a GPU, rehearsed: every row is made, each is on disk before the next, and time is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(HERE))  # as `python benchmarks/gpu.py` has it

from gpu_run.rows import Record, Row, markdown, read  # noqa: E402


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


def record(folder: Path, clock: list[float], until: float = 10.0) -> Record:
    return Record(folder / "rows.jsonl", until, lambda row: None, now=lambda: clock[0])


def test_a_row_is_on_disk_before_the_next_is_begun(tmp_path: Path, clock: list[float]) -> None:
    kept = record(tmp_path / "new", clock)

    def made() -> Row:
        assert len(read(tmp_path / "new" / "rows.jsonl")) == 1
        clock[0] += 2.0
        return Row("a", "b", "c", 1.5, "/s", 2.0, 0.25, 3.0)

    kept.try_row("a", "first", "", lambda: Row("a", "first", ""))
    kept.try_row("a", "b", "c", made)
    assert read(tmp_path / "new" / "rows.jsonl")[1] == Row("a", "b", "c", 1.5, "/s", 2.0, 0.25, 3.0, took=2.0)


def test_a_row_that_fails_says_why_and_one_without_time_is_not_begun(tmp_path: Path, clock: list[float]) -> None:
    kept = record(tmp_path, clock)

    def fails() -> Row:
        raise RuntimeError("CUDA error:\n  out of luck")

    assert kept.try_row("a", "b", "c", fails).note == "failed: CUDA error: out of luck"
    clock[0] = 9.0
    late = kept.try_row("a", "b", "c", lambda: pytest.fail("begun"), needs=2.0)
    assert (late.value, late.note) == (None, "not run: 1 s left, 2 needed")
    assert kept.try_row("a", "b", "c", lambda: Row("a", "b", "c", 1.0), needs=1.0).value == 1.0
    clock[0] = 11.0
    assert kept.try_row("a", "b", "c", lambda: pytest.fail("begun")).note == "not run: 0 s left, 0 needed"


def test_a_file_that_was_cut_is_read_as_far_as_it_goes(tmp_path: Path, clock: list[float]) -> None:
    kept = record(tmp_path, clock)
    kept.add(Row("a", "b", "c", 1.0))
    with kept._file.open("a") as file:
        file.write('{"section": "a", "wh')
    assert read(kept._file) == kept.rows


def test_tables_are_markdown() -> None:
    rows = [Row("one", "a|b", "c", 0.123456, "/s", 1.5, 0.5, 2.0, 3.0, "d"), Row("two", "e", "f", note="not run")]
    lines = markdown(rows, "a card").splitlines()
    assert lines[0] == "a card"
    assert lines[2] == "**one**"
    assert "| a/b | c | 0.1235 | /s | 1.50x | 50% | 2.0 | 3.0 | d |" in lines
    assert "| e | f | - |  |  |  |  | 0.0 | not run |" in lines
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_the_whole_run_is_rehearsed(tmp_path: Path) -> None:
    program = [sys.executable, "-W", "ignore", str(HERE / "gpu.py"), "--rehearse", "--out", str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    sections = list(dict.fromkeys(row["section"].partition(":")[0] for row in rows))
    assert sections[:2] == ["Machine", "Correctness"]
    assert len(sections) == 10
    lacking = {row["what"] for row in rows if row["value"] is None}
    assert lacking <= {"cudnn_attention", "efficient_attention", "fp8"}  # what a processor has not
    right = [row for row in rows if row["section"].startswith("Correctness")]
    assert all(row["value"] < 8.0 for row in right)  # bfloat16
    assert all(row["value"] < 0.01 for row in right if "float32" in row["how"] and "pipeline" in row["what"])
    assert (tmp_path / "table.md").read_text() in done.stdout
    again = subprocess.run(
        [sys.executable, str(HERE / "gpu.py"), "--table", str(tmp_path / "rows.jsonl")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "**Live: pictures a second" in again.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="it would begin")
def test_without_a_card_it_says_so() -> None:
    done = subprocess.run([sys.executable, str(HERE / "gpu.py")], capture_output=True, text=True, check=True)
    assert "not run: no CUDA device" in done.stdout
