"""The page of the gallery, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from installation.gallery import ENDING
from installation.gallery.entries import TITLES, Entry, Group

HEAD = """# Gallery

Made by the program itself, with the embedded world's scout: `latentworld gallery -o docs/gallery --overwrite` makes
this page and its pictures again. Each strip has the way on the globe (the far side pale), the way on the chart, as
near as it allows, and five pictures along it, even in time. The way is dark where pictures change slowly and bright
on rifts; a ring is where it begins, a dot where it ends. The cell z₀ z₁ z₂ is outlined, the chart's horizon dotted.
"""
SAID: dict[Group, str] = {
    "walk": "One lap, or one way, of each kind of walk without settings; a free one as far as half round the world.",
    "pilot": "All from the middle of the cell, under the same heading, as far as each other; seek and ride find the "
    "same rift here.",
    "pacing": "The same heading for the same time; dots are frames. Even in latents, pictures leap where a rift "
    "lies; even in meaning, frames crowd there.",
    "preset": "The first twelve seconds of each at most, by the scout where the preset has the faithful decoder.",
}


def page(entries: Sequence[Entry], pictures: str) -> str:
    """The page's text. pictures: the folder they lie in, as the page sees it."""
    parts = [HEAD]
    for group, title in TITLES.items():
        parts.append(f"## {title}\n\n{SAID[group]}\n")
        parts += [_entry(entry, pictures) for entry in entries if entry.group == group]
    return "\n".join(parts)


def _entry(entry: Entry, pictures: str) -> str:
    words = f"**{entry.name}**: {_plain(entry.words)}"
    if entry.missing:
        return f"{words} No picture: it {entry.missing}.\n"
    return f"{words} `{entry.key}`\n\n![{entry.group} {entry.name}]({pictures}/{entry.file}{ENDING})\n"


def _plain(words: str) -> str:
    """A sentence that begins large and ends with a full stop."""
    words = re.sub(r"\s+", " ", words).strip().rstrip(".")
    return f"{words[:1].upper() if words[1:2].isalpha() else words[:1]}{words[1:]}."  # x = ... stays small
