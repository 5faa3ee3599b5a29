"""Who steers the walk: what follows from the controls, and what changes on the desk when somebody takes over."""

from __future__ import annotations

from collections.abc import Mapping

from installation.control.controls import WALK_AUTO, WALK_HEADING, WALK_POSITION, WalkControls
from installation.control.parameter import Value
from installation.ipc.scene import SteeredBy

AT_REST = 0.02  # of the heading's way to either side: a stick that nobody holds
STEERS = frozenset((WALK_AUTO.name, WALK_HEADING.name, WALK_POSITION.name))


def steered_by(walk: WalkControls, replayed: bool = False) -> SteeredBy:
    """Who steers under these controls; replayed: whether a take is followed, which goes before them all."""
    if replayed:
        return "replay"
    if abs(walk.heading) > AT_REST:  # an LFO may move it too, while everything else stands as it did
        return "hand"
    if walk.auto:
        return "autopilot"
    return "hand" if walk.position is None else "place"


def overtakes(name: str, newer: Value, older: Value) -> bool:
    """Whether of two values of a parameter in a row the older need not be set: what it would have taken over from
    others, a stick that was moved and let go of at once, is not undone by the newer."""
    return taken_over({name: older}).keys() <= taken_over({name: newer}).keys()


def taken_over(values: Mapping[str, Value | None]) -> dict[str, Value | None]:
    """What else changes on the desk when these are set at one moment: whoever touches the walk takes it from the
    others, so that who steers stands there whole. A stick that is let go of and an autopilot that is switched off take
    nothing."""
    if STEERS.isdisjoint(values):  # nearly always: a desk in a flood asks 5,000 times a second
        return {}
    heading = values.get(WALK_HEADING.name)
    others: dict[str, Value | None] = {}
    if values.get(WALK_AUTO.name):
        others = {WALK_POSITION.name: None, WALK_HEADING.name: WALK_HEADING.default}
    elif values.get(WALK_POSITION.name) is not None:
        others = {WALK_AUTO.name: False, WALK_HEADING.name: WALK_HEADING.default}
    elif isinstance(heading, float) and abs(heading) > AT_REST:
        others = {WALK_AUTO.name: False, WALK_POSITION.name: None}
    return {name: value for name, value in others.items() if name not in values}
