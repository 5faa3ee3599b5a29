"""What an OSC packet does to the desk, and what comes back: no sockets here."""

from __future__ import annotations

import fnmatch
import math
import struct
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.osc import PHONE, TABLE, TABLET, Port

from installation.control.desk import Trigger
from installation.control.parameter import Parameter
from installation.ports.osc import addresses, codec
from installation.ports.osc.feedback import source
from installation.ports.osc.match import MOST, Directory
from installation.ports.osc.server import newest
from latentworld.errors import ControlError

SETS = [
    ("/lw/walk/speed", (1.0,), "walk.speed", 24.0),
    ("/lw/walk/speed", (0.0,), "walk.speed", 0.0),
    ("/lw/walk/speed", (1.005,), "walk.speed", 24.0),  # a scaled fader that overshoots its end
    ("/lw/walk/speed", (-0.2,), "walk.speed", 0.0),
    ("/lw/walk/speed", (7.0,), "walk.speed", 7.0),  # no fader's place
    ("/lw/model/guidance", (7,), "model.guidance", 7.0),
    ("/lw/model/guidance", (99.0,), "model.guidance", 20.0),
    ("/lw/model/guidance", ("7.5",), "model.guidance", 7.5),
    ("/lw/walk/speed/raw", (7.0,), "walk.speed", 7.0),
    ("/lw/rift/attraction", (0.5,), "rift.attraction", 0.0),
    ("/lw/rift/attraction/raw", (-1.0,), "rift.attraction", -1.0),
    ("/lw/walk/heading", (1,), "walk.heading", 1.0),  # a whole number is a fader's place too
    ("/lw/walk/radius/raw", (2,), "walk.radius", 2.0),
    ("/lw/model/steps", (30,), "model.steps", 30),
    ("/lw/model/steps", (0.0,), "model.steps", 1),
    ("/lw/model/steps", (0.5,), "model.steps", 50),
    ("/lw/model/steps", (1.0,), "model.steps", 100),
    ("/lw/model/steps", (20.0,), "model.steps", 20),
    ("/lw/model/steps", (1,), "model.steps", 1),
    ("/lw/model/steps", ("20",), "model.steps", 20),
    ("/lw/model/steps", ("0.5",), "model.steps", 50),
    ("/lw/model/batch", (4.0,), "model.batch", 4),
    ("/lw/model/steps/raw", (30.4,), "model.steps", 30),
    ("/lw/seed/vertex/2", (123456,), "seed.vertex.2", 123456),
    ("/lw/seed/vertex/1", (2**31,), "seed.vertex.1", 2**31),
    ("/lw/seed/vertex/1", (2**32 - 1,), "seed.vertex.1", 2**32 - 1),
    ("/lw/seed/vertex/0", (123.0,), "seed.vertex.0", 123),
    ("/lw/seed/vertex/0/raw", (1.0,), "seed.vertex.0", 1),
    ("/lw/seed/vertex/0", ("3141592653",), "seed.vertex.0", 3141592653),
    ("/lw/walk/auto", (False,), "walk.auto", False),
    ("/lw/walk/auto", (0.4,), "walk.auto", False),
    ("/lw/walk/auto", (0.5,), "walk.auto", True),
    ("/lw/out/freeze", (1,), "out.freeze", True),
    ("/lw/out/freeze", ("on",), "out.freeze", True),
    ("/lw/out/freeze", ("1",), "out.freeze", True),
    ("/lw/walk/auto", ("0",), "walk.auto", False),
    ("/lw/walk/auto", ("False",), "walk.auto", False),
    ("/lw/walk/auto", ("off",), "walk.auto", False),
    ("/lw/walk/position", (0.25, -3.0), "walk.position", (0.25, -3.0)),
    ("/lw/walk/position", (0.25, -3.0, 1.0), "walk.position", (0.25, -3.0)),
    ("/lw/walk/position", ("0.25", "-3"), "walk.position", (0.25, -3.0)),
    ("/lw/walk/heading/raw", (0.5, 7.0, "extra"), "walk.heading", 0.5),
    ("/lw/walk/direction", ("ping-pong",), "walk.direction", "ping-pong"),
    ("/lw/walk/direction", ("Ping", "Pong"), "walk.direction", "ping-pong"),
    ("/lw/walk/direction", ("pingpong",), "walk.direction", "ping-pong"),
    ("/lw/model/guidance", ("7,5",), "model.guidance", 7.5),
    ("/lw/walk/direction", ("Reverse", 1.0), "walk.direction", "reverse"),
    ("/lw/walk/direction", (1,), "walk.direction", "reverse"),
    ("/lw/walk/direction", (1.0,), "walk.direction", "reverse"),
    ("/lw/walk/direction", ("2",), "walk.direction", "ping-pong"),
    ("/lw/prompt/a", ("a ringed planet",), "prompt.a", "a ringed planet"),
    ("/lw/prompt/a", ("a", "ringed", "planet", 9.0, 2, 0.5), "prompt.a", "a ringed planet 9 2 0.5"),
    ("/lw/prompt/a", tuple("word" for _ in range(99)), "prompt.a", " ".join(["word"] * 99)),
    ("/lw/prompt/a", ("two\nlines\tand\u00a0a\u2028half\r\n",), "prompt.a", "two lines and a half"),
    ("/lw/prompt/a", ("\ufeffsoft\u00adhyphen\u200b",), "prompt.a", "softhyphen"),
    ("/lw/prompt/a", ("👩\u200d👩\u200d👧 🏳️\u200d🌈",), "prompt.a", "👩\u200d👩\u200d👧 🏳️\u200d🌈"),
    (
        "/lw/prompt/a",
        ("🏴\U000e0067\U000e0062\U000e007f می\u200cخواهم",),
        "prompt.a",
        "🏴\U000e0067\U000e0062\U000e007f می\u200cخواهم",
    ),
    ("/lw/prompt/a", ("0",), "prompt.a", "0"),
    ("/lw/prompt/a", ("",), "prompt.a", ""),
    ("/lw/prompt/fade", (5.0,), "prompt.fade", 5.0),  # times are seconds
    ("/lw/slew/walk/speed", (2.0,), "slew.walk.speed", 2.0),
    ("/lw/slew/walk/speed/raw", (3.0,), "slew.walk.speed", 3.0),
    ("/lw/word/3/weight", (0.25,), "word.3.weight", 0.25),
    ("/lw/model/world", ("other",), "model.world", "other"),
]


@pytest.mark.parametrize(("address", "arguments", "name", "value"), SETS)
def test_messages_set_parameters(port: Port, address: str, arguments: tuple[Any, ...], name: str, value: Any) -> None:
    assert port.send(address, *arguments) == []
    assert port.desk.value(name) == value
    assert type(port.desk.value(name)) is type(value)
    assert port.desk.changes(0)[1][0].source == "osc:10.0.0.5:9001"


REFUSED = [
    ("/lw/walk/speed", (math.nan,), "finite"),
    ("/lw/walk/speed", (math.inf,), "finite"),
    ("/lw/walk/speed/raw", (-math.inf,), "finite"),
    ("/lw/walk/position", (0.5, math.nan), "finite"),
    ("/lw/walk/position", (0.5,), "alpha and beta"),
    ("/lw/out/freeze", (math.nan,), "finite"),
    ("/lw/walk/speed", ("fast",), "finite number"),
    ("/lw/seed/vertex/0", (2**32,), "0 to 4294967295"),
    ("/lw/seed/vertex/0", (-1,), "0 to 4294967295"),
    ("/lw/seed/vertex/0", (5e9,), "0 to 4294967295"),
    ("/lw/out/freeze", ("perhaps",), "on, off or a finite number"),
    ("/lw/model/steps", (True,), "whole number"),
    ("/lw/model/steps/raw", (False,), "whole number"),
    ("/lw/snapshot/save", ("a" * 65,), "at most 64"),
    ("/lw/walk/speed", ("nan",), "finite number"),
    ("/lw/walk/direction", ("sideways",), "use one of"),
    ("/lw/walk/direction", (7,), "0 to 2"),
    ("/lw/prompt/a", (0.5,), "takes a text"),
    ("/lw/prompt/a", ("x" * 2001,), "at most 2000"),
    ("/lw/prompt/a", ("\x1b[2J",), "none for control"),
    ("/lw/prompt/a", ("a", None), "words and numbers"),
    ("/lw/walk/direction", (0.2,), "takes a word or one of 0 to 2, its place in forward, reverse, ping-pong, not 0.2"),
    ("/lw/walk/direction", (3.0,), "0 to 2"),
    ("/lw/walk/direction", (math.inf,), "its place"),
    ("/lw/rift/value", (1.0,), "only be read"),
    ("/lw/walk/spede", (1.0,), "there is no /lw/walk/spede"),
    ("/lw/snapshot/recall", ("../../etc/passwd",), "letters, digits"),
    ("/lw/snapshot/save", ("/tmp/x",), "letters, digits"),
    ("/lw/snapshot/recall", (1.0,), "snapshot's name"),
    ("/lw/snapshot/recall", ("dusk", math.nan), "finite"),
    ("/lw/replay", ("a/b",), "letters, digits"),
    ("/lw/goto", (), "takes words"),
    ("/lw/goto", (1.0,), "takes words"),
    ("/lw/midi/learn", ("os.system",), "no parameter"),
    ("/lw/panic", (math.nan,), "finite"),
    ("/lw/get", ("walk.spede",), "nothing to read"),
    ("/lw/get", (), "subscribe"),
    ("/lw/subscribe", (80,), "from 1024"),
    ("/lw/subscribe", (9000,), "not the show's"),
    ("/lw/subscribe", (math.nan,), "finite"),
]


@pytest.mark.parametrize(("address", "arguments", "why"), REFUSED)
def test_what_means_nothing_is_refused_and_told(port: Port, address: str, arguments: tuple[Any, ...], why: str) -> None:
    before = port.desk.values()
    [(error, about, text)] = port.send(address, *arguments)
    assert (error, about) == ("/lw/error", address)
    assert why in text
    assert port.desk.values() == before
    assert [*port.desk.collect("desk"), *port.desk.collect("loop")] == []
    assert port.handler.counts.refused == 1


def test_errors_are_few(port: Port) -> None:
    answers = [answer for _ in range(200) for answer in port.send("/lw/nothing", 1)]
    assert 0 < len(answers) <= 10
    assert port.handler.counts.refused == 200


@pytest.mark.parametrize("address", ["/lw/error", "/lw/pong", "/lw/subscribed", "/lw/show/fps", "/lw/walk/at"])
def test_our_own_words_are_not_answered(port: Port, address: str) -> None:
    assert port.send(address, "x", "y") == []


PRESSES = [
    ("/lw/panic", (), Trigger("panic")),
    ("/lw/panic", (1.0,), Trigger("panic")),
    ("/lw/panic", (True,), Trigger("panic")),
    ("/lw/panic", ("now",), Trigger("panic")),
    ("/lw/snapshot/recall", ("dusk",), Trigger("snapshot.recall", "dusk")),
    ("/lw/snapshot/recall", ("dusk", 8.0), Trigger("snapshot.recall", "dusk|8")),
    ("/lw/snapshot/next", (1,), Trigger("snapshot.next")),
    ("/lw/replay", (), Trigger("replay")),
    ("/lw/goto", ("a cat", "with rings"), Trigger("goto", "a cat with rings")),
    ("/lw/replay", ("first night",), Trigger("replay", "first night")),
    ("/lw/panic", ("1",), Trigger("panic")),
    ("/lw/panic", ("on", 0.0), Trigger("panic")),
    ("/lw/snapshot/recall", ("first", "night", 8.0), Trigger("snapshot.recall", "first night|8")),
    ("/lw/snapshot/recall", ("dusk|8",), Trigger("snapshot.recall", "dusk|8")),
    ("/lw/snapshot/recall", ("0",), Trigger("snapshot.recall", "0")),  # a name
    ("/lw/snapshot/recall", ("dusk", 8.0, "more"), Trigger("snapshot.recall", "dusk|8")),
    ("/lw/snapshot/save", ("first", "night", 1.0), Trigger("snapshot.save", "first night")),
    ("/lw/midi/learn", ("walk.speed",), Trigger("midi.learn", "walk.speed")),
    ("/lw/midi/learn", ("snapshot.recall|dusk|8",), Trigger("midi.learn", "snapshot.recall|dusk|8")),
]


@pytest.mark.parametrize(("address", "arguments", "trigger"), PRESSES)
def test_triggers_are_pressed(port: Port, address: str, arguments: tuple[Any, ...], trigger: Trigger) -> None:
    assert port.send(address, *arguments) == []
    assert port.desk.collect("desk") == [trigger]


def test_a_button_let_go_presses_nothing(port: Port) -> None:
    for value in (1, 0, 1.0, 0.0, True, False, 0.4):
        port.send("/lw/snapshot/next", value)
    assert port.desk.collect("desk") == [Trigger("snapshot.next")] * 3
    assert port.handler.counts.pressed == 3


NOT_PRESSED = (
    "0",
    "0.0",
    "false",
    "False",
    "off",
    " OFF\n",
    "no",
    "",
    " ",
    None,
    0,
    0.0,
    False,
    -1,
    "0.4",
    "nil",
    "0,0",
)
UNKNOWN = ("aus", "undefined", "[]", "{}", "N/A", "mouseup", "keyup", "disabled", "inactive", "stop", "panic", "nan")


@pytest.mark.parametrize("row", [row for row in TABLE.values() if row.kind == "trigger"], ids=lambda row: row.name)
@pytest.mark.parametrize("value", NOT_PRESSED)
def test_what_says_off_presses_no_trigger(port: Port, row: Parameter, value: Any) -> None:
    if isinstance(value, str) and value.strip() and row.argument in ("name", "name and seconds"):
        return  # there it is a snapshot's name
    assert port.send(row.address, value) == []
    assert [*port.desk.collect("desk"), *port.desk.collect("loop")] == []


@pytest.mark.parametrize("row", [row for row in TABLE.values() if row.kind == "trigger"], ids=lambda row: row.name)
def test_a_word_that_is_not_known_for_on_presses_no_trigger(port: Port, row: Parameter) -> None:
    if row.argument:
        return  # there it is a name
    for word in UNKNOWN:
        [(_, address, why)] = port.send(row.address, word)
        assert address == row.address
        assert repr(word) in why
        port.clock.now += 1.0  # type: ignore[attr-defined]
    assert [*port.desk.collect("desk"), *port.desk.collect("loop")] == []


STRANGE = [
    (b",b\0\0\0\0\0\1a\0\0\0", "type b "),
    (b",c\0\0\0\0\0A", "type c "),
    (b"hello\0\0\0", "without type tags"),
    (b"," + b"i" * 129 + b"\0\0" + b"\0\0\0\1" * 129, "at most 128 arguments"),
    (b",s\0\0caf\xe9\0\0\0\0", "UTF-8"),
    (b",s\0\0\xed\xa0\x80\0", "UTF-8"),
]


@pytest.mark.parametrize(("rest", "why"), STRANGE)
def test_what_cannot_be_read_of_a_message_is_said(port: Port, rest: bytes, why: str) -> None:
    [(_, address, text)] = port.packet(b"/lw/prompt/a\0\0\0\0" + rest)
    assert address == "/lw/prompt/a"
    assert why in text


def test_a_button_with_a_name_saves_and_replays_when_it_goes_down_alone(port: Port) -> None:
    for value in (1.0, 0.0):
        port.send("/lw/snapshot/save", "dusk", value)
        port.send("/lw/replay", "dusk", value)
    assert port.desk.collect("desk") == [Trigger("snapshot.save", "dusk"), Trigger("replay", "dusk")]


def test_symbols_and_arrays_are_what_is_in_them(port: Port) -> None:
    port.packet(b"/lw/walk/position\0\0\0,[ff]\0\0\0" + struct.pack(">ff", 0.5, -0.25))
    port.packet(b"/lw/walk/direction\0\0,S\0\0reverse\0")
    port.packet(b"/lw/prompt/a\0\0\0\0,[s[s]]\0mist\0\0\0\0sea\0")
    assert port.desk.value("walk.position") == (0.5, -0.25)
    assert port.desk.value("walk.direction") == "reverse"
    assert port.desk.value("prompt.a") == "mist sea"


def test_an_impulse_presses(port: Port) -> None:
    port.packet(b"/lw/panic\0\0\0,I\0\0")
    assert port.desk.collect("desk") == [Trigger("panic")]


def test_of_a_flood_the_newest_is_set_once_and_presses_keep_their_order(port: Port) -> None:
    heard: list[Any] = []
    port.desk.listen(heard.append)
    for value in (0.1, 0.2, 0.3):
        port.handler.handle(codec.pack("/lw/view/zoom/raw", (value * 10,)), PHONE)
    port.handler.handle(codec.pack("/lw/snapshot/next"), PHONE)
    port.handler.handle(codec.pack("/lw/view/zoom/raw", (4.0,)), PHONE)
    port.handler.handle(codec.pack("/lw/snapshot/next"), PHONE)
    port.handler.flush()
    told = [news.name if isinstance(news, Trigger) else round(news.value, 3) for news in heard]
    assert told == [3.0, "snapshot.next", 4.0, "snapshot.next"]
    assert port.handler.counts.applied == 2


def test_values_are_asked_for(port: Port) -> None:
    port.send("/lw/rift/attraction/raw", 0.5)
    assert port.send("/lw/rift/attraction") == [("/lw/rift/attraction", 0.75)]
    assert port.send("/lw/rift/attraction", "?") == [("/lw/rift/attraction", 0.75)]
    assert port.send("/lw/rift/attraction/raw", "?") == [("/lw/rift/attraction/raw", 0.5)]
    assert port.send("/lw/get", "rift.attraction", "/lw/walk/auto") == [
        ("/lw/rift/attraction", 0.75), ("/lw/walk/auto", True),
    ]  # fmt: skip
    assert port.send("/lw/get", "/lw/word/[12]/weight") == [("/lw/word/1/weight", 0.0), ("/lw/word/2/weight", 0.0)]
    assert port.send("/lw/walk/speed") == [("/lw/walk/speed", None)]  # the preset's, which nobody has told yet
    port.desk.tell_base("walk.speed", 24.0)
    assert port.send("/lw/walk/speed") == [("/lw/walk/speed", 1.0)]


def test_a_ping_is_answered(port: Port) -> None:
    answer = port.send("/lw/ping", "abc")
    assert answer == [("/lw/pong", "abc", "0.1.0", 12.5, 240, 11.5)]
    assert port.send("/lw/ping", "x" * 1000)[0][1] == "x" * 64


def test_answers_are_paid_for_by_questions(port: Port) -> None:
    """Whoever forges a sender gets out little more than twice what he put in."""
    port.send("/lw/prompt/a", "x" * 500)
    sent = answered = 0
    for _ in range(2000):
        packet = codec.pack("/lw/prompt/a")
        sent += len(packet)
        answered += sum(len(codec.pack(*_split(answer))) for answer in port.packet(packet, TABLET))
    assert 0 < answered <= 2 * sent + 2048


def _split(answer: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    return answer[0], answer[1:]


def test_patterns_set_many_but_press_nothing(port: Port) -> None:
    port.send("/lw/word/*/weight", 0.5)
    assert [port.desk.value(f"word.{i}.weight") for i in range(1, 7)] == [0.5] * 6
    port.send("/lw/word/{1,6}/weight/raw", 0.25)
    assert [port.desk.value(f"word.{i}.weight") for i in (1, 2, 6)] == [0.25, 0.5, 0.25]
    port.send("/lw/*", 1)  # fits /lw/panic and /lw/replay too
    assert port.desk.collect("desk") == []


def test_patterns_are_few(port: Port) -> None:
    refused = [answer for i in range(20) for answer in port.send("/lw/word/*/weight", i / 20)]
    assert "too many patterns" in refused[0][2]
    port.clock.now += 1.0  # type: ignore[attr-defined]
    assert port.send("/lw/word/*/weight", 1.0) == []


NAMES = ["walk", "speed", "a", "ab", "aab", "weight", "vertex", "1", "raw"]
SIGNS = st.lists(st.sampled_from([*"abwe1*?", "[a-c]", "[!a]", "{a,ab}", "{we,ver}"]), max_size=6)


@given(SIGNS)
def test_patterns_match_as_the_shells_do(signs: list[str]) -> None:
    """fnmatch knows all but braces, which are as many patterns without them."""
    directory = Directory(f"/{name}" for name in NAMES)
    ways = product(*(sign.strip("{}").split(",") for sign in signs))
    plain = ["".join(way) for way in ways]
    wanted = {f"/{name}" for name in NAMES if any(fnmatch.fnmatchcase(name, pattern) for pattern in plain)}
    assert set(directory.match("/" + "".join(signs))) == wanted


@pytest.mark.parametrize("pattern", ["/" + "*" * 70, "/lw/[a", "/lw/{a", "/lw/*/*/*"])
def test_hostile_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ControlError):
        Directory(addresses.book(TABLE)).match(pattern)


def test_a_pattern_fits_so_many_addresses_and_no_more() -> None:
    many = [f"/all/{number}" for number in range(MOST)]
    assert len(Directory(many).match("/all/*")) == MOST
    with pytest.raises(ControlError, match=f"fits {MOST + 1} addresses; at most {MOST}"):
        Directory([*many, "/all/more"]).match("/all/*")


def test_a_flood_is_thinned_by_sender_and_address() -> None:
    speed = [(codec.pack("/lw/walk/speed", (i / 10,)), PHONE) for i in range(3)]
    other = [(codec.pack("/lw/walk/speed", (i / 10,)), TABLET) for i in range(2)]
    press = [(codec.pack("/lw/panic"), PHONE)] * 2
    settable = Port().handler.settable
    kept = newest([*speed, press[0], *other, press[1], (b"junk", PHONE)], settable)
    assert kept == [speed[2], press[0], other[1], press[1], (b"junk", PHONE)]


@given(st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(width=32), st.booleans(), st.none(), st.text()
       .filter(lambda text: "\0" not in text and text.isprintable())), max_size=8))  # fmt: skip
def test_what_is_packed_is_read_again(arguments: list[Any]) -> None:
    address, read = codec.message(codec.pack("/lw/x", arguments))
    assert address == "/lw/x"
    assert repr(list(read)) == repr(arguments)


def test_the_map_of_the_manual_is_complete() -> None:
    """The addresses that were promised at the beginning."""
    promised = (
        "walk/speed walk/direction walk/kind walk/heading walk/position walk/auto walk/radius walk/norm rift/attraction"
        " rift/value model/guidance model/steps prompt/a prompt/b prompt/mix prompt/fade seed/vertex/0 seed/vertex/1"
        " seed/vertex/2 view/zoom out/freeze out/blackout out/master out/testcard panic snapshot/recall snapshot/save"
        " snapshot/next record/video record/take replay slew/walk/speed"
    )
    known = set(addresses.book(TABLE))
    assert {f"/lw/{name}" for name in promised.split()} <= known
    assert {addresses.PING, addresses.GET, addresses.SUBSCRIBE} == {"/lw/ping", "/lw/get", "/lw/subscribe"}
    assert not known & ({addresses.PING, addresses.GET, addresses.SUBSCRIBE, *addresses.QUIET} - {"/lw/rift/value"})
    assert source(PHONE) == "osc:10.0.0.5:9001"
