"""The address table as Markdown, made from the parameters: what docs/osc.md holds between its two marks."""

from __future__ import annotations

from collections.abc import Mapping

from installation.control.parameter import Parameter
from installation.ports.osc.addresses import OUTS, VALUE, Place, book, tags
from installation.ports.osc.layouts.sections import tabs

BEGIN, END = "<!-- addresses: made by `latentworld osc table` -->", "<!-- /addresses -->"
_MANY = 8  # choices that are spelt out


def table(parameters: Mapping[str, Parameter]) -> str:
    """Every address, a table for each page of the layouts, then what is only told."""
    places = book(parameters)
    parts = [BEGIN]
    for page in tabs(parameters):
        parts += [
            f"\n### {page.title}\n",
            "| address | type | takes | `/raw` takes | default | |",
            "|---|---|---|---|---|---|",
        ]
        parts += [_row(places[row.address]) for row in page.rows]
    parts += ["\n### only told\n", "| address | type | |", "|---|---|---|"]
    parts += [f"| `{out.address}` | {out.tags} | {out.about} |" for out in OUTS]
    return "\n".join([*parts, END]) + "\n"


def _row(place: Place) -> str:
    row = place.row
    high = f"{row.high:.0f}" if row.kind == "int" else f"{row.high:g}"
    raw = f"{row.low:g} to {high}{_unit(row)}" if row.numeric and row.access != "r" else ""
    about = row.about + (f"; see `{VALUE.address}` below" if row.address == VALUE.address else "")
    cells = (f"`{place.address}`", "T/F" if row.kind == "bool" else tags(row), _takes(place), raw, _default(row), about)
    return "| " + " | ".join(cells) + " |"


def _takes(place: Place) -> str:
    row = place.row
    if row.access == "r":
        return "only told" + (f", in{_unit(row)}" if row.unit else f": {', '.join(row.choices)}" if row.choices else "")
    if place.faded:
        return "0 to 1" + (", logarithmic" if row.curve == "log" else "")
    if row.choices:
        few = row.choices[:_MANY]
        return ", ".join(few) + (", …" if len(row.choices) > len(few) else "")
    if row.kind == "int":
        return f"{row.low:g} to {row.high:.0f}; a float up to 1: a fader's place"
    if row.kind == "point":
        return "alpha and beta"
    if row.kind == "float":
        return f"{row.low:g} to {row.high:g}{_unit(row)}"
    return {"bool": "on or off", "text": "a text", "trigger": _pressed(row)}[row.kind]


def _pressed(row: Parameter) -> str:
    return "a press" if not row.argument else "words" if row.argument == "words" else "a name"


def _default(row: Parameter) -> str:
    if row.kind == "trigger" or row.access == "r":
        return ""
    if row.default is None:
        return "the preset's"
    if isinstance(row.default, bool):
        return "on" if row.default else "off"
    return f"{row.default:g}{_unit(row)}" if isinstance(row.default, (int, float)) else f"{row.default}"


def _unit(row: Parameter) -> str:
    return f" {row.unit}" if row.unit else ""
