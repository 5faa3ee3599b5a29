"""A survey exported at full size: every picture is the one that was surveyed, by whichever decoder that was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from standins import tiny_world

pytest.importorskip("zarr", reason="the extra `atlas` is not installed")

from installation.atlas import surveys, writeup
from installation.atlas.findings import still_options
from installation.atlas.survey_folder import SurveyFolder
from installation.frames import develop
from installation.rig import open_studio
from latentworld import preset
from latentworld.atlas.sampling import Window
from latentworld.atlas.types import Site

pytestmark = pytest.mark.usefixtures("own_cache")
WINDOW = Window(alpha=(0.0, 1.0), beta=(0.0, 1.0), rows=3, columns=3)


def journey(**decoder: Any) -> preset.Preset:
    settings = {"engine": "eager", "device": "cpu", "steps": 3, "scout_steps": 2, "guidance": 4.0, "batch": 2}
    return preset.parse({"world": {"name": str(tiny_world.folder("embedded"))}, "decoder": settings | decoder})


def surveyed(path: Path, of: preset.Preset, scout: bool) -> tuple[SurveyFolder, np.ndarray]:
    """A 3 x 3 survey with small thumbnails, and its pictures uint8[9, h, w, 3] at full size."""
    studio, out = open_studio(of), SurveyFolder.at(path)
    with surveys.begin(studio, out, WINDOW, thumb=8, scout=scout) as kept:
        surveys.Survey(studio, out, kept, 8, scout).run(lambda *told: None)
        atlas = kept.atlas()
    decoder = studio.scout if scout else studio.decoder
    return out, develop(decoder(studio.plane.latents(atlas.unit, 1.0), studio.prompt))


def exported(out: SurveyFolder, target: Path) -> tuple[np.ndarray, dict[str, Any]]:
    writeup.export(out, target, full=True)
    told = json.loads((target / "metadata.json").read_text())
    return np.stack([opened(target / record["filename"]) for record in told["images"]]), told["config"]


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("scout", [True, False], ids=["scout", "faithful"])
def test_what_is_exported_is_what_was_surveyed(scout: bool, tmp_path: Path) -> None:
    out, pictures = surveyed(tmp_path / "atlas", journey(), scout)
    found, config = exported(out, tmp_path / "folder")
    np.testing.assert_array_equal(found, pictures)
    assert config["pictures"] == "decoded again, as they were surveyed"
    kind, variant, steps = ("scout", "student/tiny", 2) if scout else ("faithful", None, 3)
    assert (config["profile"]["kind"], config["profile"].get("variant")) == (kind, variant)
    assert (config["inference_steps"], config["guidance"]) == (steps, 1.0 if scout else 4.0)
    assert "decoded_by" not in config


def test_an_atlas_of_an_earlier_version_is_exported_and_gone_on_with(tmp_path: Path) -> None:
    """Its profile has the first form: `decoder` for kind and variant, and no versions but torch's."""
    out, pictures = surveyed(tmp_path / "atlas", journey(), scout=True)
    file = out.store / "zarr.json"
    told = json.loads(file.read_text())
    now = told["attributes"]["settings"]["profile"]
    first = ("world", "device", "dtype", "batch", "steps", "guidance", "engine", "torch", "threads")
    told["attributes"]["settings"]["profile"] = {"decoder": "scout/student/tiny"} | {key: now[key] for key in first}
    file.write_text(json.dumps(told))
    found, config = exported(out, tmp_path / "folder")
    np.testing.assert_array_equal(found, pictures)
    assert config["pictures"] == "decoded again, as they were surveyed"
    assert (config["profile"]["kind"], config["profile"]["variant"]) == ("scout", "student/tiny")
    with surveys.begin(open_studio(journey()), out, WINDOW, thumb=8, scout=True) as kept:
        assert kept.complete


def test_where_nothing_was_made_to_scout_the_decoder_in_few_steps_is_exported(tmp_path: Path) -> None:
    bare = {"world": {"name": str(tiny_world.folder("plain"))}, "eye": {"clip": str(tiny_world.folder("embedded"))}}
    bare |= {"prompt": {"positive": "a cat", "negative": "fog"}}
    of = preset.parse(bare | {"decoder": {"engine": "eager", "device": "cpu", "steps": 12, "batch": 1}})
    out, pictures = surveyed(tmp_path / "atlas", of, scout=True)
    found, config = exported(out, tmp_path / "folder")
    np.testing.assert_array_equal(found, pictures)
    assert (config["profile"]["kind"], config["inference_steps"]) == ("scout", 8)


def test_a_machine_that_makes_other_pictures_says_so(tmp_path: Path) -> None:
    out, _ = surveyed(tmp_path / "atlas", journey(), scout=True)
    file = out.store / "zarr.json"
    told = json.loads(file.read_text())
    told["attributes"]["settings"]["profile"]["threads"] = 99
    file.write_text(json.dumps(told))
    _, config = exported(out, tmp_path / "folder")
    assert config["pictures"] == "decoded again, otherwise"
    assert config["differences"] == [f"threads was 99, now {config['decoded_by']['threads']}"]


def test_thumbnails_are_exported_as_they_are(tmp_path: Path) -> None:
    out, pictures = surveyed(tmp_path / "atlas", journey(), scout=True)
    writeup.export(out, tmp_path / "small", full=False)
    config = json.loads((tmp_path / "small" / "metadata.json").read_text())["config"]
    assert config["pictures"] == "thumbnails, as they were surveyed"
    assert opened(tmp_path / "small" / "a000_b000.png").shape == (8, 8, 3) != pictures.shape[1:]


@pytest.mark.parametrize(("sampler", "eta"), [("ddim", 0.0), ("lcm", None)])
def test_a_folder_says_how_it_was_sampled(sampler: str, eta: float | None, tmp_path: Path) -> None:
    """eta = 0 is DDIM's word for no noise on the way, which an LCM's steps add."""
    out, _ = surveyed(tmp_path / "atlas", journey(), scout=True)
    file = out.store / "zarr.json"
    told = json.loads(file.read_text())
    told["attributes"]["settings"]["profile"]["sampler"] = sampler
    file.write_text(json.dumps(told))
    writeup.export(out, tmp_path / "small", full=False)
    config = json.loads((tmp_path / "small" / "metadata.json").read_text())["config"]
    assert (config["sampler"], config["eta"]) == (sampler, eta)


@pytest.mark.parametrize(
    ("front", "radius", "wanted"),
    [(True, 1.0, ""), (False, 1.0, " --radius -1"), (True, 1.5, " --radius 1.5"), (False, 0.5, " --radius -0.5")],
)
def test_a_rift_is_printed_as_still_takes_it(front: bool, radius: float, wanted: str) -> None:
    site = Site(0, (0, 1), 0.25, -3.0, front, 1.0, 2.0)
    assert still_options(site, radius) == "--alpha 0.25 --beta -3" + wanted
