"""What is made from the table is complete, of the right form, and up to date where it is kept."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installation.control import parameters
from installation.ports.osc import addresses, layouts, reference
from installation.ports.osc.layouts import sections, stagecontrol, touchosc
from latentworld.errors import ControlError

DOCS = Path(__file__).parent.parent / "docs"
TABLE = parameters.table()
PLACES = addresses.book(TABLE)
# what Open Stage Control's sources name, of what we use
COMMON = {
    "type", "id", "height", "expand", "comments", "colorText", "colorWidget", "alphaFillOn", "padding", "default",
    "address", "typeTags", "decimals", "bypass", "onCreate",
}  # fmt: skip
KNOWN = {
    "root": {"colorBg", "tabsPosition", "hideMenu", "widgets", "tabs"},
    "tab": {"label", "layout", "gridTemplate", "scroll", "widgets", "tabs"},
    "panel": {"layout", "scroll", "widgets", "tabs"},
    "fader": {"horizontal", "design", "pips", "range", "snap", "doubleTap"},
    "button": {"mode", "on", "off", "label"},
    "dropdown": {"values", "label"},
    "input": {"align", "maxLength"},
    "text": {"align"},
    "variable": {"onValue"},
    "xy": {"rangeX", "rangeY", "pips"},
}


def test_the_pages_address_table_is_up_to_date() -> None:
    page = (DOCS / "osc.md").read_text()
    assert reference.table(TABLE) in page, "put what `latentworld osc table` prints between the marks of docs/osc.md"


def test_the_table_tells_every_address() -> None:
    told = set(re.findall(r"^\| `(/lw[^`]*)`", reference.table(TABLE), flags=re.MULTILINE))
    assert told == {row.address for row in TABLE.values()} | {out.address for out in addresses.OUTS}


@pytest.mark.parametrize("ending", sorted(layouts.MAKERS))
def test_the_layouts_that_are_kept_are_up_to_date(ending: str) -> None:
    made, kept = layouts.MAKERS[ending](TABLE), (DOCS / "layouts" / f"latentworld{ending}").read_bytes()
    unpack = zlib.decompress if ending == ".tosc" else bytes  # zlib's own versions differ
    assert unpack(made) == unpack(kept), f"run: latentworld osc layout docs/layouts/latentworld{ending}"


def test_every_parameter_is_on_one_page() -> None:
    rows = [row.name for page in sections.tabs(TABLE) for row in page.rows]
    assert sorted(rows) == sorted(TABLE)
    new = parameters.Parameter("fog.depth", "float", "a new one")
    assert [row.name for row in sections.tabs(TABLE | {new.name: new})[-1].rows] == ["fog.depth"]


def widgets(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield part
    for below in (*part.get("tabs", ()), *part.get("widgets", ())):
        yield from widgets(below)


def test_the_session_for_open_stage_control() -> None:
    session = json.loads(stagecontrol.session(TABLE))
    assert (session["createdWith"], session["type"]) == ("Open Stage Control", "session")
    found = list(widgets(session["content"]))
    assert len({widget["id"] for widget in found}) == len(found)
    for widget in found:
        assert widget.keys() <= COMMON | KNOWN[widget["type"]], widget["id"]
    played = {widget["address"]: widget for widget in found if widget.get("address", "").startswith("/lw")}
    assert "send('/lw/confirm'" in played.pop("/lw/subscribed")["onValue"]
    assert played.keys() == {row.address for row in TABLE.values()}
    assert "/lw/subscribe" in session["content"]["onCreate"]
    for address, widget in played.items():
        if widget["type"] == "fader":  # what it sends is taken as it is, and its label tells what that means
            low, high = (next(iter(end.items())) for end in (widget["range"]["min"], widget["range"]["max"]))
            for label, sent in (low, high):
                value = addresses.read(PLACES[address], (int(sent) if widget["typeTags"] == "i" else float(sent),))
                assert value == pytest.approx(float(label.split()[0]), rel=1e-4), address


@pytest.fixture(scope="module")
def touch() -> ET.Element:
    return ET.fromstring(zlib.decompress(touchosc.layout(TABLE)))


def held(node: ET.Element, key: str) -> ET.Element | None:
    found = (each for each in node.findall("./properties/property") if each.findtext("key") == key)
    return next((each.find("value") for each in found), None)


def frame(node: ET.Element) -> tuple[float, ...]:
    value = held(node, "frame")
    assert value is not None
    return tuple(float(value.findtext(key, "nan")) for key in "xywh")


def test_the_layout_for_touchosc_has_the_formats_form(touch: ET.Element) -> None:
    assert (touch.tag, touch.get("version"), [each.tag for each in touch]) == ("lexml", "6", ["node"])
    nodes = list(touch.iter("node"))
    ids = [node.get("ID") for node in nodes]
    assert len(set(ids)) == len(ids)
    kinds = {"GROUP", "PAGER", "FADER", "BUTTON", "LABEL", "XY"}
    assert {node.get("type") for node in nodes} == kinds
    for node in nodes:
        keys = [each.findtext("key", "") for each in node.findall("./properties/property")]
        assert keys == sorted(keys)
        assert {each.get("type") for each in node.findall("./properties/property")} <= set("bifsrc")
    for message in touch.iter("osc"):
        assert [each.tag for each in message if each.tag != "triggers"] == [
            "enabled", "send", "receive", "feedback", "noDuplicates", "connections", "path", "arguments",
        ]  # fmt: skip
        assert len(message.findtext("connections", "")) == 10
    script = held(touch[0], "script")
    assert script is not None
    assert "/lw/subscribe'" in (script.text or "")
    assert "sendOSC({ '/lw/confirm'" in (script.text or "")


def test_the_touchosc_pages_hold_everything_without_overlap(touch: ET.Element) -> None:
    pages = touch.findall("./node/children/node/children/node")
    assert [held(page, "tabLabel").text for page in pages] == [page.title for page in sections.tabs(TABLE)]  # type: ignore[union-attr]
    for page in pages:
        _, _, width, height = frame(page)
        boxes = []
        for node in page.findall("./children/node"):
            x, y, w, h = frame(node)
            assert 0 <= x < x + w <= width, node.get("type")
            assert 0 <= y < y + h <= height
            if node.get("type") != "LABEL":
                boxes.append((x, y, x + w, y + h))
        for i, one in enumerate(boxes):
            for other in boxes[i + 1 :]:
                apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
                assert apart, (one, other)


def test_what_touchosc_sends_is_understood(touch: ET.Element) -> None:
    sent = set()
    for message in touch.iter("osc"):
        path, parts = message.findtext("path/partial/value", ""), message.findall("arguments/partial")
        assert path in PLACES
        if message.findtext("send") == "0":
            continue
        sent.add(path)
        for end in ("scaleMin", "scaleMax"):
            arguments = [_argument(part, end) for part in parts]
            if PLACES[path].row.kind == "trigger":
                assert addresses.pressed(PLACES[path].row, arguments, TABLE) == (arguments == [1.0])
            else:
                addresses.read(PLACES[path], arguments)
    unsent = {PLACES[row.address].row.name for row in TABLE.values() if row.address not in sent}
    kinds = {sections.widget(TABLE[name]) for name in unsent}
    assert kinds <= {"text", "named", "meter", "choice"}  # texts, names and long lists are the deck's


def _argument(part: ET.Element, end: str) -> Any:
    constant = part.findtext("type") == "CONSTANT"
    text = part.findtext("value", "") if constant else part.findtext(end, "")
    return {"FLOAT": float, "INTEGER": lambda number: int(float(number)), "STRING": str}[
        part.findtext("conversion", "")
    ](text)


def test_faders_tell_real_units(touch: ET.Element) -> None:
    """The Lua of a fader, its formula read as Python's, tells what the show will set."""
    for node in touch.iter("node"):
        script = held(node, "script")
        if node.get("type") != "FADER" or script is None:
            continue
        name = held(node, "name")
        formula = re.search(r"string\.format\('[^']*', (.*)\) end\n", script.text or "")
        assert name is not None
        assert formula is not None
        row = TABLE[name.text or ""]
        argument = node.find("messages/osc/arguments/partial")
        assert argument is not None
        low, high = (float(argument.findtext(end, "")) for end in ("scaleMin", "scaleMax"))
        for x in (0.0, 0.25, 1.0):
            sent = low + x * (high - low)
            wanted = addresses.read(PLACES[row.address], (round(sent) if row.kind == "int" else sent,))
            assert _lua(formula[1], x) == pytest.approx(wanted, rel=1e-3, abs=0.5 if row.kind == "int" else 1e-3), (
                row.name
            )


def _lua(formula: str, x: float) -> float:
    if formula.startswith("x == 0 and 0 or "):
        return 0.0 if x == 0 else _lua(formula.removeprefix("x == 0 and 0 or "), x)
    if power := re.fullmatch(r"(\S+) \* (\S+) \^ x", formula):
        return float(power[1]) * float(power[2]) ** x
    line = re.fullmatch(r"(\S+) \+ x \* (\S+)", formula)
    assert line is not None, formula
    return float(line[1]) + x * float(line[2])


def test_the_command_writes_layouts(run: Any, tmp_path: Path) -> None:
    assert run("osc", "layout", tmp_path / "mine.json", "--world", "a world of mine")[0] == 0
    assert "a world of mine" in (tmp_path / "mine.json").read_text()
    code, _, told = run("osc", "layout", tmp_path / "mine.pdf")
    assert (code, told) == (1, "error: mine.pdf: a layout ends in .tosc (TouchOSC) or .json (Open Stage Control)\n")
    assert run("osc", "table")[1] == reference.table(TABLE)
    with pytest.raises(ControlError):
        layouts.write(TABLE, tmp_path / "mine")
