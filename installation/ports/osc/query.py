"""OSCQuery: the address space for programs that look before they send (https://github.com/Vidvox/OSCQueryProposal).

`answer` says what an HTTP GET gets, `Listener` what a WebSocket does; neither knows a web library. `routes` is both for
Starlette, to be mounted by the deck *before* its own `/`:

    app = Starlette(routes=[*query.routes(backstage, osc_port), Route("/", page), ...], middleware=[...])

`/` is a deck's page to a browser (which accepts text/html) and the root of the address space to anything else, and
`/?HOST_INFO` to all; the rest lies under `/lw`. The deck's middleware for Host and Origin stands before these routes as
before its own; with open doors it lets through what `is_query`, of those who may play over OSC too, without the token.

A node is a container, with CONTENTS and ACCESS 0, or a method, with one TYPE; never both, which clients refuse or take
for a group. So the `/raw` addresses, which lie below methods, are heard and listened to but stand in no tree: floats
have RANGE 0..1. Booleans are T or F with their VALUE spelt out, a press is I. A value that nobody knows, or that cannot
be read, is null, as JSON has it; asked for alone it is no content (204).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from installation.backstage import Backstage
from installation.control.parameter import ROOT, Parameter, Value
from installation.ports.osc import addresses
from installation.ports.osc.addresses import OUTS, VALUE, Argument, Out, Place
from installation.ports.osc.codec import LARGEST, pack
from installation.ports.osc.feedback import Outs, told
from installation.ports.osc.handler import Handler
from installation.ports.websocket import received

if TYPE_CHECKING:
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

NAME = "latentworld"
ATTRIBUTES = frozenset(
    (
        "FULL_PATH",
        "CONTENTS",
        "TYPE",
        "ACCESS",
        "VALUE",
        "RANGE",
        "DESCRIPTION",
        "TAGS",
        "EXTENDED_TYPE",
        "UNIT",
        "CLIPMODE",
    )
)
PERIOD = 1 / 30  # seconds between packets of an address
LONGEST = 4096  # characters of a command
_ACCESS = {"r": 1, "w": 2, "rw": 3}
_UNITS = {"s": "time.second", "Hz": "time.hz", "bpm": "time.bpm"}  # by the proposal's list; others have no name in it
_POINT = ("position.cart2D.x", "position.cart2D.y")  # alpha, beta
Node = dict[str, Any]
Values = Mapping[str, Value | None]
Told = Mapping[str, tuple[Argument, ...]]


def tree(table: Mapping[str, Parameter], values: Values, outs: Told | None = None) -> Node:
    """The whole address space as OSCQuery's JSON; `values` in real units by name, `outs` by address what those that
    only tell have to tell (None or absent: nobody knows)."""
    root = _container("/")
    for place in addresses.book(table).values():
        if not place.raw and place.address != VALUE.address:  # which is told with its frame: see OUTS
            _hang(root, _node(place, values.get(place.row.name)))
    for out in OUTS:
        _hang(root, _out(out, (outs or {}).get(out.address, ())))
    return root


def find(root: Node, path: str) -> Node | None:
    """The node at a path such as `/lw/walk`; None where there is none."""
    node: Node | None = root
    for name in filter(None, path.split("/")):
        node = node.get("CONTENTS", {}).get(name) if node else None
    return node


def host_info(osc_port: int | None, host: str | None = None) -> Node:
    """What HOST_INFO tells. host: where OSC is heard; None: where HTTP is."""
    extensions = [*sorted(ATTRIBUTES - {"FULL_PATH", "CONTENTS"}), "LISTEN"]
    info: Node = {"NAME": NAME, "EXTENSIONS": dict.fromkeys(extensions, True), "OSC_TRANSPORT": "UDP"}
    if osc_port is not None:
        info["OSC_PORT"] = osc_port
    return {**info, "OSC_IP": host} if host else info


def answer(root: Node, path: str, query: str, info: Node) -> tuple[int, Node | None]:
    """HTTP status and JSON of a GET: of a node, of one attribute (`?VALUE`), of the host (`?HOST_INFO`).

    404: no such node; 400: no such attribute; 204: the node does not have it, or no value.
    """
    attribute = query.partition("&")[0].partition("=")[0]
    if attribute == "HOST_INFO":
        return 200, info
    node = find(root, path)
    if node is None:
        return 404, None
    if not attribute:
        return 200, node
    if attribute not in ATTRIBUTES:
        return 400, None
    found = node.get(attribute)
    unknown = attribute == "VALUE" and (found is None or None in found)
    return (204, None) if found is None or unknown else (200, {attribute: found})


class Listener:
    """One WebSocket's LISTEN and IGNORE, and what is to be sent to it.

    Call `pending` 30 times a second or slower: it gives one packet for each address that changed since the last time,
    the newest value, and the present one after a LISTEN. `close` when the socket is.
    """

    def __init__(self, backstage: Backstage, clock: Callable[[], float] = time.monotonic) -> None:
        desk = self._desk = backstage.desk
        self._clock = clock
        self._outs = Outs(backstage.status)
        self.close = backstage.watch(self._outs.tick)
        self._listening = {out.address: False for out in OUTS}  # whether it is listened to
        self._places = {a: place for a, place in addresses.book(desk.table).items() if "r" in place.row.access}
        self._heard: dict[str, list[Place]] = {}  # by name
        self._fresh: dict[str, Place] = {}
        self._version = desk.version

    def command(self, text: str) -> bool:
        """Take a command; False where it means nothing (nothing happens then)."""
        try:
            command = json.loads(text) if len(text) <= LONGEST else None
        except (ValueError, RecursionError):
            return False
        if not isinstance(command, dict) or command.get("COMMAND") not in ("LISTEN", "IGNORE"):
            return False
        address, listens = command.get("DATA"), command["COMMAND"] == "LISTEN"
        if not isinstance(address, str):
            return False
        if address in self._listening:
            self._listening[address] = listens
            return True
        if place := self._places.get(address):
            self._hear(place, listens)
        return place is not None

    def _hear(self, place: Place, listens: bool) -> None:
        heard = [other for other in self._heard.get(place.row.name, ()) if other != place]
        self._heard[place.row.name] = [*heard, place] if listens else heard
        self._fresh.pop(place.address, None)
        if listens:
            self._fresh[place.address] = place

    def pending(self) -> list[bytes]:
        """Packets to send now, of at most 30 a second an address."""
        self._version, changes = self._desk.changes(self._version)
        due = self._fresh | {p.address: p for change in changes for p in self._heard.get(change.name, ())}
        self._fresh = {}
        messages = [(place.address, addresses.tell(place, self._desk.shown(place.row.name))) for place in due.values()]
        messages += [out for out in self._outs.take(self._clock()) if self._listening.get(out[0])]
        return [pack(*message) for message in messages]


def is_query(scope: Mapping[str, Any]) -> bool:
    """Whether an ASGI connection is for the address space, so that `routes` serve it."""
    path = scope["path"]
    if scope["type"] == "websocket":
        return bool(path == "/")
    return path == ROOT or path.startswith(ROOT + "/") or (path == "/" and not _browses(scope))


def routes(backstage: Backstage, osc_port: Callable[[], int | None]) -> list[BaseRoute]:
    """Routes for Starlette: GET of `/` (see above) and `/lw...`, and a WebSocket at `/`.

    osc_port: the OSC server's port, asked for with each request. A packet sent over the WebSocket is taken as one over
    UDP is. Raises ShowError when Starlette is missing.
    """
    from latentworld.extras import need

    need("starlette")
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Match, Route, WebSocketRoute
    from starlette.types import Scope

    class Root(Route):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            return super().matches(scope) if not _browses(scope) else (Match.NONE, {})

    def get(request: Request) -> Response:
        desk = backstage.desk
        root = tree(desk.table, {name: desk.shown(name) for name in desk.values()}, told(backstage.status()))
        status, content = answer(root, request.url.path, request.url.query, host_info(osc_port()))
        headers = {"Cache-Control": "no-store"}
        return Response(status_code=status) if content is None else JSONResponse(content, status, headers)

    async def stream(socket: WebSocket) -> None:
        await _stream(socket, backstage)

    return [
        Root("/", get, methods=["GET"]),
        Route(ROOT, get, methods=["GET"]),
        Route(ROOT + "/{rest:path}", get, methods=["GET"]),
        WebSocketRoute("/", stream),
    ]


async def _stream(socket: WebSocket, backstage: Backstage) -> None:
    """Serve one WebSocket until it closes."""
    import anyio
    from starlette.websockets import WebSocketDisconnect

    await socket.accept()
    listener, handler = Listener(backstage), Handler(backstage, time.monotonic)
    sender = (socket.client.host, socket.client.port) if socket.client else ("websocket", 0)

    async def hear(scope: anyio.CancelScope) -> None:
        async for message in received(socket):
            if isinstance(message, str):
                listener.command(message)
            elif len(message) <= LARGEST:
                handler.handle(message, sender)
                handler.flush()
        scope.cancel()

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(hear, tasks.cancel_scope))
            while True:
                outbox, handler.outbox = handler.outbox, []
                for packet in (*(packet for packet, _ in outbox), *listener.pending()):
                    await socket.send_bytes(packet)
                await anyio.sleep(PERIOD)
    except* (WebSocketDisconnect, RuntimeError):  # closed while we spoke
        pass
    finally:
        listener.close()


def _browses(scope: Mapping[str, Any]) -> bool:
    """Whether a request for `/` is a browser's for the deck's page."""
    accepts = b",".join(value for name, value in scope.get("headers", ()) if name == b"accept")
    attribute = scope.get("query_string", b"").partition(b"&")[0].partition(b"=")[0].decode("ascii", "replace")
    return b"text/html" in accepts and attribute not in {*ATTRIBUTES, "HOST_INFO"}


def _container(path: str) -> Node:
    return {"FULL_PATH": path, "CONTENTS": {}, "ACCESS": 0}


def _hang(root: Node, leaf: Node) -> None:
    """Put a leaf into its place."""
    names = leaf["FULL_PATH"].split("/")[1:]
    node = root
    for depth, name in enumerate(names[:-1], 1):
        node = node["CONTENTS"].setdefault(name, _container("/" + "/".join(names[:depth])))
    node["CONTENTS"][names[-1]] = leaf


def _node(place: Place, value: Value | None) -> Node:
    row = place.row
    node: Node = {
        "FULL_PATH": place.address,
        "DESCRIPTION": row.about,
        "TYPE": addresses.tags(row, value),
        "ACCESS": _ACCESS[row.access],
        "TAGS": [row.where, row.name.partition(".")[0]],
        "VALUE": [None] if value is None else list(addresses.tell(place, value)),
    }
    if row.kind == "point":
        node |= {"VALUE": list(value) if isinstance(value, tuple) else [None, None], "EXTENDED_TYPE": list(_POINT)}
    if ranges := _ranges(place):
        node |= {"RANGE": ranges, "CLIPMODE": [_clips(place)] * len(ranges)}
    if row.unit in _UNITS and not place.faded:
        node["UNIT"] = [_UNITS[row.unit]]
    return node


def _out(out: Out, arguments: Sequence[Argument]) -> Node:
    known = [None if isinstance(part, float) and not math.isfinite(part) else part for part in arguments]
    node: Node = {"FULL_PATH": out.address, "DESCRIPTION": out.about, "TYPE": out.tags, "ACCESS": 1}
    node |= {"TAGS": [out.address.split("/")[2]], "VALUE": known or [None] * len(out.tags)}
    return node | ({"UNIT": [_UNITS[out.unit]] * len(out.tags)} if out.unit else {})


def _clips(place: Place) -> str:
    """What is done with what lies outside; a number above a fader's place is taken in real units."""
    row = place.row
    if row.choices or row.exact:
        return "none"
    return "low" if place.faded and row.high > 1 else "both"


def _ranges(place: Place) -> list[Node]:
    row = place.row
    if place.faded:
        return [{"MIN": 0.0, "MAX": 1.0}]
    if row.numeric:
        return [
            {"MIN": row.low, "MAX": row.high} if row.kind == "float" else {"MIN": int(row.low), "MAX": int(row.high)}
        ]
    if row.kind == "point":
        return [{"MIN": row.low, "MAX": row.high}] * 2
    return [{"VALS": list(row.choices)}] if row.choices else []
