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
