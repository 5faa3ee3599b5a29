"""Stand-ins for packages that add parts: entry points that nobody installed, and the modules that they name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.metadata import Distribution, EntryPoint, PathDistribution
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def package(folder: Path, name: str, version: str, group: str, entries: dict[str, str]) -> Distribution:
    """A package as its installer leaves it: a folder of metadata with the entry points of a group."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = "".join(f"{key} = {value}\n" for key, value in entries.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}")
    return PathDistribution(info)


def entries(*packages: Distribution) -> Callable[[str], Iterable[EntryPoint]]:
    """What a registry asks for the entry points of a group, had these packages alone been installed."""
    return lambda group: [entry for found in packages for entry in found.entry_points.select(group=group)]


def module(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> ModuleType:
    """A module that can be imported while the test runs."""
    made = ModuleType(name)
    vars(made).update(content)
    monkeypatch.setitem(sys.modules, name, made)
    return made
