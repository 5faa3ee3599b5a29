"""What pictures are made with, as the renderer tells it and takes keep it: plane, prompt, decoder, world, walk.

A renderer tells every part whole. A take may have been edited, or written by an earlier version: there what is None is
left to the preset.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from latentworld.prompts import Prompt

Corner = tuple[float, float, float]
SteeredBy = Literal["autopilot", "hand", "place", "replay"]
"""Who steers the walk. autopilot: the pilot, or of a fixed walk, a tour among them, its own way; hand: the heading, or
nobody where it is at rest and all else is off; place: the one that was asked for; replay: the take that is followed."""


class PlaneScene(msgspec.Struct, frozen=True):
    """seeds: of each vertex, None where `vertices`, a file, has it; norm: how lengths are set; layout, device, dtype:
    how seeds were drawn; shape: of a latent, channels, height, width; digest: of the vertices; corners: the vertices in
    R3 (see `Plane.corners`), from which a map knows what lies where; hold, reach: of vertices from pictures, as in a
    preset."""

    seeds: tuple[int | None, int | None, int | None] | None = None
    norm: str | None = None
    layout: str | None = None
    device: str | None = None
    dtype: str | None = None
    vertices: str | None = None
    shape: tuple[int, int, int] | None = None
    digest: str | None = None
    corners: tuple[Corner, Corner, Corner] | None = None
    hold: str | None = None
    reach: float | None = None


class DecoderScene(msgspec.Struct, frozen=True):
    """kind: faithful, scout, analytic or, of the pre-rendered loop, film; profile: the hash of the render profile;
    size: height and width of a picture; sampler, variant: as in
    `DecoderSettings`, None for the usual ones; sampling: as `Sampling` is written, None where all is usual; loras:
    strengths of the preset's `world.loras`, None where it has none."""

    kind: str | None = None
    steps: int | None = None
    guidance: float | None = None
    batch: int | None = None
    engine: str | None = None
    dtype: str | None = None
    device: str | None = None
    profile: str | None = None
    size: tuple[int, int] | None = None
    sampler: str | None = None
    variant: str | None = None
    sampling: str | None = None
    loras: tuple[float, ...] | None = None


class WorldScene(msgspec.Struct, frozen=True):
    """name, revision: as in a preset; digest, seer: of the weights of the world and of the eye."""

    name: str | None = None
    revision: str | None = None
    digest: str | None = None
    seer: str | None = None


class WalkScene(msgspec.Struct, frozen=True):
    """steering: who steers; spec: the keys of a preset's [walk]."""

    steering: SteeredBy
    spec: Mapping[str, object]


class SceneDescription(msgspec.Struct, frozen=True):
    """All of it. The prompt is the one of this moment: while texts fade it is another one with every tick."""

    plane: PlaneScene
    prompt: Prompt
    decoder: DecoderScene
    world: WorldScene
    walk: WalkScene
