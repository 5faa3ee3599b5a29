"""Keys of presets explained in a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping

from latentworld.errors import PresetError
from latentworld.explain import nearest
from latentworld.reference import REQUIRED, Key, SectionKeys, sections
from latentworld.walks import Spec

WIDEST = 100  # columns, of however wide a terminal
ENDLESS = 10_000  # of what is none


def page(walks: Mapping[str, type[Spec]], name: str | None = None) -> str:
    """Sections with their keys: all, or those of a name (`film`, `walk` for every kind, `walk.orbit`, `orbit`). Raises
    PresetError for a name that is none."""
    every = sections(walks)
    found = every if name is None else [part for part in every if _means(name, part.name)]
    if name is not None and not found:
        raise PresetError(f"no section {name!r}: {nearest(name, [*(part.name for part in every), 'walk'])}")
    wide = min(WIDEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else ENDLESS
    return "\n".join(_section(part, wide) for part in found)


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
