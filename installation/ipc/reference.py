"""docs/messages.md, made from the types: `python -m installation.ipc.reference > docs/messages.md`."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import msgspec

from installation.ipc import messages, questions, scene
from latentworld.decoding.profile import Profile
from latentworld.prompts import Prompt

WAYS = {
    "show → renderer": messages.TO_RENDERER,
    "renderer → show": messages.FROM_RENDERER,
    "show → stage, outputs": messages.TO_STAGE,
    "stage, outputs → show": messages.FROM_STAGE,
}
PARTS: tuple[type[Any], ...] = (
    scene.SceneDescription, scene.PlaneScene, scene.DecoderScene, scene.WorldScene, scene.WalkScene, Prompt, Profile,
    questions.WordsQuestion, questions.DiffusionQuestion, questions.WordsAnswer, questions.DiffusionAnswer,
    questions.DenoisingStep, messages.Intervals,
)  # fmt: skip
_HEAD = """# Messages

What the processes of a show say to each other, one JSON object a line over pipes. Made from the types in
`installation/ipc` by `python -m installation.ipc.reference`; a test keeps it in step.

`kind` says which message a line is, `what` which question or answer. [x] is an array of x, {x} an object with values x,
x? may be null; numbers that are not finite are null. What a reader does not know it passes over; a line that is unknown
or malformed is one line in the log.
"""


def reference() -> str:
    """The page."""
    parts = [_HEAD]
    for way, kinds in WAYS.items():
        parts += [f"## {way}\n", "| kind | fields | |", "|---|---|---|", *(_row(kind) for kind in kinds), ""]
    parts += ["## What lies in them\n", "| | fields | |", "|---|---|---|"]
    parts += [_part(kind) for kind in PARTS]
    return "\n".join(parts) + "\n"


def _row(kind: type[messages.Message]) -> str:
    return f"| `{kind.__struct_config__.tag}` | {_fields(kind)} | {_about(kind)} |"


def _part(kind: type[Any]) -> str:
    tag = None if is_dataclass(kind) else kind.__struct_config__.tag
    return f"| {kind.__name__}{f', `{tag}`' if tag else ''} | {_fields(kind)} | {_about(kind)} |"


def _fields(kind: type[Any]) -> str:
    hints = typing.get_type_hints(kind)
    names: Iterable[tuple[str, str]]
    if is_dataclass(kind):
        names = [(field.name, field.name) for field in fields(kind)]
    else:
        names = [(field.name, field.encode_name) for field in msgspec.structs.fields(kind)]
    return ", ".join(f"`{key}` {_word(hints[name])}" for name, key in names)


def _about(kind: type[Any]) -> str:
    text = " ".join((kind.__doc__ or "").split())
    return re.sub(r" Raises .*", "", text).replace("|", "\\|")


def _word(hint: Any) -> str:
    """An annotation as the page has it."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        known = [_word(part) for part in parts if part is not types.NoneType]
        return (" or ".join(known) if len(known) <= 2 else "value") + ("?" if types.NoneType in parts else "")
    if origin is typing.Literal:
        return " or ".join(f'"{part}"' for part in parts)
    if origin is tuple:
        words = [_word(part) for part in parts if part is not Ellipsis]
        return f"[{', '.join(words)}]"
    if origin is not None and issubclass(origin, Mapping):
        return f"{{{_word(parts[1])}}}"
    names = {int: "integer", float: "number", str: "string", bool: "boolean", object: "value"}
    return names.get(hint) or str(hint.__name__)


if __name__ == "__main__":
    print(reference(), end="")
