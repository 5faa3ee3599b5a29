"""Other people's parts: found by name, imported when asked for; a broken one costs nothing but itself."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from plugins import entries, module, package

from latentworld.errors import PluginError
from latentworld.registry import Registry, blamed

GROUP = "latentworld.tests"


def a_number(name: str, found: object) -> int:
    if not isinstance(found, int):
        raise TypeError(f"{found!r} is no number")
    return found


def registry(folder: Path, **packages: dict[str, str]) -> Registry[int]:
    made = [package(folder, name, "1.2", GROUP, given) for name, given in packages.items()]
    return Registry(GROUP, "number", {"depth": "math:depth", "most": "sys:maxsize"}, a_number, entries(*made))


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    module(monkeypatch, "numbers_of_others", two=2, word="two")


def test_parts_are_named_before_any_is_imported(tmp_path: Path) -> None:
    numbers = registry(tmp_path, others={"two": "tabnanny:two", "four": "tabnanny:four"})
    assert numbers.names() == ("depth", "most", "four", "two")
    assert [(part.name, part.source) for part in numbers.added()] == [("four", "others 1.2"), ("two", "others 1.2")]
    assert numbers.get("most") == sys.maxsize
    assert "tabnanny" not in sys.modules


def test_a_part_of_another_package_is_used_by_name(tmp_path: Path, two: None) -> None:
    numbers = registry(tmp_path, others={"two": "numbers_of_others:two"})
    assert numbers.get("two") == 2
    assert numbers.get("two") is numbers.get("two")
    assert numbers.broken() == []


BROKEN = {
    "no_such_module_at_all:two": "ModuleNotFoundError: No module named 'no_such_module_at_all'",
    "numbers_of_others:three": "AttributeError: module 'numbers_of_others' has no attribute 'three'",
    "numbers_of_others:word": "'two' is no number",
    "numbers_that_end:two": "SystemExit: 3",
    "numbers_that_raise:two": "RuntimeError: many lines, all of them one",
    "numbers_that_are_no_python:two": "SyntaxError",
}


@pytest.mark.parametrize(("value", "reason"), BROKEN.items(), ids=BROKEN.keys())
def test_a_broken_part_is_one_named_line_and_the_others_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two: None, value: str, reason: str
) -> None:
    (tmp_path / "numbers_that_end.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "numbers_that_raise.py").write_text("raise RuntimeError('many lines,\\n  all of them one')\n")
    (tmp_path / "numbers_that_are_no_python.py").write_text("two = = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    numbers = registry(tmp_path, good={"two": "numbers_of_others:two"}, bad={"three": value})
    with pytest.raises(PluginError) as caught:
        numbers.get("three")
    line = str(caught.value)
    assert line.startswith(f"the number 'three' of bad 1.2 ({value}) cannot be used: ")
    assert reason in line
    assert "\n" not in line
    with pytest.raises(PluginError):  # the second time as well: it is not imported again
        numbers.get("three")
    assert numbers.get("two") == 2
    assert [str(broken) for broken in numbers.broken()] == [line]


def test_a_name_that_is_taken_or_no_name_is_left_out(tmp_path: Path, two: None) -> None:
    numbers = registry(
        tmp_path,
        alpha={"two": "numbers_of_others:two"},
        beta={"two": "math:pi", "most": "math:pi", "Bad Name": "math:pi"},
    )
    assert numbers.get("two") == 2
    assert numbers.get("most") == sys.maxsize
    assert [f"{broken.name}: {broken.reason}" for broken in numbers.broken()] == [
        "Bad Name: its name must be small letters, digits, - and _, beginning with a letter, 40 at most",
        "most: latentworld has a number of that name: one of the two needs another",
        "two: alpha 1.2 has a number of that name: one of the two needs another",
    ]


def test_all_usable_parts_are_had_and_all_broken_ones_told(tmp_path: Path, two: None) -> None:
    made = [package(tmp_path, "others", "1.2", GROUP, {"two": "numbers_of_others:two", "bad": "no_such_module:x"})]
    numbers = Registry(GROUP, "number", {"most": "sys:maxsize"}, a_number, entries(*made))
    assert numbers.usable() == {"most": sys.maxsize, "two": 2}
    assert [broken.name for broken in numbers.examine()] == ["bad"]


def test_an_unknown_name_offers_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="no number 'depht': did you mean 'depth'"):
        registry(tmp_path).get("depht")


def test_our_own_fault_stays_a_fault(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        registry(tmp_path).get("depth")


def test_what_breaks_while_it_is_used_is_laid_at_its_packages_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "others", "1.2", GROUP, {"two": "numbers_that_break:two"})
    (tmp_path / "numbers_that_break.py").write_text("def two():\n    raise ValueError('many\\nlines')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    broken = importlib.import_module("numbers_that_break")
    with pytest.raises(ValueError, match="many") as seen:
        broken.two()
    assert blamed(seen.value) == "others 1.2 broke in numbers_that_break, line 2: ValueError: many lines"
    with pytest.raises(ZeroDivisionError) as ours:
        1 // 0  # noqa: B018
    assert blamed(ours.value) is None
