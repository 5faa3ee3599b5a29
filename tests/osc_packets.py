"""Hostile OSC packets without end: well-formed ones, mutated, and the worst that is known."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from typing import Any

from installation.control import parameters
from installation.ports.osc import addresses, codec

PLACES = addresses.book(parameters.table())
ADDRESSES = [*PLACES, addresses.PING, addresses.GET, addresses.SUBSCRIBE, addresses.ERROR, "/lw", "/", "/x"]
VALUES = [
    0, 1, -1, 2**31 - 1, -(2**31), 2**62, 0.0, 0.5, 1.0, -1.0, 1e38, 1e-45, math.nan, math.inf, -math.inf, True, False,
    None, "", "?", "on", "dusk", "forward", "walk.speed", "../../etc/passwd", "x" * 600, "\x07\n", "é" * 40, "/lw/*",
    "__import__('os')",
]  # fmt: skip
DATAGRAM = 65_507  # bytes that UDP carries
SIGNS = [
    "*",
    "?",
    "**",
    "[a-z]",
    "[!a-z]",
    "{walk,out}",
    "{a,aa,aaa,aaaa}",
    "[",
    "{",
    "]",
    "}",
    "{,,,}",
    "[]",
    "[!]",
    "a",
    "/",
]


def packets(seed: int) -> Iterator[bytes]:
    """As many as are taken; the same for the same seed."""
    chance = random.Random(seed)
    makers = [_sound, _mutated, _mutated, _cut, _bundled, _nested, _pattern, _strange_tags, _blob, _noise, _sizes]
    while True:
        yield chance.choice(makers)(chance)[:DATAGRAM]


def _sound(chance: random.Random) -> bytes:
    values: list[Any] = [chance.choice(VALUES) for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 20)))]
    return codec.pack(chance.choice(ADDRESSES), values)


def _mutated(chance: random.Random) -> bytes:
    packet = bytearray(chance.choice((_sound, _bundled))(chance))
    for _ in range(chance.randint(1, 6)):
        spot = chance.randrange(len(packet))
        packet[spot] = chance.choice((0, 255, 128, 44, 47, chance.randrange(256)))
    return bytes(packet)


def _cut(chance: random.Random) -> bytes:
    packet = chance.choice((_sound, _bundled))(chance)
    return packet[: chance.randrange(len(packet) + 1)] + chance.choice((b"", b"\0", b"\xff\xff\xff\xff"))


def _bundle(parts: list[bytes], tag: int) -> bytes:
    return b"#bundle\0" + struct.pack(">Q", tag) + b"".join(struct.pack(">i", len(part)) + part for part in parts)


def _bundled(chance: random.Random) -> bytes:
    tag = chance.choice((1, 0, 2**64 - 1, 2**63, chance.getrandbits(64)))
    return _bundle([_sound(chance) for _ in range(chance.choice((0, 1, 3, 40, 200)))], tag)


def _nested(chance: random.Random) -> bytes:
    packet = _sound(chance)
    for _ in range(chance.choice((2, 8, 9, 30, 400, 3000))):
        if len(packet) > 60_000:
            break
        packet = _bundle([packet], 1)
    return packet


def _pattern(chance: random.Random) -> bytes:
    address = "/lw/" + "".join(chance.choice(SIGNS) for _ in range(chance.choice((1, 3, 10, 30, 200))))
    some = [codec.pack(address, [chance.choice(VALUES)])]
    return some[0] if chance.random() < 0.5 else _bundle(some * chance.choice((2, 50)), 1)


def _strange_tags(chance: random.Random) -> bytes:
    tags = "".join(chance.choice("ifsbhtdSrcmTFNI[]x\x01") for _ in range(chance.choice((1, 4, 17, 7000))))
    address = chance.choice(ADDRESSES).encode()
    head = address + bytes(4 - len(address) % 4) + b"," + tags.encode()
    return head + bytes(4 - len(head) % 4) + chance.randbytes(chance.choice((0, 4, 64, 500)))


def _blob(chance: random.Random) -> bytes:
    size = chance.choice((-8, -1, 0, 4, 2**31 - 1, 7000, 60_000))
    body = bytes(max(min(size, 60_000), 0))
    return b"/lw/prompt/a\0\0\0\0,b\0\0" + struct.pack(">i", size) + body


def _noise(chance: random.Random) -> bytes:
    start = chance.choice((b"", b"/", b"/lw/", b"#bundle\0", b"#bundle\0" + bytes(8)))
    return start + chance.randbytes(chance.choice((0, 1, 7, 100, 8192, 60_000)))


def _sizes(chance: random.Random) -> bytes:
    """Bundles whose elements lie about their size: backward, nothing, beyond the end."""
    parts = b"".join(
        struct.pack(">i", chance.choice((-4, -20, -(2**31), 0, 3, 4, 16, 2**31 - 1)))
        + _sound(chance)[: chance.randrange(40)]
        for _ in range(chance.choice((1, 5, 500)))
    )
    return b"#bundle\0" + bytes(8) + parts
