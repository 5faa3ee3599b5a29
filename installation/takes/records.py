"""The lines of a take, each a frozen type. docs/takes.md says what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from installation.ipc.jsonable import line
from installation.ipc.messages import Place
from installation.ipc.scene import DecoderScene, PlaneScene, WorldScene
from installation.takes.composed import How

FORMAT = 1  # of the text; readers refuse a higher one

Whole = Annotated[int, Meta(ge=0, lt=2**53)]
Side = Annotated[int, Meta(ge=1)]
Part = bool | int | float | str
Played = Part | tuple[Part, ...] | None
Mixed = tuple[tuple[str | int, float], ...]
"""Texts, written out or by their number, and their weights."""


class Record(msgspec.Struct, frozen=True):
    """One line."""


class HeaderLine(Record, frozen=True, kw_only=True):
    """The first: how the show was when the take began. take: the format; world, seer: digests of the weights; profile:
    the render profile's fields and its hash; size: height and width of a picture; period: seconds from picture to
    picture; values: what stood on the desk; preset: resolved, as a table; planned: it is a plan."""

    take: int
    latentworld: str
    started: str
    world: str
    seer: str
    profile: Mapping[str, object]
    size: tuple[Side, Side]
    period: float = 0.0
    values: Mapping[str, Played] = {}
    preset: Mapping[str, object]
    planned: bool | UnsetType = UNSET


class Moment(Record, frozen=True):
    """Anything after the header. at: seconds since the take began."""

    at: float


class SetLine(Moment, frozen=True):
    """A control was set; to: None gave it back to the preset."""

    set: str
    to: Played = None
    by: str = ""


class PressLine(Moment, frozen=True):
    """A trigger was pressed."""

    press: str
    value: Played = None
    by: str = ""


class TextLine(Moment, frozen=True):
    """A text of prompts gets a number, by which mixtures name it."""

    text: Whole
    words: str = msgspec.field(name="is")


class PromptLine(msgspec.Struct, frozen=True):
    """What pictures should be, and what not: a text, its number, or a mixture."""

    mix: str | int | Mixed
    against: str | int | Mixed = msgspec.field(name="not", default="")


class SceneLine(Moment, frozen=True):
    """What the frames below that name this scene are made with. walk: its spec's keys, and `mode`: who steered."""

    scene: Whole
    prompt: str | PromptLine
    plane: PlaneScene
    decoder: DecoderScene
    world: WorldScene
    walk: Mapping[str, object]


class FrameLine(Moment, frozen=True, kw_only=True):
    """A frame. rate, step: None where unknown; digest: of its picture, "" for none; cut: whether the step to it is a
    jump, where somebody said so; marked: of a plan, whether the pacing could not make the step to it any smaller; made,
    toward, share: of a plan, how a frame is made that is no picture of its own place alone (see `composed.Blend`)."""

    index: Whole
    time: float
    place: Place
    rate: float | None = None
    step: float | None = None
    digest: str = msgspec.field(name="sum", default="")
    scene: Whole
    cut: bool | UnsetType | None = UNSET
    marked: bool | UnsetType = UNSET
    made: How | UnsetType = UNSET
    toward: Place | UnsetType = UNSET
    share: Annotated[float, Meta(ge=0.0, le=1.0)] | UnsetType = UNSET


class EndLine(Moment, frozen=True):
    """The last, where the show did not crash."""

    end: str


KINDS: dict[str, type[Moment]] = {
    "set": SetLine, "press": PressLine, "text": TextLine, "scene": SceneLine, "index": FrameLine, "end": EndLine,
}  # fmt: skip
"""By the key that only lines of that kind have; a frame names its scene too."""


def written(record: Record) -> str:
    """A record as its line, the end included."""
    return line(record) + "\n"
