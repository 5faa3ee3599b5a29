"""Where a survey was made: written into its settings, read back, and compared."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from standins.surveys import PLANE

from latentworld.atlas.provenance import Provenance, SurveyedPlane
from latentworld.atlas.sampling import Window
from latentworld.atlas.settings import portable, settings_of
from latentworld.decoding.profile import Profile, Versions
from latentworld.errors import AtlasDamaged
from latentworld.prompts import Prompt

PROFILE = Profile("faithful", "abc", "cpu", "float32", 4, 20, 3.0, "eager", threads=2, versions=Versions("2.13.0"))
HERE = Provenance.of("world@1", "eye@2", Prompt("a cat", "fog"), PLANE, PROFILE)


def test_what_a_store_keeps_is_read_back_among_its_other_settings() -> None:
    kept = settings_of(Window(rows=3, columns=3), PLANE, PROFILE, world=HERE.world, eye=HERE.eye,
                       prompt=HERE.settings()["prompt"], thumb=64)  # fmt: skip
    assert {key: kept[key] for key in HERE.settings()} == json.loads(json.dumps(HERE.settings()))
    assert Provenance.read(kept) == HERE


EYES = ["/home/me/models/clip@12ab", r"C:\models\clip@12ab", "clip@12ab", "openai/clip@12ab"]


@pytest.mark.parametrize("written", EYES)
def test_an_eye_is_a_name_and_a_digest_wherever_it_lay(written: str) -> None:
    settings = {**settings_of(Window(rows=3, columns=3), PLANE, PROFILE), "eye": written}
    assert Provenance.read(settings).eye == portable(settings)["eye"] == "clip@12ab"


def test_of_imported_pictures_only_the_plane_is_known() -> None:
    imported = Provenance.read(settings_of(Window(rows=3, columns=3), PLANE, imported={}, thumb=64))
    assert imported == Provenance(SurveyedPlane.of(PLANE))
    assert imported.settings().keys() == {"plane"}


def test_differences_name_the_part_and_both_sides() -> None:
    there = replace(HERE, world="other", profile=replace(PROFILE, batch=8))
    assert HERE.differences(there) == ["profile.batch was 4, now 8", 'world was "world@1", now "other"']
    assert HERE.differences(there, "plane", "profile") == ["profile.batch was 4, now 8"]
    assert HERE.differences(HERE) == []


KNOWN = {"plane": {"norm": "sphere", "vertices": "a"}}
DAMAGED = [{}, {"plane": {"norm": "sphere"}}, {"plane": None}]
DAMAGED += [KNOWN | more for more in ({"world": 3}, {"prompt": "a cat"}, {"profile": {"decoder": "x"}})]  # type: ignore[operator]


@pytest.mark.parametrize("kept", DAMAGED, ids=str)
def test_settings_of_another_shape_are_refused(kept: dict[str, object]) -> None:
    with pytest.raises(AtlasDamaged, match="survey it anew"):
        Provenance.read(kept)
