"""What every number of a preset may be: a golden table, since a bound that moves by one is seen by nobody's eye.

Written anew by `python tests/test_preset_bounds.py`, to be read before it is committed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from latentworld import walks
from latentworld.preset import Preset

GOLDEN = Path(__file__).parent / "preset_bounds.txt"
WORDS = {
    "minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<", "multipleOf": "multiple of",
    "minItems": "items >=", "maxItems": "items <=", "minLength": "length >=", "maxLength": "length <=",
}  # fmt: skip


def bounds() -> str:
    """A line for each bound of each key: `walk.orbit.latitude >= -89.0`."""
    schemas = {"preset": Preset.model_json_schema()}
    schemas |= {f"walk.{kind}": walks.spec_of(kind).model_json_schema() for kind in walks.kinds()}
    lines = {line for name, schema in schemas.items() for line in _lines(name, schema)}
    return "\n".join(sorted(lines)) + "\n"


def _lines(name: str, part: object) -> Iterator[str]:
    if isinstance(part, list):
        for each in part:
            yield from _lines(name, each)
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key in WORDS:
            yield f"{name} {WORDS[key]} {json.dumps(value)}"
        elif key in ("properties", "$defs"):
            for inner, schema in value.items():
                yield from _lines(f"{name}.{inner}", schema)
        elif key not in ("default", "examples"):
            yield from _lines(name, value)


def test_bounds_are_what_they_were() -> None:
    assert bounds() == GOLDEN.read_text(encoding="utf-8")


if __name__ == "__main__":
    GOLDEN.write_text(bounds(), encoding="utf-8")
