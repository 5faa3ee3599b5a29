"""What a show remembers over a power cut: where the walk was, and what stood on the desk."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from installation.control.desk import Desk
from installation.control.parameter import Parameter
from latentworld import disk
from latentworld.errors import ControlError, ShowError
from latentworld.preset import Preset, dump

if TYPE_CHECKING:
    from filelock import BaseFileLock

NAME = "state.json"
VERSION = 1
PRIVATE = 0o600
LONGEST_RESUME = 4_000_000  # bytes: a thousand times what a renderer leaves
LARGEST = 64_000_000  # bytes of what is read again


@dataclass(frozen=True)
class State:
    """preset: `identity` of the one that ran; resume: what its renderer goes on from, JSON as it told it, None before
    the first picture; values: set on the desk, by name; saved: local time, for people."""

    preset: str
    resume: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    saved: str = ""
    version: int = VERSION
    lost: tuple[str, ...] = ()
    """What of it could not be read, in words; not saved."""


def identity(preset: Preset) -> str:
    """What must be the same for a walk to go on: everything that says where it goes and in which world."""
    essential = preset.changed(title="", description="", film=Preset().film, show=Preset().show)
    return hashlib.sha256(dump(essential).encode()).hexdigest()[:16]


def standing(desk: Desk) -> dict[str, Any]:
    """What people set on the desk and a new start sets again; recordings end with the show."""
    return {
        name: value
        for name, value in desk.values().items()
        if value is not None and value != desk.table[name].default and _stands(desk.table[name])
    }


def stand(desk: Desk, values: Mapping[str, Any]) -> list[str]:
    """Set on the desk what stood there; the names of what cannot have stood there, which is left out."""
    lost = []
    for name, value in values.items():
        row = desk.table.get(name)
        try:
            if row is None or not _stands(row) or row.check(value) != (tuple(value) if row.kind == "point" else value):
                lost.append(name)
            else:
                desk.set(name, value, "state")
        except ControlError:
            lost.append(name)
    return lost


def _stands(row: Parameter) -> bool:
    return row.access == "rw" and row.scope != "session"


def save(folder: Path, state: State) -> None:
    """Write it whole or not at all. Raises DiskFull or OutputError."""
    content = {key: value for key, value in asdict(state).items() if key != "lost"}
    content |= {"resume": None if state.resume is None else json.loads(state.resume)}
    disk.save(folder / NAME, json.dumps(content, separators=(",", ":")).encode(), PRIVATE)


def load(folder: Path) -> State | None:
    """What was saved last; None before the first time.

    Raises ShowError when it cannot be used: the file was then put aside as `state.damaged.json`.
    """
    path = folder / NAME
    try:
        return _read(json.loads(disk.read(path, LARGEST)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        aside = path.with_name("state.damaged.json")
        with contextlib.suppress(OSError):
            path.replace(aside)
        why = f"{path.name} cannot be used ({error})"
        raise ShowError(f"{why}: it is kept as {aside.name}, and the walk begins anew") from None


def write_if_changed(path: Path, text: str) -> None:
    """Write a text, unless it stands there already: a full disk must not keep a show from starting again.

    Raises DiskFull or OutputError.
    """
    try:
        if disk.read(path, LARGEST) == text.encode():
            return
    except (OSError, ValueError):
        pass
    disk.save(path, text.encode(), PRIVATE)


def claim(folder: Path) -> BaseFileLock:
    """Keep other shows out of this folder until it is released, or we die. Raises ShowError where one is there."""
    refusal = ShowError(f"another show runs in {folder}: end it, or give this one another --folder")
    return disk.claim(folder / ".lock", refusal)


def may_be_handed_on(resume: str) -> bool:
    """Whether what a renderer left is text that can be given to the next."""
    try:
        return len(resume.encode()) <= LONGEST_RESUME
    except UnicodeEncodeError:  # a half surrogate, of a file that was edited
        return False


def _read(written: Any) -> State:
    if not isinstance(written, dict):
        raise ValueError("it holds no state")
    if written.get("version") != VERSION:
        raise ValueError(f"version {written.get('version')!s:.20}, this is {VERSION}")
    resume, values, preset = written.get("resume"), written.get("values"), written.get("preset")
    if not isinstance(preset, str):
        raise ValueError("it does not say of which preset it is")
    lost = []
    if not isinstance(values, dict):
        values = {}
        lost.append("what was set on the desk cannot be read: it stands as the preset has it")
    text = json.dumps(resume, ensure_ascii=False, separators=(",", ":")) if isinstance(resume, dict) else None
    if (text is None and resume is not None) or not may_be_handed_on(text or ""):
        text = None
        lost.append("what the walk goes on from cannot be read: it begins anew")
    return State(preset, text, values, str(written.get("saved", "")), lost=tuple(lost))
