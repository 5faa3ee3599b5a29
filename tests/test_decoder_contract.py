"""What every decoder keeps, whoever made it and whatever is around it (latentworld/decoding/decoder.py)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from standins.decoders import world
from standins.film import Decoder as StandIn

from installation.render.guard import Guard
from latentworld.decoding import Cached, Decoder, Profile, Watched, faithful_decoder, scout_decoder
from latentworld.decoding.analytic import analytic
from latentworld.errors import Cancelled, DecodeError, NotFinite, PresetError, WorldMismatch
from latentworld.plane import Plane
from latentworld.prompts import Prompt

pytestmark = pytest.mark.usefixtures("own_cache")
PROMPT = Prompt("a cat", "fog")
PLANE = Plane(np.random.default_rng(3).normal(size=(3, 4, 8, 8)))
OTHER = Plane(np.random.default_rng(4).normal(size=(3, 4, 8, 8)))


def faithful() -> Decoder:
    return faithful_decoder(world(), steps=2, guidance=4.0, batch=2)


MAKERS: dict[str, Callable[[], Decoder]] = {
    "analytic": lambda: analytic(PLANE, 6, 0.2, steps=5, size=(16, 16), batch=2),
    "faithful": faithful,
    "faithful, plain": lambda: faithful_decoder(world(), steps=2, guidance=4.0, batch=2, lean=False),
    "student": lambda: scout_decoder(world(), steps=2, batch=2),
    "lcm": lambda: scout_decoder(replace(world(), student=None, few_step="lcm"), steps=2, batch=2),
    "cached": lambda: Cached(faithful()),
    "watched": lambda: Watched(faithful(), lambda done, total: True),
    "guarded": lambda: Guard(faithful(), lambda: True),
    "all around one": lambda: Guard(Cached(Watched(faithful(), lambda done, total: True)), lambda: True),
    "stand-in": lambda: StandIn(shape=(4, 8, 8)),
}


@pytest.fixture(params=MAKERS)
def decoder(request: pytest.FixtureRequest) -> Decoder:
    return MAKERS[request.param]()


def latents(count: int, plane: Plane = PLANE) -> torch.Tensor:
    return plane.latents(plane.unit(np.linspace(0.1, 0.8, count), np.full(count, 0.3)))


def test_pictures_are_as_they_are_described(decoder: Decoder) -> None:
    assert decoder.shape == (4, 8, 8)
    for count in (0, 1, 3):
        pictures = decoder(latents(count), PROMPT)
        assert pictures.shape == (count, 3, *decoder.size)
        assert pictures.dtype == torch.float32
        assert pictures.device.type == "cpu"
        assert ((pictures >= 0) & (pictures <= 1)).all()
    assert torch.equal(decoder(latents(3), PROMPT)[1:2], decoder(latents(3)[1:2], PROMPT))


def test_numbers_that_are_no_picture_leave_no_decoder(decoder: Decoder) -> None:
    given = latents(3)
    given[1] = torch.nan
    if isinstance(decoder, Guard):  # a show's: it goes on with the picture before
        pictures = decoder(given, PROMPT)
        assert decoder.bad.tolist() == [False, True, False]
        assert torch.equal(pictures[1], pictures[0])
        return
    with pytest.raises(NotFinite, match="no picture"):
        decoder(given, PROMPT)
    assert decoder(latents(1), PROMPT).isfinite().all()  # and it goes on


def test_settings_and_profile_say_the_same(decoder: Decoder) -> None:
    settings, profile = decoder.settings, decoder.profile
    same = ("kind", "steps", "guidance", "batch")
    assert [getattr(settings, key) for key in same] == [getattr(profile, key) for key in same]
    assert settings.size == profile.size == decoder.size
    assert Profile.read(json.loads(json.dumps(profile.record()))) == profile
    assert decoder.profile.hash == profile.hash
    assert decoder.rows == (2 if settings.guidance > 1 else 1)  # of the families here


def test_a_variant_is_a_decoder_of_its_own(decoder: Decoder) -> None:
    before, own = decoder(latents(2), PROMPT), decoder.settings
    other = decoder.variant(replace(own, steps=own.steps + 1, batch=1))
    assert type(other) is type(decoder)
    assert (other.settings.steps, other.settings.batch) == (own.steps + 1, 1)
    assert (other.profile.steps, other.profile.batch) == (own.steps + 1, 1)
    assert (other.shape, other.size) == (decoder.shape, decoder.size)
    assert other.texts is decoder.texts  # texts once encoded are known
    assert other(latents(2), PROMPT).shape == before.shape
    assert decoder.settings == own
    again = other.variant(own)
    assert (again.settings, again.profile) == (own, decoder.profile)
    assert torch.equal(again(latents(2), PROMPT), before)
    assert torch.equal(decoder(latents(2), PROMPT), before)


def test_what_was_called_is_warm_and_so_is_its_like(decoder: Decoder) -> None:
    decoder(latents(1), PROMPT)
    assert decoder.warm
    assert decoder.variant(replace(decoder.settings, steps=decoder.settings.steps + 2)).warm


def test_texts_are_encoded_where_the_decoder_says(decoder: Decoder) -> None:
    decoder(latents(1), PROMPT)
    assert decoder.texts is None or (decoder.texts.knows("a cat") and not decoder.texts.knows("never asked for"))


def test_on_another_plane(decoder: Decoder) -> None:
    """Only the analytic world lies on its plane; what is around it goes along."""
    assert decoder.on(PLANE) is decoder
    other = decoder.on(OTHER)
    assert type(other) is type(decoder)
    assert other.settings == decoder.settings
    assert (other is decoder) == (decoder.settings.kind != "analytic")
    wanted = analytic(OTHER, 6, 0.2, steps=5, size=(16, 16)) if decoder.settings.kind == "analytic" else decoder
    assert torch.equal(other(latents(2, OTHER), PROMPT), wanted(latents(2, OTHER), PROMPT))


def test_a_call_can_be_cancelled_and_the_decoder_used_again(decoder: Decoder) -> None:
    if isinstance(decoder, StandIn):
        return  # it takes no steps
    seen: list[tuple[int, int]] = []
    with pytest.raises(Cancelled):
        decoder(latents(3), PROMPT, lambda done, total: bool(seen.append((done, total))) or done < 2)
    steps = decoder.settings.steps * -(-3 // decoder.settings.batch)
    assert seen == [(1, steps), (2, steps)]
    assert decoder(latents(1), PROMPT).isfinite().all()


def test_latents_of_another_shape_are_refused(decoder: Decoder) -> None:
    if isinstance(decoder, StandIn):
        return
    with pytest.raises(DecodeError, match=r"decodes \[n, 4, 8, 8\]"):
        decoder(torch.zeros(1, 4, 16, 16), PROMPT)


# --- what a world's networks can be -------------------------------------------------------------------------------


def test_a_variant_of_another_kind_is_the_decoder_made_so() -> None:
    one, scout = faithful(), scout_decoder(world(), steps=2, batch=2)
    turned = one.variant(scout.settings)
    assert turned.profile == scout.profile
    assert torch.equal(turned(latents(2), PROMPT), scout(latents(2), PROMPT))
    back = turned.variant(one.settings)
    assert torch.equal(back(latents(2), PROMPT), one(latents(2), PROMPT))
    assert back.texts is one.texts


def test_a_sampler_is_chosen_by_its_name() -> None:
    student = scout_decoder(world(), steps=3, batch=2)
    other = student.variant(replace(student.settings, sampler="lcm"))
    assert (student.profile.sampler, other.profile.sampler) == ("ddim", "lcm")
    assert not torch.equal(student(latents(2), PROMPT), other(latents(2), PROMPT))
    lcm = scout_decoder(replace(world(), student=None, few_step="lcm"), steps=3, batch=2)
    named = lcm.variant(replace(lcm.settings, sampler="lcm"))
    assert torch.equal(lcm(latents(2), PROMPT), named(latents(2), PROMPT))
    with pytest.raises(PresetError, match="sampler = 'heun': use one of ddim, euler, dpmpp_2m"):
        replace(student.settings, sampler="heun")
    with pytest.raises(DecodeError, match="does not say what it predicts"):
        next(lcm.moments(latents(2), PROMPT))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dtype": "float16"}, "not on cpu in float16: open it again"),
        ({"device": "mps"}, "not on mps in float32: open it again"),
        ({"kind": "analytic"}, "use one of faithful, scout"),
        ({"variant": "student"}, "variant = 'student' of the faithful decoder"),
        ({"size": (60, 64)}, "multiples of 16 pixels"),
    ],
    ids=str,
)
def test_what_a_world_cannot_be_is_refused(change: dict[str, object], words: str) -> None:
    one = faithful()
    with pytest.raises(PresetError, match=words):
        one.variant(replace(one.settings, **change))  # type: ignore[arg-type]


def test_networks_that_a_world_lacks_are_missed_by_name() -> None:
    bare = scout_decoder(replace(world(), student=None, few_step="lcm"), steps=1, batch=1)
    with pytest.raises(WorldMismatch, match="has no student"):
        bare.variant(replace(bare.settings, variant="student"))
    with pytest.raises(WorldMismatch, match="needs its file"):
        bare.variant(replace(bare.settings, variant="lora"))
    with pytest.raises(PresetError, match="of the scout: use one of student, lora, guided, lcm"):
        bare.variant(replace(bare.settings, variant="teacher"))


def test_the_analytic_world_has_no_other_settings() -> None:
    one = MAKERS["analytic"]()
    assert one.variant(replace(one.settings, size=(24, 32))).size == (24, 32)
    with pytest.raises(PresetError, match="steps, batch and size, and no other"):
        one.variant(replace(one.settings, guidance=3.0))
