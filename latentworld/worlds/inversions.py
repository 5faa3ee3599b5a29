"""Textual inversions: files of vectors that a world's prompts call by a word.

one = inversions.read("easynegative.safetensors")      # its word is easynegative, or what is given
world = inversions.taught(world, [one])                # "a cat, easynegative" now means it

Files are safetensors: one tensor of a Stable Diffusion 1 or 2 (`emb_params`, or the word itself as its name), two of an
SDXL (`clip_l`, `clip_g`).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.errors import UnsafeWeights, WorldMismatch, WorldMissing
from latentworld.worlds import files
from latentworld.worlds.families.clip_text import ClipText
from latentworld.worlds.families.learned import joined
from latentworld.worlds.families.xl_text import TwoClips
from latentworld.worlds.locate import PICKLED
from latentworld.worlds.world import World

if TYPE_CHECKING:
    from torch import Tensor

MOST = 75  # vectors of a word: what a CLIP reads at a time
OF_XL = ("clip_l", "clip_g")
WORD = re.compile(r"[^\s()\[\]:\\,|][^()\[\]:\\,|]{0,79}(?<!\s)")  # prompts have a use for those signs


@dataclass(frozen=True, eq=False)
class Inversion:
    """A taught word. rows: its vectors float [n, width] for each text encoder of the world it was made for; digest: of
    the file."""

    word: str
    path: Path
    rows: tuple[Tensor, ...]
    digest: str


def read(file: str | Path, word: str | None = None) -> Inversion:
    """The textual inversion in a file. word: what prompts call it by; the file's own word, or its name, where none is
    given.

    Raises WorldMissing, UnsafeWeights, WorldDamaged, and WorldMismatch for what is none, or for a word that prompts
    cannot hold.
    """
    path = Path(os.path.expanduser(file))  # which, as isfile, takes any text
    if path.suffix.lower() in PICKLED:
        raise UnsafeWeights(f"{path} is a pickled file, which could run code: convert it to .safetensors first")
    if not os.path.isfile(path):
        raise WorldMissing(f"no embedding {path}: check the path in world.embeddings")
    held = files.tensors(path)
    names = OF_XL if held.keys() == set(OF_XL) else tuple(held)
    if len(names) != 1 and names != OF_XL:
        raise WorldMismatch(
            f"{path} is no textual inversion: it holds {len(held)} tensors, not one, or clip_l and clip_g"
        )
    rows = tuple(_rows(path, held[name]) for name in names)
    if len({len(each) for each in rows}) > 1:
        counts = " and ".join(f"{len(each)} for {name}" for name, each in zip(names, rows))
        raise WorldMismatch(f"{path} has {counts}, where both have as many vectors: copy or download it again")
    own = names[0] if names[0].startswith("<") and names[0].endswith(">") else path.stem
    called = own if word is None else word
    if not WORD.fullmatch(called) or re.search(r"\bBREAK\b", called):
        raise WorldMismatch(
            f"the embedding {path} cannot be called {called!r} in a prompt: give it a `word` without brackets, "
            "commas and colons"
        )
    return Inversion(called, path, rows, files.digest([path], path.parent))


def _rows(path: Path, held: Tensor) -> Tensor:
    if not held.is_floating_point():
        raise WorldMismatch(f"{path} is no textual inversion: its numbers are {held.dtype}, not floats")
    rows = held.float()[None] if held.ndim == 1 else held.float()
    if rows.ndim != 2 or not 1 <= len(rows) <= MOST or not rows.shape[1] or not rows.isfinite().all():
        shape = "x".join(map(str, held.shape))
        raise WorldMismatch(f"{path} is no textual inversion: {shape} numbers, not 1 to {MOST} finite vectors")
    return rows


def taught(world: World, inversions: Sequence[Inversion]) -> World:
    """The world with these words in its prompts; itself without any. It has another digest, since prompts mean other
    pictures. Raises WorldMismatch where its texts are read by no CLIP alone, or a file was made for another kind."""
    if not inversions:
        return world
    text = world.text
    encoders = len(OF_XL) if isinstance(text, TwoClips) else 1
    if not isinstance(text, ClipText | TwoClips):
        raise WorldMismatch(f"{world.family.title} learns no words from embeddings: leave world.embeddings out")
    for one in inversions:
        if len(one.rows) != encoders:
            made = "SDXL" if len(one.rows) == len(OF_XL) else "Stable Diffusion 1 or 2"
            raise WorldMismatch(f"{one.path} was made for {made}: take an embedding made for {world.family.title}")
    vectors = [joined([(one.word, one.rows[k]) for one in inversions]) for k in range(encoders)]
    told = " ".join(sorted(f"{one.word.casefold()}:{one.digest}" for one in inversions))
    digest = f"{world.digest}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
    learned = text.learning(vectors[0]) if isinstance(text, ClipText) else text.learning(*vectors)
    return replace(world, text=learned, digest=digest)
