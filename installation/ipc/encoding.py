"""Messages to lines of JSON and back; the only place that does either. What is not finite goes as null."""

from __future__ import annotations

import functools
import operator

import msgspec

from installation.ipc.jsonable import builtin
from installation.ipc.messages import ALL, Message
from latentworld.errors import LatentWorldError

_ENCODER = msgspec.json.Encoder(enc_hook=builtin)
_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(functools.reduce(operator.or_, ALL))


def encoded(message: Message) -> bytes:
    """A message as a line, its end included."""
    return _ENCODER.encode(message) + b"\n"


def decoded(line: bytes) -> Message:
    """The message of a line. Raises ValueError, one line that says where, for one that is unknown or malformed."""
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, LatentWorldError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{error}, in {line[:80]!r}") from None
