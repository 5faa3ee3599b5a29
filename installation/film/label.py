"""What a film file says of itself beside its pictures: chapters and tags, as ffmpeg's ffmetadata has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from installation.film.sheet import place
from installation.film.telemetry import Telemetry, rifts

MOST = 99  # chapters of a film: what players list
APART = 1.0  # seconds from one to the next, at least
LONGEST = 200  # characters of a chapter's title


@dataclass(frozen=True)
class Chapter:
    """A place to jump to, `time` seconds into the film."""

    time: float
    title: str


@dataclass(frozen=True)
class Label:
    """tags: by ffmpeg's names (title, description, comment); chapters: in the film's order; seconds: of the film."""

    seconds: float
    tags: Mapping[str, str] = field(default_factory=dict)
    chapters: Sequence[Chapter] = ()

    @property
    def text(self) -> str:
        """As ffmetadata: https://ffmpeg.org/ffmpeg-formats.html#Metadata-2."""
        lines = [";FFMETADATA1"]
        lines += [f"{key}={_escaped(value)}" for key, value in self.tags.items() if value]
        ends = [chapter.time for chapter in self.chapters[1:]] + [self.seconds]
        for chapter, end in zip(self.chapters, ends):
            lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={round(1000 * chapter.time)}", f"END={round(1000 * end)}"]
            lines += [f"title={_escaped(chapter.title[:LONGEST])}"]
        return "\n".join(lines) + "\n"


def at_rifts(record: Telemetry, fps: float, places: bool = True) -> list[Chapter]:
    """A chapter for each rift of a film, the steepest first. places: say where they are."""
    peaks = rifts(record)
    numbers = {int(peak): number for number, peak in enumerate(peaks, 1)}
    steepest = peaks[np.argsort(-record.lipschitz[peaks], kind="stable")]
    titles = {
        peak: f"Rift {number}" + (f": {_place(record, peak)}" if places else "") for peak, number in numbers.items()
    }
    return [Chapter(peak / fps, titles[peak]) for peak in steepest.tolist()]


def settled(wanted: Iterable[Chapter], seconds: float, beginning: str) -> list[Chapter]:
    """Those that have room, in the film's order: at most `MOST`, each `APART` from its neighbours; what comes first in
    `wanted` goes before the rest. The film's beginning is one too, so that there is a way back; none where it would be
    the only one."""
    found: list[Chapter] = []
    for chapter in wanted:
        if len(found) == MOST - 1:
            break
        if 0.0 <= chapter.time < seconds and all(abs(chapter.time - other.time) >= APART for other in found):
            found.append(chapter)
    found = sorted(found, key=lambda chapter: chapter.time)
    if not found or found[0].time == 0.0:
        return found
    if found[0].time < APART:  # no room for two
        return [Chapter(0.0, found[0].title), *found[1:]]
    return [Chapter(0.0, beginning), *found]


def _place(record: Telemetry, index: int) -> str:
    columns = (record.alpha, record.beta, record.front, record.radius)
    return " ".join(place(*(float(column[index]) for column in columns)).split())


def _escaped(value: str) -> str:
    text = re.sub(r"([=;#\\\n])", r"\\\1", value.replace("\r", "").replace("\0", ""))
    return f"{text} " if text.endswith("\\") else text  # ffmpeg takes one before a line's end for the line's own escape
