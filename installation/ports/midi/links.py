"""What is connected to what: controls of controllers, parameters of the desk, and the file that keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from installation.control.parameter import Parameter
from latentworld import texts
from latentworld.disk import put, writing
from latentworld.errors import ControlError, PortError

FORMAT, VERSION = "latentworld midi", 1
MOST = 1000
_LARGEST = 1_000_000  # bytes
Sort = Literal["cc", "cc14", "nrpn", "note", "program", "pitch"]
Mode = Literal["toggle", "hold"]
Turns = Literal["absolute", "relative", "offset"]


@dataclass(frozen=True)
class Control:
    """A knob, fader or button: `port` is the controller's name, channel 1..16, number 0..127 (0..31 of `cc14`, whose
    low bits come as number + 32; 0..16382 of `nrpn`)."""

    port: str
    kind: Sort
    channel: int
    number: int

    def __str__(self) -> str:
        return f"{self.port} {self.kind} {self.channel}/{self.number}"


@dataclass(frozen=True)
class Link:
    """A control and the parameter it plays.

    argument: what a button sets or presses with ("dusk|8", "wander", "3.5"); without one a button presses a trigger,
    switches a bool, goes on to the next choice. mode: whether a bool is switched by each press, or true while it is
    held. pickup: a fader does nothing until it passes the value that is set. turns: whether a controller sends where it
    is, or, an endless encoder, how far it was turned: `relative` (1, 2, ... up; down 127, 126, ... as two's complement
    or 65, 66, ... as sign and magnitude) or `offset` from 64. full: what a controller as a button sends when it is
    down.
    """

    control: Control
    name: str
    argument: str = ""
    mode: Mode = "toggle"
    pickup: bool = True
    turns: Turns = "absolute"
    full: int = 127


def plays(row: Parameter, argument: str = "") -> Literal["fader", "button"]:
    """What kind of control plays a parameter. Raises ControlError when none can."""
    if row.access == "r":
        raise ControlError(f"{row.name} can only be read")
    if row.numeric and not argument:
        return "fader"
    if row.kind == "point":
        raise ControlError(f"{row.name} takes two numbers, a MIDI control has one: map walk.heading")
    if row.kind == "text" and not argument:
        raise ControlError(f"{row.name} is a text: map {row.name}|THE TEXT to a button")
    if argument and row.kind != "trigger":
        row.check(argument)
    return "button"


def load(path: Path, table: Mapping[str, Parameter]) -> tuple[list[Link], list[str]]:
    """The links in a file, none where there is no file, and a line for each that does not fit this table.

    Raises PortError when the file cannot be read.
    """
    try:
        content = texts.table(texts.read(path, _LARGEST))
        if content.get("format") != FORMAT:
            raise ValueError("it is no MIDI map")
        rows = content.get("links")
        if not isinstance(rows, list) or len(rows) > MOST:
            raise ValueError(f"it should hold at most {MOST} links")
    except FileNotFoundError:
        return [], []
    except (OSError, ValueError) as error:
        raise PortError(f"the MIDI map {path.name} cannot be read ({error!s:.80}): mend or delete it") from None
    good: list[Link] = []
    left = []
    for row in rows:
        try:
            good.append(_link(row, table))
        except (ControlError, TypeError) as error:
            left.append(f"{path.name}: {error!s:.160}: left out")
    return good, left


def save(path: Path, links: Iterable[Link]) -> None:
    """Write the file whole. Raises PortError or DiskFull."""
    rows = [{**asdict(link.control), **{k: v for k, v in asdict(link).items() if k != "control"}} for link in links]
    text = json.dumps({"format": FORMAT, "version": VERSION, "links": rows}, indent=1)
    with writing(path, "free some space: what was learned is lost when the show ends", PortError):
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, text.encode() + b"\n", 0o600)


def _link(row: Any, table: Mapping[str, Parameter]) -> Link:
    if not isinstance(row, dict):
        raise ControlError(f"{row!r:.60} is no link")
    row = dict(row)
    control = Control(*(row.pop(part, None) for part in ("port", "kind", "channel", "number")))
    link = Link(control, **row)
    if not isinstance(control.port, str) or control.kind not in get_args(Sort):
        raise ControlError(f"{row!r:.100}: port or kind is not known")
    if link.mode not in get_args(Mode) or link.turns not in get_args(Turns) or not _within(link.full, 1, 127):
        raise ControlError(f"{row!r:.100}: mode, turns or full is not known")
    highest = {"cc14": 31, "nrpn": 16382}.get(control.kind, 127)
    if not _within(control.channel, 1, 16) or not _within(control.number, 0, highest):
        raise ControlError(f"{control}: channels are 1 to 16, numbers 0 to {highest}")
    if not isinstance(link.name, str) or link.name not in table:
        raise ControlError(f"there is no parameter {link.name!r:.60}")
    if not isinstance(link.argument, str) or not isinstance(link.pickup, bool):
        raise ControlError(f"{link.name}: argument is a text and pickup true or false")
    plays(table[link.name], link.argument)
    return link


def _within(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
