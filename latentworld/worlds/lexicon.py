"""Which words a small world knows: a tokenizer of few tokens was made from its captions, whose words are tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from latentworld import texts

SMALL = 4000  # tokens: one of more reads any word in pieces that mean something
SHORT = 4  # letters up to which what ends longer words is no word of its own
LARGEST = 64 << 20
END = "</w>"


def lexicon(folder: Path) -> frozenset[str] | None:
    """The words of a small tokenizer, by a folder with its tokenizer.json; None of a large one, and where none can be
    read."""
    try:
        model = texts.table(texts.read(folder / "tokenizer.json", LARGEST))["model"]
    except (OSError, ValueError, KeyError):
        return None
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict) or len(model["vocab"]) > SMALL:
        return None
    return frozenset(token.removesuffix(END) for token in model["vocab"] if token.endswith(END) and _is_word(token))


def listed(folder: Path) -> list[str]:
    """The words of a small tokenizer as people should read them, without the endings that it makes longer ones of;
    none of a large one."""
    known = lexicon(folder)
    if known is None:
        return []
    model = texts.table(texts.read(folder / "tokenizer.json", LARGEST))["model"]
    merges = model.get("merges", []) if isinstance(model, dict) else []
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in merges)
    ends = {str(pair[1]).removesuffix(END) for pair in pairs if str(pair[1]).endswith(END)}
    return sorted(word for word in known if len(word) > 1 and not (word in ends and len(word) <= SHORT))


def reading(folder: Path, text: str) -> tuple[list[str], list[str]] | None:
    """Words of a text that a small tokenizer knows, and those it does not, each in their order; None of a large one."""
    known = lexicon(folder)
    if known is None:
        return None
    words = dict.fromkeys(re.findall(r"[^\W\d_]+", text.lower()))
    return [word for word in words if word in known], [word for word in words if word not in {*known, "a", "i"}]


def remark(name: str, words: Sequence[str]) -> str:
    """What to say of words that are not known."""
    said = ", ".join(repr(word) for word in words[:5])
    return f"{name} does not know {said}: `latentworld worlds show {name} --words` lists what it knows"


def _is_word(token: str) -> bool:
    return token.removesuffix(END).isalpha()
