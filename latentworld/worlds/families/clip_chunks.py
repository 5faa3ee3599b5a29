"""Tokens of a prompt in chunks as long as a CLIP reads at a time, and their embeddings weighed.

As AUTOMATIC1111 does it (stable-diffusion-webui 1.10, modules/sd_hijack_clip.py and sd_emphasis.py, its defaults: the
`Original` emphasis, commas followed 20 of 75 tokens back): each chunk is read by itself, between the tokens that begin
and end a text; its embeddings are multiplied by their words' weights, and all of them by one number more, so that their
mean is what it was; chunks stand one after the other.

Where the mean of an encoder's embeddings is no more than chance gives so many numbers (the embedded world's is .0001 to
.002 of their spread, where Stable Diffusion's is some tenths), that number would be noise, of either sign: there it
is 1, which is A1111's `No norm`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentworld.errors import PresetError

if TYPE_CHECKING:
    from torch import Tensor

MOST = 10  # chunks of a prompt: 750 tokens of CLIP's, some 500 words
BACK = 20 / 75  # of a chunk, so near its end a comma ends it instead

Weighed = tuple[int, float]
"""A token and its weight."""


@dataclass(frozen=True)
class Chunk:
    """What a CLIP reads at a time. ids: tokens, padded; words: how many of them are a text, what begins and ends it
    included; weights: one a token, empty where all are 1."""

    ids: tuple[int, ...]
    words: int
    weights: tuple[float, ...] = ()

    @property
    def mask(self) -> tuple[int, ...]:
        """1 for a token of the text, 0 for padding."""
        return (1,) * self.words + (0,) * (len(self.ids) - self.words)


def split(
    stretches: Sequence[Sequence[Weighed]], room: int, comma: int | None, continues: Collection[int] = ()
) -> list[list[Weighed]]:
    """Tokens of the stretches between BREAKs in pieces of at most `room`, at least one piece.

    Where a stretch is too long it is cut after its last comma, if that is near, and before no token that `continues` a
    taught word; an empty stretch is an empty piece, but at the end.
    """
    made: list[list[Weighed]] = []
    for number, stretch in enumerate(stretches):
        pieces = list(_cut(stretch, room, comma, continues))
        is_last = number == len(stretches) - 1
        made += pieces or ([] if is_last and made else [[]])
    return made


def _cut(
    tokens: Sequence[Weighed], room: int, comma: int | None, continues: Collection[int]
) -> Iterator[list[Weighed]]:
    rest, back = list(tokens), round(room * BACK)
    while len(rest) > room:
        end = room
        if rest[room][0] != comma:
            near = [place for place in range(max(room - back, 0), room) if rest[place][0] == comma]
            end = near[-1] + 1 if near else room
        first = next((place for place in range(end, 0, -1) if rest[place][0] not in continues), end)
        end = first  # a word that is longer than a piece is cut all the same
        yield rest[:end]
        rest = rest[end:]
    if rest:
        yield rest


def padded(piece: Sequence[Weighed], limit: int, start: int, end: int, pad: int) -> Chunk:
    """A chunk of `limit` tokens."""
    blank = limit - 2 - len(piece)
    ids = (start, *(token for token, _ in piece), end) + (pad,) * blank
    weights = (1.0, *(weight for _, weight in piece), 1.0) + (1.0,) * blank
    return Chunk(ids, len(piece) + 2, weights if any(weight != 1 for weight in weights) else ())


def weighed(states: Tensor, weights: Sequence[float]) -> Tensor:
    """Embeddings `[1, tokens, width]` times the weights of their tokens, with the mean they had. Raises PresetError for
    weights under which nothing finite is left."""
    import torch

    if not weights:
        return states
    own = states.float()
    made = own * torch.tensor(weights, dtype=torch.float32, device=own.device)[None, :, None]
    if own.mean().abs() > own.std() / own.numel() ** 0.5:
        made = made * (own.mean() / made.mean())
    made = made.to(states.dtype)
    if not made.isfinite().all():
        raise PresetError(
            f"the prompt's weights, up to {max(map(abs, weights)):g}, leave no numbers: give smaller ones"
        )
    return made
