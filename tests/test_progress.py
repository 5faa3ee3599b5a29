"""What a command says while it works: never nothing for long, never more than is wanted."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from patience import until
from rich.console import Console

from installation.cli.consoles import Telling
from installation.cli.progress import EVERY, LIBRARY, Part, Speaker, duration

ROOT = Path(__file__).parent.parent


def pipe() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=False, width=40), out


def speaker(console: Console, telling: Telling = Telling.AUTO, every: float = EVERY) -> Speaker:
    return Speaker(console, "loading the world", telling, first=0.01, every=every)


def test_a_pipe_hears_what_is_being_done_and_what_of_it() -> None:
    console, out = pipe()
    with speaker(console, every=0.3) as told:
        until(lambda: "loading the world: " in out.getvalue())
        logging.getLogger(f"{LIBRARY}.worlds").info("reading the %s", "unet")
        until(lambda: ", reading the unet\n" in out.getvalue())
        told("surveying", 3, 48)
        until(lambda: "surveying: 3 of 48" in out.getvalue())
        assert told.stepping(lambda done, total: done < 2)(1, 50)
        assert not told.stepping(lambda done, total: done < 2)(2, 50)
        until(lambda: "step 2 of 50" in out.getvalue())
        told("surveying", 4, 48)  # what was in hand is among them
        until(lambda: out.getvalue().rstrip().endswith("left"))
    said = out.getvalue()
    assert logging.getLogger(LIBRARY).level == logging.NOTSET
    logging.getLogger(f"{LIBRARY}.worlds").info("reading more")
    assert out.getvalue() == said


def test_a_part_is_told_once_and_then_every_so_often() -> None:
    console, out = pipe()
    with speaker(console) as told:
        until(lambda: "loading" in out.getvalue())
        told("surveying", 1, 4)
        until(lambda: "surveying" in out.getvalue())
        for done in (2, 3, 4):
            told("surveying", done, 4)
    assert [line.split(":")[0] for line in out.getvalue().splitlines()] == ["loading the world", "surveying"]


def test_what_is_quick_or_for_programs_says_nothing() -> None:
    for telling, first in ((Telling.LINES, 60.0), (Telling.JSON, 0.0)):
        console, out = pipe()
        with Speaker(console, "a moment", telling, first=first) as told:
            told("a part", 1, 2)
            told.say() if telling is Telling.JSON else None
        assert out.getvalue() == ""


def test_a_terminal_has_one_line_that_moves() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with Speaker(console, "loading the world") as told:
        until(lambda: "loading the world" in out.getvalue())
        told.detail("compiling the network for batch 8")
        until(lambda: "compiling the network for batch 8" in out.getvalue())
        told.count("a film", 12, 48, "frames", "L 3.2")
        until(lambda: "12 of 48 frames" in out.getvalue())


def test_one_line_is_not_wrapped_and_no_markup_is_read() -> None:
    console, out = pipe()
    with speaker(console) as told:
        told.part("[red]" + "long " * 30)
        until(lambda: "long: " in out.getvalue().replace("long :", "long: "))
    assert out.getvalue().count("\n") == out.getvalue().count("[red]") + out.getvalue().count("loading")


def test_a_reader_that_is_gone_ends_no_work() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with speaker(Console(file=Gone(), force_terminal=False)) as told:
        told.part("more")
        told.say()


def test_a_film_whose_reader_is_gone_is_made(tmp_path: Path) -> None:
    small = [part for one in ("decoder.height=32", "decoder.width=32", "film.seconds=1") for part in ("--set", one)]
    command = [sys.executable, "-m", "installation", "film", "analytic", "-o", str(tmp_path / "film"), *small]
    film = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert film.stderr is not None
    film.stderr.close()
    assert film.communicate()[0].strip().endswith("film.mp4")
    assert film.returncode == 0


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (75, "1 min 15 s"), (7500, "2 h 05 min")])
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_rate_is_of_this_run_and_of_late() -> None:
    part = Part("a film")
    part.count(100, 200)
    assert part.rate is None
    assert part.words == "100 of 200"


@pytest.mark.parametrize("arguments", [["film", "analytic"], ["plan", "analytic"]])
def test_a_slow_film_and_a_plan_speak_in_a_pipe(arguments: list[str], tmp_path: Path) -> None:
    """The last frame is always told, whatever the minute."""
    small = [part for one in ("decoder.height=32", "decoder.width=32", "film.seconds=1") for part in ("--set", one)]
    out = tmp_path / ("a.plan" if arguments[0] == "plan" else "film")
    command = [sys.executable, "-m", "installation", *arguments, "-o", str(out), *small]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ": 24 of 24 frames" in done.stderr
    assert "\x1b" not in done.stderr
    assert json.dumps(done.stdout.strip()).endswith(('.mp4"', '.plan"'))
