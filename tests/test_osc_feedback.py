"""What subscribers are told of the desk and of the walk."""

from __future__ import annotations

from dataclasses import replace

import pytest
from standins.backstage import STATUS
from standins.osc import PHONE, TABLE, TABLET, Port, spoken, tick

from installation.ports.osc import codec
from installation.ports.osc.feedback import BURST, HOLD, PERIOD, Outs


def test_every_parameter_is_reached_and_told_back(port: Port) -> None:
    """Feedback, sent back as it came, changes nothing: a fader that echoes never drifts."""
    port.desk.tell_base("walk.speed", 3.0)
    values = {"float": 0.3, "int": 3, "bool": True, "point": (0.5, -0.5), "text": "mist"}
    for row in port.desk.table.values():
        if row.access == "rw":
            port.desk.set(row.name, row.choices[-1] if row.kind == "choice" else values[row.kind])
    before = port.desk.values()
    port.subscribe()
    told = [message for _ in range(10) for message in port.pump()]
    assert {message[0] for message in told} >= {row.address for row in TABLE.values() if row.access == "rw"}
    for address, *arguments in told:
        if address in port.handler.places:
            port.send(address, *arguments)
    after = port.desk.values()
    assert {name for name in before if before[name] != pytest.approx(after[name], abs=1e-5)} == set()


def test_what_goes_wrong_later_is_told_once_as_an_error(port: Port) -> None:
    faults = ["long ago"]
    port.feedback.outs = Outs(lambda: replace(STATUS, faults=tuple(faults)))
    port.subscribe(9005, 30.0)
    faults.append("there is no snapshot 'nope': save it")
    told = [message for _ in range(90) for message in port.pump()]
    assert [m for m in told if m[0] == "/lw/error"] == [("/lw/error", "/lw", "there is no snapshot 'nope': save it")]


def test_the_subscriber_is_told_everything_then_what_changes(port: Port) -> None:
    assert port.subscribe(9005, 30.0) == [("/lw/subscribed", 9005, 30.0)]
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
        port.subscribe(sender=sender)
    for _ in range(10):
        port.pump()
    port.send("/lw/view/zoom", 9.0, sender=PHONE)  # too far: the fader must come back to 1
    port.clock.now += PERIOD  # type: ignore[attr-defined]
    told = port.feedback.pump(port.clock())
    assert [(spoken(packet), target) for packet, target in told] == [(("/lw/view/zoom", 1.0), TABLET)]
    port.clock.now += HOLD  # type: ignore[attr-defined]
    rested = [(spoken(packet), target) for packet, target in port.feedback.pump(port.clock())]
    assert (("/lw/view/zoom", 1.0), PHONE) in rested
    assert (("/lw/view/zoom", 1.0), TABLET) not in rested


def test_a_sender_that_listens_at_another_port_is_known_by_its_machine(port: Port) -> None:
    port.subscribe(9005, sender=("10.0.0.5", 40000))
    for _ in range(10):
        port.pump()
    port.send("/lw/view/zoom", 0.5, sender=("10.0.0.5", 50000))
    assert port.pump() == []
    assert ("/lw/view/zoom", pytest.approx(0.5)) in port.pump(HOLD)


def test_subscriptions_end(port: Port) -> None:
    port.subscribe(0, 1000.0)
    port.pump(61.0)
    assert len(port.feedback) == 0
    port.subscribe()
    port.send("/lw/subscribe", 0, 0.0)
    assert (len(port.feedback), port.feedback.due(port.clock())) == (0, None)


def test_the_ticks_are_told(port: Port) -> None:
    port.subscribe()
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


def test_a_forged_sender_gains_no_more_than_twice_what_he_sent_and_a_little(port: Port) -> None:
    """Subscriptions, questions and errors in the name of a machine that never asked, for an hour."""
    sent = got = 0
    port.desk.set("prompt.a", "x" * 500)
    for second in range(3600):
        port.clock.now += 1.0  # type: ignore[attr-defined]
        asked = (("/lw/subscribe", 2000 + second % 50, 60.0), ("/lw/get", "/lw/*/*"), ("/lw/get",), ("/lw/prompt/a",),
                 ("/lw/x",), ("/lw/confirm", "a"))  # fmt: skip
        for address, *arguments in asked:
            packet = codec.pack(address, arguments)
            sent += len(packet)
            port.handler.handle(packet, TABLET)
        port.handler.flush()
        outbox, port.handler.outbox = port.handler.outbox, []
        got += sum(len(packet) for packet, _ in (*outbox, *port.feedback.pump(port.clock())))
    assert 0 < got <= 2 * sent + 61 * 1024
    assert len(port.feedback) == 0


def test_a_listener_is_told_once_it_sends_its_key_back(port: Port) -> None:
    port.handler.handle(codec.pack("/lw/subscribe", (9005, 30.0)), PHONE)
    [(packet, target)] = port.handler.outbox
    address, heard_at, seconds, key = spoken(packet)
    assert (address, heard_at, seconds, target) == ("/lw/subscribed", 9005, 30.0, ("10.0.0.5", 9005))
    port.handler.outbox.clear()
    assert port.pump() == []
    for wrong, sender in ((key, TABLET), ("", PHONE), (key.upper(), PHONE), ("é", PHONE), (1, PHONE)):
        assert port.send("/lw/confirm", wrong, sender=sender)[0][0] == "/lw/error"
    assert len(port.feedback) == 0
    assert port.send("/lw/confirm", key, sender=("10.0.0.5", 50001)) == []
    assert port.pump() != []
    assert port.send("/lw/subscribe", 9005, 30.0) == [("/lw/subscribed", 9005, 30.0)], "renewed without another key"
    port.pump(31.0)
    assert len(port.feedback) == 0


def test_this_machine_needs_no_key(port: Port) -> None:
    assert port.send("/lw/subscribe", 9005, sender=("127.0.0.1", 40000)) == [("/lw/subscribed", 9005, 60.0)]
    assert port.pump() != []


def test_one_machine_takes_no_place_from_another(port: Port) -> None:
    for i in range(200):
        port.clock.now += 0.2  # type: ignore[attr-defined]
        port.send("/lw/subscribe", 2000 + i, sender=TABLET)
    assert port.subscribe(9005) == [("/lw/subscribed", 9005, 60.0)]
    for i in range(7):
        port.subscribe(3000 + i)
    assert "too many" in port.send("/lw/subscribe", 4000)[0][2]
    for i in range(60):
        port.send("/lw/subscribe", 5000, sender=(f"10.0.1.{i}", 5000))
    assert len(port.feedback) == 8, "those without a key give way"
    port.subscribe(9005, sender=("10.0.2.1", 9005))
    assert len(port.feedback) == 9


def test_everything_comes_in_a_measured_pace(port: Port) -> None:
    port.subscribe()
    rounds = [port.pump() for _ in range(12)]
    assert max(len([message for message in told if not message[0].startswith("/lw/show")]) for told in rounds) == BURST
    told = sum(len(port.pump()) + len(port.send("/lw/get")) for _ in range(30))
    assert told <= 2 * len(TABLE), "asked for thirty times a second, told once"


def test_a_subscriber_may_ask_for_numbers(port: Port) -> None:
    """Pure Data and ChucK know no T, F, N and h."""
    port.desk.set("seed.vertex.0", 2**32 - 1)
    port.subscribe(0, 60.0, "numbers")
    told = {message[0]: message[1:] for _ in range(12) for message in port.pump()}
    assert told["/lw/walk/auto"] == (1,)
    assert told["/lw/out/freeze"] == (0,)
    assert told["/lw/seed/vertex/0"] == (2.0**32,)
    assert "/lw/walk/speed" not in told, "nobody knows it yet"
    assert not any(part is None or isinstance(part, bool) for parts in told.values() for part in parts)
    assert port.send("/lw/out/freeze", "?") == [("/lw/out/freeze", 0)]
    assert port.send("/lw/walk/speed", "?") == []
    port.desk.set("out.freeze", True, "deck:1")
    assert ("/lw/out/freeze", 1) in port.pump()
