"""What an OSC packet does to the desk, and what comes back: no sockets here."""

from __future__ import annotations

import fnmatch
import logging
import math
import struct
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osc_standins import Stagehand, tick
from pythonosc.osc_message import OscMessage

from installation import parameters
from installation.controls import Trigger
from installation.osc import addresses, codec
from installation.osc.feedback import HOLD, PERIOD, Feedback, source
from installation.osc.handler import Handler
from installation.osc.match import Directory
from installation.osc.server import newest
from latentworld.errors import ControlError

PHONE, TABLET = ("10.0.0.5", 9001), ("10.0.0.6", 9001)
TABLE = parameters.table()


class Port:
    """A handler and its feedback on a desk whose clock stands."""

    def __init__(self) -> None:
        self.backstage = Stagehand()
        self.desk, self.clock = self.backstage.desk, self.backstage.clock
        self.feedback = Feedback(self.desk, addresses.book(self.desk.table), self.backstage.status)
        self.backstage.watch(self.feedback.outs.tick)
        self.handler = Handler(self.backstage, self.clock, self.feedback, lambda target: target[1] == 9000)

    def send(self, address: str, *arguments: Any, sender: tuple[str, int] = PHONE) -> list[tuple[Any, ...]]:
        return self.packet(codec.pack(address, arguments), sender)

    def packet(self, packet: bytes, sender: tuple[str, int] = PHONE) -> list[tuple[Any, ...]]:
        self.handler.handle(packet, sender)
        self.handler.flush()
        outbox, self.handler.outbox = self.handler.outbox, []
        return [spoken(answer) for answer, _ in outbox]

    def pump(self, seconds: float = PERIOD) -> list[tuple[Any, ...]]:
        self.clock.now += seconds  # type: ignore[attr-defined]
        return [spoken(packet) for packet, _ in self.feedback.pump(self.clock())]


def spoken(packet: bytes) -> tuple[Any, ...]:
    message = OscMessage(packet)
    return (message.address, *message)


def bundle(*parts: bytes, tag: int = 1) -> bytes:
    return b"#bundle\0" + struct.pack(">Q", tag) + b"".join(struct.pack(">i", len(part)) + part for part in parts)


@pytest.fixture
def port() -> Port:
    return Port()


SETS = [
    ("/lw/walk/speed", (1.0,), "walk.speed", 24.0),
    ("/lw/walk/speed", (0.0,), "walk.speed", 0.0),
    ("/lw/walk/speed", (7.0,), "walk.speed", 24.0),
    ("/lw/walk/speed/raw", (7.0,), "walk.speed", 7.0),
    ("/lw/rift/attraction", (0.5,), "rift.attraction", 0.0),
    ("/lw/rift/attraction/raw", (-1.0,), "rift.attraction", -1.0),
    ("/lw/walk/heading", (1,), "walk.heading", 1.0),  # a whole number is a fader's place too
    ("/lw/walk/radius/raw", (2,), "walk.radius", 2.0),
    ("/lw/model/steps", (30,), "model.steps", 30),
    ("/lw/model/steps", (0.0,), "model.steps", 1),
    ("/lw/model/steps/raw", (30.4,), "model.steps", 30),
    ("/lw/seed/vertex/2", (123456,), "seed.vertex.2", 123456),
    ("/lw/seed/vertex/1", (2**31,), "seed.vertex.1", 2**31 - 1),
    ("/lw/walk/auto", (False,), "walk.auto", False),
    ("/lw/walk/auto", (0.4,), "walk.auto", False),
    ("/lw/walk/auto", (0.5,), "walk.auto", True),
    ("/lw/out/freeze", (1,), "out.freeze", True),
    ("/lw/walk/position", (0.25, -3.0), "walk.position", (0.25, -3.0)),
    ("/lw/walk/direction", ("ping-pong",), "walk.direction", "ping-pong"),
    ("/lw/walk/direction", (1,), "walk.direction", "reverse"),
    ("/lw/prompt/a", ("a ringed planet",), "prompt.a", "a ringed planet"),
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
    assert port.desk.changes(0)[1][-1].source == "osc:10.0.0.5:9001"


REFUSED = [
    ("/lw/walk/speed", (math.nan,), "finite"),
    ("/lw/walk/speed", (math.inf,), "finite"),
    ("/lw/walk/speed/raw", (-math.inf,), "finite"),
    ("/lw/walk/position", (0.5, math.nan), "finite"),
    ("/lw/walk/position", (0.5,), "alpha and beta"),
    ("/lw/out/freeze", (math.nan,), "finite"),
    ("/lw/walk/speed", ("fast",), "finite number"),
    ("/lw/walk/speed", (0.1, 0.2), "one value"),
    ("/lw/walk/direction", ("sideways",), "use one of"),
    ("/lw/walk/direction", (7,), "choices 0 to 2"),
    ("/lw/prompt/a", (0.5,), "takes a text"),
    ("/lw/prompt/a", ("x" * 501,), "at most 500"),
    ("/lw/prompt/a", ("two\nlines",), "printable"),
    ("/lw/rift/value", (1.0,), "only be read"),
    ("/lw/walk/spede", (1.0,), "there is no /lw/walk/spede"),
    ("/lw/snapshot/recall", ("../../etc/passwd",), "letters, digits"),
    ("/lw/snapshot/save", ("/tmp/x",), "letters, digits"),
    ("/lw/snapshot/recall", (1.0,), "snapshot's name"),
    ("/lw/snapshot/recall", ("dusk", math.nan), "finite"),
    ("/lw/replay", ("a/b",), "letters, digits"),
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
    ("/lw/replay", ("first night",), Trigger("replay", "first night")),
    ("/lw/midi/learn", ("walk.speed",), Trigger("midi.learn", "walk.speed")),
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


def test_a_bundle_is_opened_whatever_its_time(port: Port) -> None:
    inner = bundle(codec.pack("/lw/view/zoom/raw", (3.0,)), tag=2**64 - 1)
    port.packet(bundle(inner, codec.pack("/lw/panic"), tag=2**63))
    assert port.desk.value("view.zoom") == 3.0
    assert port.desk.collect("desk") == [Trigger("panic")]


def nested(depth: int) -> bytes:
    packet = codec.pack("/lw/out/freeze", (True,))
    for _ in range(depth):
        packet = bundle(packet)
    return packet


def test_bundles_nest_eight_deep(port: Port) -> None:
    port.packet(nested(9))
    assert port.desk.value("out.freeze") is False
    assert port.handler.counts.damaged == 1
    port.packet(nested(8))
    assert port.desk.value("out.freeze") is True


@pytest.mark.parametrize(
    "packet",
    [
        b"", b"\0", b"lw", b"/lw/walk/speed", b"/" + b"a" * 300 + b"\0", b"#bundle\0", b"#bundle\0" + bytes(8) + b"\0",
        b"#bundle\0" + bytes(8) + struct.pack(">i", -4) + b"/lw\0",  # python-osc alone would never come back
        b"#bundle\0" + bytes(8) + struct.pack(">i", 0) * 10, b"#bundle\0" + bytes(8) + struct.pack(">i", 2**31 - 1),
        nested(2000), b"x" * 60_000, bundle(*[codec.pack("/lw/panic")] * 500),
    ],
    ids=lambda packet: f"{len(packet)} {packet[:12]!r}",
)  # fmt: skip
def test_what_is_no_osc_is_counted_and_not_answered(port: Port, packet: bytes) -> None:
    assert port.packet(packet) == []
    assert port.handler.counts.damaged == 1


@pytest.mark.parametrize(
    "packet",
    [
        b"/lw/walk/auto\0\0\0," + b"x" * 3000 + b"\0", b"/lw/walk/auto\0\0\0,b\0\0\xff\xff\xff\xf8",
        b"/lw/walk/auto\0\0\0f\0\0\0", b"/lw/walk/auto\0\0\0,[[[\0\0\0\0", b"/lw/prompt/a\0\0\0\0,s\0\0\xff\xfe\0\0",
        b"/lw/prompt/a\0\0\0\0,s\0\0abcd", b"/lw/walk/auto\0\0\0,i\0\0",
    ],
)  # fmt: skip
def test_a_damaged_message_is_told_to_its_sender(port: Port, packet: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        [(error, _, _)] = port.packet(packet)
    assert error == "/lw/error"
    assert caplog.records == []  # python-osc alone writes a line for every tag it does not know
    assert port.desk.value("walk.auto") is True


def test_a_damaged_message_in_a_bundle_spoils_no_other(port: Port) -> None:
    port.packet(bundle(b"/lw/walk/auto\0\0\0,i\0\0", codec.pack("/lw/view/zoom/raw", (2.0,))))
    assert port.desk.value("view.zoom") == 2.0


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


def test_a_flood_is_thinned_by_sender_and_address() -> None:
    speed = [(codec.pack("/lw/walk/speed", (i / 10,)), PHONE) for i in range(3)]
    other = [(codec.pack("/lw/walk/speed", (i / 10,)), TABLET) for i in range(2)]
    press = [(codec.pack("/lw/panic"), PHONE)] * 2
    settable = Port().handler.settable
    kept = newest([*speed, press[0], *other, press[1], (b"junk", PHONE)], settable)
    assert kept == [speed[2], press[0], other[1], press[1], (b"junk", PHONE)]


def test_every_parameter_is_reached_and_told_back(port: Port) -> None:
    """Feedback, sent back as it came, changes nothing: a fader that echoes never drifts."""
    port.desk.tell_base("walk.speed", 3.0)
    values = {"float": 0.3, "int": 3, "bool": True, "point": (0.5, -0.5), "text": "mist"}
    for row in port.desk.table.values():
        if row.access == "rw":
            port.desk.set(row.name, row.choices[-1] if row.kind == "choice" else values[row.kind])
    before = port.desk.values()
    port.send("/lw/subscribe")
    told = [message for _ in range(10) for message in port.pump()]
    assert {message[0] for message in told} >= {row.address for row in TABLE.values() if row.access == "rw"}
    for address, *arguments in told:
        if address in port.handler.places:
            port.send(address, *arguments)
    after = port.desk.values()
    assert {name for name in before if before[name] != pytest.approx(after[name], abs=1e-5)} == set()


def test_the_subscriber_is_told_everything_then_what_changes(port: Port) -> None:
    assert port.send("/lw/subscribe", 9005, 30.0) == [("/lw/subscribed", 9005, 30.0)]
    everything = [message for _ in range(10) for message in port.pump()]
    readable = {row.address for row in TABLE.values() if "r" in row.access} - {"/lw/rift/value"}
    assert {message[0] for message in everything} >= readable
    assert {message for message in port.pump() if not message[0].startswith("/lw/show")} == set()
    port.desk.set("view.zoom", 4.0, "deck:1")
    port.desk.set("view.zoom", 8.0, "deck:1")
    assert port.pump() == [("/lw/view/zoom", 1.0)]
    assert port.feedback.pump(port.clock()) == []  # not before the next thirtieth of a second
    assert all(target == ("10.0.0.5", 9005) for _, target in _later(port))


def _later(port: Port) -> list[tuple[bytes, tuple[str, int]]]:
    port.desk.set("view.zoom", 2.0, "deck:1")
    port.clock.now += 1.0  # type: ignore[attr-defined]
    return port.feedback.pump(port.clock())


def test_the_hand_that_moves_is_not_told_until_it_rests(port: Port) -> None:
    for sender in (PHONE, TABLET):
        port.send("/lw/subscribe", sender=sender)
    for _ in range(10):
        port.pump()
    port.send("/lw/view/zoom", 2.5, sender=PHONE)  # too far: the fader must come back to 1
    port.clock.now += PERIOD  # type: ignore[attr-defined]
    told = port.feedback.pump(port.clock())
    assert [(spoken(packet), target) for packet, target in told] == [(("/lw/view/zoom", 1.0), TABLET)]
    port.clock.now += HOLD  # type: ignore[attr-defined]
    rested = [(spoken(packet), target) for packet, target in port.feedback.pump(port.clock())]
    assert (("/lw/view/zoom", 1.0), PHONE) in rested
    assert (("/lw/view/zoom", 1.0), TABLET) not in rested


def test_a_sender_that_listens_at_another_port_is_known_by_its_machine(port: Port) -> None:
    port.send("/lw/subscribe", 9005, sender=("10.0.0.5", 40000))
    for _ in range(10):
        port.pump()
    port.send("/lw/view/zoom", 0.5, sender=("10.0.0.5", 50000))
    assert port.pump() == []
    assert ("/lw/view/zoom", pytest.approx(0.5)) in port.pump(HOLD)


def test_subscriptions_end(port: Port) -> None:
    port.send("/lw/subscribe", 0, 1000.0)
    port.pump(61.0)
    assert len(port.feedback) == 0
    port.send("/lw/subscribe")
    port.send("/lw/subscribe", 0, 0.0)
    assert (len(port.feedback), port.feedback.due(port.clock())) == (0, None)
    for i in range(40):
        port.clock.now += 0.2  # type: ignore[attr-defined]
        port.send("/lw/subscribe", 2000 + i)
    assert len(port.feedback) == 32


def test_the_ticks_are_told(port: Port) -> None:
    port.send("/lw/subscribe")
    for _ in range(10):
        port.pump()
    port.backstage.tick(tick(index=240, rate=0.75))
    assert port.pump() == [("/lw/rift/value", 0.75, 240), ("/lw/walk/at", 0.25, 0.5, 1.25, 0)]
    port.backstage.tick(tick(rate=None))  # the first frame ever has no rate
    assert [message[0] for message in port.pump()] == ["/lw/walk/at"]
    told = port.pump(1.0)
    assert ("/lw/show/renderer", "running") in told
    assert ("/lw/show/fps", 11.5) in told
    assert not any(message[0] == "/lw/show/latency" for message in told)  # NaN is not told


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
