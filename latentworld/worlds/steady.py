"""A picture's bytes must not hang on its slot in a batch, nor on who used the networks before."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEW_ROWS = 64  # rows of one product of matrices up to which each picture gets a product of its own


def steady(module: nn.Module) -> None:
    """Lay a module out for its pictures, channels last, and make them independent of their slots on a processor.

    GroupNorm: torch's channels-last one splits rows x pixels evenly among the threads (from 1,024 pixels on). Where the
    rows are no multiple of the threads, some pictures are summed in two parts and others in one: seen with 3 rows on 2
    threads, 8 on 3. There, and only there, these layers get the plain layout.

    Linear: a product of few rows (a time, a pooled text: one row a picture) is split among the threads too, and its
    parts are summed in other orders: seen with 5 to 7 and 9 to 11 rows on 2 threads, apart by 6e-7. Such rows are
    multiplied one picture at a time.

    Says it once to each layer; a deep copy of a module keeps it.
    """
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for layer in module.modules():
        if isinstance(layer, nn.GroupNorm) and _plain_when_uneven not in layer._forward_pre_hooks.values():
            layer.register_forward_pre_hook(_plain_when_uneven)
        if isinstance(layer, nn.Linear) and _one_by_one not in layer._forward_hooks.values():
            layer.register_forward_hook(_one_by_one)


def _plain_when_uneven(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    (rows,) = inputs
    uneven = rows.device.type == "cpu" and len(rows) % torch.get_num_threads() != 0
    return (rows.contiguous(),) if uneven else None


def _one_by_one(layer: nn.Module, inputs: tuple[Tensor, ...], made: Tensor) -> Tensor | None:
    (rows,) = inputs
    few = rows.device.type == "cpu" and len(rows) > 1 and rows.shape[:-1].numel() <= FEW_ROWS
    traced = torch.jit.is_tracing() or torch.compiler.is_compiling()  # type: ignore[attr-defined, no-untyped-call]
    if not few or traced:  # an engine that is made of a trace has its own products
        return None
    return torch.cat([layer.forward(row) for row in torch.split(rows, 1)])
