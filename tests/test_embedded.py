"""The real thing at a small size: the trained world that comes along, through the paths every other world takes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image
from standins.film import decoded
from transformers import CLIPModel, CLIPProcessor

from installation.film import make, telemetry
from installation.film.sinks import Memory
from latentworld import preset, worlds

SMALL = ["decoder.engine=eager", "decoder.batch=4", "decoder.steps=6"]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[make.Film, Memory]:
    """Eight frames of the README's film, and its frames as they were."""
    memory = Memory()
    journey = preset.load("first-light", [*SMALL, "film.seconds=0.334", "film.scale=1"])
    return make.film(journey, tmp_path_factory.mktemp("films") / "first-light", sinks=[memory]), memory


def test_the_first_film_is_whole_and_repeats_nothing(film: tuple[make.Film, Memory]) -> None:
    made, memory = film
    assert made.complete
    assert len(decoded(made.video)) == 8
    assert len({picture.tobytes() for picture in memory.pictures}) == 8
    assert memory.pictures.std() > 10  # no grey fog


def test_unmarked_steps_stay_within_twice_the_median(film: tuple[make.Film, Memory]) -> None:
    read = telemetry.read(film[0].folder.telemetry)
    steps, marked = read.clip_step[1:], read.marked[1:]
    assert np.isfinite(steps).all()
    assert (steps[~marked] <= 2 * np.median(steps)).all()


def test_a_still_has_the_bytes_of_the_films_frame(film: tuple[make.Film, Memory], tmp_path: Path) -> None:
    made, memory = film
    read = telemetry.read(made.folder.telemetry)
    at = 5
    make.still(preset.load(made.folder.preset), read.alpha[at], read.beta[at], read.radius[at], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        differ = np.asarray(image).astype(int) - memory.pictures[at]
    # the chart's alpha and beta say the place to 1e-15, not to the last bit
    assert np.abs(differ).max() <= 1


def test_the_scout_sees_what_the_faithful_decoder_sees(tmp_path: Path) -> None:
    pictures = []
    for kind in ("faithful", "scout"):
        journey = preset.load("first-light", [*SMALL, f"decoder.kind={kind}"])
        make.still(journey, 0.2, 0.3, 1.0, tmp_path / f"{kind}.png")
        with Image.open(tmp_path / f"{kind}.png") as image:
            pictures.append(np.asarray(image.convert("L").resize((16, 16))).astype(float).ravel())
    assert np.corrcoef(pictures)[0, 1] > 0.3


def test_the_world_comes_with_all_its_parts() -> None:
    seen = worlds.inspect("embedded")
    assert (seen.student, seen.tiny_vae, seen.clip) == (True, True, True)
    assert seen.size == 128
    assert seen.card.defaults.prompt
    assert seen.disk_mb < 90


def test_the_write_ups_own_snippet_gives_plausible_pictures() -> None:
    """Three seeded latents, a renormalised grid point, and the vanilla pipeline: no code of ours on the way."""
    folder = worlds.locate("embedded")
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    z0, z1, z2 = (
        randn_tensor((1, 16, 16, 4), generator=torch.Generator().manual_seed(seed)).permute(0, 3, 1, 2)
        for seed in (0, 123, 200)
    )
    target_norm = (z0.norm() + z1.norm() + z2.norm()) / 3
    latents = []
    for a, b in ((0.0, 0.0), (0.25, 0.75), (1.0, 1.0)):
        z_sample = z0 + a * (z1 - z0) + b * (z2 - z0)
        latents.append(z_sample * (target_norm / z_sample.norm()))
    made = pipe(
        prompt=["High quality picture, 4k, detailed"] * 3,
        negative_prompt=["blurry, ugly, stock photo"] * 3,
        latents=torch.cat(latents),
        num_inference_steps=50,
        guidance_scale=5.0,
    ).images
    assert [picture.size for picture in made] == [(128, 128)] * 3
    card = tomllib.loads((Path(folder) / "card.toml").read_text(encoding="utf-8"))
    words = [family["prompt"] for family in card["families"]]
    model, reader = CLIPModel.from_pretrained(folder / "clip"), CLIPProcessor.from_pretrained(folder / "clip")
    given = reader(text=words, images=made, padding="max_length", truncation=True, return_tensors="pt")
    with torch.inference_mode():
        sure = model(**given).logits_per_image.softmax(dim=1).max(dim=1).values
    assert (sure > 0.5).all(), sure  # of eight families one is seen; how often with 0.9 is the judge's figure
    assert min(np.asarray(picture).std() for picture in made) > 10
