"""Which words a world understands, where its card lists them: a small world knows few, and says so.

understood(card)            # words by subject
strange(card, "a dragon")   # "the embedded world knows none of the words of 'a dragon': ..."
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from latentworld.worlds.card import Card

WORD = re.compile(r"[^\W\d_]+")
SHORTEST = 3  # letters of a word that says anything: the others are a, of, in
SILENT = frozenset(
    ("and", "the", "with", "without", "for", "from", "into", "its", "his", "her", "their", "this", "that", "are", "was",
     "not", "but", "you", "all", "any")
)  # fmt: skip
"""Words that name nothing, whatever they stand beside."""
LONGEST = 60  # characters of a prompt that are shown
NAMED = 4  # words that are named
ANY = "any"  # under which the words of all subjects stand
NEAR, ALIKE = 3, 0.72  # words that are offered, and how alike they are: dawn is not near dragon (0.6)


def understood(card: Card) -> Mapping[str, tuple[str, ...]]:
    """Words by subject, and under "any" those of all subjects; nothing where the card lists none."""
    found = {subject.name: subject.words for subject in card.subjects if subject.words}
    return found | ({ANY: card.words} if card.words else {})


def strange(card: Card, text: str, lenient: bool = False) -> str | None:
    """What to tell of words of a prompt that a world does not know, with the nearest there are; None where it knows all
    of them, the prompt is empty, or the card lists no words. lenient: None where it knows one, for negative texts,
    which are habits of larger worlds."""
    known = {word for words in understood(card).values() for word in words}
    asked = [word for word in WORD.findall(text.lower()) if len(word) >= SHORTEST and word not in SILENT]
    asked = list(dict.fromkeys(asked))
    unknown = [word for word in asked if not forms(word) & known]
    if not known or not unknown or (lenient and len(unknown) < len(asked)):
        return None
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    close = dict.fromkeys(near for word in unknown for near in get_close_matches(word, sorted(known), NEAR, ALIKE))
    offer = f"near are {', '.join(list(close)[:NEAR])}" if close else f"it knows {_subjects(card)}"
    name = card.title[:1].lower() + card.title[1:] or card.name
    listed = f"`latentworld worlds show {card.name} --words` lists them"
    if len(unknown) == len(asked):
        return f"{name} knows none of the words of {shown!r}: {offer}; {listed}"
    named = ", ".join(repr(word[:LONGEST]) for word in unknown[:NAMED]) + (", …" if len(unknown) > NAMED else "")
    return f"{name} does not know {named} in {shown!r}: {offer}; {listed}"


def forms(word: str) -> set[str]:
    """A word, and it with and without the s of a plural."""
    return {word, f"{word}s", word.removesuffix("s"), word.removesuffix("es"), f"{word.removesuffix('ies')}y"}


def _subjects(card: Card) -> str:
    return ", ".join(subject.name for subject in card.subjects)
