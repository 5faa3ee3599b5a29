"""Subtitles: where a film is, how steep, and at what prompt, a line of time a second, out of its telemetry.

They lie beside the film under its name, where players look for them; a row of telemetry at a time is read.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from installation.film.sheet import place
from installation.takes.take import Take
from installation.terminal import one_line
from latentworld.disk import whole, writing
from latentworld.prompts import Prompt

Form = Literal["srt", "vtt"]
Said = Callable[[float], str]
"""The prompt at a time of the film, in seconds."""
LONGEST = 160  # characters of a prompt


@dataclass(frozen=True)
class Cue:
    """What stands there from one frame on: place of that frame, the greatest rate of those that it lasts."""

    frame: int
    place: str
    rate: float | None
    marked: bool


def write(target: Path, telemetry: Path, form: Form, fps: float, said: Said) -> None:
    """Write the subtitles of a film, whole or not at all. telemetry: its file. Raises OutputError."""
    with writing(target), whole(target) as file, telemetry.open(newline="", encoding="utf-8") as rows:
        file.write(b"WEBVTT\n\n" if form == "vtt" else b"")
        for number, (cue, end) in enumerate(_lasting(cues(csv.DictReader(rows), fps)), 1):
            file.write(_block(number, cue, end, form, fps, said).encode())


def cues(rows: Iterator[Mapping[str, str]], fps: float) -> Iterator[Cue]:
    """A cue a second, or a frame where a frame lasts longer; the last says how many frames there are."""
    here: Cue | None = None
    count = 0
    for count, row in enumerate(rows, 1):
        frame = count - 1
        if here is None or int(frame / fps) > int(here.frame / fps):
            if here is not None:
                yield here
            here = Cue(frame, _place(row), None, False)
        rate = float(row["lipschitz"])
        rates = [each for each in (here.rate, rate) if each is not None and each == each]
        here = Cue(here.frame, here.place, max(rates, default=None), here.marked or row["marked"] != "0")
    if here is not None:
        yield here
        yield Cue(count, "", None, False)


def constant(prompt: Prompt) -> Said:
    """The same prompt throughout."""
    text = words(prompt)
    return lambda time: text


def of_take(take: Take) -> Said:
    """The prompts of a take's scenes, where its film keeps them."""
    shots = take.shots

    def said(time: float) -> str:
        at = int(np.searchsorted(shots.time, shots.time[0] + time + 1e-9, side="right")) - 1
        return words(take.scenes[int(shots.scene[max(at, 0)])].prompt)

    return said


def words(prompt: Prompt) -> str:
    """A prompt in a line; of a mixture its parts, the heaviest first, with their shares."""
    parts = sorted(prompt.toward, key=lambda part: -part[1])
    total = sum(weight for _, weight in parts)
    said = [text if len(parts) == 1 else f"{text} ({weight / total:.0%})" for text, weight in parts if weight]
    line = one_line(" + ".join(said))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _lasting(found: Iterator[Cue]) -> Iterator[tuple[Cue, int]]:
    """Each cue, and the frame it lasts to."""
    before: Cue | None = None
    for cue in found:
        if before is not None:
            yield before, cue.frame
        before = cue


def _place(row: Mapping[str, str]) -> str:
    return place(*(float(row[name]) for name in ("alpha", "beta", "front", "radius")))


def _block(number: int, cue: Cue, end: int, form: Form, fps: float, said: Said) -> str:
    mark = "." if form == "vtt" else ","
    begins, ends = (_clock(frame / fps, mark) for frame in (cue.frame, end))
    rate = "" if cue.rate is None else f"rate {cue.rate:.3g}" + (", a step too steep to be split" if cue.marked else "")
    lines = [line for line in (cue.place, rate, said(cue.frame / fps)) if line]
    if form == "vtt":
        lines = [line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in lines]
    return "\n".join([str(number), f"{begins} --> {ends}", *lines]) + "\n\n"


def _clock(seconds: float, mark: str) -> str:
    total = round(1000 * seconds)
    return f"{total // 3_600_000:02d}:{total // 60_000 % 60:02d}:{total // 1000 % 60:02d}{mark}{total % 1000:03d}"
