"""How long a chunk is that nobody chose: minutes of work at most, and the same however fast a machine happens to be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from standins import tiny_world

from installation.film.opening import chunk_seconds
from installation.rig import build
from latentworld import preset
from latentworld.decoding.decoder import Watched
from latentworld.decoding.profile import Profile

ASKED = [
    (["decoder.kind=faithful"], 10.0),
    (["decoder.kind=scout"], 60.0),
    (["decoder.kind=faithful", "decoder.height=512", "decoder.width=128"], 2.0),
    (["decoder.kind=faithful", "film.chunk=90"], 90.0),
]


@pytest.mark.parametrize(("settings", "seconds"), ASKED)
def test_a_chunk_is_shorter_where_its_pictures_cost_more(settings: list[str], seconds: float) -> None:
    rig = build(preset.load("first-light", [f"world.name={tiny_world.folder()}", "decoder.device=cpu", *settings]))
    assert chunk_seconds(rig) == seconds


def test_a_card_makes_large_pictures_in_no_time() -> None:
    large = ["decoder.kind=faithful", "decoder.height=512", "decoder.width=512"]
    rig = build(preset.load("first-light", [f"world.name={tiny_world.folder()}", "decoder.device=cpu", *large]))

    class OnCard(Watched):
        @property
        def profile(self) -> Profile:
            return replace(self.decoder.profile, device="cuda:0")

    card = OnCard(rig.decoder, lambda done, total: True)
    assert chunk_seconds(replace(rig, studio=replace(rig.studio, decoder=card))) == 10.0


def test_the_analytic_world_has_a_minute() -> None:
    assert chunk_seconds(build(preset.load("analytic"))) == 60.0
