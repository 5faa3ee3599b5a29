"""What pydantic found wrong, as one line that says where, what stands there and what to do.

explain(error, Preset)      # walk.speed = "fast": must be a valid number; the default is 4.0
nearest("nutral", names)    # did you mean 'neutral'?
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sized
from difflib import get_close_matches

from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError, PydanticUndefined

CUT = "..."  # where a value is shown in part
LONG = ("string_too_long", "too_long")  # of which the value itself would say nothing: what is wrong is how long it is


def explain(error: ValidationError, model: type[BaseModel], chosen: Mapping[str, type[BaseModel]] | None = None) -> str:
    """The error that tells most, in one line.

    model: what was to be validated; its sections' keys and defaults are what the line proposes. chosen: the models of
    sections whose keys depend on what was chosen there (a walk's, by its kind), by section.
    """
    defaults = {name: type(field.default) for name, field in model.model_fields.items()}
    sections = {name: kind for name, kind in defaults.items() if issubclass(kind, BaseModel)}
    errors = error.errors()
    return _line(_foremost(errors), model, {**sections, **(chosen or {})}, _named(errors))


def spelt(pattern: str, words: str) -> AfterValidator:
    """A text of this pattern; what is another is told in words, as in "auto, cpu or cuda:1"."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise PydanticCustomError("spelling", "must be {words}", {"words": words})
        return text

    return AfterValidator(check)


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


def _named(errors: list[ErrorDetails]) -> str:
    """What a value may be called where it need not be a number: the names in another branch of its union."""
    found = next((error for error in errors[1:] if error["type"] == "literal_error"), None)
    if found is None or found["input"] is not errors[0]["input"]:
        return ""
    return f" or {found['ctx']['expected']}".replace("'", '"')


def _line(error: ErrorDetails, model: type[BaseModel], sections: Mapping[str, type[BaseModel]], named: str = "") -> str:
    kind, given = error["type"], error["input"]
    *above, last = error["loc"] or ("",)
    words = [str(part) for part in above if not _is_branch(part)]
    words += [str(last)] if kind == "extra_forbidden" or not _is_branch(last) else []  # a key may be called as a branch
    where = "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in words).removeprefix(".")
    if kind == "extra_forbidden" and len(words) == 1:
        return f"unknown section or key {where!r}: {nearest(where, model.model_fields)}"
    if kind == "extra_forbidden":
        section = sections.get(words[0])
        own = section.model_fields if section else {}
        others = [name for name, other in sections.items() if words[-1] in other.model_fields]
        if others and not get_close_matches(words[-1], own, n=1, cutoff=0.55):
            return f"unknown key {where!r}: did you mean '{others[0]}.{words[-1]}'?"
        return f"unknown key {where!r}: {nearest(words[-1], own)}"
    if kind in LONG and shown(given).endswith(CUT) and (most := error["ctx"].get("max_length")) is not None:
        unit = "characters" if isinstance(given, str) else "entries"
        count = len(given) if isinstance(given, Sized) else "more"
        remedy = "shorten it" if isinstance(given, str) else "leave some out"
        return f"{where} has {count} {unit}, at most {most} are taken: {remedy}"
    if kind == "missing" and isinstance(given, Mapping):
        has = f"it has {', '.join(map(repr, list(given)[:4]))}" if given else "it is empty"
        return f"[{where.removesuffix(f'.{last}')}] lacks {str(last)!r}: {has}"
    message = re.sub("^(Input|String|Tuple) should", "must", error["msg"].removeprefix("Value error, "))
    message = message.replace(" after validation", "").replace("a valid tuple", "a list, as in [1, 2]")
    if kind == "literal_error" and isinstance(given, str):
        valid = re.findall(r"'([^']+)'", error["ctx"]["expected"])
        return f"{where} = {shown(given)}: {nearest(given, valid)}"
    if kind in ("value_error", "model_type", "dict_type", "model_attributes_type") or isinstance(given, Mapping):
        return f"[{where}]: {message}; correct that section" if where else message
    return f"{where} = {shown(given)}: {message[0].lower()}{message[1:]}{named}{_remedy(sections, words)}"


def _is_branch(part: int | str) -> bool:
    """Whether a part of a place names a branch of a union of types, and no key."""
    return isinstance(part, str) and ("[" in part or part.removeprefix("constrained-") in {"int", "float", "str"})


def _remedy(sections: Mapping[str, type[BaseModel]], words: list[str]) -> str:
    """What to do about a value: the key's default where it has one."""
    section = sections.get(words[0]) if len(words) > 1 else None
    field = section.model_fields.get(words[1]) if section else None
    default = field.default if field else None
    if default in (None, ()) or default is PydanticUndefined or isinstance(default, BaseModel):
        return "; correct it or leave it out"
    return f"; the default is {shown(default)}"


def shown(value: object) -> str:
    """A value as it was written, at most 60 characters."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}{CUT}"
