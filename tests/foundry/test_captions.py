"""Captions: quality words, negative words, mirrored sides, and a tokenizer that holds the write-up's prompts."""

from __future__ import annotations

import random
from pathlib import Path

from foundry import captions


def many(build: object, count: int = 2000) -> list[str]:
    words = random.Random(0)
    return [build("a red cat", words) for _ in range(count)]  # type: ignore[operator]


def test_clean_captions_keep_the_phrase_and_often_praise() -> None:
    texts = many(captions.clean)
    only = [text for text in texts if text in captions.FULL_QUALITY]
    assert 0.09 < len(only) / len(texts) < 0.15
    assert all("a red cat" in text for text in texts if text not in captions.FULL_QUALITY)
    assert sum("4k" in text for text in texts) > 0.4 * len(texts)
    assert not any(word in text for text in texts for word in ("blurry", "ugly", "stock"))


def test_degraded_captions_use_the_negative_words() -> None:
    texts = many(captions.degraded)
    assert all(any(word in text for word in ("blurry", "ugly", "stock photo")) for text in texts)
    assert not any("quality" in text for text in texts)
    assert sum(text == captions.NEGATIVE for text in texts) > 0.15 * len(texts)


def test_mirrored_swaps_whole_words() -> None:
    assert captions.mirrored("lit from the left, brightly") == "lit from the right, brightly"
    assert captions.mirrored(captions.mirrored("right of left")) == "right of left"


def test_the_tokenizer_holds_the_prompts(tmp_path: Path) -> None:
    tokenizer = captions.train_tokenizer(many(captions.clean, 50), 900, 64, tmp_path)
    for text in (captions.NEUTRAL, captions.NEGATIVE, captions.CASSINI, captions.CASSINI_NEGATIVE):
        ids = tokenizer(text).input_ids
        assert len(ids) <= 64
        assert ids[0] == tokenizer.bos_token_id
        assert ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == text.lower().replace(" ", "")
    unseen = tokenizer("zebra œuvre").input_ids
    assert tokenizer.eos_token_id not in unseen[1:-1]
