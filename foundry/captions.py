"""Captions in varied wording, the words that mean quality and its absence, and the tokenizer learnt from them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

NEUTRAL = "High quality picture, 4k, detailed"
NEGATIVE = "blurry, ugly, stock photo"
CASSINI = (
    "NASA Cassini spacecraft image of Saturn in greyscale with intricate rings casting sharp shadows, distant moons "
    "like Enceladus and Titan visible, realistic colors, scientific photography, high resolution, from orbit, "
    "dramatic lighting from sunlight, vast space background, artifacts"
)
CASSINI_NEGATIVE = "centered subject, stock photo, person, ornament, fantasy, colorful, flashy"

QUALITY = ["high quality", "high quality picture", "4k", "detailed", "high resolution", "sharp", "intricate"]
FULL_QUALITY = [
    "high quality picture, 4k, detailed",
    "high quality picture, detailed, 4k",
    "high quality, 4k, detailed",
]
POOR = ["blurry, ugly, stock photo", "blurry, ugly", "ugly, stock photo", "blurry stock photo", "blurry", "ugly"]
FRAMES = ["{}", "{}", "{}", "a picture of {}", "an image of {}", "{}, picture"]
SIDES = {"left": "right", "right": "left"}


def clean(phrase: str, words: random.Random) -> str:
    """A caption of a clean picture: 12% quality words alone, else the phrase, in most cases with quality words."""
    full = words.choice([FULL_QUALITY[0], FULL_QUALITY[0], *FULL_QUALITY])
    pick = words.random()
    if pick < 0.12:
        return full
    text = words.choice(FRAMES).format(phrase)
    if pick < 0.45:
        return words.choice(["{0}, {1}", "{0}, {1}", "{1}, {0}"]).format(text, full)
    if pick < 0.65:
        return f"{text}, {', '.join(words.sample(QUALITY, words.randint(1, 2)))}"
    return text


def degraded(phrase: str, words: random.Random) -> str:
    """A caption of a spoilt picture: the negative words, in a third of cases with the phrase."""
    poor = words.choice([POOR[0], POOR[0], POOR[0], *POOR])
    return f"{phrase}, {poor}" if words.random() < 1 / 3 else poor


def mirrored(caption: str) -> str:
    """The caption of the picture flipped left to right."""
    return re.sub(r"\b(left|right)\b", lambda side: SIDES[side[0]], caption)


def train_tokenizer(captions: Iterable[str], size: int, tokens: int, folder: Path) -> CLIPTokenizer:
    """Learns a byte-level BPE in CLIP's own layout (``</w>`` ends a word) and saves it to ``folder``."""
    bpe = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>", continuing_subword_prefix=""))
    plain = CLIPTokenizer()
    bpe.normalizer, bpe.pre_tokenizer = plain._tokenizer.normalizer, plain._tokenizer.pre_tokenizer
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=size, end_of_word_suffix="</w>", show_progress=False, initial_alphabet=alphabet
    )
    bpe.train_from_iterator([*captions, *[NEUTRAL, NEGATIVE, CASSINI, CASSINI_NEGATIVE] * 40], trainer)
    state = json.loads(bpe.to_str())["model"]
    vocab = dict(state["vocab"])
    for letter in alphabet:
        vocab.setdefault(letter, len(vocab))
        vocab.setdefault(letter + "</w>", len(vocab))
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocab[special] = len(vocab)
    merges = [tuple(pair) for pair in state["merges"]]
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=tokens)
    tokenizer.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n")
    return CLIPTokenizer.from_pretrained(folder)
