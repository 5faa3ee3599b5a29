"""The tiny cast: every stage runs, resumes bit for bit, refuses changed settings, and ends in a world that loads."""

from __future__ import annotations

import dataclasses
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from transformers import CLIPModel, CLIPProcessor

from foundry import __main__ as command
from foundry import autoencoder, clip, data, export, eye, presets, student, tiny_vae, training, unet
from foundry.errors import FoundryError

TINY = presets.TINY
CPU = torch.device("cpu")


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole tiny cast."""
    folder = tmp_path_factory.mktemp("cast")
    command.cast(preset="tiny", out=folder, minutes=None, longer=None, until="tiny_vae", device="cpu", workers=1)
    return folder


def stage(name: str, whole: Path, folder: Path) -> Any:
    """Runs one stage of the tiny cast into ``folder``, on what the whole cast made before it."""
    train, held = (data.load_split(whole / "data", split, TINY.data) for split in ("train", "held"))
    if name == "autoencoder":
        return autoencoder.cast(folder, TINY, train, held, CPU)
    vae = autoencoder.cast(whole / "autoencoder", TINY, train, held, CPU)
    if name == "clip":
        shutil.copytree(whole / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)  # learnt once a cast
        return clip.cast(folder / "clip", TINY, train, held, CPU)[0]
    seer, tokenizer = clip.cast(whole / "clip", TINY, train, held, CPU)
    texts = unet.Texts(clip.text_encoder(seer), tokenizer, CPU)
    if name == "unet":
        return unet.cast(folder, TINY, train, vae, texts, CPU)
    if name == "student":
        teacher = unet.cast(whole / "unet", TINY, train, vae, texts, CPU)
        return student.cast(folder, TINY, train, teacher, texts, CPU)
    latents = unet.latents_of(whole / "unet" / "latents.npy", vae, train, False)
    if name == "eye":
        return eye.cast(folder, TINY, train, held, seer, tokenizer, vae, latents, CPU)
    return tiny_vae.cast(folder, TINY, train, latents, CPU)


@pytest.mark.parametrize("name", ["autoencoder", "clip", "unet", "student", "eye", "tiny_vae"])
def test_an_interrupted_stage_resumes_bit_for_bit(
    name: str, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = stage(name, out, tmp_path / "straight").state_dict()
    steps, advance = [0], training.advance

    def stopping(*given: Any) -> dict[str, float]:
        if steps[0] == 3:
            raise Interrupted
        steps[0] += 1
        return advance(*given)

    with monkeypatch.context() as patch:
        patch.setattr(training, "SAVE_EVERY", -1.0)
        patch.setattr(training, "advance", stopping)
        with pytest.raises(Interrupted):
            stage(name, out, tmp_path / "stopped")
    resumed = stage(name, out, tmp_path / "stopped").state_dict()
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)


def test_changed_settings_are_refused(out: Path, tmp_path: Path) -> None:
    model = torch.nn.Linear(4, 4)
    run = training.begin(model, TINY.unet, 0)
    path = tmp_path / "checkpoint.pt"
    training.checkpoint(run, path, TINY.fingerprint("unet"))
    other = dataclasses.replace(TINY, unet=dataclasses.replace(TINY.unet, rate=1.0))
    with pytest.raises(FoundryError, match=r"checkpoint\.pt was cast with other settings"):
        training.read(path, other.fingerprint("unet"))
    with pytest.raises(FoundryError, match="delete the folder"):
        command.draw_all(out, presets.GPU, 1)


def test_budgets_may_change_and_upstream_settings_may_not() -> None:
    longer = dataclasses.replace(TINY, unet=dataclasses.replace(TINY.unet, minutes=9, steps=None))
    redrawn = dataclasses.replace(TINY, data=dataclasses.replace(TINY.data, degraded=0.5))
    assert longer.fingerprint("student") == TINY.fingerprint("student")
    assert redrawn.fingerprint("student") != TINY.fingerprint("student")


def test_a_finished_stage_can_train_on(out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cast"
    shutil.copytree(out, folder)
    longer = command.lengthen(folder, TINY, "unet", 5.0)
    assert longer.unet.minutes > 5
    assert longer.fingerprint("unet") == TINY.fingerprint("unet")
    assert not (folder / "student").exists()
    assert not (folder / "unet" / "model").exists()
    assert (folder / "unet" / "checkpoint.pt").exists()
    assert (folder / "eye" / "model").exists()
    with pytest.raises(FoundryError, match="unknown stage"):
        command.lengthen(folder, TINY, "dreams", 5.0)


def test_a_world_can_be_adopted_and_trained_on(out: Path, tmp_path: Path) -> None:
    command.adopt(out / "world", tmp_path)
    started = unet.begin(tmp_path / "unet", TINY).state_dict()
    assert all(torch.equal(value, started[key]) for key, value in export.load(out / "world").unet.state_dict().items())
    command.cast(preset="tiny", out=tmp_path, minutes=None, longer=None, until="tiny_vae", device="cpu", workers=1)
    one, two = export.load(out / "world"), export.load(tmp_path / "world")
    assert all(torch.equal(a, b) for a, b in zip(one.vae.parameters(), two.vae.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(one.unet.parameters(), two.unet.parameters(), strict=True))
    with pytest.raises(FoundryError, match="there already"):
        command.adopt(out / "world", tmp_path)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"half a checkpoint")
    with pytest.raises(FoundryError, match=r"checkpoint\.pt is damaged .* delete it"):
        training.read(path, "any")


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FoundryError, match="use one of tiny, cpu, gpu"):
        presets.find("huge")
    with pytest.raises(FoundryError, match="no whole world"):
        export.load(tmp_path)


@pytest.mark.parametrize("part", ["unet", "vae", "student/unet", "clip"])
def test_a_damaged_world_is_named(part: str, out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "world"
    shutil.copytree(out / "world", folder)
    weights = next((folder / part).glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(FoundryError, match=r"no whole world .* export it again"):
        export.load(folder)
    weights.unlink()
    with pytest.raises(FoundryError, match="no whole world"):
        export.load(folder)


def test_the_world_loads_through_the_vanilla_libraries(out: Path) -> None:
    folder = out / "world"
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    start = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    asked = {"prompt": "a cat", "negative_prompt": "blurry", "num_inference_steps": 3, "guidance_scale": 5.0}
    first, again = (pipe(latents=start, output_type="np", **asked).images[0] for _ in range(2))
    assert first.shape == (32, 32, 3)
    assert (first == again).all()
    model = CLIPModel.from_pretrained(folder / "clip")
    reader, pictures = CLIPProcessor.from_pretrained(folder / "clip"), pipe.numpy_to_pil(first)
    given = reader(text=["a cat"], images=pictures, padding="max_length", truncation=True, return_tensors="pt")
    assert model(**given).logits_per_image.shape == (1, 1)
    assert not list(folder.rglob("*.bin"))
    card = tomllib.loads((folder / "card.toml").read_text())
    assert card["latent"] == [4, 4, 4]
    assert len(card["families"]) == len(data.FAMILIES)


def test_a_student_step_lands_on_its_target() -> None:
    times, signal, noise = student.levels(4)
    assert times.tolist() == [999, 749, 499, 249]
    assert float(signal[0]) < 1e-3
    x, target = torch.randn(2, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    for k in range(4):
        level = (signal[k], noise[k], signal[k + 1], noise[k + 1])
        landed = student.step(x, student.velocity(x, target, *level), *level)
        assert torch.allclose(landed, target, atol=1e-4)


def test_a_student_step_is_the_schedulers_step() -> None:
    schedule = unet.scheduler()
    schedule.set_timesteps(4)
    times, signal, noise = student.levels(4)
    x, v = torch.randn(2, 1, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    for k, t in enumerate(times):
        theirs = schedule.step(v, t, x).prev_sample
        assert torch.allclose(student.step(x, v, signal[k], noise[k], signal[k + 1], noise[k + 1]), theirs, atol=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_gpu_preset_takes_a_step(tmp_path: Path) -> None:
    """The large preset's own networks, on a handful of pictures, one step a stage."""
    stages = {
        name: dataclasses.replace(getattr(presets.GPU, name), batch=4, steps=1)
        for name in ("autoencoder", "clip", "unet", "eye", "student", "tiny_vae")
    }
    few = dataclasses.replace(presets.GPU.data, train=2, held=1)
    preset = dataclasses.replace(
        presets.GPU, data=few, trajectories=2, beginnings=2, teacher_steps=4, bfloat16=False, columns=1, **stages
    )
    command.draw_all(tmp_path, preset, 1)
    world = command.cast_world(tmp_path, preset, CPU, "tiny_vae")
    assert world is not None
    assert world.vae(torch.zeros(1, 3, 256, 256)).sample.shape == (1, 3, 256, 256)
    assert world.unet.config.sample_size == 32
