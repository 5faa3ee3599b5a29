"""Values as JSON takes them, and as one line of text: for browsers, for files that people read, for figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def jsonable(value: object, digits: int | None = None) -> Json:
    """A value, or all that lies in it: structs and dataclasses become objects, tuples arrays, names texts, and what is
    not finite null.

    digits: significant ones kept of a float; None keeps every bit. Raises TypeError for what has no place in JSON.
    """
    return _finite(msgspec.to_builtins(value, str_keys=True, enc_hook=builtin), digits)


def table(value: object, digits: int | None = None) -> dict[str, Json]:
    """`jsonable` of a struct, dataclass or mapping. Raises TypeError for anything else."""
    made = jsonable(value, digits)
    if not isinstance(made, dict):
        raise TypeError(f"a {type(value).__name__} is no table")
    return made


def line(value: object, digits: int | None = None, compact: bool = False) -> str:
    """A value as one line of JSON, every character as it is; compact: without blanks, for machines."""
    separators = (",", ":") if compact else None
    return json.dumps(jsonable(value, digits), allow_nan=False, ensure_ascii=False, separators=separators)


def page(value: object) -> str:
    """A value as indented JSON, for files that people read; ASCII alone."""
    return json.dumps(jsonable(value), allow_nan=False, indent=2) + "\n"


def builtin(value: Any) -> dict[Any, Any] | str:
    """What msgspec does not take for what it is: a read-only mapping, a text of another class (torch's version)."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"a {type(value).__name__} has no place in JSON")


def _finite(value: Any, digits: int | None) -> Json:
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return value if digits is None else float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: _finite(part, digits) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part, digits) for part in value]
    return value  # type: ignore[no-any-return]  # what `to_builtins` gives
