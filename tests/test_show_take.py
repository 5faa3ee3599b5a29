"""A take of a whole running show, with the renderer in its own process: filmed, it is what was on the wall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from patience import until
from standins import tiny_world
from standins.show import STAGE, put_on

from installation import takes
from installation.film import make, telemetry
from installation.film.sinks import Memory
from installation.frames import digest
from installation.ipc.messages import Place, Tick
from installation.show.children import Programs
from installation.show.fallback import Patience
from installation.takes import film as filming
from latentworld import preset

pytestmark = pytest.mark.usefixtures("plain")

LIVE = [
    "decoder.kind=scout", "decoder.scout_steps=1", "decoder.engine=eager", "decoder.batch=2", "decoder.device=cpu",
    "pacing.kind=latent", "pilot.mode=off", "show.rate=20", "film.scale=1",
]  # fmt: skip


def test_what_was_played_is_filmed_to_the_last_bit(tmp_path: Path) -> None:
    journey = preset.load("first-light", [f"world.name={tiny_world.folder()}", *LIVE])
    runtime = {"programs": Programs(stage=STAGE, outputs=STAGE), "patience": Patience()}
    places: dict[int, Place] = {}
    pictures: dict[int, np.ndarray] = {}

    with put_on(tmp_path, performed=journey, **runtime) as (show, _):
        ring, desk = show.newest_picture.ring, show.desk

        def look(tick: Tick) -> None:
            places.update(zip(tick.index, tick.place, strict=True))
            for sequence in range(max(ring.newest - 7, 1), ring.newest + 1):
                if (shot := ring.get(sequence)) is not None:
                    pictures[shot.frame] = shot.picture.copy()

        show.watch(look)
        until(lambda: len(places) > 6)
        desk.set("record.take", True, "test")
        begun = max(places)
        until(lambda: show.takes())
        for name, value in (("walk.heading", 80.0), ("prompt.b", "a single flower"), ("prompt.mix", 0.5)):
            desk.set(name, value, "test")
            now = max(places)
            until(lambda now=now: max(places) > now + 8)
        desk.set("walk.position", (0.2, 0.7), "test")
        desk.press("walk.jump", None, "test")
        until(lambda: max(places) > begun + 50)
        desk.set("record.take", False, "test")
        (name,) = show.takes()
        recorded = tmp_path / "takes" / f"{name}.take"
        until(lambda: takes.read(recorded).complete)

    take = takes.read(recorded)
    numbers = take.shots.index.tolist()
    assert len(numbers) >= 40
    assert len(take.scenes) > 2  # the prompt faded
    played, memory = filming.journey(take, (), exact=True), Memory()
    check = played.check()
    film = make.film(played.preset, tmp_path / "film", sinks=[memory, check], journey=played)
    other = [
        (number, scene, None if number not in pictures else int(np.ptp(made.astype(int) - pictures[number])))
        for number, scene, said, made in zip(numbers, take.shots.scene, take.shots.sum, memory.pictures, strict=True)
        if said != digest(made)
    ]
    assert not other, f"frames, their scenes, how far apart: {other}; {check.report(film.summary.profile)}"
    assert (check.same, check.other) == (len(numbers), 0)
    record = telemetry.read(film.folder.telemetry)
    assert record.unit.tobytes() == np.array([places[number][:3] for number in numbers]).tobytes()
    seen = [number for number in numbers if number in pictures]
    assert len(seen) >= 8  # the ring holds eight, and we may look late; `check` compared all by their digests
    for number in seen:
        np.testing.assert_array_equal(memory.pictures[numbers.index(number)], pictures[number])
