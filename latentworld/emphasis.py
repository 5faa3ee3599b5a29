r"""Prompts as people write them for Stable Diffusion: weights and breaks, read into pieces of plain text.

================== =====================================================================
`(words)`          1.1 times as strong; brackets multiply: `((words))` 1.21 times
`[words]`          1 / 1.1 times
`(words:1.3)`      1.3 times
`\( \) \[ \] \\`   the sign itself
`BREAK`            what follows begins a new chunk
================== =====================================================================

The convention is AUTOMATIC1111's (stable-diffusion-webui 1.10, modules/prompt_parser.py, `parse_prompt_attention`), and
so are its answers to what is written badly: a bracket that is never closed weighs all that follows, one that was never
opened is a sign, and a weight that is no finite number is words. Each of these is told. A text without brackets and
BREAK is itself. ComfyUI's convention differs: it has no `[words]` and weighs embeddings against those of no text.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from latentworld.errors import Notice

STRONGER = {"(": 1.1, "[": 1 / 1.1}
CLOSES = {")": "(", "]": "["}
TOLD = 40  # characters of a text that a notice repeats

_WRITTEN = re.compile(r"[()\[\]]|\bBREAK\b")
_NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>")
_BREAK = re.compile(r"\s*\bBREAK\b\s*")
_SIGN = re.compile(
    r"\\(?P<escaped>[()\[\]\\]?)|(?P<opens>[(\[])|:\s*(?P<weight>[+-]?[.\d]+)\s*\)|(?P<closes>[)\]])|[^\\()\[\]:]+|:"
)
_NO_NUMBER = re.compile(r":\s*([^\s:()\[\]]*)\s*$")
_EDITED = re.compile(r"\[[^()\[\]]*(?::[^()\[\]]*:\s*[.\d]+\s*|\|[^()\[\]]*)$")
_WEIGHS = re.compile(r"\([^()]*:\s*[+-]?[.\d]+\s*\)|\(\([^()]*\)\)|\[\[[^\[\]]*\]\]|\bBREAK\b")


@dataclass(frozen=True)
class Piece:
    """Words of one weight."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class Written:
    """A text as it was meant. stretches: the pieces between BREAKs, at least one, each of at least one piece; notes: a
    line for what is not as it may have been meant."""

    stretches: tuple[tuple[Piece, ...], ...]
    notes: tuple[str, ...] = ()


class PromptSyntax(Notice):
    """Something in a prompt is not read as it may have been meant."""


def read(text: str) -> Written:
    """A text's pieces. Whatever is written, something is read."""
    lacking = tuple(
        f"{name:.{TOLD}} is left out of the prompt: LoRA files are named in world.loras"
        for name in _NETWORK.findall(text)
    )
    text = _NETWORK.sub("", text) if lacking else text
    if not _WRITTEN.search(text):
        return Written(((Piece(text),),), lacking)
    scan = _Scan(text)
    scan.run()
    return Written(tuple(scan.stretches()), lacking + tuple(scan.notes))


def weighs(text: str) -> str:
    """The first weight or break in a text that no one writes by chance; "" where there is none."""
    found = _WEIGHS.search(text)
    return "" if found is None else found[0]


def tell(notes: tuple[str, ...]) -> None:
    """Warn PromptSyntax of each."""
    for note in notes:
        warnings.warn(note, PromptSyntax, stacklevel=3)


def tell_unread(text: str, reader: str) -> None:
    """Warn PromptSyntax where a text has weights and what reads it takes none."""
    if found := weighs(text):
        told = f"{found[:TOLD]}…" if len(found) > TOLD else found
        said = f"{reader} takes no weights: {told!r} is read as it is written"
        warnings.warn(said, PromptSyntax, stacklevel=3)


@dataclass
class _Span:
    """Parts that a bracket weighs; last None: all that follow."""

    first: int
    last: int | None
    factor: float


@dataclass
class _Scan:
    """A text from its beginning to its end. parts: plain texts, None for a BREAK; opened: the parts at which brackets
    begin that are not closed yet, by their kind, and where in the text."""

    text: str
    parts: list[str | None] = field(default_factory=list)
    spans: list[_Span] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    opened: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {"(": [], "[": []})

    def run(self) -> None:
        stray = None
        for sign in _SIGN.finditer(self.text):
            weight = self._weight(sign)
            if sign["escaped"] is not None:
                self.parts.append(sign["escaped"])
            elif sign["opens"]:
                self.opened[sign["opens"]].append((len(self.parts), sign.start()))
            elif weight is not None and self.opened["("]:
                self._close("(", weight)
            elif sign["closes"] and self.opened[CLOSES[sign["closes"]]]:
                self._look_back(CLOSES[sign["closes"]], sign.start())
                self._close(CLOSES[sign["closes"]])
            elif sign["weight"] and self.opened["("]:  # of the shape of a number, and none
                self._say_no_number(sign["weight"])
                self._plain(sign[0][:-1])
                self._close("(")
            else:
                stray = stray or sign["closes"]
                self._plain(sign[0])
        self._say_unbalanced(stray)

    @staticmethod
    def _weight(sign: re.Match[str]) -> float | None:
        try:
            number = float(sign["weight"] or math.nan)
        except ValueError:  # 1.2.3
            return None
        return number if math.isfinite(number) else None

    def _plain(self, text: str) -> None:
        for place, part in enumerate(_BREAK.split(text)):
            self.parts += [None, part] if place else [part]

    def _close(self, kind: str, factor: float | None = None) -> None:
        first, _ = self.opened[kind].pop()
        self.spans.append(_Span(first, len(self.parts), STRONGER[kind] if factor is None else factor))

    def _look_back(self, kind: str, end: int) -> None:
        """Say what a bracket that closes without a weight may have been meant as."""
        inner = self.text[self.opened[kind][-1][1] : end]
        if kind == "(" and (found := _NO_NUMBER.search(inner)):
            self._say_no_number(found[1])
        elif kind == "[" and _EDITED.match(inner):
            told = f"{inner[:TOLD]}]" if len(inner) <= TOLD else f"{inner[:TOLD]}…]"
            self.notes.append(f"{told} changes the prompt from step to step elsewhere, here it is words: use a score")

    def _say_no_number(self, said: str) -> None:
        said = f"{said[:TOLD]}…" if len(said) > TOLD else said
        self.notes.append(f"(…:{said}) has no number for a weight, as in (words:1.3): it is read as words, 1.1 times")

    def _say_unbalanced(self, stray: str | None) -> None:
        for kind, places in self.opened.items():
            self.spans += [_Span(first, None, STRONGER[kind]) for first, _ in places]
            if places:
                what = "stronger" if kind == "(" else "weaker"
                self.notes.append(f"a {kind} is never closed: all that follows is {what}; write \\{kind} for the sign")
        if stray and self.spans:
            self.notes.append(f"a {stray} was never opened: it is read as a sign; write \\{stray}, or take it out")

    def stretches(self) -> Iterator[tuple[Piece, ...]]:
        """The pieces between breaks; neighbours of one weight are one piece."""
        pieces: list[Piece] = []
        for place, part in enumerate(self.parts):
            if part is None:
                yield tuple(pieces) or (Piece(""),)
                pieces = []
                continue
            covering = (span for span in self.spans if span.first <= place and (span.last is None or place < span.last))
            weight = math.prod((span.factor for span in covering), start=1.0)
            if pieces and pieces[-1].weight == weight:
                pieces[-1] = Piece(pieces[-1].text + part, weight)
            else:
                pieces.append(Piece(part, weight))
        yield tuple(pieces) or (Piece(""),)
