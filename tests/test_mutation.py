"""The mutation tool's own parts: which changes there are of a piece of code, and what is left alone."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("coverage", reason="the extra `dev` is not installed")
sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import mutate
from mutants import Mutant, functions, mutants
from reach import Reach

SOURCE = b'''"""A page of 3 words."""
from typing import Annotated
SIZE = 8  # \xc3\xa9
Small = Annotated[int, Field(ge=1, lt=9)]
class Spec(Base):
    kind: int | None = None
    width: Annotated[float, Field(gt=0.0)] = 2.5
    @property
    def half(self) -> float:
        if self.width > SIZE and not self.kind:
            raise ValueError(f"{self.width + 1} is too much")
        return pair(low, high, scale=self.width / 2)
def outer(n: int = 4, slack: float = 1e-9) -> None:
    def inner() -> int:
        return n - 1
    store.value = inner()
    log(n)
'''


def changes() -> dict[tuple[str, str], Mutant]:
    """Mutants by the lines they change, before and after."""
    return {mutant.diff(SOURCE): mutant for mutant in mutants("a.py", SOURCE)}


def test_every_change_is_one_that_a_person_could_have_written() -> None:
    found = changes()
    for old, new, kind in [
        ("SIZE = 8  # é", "SIZE = 9  # é", "constant"),
        ("Small = Annotated[int, Field(ge=1, lt=9)]", "Small = Annotated[int, Field(gt=1, lt=9)]", "bound"),
        ("Small = Annotated[int, Field(ge=1, lt=9)]", "Small = Annotated[int, Field(ge=1, lt=10)]", "bound"),
        ("width: Annotated[float, Field(gt=0.0)] = 2.5", "width: Annotated[float, Field(gt=0.0)] = 3.75", "default"),
        ("if self.width > SIZE and not self.kind:", "if self.width >= SIZE and not self.kind:", "comparison"),
        ("if self.width > SIZE and not self.kind:", "if self.width > SIZE or not self.kind:", "logic"),
        ("if self.width > SIZE and not self.kind:", "if self.width > SIZE and (self.kind):", "logic"),
        ('raise ValueError(f"{self.width + 1} is too much")', "pass", "statement"),
        ("return pair(low, high, scale=self.width / 2)", "return pair(high, low, scale=self.width / 2)", "argument"),
        ("return pair(low, high, scale=self.width / 2)", "return pair(low, high)", "argument"),
        ("return pair(low, high, scale=self.width / 2)", "return pair(low, high, scale=self.width * 2)", "arithmetic"),
        ("def outer(n: int = 4, slack: float = 1e-9) -> None:", "def outer(n: int = 5, slack: float = 1e-9) -> None:",
         "default"),
        ("store.value = inner()", "pass", "statement"),
        ("log(n)", "pass", "statement"),
    ]:  # fmt: skip
        assert found.pop((old, new)).kind == kind, (old, new)
    left = Counter(old for old, _ in found)  # no docstring, annotation, import, decorator, f-string or slack
    assert set(left) <= {"Small = Annotated[int, Field(ge=1, lt=9)]", "width: Annotated[float, Field(gt=0.0)] = 2.5",
                         "if self.width > SIZE and not self.kind:", "return pair(low, high, scale=self.width / 2)",
                         "return n - 1"}  # fmt: skip


def test_a_change_knows_its_function_and_whoever_runs_it_knows_the_line() -> None:
    where = {old: mutant.where for (old, _), mutant in changes().items()}
    assert where["return n - 1"] == "outer.inner"
    assert where["return pair(low, high, scale=self.width / 2)"] == "Spec.half"
    assert where["SIZE = 8  # é"] == where["width: Annotated[float, Field(gt=0.0)] = 2.5"] == ""
    lines = functions(SOURCE)
    assert (lines[12], lines[15], lines[17]) == ("Spec.half", "outer.inner", "outer")
    assert 4 not in lines


def test_the_tests_that_run_a_function_come_first_file_by_file() -> None:
    seconds = {"a.py::one": 3.0, "a.py::two": 0.1, "b.py::one": 1.0, "b.py::two": 0.2, "c.py::one": 0.1}
    reached = {"m.py": {"f": ["a.py::one", "b.py::one", "gone.py::one"], "g": ["c.py::one"]}}
    reach = Reach(seconds, reached, {"m.py": {"a.py::one": 1, "a.py::two": 1}})
    assert reach.of("m.py", "f") == [["a.py::one"], ["b.py::one"], ["a.py::two"], ["b.py::two"]]
    assert reach.of("m.py", "")[0] == ["a.py::two", "a.py::one"]
    assert mutate.within(reach.of("m.py", "f"), reach, 4.05) == [["a.py::one"], ["b.py::one"]]
    assert mutate.within(reach.of("m.py", "f"), reach, 0.5) == [["a.py::one"]]


def test_every_equivalent_mutant_is_still_one() -> None:
    """A line that has changed since leaves an entry that excuses nothing, or the wrong change."""
    for entry in mutate._table(mutate.EQUIVALENTS):
        source = (mutate.ROOT / entry["module"]).read_bytes()
        assert (entry["old"], entry["new"]) in {mutant.diff(source) for mutant in mutants(entry["module"], source)}
