"""Embeddings are the pipeline's own, made once a text; what is cut off is said once."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest
import tiny_world
import torch
from diffusers import StableDiffusionPipeline

from latentworld.errors import PresetError
from latentworld.prompts import Encoder, Prompt, PromptTruncated
from latentworld.worlds import World, load


@functools.cache
def world() -> World:
    return load(tiny_world.folder())


@functools.cache
def pipeline() -> Any:
    return StableDiffusionPipeline.from_pretrained(tiny_world.folder(), dtype=torch.float32)


def encoder(capacity: int = 32) -> Encoder:
    return Encoder(world().tokenizer, world().text_encoder, capacity)


def test_embeddings_are_the_pipelines() -> None:
    prompt = Prompt("a cat, 4k", "ugly")
    positive, negative = pipeline().encode_prompt(prompt.positive, "cpu", 1, True, prompt.negative)
    made = encoder()(prompt, guided=True)
    assert made.shape == (2, 16, 32)
    assert torch.equal(made, torch.cat([negative, positive]))
    assert torch.equal(encoder()(prompt, guided=False), positive)


def test_each_text_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    mine = encoder(capacity=2)
    true = Encoder._encode
    monkeypatch.setattr(Encoder, "_encode", lambda self, text: calls.append(text) or true(self, text))
    for prompt in (Prompt("a", "b"), Prompt("a", "b"), Prompt("b", "a")):
        mine(prompt, guided=True)
    assert calls == ["b", "a"]
    mine.text("c")  # the one used longest ago goes: a
    mine.text("b")
    mine.text("a")
    assert calls == ["b", "a", "c", "a"]


def test_a_cut_prompt_warns_once() -> None:
    mine, long = encoder(), "a cat " * 20
    with pytest.warns(PromptTruncated, match="longer than 16 tokens: .*cat"):
        mine.text(long)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mine.text(long)
        mine.text("a cat")


# --- mixtures ----------------------------------------------------------------------------------------------------


def test_one_text_alone_is_its_own_bytes() -> None:
    mine = encoder()
    plain = mine(Prompt("a cat", "ugly"), guided=True)
    for mixture in ((("a cat", 1.0),), (("a cat", 0.3), ("a sea", 0.0))):
        assert torch.equal(mine(Prompt("", "", mixture, (("ugly", 2.0),)), guided=True), plain)


def test_a_mixture_is_the_mean_of_its_texts_with_tokens_as_long_as_theirs() -> None:
    mine = encoder()
    a, b = mine.text("a cat"), mine.text("a sea")
    mixed = mine(Prompt(mixture=(("a cat", 1.0), ("a sea", 3.0))), guided=False)
    mean = 0.25 * a + 0.75 * b
    torch.testing.assert_close(torch.nn.functional.cosine_similarity(mixed, mean, dim=-1), torch.ones(1, 16))
    torch.testing.assert_close(mixed.norm(dim=-1), 0.25 * a.norm(dim=-1) + 0.75 * b.norm(dim=-1))
    swapped = mine(Prompt(mixture=(("a sea", 0.75), ("a cat", 0.25))), guided=False)
    torch.testing.assert_close(swapped, mixed)
    near = mine(Prompt(mixture=(("a cat", 1.0), ("a sea", 1e-6))), guided=False)
    torch.testing.assert_close(near, a, atol=1e-4, rtol=1e-3)  # a fade sets out from the text itself


@pytest.mark.parametrize("weights", [(0.0, 0.0), (1.0, -0.1), (float("nan"), 1.0), (float("inf"), 1.0)])
def test_weights_that_mix_nothing_are_refused(weights: tuple[float, float]) -> None:
    with pytest.raises(PresetError, match="mix no prompt"):
        Prompt(mixture=tuple(zip("ab", weights, strict=True)))


def test_pooled_is_what_the_text_encoder_pools() -> None:
    mine = encoder()
    for text in ("a cat", "", "a cat " * 20):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            words = mine.tokenizer(text, padding="max_length", max_length=16, truncation=True, return_tensors="pt")
            own = world().text_encoder(words.input_ids).pooler_output[0].detach().numpy()
            np.testing.assert_allclose(mine.pooled(text), own, rtol=1e-4, atol=1e-5)
    assert mine.knows("a cat")
    assert not mine.knows("never asked")
