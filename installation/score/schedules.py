"""Schedules as Deforum writes them, `0:(1.02), 90:(1 + 0.01 * sin(t / 20))`, read and turned into cues.

A number holds at its frame, and goes evenly to the next one; an expression is followed from its frame to the next.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from installation.score.expressions import Formula, formula
from latentworld.arrays import Array
from latentworld.errors import PresetError

KNOWN = frozenset({"frame", "t"})
_NAMES = {"t": "frame", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "maximum": "max",
          "minimum": "min"}  # fmt: skip
LARGEST = 1_000_000  # frames


@dataclass(frozen=True)
class Key:
    """From a frame on: a number, or an expression in `frame`."""

    frame: int
    value: float | Formula

    def at(self, frame: float) -> float:
        """The value at a frame. Raises PresetError."""
        if isinstance(self.value, Formula):
            return self.value.value({"frame": frame, "t": frame})
        return self.value


def schedule(text: object, last: int) -> list[Key]:
    """The keys of a schedule in order. last: number of the last frame, `max_f`. Raises PresetError."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return [Key(0, float(text))]
    keys = {frame_of(where, last): _value(value, last) for where, value in _parts(str(text))}
    if not keys:
        raise PresetError(f"{text!r:.60} is no schedule: it is written as 0:(1.0), 30:(2.0)")
    return [Key(frame, keys[frame]) for frame in sorted(keys)]


def frame_of(text: str, last: int) -> int:
    """The frame that a key names, perhaps by an expression in max_f. Raises PresetError."""
    frame = round(formula(translated(text, last), KNOWN).value({"frame": 0.0, "t": 0.0}))
    if not 0 <= frame <= LARGEST:
        raise PresetError(f"{text!r:.40} is no frame")
    return frame


def translated(text: str, last: int) -> str:
    """An expression of numexpr's as ours. Raises PresetError."""
    try:
        tree = ast.parse(text.strip().strip("\"'"), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise PresetError(f"{text!r:.60} is no expression") from None
    return ast.unparse(_Renamed(last).visit(tree))


class _Renamed(ast.NodeTransformer):
    def __init__(self, last: int) -> None:
        self._last = last

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id == "max_f":
            return ast.Constant(float(self._last))
        return ast.Name(_NAMES.get(node.id, node.id), node.ctx)


def series(keys: Sequence[Key], frames: int) -> Array:
    """The value at every frame, [frames]. Raises PresetError."""
    values = np.empty(frames)
    for key, after in zip(keys, [*keys[1:], None]):
        end = frames if after is None else min(after.frame, frames)
        span = np.arange(min(key.frame, frames), end)
        if isinstance(key.value, Formula) or after is None:
            values[span] = [key.at(float(frame)) for frame in span]
        else:
            share = (span - key.frame) / (after.frame - key.frame)
            values[span] = key.value + (after.at(float(after.frame)) - key.value) * share
    values[: min(keys[0].frame, frames)] = keys[0].at(float(keys[0].frame))
    return values


def cues(keys: Sequence[Key], name: str, low: float, high: float) -> tuple[float, list[dict[str, object]]]:
    """What a parameter begins with, and the cues that make it follow a schedule within a range."""

    def bounded(value: float) -> float:
        return min(max(value, low), high)

    begin, found = bounded(keys[0].at(float(keys[0].frame))), list[dict[str, object]]()
    jumped = False  # whether an expression came before, so that the value must be set anew
    for key, after in zip(keys, [*keys[1:], None]):
        if isinstance(key.value, Formula):
            found.append({"at": f"frame {key.frame}", "set": {name: key.value.text}})
            jumped = True
            continue
        here = bounded(key.value)
        there = here if after is None else bounded(after.at(float(after.frame)))
        length = 0 if after is None else after.frame - key.frame
        if jumped:
            ramp = f"mix({here!r}, {there!r}, clamp((frame - {key.frame}) / {length}, 0, 1))"
            found.append({"at": f"frame {key.frame}", "set": {name: here if there == here else ramp}})
        elif there != here:
            found.append({"at": f"frame {key.frame}", "over": f"{length} frames", "set": {name: there}})
        jumped = False
    return begin, found


def lines(values: Array, tolerance: float) -> list[tuple[int, float]]:
    """Frames and values between which straight lines keep to `values` [n] within a tolerance (Douglas & Peucker)."""
    kept, spans = {0, len(values) - 1}, [(0, len(values) - 1)]
    while spans:
        a, b = spans.pop()
        if b - a < 2:
            continue
        line = values[a] + (values[b] - values[a]) * (np.arange(a, b + 1) - a) / (b - a)
        off = np.abs(values[a : b + 1] - line)
        worst = int(off.argmax())
        if off[worst] > tolerance:
            kept.add(a + worst)
            spans += [(a, a + worst), (a + worst, b)]
    return [(frame, float(values[frame])) for frame in sorted(kept)]


def keyed(points: Sequence[tuple[int, float]], change: Callable[[float], float] = float) -> list[Key]:
    """Numbers at frames as a schedule."""
    return [Key(frame, change(value)) for frame, value in points]


def _value(text: str, last: int) -> float | Formula:
    found = formula(translated(text, last), KNOWN)
    return found if found.names else found.value({})


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Frames and values, as written. Raises PresetError where brackets do not close."""
    at = 0
    while found := re.compile(r"\s*,?\s*([^:,()]+(?:\([^()]*\)[^:,()]*)?)\s*:\s*\(").match(text, at):
        depth, end = 1, found.end()
        while depth and end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        if depth:
            raise PresetError(f"{text!r:.60} does not close its brackets")
        yield found[1].strip(" \"'"), text[found.end() : end - 1]
        at = end
    if text[at:].strip(" ,\n"):
        raise PresetError(f"{text[at:]!r:.60} is no part of a schedule: it is written as 0:(1.0), 30:(2.0)")


def merged(cues: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Cues at one frame with one fade as one, in the order of time."""
    found: dict[tuple[int, str], dict[str, object]] = {}
    for cue in cues:
        frame = int(str(cue["at"]).removeprefix("frame "))
        place = found.setdefault((frame, str(cue.get("over", ""))), {**cue, "set": {}})
        place["set"] = {**place["set"], **cue["set"]}  # type: ignore[dict-item]
    return [found[key] for key in sorted(found)]
