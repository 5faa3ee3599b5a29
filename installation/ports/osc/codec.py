"""OSC packets: python-osc's codec behind a guard, for what it cannot bear.

python-osc 1.10 alone loops for ever on a bundle element of negative size, recurses as deep as bundles nest, logs every
type tag that it does not know (8,000 lines for one packet) and lets UnicodeDecodeError through. So bundles are walked
here, sizes are checked first, and only messages with known tags reach its parser.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from pythonosc.osc_message import OscMessage
from pythonosc.parsing import osc_types

from installation.ports.osc.addresses import Argument
from latentworld.errors import ControlError

LARGEST = 8192  # bytes of a packet
DEEPEST = 8  # bundles in bundles
MOST = 128  # messages of a packet
LONGEST_ADDRESS = 255
ARGUMENTS = 128  # a text may come word by word
_BUNDLE = b"#bundle\0"
_HEAD = 16  # the word #bundle and the time tag, which is not heeded: a message is never withheld
_TAGS = frozenset(b"ifdhsSTFNI[]")
_SAME = bytes.maketrans(b"SI", b"sT")  # symbols are texts, an impulse is True


def parts(packet: bytes) -> Iterator[bytes]:
    """The messages of a packet, still packed, bundles opened. Raises ControlError where the packet breaks off."""
    if len(packet) > LARGEST:
        raise ControlError(f"a packet has at most {LARGEST} bytes")
    for count, part in enumerate(_open(packet, 0)):
        if count >= MOST:
            raise ControlError(f"a packet has at most {MOST} messages")
        yield part


def _open(packet: bytes, depth: int) -> Iterator[bytes]:
    if not packet.startswith(_BUNDLE):
        yield packet
        return
    if depth >= DEEPEST or len(packet) < _HEAD:
        raise ControlError(f"a bundle is cut short or more than {DEEPEST} deep")
    spot = _HEAD
    while spot < len(packet):
        size = int.from_bytes(packet[spot : spot + 4], "big")  # unsigned: a negative size is one that cannot be there
        spot += 4
        if not 0 < size <= len(packet) - spot:
            raise ControlError("a bundle holds an element that is not all there")
        yield from _open(packet[spot : spot + size], depth + 1)
        spot += size


def head(packet: bytes) -> bytes:
    """The address of a message, still bytes; nothing where there is none."""
    end = packet.find(b"\0", 0, LONGEST_ADDRESS + 1)
    return packet[:end] if end > 0 and packet.startswith(b"/") else b""


def message(part: bytes) -> tuple[str, tuple[Argument, ...]]:
    """Address and arguments of a message. Raises ControlError.

    Arguments are ints, floats, texts, booleans and None (nil); an impulse is True, an array is what is in it. Others
    mean nothing here.
    """
    address = head(part)
    if not address:
        raise ControlError("no OSC: a message begins with an address")
    start = (len(address) // 4 + 1) * 4
    end = part.find(b"\0", start, start + ARGUMENTS + 2)
    if start < len(part):
        _check_tags(part[start : end if end >= 0 else len(part)], end >= 0)
        body = (end // 4 + 1) * 4
        part = part[:start] + _padded(part[start:end].translate(_SAME, b"[]")) + part[body:]
    try:
        parsed = OscMessage(part)
        return parsed.address, tuple(parsed)
    except UnicodeDecodeError as error:
        raise ControlError("a text is not UTF-8: send it as UTF-8") from error
    except Exception as error:  # ParseError, and whatever else its parser lets through
        raise ControlError(f"a message to {address.decode('ascii', 'replace'):.60} is damaged") from error


def _check_tags(tags: bytes, ended: bool) -> None:
    """Refuse type tags that mean nothing here, each kind of fault by its name. Raises ControlError."""
    if not tags.startswith(b","):
        raise ControlError("a message without type tags is not understood: send them, such as ,f")
    if not ended:
        raise ControlError(f"a message has at most {ARGUMENTS} arguments")
    strange = sorted({chr(tag) for tag in tags[1:]} - set(map(chr, _TAGS)))
    if strange:
        named = " ".join(strange).encode("ascii", "backslashreplace").decode()
        raise ControlError(f"arguments of type {named:.40} are not understood: send i f d h s S T F N I [ ]")
    if tags.count(b"[") != tags.count(b"]"):
        raise ControlError("an array is not closed")


def _padded(text: bytes) -> bytes:
    return text + b"\0" * (4 - len(text) % 4)


def pack(address: str, arguments: Sequence[Argument] = ()) -> bytes:
    """A message: whole numbers as i (h where they need it), floats as f, None as nil."""
    tags, body = ",", b""
    for value in arguments:
        if value is None or isinstance(value, bool):
            tags += "N" if value is None else "T" if value else "F"
        elif isinstance(value, int):
            small = -(2**31) <= value < 2**31
            tags += "i" if small else "h"
            body += osc_types.write_int(value) if small else osc_types.write_int64(value)
        elif isinstance(value, float):
            tags += "f"
            body += _float(value)
        else:
            tags += "s"
            body += osc_types.write_string(value)
    return bytes(osc_types.write_string(address) + osc_types.write_string(tags) + body)


def _float(value: float) -> bytes:
    try:
        return struct.pack(">f", value)
    except OverflowError:  # more than a float32 holds
        return struct.pack(">f", float("inf") if value > 0 else float("-inf"))
