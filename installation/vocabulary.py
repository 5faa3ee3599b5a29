"""Whether the eye of a small world understands words, told before pictures are made by them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from installation.studio import Studio
from latentworld.errors import Notice, WorldMismatch
from latentworld.vision.eye import Classifier
from latentworld.worlds import lexicon


def understood(studio: Studio, texts: Sequence[str]) -> None:
    """Notices words that this eye does not know, in one line. Raises WorldMismatch for a text of which it knows
    none."""
    reading = _read(studio, texts)
    for text, (known, lacking) in reading.items():
        if not any(len(word) > 2 for word in known):
            raise WorldMismatch(lexicon.remark(_name(studio), lacking or [text]))
    _tell(studio, [word for _, lacking in reading.values() for word in lacking])


def classifier(studio: Studio, words: Sequence[str]) -> Classifier:
    """What tells these words apart in pictures. Raises as `understood`, and WorldMismatch where the eye knows none."""
    understood(studio, words)
    return studio.eye.labels(words)


def noticed(studio: Studio, texts: Sequence[str]) -> None:
    """Notices words that this eye does not know, in one line."""
    _tell(studio, [word for _, lacking in _read(studio, texts).values() for word in lacking])


def _read(studio: Studio, texts: Sequence[str]) -> dict[str, tuple[list[str], list[str]]]:
    """Words of each text that are known, and that are not; nothing where the eye reads all words."""
    from latentworld.vision.clip import ClipEye

    eye = studio.eye
    if not isinstance(eye, ClipEye):
        return {}
    found = {text: eye.reading(text) for text in texts}
    return {text: reading for text, reading in found.items() if reading is not None}


def _tell(studio: Studio, lacking: Sequence[str]) -> None:
    if lacking:
        warnings.warn(lexicon.remark(_name(studio), list(dict.fromkeys(lacking))), Notice, stacklevel=3)


def _name(studio: Studio) -> str:
    return str(studio.preset.eye.clip or studio.preset.world.name)
