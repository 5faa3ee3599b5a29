"""What stands on which page of a layout, and how each parameter is played: said once for all layouts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from installation.control.controls import LARGEST_SEED
from installation.control.parameter import Page, Parameter
from installation.control.parameters import slewed

Widget = Literal["fader", "toggle", "choice", "text", "pad", "press", "named", "meter"]
PAD = 3.0  # alpha and beta that a pad reaches: the triangle of the three vertices and its surroundings
SEEDS = 999  # the highest seed a fader reaches; any other is typed


@dataclass(frozen=True)
class Tab:
    """A page and its parameters, in the table's order."""

    title: Page
    rows: tuple[Parameter, ...]


def tabs(table: Mapping[str, Parameter]) -> list[Tab]:
    """Every parameter on its page; a page without any is left out."""
    pages: tuple[Page, ...] = get_args(Page)
    found = [Tab(page, tuple(row for row in table.values() if row.page == page)) for page in pages]
    return [tab for tab in found if tab.rows]


def widget(row: Parameter) -> Widget:
    """How a parameter is played."""
    if row.access == "r":
        return "meter"
    if row.kind == "trigger":
        return "named" if row.argument else "press"
    kinds: dict[str, Widget] = {"bool": "toggle", "choice": "choice", "text": "text", "point": "pad"}
    return kinds.get(row.kind, "fader")


def caption(row: Parameter) -> str:
    """Its name as a label has it: the page says the rest."""
    return (slewed(row.name) or row.name).replace(".", " ")


def span(row: Parameter) -> tuple[float, float]:
    """From where to where a fader goes, in what the main address takes."""
    if row.kind == "float" and row.unit != "s":
        return 0.0, 1.0
    return row.low, SEEDS if row.high == LARGEST_SEED else row.high
