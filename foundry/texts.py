"""What the UNet hears: embeddings of texts by the frozen text tower, and which text goes with which picture."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from foundry import captions
from foundry.clip import generic
from foundry.data import Split


class Texts:
    """Embeddings ``[n, tokens, width]`` of texts, kept in half precision up to `LIMIT` of them (4 GB).

    64,000 pictures and their mirrors have 152,000 captions: of 40,000 that were kept, two fifths of all draws were
    encoded anew, a tenth of the teacher's time.

    Always in batches of one size, since rounding depends on it and a resumed cast must find the same numbers.
    """

    BATCH = 16
    LIMIT = 160_000

    def __init__(self, encoder: CLIPTextModel, tokenizer: CLIPTokenizer, device: torch.device) -> None:
        self.encoder, self.tokenizer, self.device = encoder.to(device), tokenizer, device
        self.known: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, texts: list[str]) -> Tensor:
        """Embeddings of ``texts``, float32, whatever precision is computed in around it."""
        with torch.autocast(self.device.type, enabled=False):  # a processor's cannot stack half precision
            return self._read(texts)

    def _read(self, texts: list[str]) -> Tensor:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        found: dict[str, Tensor] = {}
        for start in range(0, len(new), self.BATCH):
            part = new[start : start + self.BATCH]
            padded = part + [""] * (self.BATCH - len(part))
            tokens = self.tokenizer(padded, padding="max_length", truncation=True, return_tensors="pt")
            states = self.encoder(input_ids=tokens.input_ids.to(self.device)).last_hidden_state.half()
            found |= dict(zip(part, states[: len(part)], strict=True))
        if len(self.known) + len(found) <= self.LIMIT:
            self.known |= found
        return torch.stack([found[text] if text in found else self.known[text] for text in texts]).float()


def text_for(split: Split, row: int, pick: float) -> str:
    """Nothing in 10% (for guidance), words for the whole family in 10%, else one of the picture's captions.

    Rows from ``len(split)`` on are the pictures' mirror images. ``pick`` is a random number in 0..1.
    """
    mirror, row = row >= len(split), row % len(split)
    told, spoilt = split.captions[row], split.attributes[row]["degraded"]
    if pick < 0.1:
        return ""
    if pick < 0.2 and not spoilt:
        texts = generic(int(split.family[row]))
        return texts[int(pick * 1e6) % len(texts)]
    text = told[int(pick * 1e6) % len(told)]
    return captions.mirrored(text) if mirror else text
