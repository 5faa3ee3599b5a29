"""What stands on which page of a layout, and how each parameter is played: said once for all layouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from installation.control.parameters import Parameter

Widget = Literal["fader", "toggle", "choice", "text", "pad", "press", "named", "meter"]
PAGES = {
    "walk": ("walk", "rift"),
    "prompt": ("prompt", "word"),
    "wall": ("view", "out", "panic", "snapshot", "record", "replay"),
    "model": ("model", "seed"),
    "motion": ("lfo",),
    "sound": ("audio", "tempo", "midi"),
    "slew": ("slew",),
}
OTHER = "more"
PAD = 3.0  # alpha and beta that a pad reaches: the triangle of the three vertices and its surroundings
SEEDS = 999  # the highest seed a fader reaches; any other is typed
_NAMED = ("snapshot.recall", "snapshot.save", "replay", "midi.learn", "midi.forget")


@dataclass(frozen=True)
class Page:
    """A tab and its parameters, in the table's order."""

    title: str
    rows: tuple[Parameter, ...]


def pages(table: Mapping[str, Parameter]) -> list[Page]:
    """Every parameter on one page; what no page asks for is on the last."""
    homes = {head: title for title, heads in PAGES.items() for head in heads}
    found: dict[str, list[Parameter]] = {title: [] for title in (*PAGES, OTHER)}
    for row in table.values():
        found[homes.get(row.name.partition(".")[0], OTHER)].append(row)
    return [Page(title, tuple(rows)) for title, rows in found.items() if rows]


def widget(row: Parameter) -> Widget:
    """How a parameter is played."""
    if row.access == "r":
        return "meter"
    if row.kind == "trigger":
        return "named" if row.name in _NAMED else "press"
    kinds: dict[str, Widget] = {"bool": "toggle", "choice": "choice", "text": "text", "point": "pad"}
    return kinds.get(row.kind, "fader")


def caption(row: Parameter) -> str:
    """Its name as a label has it: the page says the rest."""
    return row.name.replace(".", " ").removeprefix("slew ")


def span(row: Parameter) -> tuple[float, float]:
    """From where to where a fader goes, in what the main address takes."""
    if row.kind == "float" and row.unit != "s":
        return 0.0, 1.0
    return row.low, min(row.high, SEEDS) if row.name.startswith("seed.") else row.high
