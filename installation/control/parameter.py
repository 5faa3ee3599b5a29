"""A parameter: a row of the address table, and how a field of typed controls is declared by one.

A name such as `walk.speed` is the address `/lw/walk/speed`. Floats and ints have two scales: 0..1 as faders send
(`real` and `normal` convert, along a linear or a logarithmic curve) and real units.
"""

from __future__ import annotations

import contextlib
import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from latentworld.errors import ControlError
from latentworld.prompts import LONGEST, readable

Value = float | int | bool | str | tuple[float, float]
Kind = Literal["float", "int", "bool", "choice", "text", "point", "trigger"]
Where = Literal["loop", "stage", "desk"]
Scope = Literal["picture", "wall", "held", "session"]
Argument = Literal["", "name", "name and seconds", "name or nothing", "parameter", "words"]
Press = Literal["", "counted", "urgent"]
Page = Literal["walk", "prompt", "wall", "model", "motion", "sound", "slew", "more"]
"""The pages of layouts and of the reference, in their order."""
Group = TypeVar("Group")
_ROWS: dict[tuple[type, int | None], Mapping[str, Parameter]] = {}

ROOT = "/lw"
ON = frozenset(("on", "true", "yes", "t", "bang", "down", "press", "pressed", "now", "go"))
OFF = frozenset(("off", "false", "no", "f", "none", "nil", "null", "release", "released", "up"))
"""How programs that send words alone write that a switch is on or off, that a button went down or was let go."""
_JOINERS = frozenset("\u200c\u200d")  # of scripts and emoji; tags (flags of regions) stay too


@dataclass(frozen=True)
class Parameter:
    """One thing that can be played.

    kind `point` is alpha and beta; `trigger` is a press. where: who acts on it. low, high: real units of floats and
    ints (of points: of either coordinate); a number outside is clamped, or refused where it is `exact`. curve `log`
    with low = 0 keeps 0 at 0 and is logarithmic from `least` up. smooth: it may be slewed and modulated. default
    None: the preset's.

    scope: what it is a part of. `picture`: the look; of loop and stage, snapshots hold it and panic resets it; `wall`:
    the set-up of this wall, which no look and no panic touches, and outputs leave out; `held`: in the operator's hand
    at the moment, which no snapshot brings back; `session`: it ends with the show. argument: of a trigger. press:
    `counted`: two of them are more than one; `urgent`: it waits behind nothing. preset: the preset's key that decides
    while nobody has set it (`pilot.attraction`). page: of layouts. label: what the deck calls it, where that is not the
    last part of its name.
    """

    name: str
    kind: Kind
    about: str
    default: Value | None = None
    where: Where = "loop"
    low: float = 0.0
    high: float = 1.0
    least: float = 0.0
    curve: Literal["linear", "log"] = "linear"
    unit: str = ""
    choices: tuple[str, ...] = ()
    exact: bool = False
    access: Literal["rw", "r", "w"] = "rw"
    smooth: bool = False
    scope: Scope = "picture"
    argument: Argument = ""
    press: Press = ""
    preset: str = ""
    page: Page = "more"
    label: str = ""

    @property
    def address(self) -> str:
        """Its OSC address."""
        return f"{ROOT}/{self.name.replace('.', '/')}"

    @property
    def numeric(self) -> bool:
        """Whether it has a fader's scale."""
        return self.kind in ("float", "int")

    def real(self, x: float) -> float | int:
        """A fader's place 0..1 (clamped) in real units. Raises ControlError when it is not finite or has no scale."""
        x = min(max(self._finite(x), 0.0), 1.0)
        if self.curve == "log":
            low = self.low or self.least
            value = 0.0 if self.low == 0 and x == 0 else low * (self.high / low) ** x
        else:
            value = self.low + x * (self.high - self.low)
        return round(value) if self.kind == "int" else value

    def normal(self, value: float) -> float:
        """Real units to a fader's place 0..1."""
        value = min(max(self._finite(value), self.low), self.high)
        if self.curve == "log":
            low = self.low or self.least
            return 0.0 if value <= low else math.log(value / low) / math.log(self.high / low)
        return (value - self.low) / (self.high - self.low)

    def check(self, value: object) -> Value:
        """A value in real units as this parameter keeps it: clamped, rounded, a text in plain characters. Numbers and
        switches may be written as text. Raises ControlError."""
        if type(value) is float and self.kind == "float" and self.low <= value <= self.high and math.isfinite(value):
            return value  # what faders send
        if self.kind in ("float", "int"):
            return self._number(value)
        if self.kind == "bool":
            return self._switch(value)
        if self.kind == "point":
            return self._point(value)
        text = plain(value) if isinstance(value, str) else None
        if self.kind == "choice" and text not in self.choices:
            raise ControlError(f"{self.name} = {said(value)}: use one of {', '.join(self.choices)}")
        if text is None:
            raise ControlError(f"{self.name} takes a text, not {said(value)}")
        if not readable(text):
            raise ControlError(f"{self.name}: a text of at most {LONGEST} characters, none for control, is wanted")
        return text

    def _number(self, value: object) -> float | int:
        if self.kind == "int" and isinstance(value, bool):
            raise ControlError(f"{self.name} takes a whole number, not {said(value)}")
        number = self._finite(value)
        clamped = min(max(number, self.low), self.high)
        if self.exact and clamped != number:
            raise ControlError(f"{self.name} takes {self.low:.0f} to {self.high:.0f}, not {said(value)}")
        return round(clamped) if self.kind == "int" else clamped

    def _switch(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        on = switched(value) if isinstance(value, str) else None
        return self._finite(value, "on, off or a finite number") >= 0.5 if on is None else on

    def _point(self, value: object) -> tuple[float, float]:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
            raise ControlError(f"{self.name} takes alpha and beta, not {said(value)}")
        a, b = (min(max(self._finite(part), self.low), self.high) for part in value)
        return a, b

    def _finite(self, value: object, wanted: str = "a finite number") -> float:
        found = written_number(value) if isinstance(value, str) else value
        try:
            number = float(found) if isinstance(found, (int, float)) else math.nan
        except OverflowError:  # an int that no float can hold
            number = math.inf
        if not math.isfinite(number):
            raise ControlError(f"{self.name} takes {wanted}, not {said(value)}")
        return number


def written_number(text: str) -> float | int | None:
    """A number that is written as a text, with a decimal point or comma; None for what is none."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text.replace(",", ".") if text.count(",") == 1 else text)
    return None


def switched(text: str) -> bool | None:
    """What a word or a number in a text says of a switch; None where it says nothing of one."""
    word = text.strip().casefold()
    number = written_number(word)
    if word in ON | OFF or number is None or not math.isfinite(number):
        return word in ON if word in ON | OFF else None
    return number >= 0.5


def said(value: object) -> str:
    """A value as a message shows it: floats in few digits, of the rest the beginning."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (tuple, list)):
        return " ".join(said(part) for part in value[:3])
    return f"{value!r:.60}"


def plain(text: str) -> str:
    """A text as it is kept: every white space (line ends, tabs, no-break spaces) one blank, characters that only steer
    the layout left out."""
    return " ".join("".join(filter(_shows, text)).split())


def let_go(value: object) -> bool:
    """Whether what came with a press says that the button was let go: false, nil, a number below 0.5, a word for off.

    Raises ControlError for what says neither that nor that it went down: no language's word for off may press.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    return not Parameter("a press", "bool", "").check(value)


def _shows(sign: str) -> bool:
    return unicodedata.category(sign) != "Cf" or sign in _JOINERS or "\U000e0020" <= sign <= "\U000e007f"


def checked(
    rows: Mapping[str, Parameter], values: Mapping[str, object], fault: Callable[[str], None]
) -> dict[str, Value | None]:
    """Those of the values that their parameters take, as they keep them; None gives one back to the preset.

    The door of a process: values are checked here and nowhere behind it. Names that are not among the rows are passed
    over, what means nothing is reported to `fault`.
    """
    found: dict[str, Value | None] = {}
    for name, value in values.items():
        row = rows.get(name)
        if row is None or row.kind == "trigger" or row.access == "r":
            continue
        try:
            found[name] = None if value is None else row.check(value)
        except ControlError as error:
            fault(str(error))
    return found


def played(row: Parameter) -> Any:
    """A field of a dataclass of typed controls that this parameter plays; its default is the parameter's, and of a
    trigger, which is True where it was pressed, False.

    In a group of which there are several (`lfo.1`, `lfo.2`), `{i}` in name, about, label and preset stands for the
    number, `{sub}` for it as a subscript, `{before}` for the one before, as places in a list are counted.
    """
    return field(default=False if row.kind == "trigger" else row.default, metadata={"row": row})


def rows(group: type, number: int | None = None) -> Mapping[str, Parameter]:
    """The parameters of a dataclass of typed controls, by its fields' names; number: which of several."""
    known = _ROWS.get((group, number))
    if known is None:
        own: dict[str, Parameter] = {part.name: part.metadata["row"] for part in fields(group)}
        known = own if number is None else {name: _numbered(row, number) for name, row in own.items()}
        _ROWS[group, number] = known
    return known


def read(group: type[Group], values: Mapping[str, Value | None], number: int | None = None) -> Group:
    """Typed controls from checked values by name; what is absent or None is the parameter's default."""
    found = {name: values.get(row.name) for name, row in rows(group, number).items()}
    return group(**{name: value for name, value in found.items() if value is not None})


def written(controls: object, number: int | None = None) -> Iterator[tuple[str, Value]]:
    """Names and values of those controls that are not at their defaults, presses aside; `read` reads them back."""
    for name, row in rows(type(controls), number).items():
        value: Value | None = vars(controls)[name]
        if value is not None and value != row.default and row.kind != "trigger":
            yield row.name, value


def _numbered(row: Parameter, number: int) -> Parameter:
    texts = (row.name, row.about, row.label, row.preset)
    told = {"i": number, "before": number - 1, "sub": chr(ord("₀") + number)}
    name, about, label, preset = (text.format_map(told) for text in texts)
    return replace(row, name=name, about=about, label=label, preset=preset)
