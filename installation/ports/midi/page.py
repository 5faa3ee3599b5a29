"""The table of docs/playing.md: what plays each parameter, from the address table."""

from __future__ import annotations

import re
from collections.abc import Mapping

from installation.control.controls import LARGEST_SEED
from installation.control.parameter import Argument, Parameter
from installation.ports.midi.links import plays
from latentworld.errors import ControlError

BEGIN, END = "<!-- midi table: made by installation/ports/midi/page.py -->", "<!-- end of the midi table -->"
_BUTTON = {"trigger": "press", "bool": "on, off", "choice": "next choice", "text": "this text"}
_ARGUMENT: Mapping[Argument, str] = {"name and seconds": "|NAME|SECONDS", "name": "|NAME", "name or nothing": "|NAME",
                                       "words": "|WORDS"}  # fmt: skip


def filled(text: str, rows: Mapping[str, Parameter]) -> str:
    """A page with the table in it made anew."""
    before, rest = text.split(BEGIN)
    return "\n".join([before + BEGIN, *_lines(rows), END + rest.split(END)[1]])


def _lines(rows: Mapping[str, Parameter]) -> list[str]:
    lines = ["| learn | control | what it plays | how |", "|---|---|---|---|"]
    for row in rows.values():
        argument = "|TEXT" if row.kind == "text" else _ARGUMENT.get(row.argument, "")
        try:
            kind = plays(row, argument[1:])
        except ControlError:
            continue
        how = _range(row) if kind == "fader" else _BUTTON[row.kind]
        name = (row.name + argument).replace("|", "\\|")
        line = _family(f"| `{name}` | {kind} | {row.about} | {how} |")
        if line not in lines and not row.name.startswith("midi."):
            lines.append(line)
    return lines


def _range(row: Parameter) -> str:
    high = "2³² - 1" if row.high == LARGEST_SEED else f"{row.high:g}"
    return f"{row.low:g} to {high}{' ' if row.unit else ''}{row.unit}{', log' if row.curve == 'log' else ''}"


def _family(line: str) -> str:
    """Rows that differ by a number, and the slews, are said once."""
    line = re.sub(r"\b(word\.|lfo\.|vertex\.|concept |LFO |z)[0-9]", r"\1N", line)
    return re.sub(r"`slew\.[^`]*`(.*)time that \S+", r"`slew.PARAMETER`\1time that PARAMETER", line)
