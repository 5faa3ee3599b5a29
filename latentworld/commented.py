"""A preset as TOML with every key explained, for people to go on from: `preset.load` reads the same preset back.

commented(preset)               # every setting spelt out, as `latentworld presets show` prints it
commented(preset, whole=False)  # what is as by default stands there commented out, as `latentworld new` writes it
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from latentworld.preset import Preset
from latentworld.reference import NONE, REQUIRED, Key, SectionKeys, sections

WIDE = 110  # columns of a comment


def commented(preset: Preset, *, whole: bool = True, head: str = "") -> str:
    """The text. whole: every setting is in force as written; else what is as by default is commented out. head: lines
    that stand above all."""
    spec = type(preset.walk)
    found = {section.name: section for section in sections({preset.walk.kind: spec})}
    parts = [head, _top(preset, found["preset"])]
    for name in Preset.model_fields:
        value = dict(preset)[name]
        if isinstance(value, BaseModel):
            section = found[f"walk.{preset.walk.kind}" if name == "walk" else name]
            parts.append(_table(name, value, section, whole))
            inner = [f"{name}.{key.name}" for key in section.keys]
            parts += [_tables(each, dict(value)[each.rpartition(".")[2]], found, whole) for each in inner]
    parts.append(_tables("score", preset.score, found, whole))
    return "\n".join(part for part in parts if part)


def _top(preset: Preset, section: SectionKeys) -> str:
    lines = [f"{key.name} = {_value(dict(preset)[key.name])}" for key in section.keys]
    return "\n".join(lines) + "\n"


def _table(name: str, value: BaseModel, section: SectionKeys, whole: bool) -> str:
    """A table with its keys. Of walks `kind` stands first: it decides the others."""
    lines = [*_prose(section.about.split("\n\n")[0]), f"[{name}]"]
    said, usual = value.model_dump(mode="json"), section.model.model_fields
    for key in sorted(section.keys, key=lambda key: key.name != "kind"):
        if _are_tables(dict(value)[key.name], key):
            continue
        lines += _prose(_words(key))
        as_usual = dict(value)[key.name] == usual[key.name].default and key.name != "kind"
        off = "#" if said[key.name] is None or (as_usual and not whole) else ""
        lines.append(f"{off}{key.name} = {_value(said[key.name])}".rstrip())
    return "\n".join(lines) + "\n"


def _tables(name: str, value: object, found: Mapping[str, SectionKeys], whole: bool) -> str:
    """A list of tables; of none what one may hold, commented out, "" where that is not asked for."""
    if value == () and not whole and name in found:
        lines = [*_prose(found[name].about.split("\n\n")[0]), f"#[[{name}]]"]
        for key in found[name].keys:
            lines += [*_prose(_words(key)), f"#{key.name} ="]
        return "\n".join(lines) + "\n"
    if not isinstance(value, tuple) or not value or not isinstance(value[0], BaseModel):
        return ""
    rows = (part.model_dump(mode="json", exclude_none=True) for part in value)
    return "\n".join(
        "\n".join([f"[[{name}]]", *(f"{key} = {_value(part)}" for key, part in row.items())]) + "\n" for row in rows
    )


def _are_tables(value: object, key: Key) -> bool:
    return key.takes.startswith("tables") or (
        isinstance(value, tuple) and bool(value) and isinstance(value[0], BaseModel)
    )


def _words(key: Key) -> str:
    """What a key means, takes and is by default."""
    if key.name == "kind" and not key.about:
        return ""
    usual = f"; {key.default}" if key.default == REQUIRED else f"; default {key.default}" if key.default else ""
    usual = "" if key.default == NONE else usual
    return f"{key.about} ({key.takes.replace('`', '')}{usual})"


def _prose(text: str) -> Iterator[str]:
    """Lines of a comment."""
    yield from (f"# {line}" for line in textwrap.wrap(" ".join(text.split()), WIDE, break_on_hyphens=False))


def _value(value: object) -> str:
    """As TOML has it, on one line; "" for what it has no word for."""
    import tomli_w

    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(part) for part in value)}]"
    if isinstance(value, Mapping):
        rows = ", ".join(
            f"{tomli_w.dumps({str(key): 0}).partition(' = ')[0]} = {_value(part)}" for key, part in value.items()
        )
        return f"{{ {rows} }}" if rows else "{}"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")
