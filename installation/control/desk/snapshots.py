"""Snapshots: looks kept by name, one JSON file each, recalled with a fade.

A snapshot holds every value of the loop and the stage as it was set; `null` says that the preset decided. What is in
the operator's hand at the moment (freeze, blackout, test card) or belongs to the wall (gamma, black level) stays out:
recalling a look must not darken the room.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from installation.control.desk.desk import Desk, Trigger
from installation.control.parameter import Parameter, Value, said
from installation.control.parameters import SNAPSHOT_NEXT, SNAPSHOT_RECALL, SNAPSHOT_SAVE
from latentworld import texts
from latentworld.disk import put, writing
from latentworld.errors import ControlError

FORMAT, VERSION = "latentworld snapshot", 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,63}")
MOST = 1000  # snapshots in a folder
PRIVATE = 0o600  # what is played here is nobody else's business
_LARGEST = 1_000_000  # bytes of a file
LONGEST_FADE = 3600.0
Done = Callable[[], list[str]]
"""What is done on the desk once the folder has answered: without waiting; gives a line for each thing left out."""
Job = Callable[[], Done]
"""What is done on the folder first. Raises ControlError, DiskFull."""


def parse(value: object) -> tuple[str, float]:
    """A trigger's argument as name and seconds of fade: "dusk", "dusk|8" or ("dusk", 8.0). Raises ControlError."""
    if isinstance(value, (tuple, list)) and len(value) == 2:
        name, seconds = value
    elif isinstance(value, str):
        name, _, seconds = value.partition("|")
    else:
        raise ControlError(f"a snapshot has a name, not {said(value)}")
    try:
        fade = float(seconds or 0.0)
    except (TypeError, ValueError, OverflowError):
        fade = math.nan
    if not 0 <= fade <= LONGEST_FADE:
        raise ControlError(f"a snapshot fades in 0 to {LONGEST_FADE:g} seconds, not {said(seconds)}")
    return _named(name), fade


@dataclass(frozen=True)
class Look:
    """A snapshot as it was read. values: as they are kept; version: of the file."""

    name: str
    values: Mapping[str, object]
    version: object


class Snapshots:
    """The snapshots in a folder, and the desk they are of. Thread-safe. `last`: the name last recalled or saved.

    Whatever touches the folder may take as long as its disk does; `apply` and `asked` do not.
    """

    def __init__(self, folder: Path, desk: Desk) -> None:
        self._folder, self._desk = folder, desk
        self._lock = Lock()
        self.last: str | None = None

    def names(self) -> list[str]:
        """In the order of `next`: by name, numbers in them by size, so that "cue 2" is before "cue 10"."""
        try:
            found = [path.stem for path in self._folder.glob("*.json")]
        except OSError:
            return []
        return sorted((name for name in found if NAME.fullmatch(name)), key=_natural)[:MOST]

    def save(self, name: str, values: Mapping[str, Value | None] | None = None) -> None:
        """Keep the desk as it is set now, or as `held` had it. Raises ControlError for a bad name, one too many or a
        folder that refuses, DiskFull."""
        path, values = self._path(name), held(self._desk) if values is None else values
        with self._lock:
            if not path.exists() and len(self.names()) >= MOST:
                raise ControlError(f"there are {MOST} snapshots already: delete some")
            text = json.dumps({"format": FORMAT, "version": VERSION, "values": values}, indent=1)
            with writing(path, "free some space", ControlError):
                self._folder.mkdir(parents=True, exist_ok=True)
                put(path, text.encode() + b"\n", PRIVATE)
            self.last = name

    def recall(self, name: str, seconds: float = 0.0, source: str = "snapshot") -> list[str]:
        """Go to a snapshot in so many seconds, as far as it fits; gives a line for each thing that did not.

        Raises ControlError when there is none of that name or nothing in it can be read.
        """
        return self.apply(self.look(name), seconds, source)

    def look(self, name: str) -> Look:
        """Read one, which is then the last one. Raises ControlError as `recall` does."""
        content = _read(self._path(name))
        self.last = name
        return Look(name, content["values"], content.get("version"))

    def apply(self, look: Look, seconds: float = 0.0, source: str = "snapshot") -> list[str]:
        """Go to what was read; see `recall`."""
        values, left = fit(self._desk.table, look.values)
        if look.version != VERSION:
            left.insert(0, f"it is of version {look.version!r:.20}, this is {VERSION}: what is known is taken")
        self._desk.recall(values, seconds, source)
        return [f"snapshot {look.name}: {line}" for line in left]

    def following(self) -> str:
        """The name after the last one, round and round. Raises ControlError when there are none."""
        names = self.names()
        if not names:
            raise ControlError("there is no snapshot yet: save one")
        later = [name for name in names if self.last is not None and _natural(name) > _natural(self.last)]
        return (later or names)[0]

    def delete(self, name: str) -> None:
        """Forget one. Raises ControlError when there is none of that name."""
        path = self._path(name)
        if not path.is_file():
            raise ControlError(f"there is no snapshot {name!r:.70}: see the list of names")
        with writing(path, fault=ControlError):
            path.unlink()

    def job(self, trigger: Trigger) -> Job | None:
        """What a press asks of the folder; None of another trigger. What it is to keep is taken from the desk now.

        Raises ControlError for what is no name or no fade.
        """
        if trigger.name == SNAPSHOT_SAVE.name:
            (saved, _), values = parse(trigger.value), held(self._desk)
            return lambda: self._saved(saved, values)
        if trigger.name == SNAPSHOT_RECALL.name:
            name, seconds = parse(trigger.value)
            return lambda: self._shown(name, seconds)
        if trigger.name == SNAPSHOT_NEXT.name:
            fade = _seconds(trigger.value)
            return lambda: self._shown(self.following(), fade)
        return None

    def _saved(self, name: str, values: Mapping[str, Value | None]) -> Done:
        self.save(name, values)
        return list

    def _shown(self, name: str, seconds: float) -> Done:
        look = self.look(name)
        return lambda: self.apply(look, seconds)

    def _path(self, name: str) -> Path:
        return self._folder / f"{_named(name)}.json"


def held(desk: Desk) -> dict[str, Value | None]:
    """What a snapshot of the desk holds, by name."""
    values = desk.values()
    return {name: values[name] for name, row in desk.table.items() if holds(row)}


def holds(row: Parameter) -> bool:
    """Whether a snapshot holds it, and brings it back."""
    return row.where in ("loop", "stage") and row.access == "rw" and row.scope == "picture"


def fit(table: Mapping[str, Parameter], values: Mapping[str, object]) -> tuple[dict[str, Value | None], list[str]]:
    """What of kept values can be set on a desk with this table, and a line for each that cannot, or not as it is."""
    good: dict[str, Value | None] = {}
    left = []
    for name, value in values.items():
        row = table.get(name)
        if row is None or not holds(row):
            left.append(f"{name!r:.60} is no part of a look: left out")
            continue
        if value is None:
            good[name] = row.default
            continue
        try:
            good[name] = row.check(value)
        except ControlError as error:
            left.append(f"{error}: left out")
            continue
        taken = good[name]
        if taken != (tuple(value) if isinstance(value, list) else value):
            left.append(f"{name} = {said(value):.40} does not fit: {said(taken)} taken")
    return good, left


def _read(path: Path) -> dict[str, Any]:
    try:
        content = texts.table(texts.read(path, _LARGEST))
        if content.get("format") != FORMAT:
            raise ValueError("it is no snapshot")
        if not isinstance(content.get("values"), dict):
            raise ValueError("it holds no values")
    except FileNotFoundError:
        raise ControlError(f"there is no snapshot {path.stem!r}: see the list of names, or save it") from None
    except (OSError, ValueError) as error:
        raise ControlError(f"the snapshot {path.stem} cannot be read ({error!s:.80}): save it anew") from None
    return content


def _named(name: object) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ControlError(f"{name!r:.70} is no name: use letters, digits, blanks, _ and -, at most 64")
    return name


def _seconds(value: object) -> float:
    """The fade that `snapshot.next` may be given: a number, or as text."""
    return parse(("any", value))[1] if value not in (None, "") and not isinstance(value, bool) else 0.0


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.findall(r"\d+|\D+", name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], name
