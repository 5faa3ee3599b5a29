"""What a shell completes: presets, worlds, sections and keys. Nothing that is asked here imports a model library.

Called by typer with what was typed so far; gives names with a word about each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import get_args

WIDE = 60  # columns of words beside a name
Found = list[tuple[str, str]]


def preset(incomplete: str) -> Found:
    """Presets that come along. Where a path is meant, the shell's own files."""
    from latentworld import preset as presets

    return [(name, presets.load(name).title) for name in presets.names() if name.startswith(incomplete)]


def world(incomplete: str) -> Found:
    """Worlds on this machine."""
    from latentworld.worlds import survey

    return [(found.name, found.card.title) for found in survey()[0] if found.name.startswith(incomplete)]


def walk(incomplete: str) -> Found:
    """Kinds of walk."""
    from latentworld import walks

    return [(kind, spec.label) for kind, spec in walks.specs().items() if kind.startswith(incomplete)]


def section(incomplete: str) -> Found:
    """Sections of a preset."""
    return [(name, words) for name, words in _names() if name.startswith(incomplete)]


def override(incomplete: str) -> Found:
    """Keys of `--set`, and after the equals sign the choices there are."""
    name, equals, _ = incomplete.partition("=")
    found = list(_keys())
    if not equals:
        return [(key, _short(words)) for key, words, _ in found if key.startswith(name)]
    choices = [choice for key, _, several in found if key == name for choice in several]
    return [(text, "") for choice in choices if (text := f"{name}={choice}").startswith(incomplete)]


def _names() -> Iterator[tuple[str, str]]:
    from latentworld import walks
    from latentworld.reference import sections

    every = sections(walks.specs())
    yield from ((part.name, _short(part.about)) for part in every)
    yield "walk", "every kind of walk"


def _keys() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Names as `--set` takes them, what each means, and its choices."""
    from latentworld import walks
    from latentworld.reference import sections

    seen: set[str] = set()
    for part in sections(walks.specs()):
        if part.title.startswith("[["):
            continue  # a list of tables is not set by a key
        place = "" if part.name == "preset" else f"{part.name.split('.')[0]}."
        for key in part.keys:
            if (name := f"{place}{key.name}") not in seen:
                seen.add(name)
                choices = (
                    walks.kinds() if name == "walk.kind" else _choices(part.model.model_fields[key.name].annotation)
                )
                yield name, key.about, choices


def _short(words: str) -> str:
    """The beginning, on one line: typer breaks what is longer into several, which shells take for names."""
    head = re.split(r"[;:(]| \(", words.split("\n")[0])[0].strip()
    return head if len(head) <= WIDE else f"{head[: WIDE - 1]}…"


def _choices(annotation: object) -> tuple[str, ...]:
    if annotation is bool:
        return ("true", "false")
    return tuple(part for part in get_args(annotation) if isinstance(part, str))
