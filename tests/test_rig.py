"""From a preset to a studio: what would fail later is said first, and a scout means one thing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from standins import tiny_world
from test_worlds import checkpoint

from installation.rig import open_studio
from latentworld.decoding import DecoderSettings, foresight
from latentworld.errors import Notice, PresetError, WorldDamaged, WorldMismatch
from latentworld.preset import parse
from latentworld.worlds.find import find

pytestmark = pytest.mark.usefixtures("own_cache")


def studio_of(world: Path, **decoder: Any) -> Any:
    device = {"device": "cpu", "dtype": "float32", "engine": "eager"}
    prompt = {"positive": "a cat", "negative": "ugly"}
    return open_studio(parse({"world": {"name": str(world)}, "decoder": device | decoder, "prompt": prompt}))


def test_a_scout_of_a_plain_checkpoint_is_told_and_is_what_looks_ahead_too() -> None:
    plain = tiny_world.folder("plain")
    with pytest.warns(Notice, match=r"has no few-step model: the scout is its faithful decoder in 8 guided steps"):
        scout = studio_of(plain, kind="scout", batch=2)
    faithful = studio_of(plain, batch=2)
    z = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    made, ahead = (one(z, scout.prompt) for one in (scout.decoder, faithful.scout))
    assert torch.equal(made, ahead)
    assert scout.preset.decoder.kind == "scout"
    with pytest.warns(Notice):
        assert open_studio(scout.preset).settings == scout.settings  # resolved: it opens the same one anywhere


def test_settings_are_refused_before_a_weight_is_read(tmp_path: Path) -> None:
    bare = shutil.copytree(tiny_world.folder("plain"), tmp_path / "world")
    for weights in bare.rglob("*.safetensors"):
        weights.unlink()
    with pytest.raises(PresetError, match="steps = 1000"):
        studio_of(bare, steps=1000)
    with pytest.raises(PresetError, match="multiples of 16 pixels"):
        studio_of(bare, height=24)


ATTENTION = "mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
WORLD = ["unet", "vae", "text_encoder", "student/unet", "tiny_vae", "clip"]


@pytest.mark.parametrize("part", [*WORLD, "world.vae", "decoder.tiny_vae", "decoder.scout_lora", "eye.clip"])
@pytest.mark.parametrize("kept", [-1, 40, 3])
def test_a_file_that_was_cut_short_is_told_before_a_weight_is_read(
    part: str, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., tuple[int, str, str]]
) -> None:
    world = shutil.copytree(tiny_world.folder(), tmp_path / "world")
    named = {name: shutil.copytree(world / name, tmp_path / "own" / name) for name in ("vae", "tiny_vae", "clip")}
    lora = tmp_path / "lora.safetensors"
    save_file({f"unet.conv_in.lora.{end}.weight": torch.zeros(4, 4) for end in ("up", "down")}, lora)
    folders = {name: world / name for name in WORLD}
    folders |= {"world.vae": named["vae"], "decoder.tiny_vae": named["tiny_vae"], "eye.clip": named["clip"]}
    victim = lora if part == "decoder.scout_lora" else next(folders[part].glob("*.safetensors"))
    victim.write_bytes(victim.read_bytes()[:kept])
    preset: dict[str, dict[str, Any]] = {"world": {"name": str(world)}, "decoder": {"device": "cpu"}}
    if part not in WORLD:
        section, key = part.split(".")
        preset[section] = preset.get(section, {}) | {key: str(lora if victim == lora else victim.parent)}
    monkeypatch.setattr("latentworld.worlds.load", lambda *_: pytest.fail("weights are being read"))
    with pytest.raises(WorldDamaged, match=f"{re.escape(victim.name)} is damaged.*copy or download it again") as told:
        open_studio(parse(preset))
    assert "\n" not in str(told.value)
    if part in WORLD:
        assert run("worlds", "show", world)[0] == 1


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(
    ("stem", "width", "words"),
    [
        ("lora_unet_down_blocks_9_attentions_0_proj_in", 64, "1 layers that this world lacks"),
        (f"lora_unet_{ATTENTION}", 48, "does not fit mid_block"),
        (f"lora_unet_{ATTENTION}", 64, ""),
        ("lora_te_text_model_encoder_layers_7_mlp_fc1", 64, "1 layers that this world lacks"),
        ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", 48, "does not fit encoder"),
        ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", 64, ""),
    ],
)
def test_a_lora_for_another_network_is_told_before_a_weight_is_read(
    single: bool, stem: str, width: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, lora = find(checkpoint(tmp_path) if single else tiny_world.folder("classic")), tmp_path / "lora.safetensors"
    given = {f"lora_unet_{ATTENTION}": 64} | {stem: width}
    down = {f"{name}.lora_down.weight": torch.ones(2, wide) for name, wide in given.items()}
    save_file(down | {f"{name}.lora_up.weight": torch.ones(wide, 2) for name, wide in given.items()}, lora)
    settings = DecoderSettings("scout", 4, size=(64, 64), lora=str(lora))
    monkeypatch.setattr("safetensors.torch.load_file", lambda *_: pytest.fail("weights are being read"))
    if words:
        with pytest.raises(WorldMismatch, match=words):
            foresight.check(found, settings)
    else:
        foresight.check(found, settings)


def test_what_scouts_is_shown(run) -> None:  # type: ignore[no-untyped-def]
    words = {"plain": "none: its faithful decoder in 8 guided steps", "embedded": "its student, 4 steps"}
    for kind, said in words.items():
        code, out, err = run("worlds", "show", tiny_world.folder(kind))
        assert code == 0, err
        assert said in out
