"""What reaches the terminal: our own words, each a plain line, and no library's."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from standins import tiny_world

from installation import terminal
from installation.show.announcer import Announcer
from installation.show.status import StatusCollector

ROOT = Path(__file__).parent.parent
WAITS = ("making", "loading", "compiling", "preparing")


def test_a_prompt_that_is_too_long_is_one_plain_line_and_nothing_else_is_said(tmp_path: Path) -> None:
    """Of a command that loads a checkpoint through diffusers and transformers, from its first line to its last."""
    line = ["still", "--world", str(tiny_world.folder("plain")), "--alpha", "0", "--beta", "0", "--steps", "1"]
    words = " ".join(["a cat in a hat on a mat"] * 20)  # 320 tokens of this world's
    line += ["--prompt", words, "--negative", "ugly", "-o", str(tmp_path / "a.png")]
    quiet = {name: value for name, value in os.environ.items() if name not in terminal.QUIET}
    argv = [sys.executable, "-m", "installation", *line, "--set", "decoder.engine=eager"]
    done = subprocess.run(argv, cwd=ROOT, env=quiet, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "a.png")
    # on a slow machine it says what it waits for
    (said,) = [line for line in done.stderr.splitlines() if not line.startswith(WAITS)]
    assert said.startswith("note: the prompt is longer than 10 chunks, 140 tokens: 'a mat a cat")
    assert said.endswith("is ignored (180 tokens)")


def test_what_others_wrote_steers_no_terminal() -> None:
    said = "\x1b]0;me\x07\x1b[2J a\n b\u00a0c \x9b1m \u202egnp.exe \ud800 \udcff größer 👩\u200d👧 ❤\ufe0f"
    line = terminal.one_line(said)
    assert line == ("\\x1b]0;me\\x07\\x1b[2J a b c \\x9b1m \\u202egnp.exe \\ud800 \\udcff größer 👩\u200d👧 ❤\ufe0f")
    assert len(terminal.one_line("x" * 10**6)) == terminal.LONGEST


def test_a_file_steers_no_terminal_through_an_error(tmp_path: Path) -> None:
    preset = tmp_path / "a.toml"
    preset.write_text('"\\u001b[2J\\u202e" = 1\n')
    argv = [sys.executable, "-m", "installation", "presets", "show", str(preset)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
    assert "2J" in done.stderr


def test_a_show_announces_lines() -> None:
    told: list[str] = []
    announcer = Announcer(told.append, logging.getLogger("quiet"), StatusCollector(0.0), lambda: 0.0)
    announcer.say("going on where the show of \x1b[2J\ud800 was")
    announcer.fault("\x1b[2J\nnews")
    announcer.incident("x" * 10**6)
    assert told[:2] == ["going on where the show of \\x1b[2J\\ud800 was", "\\x1b[2J news"]
    assert len(told[2]) == terminal.LONGEST


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_closed_terminal_ends_nothing_under_nohup() -> None:
    assert signal.SIGHUP in terminal.ending_signals()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert terminal.ending_signals() == [signal.SIGINT, signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)
