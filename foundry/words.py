"""The words that a cast world understands, by family: those of its captions that its tokenizer has whole.

python -m foundry.words latentworld/worlds/embedded      # prints them as the card has them
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import torch

from foundry import captions
from foundry.data import FAMILIES, scene

WORD = re.compile(r"[a-z]+")
DRAWN = 300  # captions of a family: beyond that come few words that were not there
SHORTEST = 3
SHARED = 5  # families that have a word: it is of any
SILENT = {"and", "the", "with", "from", "under", "over", "into", "its"}


def understood(vocabulary: Iterable[str]) -> dict[str, list[str]]:
    """Words by family's name, and under "any" those of most; the most frequent first. vocabulary: tokens, of which
    `</w>` ends those that end a word."""
    whole = {token.removesuffix("</w>") for token in vocabulary if token.endswith("</w>")}
    counts = {scene(family).FAMILY: Counter(_said(family)) for family in FAMILIES}
    quality = {word for text in (*captions.QUALITY, *captions.POOR) for word in WORD.findall(text)}
    shared = quality | {word for word in whole if sum(word in found for found in counts.values()) >= SHARED}
    found = {name: [word for word, _ in words.most_common() if _tells(word, whole) and word not in shared]
             for name, words in counts.items()}  # fmt: skip
    return found | {"any": sorted(word for word in shared if _tells(word, whole))}


def _tells(word: str, whole: set[str]) -> bool:
    return word in whole and len(word) >= SHORTEST and word not in SILENT


def _said(family: str) -> list[str]:
    """Words of captions of a family."""
    rng, words = torch.Generator().manual_seed(1), random.Random(1)
    rows = scene(family).draw(rng, DRAWN, 16).attributes
    texts = [scene(family).PROMPT, *(scene(family).describe(row, words) for row in rows)]
    return WORD.findall(" ".join(texts).lower())


if __name__ == "__main__":
    tokens = json.loads((Path(sys.argv[1]) / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))
    for name, found in understood(tokens["model"]["vocab"]).items():
        print(f"{name}: {json.dumps(found)}")
