"""Deforum's settings as a `Piece`: JSON with prompts by frame and schedules `frame:(value)`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from installation.score.piece import Piece, number, seeds
from installation.score.schedules import Key, frame_of, schedule, series
from installation.score.words import Words, words
from latentworld.arrays import Array
from latentworld.errors import PresetError

_PROMPTS = ("prompts", "animation_prompts")
_NEUTRAL = {"zoom": 1.0, "contrast_schedule": 1.0, "fov_schedule": 70.0, "near_schedule": 200.0}
NONE = {
    "strength_schedule": "how much of the frame before stays: here no frame depends on another",
    "noise_schedule": "noise laid over the frame before: here no frame depends on another",
    "angle": "turns the picture; a walk is turned by walk.heading",
    "translation_x": "shifts the picture: there is no camera",
    "translation_y": "shifts the picture: there is no camera",
    "rotation_3d_x": "turns a camera: there is none",
    "rotation_3d_y": "turns a camera: there is none",
    "rotation_3d_z": "turns a camera: there is none",
    "transform_center_x": "there is no camera",
    "transform_center_y": "there is no camera",
    "fov_schedule": "there is no camera",
    "contrast_schedule": "corrects what feedback does to contrast: nothing is fed back",
    "seed_schedule": "another seed is another plane, at once: set seed.vertex.0 in a cue where you want that cut",
    "steps_schedule": "one decoder makes a whole film: set decoder.steps",
    "sampler_schedule": "one decoder makes a whole film",
    "checkpoint_schedule": "another world: set model.world in a cue",
}
"""What has no equivalent, and why."""


def claims(table: Mapping[str, object]) -> bool:
    """Whether a file is one."""
    return any(isinstance(table.get(name), Mapping) for name in _PROMPTS)


def piece(table: Mapping[str, object]) -> Piece:
    """What it says. Raises PresetError."""
    frames = int(number(table, "max_frames", 120, 1, 1_000_000))
    notes: list[str] = []
    mode = str(table.get("animation_mode", "2D"))
    camera, motion = _camera(table, mode, frames, notes)
    seed = number(table, "seed", -1, -1, 2**63)
    if seed >= 0:
        notes.append(f"seed {int(seed)}: it and the two after it span the plane, on which the walk goes")
    _untranslated(table, frames, notes)
    guidance = _schedule(table, "cfg_scale_schedule", "scale", frames, notes)
    return Piece(
        title=str(table.get("batch_name") or "")[:120], fps=number(table, "fps", 15, 0.1, 240), frames=frames,
        prompts=_prompts(table, frames, notes), blends=mode.lower() == "interpolation", guidance=guidance,
        motion=motion, camera=camera, seeds=seeds(seed), steps=int(number(table, "steps", 0, 0, 100)) or None, bpm=None,
        size=_size(table), notes=tuple(notes),
    )  # fmt: skip


def _size(table: Mapping[str, object]) -> tuple[int, int] | None:
    """Height and width of its frames, even numbers, if it says both. Raises PresetError."""
    high, wide = (int(number(table, name, 0, 0, 8192)) // 2 * 2 for name in ("H", "W"))
    return (high, wide) if min(high, wide) >= 16 else None


def _prompts(table: Mapping[str, object], frames: int, notes: list[str]) -> tuple[tuple[int, Words], ...]:
    given = next(table[name] for name in _PROMPTS if isinstance(table.get(name), Mapping))
    assert isinstance(given, Mapping)
    found: dict[int, Words] = {}
    common = str(table.get("animation_prompts_negative") or "")
    before = str(table.get("animation_prompts_positive") or "")
    for key, text in given.items():
        try:
            frame = frame_of(str(key), frames - 1)
        except PresetError as error:
            notes.append(f"the prompt at {key!s:.40} is left out: {error}")
            continue
        if frame >= frames:
            notes.append(f"the prompt at frame {frame} comes after the end: left out")
            continue
        own, _, away = f"{before} {text}".partition("--neg")
        joined = f"{own} --neg {', '.join(part.strip() for part in (away, common) if part.strip())}"
        found[frame] = words(joined, frames - 1, notes, f"the prompt at frame {frame}")
    if not found:
        raise PresetError("no prompt of the file can be used")
    return tuple(sorted(found.items()))


def _schedule(
    table: Mapping[str, object], name: str, otherwise: str, frames: int, notes: list[str]
) -> tuple[Key, ...]:  # fmt: skip
    text = table.get(name, table.get(otherwise))
    if text is None:
        return ()
    try:
        return tuple(key for key in schedule(text, frames - 1) if key.frame < frames)
    except PresetError as error:
        notes.append(f"{name} is left out: {error}")
        return ()


def _camera(table: Mapping[str, object], mode: str, frames: int, notes: list[str]) -> tuple[str, Array | None]:
    """How fast the camera goes into the picture, frame by frame, and what says so."""
    name = "translation_z" if mode.upper() == "3D" else "zoom"
    keys = _schedule(table, name, name, frames, notes)
    if not keys or mode.lower() == "interpolation":
        return name, None
    try:
        values = series(keys, frames)
    except PresetError as error:
        notes.append(f"{name} is left out: {error}")
        return name, None
    return name, np.abs(np.log(np.maximum(values, 1e-3)) if name == "zoom" else values)


def _untranslated(table: Mapping[str, object], frames: int, notes: list[str]) -> None:
    """A note for each schedule that does something there and has no equivalent here."""
    for name, why in NONE.items():
        text = table.get(name)
        if text in (None, "") or (name.startswith("seed") and table.get("seed_behavior") != "schedule"):
            continue
        try:
            keys = schedule(text, frames - 1)
            still = all(key.value == _NEUTRAL.get(name, 0.0) for key in keys)
        except PresetError:
            still = False
        if not still:
            notes.append(f"{name} is left out: {why}")
    for name, why in (
        ("use_init", "an image to begin with: a walk begins at a place of the plane"),
        ("diffusion_cadence", "frames between others are decoded too: every frame is its own place's picture"),
        ("soundtrack_path", "say [sound] file"),
    ):
        value = table.get(name)
        if value not in (None, False, 0, "", 1, "1", "0"):
            notes.append(f"{name} is left out: {why}")
