"""Every key that a preset may hold and what it means, read off the models themselves.

sections(walks)         each section with its keys: what each takes, its default, what it does
reference(walks)        all of it as Markdown: `docs/presets.md` is this page
about(model, key)       what one key means
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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

A preset is a TOML file. `latentworld new FILE.toml` writes one with every key explained, and
`latentworld film FILE.toml -o DIR` renders it; `latentworld presets check FILE.toml` says what is wrong with it;
`--set section.key=value` overrides a key, and a name instead of a file takes one that comes along
(`latentworld presets`). Unknown keys are refused. Editors that know TOML (Even Better TOML, Taplo) complete and check
keys by `presets/preset.schema.json`, which a preset's first line names. This page is made from the models by
`latentworld presets keys --markdown`.
"""
REQUIRED, NONE = "required", "none"
KIND = "which kind of walk this is; it decides the other keys"


@dataclass(frozen=True)
class Key:
    """A key of a section. takes: what may stand there, default: where it is left out, both in words; about: what it
    means."""

    name: str
    takes: str
    default: str
    about: str


@dataclass(frozen=True)
class SectionKeys:
    """A table of a preset. name: as it is asked for (`walk.orbit`), title: as it stands in a page."""

    name: str
    title: str
    about: str
    model: type[BaseModel]
    keys: tuple[Key, ...]


def reference(walks: Mapping[str, type[Spec]]) -> str:
    """The page, with the kinds of walk by name."""
    return "\n".join([_HEAD, *(_markdown(section) for section in sections(walks))])


def sections(walks: Mapping[str, type[Spec]]) -> list[SectionKeys]:
    """All tables of a preset in their order, with the kinds of walk by name."""
    return list(_sections(walks))


def _sections(walks: Mapping[str, type[Spec]]) -> Iterator[SectionKeys]:
    top = {name: field for name, field in Preset.model_fields.items() if field.annotation is str}
    keys = tuple(_key(name, field) for name, field in top.items())
    yield SectionKeys("preset", "The preset itself", "Above the first table.", Preset, keys)
    for name, field in Preset.model_fields.items():
        if isinstance(field.default, BaseModel) and name != "walk":
            model = type(field.default)
            yield _section(name, f"[{name}]", model)
            yield from _lists(name, model)
        elif name == "walk":
            for kind, spec in walks.items():
                yield _section(f"walk.{kind}", f'{spec.label}: [walk] kind = "{kind}"', spec)
        elif name == "score":
            yield _section("score", "[[score]]", CueSpec)


def _lists(section: str, model: type[BaseModel]) -> Iterator[SectionKeys]:
    """Of a section, the keys that are lists of tables: each has keys of its own."""
    for key, field in model.model_fields.items():
        args = get_args(field.annotation)
        if args and isinstance(args[0], type) and issubclass(args[0], BaseModel):
            yield _section(f"{section}.{key}", f"[[{section}.{key}]]", args[0])


def _section(name: str, title: str, model: type[BaseModel]) -> SectionKeys:
    keys = tuple(_key(key, field) for key, field in model.model_fields.items())
    return SectionKeys(name, title, inspect.cleandoc(model.__doc__ or ""), model, keys)


def _key(name: str, field: FieldInfo) -> Key:
    about = field.description or (KIND if name == "kind" else "")
    return Key(name, _kind(field), _default(field), about)


def about(model: type[BaseModel], key: str) -> str:
    """What a key of a model means; "" where that has no such key, or says nothing of it."""
    field = model.model_fields.get(key)
    return (field.description or "") if field is not None else ""


def _markdown(section: SectionKeys) -> str:
    rows = [f"| `{key.name}` | {key.takes} | {_quoted(key.default)} | {_cell(key.about)} |" for key in section.keys]
    head = [
        f"## {section.title}",
        "",
        section.about,
        "",
        "| key | takes | default | what it does |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows, ""])


def _quoted(default: str) -> str:
    return default if default in ("", REQUIRED, NONE) else f"`{default}`"


def _cell(text: str) -> str:
    return text.replace("|", "/")


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
    """In words, "" for none."""
    if field.default is PydanticUndefined:
        return REQUIRED
    if field.default is None:
        return ""
    if field.default == ():
        return NONE
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return str(value).lower() if isinstance(value, bool) else str(value)
