"""From a preset's score to one that can be played: every name, value, moment and expression is checked, once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from installation.control.controls import (
    MODEL_WORLD,
    VERTICES,
    WALK_JUMP,
    WALK_POSITION,
    WORDS,
    PromptControls,
    RiftControls,
    VertexControls,
    WordControls,
)
from installation.control.parameter import Parameter, Value, rows, said
from installation.control.parameters import table
from installation.control.steering import taken_over
from installation.score.expressions import Formula, formula
from installation.score.timing import Signals, askable, due, heard, seconds, signals_of
from installation.score.tracks import Cue, Goal, Score, Timeline, Track, formulas_of
from latentworld.errors import ControlError, PresetError
from latentworld.explain import nearest
from latentworld.preset import Preset
from latentworld.score import CueSpec, Setting, length, moment
from latentworld.walks import FreeSpec

TRIED = 400  # frames, evenly, at which an expression is tried before anything is made with it
STEP = rows(RiftControls)["step"].name
FADES = frozenset({rows(PromptControls)["fade"].name, rows(RiftControls)["fade"].name})
GOAL = rows(RiftControls)["words"].name
CLIP_STEP = "pacing.clip_step"
"""A key of presets that is played as the pace of meaning per second: so much a frame."""
TEXTS = frozenset(
    row.name for row in (*rows(PromptControls).values(), *(rows(WordControls, i)["text"] for i in range(1, WORDS + 1)))
    if row.kind == "text"
) | {GOAL}  # fmt: skip


def read(preset: Preset, signals: Signals | None = None, fps: float | None = None) -> Score | None:
    """A preset's score, None where it has none. signals: what it is played to, else the preset's own; fps: of frames as
    the score counts them, where that is not the preset's own rate.

    Raises PresetError, one line that names the cue: for a parameter that is not there, a value that it does not take,
    cues that contradict each other, an expression that fails, a bar without a tempo, a lap of an endless walk.
    """
    if not preset.score:
        return None
    return _Reader(preset, signals_of(preset) if signals is None else signals, fps or preset.film.fps).score()


def scored() -> dict[str, Parameter]:
    """Every parameter that a cue may set, by name."""
    found = {
        name: row for name, row in table().items()
        if (row.access == "rw" and row.kind != "trigger" and row.scope != "session") or row == WALK_JUMP
    }  # fmt: skip
    return {**found, MODEL_WORLD.name: replace(MODEL_WORLD, kind="text")}


def begun_with(cues: Iterable[CueSpec]) -> set[str]:
    """Parameters that cues set at the very beginning."""
    names = {row.preset: name for name, row in scored().items() if row.preset} | {CLIP_STEP: STEP}
    return {names.get(key, key) for cue in cues if moment(cue.at).number == 0 for key in cue.set}


class _Reader:
    def __init__(self, preset: Preset, signals: Signals, fps: float) -> None:
        self._preset, self._signals, self._fps = preset, signals, fps
        self._rows = scored()
        self._keys = {row.preset: name for name, row in self._rows.items() if row.preset}
        self._known = askable(signals)

    def score(self) -> Score:
        cues = tuple(self._told(number, spec) for number, spec in enumerate(self._preset.score))
        self._agreed(cues)
        bases = bases_of(self._preset)
        names = dict.fromkeys(name for cue in cues for name in cue.goals)
        tracks = {name: Track(self._rows[name], bases.get(name), name in TEXTS) for name in names}
        score = Score(cues, tracks, self._signals, self._fps)
        for cue in cues:
            self._fades(score, cue)
        self._tried(score)
        return score

    def _told(self, number: int, spec: CueSpec) -> Cue:
        try:
            return self._cue(number, spec)
        except (PresetError, ControlError) as error:
            raise PresetError(f"{where(number, spec.at)}: {error}") from None

    def _cue(self, number: int, spec: CueSpec) -> Cue:
        when = moment(spec.at)
        if when.unit == "lap" and isinstance(self._preset.walk, FreeSpec):
            raise PresetError(f"the walk {self._preset.walk.kind} never ends and has no lap: give seconds, or a rift")
        start = due(when, self._signals, self._fps)
        over = length(spec.over)
        seconds(over, start or 0.0, self._signals, self._fps)  # refuses bars without a tempo
        goals: dict[str, Goal] = {}
        keys: dict[str, str] = {}
        for key, setting in spec.set.items():
            name, goal = self._goal(key, setting)
            if name in goals:
                raise PresetError(f"{key} sets {name} twice: leave one out")
            goals[name], keys[name] = goal, key
        if WALK_JUMP.name in goals and WALK_POSITION.name not in goals:
            raise PresetError(f"{WALK_JUMP.name} needs {WALK_POSITION.name} in the same cue: alpha and beta")
        others = taken_over({name: goal for name, goal in goals.items() if not _unplayable(goal)})  # type: ignore[misc]
        easing = spec.ease
        return Cue(number, spec.name, when, start, over, easing, goals | others, frozenset(others), keys)

    def _goal(self, key: str, setting: Setting) -> tuple[str, Goal]:
        """The parameter that a key names, and what it is set to."""
        if key == CLIP_STEP:
            if isinstance(setting, str):
                return STEP, self._formula(key, f"({setting}) * {self._fps!r}")
            return STEP, self._value(self._rows[STEP], _number(key, setting) * self._fps)
        name = self._keys.get(key, key)
        row = self._rows.get(name)
        if name in FADES:
            raise PresetError(f"{key} is no cue's: say with over how long its texts fade")
        if row is None:
            raise PresetError(f"{key!r:.60} cannot be set: {nearest(key, [*self._rows, *self._keys, CLIP_STEP])}")
        if row.kind == "trigger":
            if setting is not True:
                raise PresetError(f"{key} is pressed: write {key} = true")
            return name, True
        if isinstance(setting, bool) and row.kind != "bool":
            raise PresetError(f"{key} takes a {row.kind}, not {said(setting)}")
        if isinstance(setting, str) and row.numeric:
            return name, self._formula(key, setting)
        if isinstance(setting, tuple) and row.kind == "point":
            parts = [self._formula(key, part) if isinstance(part, str) else part for part in setting]
            if any(isinstance(part, Formula) for part in parts):
                return name, (parts[0], parts[1])
        return name, self._value(replace(row, name=key), setting)

    def _formula(self, key: str, text: str) -> Formula:
        try:
            return formula(text, self._known)
        except PresetError as error:
            raise PresetError(f"{key}: {error}") from None

    def _value(self, row: Parameter, setting: object) -> Value:
        """As the parameter keeps it. Raises PresetError for what it does not take, ControlError likewise."""
        value = row.check(setting)
        given = setting if isinstance(setting, tuple) else (setting,)
        kept = value if isinstance(value, tuple) else (value,)
        if row.kind in ("float", "int", "point") and [float(part) for part in given] != [float(part) for part in kept]:  # type: ignore[arg-type]
            unit = f" {row.unit}" if row.unit else ""
            whole = ", whole" if row.kind == "int" else ""
            raise PresetError(f"{row.name} = {said(setting)}: it goes from {row.low:g} to {row.high:g}{unit}{whole}")
        if row.kind == "bool" and not isinstance(setting, bool):
            raise PresetError(f"{row.name} = {said(setting)}: write true or false")
        return value

    # ---- together

    def _agreed(self, cues: tuple[Cue, ...]) -> None:
        """Raises PresetError where two cues at one moment set the same."""

        def key(cue: Cue) -> tuple[str, float]:
            return (cue.moment.unit, cue.moment.number) if cue.start is None else ("", cue.start)

        for one, other in pairwise(sorted(cues, key=lambda cue: (*key(cue), cue.number))):
            if key(one) == key(other):
                for name in one.goals.keys() & other.goals.keys():
                    both = f"{where(one.number)} and {where(other.number, self._preset.score[other.number].at)}"
                    raise PresetError(f"{both} set {other.written(name)} at the same moment: leave one out")

    def _fades(self, score: Score, cue: Cue) -> None:
        """Raises PresetError for a fade of what cannot be between two values."""
        if cue.over.number > 0 and not any(score.tracks[name].fades for name in cue.goals.keys() - cue.implied):
            names = ", ".join(sorted(map(cue.written, cue.goals.keys() - cue.implied)))
            spec = self._preset.score[cue.number]
            raise PresetError(f"{where(cue.number, spec.at)}: {names} cannot fade: leave out over")

    def _tried(self, score: Score) -> None:
        """Raises PresetError for an expression without a value at a frame that it decides; where the walk says when it
        begins, for one that has none anywhere."""
        end, timeline = self._preset.film.seconds, Timeline(score)
        for cue in score.cues:
            formulas = [(name, part) for name, goal in cue.goals.items() for part in formulas_of(goal)]
            for name, part in formulas:
                begin, last = (0.0, end) if cue.start is None else timeline.span(name, cue.number, end)
                times = np.unique(np.ceil(np.linspace(begin, last, TRIED) * self._fps - 1e-9)) / self._fps
                try:
                    self._values(part, times.tolist(), cue.start is not None)
                except PresetError as error:
                    at = self._preset.score[cue.number].at
                    raise PresetError(f"{where(cue.number, at)}: {cue.written(name)}: {error}") from None

    def _values(self, part: Formula, times: Sequence[float], every: bool) -> None:
        fault: PresetError | None = None
        for t in times:
            try:
                part.value(heard(t, self._fps, self._signals))
            except PresetError as error:
                fault = PresetError(f"at {t:.6g} s {error}")
                if every:
                    raise fault from None
            else:
                if not every:
                    return
        if fault is not None:
            raise fault


def where(number: int, at: object = None) -> str:
    """A cue as errors name it."""
    return f"score[{number}]" if at is None else f"score[{number}] (at {at})"


def bases_of(preset: Preset) -> dict[str, Value]:
    """What a preset has for parameters while no cue has set them, where it says so."""
    says = preset.model_dump(mode="python")
    found = {name: row.default for name, row in scored().items() if row.default is not None}
    for name, row in scored().items():
        value = _at(says, row.preset) if row.preset else None
        if isinstance(value, bool | int | float | str) and value != "auto":
            found[name] = value
    pace = preset.pacing
    return {**found, STEP: pace.clip_step * preset.film.fps if pace.kind == "clip" else 0.0}


def _at(says: object, path: str) -> object:
    """What stands at `section.key`, or `section.key.place` of a list; None where nothing does."""
    for part in path.split("."):
        if isinstance(says, Mapping):
            says = says.get(part)
        elif isinstance(says, tuple | list) and part.isdecimal() and int(part) < len(says):
            says = says[int(part)]
        else:
            return None
    return says


def _number(key: str, setting: Setting) -> float:
    if isinstance(setting, bool) or not isinstance(setting, int | float):
        raise PresetError(f"{key} takes a number, not {said(setting)}")
    return float(setting)


def _unplayable(goal: Goal) -> bool:
    return isinstance(goal, Formula)


def seeds() -> Iterator[str]:
    """Names of the vertices' seeds."""
    return (rows(VertexControls, i)["seed"].name for i in range(VERTICES))
