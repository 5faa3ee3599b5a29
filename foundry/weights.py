"""Weights in a few megabytes: half precision, in files of at most `SHARD` bytes, with a record of where they come from.

A stage is ``STAGE.json`` and ``STAGE-00.safetensors`` and so on.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from foundry.errors import FoundryError
from latentworld.disk import put, writing

SHARD = 15 * 2**20
RESTORED = "restored.json"  # in a cast's stage: the record of what it was laid from
State = dict[str, Tensor]


@dataclass(frozen=True)
class Record:
    """What is known of a kept stage; `config` is the network's own, of a finished stage or a UNet."""

    stage: str
    preset: str
    fingerprint: str
    finished: bool
    step: int
    spent: float
    shards: int
    config: dict[str, Any] | None
    figures: str


def shards_of(state: State) -> list[State]:
    """Half-precision tensors in groups of at most `SHARD` bytes."""
    groups: list[State] = [{}]
    size = 0
    for name, tensor in state.items():
        half = tensor.half().contiguous().cpu() if tensor.is_floating_point() else tensor.contiguous().cpu()
        more = half.numel() * half.element_size()
        if groups[-1] and size + more > SHARD:
            groups.append({})
            size = 0
        groups[-1][name] = half
        size += more
    return groups


def write(folder: Path, record: Record, state: State) -> None:
    """A stage's files, the weights first and the record last."""
    folder.mkdir(parents=True, exist_ok=True)
    with writing(folder):
        for number, shard in enumerate(shards_of(state)):
            put(folder / f"{record.stage}-{number:02d}.safetensors", safetensors.torch.save(shard))
        put(folder / f"{record.stage}.json", (json.dumps(asdict(record), indent=2) + "\n").encode())


def record(path: Path) -> Record:
    """What a record says; FoundryError if it is damaged."""
    try:
        return Record(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise FoundryError(f"{path} is no record of a stage ({str(error).splitlines()[0]}): keep it again") from error


def read(folder: Path, stage: str) -> tuple[Record, State]:
    """A stage's record and weights in float32; FoundryError if they are damaged."""
    kept, state = record(folder / f"{stage}.json"), State()
    try:
        for number in range(kept.shards):
            state |= safetensors.torch.load_file(folder / f"{stage}-{number:02d}.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise FoundryError(f"{folder} keeps no whole {stage} ({str(error).splitlines()[0]}): keep it again") from error
    return kept, {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
