"""Settings and profiles: read as they were written, also in their first form, and told apart in what both say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from standins.decoders import world

from latentworld.decoding import DecoderSettings, Profile, faithful_decoder, profile, scout_decoder
from latentworld.decoding.profile import Versions
from latentworld.decoding.settings import DecoderSpec, resolve, resolve_analytic
from latentworld.device import Choice
from latentworld.errors import DecodeError, PresetError
from latentworld.worlds import Card

FIRST = {
    "decoder": "scout/student/tiny", "world": "c2ab", "device": "cpu", "dtype": "float32", "batch": 8, "steps": 4,
    "guidance": 1.0, "engine": "openvino", "torch": "2.13.0+cpu", "threads": 2, "hash": "0123456789abcdef",
}  # fmt: skip
CARD = Card(name="w", size=256, defaults={"steps": 30, "guidance": 6.0, "scout_steps": 3})
MACHINE = Choice("cuda", "float16", "graphs", 16)


# --- profiles ----------------------------------------------------------------------------------------------------


def test_the_first_form_is_read() -> None:
    found = Profile.read(FIRST)
    assert (found.kind, found.variant, found.sampler) == ("scout", "student/tiny", "")
    assert (found.device, found.card, found.threads) == ("cpu", "", 2)
    assert (found.batch, found.steps, found.guidance, found.engine) == (8, 4, 1.0, "openvino")
    assert found.versions == Versions(torch="2.13.0+cpu")
    assert found.size == (0, 0)


@pytest.mark.parametrize(
    ("decoder", "kind", "variant", "sampler"),
    [
        ("faithful", "faithful", "", "ddim"),
        ("faithful/plain", "faithful", "plain", "ddim"),
        ("scout/lcm/full", "scout", "lcm/full", "lcm"),
        ("scout/lora/tiny", "scout", "lora/tiny", "lcm"),
        ("analytic", "analytic", "", ""),
    ],
)
def test_every_decoder_of_the_first_form_is_read(decoder: str, kind: str, variant: str, sampler: str) -> None:
    found = Profile.read(FIRST | {"decoder": decoder})
    assert (found.kind, found.variant, found.sampler) == (kind, variant, sampler)


@pytest.mark.parametrize(
    ("told", "device", "card"),
    [("NVIDIA H100 80GB HBM3", "cuda", "NVIDIA H100 80GB HBM3"), ("AMD Instinct MI300X", "cuda", "AMD Instinct MI300X"),
     ("cuda:1", "cuda", ""), ("mps", "mps", ""), ("cpu", "cpu", "")],
)  # fmt: skip
def test_a_card_of_the_first_form_is_told_from_a_kind_of_device(told: str, device: str, card: str) -> None:
    found = Profile.read(FIRST | {"device": told})
    assert (found.device, found.card) == (device, card)
    assert found.place == (card or device)


@pytest.mark.parametrize(
    "broken", [{}, {"batch": 4}, FIRST | {"batch": "many"}, FIRST | {"size": [1]}, {"kind": "film"}, "none", None, []]
)
def test_what_is_no_profile_is_refused(broken: Any) -> None:
    with pytest.raises(DecodeError, match="a render profile"):
        Profile.read(broken)


def test_profiles_differ_in_what_both_of_them_say() -> None:
    now = scout_decoder(world(), steps=4, batch=8).profile
    then = Profile.read(now.record() | {"decoder": "scout/student/tiny", "threads": 64})
    assert then.differences(now) == [f"threads was 64, now {now.threads}"]
    first = {key: value for key, value in FIRST.items() if key != "torch"} | {
        "world": now.world, "engine": "eager", "threads": now.threads,
    }  # fmt: skip
    assert Profile.read(first).differences(now) == []
    assert Profile.read(first | {"steps": 5, "device": "NVIDIA T4"}).differences(now) == [
        f'card was "NVIDIA T4", now "{now.card}"', 'device was "cuda", now "cpu"', "steps was 5, now 4",
    ]  # fmt: skip
    assert replace(now, guidance=0.0).differences(now) == ["guidance was 0.0, now 1.0"]


def test_a_hash_hangs_on_everything_that_is_recorded() -> None:
    one = faithful_decoder(world(), steps=3, batch=2).profile
    changes: list[dict[str, Any]] = [
        {"kind": "scout"}, {"variant": "plain"}, {"sampler": "lcm"}, {"family": "sd2"}, {"world": "x"},
        {"device": "cuda"}, {"card": "x"}, {"dtype": "float16"}, {"batch": 3}, {"steps": 4}, {"guidance": 2.0},
        {"size": (8, 8)}, {"engine": "graphs"}, {"threads": 99},
        *({"versions": replace(one.versions, **{key: "x"})} for key in vars(one.versions)),
    ]  # fmt: skip
    hashes = {one.hash, *(replace(one, **change).hash for change in changes)}
    assert len(hashes) == 1 + len(changes)
    assert one.hash == faithful_decoder(world(), steps=3, batch=2).profile.hash
    assert len(one.hash) == 16


def test_on_a_card_a_profile_names_it_and_its_software(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index or 0}")
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    monkeypatch.setattr(profile, "_driver", lambda: "570.86.15")
    settings = DecoderSettings("faithful", 4, device="cuda:1", dtype="float16")
    found = profile.of_torch(settings, torch.device("cuda:1"), world="w", variant="", sampler="ddim")
    assert (found.device, found.card, found.threads, found.place) == ("cuda", "card 1", 0, "card 1")
    assert (found.versions.cuda, found.versions.cudnn, found.versions.driver) == ("12.8", "91002", "570.86.15")
    assert set(found.versions.attention.split()) == {"cudnn", "efficient", "flash", "math"}
    assert Profile.read(found.record()) == found


def test_an_engine_that_is_not_torch_says_its_version() -> None:
    pytest.importorskip("openvino")
    found = profile.versions("cpu", "openvino")
    assert found.runtime.startswith("openvino 20")
    assert found.attention == ""
    assert profile.versions("cpu", "eager").runtime == ""


def test_from_a_profile_to_the_settings_that_make_its_pictures() -> None:
    scout = scout_decoder(world(), steps=3, batch=2, size=(64, 96))
    own = replace(scout.settings, steps=4, batch=8, size=(64, 64))
    made = scout.variant(scout.profile.settings(own))
    assert made.profile == scout.profile
    assert Profile.read(FIRST).settings(own) == replace(own, steps=4, batch=8, variant="student")


# --- settings ----------------------------------------------------------------------------------------------------


def test_what_a_preset_leaves_open_is_the_cards_and_the_machines() -> None:
    assert resolve(DecoderSpec(), CARD, MACHINE) == DecoderSettings(
        "faithful", 30, 6.0, 16, (256, 256), "graphs", "cuda", "float16"
    )
    scout = resolve(DecoderSpec(scout_lora="a.safetensors", tiny_vae="b", guidance=3.0), CARD, MACHINE, "scout")
    assert (scout.kind, scout.steps, scout.guidance) == ("scout", 3, 1.0)
    assert (scout.lora, scout.tiny_vae) == ("a.safetensors", "b")
    said = DecoderSpec(kind="scout", steps=7, guidance=0.0, scout_steps=2, height=64, width=128)
    assert resolve(said, CARD, MACHINE).steps == 2
    other = resolve(said, CARD, MACHINE, "faithful")
    assert (other.steps, other.guidance, other.size, other.lora) == (7, 0.0, (64, 128), None)
    assert resolve_analytic(DecoderSpec(kind="analytic", steps=9, batch=3, height=8)) == DecoderSettings(
        "analytic", 9, batch=3, size=(8, 128)
    )


@pytest.mark.parametrize("kind", ["faithful", "scout"])
def test_a_section_says_the_settings_it_resolves_to(kind: Any) -> None:
    settings = resolve(DecoderSpec(scout_steps=5, steps=8), CARD, MACHINE, kind)
    changed = replace(settings, steps=11, batch=4, size=(64, 96))
    said = DecoderSpec(scout_steps=5, steps=8).saying(changed)
    elsewhere = Choice("cuda", "float16", "graphs", 4)
    assert resolve(said, CARD, elsewhere) == changed
    assert (said.steps, said.scout_steps) == ((11, 5) if kind == "faithful" else (8, 11))


@pytest.mark.parametrize(
    ("change", "words"),
    [({"kind": "quick"}, "use one of faithful, scout, analytic"), ({"steps": 0}, "at least 1 denoising"),
     ({"batch": 0}, "at least 1 picture"), ({"guidance": float("nan")}, "a finite number"),
     ({"guidance": -1.0}, "at least 0"), ({"sampler": "ancestral"}, "sampler = 'ancestral'")],
    ids=str,
)  # fmt: skip
def test_settings_that_name_no_picture_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(PresetError, match=words):
        replace(DecoderSettings("faithful", 4), **change)


def test_a_record_says_what_it_says() -> None:
    own = DecoderSettings("scout", 4, batch=8, lora="a.safetensors")
    assert json.loads(json.dumps(own.record()))["size"] == [512, 512]
    assert own.recorded(own.record()) == own
    assert own.recorded({"steps": 2, "sampler": "lcm", "kind": "faithful"}) == replace(own, steps=2, sampler="lcm")
    assert own.recorded({"steps": None, "unheard": 1, "guidance": 2}) == replace(own, guidance=2.0)
    for broken in ({"steps": "many"}, {"batch": True}, {"steps": 0}, {"guidance": [1.0]}, {"sampler": 3}):
        with pytest.raises(PresetError):
            own.recorded(broken)
