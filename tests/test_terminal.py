"""What reaches the terminal: our own words, each a plain line, and no library's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from standins import tiny_world

from installation import terminal

ROOT = Path(__file__).parent.parent


def test_a_prompt_that_is_too_long_is_one_plain_line_and_nothing_else_is_said(tmp_path: Path) -> None:
    """Of a command that loads a checkpoint through diffusers and transformers, from its first line to its last."""
    line = ["still", "--world", str(tiny_world.folder("plain")), "--alpha", "0", "--beta", "0", "--steps", "1"]
    line += ["--prompt", "a cat in a hat on a mat", "--negative", "ugly", "-o", str(tmp_path / "a.png")]
    quiet = {name: value for name, value in os.environ.items() if name not in terminal.QUIET}
    argv = [sys.executable, "-m", "installation", *line, "--set", "decoder.engine=eager"]
    done = subprocess.run(argv, cwd=ROOT, env=quiet, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "a.png")
    assert done.stderr.splitlines() == ["note: the prompt is longer than 16 tokens: 'at' is ignored"]
