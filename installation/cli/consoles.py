"""What speaks to people on stderr, its library imported when there is something to say: help says nothing there."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


class Telling(StrEnum):
    """How a command tells how far it is."""

    AUTO = "auto"
    BAR = "bar"
    LINES = "lines"
    JSON = "json"


def on_stderr(highlight: bool = True) -> Console:
    """A console for progress and remarks. highlight: numbers and names in colours of their own."""
    from rich.console import Console

    return Console(stderr=True, highlight=highlight)


def say_last(line: str) -> None:
    """Print what a work that is done comes to. Whoever read it may be gone, or its disk full: that undoes nothing."""
    try:
        print(line, flush=True)
    except OSError:
        hush(sys.stdout)


def hush(stream: TextIO) -> None:
    """Send what a stream still keeps, and all that follows, nowhere: it is not tried again at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
