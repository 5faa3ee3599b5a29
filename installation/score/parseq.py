"""Parseq's JSON as a `Piece`: values frame by frame (`rendered_frames`), or keyframes, which go evenly from one to the
next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from installation.score.deforum import NONE
from installation.score.piece import Piece, number, seeds
from installation.score.schedules import keyed, lines
from installation.score.words import Words, words
from latentworld.arrays import Array
from latentworld.errors import PresetError

Row = Mapping[str, object]
_FIELDS = {name: f"{name}_schedule" for name in ("strength", "noise", "contrast", "fov")}
TOLERANCE = 0.02


def claims(table: Mapping[str, object]) -> bool:
    """Whether a file is one."""
    return bool(_rows(table, "rendered_frames") or _rows(table, "keyframes"))


def piece(table: Mapping[str, object]) -> Piece:
    """What it says. Raises PresetError."""
    options = table.get("options")
    options = options if isinstance(options, Mapping) else {}
    notes: list[str] = []
    rendered = _rows(table, "rendered_frames")
    rows = rendered or _rows(table, "keyframes")
    if not rendered:
        notes.append("keyframes go evenly from one to the next: render the file in Parseq for its own curves")
    frames = int(number(rows[-1], "frame", -1, 0, 1_000_000)) + 1
    scale, seed = _column(rows, "scale", frames), _column(rows, "seed", frames)
    depth, zoom = _column(rows, "translation_z", frames), _column(rows, "zoom", frames)
    camera, motion = ("translation_z", depth) if depth is not None and np.ptp(depth) > 0 else ("zoom", zoom)
    if motion is not None:
        motion = np.abs(motion if camera == "translation_z" else np.log(np.maximum(motion, 1e-3)))
    _untranslated(rows, frames, notes)
    if seed is not None and np.ptp(seed) > 0:
        notes.append(f"seed travels from {seed[0]:g} to {seed[-1]:g}: the first and the two after it span the plane")
    return Piece(
        title=str(options.get("title") or "")[:120], fps=number(options, "output_fps", 20, 0.1, 240), frames=frames,
        prompts=_prompts(table, rows, frames, notes), blends=False,
        guidance=() if scale is None else tuple(keyed(lines(scale, TOLERANCE))), motion=motion, camera=camera,
        seeds=None if seed is None else seeds(float(np.floor(seed[0]))), steps=None, size=None,
        bpm=number(options, "bpm", 120, 10, 1000) if "bpm" in options else None, notes=tuple(notes),
    )  # fmt: skip


def _rows(table: Mapping[str, object], name: str) -> list[Row]:
    rows = table.get(name)
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        return []
    found = [row for row in rows if isinstance(row, Mapping) and isinstance(row.get("frame"), int | float)]
    return sorted(found, key=lambda row: float(row["frame"]))


def _column(rows: Sequence[Row], name: str, frames: int) -> Array | None:
    """A field at every frame; None where no row has it."""
    known = [(float(row["frame"]), float(row[name])) for row in rows if isinstance(row.get(name), int | float)]  # type: ignore[arg-type]
    if not known or not np.isfinite(known).all():
        return None
    at, values = np.array(known).T
    return np.asarray(np.interp(np.arange(frames), at, values))


def _prompts(
    table: Mapping[str, object], rows: Sequence[Row], frames: int, notes: list[str]
) -> tuple[tuple[int, Words], ...]:  # fmt: skip
    """Of rendered frames those that change; else the file's own prompts."""
    found: list[tuple[int, Words]] = []
    for row in rows:
        text = row.get("deforum_prompt")
        if isinstance(text, str):
            said = words(text, frames - 1, notes, f"the prompt at frame {row['frame']}")
            if not found or found[-1][1] != said:
                found.append((int(float(row["frame"])), said))  # type: ignore[arg-type]
    if found:
        return tuple(found)
    given = table.get("prompts")
    parts = given.get("commonPrompt", given) if isinstance(given, Mapping) else given
    parts = [parts] if isinstance(parts, Mapping) else parts
    for part in parts if isinstance(parts, Sequence) else ():
        if isinstance(part, Mapping) and part.get("positive"):
            text = f"{part['positive']} --neg {part.get('negative') or ''}"
            frame = int(number(part, "from", 0, 0, 1_000_000))
            found.append((frame, words(text, frames - 1, notes, f"the prompt from frame {frame} on")))
    if not found:
        raise PresetError("the file has no prompt: render it in Parseq, or add one")
    return tuple(sorted(found, key=lambda pair: pair[0]))


def _untranslated(rows: Sequence[Row], frames: int, notes: list[str]) -> None:
    for name in ("strength", "noise", "contrast", "fov", *NONE):
        values = _column(rows, name, frames)
        if values is not None and (np.ptp(values) > 0 or values[0] not in (0.0, 1.0)):
            notes.append(f"{name} is left out: {NONE[_FIELDS.get(name, name)]}")
