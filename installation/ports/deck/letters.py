"""What a deck is told: each message a frozen type, sent as JSON. static/constants.js is made from here."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from installation.backstage import AnswerContent
from installation.control.parameter import Parameter, Value
from installation.ipc.jsonable import Json


class TrackRow(msgspec.Struct, frozen=True, array_like=True):
    """A frame on the track, an array in this order; None where it is not known."""

    index: int
    alpha: float | None
    beta: float | None
    front: bool
    x: float
    y: float
    z: float
    radius: float
    rate: float | None
    step: float | None


class Lists(msgspec.Struct, frozen=True):
    """Names of snapshots, the one that was saved or recalled last, and names of takes, newest first."""

    snapshots: tuple[str, ...] = ()
    snapshot: str | None = None
    takes: tuple[str, ...] = ()


class Letter(msgspec.Struct, frozen=True, tag_field="kind"):
    """One message."""


class Hello(Letter, frozen=True, tag="hello"):
    """The first: everything a deck needs to begin. you: how the show calls it; table: the parameters; meanings: what a
    preset's key says of itself, by the parameter it stands behind; values, bases: by name, what was set and what the
    preset has; track: the newest frames; atlas: whether there is one."""

    you: str
    version: str
    table: tuple[Parameter, ...]
    meanings: Mapping[str, str]
    values: Mapping[str, Value | None]
    bases: Mapping[str, Value]
    atlas: bool
    track: tuple[TrackRow, ...]
    status: Mapping[str, Json]
    lists: Lists


class News(Letter, frozen=True, tag="news", omit_defaults=True):
    """What is new, at most twenty times a second; a part that is not, is absent. changes: name, value and source;
    moving: where on their way 0..1 the faders are that move by themselves; the rest as in `Hello`."""

    changes: tuple[tuple[str, Value | None, str], ...] | UnsetType = UNSET
    track: tuple[TrackRow, ...] | UnsetType = UNSET
    bases: Mapping[str, Value] | UnsetType = UNSET
    lists: Lists | UnsetType = UNSET
    atlas: bool | UnsetType = UNSET
    status: Mapping[str, Json] | UnsetType = UNSET
    moving: Mapping[str, float] | UnsetType = UNSET


class Reply(Letter, frozen=True, tag="answer"):
    """To a question, under its number: an answer, or why there is none."""

    id: int
    answer: AnswerContent | UnsetType = UNSET
    fault: str | UnsetType = UNSET


class Refused(Letter, frozen=True, tag="refused"):
    """Why something that the deck said was not done."""

    text: str


LETTERS = (Hello, News, Reply, Refused)
