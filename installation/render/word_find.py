"""Where the atlas underneath a show is like words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from installation.control.controls import WALK_POSITION
from installation.ipc.questions import FindAnswer, FindQuestion
from latentworld.errors import ControlError
from latentworld.prompts import LONGEST, readable
from latentworld.vision import Eye

if TYPE_CHECKING:
    from latentworld.atlas.prior import Prior


def found(question: FindQuestion, eye: Eye, land: Prior | None) -> FindAnswer:
    """Where an atlas is like a text, as its eye sees it. Raises ControlError without an atlas or words, AtlasMismatch
    where another eye surveyed, WorldMismatch where the eye knows no words."""
    words = " ".join(question.words.split())
    if not words or not readable(words):
        raise ControlError(f"say what to find in 1 to {LONGEST} characters, as 'a cat with rings'")
    if land is None:
        raise ControlError("no atlas of this world, plane and prompt is loaded to find words in: set pilot.atlas")
    from latentworld.atlas import finding

    atlas = land.atlas
    score = finding.scores(atlas, np.asarray(eye.texts([words])[0], np.float64))
    alpha, beta, front = atlas.chart
    reached = front & (np.abs(alpha) <= WALK_POSITION.high) & (np.abs(beta) <= WALK_POSITION.high)
    if not reached.any():
        raise ControlError("the atlas has no place on the near side that alpha and beta name")
    best = int(np.where(reached, score, -np.inf).argmax())
    rounded = tuple(round(value, 4) for value in score.tolist()) if question.scores else ()
    return FindAnswer(words, float(alpha[best]), float(beta[best]), float(score[best]), float(score.max()), rounded)
