"""The bytes of MIDI 1.0 that a show listens to and sends, as events and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["cc", "note", "program", "pitch", "clock", "start", "continue", "stop", "position"]
_VOICES: dict[int, Kind] = {0x80: "note", 0x90: "note", 0xB0: "cc", 0xC0: "program", 0xE0: "pitch"}
_TIMES: dict[int, Kind] = {0xF8: "clock", 0xFA: "start", 0xFB: "continue", 0xFC: "stop"}


@dataclass(frozen=True)
class Event:
    """One message. channel: 1..16, as people count, 0 for those of the whole port; number: of the controller, note or
    program, 0..127; value: 0..127 (velocity, 0 when a note ends), `pitch` and `position` (in sixteenths) 0..16383."""

    kind: Kind
    channel: int = 0
    number: int = 0
    value: int = 0


def decode(data: Sequence[int]) -> Event | None:
    """A message's bytes as an event; None for what a show has no use for, and for what is no MIDI message."""
    if not data:
        return None
    status, body = data[0], data[1:]
    if status in _TIMES:
        return Event(_TIMES[status])
    if any(not 0 <= part <= 127 for part in body):
        return None
    if status == 0xF2 and len(body) == 2:
        return Event("position", value=body[0] | body[1] << 7)
    kind, channel = _VOICES.get(status & 0xF0), (status & 0x0F) + 1
    if kind == "program" and len(body) == 1:
        return Event("program", channel, body[0], 127)
    if kind is None or kind == "program" or len(body) != 2:
        return None
    if kind == "pitch":
        return Event("pitch", channel, 0, body[0] | body[1] << 7)
    return Event(kind, channel, body[0], 0 if status & 0xF0 == 0x80 else body[1])


def control_change(channel: int, number: int, value: int) -> bytes:
    """A controller at 0..127."""
    return bytes((0xB0 | channel - 1, number, value))


def note(channel: int, number: int, velocity: int) -> bytes:
    """A note, or a lamp; velocity 0 ends it."""
    return bytes((0x90 | channel - 1, number, velocity))


def pitch(channel: int, value: int) -> bytes:
    """The pitch wheel, as which many motor faders work, at 0..16383."""
    return bytes((0xE0 | channel - 1, value & 0x7F, value >> 7))
