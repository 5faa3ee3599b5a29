"""Words that were taught to a CLIP text encoder: each stands for vectors that take the place of its tokens.

Gal et al. 2022, "An Image is Worth One Word" (arXiv 2208.01618), section 3: the vectors are looked up as a token's
embedding is, so a word of n vectors is n tokens with numbers above the vocabulary's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from latentworld.errors import WorldMismatch

if TYPE_CHECKING:
    from torch import Tensor, nn

Tokens = tuple[int, ...]
Vectors = Mapping[str, "Tensor"]
"""Words, and of each its vectors [n, width]."""


def teach(encoder: nn.Module, vectors: Vectors, end: int) -> dict[str, Tokens]:
    """Append vectors to an encoder's token table; returns the tokens of each word. end: the token
    that ends a text, at which some encoders pool: those that look for the largest number are told which it is.

    Raises WorldMismatch where a word's vectors are not as wide as the encoder's.
    """
    import torch
    from torch import nn

    table = next(part for name, part in encoder.named_modules() if name.endswith("token_embedding"))
    weight: Tensor = table.weight  # type: ignore[assignment]
    tokens: dict[str, Tokens] = {}
    for word, rows in vectors.items():
        if rows.shape[1] != weight.shape[1]:
            raise WorldMismatch(
                f"the word {word!r} has vectors of {rows.shape[1]} numbers, and this world's text encoder reads "
                f"{weight.shape[1]}: take an embedding made for its kind"
            )
        tokens[word] = tuple(range(len(weight), len(weight) + len(rows)))
        weight = torch.cat([weight, rows.to(weight)])
    table.weight = nn.Parameter(weight, requires_grad=False)
    for part in encoder.modules():
        if "eos_token_id" in vars(part):
            part.eos_token_id = end  # type: ignore[assignment]
    return tokens


class Lookup:
    """Finds taught words in texts: whole ones, in large or small letters."""

    def __init__(self, tokens: Mapping[str, Tokens]) -> None:
        words = sorted(tokens, key=len, reverse=True)
        self._tokens = [tokens[word] for word in words]  # which one matched says its group: letters fold in many ways
        names = "|".join(f"({re.escape(word)})" for word in words)
        self._pattern = re.compile(rf"(?<![\w-])(?:{names})(?![\w-])", re.IGNORECASE) if names else None
        self.continues = frozenset(token for group in self._tokens for token in group[1:])

    def parts(self, text: str) -> Iterator[str | Tokens]:
        """A text in order: what is not taught as text, taught words as their tokens."""
        if self._pattern is None:
            yield text
            return
        end = 0
        for found in self._pattern.finditer(text):
            if text[end : found.start()]:
                yield text[end : found.start()]
            yield self._tokens[(found.lastindex or 1) - 1]
            end = found.end()
        if text[end:]:
            yield text[end:]

    def knows(self, text: str) -> bool:
        """Whether a text has a taught word."""
        return self._pattern is not None and self._pattern.search(text) is not None


NONE = Lookup({})


def joined(rows: Sequence[tuple[str, Tensor]]) -> Vectors:
    """Vectors by word. Raises WorldMismatch where two are the same word."""
    found: dict[str, Tensor] = {}
    for word, own in rows:
        if word.casefold() in {one.casefold() for one in found}:
            raise WorldMismatch(f"two embeddings are the word {word!r}: give one of them another `word`")
        found[word] = own
    return found
