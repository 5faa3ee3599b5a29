"""What reaches the terminal of a command or the log of a renderer: our own words, and no library's chatter; text that
is meant for a file, as files have it; and by what signals a terminal ends what runs in it."""

from __future__ import annotations

import contextlib
import io
import os
import signal
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


def ending_signals() -> list[signal.Signals]:
    """What ends a process in good order. A closed terminal (SIGHUP, which Windows has not) does not under `nohup`."""
    hung_up: signal.Signals | None = getattr(signal, "SIGHUP", None)
    found = [signal.SIGINT, signal.SIGTERM]
    return found if hung_up is None or signal.getsignal(hung_up) == signal.SIG_IGN else [*found, hung_up]


class Unheard(io.TextIOWrapper):
    """A stream for what nobody need hear: what cannot be written, on a full disk or to a reader that is gone, is left
    out."""

    def write(self, text: str) -> int:
        """The characters that were asked for."""
        with contextlib.suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is held."""
        with contextlib.suppress(OSError):
            super().flush()


def open_streams() -> None:
    """Call once, before anything is said. No character ends a command: what an encoding lacks is written as an escape.
    A stream that was closed is none at all to Python, and is opened to nowhere; one that is unbuffered forgets what a
    full disk did not take, and gets a buffer of lines. What cannot be said on stderr ends no work."""
    for name, kind in (("stdout", io.TextIOWrapper), ("stderr", Unheard)):
        stream: TextIO | None = vars(sys)[name]
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 it lasts as long as we do
        elif stream is vars(sys)[f"__{name}__"] and isinstance(stream, io.TextIOWrapper):
            encoding, below = stream.encoding, stream.detach()
            held = io.BufferedWriter(below) if isinstance(below, io.RawIOBase) else below
            live = name == "stderr" or held is not below or held.isatty()
            setattr(sys, name, kind(held, encoding, "backslashreplace", line_buffering=live))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
