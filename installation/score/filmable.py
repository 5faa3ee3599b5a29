"""What of a score a film can follow: what it cannot is refused by name before anything is rendered."""

from __future__ import annotations

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
)
from installation.control.parameter import rows
from installation.score import reading
from installation.score.scenes import GUIDANCE
from installation.score.timing import Signals
from installation.score.tracks import Cue, Score
from latentworld import walks
from latentworld.errors import PresetError, WalkRefused
from latentworld.plane import Plane
from latentworld.preset import Preset
from latentworld.worlds.find import find

ONE_DECODER = frozenset({MODEL_DECODER.name, MODEL_BATCH.name, rows(ModelControls)["steps"].name})
SHOWN = frozenset(rows(StageControls)[name].name for name in ("zoom", "master"))
"""What is done to pictures that are made already."""
AFTER_RIFTS = frozenset(rows(RiftControls)[name].name for name in ("mode", "attraction"))
FREES = frozenset({WALK_KIND.name, WALK_AUTO.name, WALK_HEADING.name, WALK_POSITION.name})
"""What may make a free walk of a fixed one."""


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


def _unknown_scenes(preset: Preset) -> str:
    """What of a film places frames anew, after the walk."""
    film, rift = preset.film, preset.rift
    if "refine" in (rift.policy, *rift.each.values()):
        return "rift.policy = refine"
    return "film.loop" if film.loop else "film.interpolate" if film.interpolate > 1 else ""


def _refusal(preset: Preset, score: Score | None, cue: Cue, name: str) -> str:
    """Why a film cannot do what a cue sets, nothing where it can."""
    assert score is not None
    row, kind = score.tracks[name].row, preset.decoder.kind
    if name in SHOWN:
        timed = cue.start is not None
        return (
            "" if timed else f"{name}: what a film shows goes by its own time; give the cue seconds, a frame or a beat"
        )
    if row.where != "loop":
        return f"{name} is of a show's {row.where}, a film has none: leave it to `latentworld show`"
    if name in ONE_DECODER:
        return f"{name}: one decoder makes a whole film; set it in [decoder]"
    if name == GUIDANCE and kind != "faithful":
        return f"{name}: the {kind} decoder is not guided; film with decoder.kind = faithful"
    if name == WALK_NORM.name and cue.goals[name] == "raw" != preset.plane.norm:
        return f"{name} = raw: a raw plane ends, and a film cannot turn back there; set plane.norm"
    if name == MODEL_WORLD.name:
        if kind == "analytic":
            return f"{name}: the analytic world is one of its own"
        find(str(cue.goals[name]), None)
    fixed = isinstance(preset.walk, walks.FixedSpec)
    if name in AFTER_RIFTS and name not in cue.implied and fixed and FREES.isdisjoint(score.tracks):
        return f"{name}: the walk {preset.walk.kind} is fixed, and goes its way whatever the pilot is after"
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
