"""What pydantic found wrong, as one line that says where, what stands there and what to do.

explain(error, Preset)      # walk.speed = "fast": must be a valid number; the default is 4.0
nearest("nutral", names)    # did you mean 'neutral'?
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticUndefined


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The error that tells most, in one line.

    model: what was to be validated; its sections' keys and defaults are what the line proposes.
    """
    return _line(_foremost(error.errors()), model)


def nearest(name: str, valid: Iterable[str]) -> str:
    """`did you mean ...?`, or the choice there is where nothing is near."""
    choice = sorted(valid)
    close = get_close_matches(name, choice, n=1, cutoff=0.55)
    return f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(choice)}"


def _foremost(errors: list[ErrorDetails]) -> ErrorDetails:
    """The error to report: of a value that no branch of a union takes, "not finite" says more than "not a string", and
    of a list what is wrong inside it."""
    inside = errors[1:2] if errors[0]["type"] == "string_type" and isinstance(errors[0]["input"], list) else []
    return next((error for error in errors if error["type"] == "finite_number"), (inside or errors)[0])


def _line(error: ErrorDetails, model: type[BaseModel]) -> str:
    kind, given, loc = error["type"], error["input"], error["loc"]
    kinds = _kinds(model, str(loc[0])) if loc else {}
    # in a tagged union pydantic writes the tag into the place; readers know no such level
    tag = str(loc[1]) if len(loc) > 1 and loc[1] in kinds else None
    place = [part for i, part in enumerate(loc) if not (tag and i == 1)]
    words = [str(part) for part in place if not _is_branch(part)]
    where = ".".join(words[:2]) + "".join(f"[{part}]" for part in words[2:])
    if kind == "extra_forbidden" and len(words) == 1:
        return f"unknown section or key {where!r}: {nearest(where, model.model_fields)}"
    if kind == "extra_forbidden":
        section = _section(model, words[0], tag)
        return f"unknown key {where!r}: {nearest(words[-1], section.model_fields if section else ())}"
    if kind == "union_tag_invalid":
        chosen = given.get("kind") if isinstance(given, Mapping) else given
        return f"{where}.kind = {_shown(chosen)}: {nearest(str(chosen), kinds)}"
    message = re.sub("^(Input|String|Tuple) should", "must", error["msg"].removeprefix("Value error, "))
    if kind == "literal_error" and isinstance(given, str):
        valid = re.findall(r"'([^']+)'", error["ctx"]["expected"])
        return f"{where} = {_shown(given)}: {nearest(given, valid)}"
    if kind in ("value_error", "model_type", "dict_type", "model_attributes_type") or isinstance(given, Mapping):
        return f"[{where}]: {message}; correct that section"
    return f"{where} = {_shown(given)}: {message[0].lower()}{message[1:]}{_remedy(model, words, tag)}"


def _is_branch(part: int | str) -> bool:
    """Whether a part of a place names a branch of a union of types, and no key."""
    return isinstance(part, str) and ("[" in part or part.removeprefix("constrained-") in {"int", "float", "str"})


def _kinds(model: type[BaseModel], section: str) -> dict[str, type[BaseModel]]:
    """The models of a section whose keys depend on its `kind`, by kind; empty for any other section."""
    field = model.model_fields.get(section)
    if field is None or field.discriminator is None:
        return {}
    members: tuple[type[BaseModel], ...] = get_args(field.annotation)
    return {str(kind): member for member in members for kind in get_args(member.model_fields["kind"].annotation)}


def _section(model: type[BaseModel], section: str, tag: str | None) -> type[BaseModel] | None:
    field = model.model_fields.get(section)
    if tag is not None:
        return _kinds(model, section).get(tag)
    return type(field.default) if field and isinstance(field.default, BaseModel) else None


def _remedy(model: type[BaseModel], words: list[str], tag: str | None) -> str:
    """What to do about a value: the key's default where it has one."""
    section = _section(model, words[0], tag) if len(words) > 1 else None
    field = section.model_fields.get(words[1]) if section else None
    default = field.default if field else None
    if default is None or default is PydanticUndefined or isinstance(default, BaseModel):
        return "; correct it or leave it out"
    return f"; the default is {_shown(default)}"


def _shown(value: object) -> str:
    """A value as it was written, at most 60 characters."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
