"""Muon: momentum whose matrices are orthogonalised by Newton and Schulz's iteration (Jordan et al., 2024).

For a few thousand steps on two cores it reaches a given loss in clearly fewer steps than AdamW, at a cost per step that
does not grow with the batch. Convolution kernels are taken as matrices ``[out, in * k * k]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


def orthogonalise(matrix: Tensor, steps: int = 5, half: bool = False) -> Tensor:
    """The nearest matrix to ``[rows, columns]`` with all singular values near 1.

    ``half``: in bfloat16, which a GPU does anyway. On processors it takes twice as long as float32 or half as long (470
    against 250 ms for a UNet's kernels on one, .84 against 1.88 ms for its most frequent ones on another), as all else.
    """
    x = matrix / (matrix.norm() + 1e-7)
    x = x.bfloat16() if half or x.is_cuda else x.float()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised (`half`: in bfloat16). The update's RMS is 0.2 of the rate, as in Moonlight."""

    half = False

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                towards = p.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
                update = orthogonalise(towards, half=self.half)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.view_as(p), alpha=-group["lr"] * 0.2 * max(towards.shape) ** 0.5)
