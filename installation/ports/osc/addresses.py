"""What addresses there are, what they take and what they tell: the parameters' table as OSC has it.

A parameter has two addresses. The main one takes a fader's 0..1 where the parameter is a float on a fader's scale, and
what the value is otherwise: a whole number, a switch, a word, alpha and beta. `/raw` behind it takes real units always.
Times (unit s) are in seconds on both, and read-only values are in their units on both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from installation.control.desk.snapshots import NAME
from installation.control.parameter import ROOT, Parameter, Value
from latentworld.errors import ControlError

Argument = float | int | bool | str | None
RAW = "/raw"
QUERY = "?"
_NEEDS_NAME = ("name", "name and seconds")


@dataclass(frozen=True)
class Place:
    """A parameter's address, and whether it speaks real units."""

    address: str
    row: Parameter
    raw: bool

    @property
    def faded(self) -> bool:
        """Whether its floats are a fader's place 0..1."""
        return not self.raw and self.row.kind == "float" and self.row.access != "r" and self.row.unit != "s"


@dataclass(frozen=True)
class Out:
    """An address that only tells: its OSC type tags and what they are."""

    address: str
    tags: str
    about: str


VALUE = Out(f"{ROOT}/rift/value", "fi", "the Lipschitz value here, in feature per latent, and the frame's number")
AT = Out(f"{ROOT}/walk/at", "fffi", "where the walk is: alpha, beta, radius, and 1 on this side of the globe")
RENDERER = Out(f"{ROOT}/show/renderer", "s", "loading, running, hung, restarting, safe or loop")
RATE = Out(f"{ROOT}/show/fps", "f", "new pictures per second")
LATENCY = Out(f"{ROOT}/show/latency", "ff", "seconds from control to picture, p50 and p99")
UPTIME = Out(f"{ROOT}/show/uptime", "f", "seconds since the show began")
OUTS = (VALUE, AT, RENDERER, RATE, LATENCY, UPTIME)

PING, PONG = f"{ROOT}/ping", f"{ROOT}/pong"
GET = f"{ROOT}/get"
SUBSCRIBE, SUBSCRIBED = f"{ROOT}/subscribe", f"{ROOT}/subscribed"
ERROR = f"{ROOT}/error"
# our own words, echoed: to answer them would set two shows talking for ever
QUIET = frozenset((PONG, SUBSCRIBED, ERROR, AT.address, *(out.address for out in OUTS[2:])))


def book(table: Mapping[str, Parameter]) -> dict[str, Place]:
    """Every parameter's addresses."""
    places = [Place(row.address, row, False) for row in table.values()]
    places += [Place(row.address + RAW, row, True) for row in table.values() if row.numeric]
    return {place.address: place for place in places}


def asks(arguments: Sequence[Argument]) -> bool:
    """Whether a message to a parameter's address asks for its value."""
    return not arguments or (len(arguments) == 1 and arguments[0] in (QUERY, None))


def read(place: Place, arguments: Sequence[Argument]) -> Value:
    """The value that a message sets, in real units. Raises ControlError.

    Whole numbers take a fader's float too; choices take their place in the list too.
    """
    row = place.row
    if row.kind == "point":
        return row.check(tuple(arguments))
    if len(arguments) != 1:
        raise ControlError(f"{place.address} takes one value, not {len(arguments)}")
    value = arguments[0]
    whole = isinstance(value, int) and not isinstance(value, bool)
    if row.kind == "choice" and whole and isinstance(value, int):
        if not 0 <= value < len(row.choices):
            raise ControlError(f"{place.address} has choices 0 to {len(row.choices) - 1}, not {value}")
        return row.choices[value]
    if isinstance(value, (float, int)) and (place.faded or (row.kind == "int" and not place.raw and not whole)):
        return row.real(value)
    return row.check(value)


def tell(place: Place, value: Value | None) -> tuple[Argument, ...]:
    """A value in real units as this address tells it; None (nobody knows yet) is OSC's nil."""
    if isinstance(value, tuple):
        return value
    if place.faded and isinstance(value, (int, float)):
        return (place.row.normal(value),)
    if place.row.kind == "float" and value is not None:
        return (float(value),)
    return (value,)


def tags(row: Parameter, value: Value | None = None) -> str:
    """OSC type tags of what a parameter's address takes. Switches are their own value: T or F."""
    if row.kind == "bool":
        return "T" if value else "F"
    if row.argument:
        return "s"
    return {"float": "f", "int": "i", "point": "ff", "trigger": "T"}.get(row.kind, "s")


def pressed(row: Parameter, arguments: Sequence[Argument], known: Mapping[str, Parameter]) -> bool:
    """Whether a message presses a trigger: a name does, no argument does, 0 (a button let go) does not.

    Raises ControlError where a name is missing or means nothing.
    """
    first = arguments[0] if arguments else None
    if isinstance(first, str) and row.argument not in ("", "parameter") and not NAME.fullmatch(first):
        raise ControlError(f"{row.address} takes a name of letters, digits, space, - and _, not {first!r:.40}")
    if isinstance(first, str) and row.argument == "parameter" and first not in known:
        raise ControlError(f"{row.address}: there is no parameter {first!r:.40}")
    if isinstance(first, (int, float)) and not Parameter(row.name, "bool", "").check(first):
        return False
    if row.argument in _NEEDS_NAME and not isinstance(first, str):
        raise ControlError(f"{row.address} takes a snapshot's name")
    return True


def argument(row: Parameter, arguments: Sequence[Argument]) -> Value | tuple[str, float] | None:
    """What goes with a press: a name, a snapshot's name and seconds, or nothing. Raises ControlError."""
    first = arguments[0] if arguments else None
    if not isinstance(first, str) or not row.argument:
        return None
    if row.argument == "name and seconds" and len(arguments) > 1:
        seconds = Parameter(f"{row.name}'s fade", "float", "", high=3600.0).check(arguments[1])
        return first, float(seconds) if isinstance(seconds, (int, float)) else 0.0
    return first
