"""A score as it is played: cues in time, and for each parameter a track of what they make of it.

::

    timeline = Timeline(score, fired)       # fired: when cues came that the walk decides
    timeline.values(12.5)                   # what is set at 12.5 s, by name; what no cue has touched is absent
    timeline.mixture("prompt.a", 12.5)      # of a text: what it is faded from and to, with weights

All of it follows from the time and from `fired` alone. A fade goes from what the earlier cues would have on to what the
new one has, so where two overlap the newer takes over without a jump.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from installation.control.parameter import Parameter, Value
from installation.score.expressions import Formula
from installation.score.timing import Signals, heard, seconds
from latentworld.easing import Easing, ease
from latentworld.prompts import Mixture
from latentworld.score import Length, Moment

Goal = Value | Formula | tuple[Formula | float, Formula | float] | None
"""What a cue sets; None gives back to the preset."""
Fired = Mapping[int, float]
"""Of cues that the walk decides, those that came: number and when, in seconds."""


@dataclass(frozen=True)
class Cue:
    """One cue. number: its place in the preset; start: when it is due, None where the walk decides; implied: parameters
    that change with what it sets (see `steering.taken_over`); keys: how it writes its parameters, by their names."""

    number: int
    name: str
    moment: Moment
    start: float | None
    over: Length
    easing: Easing
    goals: Mapping[str, Goal]
    implied: frozenset[str] = frozenset()
    keys: Mapping[str, str] = field(default_factory=dict)

    def written(self, name: str) -> str:
        """A parameter as the cue writes it, by its name or by the preset's key."""
        return self.keys.get(name, name)


@dataclass(frozen=True)
class Track:
    """A parameter that is set, and what it is before any cue (None: nobody knows). fades: whether it can be between two
    values; words: whether it is a text, which fades as a mixture."""

    row: Parameter
    base: Value | None
    words: bool

    @property
    def fades(self) -> bool:
        """Whether a fade leads to a value: others switch at its beginning."""
        return self.words or self.row.kind in ("float", "point")


@dataclass(frozen=True, eq=False)
class Score:
    """Cues in the preset's order, tracks by name. fps: of frames as cues count them."""

    cues: tuple[Cue, ...]
    tracks: Mapping[str, Track]
    signals: Signals
    fps: float

    @cached_property
    def events(self) -> tuple[Cue, ...]:
        """Cues that the walk decides."""
        return tuple(cue for cue in self.cues if cue.start is None)

    def label(self, number: int) -> str:
        """A cue as messages and the deck call it."""
        cue = self.cues[number]
        return cue.name or _said(cue.moment)


@dataclass(frozen=True)
class _Step:
    start: float
    end: float
    easing: Easing
    goal: Goal
    cue: int


@dataclass(frozen=True, eq=False)
class _Lane:
    track: Track
    steps: Sequence[_Step]
    starts: Sequence[float] = field(repr=False)


class Timeline:
    """A score with every moment known: what `fired` has, came then; other events have not come yet."""

    def __init__(self, score: Score, fired: Fired = {}) -> None:  # noqa: B006 - it is never written to
        self.score = score
        starts = [(fired.get(cue.number) if cue.start is None else cue.start, cue) for cue in score.cues]
        known = sorted(((start, cue.number, cue) for start, cue in starts if start is not None), key=lambda x: x[:2])
        self.order = [cue for _, _, cue in known]
        self.starts = [start for start, _, _ in known]
        self._lanes = {name: self._lane(name, track, known) for name, track in score.tracks.items()}

    def _lane(self, name: str, track: Track, known: Sequence[tuple[float, int, Cue]]) -> _Lane:
        steps = []
        for start, number, cue in known:
            if name in cue.goals:
                over = seconds(cue.over, start, self.score.signals, self.score.fps)
                steps.append(_Step(start, start + over, cue.easing, cue.goals[name], number))
        return _Lane(track, steps, [step.start for step in steps])

    # ---- what is set

    def values(self, t: float) -> dict[str, Value | None]:
        """By name what is set at a moment; None is given back to the preset. A text that fades is what it fades to."""
        ask = _Asked(t, self.score)
        found = {}
        for name, lane in self._lanes.items():
            k = bisect_right(lane.starts, t) - 1
            if k >= 0:
                found[name] = lane.steps[k].goal if lane.track.words else self._value(lane, k, ask)
        return found  # type: ignore[return-value]

    def value(self, name: str, t: float) -> Value | None:
        """One of them; None also where no cue has touched it yet."""
        lane = self._lanes.get(name)
        k = -1 if lane is None else bisect_right(lane.starts, t) - 1
        return None if lane is None or k < 0 else self._value(lane, k, _Asked(t, self.score))

    def mixture(self, name: str, t: float, base: str) -> Mixture:
        """A text at a moment, as it is faded. base: before any cue."""
        lane = self._lanes.get(name)
        k = -1 if lane is None else bisect_right(lane.starts, t) - 1
        if lane is None or k < 0:
            return ((base, 1.0),)
        first = self._settled(lane, k, t)
        mix: dict[str, float] = {(base if first < 0 else str(lane.steps[first].goal)): 1.0}
        for step in lane.steps[first + 1 : k + 1]:
            share = min(max(_share(step, t), 0.0), 1.0)
            mix = {text: weight * (1.0 - share) for text, weight in mix.items()}
            mix[str(step.goal)] = mix.get(str(step.goal), 0.0) + share
        return tuple((text, weight) for text, weight in mix.items() if weight > 0.0)

    def _value(self, lane: _Lane, k: int, ask: _Asked) -> Value | None:
        first = self._settled(lane, k, ask.t) if lane.track.fades else k
        value = lane.track.base if first < 0 else _reached(lane.track, lane.steps[first].goal, ask)
        for step in lane.steps[first + 1 : k + 1]:
            value = _between(lane.track, value, _reached(lane.track, step.goal, ask), _share(step, ask.t))
        return value

    def _settled(self, lane: _Lane, k: int, t: float) -> int:
        """The last step up to k whose fade is over, -1 for none."""
        while k >= 0 and t < lane.steps[k].end:
            k -= 1
        return k

    # ---- when

    def cue(self, name: str, t: float) -> int | None:
        """Which cue a parameter follows at a moment."""
        lane = self._lanes[name]
        k = bisect_right(lane.starts, t) - 1
        return lane.steps[k].cue if k >= 0 else None

    def fade(self, name: str, number: int) -> tuple[float, float]:
        """From when to when a cue's fade of a parameter goes."""
        step = next(step for step in self._lanes[name].steps if step.cue == number)
        return step.start, step.end

    def span(self, name: str, number: int, end: float) -> tuple[float, float]:
        """From when to when a cue decides a parameter, at most until `end`."""
        steps = self._lanes[name].steps
        k = next(k for k, step in enumerate(steps) if step.cue == number)
        last = steps[k + 1].end if k + 1 < len(steps) else end
        return min(steps[k].start, end), min(last, end)

    def moving(self, names: Sequence[str], t: float) -> bool:
        """Whether one of these changes from frame to frame at a moment: it fades, or follows an expression."""
        for name in names:
            lane = self._lanes.get(name)
            k = -1 if lane is None else bisect_right(lane.starts, t) - 1
            if lane is None or k < 0:
                continue
            step = lane.steps[k]
            if (lane.track.fades and t < step.end) or formulas_of(step.goal):
                return True
        return False

    def next_start(self, t: float) -> float | None:
        """When the next cue after a moment is due, as far as is known."""
        k = bisect_right(self.starts, t)
        return self.starts[k] if k < len(self.starts) else None

    def begun(self, after: float, until: float) -> list[Cue]:
        """Cues due after one moment, and no later than another."""
        return self.order[bisect_right(self.starts, after) : bisect_right(self.starts, until)]


class _Asked:
    """What expressions may ask for at a moment, found when one does."""

    def __init__(self, t: float, score: Score) -> None:
        self.t, self._score = t, score

    @cached_property
    def names(self) -> Mapping[str, float]:
        return heard(self.t, self._score.fps, self._score.signals)


def _reached(track: Track, goal: Goal, ask: _Asked) -> Value | None:
    """What a cue sets at a moment."""
    if isinstance(goal, Formula):
        return track.row.check(goal.value(ask.names))
    if isinstance(goal, tuple) and track.row.kind == "point":
        parts = [part.value(ask.names) if isinstance(part, Formula) else part for part in goal]
        return track.row.check(tuple(parts))
    return goal  # type: ignore[return-value]


def _between(track: Track, one: Value | None, other: Value | None, share: float) -> Value | None:
    """A share of the way from one value to another, on the fader's way; where there is none, the other."""
    row = track.row
    if one is None or other is None or share == 1.0:
        return other
    if isinstance(one, tuple) and isinstance(other, tuple):
        a, b = (x + (y - x) * share for x, y in zip(one, other))
        return row.check((a, b))
    if row.kind == "float" and not isinstance(one, str | tuple) and not isinstance(other, str | tuple):
        low, high = row.normal(one), row.normal(other)
        return row.real(low + (high - low) * share)
    return other


def _share(step: _Step, t: float) -> float:
    return ease(step.easing, (t - step.start) / (step.end - step.start)) if t < step.end else 1.0


def formulas_of(goal: Goal) -> list[Formula]:
    """The expressions in what a cue sets."""
    return [part for part in (goal if isinstance(goal, tuple) else (goal,)) if isinstance(part, Formula)]


def _said(moment: Moment) -> str:
    if moment.unit != "time":
        return f"{moment.unit} {moment.number:g}"
    minutes, seconds_ = divmod(moment.number, 60.0)
    return f"{int(minutes)}:{seconds_:0>5.2f}".removesuffix("0").removesuffix(".0") if moment.number else "0:00"
