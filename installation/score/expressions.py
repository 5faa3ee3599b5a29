"""Expressions: numbers written as formulas in time, beats and sound. simpleeval walks their tree; nothing is `eval`ed.

formula("2 + sine(beat / 8)").value({"beat": 4.0, ...})

There is no loop, no power of whole numbers and no text in one, so each takes microseconds whatever it says.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from simpleeval import InvalidExpression, SimpleEval

from installation.control.desk.modulation import wave
from latentworld.errors import PresetError
from latentworld.explain import nearest

LONGEST = 500  # characters
PARTS = 200  # names, numbers, operators and calls of one
CONSTANTS = {"pi": math.pi, "tau": math.tau, "e": math.e}
FAULTS = (InvalidExpression, ArithmeticError, ValueError, TypeError, AttributeError, RecursionError)


def _clamp(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


def _mix(a: float, b: float, share: float) -> float:
    return a + (b - a) * share


def _where(condition: float, yes: float, no: float) -> float:
    return yes if condition else no


def _noise(turns: float, seed: float = 0.0) -> float:
    return wave("random", turns, int(seed))


def _log(x: float) -> float:
    return math.log(x)


FUNCTIONS: dict[str, Callable[..., float]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin, "acos": math.acos, "atan": math.atan,
    "atan2": math.atan2, "sinh": math.sinh, "cosh": math.cosh, "tanh": math.tanh, "exp": math.exp, "log": _log,
    "log10": math.log10, "sqrt": math.sqrt, "abs": abs, "min": min, "max": max, "pow": math.pow, "fmod": math.fmod,
    "floor": lambda x: float(math.floor(x)), "ceil": lambda x: float(math.ceil(x)), "round": lambda x: float(round(x)),
    "clamp": _clamp, "mix": _mix, "where": _where,
    "sine": partial(wave, "sine"), "triangle": partial(wave, "triangle"), "saw": partial(wave, "saw"),
    "square": partial(wave, "square"), "noise": _noise,
}  # fmt: skip
"""sine, triangle, saw, square, noise: -1..1 of turns, the desk's LFOs; noise is even and the same every time."""
OPERATORS: dict[type[ast.AST], Callable[..., object]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: math.pow, ast.USub: operator.neg,
    ast.UAdd: operator.pos, ast.Not: operator.not_, ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Gt: operator.gt,
    ast.Lt: operator.lt, ast.GtE: operator.ge, ast.LtE: operator.le,
}  # fmt: skip
_NODES = (ast.Name, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Constant, ast.Load)


@dataclass(frozen=True, eq=False)
class Formula:
    """A formula that was read. names: what it asks for."""

    text: str
    names: frozenset[str]
    _tree: ast.expr = field(repr=False)
    _walker: SimpleEval = field(repr=False)

    def value(self, names: Mapping[str, float]) -> float:
        """Its value where each name has a number. Raises PresetError where it has none that is finite."""
        self._walker.names = {**CONSTANTS, **names}
        try:
            number = float(self._walker.eval(self.text, self._tree))  # type: ignore[no-untyped-call]
        except FAULTS as error:
            raise PresetError(f"{self.text!r:.60} has no value here ({_reason(error)}): mend it") from None
        if not math.isfinite(number):
            raise PresetError(f"{self.text!r:.60} is {number} here: mend it")
        return number


def formula(text: str, known: frozenset[str]) -> Formula:
    """Read one that may ask for the names in `known`. Raises PresetError for what is none, is too long, or asks for
    what is not there."""
    if len(text) > LONGEST:
        raise PresetError(f"an expression of {len(text)} characters: {LONGEST} are the most")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise PresetError(f"{text!r:.60} is no expression: write one such as 2 + sine(t / 8)") from None
    names = frozenset[str]()
    parts = list(ast.walk(tree))
    if len(parts) > PARTS:
        raise PresetError(f"{text!r:.60} has {len(parts)} parts: {PARTS} are the most")
    called = {id(part.func) for part in parts if isinstance(part, ast.Call)}
    for part in parts:
        _check(part, text)
        if isinstance(part, ast.Name) and id(part) not in called:
            names |= {part.id}
    for name in sorted(names - CONSTANTS.keys() - known):
        raise PresetError(f"{text!r:.60} asks for {name!r:.40}: {nearest(name, known | CONSTANTS.keys())}")
    walker = SimpleEval(OPERATORS, dict(FUNCTIONS), {})  # type: ignore[no-untyped-call]
    return Formula(text, names - CONSTANTS.keys(), tree, walker)


def _check(part: ast.AST, text: str) -> None:
    """Whether a part may stand in an expression; a number becomes a float, so that no power of it grows past all
    bounds. Raises PresetError."""
    if isinstance(part, ast.Call):
        if not isinstance(part.func, ast.Name) or part.keywords:
            raise PresetError(f"{text!r:.60} calls what is no function: use one of {', '.join(sorted(FUNCTIONS))}")
        if part.func.id not in FUNCTIONS:
            raise PresetError(f"{text!r:.60} calls {part.func.id!r:.40}: {nearest(part.func.id, FUNCTIONS)}")
    elif isinstance(part, ast.Constant):
        if not isinstance(part.value, int | float):
            raise PresetError(f"{text!r:.60} holds {part.value!r:.40}: only numbers may stand there")
        try:
            part.value = float(part.value)
        except OverflowError:
            raise PresetError(f"{text!r:.60} holds a number that is too large") from None
    elif not isinstance(part, (*_NODES, ast.And, ast.Or)) and type(part) not in OPERATORS:
        raise PresetError(f"{text!r:.60} may not hold a part of the kind {type(part).__name__}")


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:80]
