"""A scout in fp8: near its twin, the same picture in any batch, refused where nothing multiplies it.

torchao refuses processors, which multiply fp8 well enough for a test: here the question is answered for it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest
import torch
from standins import tiny_world
from standins.decoders import PROMPT, latents
from torch import nn

from latentworld.decoding import Decoder, DecoderSettings, engines, fp8, scout_decoder
from latentworld.decoding.foresight import check_precision
from latentworld.errors import PresetError
from latentworld.worlds import load

pytest.importorskip("torchao")
pytestmark = pytest.mark.filterwarnings("ignore")  # torchao's own, of other versions of torch


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """This processor counts as a card that multiplies fp8."""
    from torchao.float8 import inference
    from torchao.quantization import quant_api

    places: list[ModuleType] = [inference, quant_api]
    for place in places:
        monkeypatch.setattr(place, "is_MI300", lambda: True)
    monkeypatch.setattr(fp8, "_multiplies", lambda device: True)


def scout(precision: str, batch: int = 4) -> Decoder:
    halved = load(tiny_world.folder("embedded"), dtype="bfloat16")
    base = scout_decoder(halved, steps=2, batch=batch, engine="eager")
    return base.variant(replace(base.settings, precision=precision))


def test_it_is_near_its_twin_and_another_picture(everywhere: None) -> None:
    z = latents(4)
    slow, fast = scout("")(z, PROMPT), scout("fp8")(z, PROMPT)
    assert 0 < (slow - fast).abs().mean() < 4 / 255
    assert torch.equal(scout("")(z, PROMPT), slow)  # the world's own networks stay what they were


def test_a_picture_is_the_same_in_any_slot_and_company(everywhere: None) -> None:
    z, decoder = latents(4), scout("fp8")
    wanted = decoder(z, PROMPT)
    assert torch.equal(decoder(z.flip(0), PROMPT).flip(0), wanted)
    loud = torch.cat([z[:1], 30 * z[1:]])  # one scale for the whole input would be another one
    assert torch.equal(decoder(loud, PROMPT)[:1], wanted[:1])


def test_the_profile_says_it(everywhere: None) -> None:
    assert scout("fp8").profile.precision == "fp8"
    assert scout("fp8").profile.versions.runtime.startswith("torchao ")
    assert scout("").profile.versions.runtime == ""


def test_one_copy_serves_all_shapes_and_what_has_no_layer_for_it_is_itself(everywhere: None) -> None:
    network = nn.Sequential(nn.Linear(32, 48), nn.Linear(48, 20)).to(torch.bfloat16)
    made = fp8.eight_bits(network)
    assert made is fp8.eight_bits(network) is not network
    assert type(made[1].weight) is nn.Parameter  # type: ignore[index]  # 20 is no multiple of 16
    assert type(made[0].weight) is not nn.Parameter  # type: ignore[index]
    plain = nn.Sequential(nn.Conv2d(4, 16, 3))
    assert fp8.eight_bits(plain) is plain


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, "cpu does not multiply it"),
        ({"dtype": "float16"}, "wants decoder.dtype = 'bfloat16'"),
    ],
)
def test_where_it_cannot_be_it_is_refused(change: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if change:
        monkeypatch.setattr(fp8, "_multiplies", lambda device: True)
    given = {"dtype": "bfloat16"} | change
    settings = DecoderSettings("scout", 1, precision="fp8", engine="compile", **given)  # type: ignore[arg-type]
    with pytest.raises(PresetError, match=told):
        check_precision(settings)


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find: Callable[[str], object] = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torchao" else find(name))
    monkeypatch.setattr(fp8, "_multiplies", lambda device: True)
    with pytest.raises(PresetError, match=r"wants torchao: .*fp8"):
        fp8.check("cuda", "bfloat16")


def test_engines_that_cannot_are_refused() -> None:
    for engine in ("openvino", "package"):
        with pytest.raises(PresetError, match="other numbers than the networks' are 'bfloat16' by openvino"):
            DecoderSettings("scout", 1, precision="fp8", engine=engine)
    with pytest.raises(PresetError, match="use one of openvino"):
        engines.build("eager/int4", nn.Identity(), (torch.zeros(1),), "x")


def test_a_card_of_before_ada_does_not_multiply_it(monkeypatch: pytest.MonkeyPatch) -> None:
    card = torch.device("cuda")
    for capability, able in (((8, 6), False), ((8, 9), True), ((9, 0), True), ((12, 0), True)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, found=capability: found)
        assert fp8._multiplies(card) is able
    assert not fp8._multiplies(torch.device("mps"))
    assert fp8._multiplies(torch.device("xpu"))
