"""Other programs' schedules as presets: Deforum's settings, Parseq's JSON. What has no equivalent gets a line.

A camera flies there through pictures that are made of each other; here nothing is fed back. So prompts, guidance,
seeds, tempo and length are taken over; of the camera remains how fast it goes, as the speed of the walk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tomli_w

from installation.control.controls import ModelControls, WalkControls
from installation.control.parameter import rows
from installation.score import deforum, parseq, reading
from installation.score.piece import Piece
from installation.score.schedules import cues, keyed, lines, merged
from installation.score.words import NEGATIVE, POSITIVE, weaker
from latentworld import preset, texts
from latentworld.errors import PresetError

LARGEST = 64_000_000  # bytes
SPEED, GUIDANCE = rows(WalkControls)["speed"], rows(ModelControls)["guidance"]
USUAL = 4.0  # latents per second that the middle of a camera's motion becomes
SLOWEST = 0.25
TOLERANCE = 0.08  # of a speed, that straight lines may be off


@dataclass(frozen=True)
class Imported:
    """A preset as TOML, checked, and a line for each thing that was left out or is another here."""

    toml: str
    notes: tuple[str, ...] = field(default=())


def read(path: Path, fade: float = 1.0) -> Imported:
    """A preset of another program's file. fade: seconds that a prompt takes to change where it changed at once.

    Raises PresetError for a file that is neither, cannot be read, or has nothing to make a score of.
    """
    try:
        table = texts.table(texts.read(path, LARGEST))
    except OSError as error:
        raise PresetError(f"{path} cannot be read ({error.strerror}): check the path") from None
    except ValueError as error:
        raise PresetError(f"{path} is no JSON ({error!s:.80}): give Deforum's settings or Parseq's JSON") from None
    for kind in (parseq, deforum):
        if kind.claims(table):
            return _written(kind.piece(table), path.name, fade)
    raise PresetError(f"{path} is neither Deforum's settings (prompts by frame) nor Parseq's JSON (rendered_frames)")


def _written(piece: Piece, name: str, fade: float) -> Imported:
    notes = list(piece.notes)
    made: list[dict[str, object]] = []
    film: dict[str, object] = {"fps": piece.fps, "seconds": piece.frames / piece.fps}
    if piece.size is not None:  # all over it: there a picture is made in that shape
        film |= {"size": list(piece.size), "fit": "cover"}
    table: dict[str, object] = {
        "title": piece.title or name, "description": f"imported from {name}",
        "film": film,
    }  # fmt: skip
    decoder: dict[str, object] = {"steps": piece.steps} if piece.steps else {}
    if piece.guidance:
        begin, found = cues(piece.guidance, GUIDANCE.name, GUIDANCE.low, GUIDANCE.high)
        decoder["guidance"], made = begin, made + found
    if piece.motion is not None:
        begin, found = _speed(piece, notes)
        table["pacing"], made = {"speed": begin}, made + found
    made += _prompts(piece, fade, table)
    table |= {"decoder": decoder} if decoder else {}
    table |= {"plane": {"seeds": list(piece.seeds)}} if piece.seeds else {}
    table |= {"tempo": {"bpm": piece.bpm}} if piece.bpm else {}
    table |= {"score": merged(made)} if made else {}
    checked = preset.parse(table)
    reading.read(checked)
    head = [f"# imported from {name}", *(f"# {note}" for note in notes), ""]
    return Imported("\n".join(head) + "\n" + tomli_w.dumps(table), tuple(notes))


def _speed(piece: Piece, notes: list[str]) -> tuple[float, list[dict[str, object]]]:
    """The camera's motion as the walk's speed: its shape, and its middle at the usual pace."""
    assert piece.motion is not None
    middle = float(np.median(piece.motion[piece.motion > 0])) if (piece.motion > 0).any() else 0.0
    if middle == 0.0 or np.ptp(piece.motion) < 1e-9:
        notes.append(f"{piece.camera} moves evenly: the walk keeps {USUAL:g} latents a second")
        return USUAL, []
    notes.append(f"{piece.camera} is played as the walk's speed: its shape, {USUAL:g} latents a second at its middle")
    speed = np.clip(USUAL * piece.motion / middle, SLOWEST, SPEED.high)
    keys = keyed(lines(np.log(speed), TOLERANCE), lambda value: round(math.exp(value), 3))  # as the fader goes
    return cues(keys, SPEED.name, SLOWEST, SPEED.high)


def _prompts(piece: Piece, fade: float, table: dict[str, object]) -> list[dict[str, object]]:
    """The first prompt stands in the preset; the others are cues."""
    found: list[dict[str, object]] = []
    prompts = piece.prompts
    if not prompts:
        return found
    concepts = prompts[0][1].settings(first=True)
    table["prompt"] = {"positive": concepts.pop(POSITIVE)}
    if prompts[0][1].away:
        table["prompt"] = {**table["prompt"], "negative": concepts.pop(NEGATIVE)}  # type: ignore[dict-item]
    if concepts:
        found.append({"at": "frame 0", "set": concepts})
    for k in range(1, len(prompts)):
        frame, words = prompts[k]
        begin = prompts[k - 1][0] if piece.blends else frame
        length = frame - begin if piece.blends else round(fade * piece.fps)
        settings = {**weaker([each for _, each in prompts[:k]]), **words.settings()}
        if not any(each.away for _, each in prompts):
            settings.pop(NEGATIVE, None)
        over = {"over": f"{length} frames"} if length else {}
        found.append({"at": f"frame {begin}", **over, "set": settings})
    return found
