"""A picture that a deck sent becomes a vertex of the plane that is shown: inverted beside the loop, then adopted.

The network is called once a tick, so that the wall goes on; the picture's file is decoded here, in the renderer's own
process, and its bounds are those of `pictures.decoded`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from installation import pictures
from installation.ipc.questions import PictureAnswer, PictureQuestion
from installation.studio import Studio
from installation.vertices.making import Made, Options, Place, inverter_of, trio
from latentworld import disk, vertices
from latentworld.arrays import Array
from latentworld.decoding import Watch
from latentworld.disk import writing
from latentworld.errors import ControlError, WorldMismatch
from latentworld.plane import Plane
from latentworld.prompts import Prompt
from latentworld.vertices import Trio

if TYPE_CHECKING:
    from latentworld.decoding.diffusion import Diffusion

MOST = 50_000_000  # pixels of a picture that comes over the network
NAME = "the picture"


class VertexMaker:
    """adopt: called with the new vertex file, from any thread; now: seconds."""

    def __init__(self, adopt: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        self._adopt, self._now = adopt, now
        self._inverter: tuple[Diffusion, Diffusion] | None = None  # of which world's decoder, and the one that inverts

    def __call__(
        self, question: PictureQuestion, studio: Studio, plane: Plane, prompt: Prompt, watch: Watch
    ) -> PictureAnswer:
        """Make it, write the file and have it adopted. Raises ControlError, PresetError for what is no picture,
        WorldMismatch for a world that encodes none, Cancelled."""
        if question.vertex not in range(3):
            raise ControlError(f"there is no vertex z{question.vertex}: choose z0, z1 or z2")
        began = self._now()
        inverter = self._of(studio)
        picture = pictures.decoded(question.picture, NAME, inverter.size, most=MOST)
        places = carried(plane, studio)
        places[question.vertex] = Place(picture)
        spec = studio.preset.plane
        made = trio(inverter, prompt, places, Options("guidance", plane.norm, spec.reach, question.seed), watch)
        file = Path(question.file)
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
        disk.save(file, vertices.serialised(made.trio))
        self._adopt(question.file)
        shown = studio.settings.kind == "faithful"
        notes = made.notes if shown else (*made.notes, "it is exact only with the faithful decoder (model.decoder)")
        return _answer(question.vertex, replace(made, notes=notes), self._now() - began)

    def _of(self, studio: Studio) -> Diffusion:
        """Kept while its world is shown."""
        if studio.networks is None:
            raise WorldMismatch("the analytic world takes no pictures as vertices: choose another world")
        if self._inverter is None or self._inverter[0] is not studio.networks:
            self._inverter = (studio.networks, inverter_of(studio))
        return self._inverter[1]


def carried(plane: Plane, studio: Studio) -> list[Place]:
    """The vertices of a plane as they stand, with what the studio's vertex file says of those that are its own."""
    file = studio.preset.plane.vertices
    filed = None if file is None else vertices.read(file)
    return [_carried(plane.vertices[number], number, filed) for number in range(3)]


def _carried(latent: Array, number: int, filed: Trio | None) -> Place:
    if filed is None or not np.array_equal(filed.vertices[number], latent):
        return Place(None, latent, {"kind": "seed"})
    said = filed.each[number]
    if number in filed.pictures and filed.details is not None:
        return Place(None, latent, said, filed.details[filed.pictures.index(number)])
    kind = "seed" if said.get("kind") == vertices.PICTURE else said.get("kind", "seed")
    return Place(None, latent, {**said, "kind": kind})


def _answer(vertex: int, made: Made, seconds: float) -> PictureAnswer:
    said = made.trio.each[vertex]
    white = said["whiteness"]
    assert isinstance(white, dict)

    def number(value: object) -> float:
        assert isinstance(value, int | float)
        return float(value)

    return PictureAnswer(
        vertex=vertex, floor=number(said["floor"]), reached=number(said["reached"]), lag=number(white["lag"]),
        notes=made.notes, seconds=seconds,
    )  # fmt: skip
