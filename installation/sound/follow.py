"""Parameters that follow a sound: its curves through envelopes with attack and release, into a range.

::

    follow = followed(fitted(sound, film.seconds, "trim"), preset.sound.follow)
    follow(12.5)  # {"walk.radius": 1.13}: what the sound makes of each parameter at 12.5 s
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from installation.control.parameter import Parameter
from installation.control.parameters import loop_table
from installation.sound.sound import Sound, between
from latentworld.arrays import Array
from latentworld.errors import Notice, PresetError
from latentworld.explain import nearest
from latentworld.sections import FollowSpec

Followed = Callable[[float], Mapping[str, float]]
"""A time in seconds to values by their parameters' names."""


def followed(sound: Sound, specs: Sequence[FollowSpec]) -> Followed:
    """What the sound makes of the parameters of `specs`, at any time: of the time alone, whatever was asked before.

    Envelopes run over the whole sound from 0 s on, once. A silent sound leaves every parameter at the low end of its
    range, with a notice. Raises PresetError as `checked`.
    """
    rows = [checked(spec) for spec in specs]
    if specs and sound.silent:
        silent = "sound.file is silent: what follows it stays at the low end of its range"
        warnings.warn(silent, Notice, stacklevel=2)
    ways = [_way(spec, envelope(sound.curve(spec.by), sound.rate, spec.attack, spec.release)) for spec in specs]

    def at(t: float) -> Mapping[str, float]:
        return {row.name: between(way, t * sound.rate) for row, way in zip(rows, ways)}

    return at


def check(specs: Sequence[FollowSpec]) -> None:
    """Refuse what nothing can follow. Raises PresetError: as `checked`, and for a parameter that follows twice."""
    names = [checked(spec).name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise PresetError(f"sound.follow: {name} follows twice; leave one of them out")


def checked(spec: FollowSpec) -> Parameter:
    """The parameter that follows. Raises PresetError for one that is not there or is not smooth, and for a range beyond
    what it takes."""
    table = {name: row for name, row in loop_table().items() if row.access != "r" and row.kind != "trigger"}
    smooth = {name: row for name, row in table.items() if row.smooth and row.kind == "float"}
    row = smooth.get(spec.parameter)
    if row is None:
        why = "changes in steps and cannot follow a sound" if spec.parameter in table else "is no parameter"
        raise PresetError(f"sound.follow: {spec.parameter!r} {why}; {nearest(spec.parameter, smooth)}")
    if not all(row.low <= end <= row.high for end in spec.range):
        raise PresetError(f"sound.follow: {row.name} takes {row.low:g} to {row.high:g}; mend its range")
    return row


def envelope(curve: Array, rate: float, attack: float, release: float) -> Array:
    """A curve [n] behind which rises and falls lag: one pole each way, time constants in seconds, 0 for at once."""
    up, down = (1.0 - math.exp(-1.0 / (rate * lag)) if lag > 0.0 else 1.0 for lag in (attack, release))
    found, now = np.empty(len(curve)), 0.0
    for i, value in enumerate(curve.tolist()):
        now += (up if value > now else down) * (value - now)
        found[i] = now
    return found


def _way(spec: FollowSpec, envelope: Array) -> Array:
    low, high = spec.range
    return np.asarray(low + (high - low) * envelope)
