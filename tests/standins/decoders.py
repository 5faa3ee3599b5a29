"""A tiny random world to decode with, loaded once."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from latentworld.prompts import Prompt
from latentworld.worlds import World, load
from standins import tiny_world

PROMPT = Prompt("a cat, 4k", "blurry, ugly")


@functools.cache
def world(kind: str = "embedded") -> World:
    return load(tiny_world.folder(kind))


def latents(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 4, 8, 8, generator=torch.Generator().manual_seed(seed))
