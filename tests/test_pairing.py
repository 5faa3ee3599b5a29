"""A few-step model, or a LoRA that makes one, under settings it was not made for: one line, and pictures as asked."""

from __future__ import annotations

import re
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from standins import tiny_flow, tiny_world, tiny_xl

from installation import rig
from latentworld.decoding import DecoderSettings
from latentworld.decoding.pairing import mismatch
from latentworld.decoding.sampling import Sampling
from latentworld.decoding.timetable import few_steps_of, member_of_lora
from latentworld.errors import Notice
from latentworld.preset import Preset
from latentworld.worlds.few_step import MEMBERS, named, steps_in
from latentworld.worlds.find import Found, find

FAITHFUL = DecoderSettings("faithful", 4, size=(64, 64))


def found(tmp_path: Path, name: str) -> Found:
    return find(shutil.copytree(tiny_xl.world(), tmp_path / name))


@pytest.mark.parametrize(
    ("name", "changes", "line"),
    [
        ("xl_lightning_4step", {}, ""),
        ("xl_lightning_4step", {"sampler": "euler"}, ""),
        (
            "xl_lightning_4step",
            {"sampler": "dpmpp_2m"},
            r"\(Lightning\) by euler, not dpmpp_2m: leave decoder\.sampler",
        ),
        ("xl_lightning_4step", {"sampling": Sampling("leading")}, "with trailing times, not leading: leave spacing at"),
        ("xl_lightning_4step", {"steps": 30}, r"\(Lightning\), 4, not 30: set decoder\.steps = 4"),
        ("xl_lightning", {"steps": 30}, r"\(Lightning\), 2 or 4 or 8, not 30: set decoder\.steps = 4"),
        ("xl_lightning", {"guidance": 5.0}, r"without guidance, not at 5: set decoder\.guidance = 1"),
        ("xl_turbo", {"kind": "scout", "steps": 8}, r"\(Turbo\), 1 or 2 or 3 or 4, not 8: set decoder\.scout_steps"),
        ("plain", {"steps": 30, "guidance": 5.0}, ""),
        ("plain", {"sampler": "lcm"}, "is not known as a few-step model, and sampler = 'lcm' is for those"),
    ],
)
def test_a_wrong_pairing_is_one_line(name: str, changes: dict[str, object], line: str, tmp_path: Path) -> None:
    said = mismatch(found(tmp_path, name), replace(FAITHFUL, **changes))  # type: ignore[arg-type]
    assert "\n" not in said
    if line:
        assert re.search(line, said)
    else:
        assert said == ""


@pytest.mark.parametrize(
    ("file", "member"),
    [
        ("pytorch_lora_weights", "lcm"), ("lcm-lora-sdv1-5", "lcm"), ("Hyper-SD15-4steps-lora", "hyper"),
        ("sdxl_lightning_8step_lora", "lightning"), ("dmd2_sdxl_4step_lora", "dmd2"), ("TCD-SD15-LoRA", "tcd"),
        ("hyperrealistic_style", "lcm"), ("dmdx", "lcm"),
    ],
)  # fmt: skip
def test_a_lora_is_known_by_its_name(file: str, member: str) -> None:
    assert member_of_lora(Path(f"{file}.safetensors"), find(tiny_xl.world()).family) == member
    settings = replace(FAITHFUL, kind="scout", lora=f"{file}.safetensors", steps=8 if "8step" in file else 4)
    assert mismatch(find(tiny_xl.world()), settings) == ""
    assert f"({MEMBERS[member].title})" in mismatch(find(tiny_xl.world()), replace(settings, steps=30))


@pytest.mark.parametrize(
    ("kind", "file", "member"),
    [
        ("flux-dev", "Hyper-FLUX.1-dev-8steps-lora", "flux_hyper"), ("sd3", "Hyper-SD3-8steps-CFG-lora", "sd3_hyper"),
        ("flux-dev", "flux-turbo-alpha", "flux_alpha"), ("z-image", "z_image_turbo_lora", "z_turbo"),
        ("flux-dev", "Hyper-SD15-4steps-lora", "flow_lora"), ("sana-sprint", "style", "sprint"),
    ],
)  # fmt: skip
def test_a_flows_lora_is_known_by_its_name(kind: str, file: str, member: str) -> None:
    seen = find(tiny_flow.world(kind))
    assert member_of_lora(Path(f"{file}.safetensors"), seen.family) == member
    settings = replace(FAITHFUL, kind="scout", lora=f"{file}.safetensors", guidance=1.0)
    assert mismatch(seen, replace(settings, steps=few_steps_of(Path(f"{file}.safetensors"), seen.family)[0] or 4)) == ""
    assert "set decoder.scout_steps" in mismatch(seen, replace(settings, steps=30))


@pytest.mark.parametrize(("steps", "weight", "line"), [(4, 3.0, ""), (4, 5.0, "at guidance 3, not at 5"), (8, 5.0, "")])
def test_a_lora_that_keeps_its_guidance_says_how_much(steps: int, weight: float, line: str) -> None:
    file = f"Hyper-SD3-{steps}steps-CFG-lora.safetensors"
    settings = replace(FAITHFUL, kind="scout", lora=file, steps=steps, guidance=weight)
    said = mismatch(find(tiny_flow.world("sd3")), settings)
    assert line in said
    assert bool(said) == bool(line)


def test_a_lora_of_eight_steps_wants_eight() -> None:
    settings = replace(FAITHFUL, kind="scout", lora="sdxl_lightning_8step_lora.safetensors")
    assert "8, not 4: set decoder.scout_steps = 8" in mismatch(find(tiny_xl.world()), settings)


def test_a_students_or_an_lcms_own_pictures_are_nobodys_mistake() -> None:
    embedded = find(tiny_world.folder())
    assert mismatch(embedded, replace(FAITHFUL, kind="scout", steps=30)) == ""
    lcm = replace(embedded, facts=replace(embedded.facts, few_step="lcm"))
    assert mismatch(lcm, replace(FAITHFUL, steps=50, guidance=5.0)) == ""


def test_names_hold_whole_words() -> None:
    able = tuple(MEMBERS)
    assert named("my-lcmish-model", able) == ""
    assert named("SDXL_LIGHTNING", able) == "lightning"
    assert steps_in("a_16step", MEMBERS["lightning"]) == (2, 4, 8)  # 16 is none of its numbers
    assert all(member.usual in member.steps for member in MEMBERS.values())


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of diffusers' Euler
def test_whoever_opens_a_studio_is_told_once(tmp_path: Path) -> None:
    made = found(tmp_path, "xl_lightning_4step").path
    preset = Preset().changed(world={"name": str(made)}, decoder={"sampler": "ddim", "batch": 1, "engine": "eager"})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", Notice)
        studio = rig.open_studio(preset)
    lines = [str(one.message) for one in told if issubclass(one.category, Notice) and "few steps" in str(one.message)]
    assert len(lines) == 1
    assert "by euler, not ddim" in lines[0]
    assert (studio.settings.steps, studio.settings.guidance) == (4, 1.0)
