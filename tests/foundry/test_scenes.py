"""Scenes: the same picture from the same seed, within range, and captions that say what is there."""

from __future__ import annotations

import random

import pytest
import torch

from foundry import captions, data
from foundry.scenes.canvas import Sheet

SIZE = 48


def draw(family: str, seed: int, count: int = 6) -> Sheet:
    return data.scene(family).draw(torch.Generator().manual_seed(seed), count, SIZE)


@pytest.mark.parametrize("family", data.FAMILIES)
def test_a_seed_fixes_the_picture(family: str) -> None:
    first, again, other = draw(family, 1), draw(family, 1), draw(family, 2)
    assert torch.equal(first.pictures, again.pictures)
    assert first.attributes == again.attributes
    assert not torch.equal(first.pictures, other.pictures)


@pytest.mark.parametrize("family", data.FAMILIES)
def test_pictures_are_in_range_and_not_flat(family: str) -> None:
    pictures = draw(family, 3).pictures
    assert pictures.shape == (6, 3, SIZE, SIZE)
    assert pictures.dtype == torch.float32
    assert torch.isfinite(pictures).all()
    assert float(pictures.min()) >= 0
    assert float(pictures.max()) <= 1
    assert float(pictures.flatten(1).std(dim=1).min()) > 0.01


@pytest.mark.parametrize("family", data.FAMILIES)
def test_captions_name_only_what_is_there(family: str) -> None:
    module = data.scene(family)
    known = {str(value) for a in draw(family, 4, 24).attributes for value in a.values() if isinstance(value, str)}
    for attributes in draw(family, 5, 12).attributes:
        own = {str(value) for value in attributes.values() if isinstance(value, str)}
        for trial in range(8):
            text = module.describe(attributes, random.Random(trial))
            assert text == module.describe(attributes, random.Random(trial))
            if attributes.get("light") in ("left", "right"):
                opposite = captions.SIDES[attributes["light"]]
                assert f"the {opposite}" not in text
            for colour in ("fur", "palette"):
                if colour in attributes and family in ("cats", "rosettes"):
                    others = {word for word in known - own if word.isalpha() and len(word) > 4} - {"white"}
                    assert not (others & set(text.replace(",", "").split()))


def test_moons_are_told_only_where_there_are_some() -> None:
    describe = data.scene("planets").describe
    for attributes in draw("planets", 6, 16).attributes:
        texts = [describe(attributes, random.Random(trial)) for trial in range(12)]
        told = any("moon" in text for text in texts)
        assert told == (attributes["moons"] > 0)
        assert any("artifacts" in text for text in texts) == attributes["artifacts"]


def test_degraded_pictures_lose_contrast_or_detail() -> None:
    pictures = draw("cats", 7, 12).pictures
    for index, picture in enumerate(pictures):
        spoilt = data.degrade(picture, torch.Generator().manual_seed(index))
        assert spoilt.shape == picture.shape
        assert 0 <= float(spoilt.min()) <= float(spoilt.max()) <= 1
        assert float(spoilt.diff(dim=-1).abs().mean()) < float(picture.diff(dim=-1).abs().mean())
