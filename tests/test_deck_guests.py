"""Who holds the deck's door, and what a proxy before it may say."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import httpx
import psutil
import pytest
from patience import until
from standins.deck import Stagehand, get, serving
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from installation.network import Gate
from installation.ports.deck import Server, auth, guests
from installation.ports.deck.guests import Guest, Guests
from installation.venue import Doors
from latentworld.errors import PortError


@dataclass
class Line(asyncio.Transport):
    """A connection that can be ended, and may wait for an answer."""

    busy: bool = False
    ended: bool = False

    def is_closing(self) -> bool:
        return self.ended

    def abort(self) -> None:
        self.ended = True


def come(into: Guests, host: str, busy: bool = False) -> Line | None:
    line = Line(busy)
    return line if into.admit(Guest(line, host, lambda: not line.busy)) else None


def test_of_one_address_there_are_so_many_and_the_one_idle_longest_goes() -> None:
    door = Guests(most=9, most_of_one=3)
    first, *others = [come(door, "10.0.0.1") for _ in range(3)]
    neighbour = come(door, "10.0.0.2")
    assert come(door, "10.0.0.1")
    assert first is not None
    assert (first.ended, len(door)) == (True, 4)
    assert neighbour is not None
    assert not neighbour.ended
    assert all(other is not None and not other.ended for other in others)


def test_who_waits_for_an_answer_is_not_sent_away() -> None:
    door = Guests(most=9, most_of_one=3)
    asking = [come(door, "10.0.0.1", busy=True) for _ in range(3)]
    assert come(door, "10.0.0.1") is None
    assert asking[0] is not None
    asking[0].busy = False
    assert come(door, "10.0.0.1")
    assert asking[0].ended


def test_in_all_there_are_so_many_and_this_machine_may_have_them_all() -> None:
    door = Guests(most=9, most_of_one=3)
    mine = [come(door, "127.0.0.1", busy=True) for _ in range(9)]
    assert all(mine)
    assert come(door, "10.0.0.1") is None
    assert mine[4] is not None
    mine[4].ended = True
    assert come(door, "10.0.0.1")


def held(server: Server) -> int:
    """Connections of the deck that this process holds."""
    found = psutil.Process().net_connections("tcp")
    return sum(each.laddr.port == server.port and each.status == "ESTABLISHED" for each in found)


def test_silent_connections_neither_lock_the_deck_nor_take_its_descriptors(hand: Stagehand) -> None:
    with serving(hand, Doors(deck=0, open=True)) as server, ExitStack() as lines:
        bearer = {"Authorization": f"Bearer {server.token}"}
        for i in range(guests.MOST + 100):
            silent = lines.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            if i % 3 == 0:
                silent.send(b"GET / HTTP/1.1\r\nHost: local")
            if i % 50 == 49:
                assert get(server, "/health", **bearer).json()["renderer"]
        assert get(server, "/static/main.js", **bearer).status_code == 200
        assert until(lambda: held(server) <= guests.MOST)


def test_the_silent_and_the_slow_are_dropped_and_a_websocket_is_not(
    hand: Stagehand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guests, "SILENT", 0.2)
    with serving(hand) as server, ExitStack() as lines:
        deck = lines.enter_context(connect(f"ws://127.0.0.1:{server.port}/ws", proxy=None))
        silent, slow = (
            lines.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30)) for _ in range(2)
        )
        slow.send(b"GET / HTTP/1.1\r\n")
        for each in (silent, slow):
            with suppress(ConnectionResetError):
                assert each.recv(1) == b""
        deck.recv(timeout=30)
        deck.send('{"do":"set","name":"out.master","value":0.5}')
        assert until(lambda: hand.desk.value("out.master") == 0.5)


def test_guesses_at_the_token_are_counted_by_websocket_too(hand: Stagehand) -> None:
    with serving(hand, Doors(deck=0, open=True), clock=lambda: 5.0) as server:
        for guess in range(int(auth.REQUEST_BURST)):
            with pytest.raises(InvalidStatus):
                line(server, Authorization=f"Bearer {guess}")
        assert get(server, "/health").status_code == 429
        with pytest.raises(InvalidStatus):
            line(server, Authorization=f"Bearer {server.token}")


def line(server: Server, **headers: str) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}/ws", proxy=None, additional_headers=headers)


PROXIED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Host": "wall.example"}


@pytest.fixture
def behind(hand: Stagehand) -> Iterator[Server]:
    """A deck with shut doors behind a proxy on this machine."""
    with serving(hand, Doors(deck=0, proxies=("127.0.0.1",), hosts=("wall.example",))) as server:
        yield server


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP"]
)
def test_a_proxy_that_nobody_named_makes_nobody_this_machine(hand: Stagehand, header: str) -> None:
    with serving(hand) as server:
        answer = get(server, "/", **{header: "127.0.0.1"})
        assert (answer.status_code, "doors.proxies" in answer.text) == (403, True)
        with pytest.raises(InvalidStatus):
            line(server, **{header: "x"})


def test_through_a_named_proxy_everybody_needs_the_token(behind: Server) -> None:
    assert get(behind, "/metrics", **PROXIED).status_code == 401
    assert get(behind, "/metrics", **PROXIED, Authorization=f"Bearer {behind.token}").status_code == 200
    assert get(behind, "/metrics").status_code == 401, "and on this machine too"
    welcome = httpx.get(
        f"http://127.0.0.1:{behind.port}/", params={"token": behind.token or ""}, headers=PROXIED, trust_env=False
    )
    assert welcome.headers["set-cookie"].endswith("; Secure")
    cookie = welcome.headers["set-cookie"].partition(";")[0]
    own = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "wall.example", "Cookie": cookie}
    with line(behind, Origin="https://wall.example", **own) as deck:
        assert "hello" in str(deck.recv(timeout=30))


def test_a_name_that_the_proxy_says_must_be_ours_and_it_must_say_who_asks(behind: Server) -> None:
    bearer = {"Authorization": f"Bearer {behind.token}"}
    assert get(behind, "/", **{**PROXIED, "X-Forwarded-Host": "evil.example"}, **bearer).status_code == 400
    assert get(behind, "/", **{"X-Forwarded-Proto": "https", "Host": "wall.example"}, **bearer).status_code == 403
    assert get(behind, "/", **{**PROXIED, "X-Forwarded-For": "127.0.0.1"}, **bearer).status_code == 403, "only itself"


def test_each_who_asks_through_a_proxy_is_counted_alone(hand: Stagehand) -> None:
    doors = Doors(deck=0, proxies=("127.0.0.1",), hosts=("wall.example",))
    with serving(hand, doors, clock=lambda: 5.0) as server, httpx.Client(trust_env=False) as client:

        def ask(chain: str) -> int:
            headers = {**PROXIED, "X-Forwarded-For": chain}
            return client.get(f"http://127.0.0.1:{server.port}/health", headers=headers).status_code

        answers = [ask(f"198.51.100.{i % 250}, 203.0.113.9") for i in range(int(auth.REQUEST_BURST) + 1)]
        assert (answers[0], answers[-1]) == (200, 429), "what a stranger wrote before the proxy counts for nothing"
        assert ask("203.0.113.10") == 200


def test_another_origin_says_what_a_proxy_must_do(behind: Server) -> None:
    answer = get(behind, "/", Origin="https://wall.example", Authorization=f"Bearer {behind.token}")
    assert (answer.status_code, "pass Host on" in answer.text) == (403, True)


def test_a_proxy_that_is_no_address_is_refused_by_its_key() -> None:
    with pytest.raises(PortError, match=r"doors\.proxies: 'nginx'"):
        Gate(("nginx",), "doors.proxies")
