"""Small changes to a module, one at a time, each a different program: what mutate.py tries the tests on.

A mutant changes one operator, constant, default, bound, condition, argument or statement, by replacing a piece of the
source, so that its diff is one a person could have written. Left alone: annotations (but for the bounds in a `Field`),
docstrings, strings, decorators, imports, assertions, and slack against rounding (below 1e-5), which no test can or
should see.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff

SLACK = 1e-5  # floats below it are slack against rounding

COMPARED = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"), ast.NotIn: (r"not\s+in", "in"), ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
}  # fmt: skip
COMPUTED = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"), ast.Pow: ("**", "*"), ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
}  # fmt: skip
BOUNDS = {"ge": "gt", "gt": "ge", "le": "lt", "lt": "le"}
TYPES = {"Annotated", "Literal", "tuple", "dict", "list", "type", "Callable", "NDArray", "TypeAdapter", "Iterator"}
DEFINING = {"Field", "ConfigDict", "TypeVar", "NewType", "field"}  # calls whose arguments define and do not compute


@dataclass(frozen=True)
class Mutant:
    """One change: bytes start..end of the module's source become `text`. where: the function it lies in, "" at the
    top of the module or of a class (there what it changes is seen by whoever imports the module)."""

    module: str
    line: int
    kind: str
    where: str
    start: int
    end: int
    text: str

    def applied(self, source: bytes) -> bytes:
        """The mutant's source."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def diff(self, source: bytes) -> tuple[str, str]:
        """The lines it changes, before and after, joined and without their margins."""
        lines = list(
            unified_diff(source.decode().splitlines(), self.applied(source).decode().splitlines(), n=0, lineterm="")
        )[3:]
        return tuple(" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")  # type: ignore[return-value]

    def name(self, source: bytes) -> str:
        """What tells it from every other mutant, and stays while the lines it changes do."""
        return hashlib.sha256(repr((self.module, self.where, self.kind, self.diff(source))).encode()).hexdigest()[:16]


def mutants(module: str, source: bytes) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines; none does not compile."""
    finder = _Finder(module, source)
    finder.visit(ast.parse(source))
    found = sorted(finder.found, key=lambda mutant: (mutant.start, mutant.text))
    return [mutant for mutant in found if mutant.applied(source) != source and _compiles(mutant, source)]


def functions(source: bytes) -> dict[int, str]:
    """Line to the dotted name of the innermost function whose body holds it."""
    found: dict[int, str] = {}

    def walk(node: ast.AST, outer: tuple[str, ...]) -> Iterator[tuple[str, int, int]]:
        for child in ast.iter_child_nodes(node):
            name = (
                (*outer, child.name)
                if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                else outer
            )
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield ".".join(name), child.body[0].lineno, child.end_lineno or child.lineno
            yield from walk(child, name)

    for name, first, last in walk(ast.parse(source), ()):  # inner ones come later and win
        found |= dict.fromkeys(range(first, last + 1), name)
    return found


def _compiles(mutant: Mutant, source: bytes) -> bool:
    try:
        compile(mutant.applied(source), mutant.module, "exec")
    except (SyntaxError, ValueError):
        return False
    return True


class _Finder(ast.NodeVisitor):
    """Walks a module and notes every change."""

    def __init__(self, module: str, source: bytes) -> None:
        self.module, self.source, self.found = module, source, list[Mutant]()
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._names: list[str] = []  # of the classes and functions around
        self._inside = 0  # of how many functions
        self._role = ""  # what a constant here is: a default, a bound

    def _at(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr | ast.stmt) -> str:
        start, end = self._at(node)
        return self.source[start:end].decode()

    def _note(self, kind: str, start: int, end: int, text: str) -> None:
        where = ".".join(self._names) if self._inside else ""
        line = self.source.count(b"\n", 0, start) + 1
        self.found.append(Mutant(self.module, line, kind, where, start, end, text))

    def _between(self, kind: str, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        """Replace the operator between two operands."""
        start, end = self._at(left)[1], self._at(right)[0]
        pattern = old if "\\" in old else (rf"\b{old}\b" if old.isalpha() else re.escape(old))
        if match := re.search(pattern, self.source[start:end].decode()):
            self._note(kind, start + match.start(), start + match.end(), new)

    # What defines: only defaults and bounds are touched

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._names.append(node.name)
        outer, self._role = self._role, "default"
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self.visit(default)
        self._role = outer
        self._inside += 1
        for statement in node.body:
            self.visit(statement)
        self._inside -= 1
        self._names.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._names.append(node.name)
        inside, self._inside = self._inside, 0
        for statement in node.body:
            self.visit(statement)
        self._inside = inside
        self._names.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._bounds(node.annotation)
        if node.value is not None:
            outer, self._role = self._role, self._role if self._inside else "default"
            self.visit(node.value)
            self._role = outer

    def _bounds(self, node: ast.AST) -> None:
        """Of every `Field` in an annotation."""
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Field":
                self._field(call)

    def _field(self, call: ast.Call) -> None:
        outer, self._role = self._role, "bound"
        for keyword in call.keywords:
            if keyword.arg in BOUNDS:
                start, _ = self._at(keyword)
                self._note("bound", start, start + len(keyword.arg), BOUNDS[keyword.arg])
                self.visit(keyword.value)
        self._role = outer

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.value, ast.Name) and node.value.id in TYPES:
            self._bounds(node)
        else:
            self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare) or len(test.ops) > 1 or not isinstance(test.ops[0], (ast.Eq, ast.NotEq)):
            self._note("condition", *self._at(test), f"(not ({self._text(test)}))")

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    # What computes

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for op, left, right in zip(node.ops, operands, operands[1:]):
            self._between("comparison", left, right, *COMPARED[type(op)])
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        types = isinstance(node.op, ast.BitOr) and not self._inside
        if type(node.op) in COMPUTED and not types:
            self._between("arithmetic", node.left, node.right, *COMPUTED[type(node.op)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:]):
            self._between("logic", left, right, old, new)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, (ast.USub, ast.Not)):
            self._note(
                "sign" if isinstance(node.op, ast.USub) else "logic", *self._at(node), f"({self._text(node.operand)})"
            )
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value, kind = node.value, self._role or "constant"
        if isinstance(value, bool):
            self._note(self._role or "boolean", *self._at(node), str(not value))
        elif isinstance(value, int):
            self._note(kind, *self._at(node), str(value + 1))
        elif isinstance(value, float) and (value == 0 or abs(value) >= SLACK):
            self._note(kind, *self._at(node), repr(value * 1.5 or 1.0))

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "Field":
            self._field(node)
            for argument in node.args:
                self.visit(argument)
            return
        if name in DEFINING:
            return
        if len(node.args) > 1 and all(isinstance(argument, (ast.Name, ast.Attribute)) for argument in node.args[:2]):
            start, end = self._at(node.args[0])[0], self._at(node.args[1])[1]
            self._note("argument", start, end, f"{self._text(node.args[1])}, {self._text(node.args[0])}")
        for keyword in node.keywords:
            if keyword.arg is not None:
                start, end = self._at(keyword)
                before = re.search(rb",\s*\Z", self.source[:start])
                after = re.match(rb"\s*,\s*", self.source[end:])
                start, end = (before.start(), end) if before else (start, end + (after.end() if after else 0))
                self._note("argument", start, end, "")
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Of what is said only the sense is tested, and inside an f-string nodes have no place in Python 3.11."""

    # Statements that can be left out

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        if isinstance(node.value, (ast.Call, ast.Await)):
            self._note("statement", *self._at(node), "pass")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if self._inside and all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets):
            self._note("statement", *self._at(node), "pass")
        if not (isinstance(node.targets[0], ast.Name) and node.targets[0].id.startswith("__")):
            self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._note("statement", *self._at(node), "pass")
        if type(node.op) in COMPUTED:
            old, new = COMPUTED[type(node.op)]
            self._between("arithmetic", node.target, node.value, f"{old}=", f"{new}=")
        self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._note("statement", *self._at(node), "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self._note("statement", *self._at(node), "pass")

    visit_Continue = visit_Break  # type: ignore[assignment]

    def visit_Assert(self, node: ast.Assert) -> None:
        """Assertions are for type checkers here."""

    def visit_Import(self, node: ast.Import) -> None:
        """As they are."""

    visit_ImportFrom = visit_Import  # type: ignore[assignment]
