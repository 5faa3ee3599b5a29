"""OSC's address patterns, `*` `?` `[a-z]` `[!a]` `{one,two}`, without regular expressions, so without backtracking.

Of every name it is remembered, as bits of one number, at which of its characters the pattern can stand; each sign of
the pattern moves them all at once. The work is signs times names, whatever the pattern; a pattern is matched part by
part along the tree of addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from latentworld.errors import ControlError

LONGEST = 64  # characters of a pattern
MOST = 64  # addresses it may match
SIGNS = frozenset("*?[]{}")

_Names = dict[str, "_Names"]  # names below; an address ends where "" is one of them


@dataclass(frozen=True)
class _Sign:
    """One sign of a pattern: any run, one character of a set (or not of it; None: any), or one of several words."""

    run: bool = False
    letters: frozenset[str] | None = None
    negated: bool = False
    words: tuple[str, ...] | None = None


class Directory:
    """Addresses that patterns are matched against."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._root: _Names = {}
        for address in addresses:
            node = self._root
            for name in address.split("/")[1:]:
                node = node.setdefault(name, {})
            node[""] = {}

    def match(self, pattern: str) -> list[str]:
        """Addresses a pattern fits. Raises ControlError when it is too long, damaged or fits more than MOST."""
        if len(pattern) > LONGEST:
            raise ControlError(f"a pattern has at most {LONGEST} characters")
        found = [("", self._root)]
        for part in pattern.split("/")[1:]:
            if not SIGNS.isdisjoint(part):
                signs = _signs(part)
                found = [
                    (f"{path}/{name}", below)
                    for path, node in found
                    for name, below in node.items()
                    if name and _fits(signs, name)
                ]
            else:
                found = [(f"{path}/{part}", node[part]) for path, node in found if part and part in node]
        matched = [path for path, node in found if "" in node]
        if len(matched) > MOST:
            raise ControlError(f"{pattern} fits {len(matched)} addresses; at most {MOST} are set at once")
        return matched


def _fits(signs: list[_Sign], name: str) -> bool:
    end = 1 << len(name)
    spots = 1  # bit i: the pattern so far fits the first i characters
    where: dict[str, int] = {}  # bit i: the character stands at i
    for i, letter in enumerate(name):
        where[letter] = where.get(letter, 0) | 1 << i
    for sign in signs:
        if sign.run:
            spots = (2 * end - 1) & -(spots & -spots)
        elif sign.words is not None:
            spots = _any_word(sign.words, spots, where)
        elif sign.letters is None:
            spots = (spots & (end - 1)) << 1
        else:
            at = sum(bits for letter, bits in where.items() if (letter in sign.letters) != sign.negated)
            spots = (spots & at) << 1
        if not spots:
            return False
    return bool(spots & end)


def _any_word(words: tuple[str, ...], spots: int, where: dict[str, int]) -> int:
    found = 0
    for word in words:
        here = spots
        for letter in word:
            here = (here & where.get(letter, 0)) << 1
        found |= here
    return found


def _signs(part: str) -> list[_Sign]:
    signs, spot = [], 0
    while spot < len(part):
        letter = part[spot]
        spot += 1
        if letter in "[{":
            end = part.find("]" if letter == "[" else "}", spot)
            if end < 0:
                raise ControlError(f"the pattern {part:.40} lacks a closing bracket")
            inside, spot = part[spot:end], end + 1
            signs.append(_set(inside) if letter == "[" else _Sign(words=tuple(inside.split(","))))
        elif letter == "*":
            signs.append(_Sign(run=True))
        else:
            signs.append(_Sign(letters=None if letter == "?" else frozenset(letter)))
    return signs


def _set(inside: str) -> _Sign:
    negated = inside.startswith("!")
    inside = inside[negated:]
    letters = set(inside)
    for i in range(1, len(inside) - 1):
        if inside[i] == "-":
            letters.update(map(chr, range(ord(inside[i - 1]), min(ord(inside[i + 1]), 127) + 1)))
    return _Sign(letters=frozenset(letters), negated=negated)
