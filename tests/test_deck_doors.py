"""Each door of the deck is tried: names, origins, the token, sizes, floods, paths, and how many may come."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import psutil
import pytest
from patience import until
from standins.deck import Stagehand, get, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from installation.ports.deck import Server, auth
from installation.ports.deck.auth import Bucket, Names, hostname
from installation.venue import Doors


@pytest.fixture
def ajar(hand: Stagehand) -> Iterator[Server]:
    """A deck with open doors."""
    with serving(hand, Doors(deck=0, open=True, hosts=("gallery.local",))) as server:
        yield server


def line(server: Server, path: str = "ws", **headers: str) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}/{path}", proxy=None, additional_headers=headers)


def refused(server: Server, path: str = "ws", **headers: str) -> int:
    with pytest.raises(InvalidStatus) as error:
        line(server, path, **headers).__enter__()
    return int(error.value.response.status_code)


UPGRADE = "Connection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


def ended(line: ClientConnection) -> int | None:
    """How a line ended, once it has."""
    try:
        while True:
            line.recv(timeout=30)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def raw(server: Server, request: str) -> str:
    """The status line that a request gets, byte for byte as written."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        return connection.makefile("rb").readline().decode()


def listening(server: Server) -> set[str]:
    """Addresses on which this process listens at the deck's port."""
    found = psutil.Process().net_connections(kind="inet")
    return {entry.laddr.ip for entry in found if entry.status == "LISTEN" and entry.laddr.port == server.port}


def test_shut_doors_listen_on_loopback_alone(server: Server) -> None:
    assert listening(server) == {"127.0.0.1"}
    assert server.token is None
    assert server.link == server.url == f"http://127.0.0.1:{server.port}/"


def test_open_doors_listen_everywhere_and_have_a_token(ajar: Server, hand: Stagehand) -> None:
    assert listening(ajar) == {"0.0.0.0"}
    assert ajar.token is not None
    assert len(ajar.token) >= 20
    assert ajar.link == f"{ajar.url}?token={ajar.token}"
    assert Server(hand, Doors(open=True)).token != ajar.token


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "a b", "", "[::1", "[::1]x"],
)
def test_another_name_is_refused_at_every_path(server: Server, host: str) -> None:
    for path in ("/", "/health", "/metrics", "/static/main.js", "/lw", "/atlas", "/?HOST_INFO"):
        assert raw(server, f"GET {path} HTTP/1.1\nHost: {host}\n\n").split()[1] == "400", path
    for path in ("ws", "preview", ""):
        request = f"GET /{path} HTTP/1.1\nHost: {host}\nUpgrade: websocket\n{UPGRADE}\n\n"
        assert raw(server, request).split()[1] in ("400", "403"), path


def test_two_names_are_none(server: Server) -> None:
    assert raw(server, "GET / HTTP/1.1\nHost: localhost\nHost: evil.example\n\n").split()[1] == "400"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
def test_our_own_names_are_let_in(server: Server, host: str) -> None:
    assert raw(server, f"GET /health HTTP/1.1\nHost: {host}:{server.port}\n\n").split()[1] == "200"


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1", "file://", "ws://x", ""]
)
def test_another_origin_is_refused_at_every_path(server: Server, origin: str) -> None:
    for path in ("ws", "preview", ""):
        assert refused(server, path, Origin=origin) == 403
    assert get(server, "/health", Origin=origin).status_code == 403


def test_the_decks_own_origin_is_let_in(server: Server) -> None:
    with line(server, Origin=f"http://127.0.0.1:{server.port}") as own:
        assert json.loads(own.recv(timeout=30))["kind"] == "hello"


PATHS = [
    "/",
    "/?HOST_INFO",
    "/static/main.js",
    "/static/deck.css",
    "/lw",
    "/lw/walk/speed?VALUE",
    "/metrics",
    "/atlas",
    "/nothing",
]


def test_without_the_token_only_health_answers_and_says_one_word(ajar: Server) -> None:
    for path in PATHS:
        assert get(ajar, path, Accept="text/html").status_code == 401, path
        assert (
            get(ajar, path, Cookie=f"latentworld_{ajar.port}=wrong", Authorization="Bearer wrong").status_code == 401
        ), path
    for path in ("ws", "preview", ""):
        assert refused(ajar, path) == 403
        assert refused(ajar, path, Cookie=f"latentworld_{ajar.port}=wrong") == 403
    assert get(ajar, "/health").json() == {"ok": True}
    assert ajar.token not in get(ajar, "/").text  # type: ignore[operator]


@pytest.mark.parametrize("token", ["", "x", "{}x", "%00", "é", "{}&token=x" * 20])
def test_a_wrong_token_opens_nothing(ajar: Server, token: str) -> None:
    answer = get(ajar, f"/?token={token.replace('{}', str(ajar.token))}")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_the_token_opens_once_and_the_cookie_from_then_on(ajar: Server) -> None:
    welcome = get(ajar, f"/?token={ajar.token}")
    assert welcome.status_code == 200
    cookie = welcome.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert ajar.token not in welcome.text  # type: ignore[operator]
    kept = cookie.split(";")[0]
    for path in PATHS[:-2]:
        assert get(ajar, path, Cookie=kept).status_code == 200, path
    assert "renderer" in get(ajar, "/health", Cookie=kept).json()
    with line(ajar, Cookie=kept) as own:
        assert json.loads(own.recv(timeout=30))["kind"] == "hello"
    assert get(ajar, "/metrics", Authorization=f"Bearer {ajar.token}").status_code == 200
    for path in ("/static/main.js", "/lw", "/metrics"):  # the link is for the page alone
        assert get(ajar, f"{path}?token={ajar.token}").status_code == 401


def test_open_doors_know_their_address_and_the_venues_names(ajar: Server) -> None:
    ours = {
        "gallery.local": "200",
        "GALLERY.local": "200",
        "127.0.0.1": "200",
        "evil.example": "400",
        "10.9.8.7": "400",
    }
    for host, status in ours.items():
        assert raw(ajar, f"GET /health HTTP/1.1\nHost: {host}:{ajar.port}\n\n").split()[1] == status, host


def test_the_address_of_the_connection_is_a_name_only_when_open() -> None:
    assert Names(own=True).known("192.168.7.7:8080", "192.168.7.7")
    assert not Names(own=True).known("192.168.7.8:8080", "192.168.7.7")
    assert not Names(own=False).known("192.168.7.7:8080", "192.168.7.7")
    assert Names(["[fe80::1]"]).known("[FE80::1]:8080", None)
    assert [hostname(host) for host in ("a:1", "a:b", "a/b", "a@b", "[::1]:8", "a:99999999")] == [
        "a",
        None,
        None,
        None,
        "::1",
        None,
    ]


def test_a_message_that_is_too_long_ends_the_line(server: Server, hand: Stagehand) -> None:
    with line(server) as own:
        own.recv(timeout=30)
        own.send(json.dumps({"do": "set", "name": "prompt.a", "value": "x" * 17_000}))
        assert ended(own) == 1009
    assert hand.desk.value("prompt.a") is None


def test_bytes_are_no_command(server: Server) -> None:
    with line(server) as own:
        own.recv(timeout=30)
        own.send(b"\x00\x01")
        assert ended(own) == 1003


@pytest.mark.parametrize("path", ["ws", "preview", ""])
def test_a_flood_ends_the_line_and_the_next_one_is_served(server: Server, hand: Stagehand, path: str) -> None:
    with line(server, path) as own:
        with suppress(ConnectionClosed):
            for _ in range(20_000):
                own.send('{"do":"subscribe"}')
        assert ended(own) == 1008
    with line(server) as again:
        assert json.loads(again.recv(timeout=30))["kind"] == "hello"


def test_a_bucket_fills_with_time() -> None:
    bucket = Bucket.new(rate=2.0, burst=3.0, now=10.0)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(10.5), bucket.take(10.5)] == [True, False]
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]


def test_one_client_cannot_ask_without_end(hand: Stagehand) -> None:
    with serving(hand, clock=lambda: 5.0) as server, httpx.Client(trust_env=False) as client:
        url = f"http://127.0.0.1:{server.port}/static/icon.svg"
        answers = [client.get(url).status_code for _ in range(int(auth.REQUEST_BURST) + 5)]
    assert answers == [200] * int(auth.REQUEST_BURST) + [429] * 5


def test_a_flood_from_many_addresses_frees_no_flooder() -> None:
    """Past the clients that are counted the one longest silent is forgotten: not the one who asks right now."""
    answers: list[int] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answers.append(message["status"])

    door = auth.Door(page, Names(), None, lambda scope: False, lambda: 5.0)

    async def asked(client: str, times: int = 1) -> list[int]:
        answers.clear()
        scope = {
            "type": "http",
            "path": "/",
            "headers": [(b"host", b"localhost")],
            "client": (client, 1),
            "server": None,
        }
        for _ in range(times):
            await door(scope, receive=None, send=send)  # type: ignore[arg-type]
        return list(answers)

    async def flood() -> None:
        for number in range(auth.CLIENTS):
            assert await asked(f"10.0.{number // 256}.{number % 256}", 2) == [200, 200]
        burst = int(auth.REQUEST_BURST)
        assert await asked("192.168.0.1", burst + 5) == [200] * burst + [429] * 5
        assert await asked("192.168.0.2") == [200]
        assert await asked("192.168.0.1") == [429]
        for number in range(auth.CLIENTS - 2):  # as many as are counted: nobody is forgotten
            await asked(f"10.2.{number // 256}.{number % 256}")
        assert await asked("192.168.0.1") == [429]
        for number in range(auth.CLIENTS):  # meanwhile it was silent, and forgotten
            await asked(f"10.1.{number // 256}.{number % 256}")
        assert await asked("192.168.0.1") == [200]

    asyncio.run(flood())


def test_sixteen_decks_and_no_more(server: Server) -> None:
    with ExitStack() as lines:
        first = [lines.enter_context(line(server)) for _ in range(auth.DECKS)]
        for own in first:
            own.recv(timeout=30)
        late = lines.enter_context(line(server))
        with pytest.raises(ConnectionClosed) as error:
            late.recv(timeout=30)
        assert error.value.rcvd is not None
        assert error.value.rcvd.code == 1013
        first[0].close()

        def room() -> Any:
            with line(server) as own:
                try:
                    return json.loads(own.recv(timeout=30))["kind"] == "hello"
                except ConnectionClosed:
                    return False

        assert until(room)


@pytest.mark.parametrize(
    "path",
    ["/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py", "/static//etc/passwd", "/static/%00",
     "/static/", "/static", "/static/..%5cserver.py", "/../../etc/passwd", "/static/static/main.js",
     "/static/" + "a" * 5000],
)  # fmt: skip
def test_no_path_leads_out_of_the_static_files(server: Server, path: str) -> None:
    status = raw(server, f"GET {path} HTTP/1.1\nHost: localhost\n\n").split()[1]
    assert status in ("307", "404"), status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_changed_by_http(server: Server, hand: Stagehand, method: str) -> None:
    before = hand.desk.values()
    for path in ("/", "/health", "/static/main.js", "/lw/walk/speed", "/ws"):
        answer = httpx.request(method, f"http://127.0.0.1:{server.port}{path}", content=b"x" * 100, trust_env=False)
        assert answer.status_code in (404, 405), path
    assert hand.desk.values() == before


def test_every_answer_forbids_what_the_page_does_not_need(server: Server) -> None:
    for path in ("/", "/static/main.js", "/health", "/nothing"):
        headers = get(server, path, Accept="text/html").headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers
    page = get(server, "/", Accept="text/html").text
    assert "<script>" not in page
    assert "style=" not in page
    assert re.search(r"\son\w+=", page) is None


def test_who_may_play_over_osc_asks_oscquery_without_the_token_and_nothing_else(hand: Stagehand) -> None:
    doors = Doors(deck=0, open=True, allow=("127.0.0.1",))
    with serving(hand, doors) as server:
        assert get(server, "/lw/walk/speed?VALUE", Accept="*/*").status_code == 200
        assert "OSC_TRANSPORT" in get(server, "/?HOST_INFO", Accept="*/*").json()
        with line(server, "") as asking:
            asking.send(json.dumps({"COMMAND": "LISTEN", "DATA": "/lw/walk/speed"}))
            assert bytes(asking.recv(timeout=30)).startswith(b"/lw/walk/speed")
        assert get(server, "/", Accept="text/html").status_code == 401
        assert [get(server, path).status_code for path in ("/metrics", "/atlas", "/static/index.html")] == [401] * 3
        assert [refused(server, path) for path in ("ws", "preview")] == [403, 403]
        assert refused(server, "", Origin="http://evil.example") == 403
        assert get(server, "/lw", Host="evil.example").status_code == 400
        assert get(server, f"/?token={server.token}", Accept="*/*").headers["set-cookie"]


@pytest.mark.parametrize(
    "doors",
    [
        Doors(deck=0, open=True, allow=("198.51.100.1",)),
        Doors(deck=0, open=True, osc=None, allow=("127.0.0.1",)),
        Doors(deck=0, open=True, allow=("the phone",)),
    ],
)
def test_who_may_not_is_asked_for_the_token(hand: Stagehand, doors: Doors) -> None:
    with serving(hand, doors) as server:
        assert get(server, "/lw", Accept="*/*").status_code == 401
        assert refused(server, "") == 403
