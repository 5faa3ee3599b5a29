"""OSCQuery: the tree, its attributes, listening, and the routes in a real Starlette application."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pythonosc.osc_message import OscMessage
from standins.osc import Clock, Stagehand, tick
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from installation.control import parameters
from installation.ports.osc import addresses, codec, feedback, query

TABLE = parameters.table()
VALUES = {row.name: row.default for row in TABLE.values()}
INFO = query.host_info(9000)


def leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "TYPE" in node:
        yield node
    for below in node.get("CONTENTS", {}).values():
        yield from leaves(below)


def spoken(packet: bytes) -> tuple[Any, ...]:
    message = OscMessage(packet)
    return (message.address, *message)


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("CONTENTS", {}).values():
        yield from nodes(below)


def test_the_tree_holds_every_address_once_and_is_json() -> None:
    root = query.tree(TABLE, VALUES)
    paths = [leaf["FULL_PATH"] for leaf in leaves(root)]
    assert set(paths) == {row.address for row in TABLE.values()} | {out.address for out in addresses.OUTS}
    assert len(paths) == len(set(paths))
    assert json.loads(json.dumps(root, allow_nan=False)) == root
    for path in paths:
        found = query.find(root, path)
        assert found is not None
        assert found["FULL_PATH"] == path


JSON_OF = {"f": float, "i": int, "h": int, "s": str, "T": bool, "F": bool}
UNITS = {"time.second", "time.hz", "time.bpm"}  # of the proposal's list, those that are used
KINDS = {"position.cart2D.x", "position.cart2D.y"}  # of its extended types
SEVERAL = ("VALUE", "RANGE", "CLIPMODE", "UNIT", "EXTENDED_TYPE")  # one for each value


def test_the_whole_tree_is_as_the_proposal_has_it() -> None:
    """https://github.com/Vidvox/OSCQueryProposal, README.md, units.md and extended_types.md."""
    backstage = Stagehand()
    told = feedback.told(backstage.status())
    for node in nodes(query.tree(TABLE, VALUES | {"walk.speed": 7.0, "walk.position": (0.5, -1.0)}, told)):
        where = node["FULL_PATH"]
        assert node.keys() <= query.ATTRIBUTES, where
        if "CONTENTS" in node:
            assert (node.keys(), node["ACCESS"]) == ({"FULL_PATH", "CONTENTS", "ACCESS"}, 0), "no method is a container"
            assert node["CONTENTS"], where
            assert all(below["FULL_PATH"] == f"{where.rstrip('/')}/{name}" for name, below in node["CONTENTS"].items())
            continue
        assert node["ACCESS"] in (1, 2, 3), where
        assert node["DESCRIPTION"], where
        for name in SEVERAL:
            assert len(node.get(name, node["TYPE"])) == len(node["TYPE"]), (where, name)
        for tag, value in zip(node["TYPE"], node["VALUE"]):
            assert value is None or type(value) is JSON_OF[tag], where
        for value, span in zip(node["VALUE"], node.get("RANGE", ())):
            assert span.keys() in ({"MIN", "MAX"}, {"VALS"}), where
            assert value is None or (span["MIN"] <= value <= span["MAX"] if "MIN" in span else value in span["VALS"])
        assert set(node.get("CLIPMODE", ())) <= {"none", "low", "high", "both"}, where
        assert set(node.get("UNIT", ())) <= UNITS, where
        assert set(node.get("EXTENDED_TYPE", ())) <= KINDS, where
        if node["TYPE"] == "i" and "RANGE" in node:
            assert node["RANGE"][0]["MAX"] < 2**31, where


def test_what_may_be_read_has_a_value_to_poll() -> None:
    """A node that only tells answers a poll; whatever has none, or may not be read, is no content."""
    root = query.tree(TABLE, VALUES, feedback.told(Stagehand().status()))
    assert query.answer(root, "/lw/show/fps", "VALUE", INFO) == (200, {"VALUE": [11.5]})
    assert query.answer(root, "/lw/show/renderer", "VALUE", INFO) == (200, {"VALUE": ["running"]})
    assert query.answer(root, "/lw/rift/value", "TYPE", INFO) == (200, {"TYPE": "fi"})
    assert query.answer(root, "/lw/walk/speed", "VALUE", INFO) == (204, None), "nobody knows it yet"
    assert query.answer(root, "/lw/snapshot/recall", "VALUE", INFO) == (204, None)
    statuses = {leaf["FULL_PATH"]: query.answer(root, leaf["FULL_PATH"], "VALUE", INFO)[0] for leaf in leaves(root)}
    unknown = {path for path, status in statuses.items() if status != 200}
    assert unknown == {"/lw/show/latency"} | {
        row.address for row in TABLE.values() if row.access == "w" or (row.default is None and row.access == "rw")
    }


@pytest.mark.parametrize(
    ("path", "type_", "ranges", "value", "unit"),
    [
        ("/lw/rift/attraction", "f", [{"MIN": 0.0, "MAX": 1.0}], [0.75], None),
        ("/lw/walk/speed", "f", [{"MIN": 0.0, "MAX": 1.0}], [None], None),
        ("/lw/slew/walk/speed", "f", [{"MIN": 0.0, "MAX": 60.0}], [0.0], ["time.second"]),
        ("/lw/model/steps", "i", [{"MIN": 1, "MAX": 100}], [None], None),
        ("/lw/walk/direction", "s", [{"VALS": ["forward", "reverse", "ping-pong"]}], ["forward"], None),
        ("/lw/walk/position", "ff", [{"MIN": -100.0, "MAX": 100.0}] * 2, [None, None], None),
        ("/lw/walk/auto", "T", None, [True], None),
        ("/lw/out/freeze", "F", None, [False], None),
        ("/lw/prompt/b", "s", None, [""], None),
        ("/lw/panic", "I", None, [None], None),
        ("/lw/snapshot/recall", "s", None, [None], None),
        ("/lw/seed/vertex/0", "h", [{"MIN": 0, "MAX": 2**32 - 1}], [None], None),
        ("/lw/rift/value", "fi", None, [None, None], None),
        ("/lw/show/latency", "ff", None, [None, None], ["time.second"] * 2),
    ],
)
def test_nodes(path: str, type_: str, ranges: Any, value: Any, unit: Any) -> None:
    node = query.find(query.tree(TABLE, VALUES | {"rift.attraction": 0.5}), path)
    assert node is not None
    assert (node["TYPE"], node.get("RANGE"), node.get("VALUE"), node.get("UNIT")) == (type_, ranges, value, unit)
    assert node["DESCRIPTION"]


@pytest.mark.parametrize(
    ("path", "attribute", "status", "content"),
    [
        ("/", "HOST_INFO", 200, INFO),
        ("/lw/out/master", "VALUE", 200, {"VALUE": [1.0]}),
        ("/lw/out/master", "TYPE=", 200, {"TYPE": "f"}),
        ("/lw/panic", "VALUE", 204, None),
        ("/lw/walk", "RANGE", 204, None),
        ("/lw/out/master", "GABBAGABBAHEY", 400, None),
        ("/lw/nothing", "", 404, None),
        ("/lw/out/master/raw", "VALUE", 404, None),
    ],
)
def test_answers(path: str, attribute: str, status: int, content: Any) -> None:
    assert query.answer(query.tree(TABLE, VALUES), path, attribute, INFO) == (status, content)


def test_the_host_tells_its_port_and_what_it_can() -> None:
    assert (INFO["OSC_PORT"], INFO["OSC_TRANSPORT"], INFO["EXTENSIONS"]["LISTEN"]) == (9000, "UDP", True)
    assert "OSC_PORT" not in query.host_info(None)
    assert query.host_info(9000, "10.0.0.2")["OSC_IP"] == "10.0.0.2"


def command(what: str, path: Any) -> str:
    return json.dumps({"COMMAND": what, "DATA": path})


def test_a_listener_hears_what_it_asked_for() -> None:
    backstage = Stagehand()
    clock = backstage.clock
    assert isinstance(clock, Clock)
    listener = query.Listener(backstage, clock)
    backstage.desk.set("view.zoom", 8.0)
    assert listener.pending() == []
    for path in ("/lw/view/zoom", "/lw/view/zoom/raw", "/lw/walk/at"):
        assert listener.command(command("LISTEN", path))
    assert [spoken(packet) for packet in listener.pending()] == [("/lw/view/zoom", 1.0), ("/lw/view/zoom/raw", 8.0)]
    backstage.desk.set("view.zoom", 4.0)
    backstage.desk.set("view.zoom", 1.0)
    backstage.desk.set("out.gamma", 1.0)
    backstage.tick(tick())
    assert [spoken(packet) for packet in listener.pending()] == [
        ("/lw/view/zoom", 0.0), ("/lw/view/zoom/raw", 1.0), ("/lw/walk/at", 0.25, 0.5, 1.25, 0),
    ]  # fmt: skip
    for path in ("/lw/view/zoom", "/lw/walk/at"):
        assert listener.command(command("IGNORE", path))
    backstage.desk.set("view.zoom", 4.0)
    backstage.tick(tick())
    assert [spoken(packet) for packet in listener.pending()] == [("/lw/view/zoom/raw", 4.0)]
    listener.close()
    assert backstage.listeners == []


@pytest.mark.parametrize(
    "text",
    [
        "", "LISTEN", "[]", "[" * 3000, command("LISTEN", "/lw/nothing"), command("LISTEN", 5),
        command("SHOUT", "/lw/walk/auto"), command("LISTEN", "/lw/panic"), command("LISTEN", "x" * 100_000),
        '{"COMMAND": "LISTEN"}', '{"COMMAND": [], "DATA": ""}',
    ],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_commands_that_mean_nothing(text: str) -> None:
    listener = query.Listener(Stagehand(), Clock())
    assert listener.command(text) is False
    assert listener.pending() == []


@pytest.fixture
def backstage() -> Stagehand:
    return Stagehand()


@pytest.fixture
def browser(backstage: Stagehand) -> Iterator[TestClient]:
    def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse("the deck")

    routes = query.routes(backstage, lambda: 9000)
    with TestClient(Starlette(routes=[*routes, Route("/", page)])) as browser:
        yield browser


def test_the_root_is_a_page_to_browsers_and_a_tree_to_others(browser: TestClient) -> None:
    html = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    assert browser.get("/", headers=html).text == "the deck"
    assert browser.get("/?token=abc", headers=html).text == "the deck"
    assert browser.get("/?HOST_INFO", headers=html).json()["OSC_PORT"] == 9000
    assert browser.get("/", headers={"accept": "*/*"}).json()["CONTENTS"]["lw"]["FULL_PATH"] == "/lw"


def test_nodes_over_http(browser: TestClient, backstage: Stagehand) -> None:
    backstage.desk.set("out.master", 0.5)
    assert browser.get("/lw/out/master?VALUE").json() == {"VALUE": [0.5]}
    assert browser.get("/lw/out/master").headers["content-type"] == "application/json"
    statuses = [browser.get(f"/lw{path}").status_code for path in ("", "/x", "/panic?VALUE", "/out?WHAT", "/../../etc")]
    assert statuses == [200, 404, 204, 400, 404]


def test_listening_over_a_websocket(browser: TestClient, backstage: Stagehand) -> None:
    with browser.websocket_connect("/") as socket:
        socket.send_text("nonsense")
        socket.send_text(command("LISTEN", "/lw/view/zoom"))
        assert spoken(socket.receive_bytes()) == ("/lw/view/zoom", 0.0)
        backstage.desk.set("view.zoom", 8.0)
        assert spoken(socket.receive_bytes()) == ("/lw/view/zoom", 1.0)
        socket.send_bytes(codec.pack("/lw/ping", ("x",)))
        assert spoken(socket.receive_bytes())[:2] == ("/lw/pong", "x")
        socket.send_bytes(codec.pack("/lw/subscribe", (9005,)))  # nobody makes us send UDP from here
        assert spoken(socket.receive_bytes())[0] == "/lw/error"
    assert backstage.listeners == []


@pytest.mark.parametrize(
    ("kind", "path", "accept", "ours"),
    [
        ("http", "/lw", "text/html", True),
        ("http", "/lw/walk/speed", "*/*", True),
        ("http", "/", "*/*", True),
        ("http", "/", "text/html", False),
        ("http", "/lwx", "*/*", False),
        ("http", "/metrics", "*/*", False),
        ("websocket", "/", "", True),
        ("websocket", "/ws", "", False),
        ("websocket", "/preview", "", False),
    ],
)
def test_what_is_asked_of_the_address_space(kind: str, path: str, accept: str, ours: bool) -> None:
    assert query.is_query({"type": kind, "path": path, "headers": [(b"accept", accept.encode())]}) is ours
