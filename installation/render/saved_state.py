"""What a renderer leaves to the next: told with every tick, kept by the show, given back as `ResumeFrom`.

Each part is read by its owner, with a version of its own; what cannot be read begins anew, with a line that says so,
and spoils nothing else. Before parts had versions they had other names, which are still read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from installation.clock import ClockState
from installation.control import walk_control
from installation.control.parameter import Value, checked
from installation.control.parameters import loop_table
from installation.control.walk_control import WalkControlState
from installation.ipc.fields import Part, read_part, write_part
from installation.ipc.jsonable import line
from installation.render import live_pilot, model_control, plane_control, prompt_mix
from installation.render.live_pilot import LivePilotState
from installation.render.model_control import ModelControlState
from installation.render.plane_control import PlaneControlState
from installation.render.prompt_mix import Fade

VERSION = 1  # of `clock`, and of `walk` and `controls`, which are tables of the walk's and the desk's own
T = TypeVar("T")


@dataclass(frozen=True)
class SavedState:
    """None: that part begins anew.

    walk: as `walks.keep` writes it; toward, away: the mixtures of what the picture should be and should not be;
    controls: values by name.
    """

    clock: ClockState = field(default_factory=ClockState)
    walk: Mapping[str, object] | None = None
    walk_control: WalkControlState | None = None
    pilot: LivePilotState = field(default_factory=LivePilotState)
    toward: Fade | None = None
    away: Fade | None = None
    model: ModelControlState = field(default_factory=ModelControlState)
    plane: PlaneControlState = field(default_factory=PlaneControlState)
    controls: Mapping[str, Value] = field(default_factory=dict)


ANEW = SavedState()


BEFORE = frozenset(("index", "director", "helm"))  # what a state had before its parts had versions


def write(state: SavedState) -> str:
    """As text, on one line."""
    parts: dict[str, object] = {
        "clock": write_part(state.clock, VERSION),
        "walk": None if state.walk is None else {"version": VERSION, **state.walk},
        "pilot": write_part(state.pilot, live_pilot.VERSION),
        "model": write_part(state.model, model_control.VERSION),
        "plane": write_part(state.plane, plane_control.VERSION),
        "controls": {"version": VERSION, "values": state.controls},
    }
    if state.walk_control is not None:
        parts["walk_control"] = write_part(state.walk_control, walk_control.VERSION)
    for name, fade in (("toward", state.toward), ("away", state.away)):
        if fade is not None:
            parts[name] = write_part(fade, prompt_mix.VERSION)
    return line(parts, compact=True)


def read(text: str | None, report: Callable[[str], None]) -> SavedState:
    """From text, whatever that is; None: from the beginning. report: takes a line for each part that has trouble."""
    if text is None:
        return ANEW
    try:
        written = json.loads(text)
    except (ValueError, RecursionError) as error:
        report(f"the saved state is no JSON ({error}): everything begins anew")
        return ANEW
    if not isinstance(written, dict):
        report("the saved state is no table: everything begins anew")
        return ANEW
    of_before = "clock" not in written and not BEFORE.isdisjoint(written)
    parts = _renamed(written) if of_before else written

    def found(name: str, read: Callable[[object], Part[T]]) -> T | None:
        part = read(parts.get(name))
        if part.trouble:
            report(part.line(name.replace("_", " ")))
        return part.value

    return SavedState(
        clock=found("clock", lambda clock: read_part(ClockState, clock, VERSION)) or ClockState(),
        walk=found("walk", _table),
        walk_control=found("walk_control", WalkControlState.read),
        pilot=found("pilot", LivePilotState.read) or LivePilotState(),
        toward=found("toward", Fade.read),
        away=found("away", Fade.read),
        model=found("model", ModelControlState.read) or ModelControlState(),
        plane=found("plane", PlaneControlState.read) or PlaneControlState(),
        controls=_set(checked(loop_table(), found("controls", _values) or {}, report)),
    )


def _table(written: object) -> Part[Mapping[str, object]]:
    """A part whose owner reads it later: a walk needs the plane it lies on."""
    if not isinstance(written, dict):
        return Part(None, "is missing" if written is None else "is no table")
    version = written.get("version", VERSION)
    if version != VERSION:
        return Part(None, f"is of version {version!r:.20}, this reads {VERSION}")
    return Part({key: value for key, value in written.items() if key != "version"})


def _values(written: object) -> Part[Mapping[str, object]]:
    part = _table(written)
    if part.value is None:
        return part
    values = part.value.get("values")
    return Part(values) if isinstance(values, dict) else Part(None, "has no usable values")


def _set(values: Mapping[str, Value | None]) -> dict[str, Value]:
    """Those that are not the preset's."""
    return {name: value for name, value in values.items() if value is not None}


def _renamed(written: Mapping[str, object]) -> Mapping[str, object]:
    """What was saved before parts had versions, by today's names."""
    director = written.get("director")
    director = director if isinstance(director, dict) else {}
    clock = {key: written[key] for key in ("index", "time", "period") if key in written}
    model = {key: director[key] for key in ("world", "batch") if key in director}
    return {
        "clock": clock,
        "walk": written.get("walk"),
        "walk_control": director.get("wheel"),
        "pilot": written.get("helm"),
        "toward": director.get("toward"),
        "away": director.get("away"),
        "model": model,
        "controls": {"values": written["controls"]} if "controls" in written else None,
    }
