"""Fixed, padded batches, and what happens when one does not fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from latentworld.errors import DecodeError, NotFinite

if TYPE_CHECKING:
    from torch import Tensor

OTHERS = "use another VAE, LoRA or world, or weaker LoRA"
REMEDY = f'set decoder.dtype = "float32" (or "bfloat16" on a GPU), or {OTHERS}'


def padded(items: Tensor, batch: int) -> Tensor:
    """`[m, ...]` with 1 <= m <= batch, filled up to `[batch, ...]` with copies of the last item."""
    missing = batch - len(items)
    return items if missing == 0 else _cat(items, items[-1:].expand(missing, *items.shape[1:]))


def in_batches(items: Tensor, batch: int, run: Callable[[Tensor], Tensor]) -> Tensor | None:
    """Call `run` on `[batch, ...]` pieces of `items [n, ...]`, the last one padded; results `[n, ...]`, None for n = 0.

    `run` sees one shape only. Rounding depends on the shape of a batch, not on its other members, so a result is the
    same bytes alone or in any slot (held by tests for every engine).
    """
    made = []
    for start in range(0, len(items), batch):
        piece = items[start : start + batch]
        made.append(run(padded(piece, batch))[: len(piece)])
    return _cat(*made) if made else None


def check_latents(latents: Tensor, shape: tuple[int, int, int]) -> None:
    """Refuse latents a decoder cannot read: DecodeError names the shape it wants."""
    if latents.ndim != 4 or tuple(latents.shape[1:]) != shape:
        wanted = ", ".join(map(str, shape))
        raise DecodeError(f"latents {list(latents.shape)} do not fit this world: it decodes [n, {wanted}]")


def check_pictures(pictures: Tensor, maker: str, remedy: str) -> None:
    """Refuse pictures that are none: NaN or infinity would be kept as black frames, and steer as rates.

    The one check on the way out of every decoder. maker: what made them; remedy: what to do. Raises NotFinite.
    """
    if not pictures.isfinite().all():
        raise no_pictures(maker, remedy)


def no_pictures(maker: str, remedy: str = REMEDY) -> NotFinite:
    """What is raised for them, for those who have looked where the pictures lie."""
    return NotFinite(f"{maker} gives numbers that are no picture (NaN or infinite): {remedy}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: CUDA, MPS, CPU and OpenVINO say it differently."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    signs = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate", "bad_alloc")
    return isinstance(error, RuntimeError) and any(sign in text for sign in signs)


def free_memory() -> None:
    """Return what the accelerator's allocator keeps: after a failed batch it is in the way of the smaller one."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.xpu.is_available():
        torch.xpu.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def _cat(*pieces: Tensor) -> Tensor:
    import torch

    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)
