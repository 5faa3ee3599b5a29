"""Keys of presets explained in a terminal."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace

from latentworld.errors import PresetError
from latentworld.explain import nearest
from latentworld.reference import REQUIRED, Key, SectionKeys, sections
from latentworld.walks import Spec

WIDEST = 100  # columns, of however wide a terminal
ENDLESS = 10_000  # of what is none
USUAL = 24  # characters of a default that a line of the short form has room for
CHOICES = 90  # characters of what a key's choices do
MORE = "--full explains all of it; so does `latentworld presets keys SECTION` for one section, such as walk.orbit.\n"


def page(walks: Mapping[str, type[Spec]], name: str | None = None, full: bool = False) -> str:
    """Sections with their keys: all, or those of a name (`film`, `walk` for every kind, `walk.orbit`, `orbit`). Several
    sections have a line a key, and what all kinds of walk share once; full: everything, as a single one has it.

    Raises PresetError for a name that is none.
    """
    every = sections(walks)
    found = every if name is None else [part for part in every if _means(name, part.name)]
    if name is not None and not found:
        raise PresetError(f"no section {name!r}: {nearest(name, [*(part.name for part in every), 'walk'])}")
    wide = min(WIDEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else ENDLESS
    if full or len(found) == 1:
        return "\n".join(_section(part, wide) for part in found)
    return "\n".join([*(_short(part, wide) for part in _shared_once(found)), MORE])


def _shared_once(found: Sequence[SectionKeys]) -> list[SectionKeys]:
    """Sections, the keys that every kind of walk has taken together before the first of them."""
    kinds = [part for part in found if part.name.startswith("walk.")]
    if len(kinds) < 2:
        return list(found)
    common = [key for key in kinds[0].keys if key.name != "kind" and all(_has(part, key) for part in kinds)]
    names = {key.name for key in common} | {"kind"}
    every = replace(kinds[0], name="walk", title="Every walk: [walk]", about="Whatever its kind.", keys=tuple(common))
    made = [replace(part, keys=tuple(key for key in part.keys if key.name not in names)) for part in kinds]
    place = found.index(kinds[0])
    return [*found[:place], every, *made, *(part for part in found[place:] if part not in kinds)]


def _has(part: SectionKeys, key: Key) -> bool:
    return any(one.name == key.name and one.about == key.about for one in part.keys)


def _short(section: SectionKeys, wide: int) -> str:
    """A section with a line a key: name, default, the beginning of what it means."""
    about = textwrap.shorten(" ".join(section.about.split("\n\n")[0].split()), wide, placeholder=" ...")
    if not section.keys:
        return "\n".join([section.title, about]) + "\n"
    defaults = [key.default if len(key.default) <= USUAL else "..." for key in section.keys]
    first, second = max(len(key.name) for key in section.keys), max(map(len, defaults))
    rows = [
        f"  {key.name:{first}}  {usual:{second}}  {_clause(key.about)}" for key, usual in zip(section.keys, defaults)
    ]
    return "\n".join([section.title, about, *(_fitted(row, wide) for row in rows)]) + "\n"


def _clause(text: str) -> str:
    """What it says first, up to a semicolon, a colon or the end of a sentence; of choices, all that each does."""
    if re.match(r"[\w.-]+: ", text):
        return textwrap.shorten(text, CHOICES, placeholder=" ...")
    return re.split(r"(?<=\w)[;:] |\. ", text, maxsplit=1)[0].rstrip(".")


def _fitted(row: str, wide: int) -> str:
    return row.rstrip() if len(row) <= wide else f"{row[: wide - 4].rstrip()} ..."


def _means(asked: str, name: str) -> bool:
    asked = asked.strip("[]")
    return name == asked or name.startswith(f"{asked}.") or name == f"walk.{asked}"


def _section(section: SectionKeys, wide: int) -> str:
    about = textwrap.fill(" ".join(section.about.split("\n\n")[0].split()), wide)
    return "\n".join([section.title, about, "", *(_key(key, wide) for key in section.keys)]) + "\n"


def _key(key: Key, wide: int) -> str:
    """Its name with what it takes, and below it what it means."""
    usual = key.default if key.default == REQUIRED else f"default {key.default}" if key.default else ""
    head = "  ".join(
        part for part in (f"  {key.name}", key.takes.replace("`", ""), f"[{usual}]" if usual else "") if part
    )
    words = textwrap.fill(key.about, wide, initial_indent="      ", subsequent_indent="      ", break_on_hyphens=False)
    return f"{head}\n{words}" if key.about else head
