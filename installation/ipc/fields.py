"""What people or other versions may have written, read field by field: what fits is kept, what does not is named.

Unknown keys are passed over, numbers that are not finite fit nowhere.
"""

from __future__ import annotations

import functools
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from installation.ipc.jsonable import Json, table

T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """value: None where a field without a default could not be read; refused: the values that were found there, by the
    names that the text has for them, None for a missing one."""

    value: T | None
    refused: Mapping[str, object]


def read_fields(kind: type[T], written: Mapping[str, object]) -> Reading[T]:
    """A struct or frozen dataclass of values as JSON has them; a field that cannot be read has its default."""
    kept: dict[str, Any] = {}
    refused: dict[str, object] = {}
    whole = True
    for name, key, wanted, required in _fields(kind):  # type: ignore[arg-type]  # a class is hashable
        if key not in written and not required:
            continue
        try:
            kept[name] = fitting(written[key], wanted)
        except (KeyError, ValueError):
            refused[key] = written.get(key)
            whole = whole and not required
    return Reading(kind(**kept) if whole else None, refused)


@dataclass(frozen=True)
class Part(Generic[T]):
    """A part of something saved. value: None where it has to begin anew; trouble: what could not be read of it, as in
    "has no usable rate, speed"; "" where nothing is wrong."""

    value: T | None
    trouble: str = ""

    def line(self, name: str) -> str:
        """The trouble, told to people."""
        return f"the saved {name} {self.trouble}: {'it begins anew' if self.value is None else 'the rest is kept'}"


def read_part(kind: type[T], written: object, version: int) -> Part[T]:
    """A part that was written by `write_part`, or before parts had versions; a field that cannot be read has its
    default, where it has one."""
    if not isinstance(written, Mapping):
        return Part(None, "is missing" if written is None else "is no table")
    found = written.get("version", version)
    if not isinstance(found, int) or isinstance(found, bool) or found > version:
        return Part(None, f"is of version {found!r:.20}, this reads {version}")
    reading = read_fields(kind, written)
    lost = [key for _, key, _, _ in _fields(kind) if key in reading.refused or key not in written]  # type: ignore[arg-type]
    return Part(reading.value, f"has no usable {', '.join(lost)}" if lost else "")


def write_part(value: object, version: int) -> dict[str, Json]:
    """A struct or frozen dataclass as a table that says its version."""
    return {"version": version, **table(value)}


def fitting(value: object, wanted: Any) -> Any:
    """A value of JSON as an annotation wants it. Raises ValueError, in a line."""
    if not _finite(value):
        raise ValueError("a number that is not finite")
    try:
        return msgspec.convert(value, wanted)
    except OverflowError:  # a whole number that no float holds
        raise ValueError("a number that is too large") from None
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


@functools.cache
def _fields(kind: Any) -> list[tuple[str, str, Any, bool]]:
    """Name, name in text, annotation, and whether it must be there."""
    hints = typing.get_type_hints(kind, include_extras=True)
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, (msgspec.inspect.StructType, msgspec.inspect.DataclassType))
    return [(field.name, field.encode_name, hints[field.name], field.required) for field in info.fields]


def _finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(map(_finite, value.values()))
    return not isinstance(value, (list, tuple)) or all(map(_finite, value))
