"""How a film shows its pictures: what its score says of the stage, frame by frame, by the film's own time."""

from __future__ import annotations

import numpy as np

from installation.control.controls import StageControls
from installation.control.parameter import rows
from installation.film import playing
from installation.film.finish import Showing
from installation.score.tracks import Timeline
from latentworld.arrays import Array
from latentworld.preset import Preset

_STAGE = rows(StageControls)
ZOOM, MASTER = _STAGE["zoom"].name, _STAGE["master"].name


def showing(preset: Preset) -> Showing | None:
    """What the preset's score and sound make of its film's frames; None where they leave the stage alone. Raises as
    `playing.score_of`."""
    score = playing.score_of(preset)
    if score is None or not {ZOOM, MASTER} & score.tracks.keys():
        return None
    timeline, fps = Timeline(score), preset.film.fps

    def each(name: str) -> Array:
        values = [timeline.value(name, number / fps) for number in range(preset.film.frames)]
        return np.array([1.0 if value is None else float(value) for value in values])  # type: ignore[arg-type]

    return Showing(each(ZOOM), each(MASTER))
