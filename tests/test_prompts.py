"""Embeddings are the pipeline's own, made once a text; what is cut off is said once."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import pytest
import tiny_world
import torch
from diffusers import StableDiffusionPipeline

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
