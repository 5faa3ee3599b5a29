"""Bundles, and packets that are damaged or no OSC at all."""

from __future__ import annotations

import logging
import struct
from typing import Any

import pytest
from standins.osc import PHONE, Port, bundle

from installation.control.desk import Trigger
from installation.ports.osc import codec
from installation.ports.osc.server import newest


def test_a_bundle_is_opened_whatever_its_time(port: Port) -> None:
    inner = bundle(codec.pack("/lw/view/zoom/raw", (3.0,)), tag=2**64 - 1)
    port.packet(bundle(inner, codec.pack("/lw/panic"), tag=2**63))
    assert port.desk.value("view.zoom") == 3.0
    assert port.desk.collect("desk") == [Trigger("panic")]


@pytest.mark.parametrize("packed", [True, False], ids=["bundle", "packets"])
@pytest.mark.parametrize(
    ("touch", "wanted"),
    [
        ([("heading", 0.9), ("heading", 0.5)], (False, 0.0, None)),  # as a stick that is flicked: moved and let go of
        ([("heading", 0.9), ("heading", 0.9), ("heading", 0.5), ("heading", 0.5)], (False, 0.0, None)),
        ([("heading", 0.9), ("heading", 0.5), ("auto", 1)], (True, 0.0, None)),
        ([("position", (0.25, 0.5)), ("auto", 1), ("auto", 0)], (False, 0.0, None)),
        ([("auto", 0), ("auto", 1)], (True, 0.0, None)),
        ([("heading", 0.9), ("position", (0.25, 0.5)), ("heading", 0.5)], (False, 0.0, (0.25, 0.5))),
        ([("heading", 0.9), ("heading", "junk")], (False, 0.8, None)),
    ],
)  # fmt: skip
def test_who_touched_the_walk_has_it_however_soon_it_is_let_go(
    port: Port, packed: bool, touch: list[tuple[str, Any]], wanted: tuple[bool, float, Any]
) -> None:
    messages = [codec.pack(f"/lw/walk/{name}", x if isinstance(x, tuple) else (x,)) for name, x in touch]
    sent = [(bundle(*messages), PHONE)] if packed else newest([(m, PHONE) for m in messages], port.handler.settable)
    for packet, sender in sent:
        port.handler.handle(packet, sender)
    port.handler.flush()
    auto, heading, position = (port.desk.value(f"walk.{name}") for name in ("auto", "heading", "position"))
    assert (auto, pytest.approx(heading), position) == wanted


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
