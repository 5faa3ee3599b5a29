"""How sure a share is, how far two sets of pictures lie apart, and how various a family is."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def interval(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95% interval of a share."""
    share = hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return middle - half, middle + half


def distance(a: Tensor, b: Tensor) -> float:
    """Unbiased squared distance of two sets of unit features ``[n, k]`` under the kernel ``(x y + 1)³``, times 1000."""

    def within(x: Tensor) -> Tensor:
        kernel = (x @ x.T + 1) ** 3
        return (kernel.sum() - kernel.diagonal().sum()) / (len(x) * (len(x) - 1))

    a, b = a.double(), b.double()
    return float(1000 * (within(a) + within(b) - 2 * ((a @ b.T + 1) ** 3).mean()))


def spread(features: Tensor, family: Tensor) -> float:
    """Mean distance of unit features ``[n, k]`` from the mean of their own family."""
    kinds = family.unique()
    return float(
        torch.stack([(features[family == k] - features[family == k].mean(0)).norm(dim=1).mean() for k in kinds]).mean()
    )
