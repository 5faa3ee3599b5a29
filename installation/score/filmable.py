"""What of a score a film can follow: what it cannot is refused by name before anything is rendered."""

from __future__ import annotations

import math

from installation.control.controls import (
    MODEL_BATCH,
    MODEL_DECODER,
    MODEL_WORLD,
    WALK_AUTO,
    WALK_HEADING,
    WALK_KIND,
    WALK_NORM,
    WALK_POSITION,
    ModelControls,
    RiftControls,
    StageControls,
    WalkControls,
)
from installation.control.parameter import Value, rows
from installation.score import reading
from installation.score.scenes import GUIDANCE, SCENIC, STRENGTHS
from installation.score.timing import Signals
from installation.score.tracks import Cue, Score, Timeline, Track
from latentworld import walks
from latentworld.errors import PresetError, WalkRefused
from latentworld.plane import Plane
from latentworld.preset import Preset
from latentworld.worlds.find import find

ONE_DECODER = frozenset({MODEL_DECODER.name, MODEL_BATCH.name, rows(ModelControls)["steps"].name})
SHOWN = frozenset(rows(StageControls)[name].name for name in ("zoom", "master"))
"""What is done to pictures that are made already."""
AFTER_RIFTS = frozenset(rows(RiftControls)[name].name for name in ("mode", "attraction", "words", "share"))
FREES = frozenset({WALK_KIND.name, WALK_AUTO.name, WALK_HEADING.name, WALK_POSITION.name})
"""What may make a free walk of a fixed one."""


LOOPED = frozenset({*SCENIC, rows(WalkControls)["radius"].name, *SHOWN})
"""What a loop, one lap on one plane, may be led by."""
NEAR = 1e-6  # values this close are the same


def check(preset: Preset, signals: Signals | None = None) -> None:
    """Raises PresetError, which names the cue, where a film cannot follow the preset's score, and what `find` raises
    for a world that is not here. preset: as the film is made, whatever plans it."""
    score = reading.read(preset, signals)
    if score is not None and (what := _unknown_scenes(preset)):
        raise PresetError(f"score: with {what} the film has frames that nobody walked, whose scenes no cue knows")
    for cue in () if score is None else score.cues:
        for name in cue.goals:
            why = _refusal(preset, score, cue, name)
            if why:
                raise PresetError(f"{reading.where(cue.number, preset.score[cue.number].at)}: {why}")
    if score is not None and preset.film.loop:
        _check_closed(score, preset.film.frames / preset.film.fps)


def _check_closed(score: Score, seconds: float) -> None:
    """Raises PresetError, which names the parameter, for a score that does not end as it begins."""
    timeline = Timeline(score)
    for name, track in score.tracks.items():
        begin, end = (_said(timeline, track, t) for t in (0.0, seconds))
        if len(begin) != len(end) or not all(map(_same, begin, end)):
            raise PresetError(
                f"score: {name} does not end as it begins, and a loop goes on at its beginning: lead it back in a cue "
                f"that is over by {seconds:g} s, or leave film.loop out"
            )


def _said(timeline: Timeline, track: Track, t: float) -> tuple[Value | None, ...]:
    """What a parameter is at a moment, in numbers and words; a text as it is faded."""
    name, base = track.row.name, track.base
    if track.words:
        mixed = timeline.mixture(name, t, "" if base is None else str(base))
        return tuple(value for pair in sorted(mixed) for value in pair)
    value = timeline.value(name, t)
    return (base if value is None else value,)


def _same(one: Value | None, other: Value | None) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=NEAR, abs_tol=NEAR)
    return one == other


def _unknown_scenes(preset: Preset) -> str:
    """What of a film places frames anew, after the walk."""
    film, rift = preset.film, preset.rift
    if "refine" in (rift.policy, *rift.each.values()):
        return "rift.policy = refine"
    return "film.interpolate" if film.interpolate > 1 else ""


def _refusal(preset: Preset, score: Score | None, cue: Cue, name: str) -> str:
    """Why a film cannot do what a cue sets, nothing where it can."""
    assert score is not None
    row, kind, key = score.tracks[name].row, preset.decoder.kind, cue.written(name)
    if name in SHOWN:
        timed = cue.start is not None
        return (
            "" if timed else f"{key}: what a film shows goes by its own time; give the cue seconds, a frame or a beat"
        )
    if preset.film.loop and name not in LOOPED:
        return f"{key}: a loop is one lap at even steps on one plane: it takes prompts, guidance, LoRA, radius, zoom"
    if preset.film.loop and cue.start is None:
        return f"{key}: a loop's score goes by its time; give the cue seconds, a frame or a beat"
    if row.where != "loop":
        return f"{key} is of a show's {row.where}, a film has none: leave it to `latentworld show`"
    if name in ONE_DECODER:
        return f"{key}: one decoder makes a whole film; set it in [decoder]"
    if name == GUIDANCE and kind != "faithful":
        return f"{key}: the {kind} decoder is not guided; film with decoder.kind = faithful"
    if name in STRENGTHS and (number := STRENGTHS.index(name) + 1) > len(preset.world.loras):
        return f"{key}: the preset names {len(preset.world.loras)} LoRA, none of number {number}; see world.loras"
    if name == WALK_NORM.name and cue.goals[name] == "raw" != preset.plane.norm:
        return f"{key} = raw: a raw plane ends, and a film cannot turn back there; set plane.norm"
    if name == MODEL_WORLD.name:
        if kind == "analytic":
            return f"{key}: the analytic world is one of its own"
        find(str(cue.goals[name]), None)
    fixed = isinstance(preset.walk, walks.FixedSpec)
    if name in AFTER_RIFTS and name not in cue.implied and fixed and FREES.isdisjoint(score.tracks):
        return f"{key}: the walk {preset.walk.kind} is fixed, and goes its way whatever the pilot is after"
    return ""


def check_walks(score: Score, plane: Plane) -> None:
    """Raises PresetError for a kind of walk that cannot be walked on a plane."""
    for cue in score.cues:
        kind = cue.goals.get(WALK_KIND.name)
        if isinstance(kind, str):
            try:
                walks.build(walks.plain(kind), plane)
            except WalkRefused as error:
                raise PresetError(f"{reading.where(cue.number)}: {error}") from None
