"""The deck's protocol: what a deck is told, what it may say, pictures that wait for it, and figures for machines."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from patience import until
from standins.deck import Stagehand, get, jpeg, moving, serving, window_atlas
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from installation.ipc.jsonable import jsonable
from installation.ipc.messages import Tick
from installation.ipc.questions import DiffusionQuestion, WordsQuestion
from installation.ports.deck import Server, commands, pictures
from installation.ports.deck.hub import Hub
from installation.ports.deck.letters import TrackRow
from installation.venue import Doors
from latentworld.errors import ControlError, PortError


def connected(server: Server, path: str) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}/{path}", proxy=None)


class Deck:
    """A deck without a page."""

    def __init__(self, server: Server) -> None:
        self._connecting = connected(server, "ws")

    def __enter__(self) -> Deck:
        self.line = self._connecting.__enter__()
        self.hello = self.hear()
        return self

    def __exit__(self, *error: Any) -> None:
        self._connecting.__exit__(*error)

    def hear(self) -> dict[str, Any]:
        return dict(json.loads(self.line.recv(timeout=30)))

    def say(self, do: str, **content: Any) -> None:
        self.line.send(json.dumps({"do": do, **content}))

    def news(self, key: str) -> Any:
        """The next news that have something."""
        while True:
            message = self.hear()
            if message["kind"] == key:
                return message
            if message["kind"] == "news" and key in message:
                return message[key]


def test_a_deck_is_told_everything_when_it_comes(hand: Stagehand, server: Server) -> None:
    hand.desk.set("walk.speed", 3.0)
    for _ in range(4):
        hand.step()
    with Deck(server) as deck:
        hello = deck.hello
    assert hello["kind"] == "hello"
    assert [row["name"] for row in hello["table"]] == list(hand.desk.table)
    assert hello["values"]["walk.speed"] == 3.0
    assert hello["values"]["walk.kind"] is None
    assert hello["bases"]["walk.kind"] == "rift"
    assert [row[0] for row in hello["track"]] == list(range(1, 9))
    assert hello["status"]["frame"] == 8
    assert hello["atlas"] is False
    assert hello["you"] == "deck:1"


def test_what_one_deck_sets_the_other_is_told_with_its_source(hand: Stagehand, server: Server) -> None:
    with Deck(server) as one, Deck(server) as two:
        assert (one.hello["you"], two.hello["you"]) == ("deck:1", "deck:2")
        one.say("set", name="walk.speed", value=99.0)
        assert two.news("changes") == [["walk.speed", 24.0, "deck:1"]]
        assert one.news("changes") == [["walk.speed", 24.0, "deck:1"]]
        two.say("fade", name="rift.attraction", x=0.25)
        assert one.news("changes") == [["rift.attraction", -0.5, "deck:2"]]
        one.say("release", name="walk.speed")
        until(lambda: two.news("changes")[-1] == ["walk.speed", None, "deck:1"])
        assert hand.desk.value("walk.speed") is None


def test_a_point_a_text_and_a_choice(hand: Stagehand, server: Server) -> None:
    with Deck(server) as deck:
        deck.say("set", name="walk.position", value=[0.25, 700])
        deck.say("set", name="prompt.a", value="frost über Ωmega")
        deck.say("set", name="walk.kind", value="orbit")
        deck.say("set", name="out.freeze", value=True)
        until(lambda: hand.desk.value("out.freeze"))
    assert hand.desk.value("walk.position") == (0.25, 100.0)
    assert hand.desk.value("prompt.a") == "frost über Ωmega"
    assert hand.desk.value("walk.kind") == "orbit"


def test_presses_queue_and_carry_a_name_and_seconds(hand: Stagehand, server: Server) -> None:
    with Deck(server) as deck:
        for _ in range(3):
            deck.say("press", name="snapshot.next")
        deck.say("press", name="snapshot.recall", value=["dusk", 8])
        deck.say("press", name="snapshot.save", value="dawn")
        until(lambda: hand.play() or len(hand.presses) == 5)
        assert [press.name for press in hand.presses].count("snapshot.next") == 3
        assert {"dusk|8", "dawn"} <= {press.value for press in hand.presses}
        assert until(lambda: "dawn" in deck.news("lists")["snapshots"])


BAD = [
    "", "{", "[]", "null", '"set"', "{}", '{"do":"fly"}', '{"do":"set","name":"walk.speed"}',
    '{"do":"set","name":"walk.speed","value":"fast"}', '{"do":"set","name":"walk.speed","value":NaN}',
    '{"do":"set","name":"walk.speed","value":1e999}', '{"do":"set","name":"walk.speed","value":' + "9" * 500 + "}",
    '{"do":"set","name":"walk.speed","value":null}', '{"do":"set","name":"walk.speed","value":[1,2]}',
    '{"do":"set","name":"walk.speed","value":{"a":1}}', '{"do":"set","name":"nothing","value":1}',
    '{"do":"set","name":["walk.speed"],"value":1}', '{"do":"set","name":"walk.speed","value":1,"source":"show"}',
    '{"do":"set","name":"panic","value":1}', '{"do":"set","name":"rift.value","value":1}',
    '{"do":"set","name":"walk.kind","value":"stroll"}', '{"do":"set","name":"walk.position","value":[1]}',
    '{"do":"set","name":"walk.position","value":[1,2,3]}',
    '{"do":"set","name":"prompt.a","value":"' + "x" * 2001 + '"}',
    '{"do":"set","name":"prompt.a","value":"a\\u0000b"}', '{"do":"set","name":"prompt.a","value":"a\\u0007b"}',
    '{"do":"fade","name":"walk.kind","x":0.5}', '{"do":"fade","name":"walk.speed","x":"0.5"}',
    '{"do":"press","name":"walk.speed"}', '{"do":"press","name":"panic","value":[1,2]}',
    '{"do":"press","name":"panic","value":{"a":1}}',
    '{"do":"ask","id":1,"what":"files"}', '{"do":"ask","id":-1,"what":"words"}',
    '{"do":"ask","id":1,"what":"words","path":"/"}',
    '{"do":"ask","id":1,"what":"words","texts":' + json.dumps(["x"] * 33) + "}",
    '{"do":"ask","id":1,"what":"diffusion","steps":101}',
    '{"do":"ask","id":1,"what":"diffusion","size":100000}', "[" * 10_000, '{"do":' * 2_000,
]  # fmt: skip


def test_what_means_nothing_is_refused_and_changes_nothing(hand: Stagehand, server: Server) -> None:
    before = hand.desk.values()
    with Deck(server) as deck:
        for text in BAD:
            deck.line.send(text)
            refused = deck.news("refused")
            assert refused["text"], text
            assert len(refused["text"]) < 400
            assert "\n" not in refused["text"]
        deck.say("set", name="walk.speed", value=1.0)
        assert deck.news("changes") == [["walk.speed", 1.0, "deck:1"]]
    assert hand.desk.values() == before | {"walk.speed": 1.0}
    assert hand.asked == []


def test_every_command_is_what_it_says() -> None:
    said = commands.parse('{"do":"press","name":"snapshot.recall","value":["dusk",2]}')
    assert said == commands.Press(do="press", name="snapshot.recall", value=("dusk", 2.0))
    flag, number = (commands.parse(f'{{"do":"set","name":"x","value":{value}}}') for value in ("true", "1"))
    assert isinstance(flag, commands.Set)
    assert isinstance(number, commands.Set)
    assert flag.value is True
    assert number.value == 1
    assert type(number.value) is int
    with pytest.raises(ControlError, match="at most"):
        commands.parse(" " * (commands.LARGEST + 1))


def test_questions_are_answered_under_their_number(hand: Stagehand, server: Server) -> None:
    with Deck(server) as deck:
        deck.say("ask", id=7, what="diffusion")
        assert deck.news("answer") == {"kind": "answer", "id": 7, "fault": "there is no frame yet: ask again"}
        hand.step()
        deck.say("ask", id=8, what="words", texts=["a cat", "flowers"], numbers=4)
        answer = deck.news("answer")
        assert answer["id"] == 8
        assert len(answer["answer"]["points"]) == 2
        assert len(answer["answer"]["tensor"]) == 4
    assert hand.asked == [DiffusionQuestion(), WordsQuestion(("a cat", "flowers"), 4)]


def test_questions_are_few_and_taken_back_when_the_deck_leaves(hand: Stagehand, server: Server) -> None:
    hand.deaf = True
    with Deck(server) as deck:
        for number in range(5):
            deck.say("ask", id=number, what="diffusion")
        assert "questions" in deck.news("refused")["text"]
        deck.say("cancel", id=0)
        until(lambda: len(hand.cancelled) == 1)
        deck.say("ask", id=9, what="diffusion")
        until(lambda: len(hand.asked) == 5)
    until(lambda: len(hand.cancelled) == 5)


def test_the_track_follows_and_the_newest_is_told_first(hand: Stagehand, server: Server) -> None:
    with Deck(server) as deck:
        hand.step()
        assert [row[0] for row in deck.news("track")] == [1, 2]
        for _ in range(100):
            hand.step()
        last = 0
        while last < 202:
            rows = deck.news("track")
            assert len(rows) <= 64
            assert rows[0][0] > last
            last = rows[-1][0]
        deck.say("subscribe", ticks=False)
        deck.say("set", name="walk.speed", value=1.0)
        deck.news("changes")
        hand.step()
        deck.say("set", name="walk.speed", value=2.0)
        while True:
            message = deck.hear()
            assert "track" not in message
            if "changes" in message:
                break


def test_frames_that_are_nowhere_are_on_no_track(hand: Stagehand) -> None:
    hub = Hub(hand)
    placed = Tick((3,), (0.3,), ((0.0, 0.0, 1.0, 1.0),), (None,), (None,), (True,), (None,), (None,), ("ab",))
    for tick in (Tick((), ()), Tick((1, 2), (0.1, 0.2)), placed):
        for listener in hand.listeners:
            listener(tick)
    assert hub.since(0) == (1, (TrackRow(3, None, None, True, 0.0, 0.0, 1.0, 1.0, None, None),))
    hub.close()
    assert hand.listeners == []


def test_faders_that_move_by_themselves_are_shown_where_they_are(hand: Stagehand) -> None:
    hub = Hub(hand)
    hand.desk.set("out.master", 0.5)
    assert hub.moving() == {}
    hand.desk.set("lfo.1.target", "out.master")
    hand.desk.set("lfo.1.shape", "square")
    hand.desk.set("lfo.1.depth", 1.0)
    hub = Hub(hand)
    moving = hub.moving()
    assert set(moving) == {"out.master"}
    assert moving["out.master"] in (0.0, 1.0)


def test_pictures_wait_until_the_last_was_shown(hand: Stagehand, server: Server) -> None:
    hand.step()
    with connected(server, "preview") as line:
        first = bytes(line.recv(timeout=30))  # type: ignore[arg-type]
        assert int.from_bytes(first[:8], "big") == 2
        assert first[8:] == jpeg(2)
        hand.step()
        with pytest.raises(TimeoutError):
            line.recv(timeout=0.4)  # not acknowledged
        for _ in range(5):
            hand.step()
        line.send("ok")
        second = bytes(line.recv(timeout=30))  # type: ignore[arg-type]
        assert int.from_bytes(second[:8], "big") == 14  # those between are dropped
        line.send("ok")
        with pytest.raises(TimeoutError):
            line.recv(timeout=0.4)  # the same picture is not sent again


def test_a_deck_that_never_acknowledges_is_let_go(hand: Stagehand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "PATIENCE", 0.2)
    hand.step()
    with serving(hand) as server, connected(server, "preview") as line:
        line.recv(timeout=30)
        with pytest.raises(ConnectionClosed) as error:
            line.recv(timeout=30)
    assert error.value.rcvd is not None
    assert error.value.rcvd.code == 1008


def test_health_and_metrics(hand: Stagehand, server: Server) -> None:
    told = get(server, "/health")
    assert told.status_code == 200
    assert told.json()["renderer"] == "running"
    hand.status_now = replace(hand.status_now, renderer="hung", fresh=100.0)
    assert get(server, "/health").status_code == 503
    hand.desk.set("out.blackout", True)
    assert get(server, "/health").status_code == 503  # nobody has obeyed yet
    hand.status_now = replace(hand.status_now, held=True)  # dark on purpose
    assert get(server, "/health").status_code == 200
    figures = get(server, "/metrics")
    assert figures.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "latentworld_pictures_per_second 11.5" in figures.text


def test_the_page_oscquery_and_the_atlas_share_the_address(hand: Stagehand, server: Server) -> None:
    page = get(server, "/", Accept="text/html")
    assert "<title>latentworld" in page.text
    assert get(server, "/", Accept="application/json").json()["FULL_PATH"] == "/"
    assert get(server, "/?HOST_INFO", Accept="text/html").json()["OSC_PORT"] == 9000
    assert get(server, "/lw/walk/kind?VALUE").json() == {"VALUE": ["rift"]}
    assert get(server, "/atlas").status_code == 404
    hand.chart = window_atlas()
    assert get(server, "/atlas").json()["grid"] == [12, 10]


def test_the_osc_port_is_told_as_it_is(hand: Stagehand) -> None:
    with serving(hand, Doors(deck=0, osc=0), osc_port=lambda: 1234) as server:
        assert get(server, "/?HOST_INFO").json()["OSC_PORT"] == 1234


def test_every_script_and_style_is_there_and_needs_nothing_from_elsewhere(server: Server) -> None:
    folder = Path(commands.__file__).parent / "static"
    for path in folder.iterdir():
        answer = get(server, f"/static/{path.name}")
        assert answer.status_code == 200
        assert answer.content == path.read_bytes()
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        for word in ("http://", "https://", "@import", "eval(", "innerHTML", "document.write"):
            assert word not in text, (path.name, word)


def test_a_port_in_use_is_one_line(hand: Stagehand, server: Server) -> None:
    with pytest.raises(PortError, match=f"port {server.port}.*--deck"):
        Server(hand, Doors(deck=server.port)).start()
    assert len(hand.listeners) == 1  # the one that runs


def test_it_stops_with_decks_open_and_starts_again_on_its_port(hand: Stagehand) -> None:
    server = Server(hand, Doors(deck=0))
    server.start()
    with Deck(server):
        server.stop()
        server.stop()
    assert hand.listeners == []
    again = Server(hand, Doors(deck=server.port))
    again.start()
    assert get(again, "/health").status_code == 200
    again.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", again.port), timeout=5)


def test_a_show_that_goes_on_feeds_many_decks(hand: Stagehand, server: Server) -> None:
    with moving(hand, 0.02), Deck(server) as one, Deck(server) as two:
        seen = [[row[0] for _ in range(8) for row in deck.news("track")] for deck in (one, two)]
    for numbers in seen:
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_plain_values_hold_no_infinity() -> None:
    told = jsonable({"a": (1.0, float("nan")), 3: [float("inf"), True, None, "x", 7]})
    assert told == {"a": [1.0, None], "3": [None, True, None, "x", 7]}


def test_what_the_page_is_made_of_comes_compressed(server: Server) -> None:
    for path in ("/static/main.js", "/static/deck.css", "/static/names.js"):
        assert get(server, path, **{"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
        assert "content-encoding" not in get(server, path, **{"Accept-Encoding": "identity"}).headers
