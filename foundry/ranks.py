"""Several processes that train one network: each takes a share of a batch, and gradients are averaged (gloo).

Two processes of one thread each do not wait for each other within a layer as two OpenMP threads do, only once a step.
Without `spawn` everything here is that of a single process.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from foundry.errors import FoundryError
from latentworld.disk import put
from latentworld.errors import LatentWorldError


def rank() -> int:
    """Which process this is; the first one writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wait() -> None:
    """Until all are here."""
    if dist.is_initialized():
        dist.barrier()


def agreed(*values: float) -> list[float]:
    """The first process's numbers, for all."""
    if not dist.is_initialized():
        return list(values)
    numbers = torch.tensor(values, dtype=torch.float64)
    dist.broadcast(numbers, 0)
    return [float(number) for number in numbers]


def average_gradients(model: nn.Module) -> None:
    """Means of the gradients over the processes, in one message."""
    if not dist.is_initialized():
        return
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([grad.flatten() for grad in grads])
    dist.all_reduce(flat)
    parts: tuple[Tensor, ...] = flat.div_(count()).split([grad.numel() for grad in grads])
    for grad, part in zip(grads, parts, strict=True):
        grad.copy_(part.view_as(grad))


def _one(index: int, total: int, store: str, work: Callable[[], None]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{store}", rank=index, world_size=total,
                            timeout=datetime.timedelta(days=30))  # fmt: skip
    try:
        work()
    except (FoundryError, LatentWorldError, OSError) as error:
        put(Path(f"{store}.error"), str(error).encode())
        raise SystemExit(1) from None
    finally:
        dist.destroy_process_group()


def spawn(total: int, folder: Path, work: Callable[[], None]) -> None:
    """Runs ``work`` (picklable) in ``total`` processes of one thread each; an error in one ends all."""
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / f".processes.{os.getpid()}"
    told = Path(f"{store}.error")
    store.unlink(missing_ok=True)
    try:
        mp.spawn(_one, (total, str(store), work), nprocs=total)
    except mp.ProcessExitedException:
        if not told.exists():
            raise
        raise FoundryError(told.read_text()) from None
    finally:
        store.unlink(missing_ok=True)
        told.unlink(missing_ok=True)
