"""A decoder that remembers: same position, same picture, so a picture already made is not made again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Self

from latentworld.decoding.decoder import Around, Decoder, Watch
from latentworld.decoding.profile import Profile
from latentworld.prompts import Prompt

if TYPE_CHECKING:
    from torch import Tensor


class Cached(Around):
    """Wraps a decoder and keeps its last `capacity` pictures (12 bytes a pixel: 192 KiB at 128², 3 MiB at 512²), as
    they were first asked for: those that stayed on a device there, in its memory.

    The pacing relies on it: probes that looked ahead become frames at no cost. `made` counts pictures decoded,
    `found` those remembered.
    """

    def __init__(self, decoder: Decoder, capacity: int = 256) -> None:
        if capacity < 1:
            raise ValueError(f"capacity = {capacity}: a cache keeps at least 1 picture")
        self.decoder = decoder
        self.capacity = capacity
        self.made = 0
        self.found = 0
        self._pictures: OrderedDict[bytes, Tensor] = OrderedDict()

    def around(self, decoder: Decoder) -> Self:
        """As large a cache, empty."""
        return type(self)(decoder, self.capacity)

    def __call__(self, latents: Tensor, prompt: Prompt, watch: Watch | None = None, *, stay: bool = False) -> Tensor:
        """As the wrapped decoder; only latents without a remembered picture are decoded, each once."""
        import torch

        latents = latents.float()
        if len(latents) == 0:
            return self.decoder(latents, prompt, watch, stay=stay)
        while True:
            before = self.profile
            keys = [_key(latent, prompt, before, stay) for latent in latents]
            rows = [row for row, key in enumerate(keys) if key not in self._pictures and key not in keys[:row]]
            made = self.decoder(latents[rows], prompt, watch, stay=stay) if rows else ()
            if self.profile == before:
                break  # else memory ran out and the batch was halved: what is remembered belongs to the old profile
        pictures = {key: self._pictures[key] for key in keys if key in self._pictures}
        # Clones: a slice would keep its whole batch alive, and the memory would not be bounded.
        pictures |= {keys[row]: picture.clone() for row, picture in zip(rows, made, strict=True)}
        self._remember(keys, pictures)
        self.made += len(rows)
        self.found += len(keys) - len(rows)
        return torch.stack([pictures[key] for key in keys])

    def _remember(self, keys: list[bytes], pictures: dict[bytes, Tensor]) -> None:
        for key in keys:
            self._pictures[key] = pictures[key]
            self._pictures.move_to_end(key)
        while len(self._pictures) > self.capacity:
            self._pictures.popitem(last=False)


def _key(latent: Tensor, prompt: Prompt, profile: Profile, stay: bool) -> bytes:
    digest = hashlib.blake2b(latent.contiguous().numpy().tobytes(), digest_size=20)
    stayed = "stayed" if stay and profile.device != "cpu" else ""
    for text in (repr(prompt.toward), repr(prompt.away), profile.hash, stayed):
        digest.update(len(text).to_bytes(8, "little") + text.encode())
    return digest.digest()
