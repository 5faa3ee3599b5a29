"""What a network makes of snapshots: posteriors over bins of the parameters, as Lobashev et al. have them of pictures.

A small perceptron is trained to tell from one snapshot in which bin of the unit square its parameters lie (cross
entropy against a narrow bump about the true place), which makes its softmax the posterior under an even prior.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]


def bins(side: int) -> Array:
    """Middles of side^2 bins of the unit square [side^2, 2]."""
    line = (np.arange(side) + 0.5) / side
    return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)


def posteriors(
    places: Array, snapshots: NDArray[np.floating], side: int, epochs: int, seed: int, width: int = 256
) -> Array:
    """Posteriors [n, side^2] of places [n, 2] from their snapshots [n, draws, F]: the mean over a place's snapshots.

    Means are crisper than products and calibrated: the mean over draws is the law of a guess from one snapshot.
    """
    torch.manual_seed(seed)
    count, draws, numbers = snapshots.shape
    flat = torch.from_numpy(snapshots.reshape(-1, numbers).astype(np.float32))
    flat = (flat - flat.mean(0)) / (flat.std(0) + 1e-6)
    at = torch.from_numpy(np.repeat(places, draws, axis=0).astype(np.float32))
    middles = torch.from_numpy(bins(side).astype(np.float32))
    net = torch.nn.Sequential(
        torch.nn.Linear(numbers, width), torch.nn.GELU(), torch.nn.Linear(width, width), torch.nn.GELU(),
        torch.nn.Linear(width, side * side),
    )  # fmt: skip
    steps = epochs * (len(flat) // 512)
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-3)
    falling = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps + 1)
    for _ in range(steps):
        chosen = torch.randint(len(flat), (512,))
        apart = torch.cdist(at[chosen], middles) * side
        wanted = torch.softmax(-2 * apart**2, dim=1)  # a bump half a bin wide
        loss = torch.nn.functional.cross_entropy(net(flat[chosen]), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        falling.step()
    with torch.no_grad():
        guess = torch.softmax(net(flat), dim=1).reshape(count, draws, -1).mean(dim=1)
    return np.asarray(guess.double() / guess.double().sum(1, keepdim=True))
