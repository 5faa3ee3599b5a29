"""Prompts as Deforum and Parseq write them: several with weights, and after `--neg` what is not wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from installation.control.controls import WORDS, PromptControls, WordControls
from installation.control.parameter import plain, rows
from installation.score.expressions import formula
from installation.score.schedules import KNOWN, translated
from latentworld.errors import PresetError
from latentworld.prompts import LONGEST

POSITIVE, NEGATIVE = rows(PromptControls)["a"].name, rows(PromptControls)["negative"].name
_WEIGHTED = re.compile(r"(.*?)\s*:\s*(-?\d+(?:\.\d+)?|`[^`]*`)?\s*", re.DOTALL)


@dataclass(frozen=True)
class Words:
    """A prompt. parts: texts and weights, numbers or expressions in `frame`; away: what is not wanted."""

    parts: tuple[tuple[str, float | str], ...]
    away: str

    def settings(self, first: bool = False) -> dict[str, object]:
        """What a cue sets: the first text, and the others as concepts by their weight beside it."""
        (text, own), *others = self.parts
        found: dict[str, object] = {POSITIVE: text}
        if self.away or not first:
            found[NEGATIVE] = self.away
        for i in range(1, WORDS + 1):
            name, amount = rows(WordControls, i)["text"].name, rows(WordControls, i)["weight"].name
            if i <= len(others):
                found |= {name: others[i - 1][0], amount: _beside(others[i - 1][1], own)}
        return found

    @property
    def concepts(self) -> int:
        """How many there are beside the first."""
        return len(self.parts) - 1


def words(text: str, last: int, notes: list[str], where: str) -> Words:
    """A prompt as it was written; what had to be left out goes to the notes."""
    toward, _, away = text.partition("--neg")
    parts: list[tuple[str, float | str]] = []
    for part in re.split(r"\s+AND\s+|\|", toward):
        said, weight = _weighed(part, last, notes, where)
        if said:
            parts.append((said, weight))
    heavy = [part for part in parts if not isinstance(part[1], float) or part[1] > 0]
    if len(heavy) < len(parts):
        notes.append(f"{where}: a text of a weight below 0 is left out: put it after --neg")
    if len(heavy) > WORDS + 1:
        notes.append(f"{where}: {len(heavy)} texts are mixed, {WORDS + 1} are the most: the rest is left out")
    heavy.sort(key=lambda part: -part[1] if isinstance(part[1], float) else 0.0)
    return Words(tuple(heavy[: WORDS + 1]) or (("", 1.0),), _cut(away.replace("\n", " "), notes, where))


def weaker(before: Sequence[Words]) -> dict[str, object]:
    """What takes back concepts that earlier prompts had."""
    most = max((each.concepts for each in before), default=0)
    return {rows(WordControls, i)["weight"].name: 0.0 for i in range(1, most + 1)}


def _weighed(part: str, last: int, notes: list[str], where: str) -> tuple[str, float | str]:
    found = _WEIGHTED.fullmatch(part.strip()) if ":" in part else None
    if found is None or not found[2]:
        return _cut(part, notes, where), 1.0
    text = _cut(found[1].strip().removeprefix("(").removesuffix(")"), notes, where)
    if not found[2].startswith("`"):
        return text, float(found[2])
    try:
        return text, formula(translated(found[2].strip("`"), last), KNOWN).text
    except PresetError as error:
        notes.append(f"{where}: the weight {found[2]:.40} cannot be read ({error}): 1 is taken")
        return text, 1.0


def _beside(weight: float | str, own: float | str) -> float | str:
    """A weight where the first text has 1."""
    if isinstance(weight, float) and isinstance(own, float):
        return min(weight / own, 1.0)
    return f"clamp(({weight}) / max({own}, 0.001), 0, 1)"


def _cut(text: str, notes: list[str], where: str) -> str:
    text = plain(text)
    if len(text) > LONGEST:
        notes.append(f"{where}: the text is longer than {LONGEST} characters: its beginning is taken")
    return text[:LONGEST]
