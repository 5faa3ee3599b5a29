"""The eye: preprocessing as CLIPImageProcessor's, features unit and the same in any slot, words to probabilities."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from standins import tiny_world
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

from latentworld.errors import DecodeError, NotFinite, UnsafeWeights, WorldDamaged, WorldMismatch, WorldMissing
from latentworld.vision import clip_eye
from latentworld.vision.clip import ClipEye
from latentworld.worlds import load


def clip() -> Path:
    return tiny_world.folder() / "clip"


def pictures(n: int, height: int = 32, width: int = 32, seed: int = 0) -> torch.Tensor:
    """Smooth pictures: noise would measure how two resizers alias, not whether they agree."""
    noise = torch.rand(n, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size=(height, width), mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (48, 80), (90, 40), (20, 20)])
def test_preprocessing_is_the_librarys(height: int, width: int) -> None:
    eye, given = ClipEye(clip()), pictures(2, height, width)
    bytes_ = (given * 255).round().to(torch.uint8)
    images = [Image.fromarray(np.moveaxis(picture.numpy(), 0, -1)) for picture in bytes_]
    theirs = CLIPImageProcessor.from_pretrained(clip())(images=images, return_tensors="pt")["pixel_values"]
    ours = eye.optics(bytes_.float() / 255)
    assert ours.shape == theirs.shape
    apart = (ours - theirs).abs() * torch.tensor(eye.optics.std).view(3, 1, 1) * 255
    assert apart.max() <= 2  # they round to 8 bits after each of two passes (1.72 seen)


def test_features_are_the_librarys() -> None:
    eye, given = ClipEye(clip()), pictures(3)
    model = CLIPModel.from_pretrained(clip(), dtype=torch.float32).eval()
    with torch.no_grad():
        theirs = model.get_image_features(pixel_values=eye.optics(given)).pooler_output
    theirs = theirs / theirs.norm(dim=-1, keepdim=True)
    ours = eye(given)
    assert ours.dtype == torch.float32
    assert ours.shape == (3, eye.dimension)
    assert torch.allclose(ours.norm(dim=-1), torch.ones(3), atol=1e-6)
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("engine", ["eager", "openvino"])
@pytest.mark.parametrize("batch", [1, 3, 4, 6])
def test_a_feature_is_the_same_bytes_in_any_slot(
    engine: str, batch: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path))
    eye, given = ClipEye(clip(), batch=batch, engine=engine), pictures(7)
    together = eye(given)
    assert torch.equal(together, torch.cat([eye(given[i : i + 1]) for i in range(7)]))
    assert torch.equal(together.flip(0), eye(given.flip(0)))


def test_the_fast_eye_agrees_with_the_slow_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path))
    given = pictures(5)
    apart = ClipEye(clip(), engine="openvino")(given) - ClipEye(clip())(given)
    assert apart.abs().max() < 1e-5


def test_nothing_to_see() -> None:
    eye = ClipEye(clip())
    assert eye(torch.empty(0, 3, 32, 32)).shape == (0, eye.dimension)
    with pytest.raises(DecodeError, match=r"\[n, 3, height, width\]"):
        eye(torch.zeros(3, 32, 32))


def test_an_eye_that_gives_no_numbers_is_told_from_the_pictures() -> None:
    eye = ClipEye(clip())
    eye._clip().visual_projection.weight.fill_(torch.nan)
    with pytest.raises(NotFinite, match=r"use another eye\.clip"):
        eye(pictures(2))


def test_labels_are_clips_own_probabilities() -> None:
    eye, given, words = ClipEye(clip()), pictures(2), ["a cat", "saturn rings", "moon"]
    classify = eye.labels(words)
    found = classify(eye(given))
    model, read = CLIPModel.from_pretrained(clip(), dtype=torch.float32).eval(), CLIPTokenizer.from_pretrained(clip())
    tokens = read(words, padding="max_length", max_length=16, return_tensors="pt")
    with torch.no_grad():
        theirs = model(pixel_values=eye.optics(given), **tokens).logits_per_image.softmax(dim=-1)
    assert torch.allclose(found, theirs, atol=1e-4)
    assert torch.allclose(found.sum(dim=-1), torch.ones(2))


def test_whose_eye(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world, plain = load(tiny_world.folder()), load(tiny_world.folder("plain"))
    monkeypatch.setattr("latentworld.worlds.EMBEDDED", tiny_world.folder())
    assert clip_eye(None, plain, engine="eager").source == str(tiny_world.folder())
    monkeypatch.setattr("latentworld.worlds.EMBEDDED", tmp_path)
    with pytest.raises(WorldMismatch, match="no CLIP of its own"):
        clip_eye(None, plain)
    assert clip_eye(None, world, engine="eager").source == str(clip())
    assert clip_eye(tiny_world.folder(), world, engine="eager").source == str(tiny_world.folder())


def test_what_is_no_clip_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorldMissing, match="no CLIP 'nowhere'"):
        ClipEye("nowhere")
    with pytest.raises(WorldMismatch, match="no CLIP model"):
        ClipEye(tiny_world.folder() / "unet")
    broken = shutil.copytree(clip(), tmp_path / "broken")
    whole = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WorldDamaged, match=r"model\.safetensors is damaged"):
        ClipEye(broken)
    (broken / "model.safetensors").rename(broken / "pytorch_model.bin")
    with pytest.raises(UnsafeWeights, match="pickled"):
        ClipEye(broken)
    bare = shutil.copytree(clip(), tmp_path / "bare")
    (bare / "preprocessor_config.json").unlink()
    with pytest.raises(WorldMismatch, match=r"preprocessor_config\.json is missing"):
        ClipEye(bare)


def test_the_processor_of_transformers_5_is_read_too(tmp_path: Path) -> None:
    joint = shutil.copytree(clip(), tmp_path / "joint")
    told = json.loads((joint / "preprocessor_config.json").read_text())
    (joint / "preprocessor_config.json").unlink()
    (joint / "processor_config.json").write_text(json.dumps({"image_processor": told}))
    assert ClipEye(joint).optics == ClipEye(clip()).optics
