"""What subscribers are told of the desk and of the walk."""

from __future__ import annotations

import pytest
from standins.osc import PHONE, TABLE, TABLET, Port, spoken, tick

from installation.ports.osc.feedback import HOLD, PERIOD


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
    port.send("/lw/view/zoom", 9.0, sender=PHONE)  # too far: the fader must come back to 1
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
