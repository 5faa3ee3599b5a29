"""Bundles, and packets that are damaged or no OSC at all."""

from __future__ import annotations

import logging
import struct

import pytest
from standins.osc import Port, bundle

from installation.control.desk import Trigger
from installation.ports.osc import codec


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
