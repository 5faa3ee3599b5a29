"""The API page: every public name stands once, under the path it is imported by, and is explained; it builds clean."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import griffe
import pytest

import latentworld

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "api").glob("*.md"))


@cache
def package(name: str) -> griffe.Module:
    found = griffe.load(name, search_paths=[ROOT], allow_inspection=False)
    assert isinstance(found, griffe.Module)
    return found


def modules() -> list[str]:
    """What the pages document, in their order."""
    return [name for page in PAGES for name in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.M)]


def public(name: str) -> Iterator[griffe.Object | griffe.Alias]:
    """The public names of a module: those of its `__all__`, or the classes and functions that it defines."""
    head, _, rest = name.partition(".")
    module = package(head)[rest]
    if module.exports is not None:
        yield from (module[str(export)] for export in module.exports)
    else:
        own = [member for member in module.members.values() if member.is_public and not member.is_alias]
        yield from (member for member in own if member.is_class or member.is_function)


def test_each_public_module_is_on_one_page() -> None:
    names = modules()
    assert [name for name, count in Counter(names).items() if count > 1] == []
    for name in latentworld.__all__:
        assert [other for other in names if f"{other}.".startswith(f"latentworld.{name}.")], name


@pytest.mark.parametrize("name", modules())
def test_every_public_name_is_explained(name: str) -> None:
    found = list(public(name))
    assert found
    assert [member.path for member in found if not member.has_docstring] == []


def test_every_public_name_has_one_path() -> None:
    paths: dict[str, list[str]] = {}
    for name in modules():
        for member in public(name):
            paths.setdefault(member.canonical_path, []).append(member.path)
    assert len(paths) > 200
    assert {what: where for what, where in paths.items() if len(where) > 1} == {}


def test_public_modules_come_when_they_are_asked_for() -> None:
    program = "import latentworld, sys; assert 'latentworld.plane' not in sys.modules; print(latentworld.plane.Plane)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "<class 'latentworld.plane.Plane'>\n", done.stderr
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        latentworld.nothing  # noqa: B018
    assert latentworld.__all__ == sorted(latentworld.__all__)


def test_the_page_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", "docs/mkdocs.yml", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    page = (tmp_path / "places.html").read_text(encoding="utf-8")
    assert 'id="latentworld.plane.Plane"' in page
    assert "https://" not in re.sub(r"<a [^>]*>", "", page)  # no script, style or font from elsewhere
