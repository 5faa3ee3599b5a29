"""A layout for TouchOSC 1.5 or newer (https://hexler.net/touchosc): XML of the format's version 6, packed by zlib.

A pager with a tab for each page. Faders tell their place in real units by a script; the layout subscribes by itself.
The format: https://shakfu.github.io/py2tosc/guide/format/, written down from files that TouchOSC saved.
"""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from installation.control.parameter import Parameter
from installation.ports.osc.addresses import CONFIRM, SUBSCRIBE, SUBSCRIBED
from installation.ports.osc.layouts.sections import PAD, Tab, caption, span, tabs, widget
from latentworld.tokens import DARK, HUES, rgb

WIDTH, HEIGHT, TAB = 1024, 768, 48
COLUMNS, ROWS = 4, 8
GAP, LABEL = 8, 20
LISTEN = 9001  # TouchOSC's receive port, as the docs ask for it
CHOICES = 8  # as many have a button each; of more the choice is only shown
_SPACE = uuid.UUID("7d0a4c1e-3b52-4f6e-9c7a-1a7e2c0f5b11")  # of the nodes' ids: the same table, the same file
Frame = tuple[float, float, float, float]
Colour = tuple[float, float, float, float]


def _shade(colour: str) -> Colour:
    """A colour as TouchOSC has it: red, green, blue and opacity in 0..1."""
    red, green, blue = (round(part / 255, 3) for part in rgb(colour))
    return red, green, blue, 1.0


_GROUND, _INK, _DIM, _RULE = (_shade(one) for one in (DARK.ground, DARK.ink, DARK.faint, DARK.rule))
Property = bool | int | float | str | Frame
_SUBSCRIBE = f"""local last = -20000
function update()
  local now = getMillis()
  if now - last >= 20000 then
    last = now
    sendOSC({{ '{SUBSCRIBE}', {{ {{ tag = 'i', value = {LISTEN} }}, {{ tag = 'f', value = 60 }} }} }})
  end
end

function onReceiveOSC(message)
  local key = message[1] == '{SUBSCRIBED}' and message[2][3]
  if key then sendOSC({{ '{CONFIRM}', {{ {{ tag = 's', value = key.value }} }} }}) end
end
"""


@dataclass(frozen=True)
class _Cell:
    """Where a parameter stands on a page, and in which colour."""

    row: Parameter
    frame: Frame
    colour: Colour


def layout(table: Mapping[str, Parameter]) -> bytes:
    """The layout as the file holds it."""
    groups = [_page(page, colour) for page, colour in zip(tabs(table), HUES)]
    pager = _node(
        "PAGER", "pages", (0, 0, WIDTH, HEIGHT),
        {"color": _GROUND, "tabLabels": True, "tabbar": True, "tabbarSize": TAB, "textSizeOff": 16, "textSizeOn": 16,
         "outline": False, "background": True},
        {"page": "0"}, children=groups,
    )  # fmt: skip
    root = _node(
        "GROUP", "latentworld", (0, 0, WIDTH, HEIGHT), {"color": _GROUND, "script": _SUBSCRIBE}, children=[pager]
    )
    root.insert(0, ET.Element("includes"))
    lexml = ET.Element("lexml", {"version": "6"})
    lexml.append(root)
    return zlib.compress(b"<?xml version='1.0' encoding='UTF-8'?>\n" + ET.tostring(lexml, encoding="utf-8"))


def _page(page: Tab, colour: str) -> ET.Element:
    accent = _shade(colour)
    frames = _places((*_size(row), _begins(row, page.rows)) for row in page.rows)
    cells = [_Cell(row, frame, accent) for row, frame in zip(page.rows, frames)]
    children = [node for cell in cells for node in _control(cell)]
    look: dict[str, Property] = {
        "color": _GROUND, "background": True, "outline": False, "tabLabel": page.title, "tabColorOn": accent,
        "tabColorOff": _RULE, "textColorOn": _GROUND, "textColorOff": _INK,
    }  # fmt: skip
    return _node("GROUP", page.title, (0, TAB, WIDTH, HEIGHT - TAB), look, children=children)


def _size(row: Parameter) -> tuple[int, int]:
    """Columns and rows it wants."""
    if widget(row) == "pad":
        return 2, 3
    wide = widget(row) == "text" or (widget(row) == "choice" and 4 < len(row.choices) <= CHOICES)
    return (2, 1) if wide and not row.name.startswith("word.") else (1, 1)


def _begins(row: Parameter, rows: Sequence[Parameter]) -> bool:
    """Whether it begins a line: the first of a numbered many such as lfo.2."""
    head, _, _ = row.name.rpartition(".")
    many = [other for other in rows if other.name.startswith(f"{head}.")]
    return head[-1:].isdigit() and len(many) > 2 and many[0] is row


def _places(sizes: Iterable[tuple[int, int, bool]]) -> Iterator[Frame]:
    """Frames in the order given (columns, rows, whether a line begins): each at the first place where it has room."""
    width, height = (WIDTH - GAP) / COLUMNS, (HEIGHT - TAB - GAP) / ROWS
    taken: set[tuple[int, int]] = set()
    top = 0
    for wide, tall, begins in sizes:
        top = max((y + 1 for _, y in taken), default=0) if begins else top
        spot = next(
            (x, y)
            for y in range(top, 1000)
            for x in range(COLUMNS - wide + 1)
            if taken.isdisjoint((x + i, y + j) for i in range(wide) for j in range(tall))
        )
        taken |= {(spot[0] + i, spot[1] + j) for i in range(wide) for j in range(tall)}
        yield GAP + spot[0] * width, GAP + spot[1] * height, wide * width - GAP, tall * height - GAP


def _control(cell: _Cell) -> list[ET.Element]:
    row, (x, y, w, h), name = cell.row, cell.frame, cell.row.name
    label = _text(f"label {name}", caption(row), (x, y, w * 0.62, LABEL), align=1, colour=_DIM)
    below = (x, y + LABEL, w, h - LABEL)
    match widget(row):
        case "fader":
            value = _text(f"value {name}", "", (x + w * 0.62, y, w * 0.38, LABEL), align=3)
            return [label, value, _fader(row, below, cell.colour)]
        case "toggle":
            press = _button(name, below, cell.colour, _osc(row.address, ("VALUE", "FLOAT", "x")), kind=2)
            return [press, _text(f"label {name}", caption(row), below)]
        case "press":
            message = _osc(row.address, ("CONSTANT", "FLOAT", "1"), trigger="RISE", receive=False)
            return [_button(name, below, cell.colour, message), _text(f"label {name}", caption(row), below)]
        case "choice" if len(row.choices) <= CHOICES:
            return [label, *_choices(row, below, cell)]
        case "pad":
            return [label, _pad(row, below, cell.colour)]
        case "named":
            return [label, _text(f"hint {name}", "by name: deck, MIDI or OSC", below, colour=_DIM)]
        case _:
            return [label, _text(f"value {name}", "", below, align=1, shows=row.address)]


def _fader(row: Parameter, frame: Frame, colour: Colour) -> ET.Element:
    low, high = span(row)
    conversion = "INTEGER" if row.kind == "int" else "FLOAT"
    start = row.normal(row.default) if isinstance(row.default, (int, float)) and span(row) == (0.0, 1.0) else 0.0
    look: dict[str, Property] = {
        "color": colour, "orientation": 1, "cornerRadius": 4.0, "grid": False, "response": 1, "script": _reading(row),
    }  # fmt: skip
    message = _osc(row.address, ("VALUE", conversion, "x"), scale=(low, high))
    return _node("FADER", row.name, frame, look, {"x": f"{start:g}"}, [message])


def _reading(row: Parameter) -> str:
    """Lua that writes a fader's place in real units into the label above it."""
    low, high = span(row) if row.unit == "s" or row.kind == "int" else (row.low, row.high)
    value = f"{low:g} + x * {high - low:g}"
    if row.curve == "log":
        least = row.low or row.least
        value = f"{least:g} * {high / least:.9g} ^ x"
        value = f"x == 0 and 0 or {value}" if row.low == 0 else value
    digits = "%.0f" if row.kind == "int" else "%.3g"
    unit = f" {row.unit}" if row.unit else ""
    return (
        "local function tell()\n"
        "  local x = self.values.x\n"
        f"  local label = self.parent:findByName('value {row.name}')\n"
        f"  if label then label.values.text = string.format('{digits}{unit}', {value}) end\n"
        "end\n"
        "function init() tell() end\n"
        "function onValueChanged(key) if key == 'x' then tell() end end\n"
    )


def _choices(row: Parameter, frame: Frame, cell: _Cell) -> list[ET.Element]:
    """A button for each choice; above them which one it is."""
    x, y, w, h = frame
    wide, nodes = w / len(row.choices), []
    for i, choice in enumerate(row.choices):
        place = (x + i * wide, y, wide - 4, h)
        message = _osc(row.address, ("CONSTANT", "STRING", choice), trigger="RISE", receive=False)
        nodes.append(_button(f"{row.name} {choice}", place, cell.colour, message))
        nodes.append(_text(f"is {row.name} {choice}", choice, place, size=12))
    now = _text(f"value {row.name}", "", (x + w * 0.62, y - LABEL, w * 0.38, LABEL), align=3, shows=row.address)
    return [now, *nodes]


def _pad(row: Parameter, frame: Frame, colour: Colour) -> ET.Element:
    parts = [("VALUE", "FLOAT", "x"), ("VALUE", "FLOAT", "y")]
    message = _osc(row.address, *parts, scale=(-PAD, PAD), triggers=("x", "y"))
    look: dict[str, Property] = {"color": colour, "cornerRadius": 4.0, "gridStepsX": 6, "gridStepsY": 6, "response": 1}
    return _node("XY", row.name, frame, look, {"x": "0.5", "y": "0.5"}, [message])


def _button(name: str, frame: Frame, colour: Colour, message: ET.Element, kind: int = 0) -> ET.Element:
    look: dict[str, Property] = {"color": colour, "buttonType": kind, "cornerRadius": 4.0, "outline": True}
    return _node("BUTTON", name, frame, look, {"x": "0"}, [message])


def _text(
    name: str, text: str, frame: Frame, align: int = 2, colour: Colour = _INK, shows: str | None = None, size: int = 14
) -> ET.Element:  # fmt: skip
    """A label that takes no touch; align 1 left, 2 middle, 3 right; shows: the address whose value it writes."""
    look: dict[str, Property] = {
        "background": False, "outline": False, "interactive": False, "grabFocus": False, "textSize": size,
        "textAlignH": align, "textAlignV": 2, "textColor": colour, "textClip": True,
    }  # fmt: skip
    messages = [_osc(shows, ("VALUE", "STRING", "text"), send=False)] if shows else []
    return _node("LABEL", name, frame, look, {"text": text}, messages)


def _osc(
    address: str, *parts: tuple[str, str, str], scale: tuple[float, float] = (0.0, 1.0), trigger: str = "ANY",
    triggers: Sequence[str] = ("x",), send: bool = True, receive: bool = True,
) -> ET.Element:  # fmt: skip
    """A message: parts are (CONSTANT or VALUE, type, constant or value's name)."""
    osc = ET.Element("osc")
    flags = {"enabled": True, "send": send, "receive": receive, "feedback": False, "noDuplicates": False}
    for key, flag in flags.items():
        ET.SubElement(osc, key).text = str(int(flag))
    ET.SubElement(osc, "connections").text = "0000000001"  # the rightmost is connection 1
    if send:
        held = ET.SubElement(osc, "triggers")
        for name in triggers:
            one = ET.SubElement(held, "trigger")
            ET.SubElement(one, "var").text = name
            ET.SubElement(one, "condition").text = trigger
    _partials(ET.SubElement(osc, "path"), [("CONSTANT", "STRING", address)], (0.0, 1.0))
    _partials(ET.SubElement(osc, "arguments"), parts, scale)
    return osc


def _partials(into: ET.Element, parts: Sequence[tuple[str, str, str]], scale: tuple[float, float]) -> None:
    for kind, conversion, value in parts:
        partial = ET.SubElement(into, "partial")
        fields = (kind, conversion, value, f"{scale[0]:g}", f"{scale[1]:g}")
        for key, text in zip(("type", "conversion", "value", "scaleMin", "scaleMax"), fields):
            ET.SubElement(partial, key).text = text


def _node(
    kind: str, name: str, frame: Frame, look: Mapping[str, Property], values: Mapping[str, str] | None = None,
    messages: Sequence[ET.Element] = (), children: Sequence[ET.Element] = (),
) -> ET.Element:  # fmt: skip
    node = ET.Element("node", {"ID": str(uuid.uuid5(_SPACE, f"{kind} {name}")), "type": kind})
    properties = ET.SubElement(node, "properties")
    for key, value in sorted({"name": name, "frame": frame, **look}.items()):
        _property(properties, key, value)
    held = ET.SubElement(node, "values")
    for key, default in {**(values or {}), "touch": "false"}.items():
        one = ET.SubElement(held, "value")
        fields = {"key": key, "locked": "0", "lockedDefaultCurrent": "0", "default": default, "defaultPull": "0"}
        for field, text in fields.items():
            ET.SubElement(one, field).text = text
    for tag, parts in (("messages", messages), ("children", children)):
        if parts:
            ET.SubElement(node, tag).extend(parts)
    return node


def _property(into: ET.Element, key: str, value: Property) -> None:
    letters = {bool: "b", int: "i", float: "f", str: "s"}
    kind = ("r" if key == "frame" else "c") if isinstance(value, tuple) else letters[type(value)]
    one = ET.SubElement(into, "property", {"type": kind})
    ET.SubElement(one, "key").text = key
    held = ET.SubElement(one, "value")
    if isinstance(value, tuple):
        for name, part in zip("xywh" if kind == "r" else "rgba", value):
            ET.SubElement(held, name).text = f"{part:g}"
    else:
        held.text = (
            str(int(value)) if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
        )
