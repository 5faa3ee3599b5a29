"""The real thing at a small size: the trained world that comes along, through the paths every other world takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from standins import decoded

from installation import show
from installation.film import telemetry
from installation.film.sinks import Memory
from latentworld import preset, worlds

SMALL = ["decoder.engine=eager", "decoder.batch=4", "decoder.steps=6"]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[show.Film, Memory]:
    """Eight frames of the README's film, and its frames as they were."""
    memory = Memory()
    journey = preset.load("first-light", [*SMALL, "film.seconds=0.334", "film.scale=1"])
    return show.film(journey, tmp_path_factory.mktemp("films") / "first-light", sinks=[memory]), memory


def test_the_first_film_is_whole_and_repeats_nothing(film: tuple[show.Film, Memory]) -> None:
    made, memory = film
    assert made.complete
    assert len(decoded(made.video)) == 8
    assert len({picture.tobytes() for picture in memory.pictures}) == 8
    assert memory.pictures.std() > 10  # no grey fog


def test_unmarked_steps_stay_within_twice_the_median(film: tuple[show.Film, Memory]) -> None:
    read = telemetry.read(film[0].folder.telemetry)
    steps, marked = read.clip_step[1:], read.marked[1:]
    assert np.isfinite(steps).all()
    assert (steps[~marked] <= 2 * np.median(steps)).all()


def test_a_still_has_the_bytes_of_the_films_frame(film: tuple[show.Film, Memory], tmp_path: Path) -> None:
    made, memory = film
    read = telemetry.read(made.folder.telemetry)
    at = 5
    show.still(preset.load(made.folder.preset), read.alpha[at], read.beta[at], read.radius[at], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        differ = np.asarray(image).astype(int) - memory.pictures[at]
    # the chart's alpha and beta say the place to 1e-15, not to the last bit
    assert np.abs(differ).max() <= 1


def test_the_scout_sees_what_the_faithful_decoder_sees(tmp_path: Path) -> None:
    pictures = []
    for kind in ("faithful", "scout"):
        journey = preset.load("first-light", [*SMALL, f"decoder.kind={kind}"])
        show.still(journey, 0.2, 0.3, 1.0, tmp_path / f"{kind}.png")
        with Image.open(tmp_path / f"{kind}.png") as image:
            pictures.append(np.asarray(image.convert("L").resize((16, 16))).astype(float).ravel())
    assert np.corrcoef(pictures)[0, 1] > 0.3


def test_the_world_comes_with_all_its_parts() -> None:
    seen = worlds.inspect("embedded")
    assert (seen.student, seen.tiny_vae, seen.clip) == (True, True, True)
    assert seen.size == 128
    assert seen.card.defaults.prompt
    assert seen.disk_mb < 90
