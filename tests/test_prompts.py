"""Embeddings are the pipeline's own, made once a text; what is cut off is said once."""

from __future__ import annotations

import copy
import functools
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from standins import tiny_world

from latentworld.errors import PresetError
from latentworld.prompts import Conditioning, Encoder, Prompt, PromptTruncated, blend
from latentworld.worlds import World, load
from latentworld.worlds.families.clip_text import ClipText


@functools.cache
def world() -> World:
    return load(tiny_world.folder())


@functools.cache
def pipeline() -> Any:
    return StableDiffusionPipeline.from_pretrained(tiny_world.folder(), dtype=torch.float32)


def encoder(capacity: int = 32) -> Encoder:
    return Encoder(world().text, capacity)


def test_embeddings_are_the_pipelines() -> None:
    prompt = Prompt("a cat, 4k", "ugly")
    positive, negative = pipeline().encode_prompt(prompt.positive, "cpu", 1, True, prompt.negative)
    (made,) = encoder()(prompt, guided=True)
    assert made.shape == (2, 16, 32)
    assert torch.equal(made, torch.cat([negative, positive]))
    assert torch.equal(encoder()(prompt, guided=False)[0], positive)


class Two:
    """Reads a text as two tensors, as families with a pooled vector beside the embeddings do."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, text: str) -> Conditioning:
        self.calls.append(text)
        drawn = torch.Generator().manual_seed(len(text))
        return torch.randn(1, 4, 8, generator=drawn), torch.randn(1, 6, generator=drawn)

    def pooled(self, text: str, conditioning: Conditioning) -> np.ndarray:
        return conditioning[1][0].double().numpy()


def test_each_text_is_encoded_once() -> None:
    reader = Two()
    mine, calls = Encoder(reader, capacity=2), reader.calls
    for prompt in (Prompt("a", "b"), Prompt("a", "b"), Prompt("b", "a")):
        mine(prompt, guided=True)
    assert calls == ["b", "a"]
    mine.text("c")  # the one used longest ago goes: a
    mine.text("b")
    mine.text("a")
    assert calls == ["b", "a", "c", "a"]


def test_a_cut_prompt_warns_once() -> None:
    mine, long = encoder(), "a cat " * 200
    with pytest.warns(PromptTruncated, match="longer than 10 chunks, 140 tokens: .*cat") as told:
        mine.text(long)
    assert len(str(told[0].message)) < 160
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mine.text(long)
        mine.text("a cat")


@pytest.mark.parametrize("said", [int(1e30), 0, -1, 10_000])
def test_a_tokenizer_with_an_absurd_length_is_read_to_the_encoders_places(said: int) -> None:
    whole, other = encoder(), copy.copy(world().text.tokenizer)
    other.model_max_length = said
    odd = ClipText(other, world().text.encoder)
    assert odd.limit == 16
    assert torch.equal(odd("a cat")[0], whole.text("a cat")[0])
    other.model_max_length = 12  # fewer than the encoder has is the tokenizer's own affair
    assert odd("a cat")[0].shape == (1, 12, 32)


# --- mixtures ----------------------------------------------------------------------------------------------------


def test_one_text_alone_is_its_own_bytes() -> None:
    mine = encoder()
    plain = mine(Prompt("a cat", "ugly"), guided=True)
    for mixture in ((("a cat", 1.0),), (("a cat", 0.3), ("a sea", 0.0))):
        assert torch.equal(mine(Prompt("", "", mixture, (("ugly", 2.0),)), guided=True)[0], plain[0])


def test_every_tensor_of_a_conditioning_is_mixed_and_stacked() -> None:
    mine = Encoder(Two())
    words, pooled = mine(Prompt(mixture=(("a", 1.0), ("bb", 1.0)), against=(("ccc", 1.0),)), guided=True)
    assert (words.shape, pooled.shape) == ((2, 4, 8), (2, 6))
    a, b, c = (mine.text(text) for text in ("a", "bb", "ccc"))
    assert torch.equal(words[:1], c[0])
    assert torch.equal(pooled[:1], c[1])
    assert torch.equal(pooled[1:], blend([(a[1], 1.0), (b[1], 1.0)]))
    assert torch.equal(words[1:], blend([(a[0], 1.0), (b[0], 1.0)]))


def test_a_mixture_is_the_mean_of_its_texts_with_tokens_as_long_as_theirs() -> None:
    mine = encoder()
    (a,), (b,) = mine.text("a cat"), mine.text("a sea")
    (mixed,) = mine(Prompt(mixture=(("a cat", 1.0), ("a sea", 3.0))), guided=False)
    mean = 0.25 * a + 0.75 * b
    torch.testing.assert_close(torch.nn.functional.cosine_similarity(mixed, mean, dim=-1), torch.ones(1, 16))
    torch.testing.assert_close(mixed.norm(dim=-1), 0.25 * a.norm(dim=-1) + 0.75 * b.norm(dim=-1))
    (swapped,) = mine(Prompt(mixture=(("a sea", 0.75), ("a cat", 0.25))), guided=False)
    torch.testing.assert_close(swapped, mixed)
    (near,) = mine(Prompt(mixture=(("a cat", 1.0), ("a sea", 1e-6))), guided=False)
    torch.testing.assert_close(near, a, atol=1e-4, rtol=1e-3)  # a fade sets out from the text itself


@pytest.mark.parametrize("weights", [(0.0, 0.0), (1.0, -0.1), (float("nan"), 1.0), (float("inf"), 1.0)])
def test_weights_that_mix_nothing_are_refused(weights: tuple[float, float]) -> None:
    with pytest.raises(PresetError, match="mix no prompt"):
        Prompt(mixture=tuple(zip("ab", weights, strict=True)))


def test_pooled_is_what_the_text_encoder_pools() -> None:
    mine = encoder()
    for text in ("a cat", ""):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            words = world().text.tokenizer(
                text, padding="max_length", max_length=16, truncation=True, return_tensors="pt"
            )
            own = world().text.encoder(words.input_ids).pooler_output[0].detach().numpy()
            np.testing.assert_allclose(mine.pooled(text), own, rtol=1e-4, atol=1e-5)
    assert mine.knows("a cat")
    assert not mine.knows("never asked")
