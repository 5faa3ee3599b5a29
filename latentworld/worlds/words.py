"""Which words a world understands, where its card lists them: a small world knows few, and says so.

understood(card)            # words by subject
strange(card, "a dragon")   # "the embedded world knows none of the words of 'a dragon': ..."
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

from latentworld import emphasis
from latentworld.worlds.card import Card

WORD = re.compile(r"[^\W\d_]+")
SHORTEST = 3  # letters of a word that says anything: the others are a, of, in
SILENT = frozenset(
    ("and", "the", "with", "without", "for", "from", "into", "its", "his", "her", "their", "this", "that", "are", "was",
     "not", "but", "you", "all", "any", "over", "under", "near", "onto", "upon", "between", "behind", "above", "below",
     "beside", "before", "after", "across", "around", "against", "along", "through", "inside")
)  # fmt: skip
"""Words that name nothing, whatever they stand beside."""
LONGEST = 60  # characters of a prompt that are shown
NAMED = 4  # words that are named
ANY = "any"  # under which the words of all subjects stand
NEAR, ALIKE = 3, 0.8  # words that are offered, and how alike they are: over is not near covered (0.73)


def understood(card: Card) -> Mapping[str, tuple[str, ...]]:
    """Words by subject, and under "any" those of all subjects; nothing where the card lists none."""
    found = {subject.name: subject.words for subject in card.subjects if subject.words}
    return found | ({ANY: card.words} if card.words else {})


def strange(card: Card, text: str, lenient: bool = False) -> str | None:
    """What to tell of words of a prompt that a world does not know, with the nearest there are; None where it knows all
    of them, the prompt is empty, or the card lists no words. lenient: None where it knows one, for negative texts,
    which are habits of larger worlds."""
    known = {word for words in understood(card).values() for word in words}
    asked = [word for word in WORD.findall(_said(text).lower()) if len(word) >= SHORTEST and word not in SILENT]
    asked = list(dict.fromkeys(asked))
    unknown = [word for word in asked if word not in known]
    if not known or not unknown or (lenient and len(unknown) < len(asked)):
        return None
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    close = dict.fromkeys(near for word in unknown for near in _near(word, known))
    offer = f"near are {', '.join(list(close)[:NEAR])}" if close else f"it knows {_subjects(card)}"
    name = card.title[:1].lower() + card.title[1:] or card.name
    listed = f"`latentworld worlds show {card.name} --words` lists them"
    if len(unknown) == len(asked):
        return f"{name} knows none of the words of {shown!r}: {offer}; {listed}"
    named = ", ".join(repr(word[:LONGEST]) for word in unknown[:NAMED]) + (", …" if len(unknown) > NAMED else "")
    return f"{name} does not know {named} in {shown!r}: {offer}; {listed}"


def _said(text: str) -> str:
    """A prompt without its weights and breaks."""
    return " ".join(piece.text for stretch in emphasis.read(text).stretches for piece in stretch)


def _near(word: str, known: Collection[str]) -> list[str]:
    """Words that are spelled much alike from the first letter: gold is not near old."""
    return get_close_matches(word, sorted(other for other in known if other[0] == word[0]), NEAR, ALIKE)


def _subjects(card: Card) -> str:
    return ", ".join(subject.name for subject in card.subjects)
