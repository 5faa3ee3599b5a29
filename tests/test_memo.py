"""A decoder that remembers makes each picture once, forgets the oldest and tells profiles apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from latentworld.decoding import Cached, DecoderSettings, Profile
from latentworld.prompts import Prompt

PROMPT = Prompt("a cat, 4k", "blurry, ugly")


class Counting:
    """A decoder that counts what it is asked for."""

    shape, size = (1, 1, 1), (1, 1)
    settings = DecoderSettings("faithful", 1, batch=4)
    profile = Profile("counting", "none", "cpu", "float32", 4, 1, 1.0, "eager")
    rows, warm, texts = 1, True, None

    def __init__(self) -> None:
        self.asked: list[list[float]] = []

    def variant(self, settings: DecoderSettings) -> Counting:
        return self

    def on(self, plane: Any) -> Counting:
        return self

    def has(self, settings: DecoderSettings) -> bool:
        return True

    def fits(self, prompt: Prompt) -> bool:
        return True

    def fit(self, prompt: Prompt) -> None:
        return None

    def __call__(self, latents: Tensor, prompt: Prompt, watch: Any = None, *, stay: bool = False) -> Tensor:
        self.asked.append(latents.flatten().tolist())
        return latents.expand(-1, 3, 1, 1) + len(prompt.positive)


def row(*values: float) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1)


def test_a_memo_makes_each_picture_once() -> None:
    memo = Cached(Counting())
    first = memo(row(1, 2, 1), PROMPT)
    second = memo(row(2, 3), PROMPT)
    assert memo.decoder.asked == [[1, 2], [3]]  # type: ignore[attr-defined]
    assert torch.equal(first[0], first[2])
    assert torch.equal(second[0], first[1])
    memo(row(1), Prompt("another"))
    assert memo.decoder.asked[-1] == [1]  # type: ignore[attr-defined]
    assert memo(torch.empty(0, 1, 1, 1), PROMPT).shape == (0, 3, 1, 1)


def test_a_memo_forgets_the_oldest_and_owns_what_it_keeps() -> None:
    memo = Cached(Counting(), capacity=2)
    memo(row(1), PROMPT)[:] = 99  # a caller may scribble on what it got
    memo(row(2), PROMPT)
    assert memo(row(1), PROMPT).flatten()[0] == 1 + len(PROMPT.positive)
    memo(row(3), PROMPT)  # 2 is the oldest now
    memo(row(1, 3, 2), PROMPT)
    assert memo.decoder.asked == [[1], [2], [3], [2]]  # type: ignore[attr-defined]
    assert len(memo._pictures) == 2
    big = memo(row(*range(50)), PROMPT)
    assert big.shape == (50, 3, 1, 1)
    assert len(memo._pictures) == 2
    assert all(picture.untyped_storage().nbytes() == 12 for picture in memo._pictures.values())


def test_a_memo_keeps_a_screens_worth_of_batches_unless_told() -> None:
    memo = Cached(Counting())
    memo(row(*range(257)), PROMPT)
    memo(row(*range(256, 0, -1)), PROMPT)
    assert len(memo.decoder.asked) == 1  # type: ignore[attr-defined]
    memo(row(0), PROMPT)  # the 257th from the end
    assert (memo.made, memo.found) == (258, 256)
    with pytest.raises(ValueError, match="at least 1 picture"):
        Cached(Counting(), capacity=0)


def test_a_memo_tells_profiles_apart() -> None:
    memo = Cached(Counting())
    memo(row(1), PROMPT)
    memo.decoder.profile = replace(Counting.profile, batch=2)  # type: ignore[misc]
    memo(row(1), PROMPT)
    assert memo.made == 2


def test_mixtures_are_told_apart() -> None:
    memo = Cached(Counting())
    prompts = [Prompt("a"), Prompt(mixture=(("a", 0.5), ("b", 0.5))), Prompt(mixture=(("a", 0.4), ("b", 0.6))),
               Prompt("a", against=(("c", 0.5), ("d", 0.5)))]  # fmt: skip
    for prompt in prompts:
        memo(row(1), prompt)
    assert (memo.made, memo.found) == (4, 0)
