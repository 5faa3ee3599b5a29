"""A session for Open Stage Control (https://openstagecontrol.ammd.net, 1.x): a tab a page, a panel a parameter.

The session subscribes by itself, to the port that Open Stage Control sends from; start it with
`open-stage-control --send 127.0.0.1:9000 --load latentworld.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from installation.control.parameter import Parameter
from installation.ports.osc.addresses import CONFIRM, SUBSCRIBE, SUBSCRIBED
from installation.ports.osc.layouts.sections import PAD, Tab, caption, span, tabs, widget
from latentworld.prompts import LONGEST
from latentworld.tokens import DARK, HUES

VERSION = "1.30.1"  # whose property names these are
COLUMNS = 4
TALL = {"pad": 260}
HEIGHT, LABEL = 92, 26
Json = dict[str, Any]
# every 20 s, so that a show that was restarted tells again; a subscription lasts 60 s
_ONCE = f"send('{SUBSCRIBE}', {{type: 'i', value: 0}}, {{type: 'f', value: 60}})"
_SCRIPT = f"{_ONCE}\nsetInterval('subscribe', function() {{ {_ONCE} }}, 20000)"
# a show on another machine wants to hear its key back
_CONFIRM: Json = {
    "type": "variable", "id": "confirm", "address": SUBSCRIBED, "bypass": True,
    "onValue": f"if (value.length > 2) send('{CONFIRM}', {{type: 's', value: value[2]}})",
}  # fmt: skip


def session(table: Mapping[str, Parameter]) -> bytes:
    """The session as the file holds it."""
    made = [_tab(page, colour) for page, colour in zip(tabs(table), HUES)]
    made[0]["widgets"].append(_CONFIRM)
    root = {
        "type": "root", "id": "root", "colorBg": DARK.ground, "colorText": DARK.ink, "alphaFillOn": 0.35,
        "tabsPosition": "top", "hideMenu": False, "onCreate": _SCRIPT, "widgets": [], "tabs": made,
    }  # fmt: skip
    whole = {"createdWith": "Open Stage Control", "version": VERSION, "type": "session", "content": root}
    return json.dumps(whole, indent=1, ensure_ascii=False).encode() + b"\n"


def _tab(page: Tab, colour: str) -> Json:
    widgets = [_panel(row) for row in page.rows]
    return {
        "type": "tab", "id": f"tab {page.title}", "label": page.title, "layout": "grid", "gridTemplate": COLUMNS,
        "scroll": True, "colorWidget": colour, "widgets": widgets, "tabs": [],
    }  # fmt: skip


def _panel(row: Parameter) -> Json:
    label = {
        "type": "text", "id": f"label {row.name}", "height": LABEL, "align": "left", "default": caption(row),
        "address": f"/label/{row.name}", "bypass": True, "comments": row.about,
    }  # fmt: skip
    control = {"id": row.name, "address": row.address, "expand": True, "comments": row.about, **_control(row)}
    return {
        "type": "panel", "id": f"panel {row.name}", "layout": "vertical", "height": TALL.get(widget(row), HEIGHT),
        "scroll": False, "padding": 2, "widgets": [label, control], "tabs": [], "bypass": True,
    }  # fmt: skip


def _control(row: Parameter) -> Json:
    match widget(row):
        case "fader":
            return _fader(row)
        case "toggle":
            return {"type": "button", "mode": "toggle", "on": True, "off": False, "label": caption(row)}
        case "press":
            return {"type": "button", "mode": "tap", "on": 1, "off": 0, "label": caption(row), "typeTags": "i"}
        case "choice":
            return {"type": "dropdown", "values": list(row.choices), "label": "%value", "typeTags": "s"}
        case "pad":
            reach = {"min": -PAD, "max": PAD}
            return {
                "type": "xy", "rangeX": reach, "rangeY": reach, "decimals": 4, "typeTags": "ff", "pips": True,
            }  # fmt: skip
        case "meter":
            return {"type": "text", "decimals": 3, "align": "left"}
        case _:
            return {"type": "input", "typeTags": "s", "align": "left", "maxLength": LONGEST}


def _fader(row: Parameter) -> Json:
    """A fader whose ends are labelled in real units."""
    low, high = span(row)
    ends = (low, high) if row.unit == "s" or row.kind == "int" else (row.low, row.high)
    unit = f" {row.unit}" if row.unit else ""
    whole = row.kind == "int"
    scale = {"min": {f"{ends[0]:g}": low}, "max": {f"{ends[1]:g}{unit}": high}}
    fader: Json = {
        "type": "fader", "horizontal": True, "design": "default", "pips": True, "range": scale,
        "decimals": 0 if whole else 5, "typeTags": "i" if whole else "f", "snap": False, "doubleTap": False,
    }  # fmt: skip
    if isinstance(row.default, (int, float)):
        fader["default"] = row.default if whole or row.unit == "s" else row.normal(row.default)
    return fader
