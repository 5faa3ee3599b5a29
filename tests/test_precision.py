"""What OpenVINO multiplies for a scout: near its float32 twin, the same bytes anywhere, and part of the profile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from standins.decoders import PROMPT, latents, world

from installation import rig
from installation.atlas import scouting
from installation.render import live_preset
from latentworld import preset as presets
from latentworld.decoding import Decoder, DecoderSettings, Profile, engines, scout_decoder
from latentworld.decoding.foresight import check_precision
from latentworld.decoding.settings import DecoderSpec, resolve
from latentworld.device import Choice
from latentworld.errors import PresetError

pytest.importorskip("openvino")
pytestmark = pytest.mark.usefixtures("own_cache")
multiplied = pytest.mark.skipif(not engines.has_bfloat16(), reason="this processor does not multiply bfloat16")
MACHINE = Choice("cpu", "float32", "openvino", 2)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def scout(precision: str, batch: int = 4) -> Decoder:
    base = scout_decoder(world(), steps=2, batch=batch, engine="openvino")
    return base.variant(replace(base.settings, precision=precision))


@multiplied
def test_bfloat16_is_near_its_float32_twin_and_another_picture() -> None:
    z = latents(4)
    slow, fast = (scout(precision)(z, PROMPT) for precision in ("", "bfloat16"))
    assert (slow - fast).abs().mean() < 2 / 255
    assert not torch.equal(slow, fast)


@multiplied
@pytest.mark.parametrize("threads", [1, 2])
def test_bfloat16_is_the_same_bytes_in_any_slot_and_any_batch(threads: int, two_threads: None) -> None:
    z, alone = latents(5), scout("bfloat16", 1)
    wanted = torch.cat([alone(one[None], PROMPT) for one in z])
    torch.set_num_threads(threads)
    for batch in (1, 2, 3, 4, 8):
        decoder = scout("bfloat16", batch)
        assert torch.equal(decoder(z, PROMPT), wanted), batch
        assert torch.equal(decoder(z.flip(0), PROMPT).flip(0), wanted), batch


def test_a_share_of_the_pictures_a_thread_is_what_one_thread_makes(two_threads: None) -> None:
    """Guided too, where a row of latents has two rows of predictions."""
    z = latents(4)
    made = []
    for threads in (2, 1):
        torch.set_num_threads(threads)
        base = scout_decoder(world(), steps=2, batch=4, engine="openvino")
        guided = base.variant(replace(base.settings, variant="guided", guidance=4.0))
        assert guided.rows == 2
        made.append((base(z, PROMPT), guided(z, PROMPT)))
    assert all(torch.equal(two, one) for two, one in zip(*made, strict=True))


def test_a_precision_is_part_of_the_profile() -> None:
    plain, other = scout("").profile, replace(scout("").profile, precision="bfloat16")
    assert "precision" not in plain.record()  # what was recorded before there was one stays what it is
    assert plain.hash != other.hash
    assert Profile.read(other.record()) == other
    assert plain.differences(other) == ['precision was "", now "bfloat16"']
    assert other.differences(plain) == ['precision was "bfloat16", now ""']


def test_what_cannot_be_multiplied_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for engine, precision in (("eager", "bfloat16"), ("openvino", "int8")):
        with pytest.raises(PresetError, match="other numbers than the networks"):
            DecoderSettings("scout", 4, engine=engine, precision=precision)
    with pytest.raises(PresetError, match="float32, bfloat16"):
        engines.build("openvino/int8", torch.nn.Identity(), (latents(1),), "test")
    monkeypatch.setattr(engines, "has_bfloat16", lambda: False)
    with pytest.raises(PresetError, match="use 'auto'"):
        check_precision(DecoderSettings("scout", 4, engine="openvino", precision="bfloat16"))


@pytest.mark.parametrize("has", [True, False])
def test_a_shows_scout_is_as_fast_as_the_processor_lets_it(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "has_bfloat16", lambda: has)
    preset = presets.load("first-light").changed(decoder={"engine": "openvino", "device": "cpu"})
    assert live_preset.performed(preset).decoder.scout_precision == ("bfloat16" if has else "auto")
    for said in ("float32", "bfloat16"):
        kept = live_preset.performed(preset.changed(decoder={"scout_precision": said}))
        assert kept.decoder.scout_precision == said
    eager = live_preset.performed(preset.changed(decoder={"engine": "eager"}))
    assert eager.decoder.scout_precision == "auto"


@pytest.mark.parametrize("has", [True, False])
def test_so_is_a_prospects(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[presets.Preset] = []
    monkeypatch.setattr(engines, "has_bfloat16", lambda: has)
    monkeypatch.setattr(rig, "open_studio", opened.append)
    scouting.Scout(presets.load("first-light").changed(decoder={"engine": "openvino", "device": "cpu"}), 1)
    assert opened[0].decoder.scout_precision == ("bfloat16" if has else "auto")


def test_a_films_scout_keeps_float32_unless_it_is_said(tmp_path: Path) -> None:
    card = world().card
    assert resolve(DecoderSpec(), card, MACHINE, "scout").precision == ""
    spec = DecoderSpec(scout_precision="bfloat16")
    for has_few_step in (True, False):
        fast = resolve(spec, card, MACHINE, "scout", has_few_step)
        assert fast.precision == "bfloat16"
        assert spec.saying(fast).scout_precision == "bfloat16"
        assert spec.saying(replace(fast, precision="")).scout_precision == "float32"
        assert DecoderSpec().saying(replace(fast, precision="")).scout_precision == "auto"
    assert resolve(spec, card, MACHINE, "faithful").precision == ""
