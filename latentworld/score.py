"""A score as a preset has it: cues, each at a moment, that set what can be played. What plays them is elsewhere.

moment("0:30")      # Moment("time", 30.0)
moment("bar 9")     # Moment("bar", 9.0): bars and beats are counted from 1
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    Strict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from latentworld import easing
from latentworld.explain import nearest
from latentworld.frozen import keyed

Unit = Literal["time", "frame", "beat", "bar", "lap", "rift"]
Setting = bool | int | FiniteFloat | str | Annotated[tuple[FiniteFloat | str, FiniteFloat | str], Strict(False)]
"""What a parameter is set to: a number, a text (of a number: an expression), a switch, a choice, alpha and beta."""
MOST = 100_000  # cues of a score
Points = Annotated[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat], Strict(False)]
LATEST = 1e8  # seconds, and frames: three years, eleven weeks
WORDS = "seconds, a clock's time as in 0:30, or frame 720, beat 33, bar 9, lap 0.5, rift 3"
LENGTHS = "seconds, or as in 2 bars, 8 beats, 48 frames"
_CLOCK = re.compile(r"(?:(\d{1,5}):)?(\d{1,6}):([0-5]?\d(?:\.\d+)?)")
_COUNT = re.compile(r"(frame|beat|bar|lap|rift) +(\d{1,9}(?:\.\d+)?)")
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d+)?) *s?")
_LENGTH = re.compile(r"(\d{1,9}(?:\.\d+)?) *(s|second|seconds|frame|frames|beat|beats|bar|bars)")


@dataclass(frozen=True)
class Moment:
    """When a cue is due. time: seconds from the beginning; frame: number, from 0; beat, bar: number, from 1; lap: share
    of the walk's length that was walked; rift: number of rifts that were crossed."""

    unit: Unit
    number: float

    @property
    def known(self) -> bool:
        """Whether a clock alone says when it is: not so of what the walk comes to."""
        return self.unit not in ("lap", "rift")


@dataclass(frozen=True)
class Length:
    """How long a fade takes, in seconds, frames, beats or bars."""

    unit: Literal["time", "frame", "beat", "bar"]
    number: float


def moment(at: float | str) -> Moment:
    """The moment that is meant. Raises ValueError for what names none."""
    if not isinstance(at, str):
        return _within(Moment("time", float(at)))
    text = at.strip().lower()
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = found.groups()
        return _within(Moment("time", 3600.0 * int(hours or 0) + 60.0 * int(minutes) + float(seconds)))
    if found := _SECONDS.fullmatch(text):
        return _within(Moment("time", float(found[1])))
    if found := _COUNT.fullmatch(text):
        unit: Unit = found[1]  # type: ignore[assignment]
        return _within(Moment(unit, float(found[2])))
    raise ValueError(WORDS)


def length(over: float | str) -> Length:
    """How long a fade is. Raises ValueError for what says no length."""
    if isinstance(over, str):
        found = _LENGTH.fullmatch(over.strip().lower())
        if found is None:
            raise ValueError(LENGTHS)
        unit = found[2].rstrip("s") or "s"
        chosen: Literal["time", "frame", "beat", "bar"] = "time" if unit in ("s", "second") else unit  # type: ignore[assignment]
        found_length = Length(chosen, float(found[1]))
    else:
        found_length = Length("time", float(over))
    if not 0 <= found_length.number <= LATEST:
        raise ValueError(LENGTHS)
    return found_length


def _within(found: Moment) -> Moment:
    """The moment, where it can be. Raises ValueError."""
    number, unit = found.number, found.unit
    whole = unit in ("frame", "rift")
    least = 1.0 if unit in ("beat", "bar", "rift") else 0.0
    if not least <= number <= LATEST or (whole and number != int(number)):
        raise ValueError(f"{WORDS}; beats, bars and rifts count from 1")
    return found


def _at(value: float | str) -> float | str:
    return _said(value, moment)


def _over(value: float | str) -> float | str:
    return _said(value, length)


def _said(value: float | str, reader: object) -> float | str:
    try:
        reader(value)  # type: ignore[operator]
    except ValueError as error:
        raise PydanticCustomError("spelling", "must be {words}", {"words": str(error)}) from None
    return value


def _easing(value: easing.Easing) -> easing.Easing:
    if isinstance(value, str) and value not in easing.NAMES:
        words = f"an easing: {nearest(value, easing.NAMES)}"
        raise PydanticCustomError("spelling", "must be {words}", {"words": words})
    if not isinstance(value, str) and not (0 <= value[0] <= 1 and 0 <= value[2] <= 1):
        words = "[x1, y1, x2, y2], a curve's inner points, each x within 0..1"
        raise PydanticCustomError("spelling", "must be {words}", {"words": words})
    return value


def _flat(value: object) -> object:
    """Tables in tables as one: `walk.speed = 2` in TOML is a table `walk`."""
    return dict(_leaves(value, "")) if isinstance(value, Mapping) else value


def _leaves(table: Mapping[object, object], above: str) -> Iterator[tuple[str, object]]:
    for name, part in table.items():
        if isinstance(part, Mapping):
            yield from _leaves(part, f"{above}{name}.")
        else:
            yield f"{above}{name}", part


def _setting(value: object, read: ValidatorFunctionWrapHandler) -> object:
    """As `read` has it, and in words of ours what is none."""
    try:
        return read(value)
    except ValidationError:
        words = "a finite number, a text, true or false, or [alpha, beta]"
        raise PydanticCustomError("spelling", "must be {words}", {"words": words}) from None


def _some(value: dict[str, Setting]) -> dict[str, Setting]:
    if not value:
        raise PydanticCustomError("spelling", "must be a table of parameters, as in walk.speed = 6.0")
    return value


class CueSpec(BaseModel):
    """A cue of the score: at a moment, what is to be set. Any number of `[[score]]` tables; see docs/score.md."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    at: Annotated[FiniteFloat | str, AfterValidator(_at)] = keyed(
        ...,
        "when: seconds, `0:30`, `frame 720`, `beat 33`, `bar 9`, or where the walk comes to: `lap 0.5` (half its "
        "length), `rift 3` (the third rift crossed)",
    )
    over: Annotated[FiniteFloat | str, AfterValidator(_over)] = keyed(
        0.0,
        "how long the fade there takes: seconds, or `2 bars`, `8 beats`, `48 frames`; 0: at once",
    )
    ease: Annotated[str | Points, AfterValidator(_easing)] = keyed(
        "linear",
        "the fade's course: a name, or [x1, y1, x2, y2] as in CSS",
    )
    name: Annotated[str, Field(max_length=120)] = keyed("", "what the deck and the film's chapters call it")
    set: Annotated[
        dict[str, Annotated[Setting, WrapValidator(_setting)]], BeforeValidator(_flat), AfterValidator(_some)
    ] = keyed(
        ...,
        "parameters by their names in docs/osc.md (`walk.speed`) or by the preset's keys (`pacing.speed`), with "
        "numbers, expressions (`2 + sine(beat / 8)`), texts, choices, [alpha, beta]",
    )


class TempoSpec(BaseModel):
    """The tempo that beats and bars of a score are counted by, where there is no sound to count by."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    bpm: Annotated[FiniteFloat, Field(ge=10.0, le=1000.0)] | None = keyed(None, "beats a minute")
    bar: Annotated[int, Field(ge=1, le=64)] = keyed(4, "beats in a bar")
    first: Annotated[FiniteFloat, Field(ge=0.0, le=1e6)] = keyed(0.0, "when the first beat is, in seconds")


def _tables(value: object) -> object:
    if not isinstance(value, list | tuple):
        raise PydanticCustomError("spelling", "must be {words}", {"words": "tables, each written [[score]]"})
    return value


Cues = Annotated[tuple[CueSpec, ...], Strict(False), Field(max_length=MOST), BeforeValidator(_tables)]
"""A score, as a preset has it."""
