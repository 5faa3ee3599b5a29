"""What addresses there are, what they take and what they tell: the parameters' table as OSC has it.

A parameter has two addresses. The main one takes a fader's 0..1 where the parameter is a float on a fader's scale, and
what the value is otherwise: a whole number, a switch, a word, alpha and beta. `/raw` behind it takes real units always.
Times (unit s) are in seconds on both, and read-only values are in their units on both. What is above 1 is no fader's
place: there it is in real units too, so that a whole number that was sent as a float is what it says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile, takewhile

from installation.control.desk.snapshots import LONGEST_FADE, NAME, parse
from installation.control.parameter import ROOT, Parameter, Value, let_go, plain, said, switched, written_number
from latentworld.errors import ControlError

Argument = float | int | bool | str | None
RAW = "/raw"
QUERY = "?"
FADER_END = 1.01  # a scaled fader may overshoot its end by so much
_LARGEST_INT = 2**31 - 1  # that OSC's type i holds
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
    """An address that only tells: its OSC type tags, what they are, and their unit where all have the same."""

    address: str
    tags: str
    about: str
    unit: str = ""


VALUE = Out(f"{ROOT}/rift/value", "fi", "the Lipschitz value here, in feature per latent, and the frame's number")
AT = Out(f"{ROOT}/walk/at", "fffi", "where the walk is: alpha, beta, radius, and 1 on this side of the globe")
RENDERER = Out(f"{ROOT}/show/renderer", "s", "loading, running, hung, restarting, safe or loop")
RATE = Out(f"{ROOT}/show/fps", "f", "new pictures per second", "Hz")
LATENCY = Out(f"{ROOT}/show/latency", "ff", "seconds from control to picture, p50 and p99", "s")
UPTIME = Out(f"{ROOT}/show/uptime", "f", "seconds since the show began", "s")
OUTS = (VALUE, AT, RENDERER, RATE, LATENCY, UPTIME)

PING, PONG = f"{ROOT}/ping", f"{ROOT}/pong"
GET = f"{ROOT}/get"
SUBSCRIBE, SUBSCRIBED = f"{ROOT}/subscribe", f"{ROOT}/subscribed"
CONFIRM = f"{ROOT}/confirm"
NUMBERS = "numbers"  # what a subscriber says that knows no T, F and N
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

    Whole numbers take a fader's float too; choices take their place in the list too; a text is all words together.
    Arguments beyond those that are wanted are passed over.
    """
    row, first = place.row, arguments[0]
    if row.kind == "text" and any(isinstance(part, str) for part in arguments):
        return row.check(" ".join(map(_word, arguments)))
    if row.kind == "point":
        return row.check(arguments[:2])
    if row.kind == "choice":
        return row.check(_chosen(place, arguments))
    if not row.numeric:
        return row.check(first)
    if isinstance(first, bool) and row.kind == "float":
        return row.real(first)
    number = _number(first)
    if isinstance(number, float) and (place.faded or (row.kind == "int" and not place.raw)) and number <= FADER_END:
        return row.real(number)
    if isinstance(number, int) and place.faded and number <= 1:
        return row.real(number)
    return row.check(first if number is None else number)


def _number(value: Argument) -> float | int | None:
    """A number, or one that is written as a text; None for what is none."""
    return written_number(value) if isinstance(value, str) else value


def _word(value: Argument) -> str:
    """One of a text's words; some programs send those that look like numbers as numbers."""
    if isinstance(value, bool) or value is None:
        raise ControlError(f"a text has words and numbers, not {said(value)}")
    return value if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _chosen(place: Place, arguments: Sequence[Argument]) -> Argument:
    """Of a choice, the word that a message says: in any case, in one argument or several, or by its place, from 0, as
    a whole number of whatever type."""
    choices, first = place.row.choices, arguments[0]
    words = ["".join(part for part in arguments if isinstance(part, str)), first]
    for choice in choices:
        if any(isinstance(word, str) and _letters(word) == _letters(choice) for word in words):
            return choice
    number = None if isinstance(first, bool) else _number(first)
    if isinstance(first, str) and number is None:
        return " ".join(part for part in arguments if isinstance(part, str))
    if number is None or not math.isfinite(number) or number != int(number) or not 0 <= number < len(choices):
        raise ControlError(f"{place.address} takes {_choices(choices)}, not {said(first)}")
    return choices[int(number)]


def _letters(word: str) -> str:
    """What a choice's word is known by: neither case nor what joins its parts tells choices apart."""
    return "".join(filter(str.isalnum, word.casefold()))


def _choices(choices: Sequence[str]) -> str:
    return f"a word or one of 0 to {len(choices) - 1}, its place in {', '.join(choices)}"


def tell(place: Place, value: Value | None) -> tuple[Argument, ...]:
    """A value in real units as this address tells it; None (nobody knows yet) is OSC's nil."""
    if isinstance(value, tuple):
        return value
    if place.faded and isinstance(value, (int, float)):
        return (place.row.normal(value),)
    if place.row.kind == "float" and value is not None:
        return (float(value),)
    return (value,)


def numbers(arguments: Sequence[Argument]) -> tuple[Argument, ...] | None:
    """The same for those who know no T, F, N and h; None where there is nothing to tell."""
    if None in arguments:
        return None
    return tuple(
        int(part) if isinstance(part, bool) else float(part) if isinstance(part, int) and part > _LARGEST_INT else part
        for part in arguments
    )


def tags(row: Parameter, value: Value | None = None) -> str:
    """OSC type tags of what a parameter's address takes. Switches are their own value, T or F; a press is I."""
    if row.kind == "bool":
        return "T" if value else "F"
    if row.argument:
        return "s"
    if row.kind == "int" and row.high > _LARGEST_INT:
        return "h"
    return {"float": "f", "int": "i", "point": "ff", "trigger": "I"}.get(row.kind, "s")


def pressed(row: Parameter, arguments: Sequence[Argument], known: Mapping[str, Parameter]) -> bool:
    """Whether a message presses a trigger: no argument does, a name does, a button let go (`let_go`) does not.

    Raises ControlError where a name is missing or a word means nothing.
    """
    if not arguments:
        return not _needs(row)
    first, name = arguments[0], _name(row, arguments)
    if not name:
        return not let_go(first) and not _needs(row)
    offs = ("name or nothing", "parameter", "words")
    if row.argument in offs and isinstance(first, str) and switched(first) is False:
        return False
    if row.argument == "parameter":
        if name.partition("|")[0] not in known:
            raise ControlError(f"{row.address}: there is no parameter {name!r:.40}")
        return True
    if row.argument == "words":
        return True
    if not NAME.fullmatch(name.partition("|")[0] if row.argument == "name and seconds" else name):
        raise ControlError(
            f"{row.address} takes a name of at most 64 letters, digits, space, - and _, not {name!r:.40}"
        )
    return row.argument == "name and seconds" or not any(map(let_go, _after(arguments)))


def argument(row: Parameter, arguments: Sequence[Argument]) -> Value | tuple[str, float] | None:
    """What goes with a press: a name, a snapshot's name and seconds, or nothing. Raises ControlError."""
    name, after = _name(row, arguments), _after(arguments)
    if row.argument == "name and seconds" and "|" in name:
        return parse(name)
    if row.argument == "name and seconds" and after:
        seconds = Parameter(f"{row.name}'s fade", "float", "", high=LONGEST_FADE).check(after[0])
        return name, float(seconds) if isinstance(seconds, (int, float)) else 0.0
    return name or None


def _needs(row: Parameter) -> bool:
    """Whether a trigger does nothing without a name. Raises ControlError, for there is none."""
    if row.argument in _NEEDS_NAME:
        raise ControlError(f"{row.address} takes a snapshot's name")
    if row.argument == "words":
        raise ControlError(f"{row.address} takes words, as 'a cat with rings'")
    return False


def _name(row: Parameter, arguments: Sequence[Argument]) -> str:
    """The name in a press: its first words, for some programs send each as an argument of its own."""
    words = takewhile(lambda part: isinstance(part, str), arguments) if row.argument else ()
    return plain(" ".join(map(str, words)))


def _after(arguments: Sequence[Argument]) -> Sequence[Argument]:
    """What follows a name."""
    return tuple(dropwhile(lambda part: isinstance(part, str), arguments))
