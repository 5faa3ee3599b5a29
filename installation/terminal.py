"""What reaches the terminal of a command or the log of a renderer: our own words, and no library's chatter; and text
that is meant for a file, as files have it."""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import TextIO

from latentworld.errors import Notice

QUIET = {"DIFFUSERS_VERBOSITY": "error", "TRANSFORMERS_VERBOSITY": "error", "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1"}

LONGEST = 4000  # characters of a line
_JOINERS = "\u200c\u200d"  # what holds letters and emoji together; other marks of layout turn lines round


def one_line(text: str) -> str:
    """What others wrote, as a line that steers no terminal: white space is one blank, control characters, half
    surrogates and marks of layout are spelt out, and what is too long is cut."""
    words = " ".join(text[: 2 * LONGEST].split())[:LONGEST]
    return "".join(
        sign if sign.isprintable() or sign in _JOINERS else sign.encode("unicode_escape").decode() for sign in words
    )


def speak_plainly() -> None:
    """Call once, before diffusers and transformers are imported. A Notice becomes a plain line on stderr; what these
    libraries would say below an error is not said, here and in child processes, unless the environment asks for it."""
    for name, level in QUIET.items():
        os.environ.setdefault(name, level)
    warnings.filterwarnings("ignore", module=r"(diffusers|transformers)(\.|$)")
    warnings.filterwarnings("always", category=Notice)
    usual = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, Notice):
            print(f"note: {one_line(str(message))}", file=sys.stderr)
        else:
            usual(message, category, filename, lineno, file, line)

    warnings.showwarning = show


def give(text: str) -> None:
    """Text on stdout that a file or another program is to have: UTF-8 there, whatever a console here would speak, so
    that it reads back; a terminal has it in its own encoding."""
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
        stream.flush()
        stream.buffer.write(text.encode("utf-8", "surrogateescape"))  # paths keep bytes that are no text
        stream.buffer.flush()
    else:
        stream.write(text)
