"""From a preset to a studio: what would fail later is said first, and a scout means one thing."""

from __future__ import annotations

import json
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
from latentworld.decoding.lora import look
from latentworld.errors import LatentWorldError, Notice, PresetError, WorldDamaged, WorldMismatch
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


CONFIGS: list[tuple[str, dict[str, Any], str]] = [
    ("unet", {"layers_per_block": 3}, "two models .*and none"),
    ("unet", {"norm_num_groups": 7}, "describes no model"),
    ("unet", {"transformer_layers_per_block": 2}, "two models"),
    ("student/unet", {"time_cond_proj_dim": 48}, "two models .*cond_proj.*and none"),
    ("vae", {"layers_per_block": 3}, "two models"),
    ("scheduler", {"num_train_timesteps": 0}, "gives no schedule"),
    ("scheduler", {"beta_start": "low"}, "gives no schedule"),
]


@pytest.mark.parametrize(("part", "change", "words"), CONFIGS)
def test_a_config_that_fits_no_weights_is_told_before_one_is_read(
    part: str, change: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shutil.copytree(tiny_world.folder(), tmp_path / "world")
    file = world / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    monkeypatch.setattr("latentworld.worlds.load", lambda *_, **__: pytest.fail("weights are being read"))
    preset = parse({"world": {"name": str(world)}, "decoder": {"device": "cpu"}})
    with pytest.raises(pytest.fail.Exception):  # as it is, nothing is amiss
        open_studio(preset)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(WorldDamaged, match=words) as told:
        open_studio(preset)
    assert "\n" not in str(told.value)


PRESETS: list[tuple[str, dict[str, Any], str]] = [
    ("plane", {"seeds": [1, 1, 2]}, "span"),
    ("plane", {"vertices": "WORLD/vae/config.json"}, "vertex file"),
    ("eye", {"clip": "WORLD/vae"}, "no CLIP model"),
    ("decoder", {"scout_lora": "WORLD/none.safetensors"}, "no LoRA file"),
    ("decoder", {"tiny_vae": "WORLD/vae"}, "AutoencoderTiny"),
]


@pytest.mark.parametrize(("section", "keys", "words"), PRESETS)
def test_what_a_preset_alone_says_wrong_is_told_before_a_weight_is_read(
    section: str, keys: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = str(tiny_world.folder())
    monkeypatch.setattr("latentworld.worlds.load", lambda *_, **__: pytest.fail("weights are being read"))
    named = {key: value.replace("WORLD", world) if isinstance(value, str) else value for key, value in keys.items()}
    content: dict[str, dict[str, Any]] = {"world": {"name": world}, "decoder": {"device": "cpu"}}
    content[section] = content.get(section, {}) | named
    with pytest.raises(LatentWorldError, match=words):
        open_studio(parse(content))


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
    monkeypatch.setattr("latentworld.worlds.load", lambda *_, **__: pytest.fail("weights are being read"))
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


def test_a_lora_of_whole_numbers_is_refused_by_name(tmp_path: Path) -> None:
    lora, factors = tmp_path / "lora.safetensors", ("lora_down.weight", "lora_up.weight", "alpha")
    for kind, shapes in ((torch.int64, ((2, 64), (64, 2), ())), (torch.float16, ((2, 64), (64, 2), ()))):
        named = {f"lora_unet_{ATTENTION}.{name}": torch.ones(s) for name, s in zip(factors, shapes, strict=True)}
        whole = {key: weight.to(torch.int64 if key.endswith("alpha") else kind) for key, weight in named.items()}
        save_file(whole, lora)
        if kind == torch.int64:
            with pytest.raises(WorldMismatch, match=r"whole numbers \(I64 in lora_unet"):
                look(lora)
        else:
            look(lora)  # an alpha may be whole
