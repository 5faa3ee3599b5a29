"""Every key that a preset may hold, as Markdown, read off the models themselves: `docs/presets.md` is this page."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from latentworld.preset import Preset
from latentworld.score import CueSpec
from latentworld.walks import Spec

_HEAD = """# Presets

A preset is a TOML file. `latentworld film FILE.toml -o DIR` renders it, `--set section.key=value` overrides a key, and
a name instead of a file takes one that comes along (`latentworld presets`). Unknown keys are refused. This page is made
from the models by `latentworld presets keys`.
"""


def reference(walks: Mapping[str, type[Spec]]) -> str:
    """The page, with the kinds of walk by name."""
    parts = [_HEAD]
    for name, field in Preset.model_fields.items():
        if isinstance(field.default, BaseModel) and name != "walk":
            parts.append(_section(f"[{name}]", type(field.default)))
            parts += _lists(name, type(field.default))
        elif name == "walk":
            parts += [_section(f'{model.label}: [walk] kind = "{kind}"', model) for kind, model in walks.items()]
        elif name == "score":
            parts.append(_section("[[score]]", CueSpec))
    return "\n".join(parts)


def _lists(section: str, model: type[BaseModel]) -> list[str]:
    """Of a section, the keys that are lists of tables: each has keys of its own."""
    inner = ((key, get_args(field.annotation)) for key, field in model.model_fields.items())
    return [
        _section(f"[[{section}.{key}]]", args[0])
        for key, args in inner
        if args and isinstance(args[0], type) and issubclass(args[0], BaseModel)
    ]


def _section(title: str, model: type[BaseModel]) -> str:
    rows = [f"| `{key}` | {_kind(field)} | {_default(field)} |" for key, field in model.model_fields.items()]
    head = [f"## {title}", "", inspect.cleandoc(model.__doc__ or ""), "", "| key | takes | default |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _kind(field: FieldInfo) -> str:
    return _type(field.annotation, field.metadata).replace("|", "or")


def _bound(constraint: object) -> str | None:
    """A constraint of a field in words, None for one of another kind."""
    match constraint:
        case Ge(ge=value):
            return f"≥ {value}"
        case Gt(gt=value):
            return f"> {value}"
        case Le(le=value):
            return f"≤ {value}"
        case Lt(lt=value):
            return f"< {value}"
        case MultipleOf(multiple_of=value):
            return f"a multiple of {value}"
    return None


def _type(annotation: object, metadata: Sequence[object] = ()) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    bounds = [bound for constraint in metadata if (bound := _bound(constraint))]
    if origin is Annotated:
        inner = [extra for m in args[1:] for extra in (m.metadata if isinstance(m, FieldInfo) else [m])]
        return _type(args[0], [*inner, *metadata])
    if origin is Literal:
        text = ", ".join(f"`{arg}`" for arg in args)
    elif origin in (Union, UnionType):
        text = " or ".join(_type(arg) for arg in args if arg is not NoneType)
    elif origin is tuple and isinstance(args[0], type) and issubclass(args[0], BaseModel):
        text = "tables, see below"
    elif origin in (dict, Mapping):
        text = f"table of {_type(args[1])}"
    elif origin is tuple:
        text = f"list of {_type(args[0])}" if args[-1] is Ellipsis else f"[{', '.join(_type(arg) for arg in args)}]"
    else:
        plain = ((bool, "true or false"), (int, "whole number"), (float, "number"), (str, "text"))
        text = next((words for kind, words in plain if annotation is kind), str(annotation))
    return " ".join([text, *([", ".join(bounds)] if bounds else [])])


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return ""
    if field.default == ():
        return "none"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
