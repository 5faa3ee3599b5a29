"""What the factors of a layer make of its weight, for each kind of LoRA: tensors to a change `[out, inputs x kernel]`.

LoRA    up @ down, or up @ mid @ down with the kernel of a convolution between them (LoCon)
LoHa    (w1_a @ w1_b) * (w2_a @ w2_b), element by element; each half may have a kernel of its own (t1, t2)
LoKr    the Kronecker product of w1 and w2, each whole or a product of two, w2 with a kernel (t2) or without

Factors are as LyCORIS and kohya write them: https://github.com/KohakuBlueleaf/LyCORIS (lycoris/modules). What is here
computes on the `meta` device too, where it tells shapes alone, and raises RuntimeError or ValueError for factors that
do not fit each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from latentworld.decoding.lora_names import Role

Factors = Mapping[Role, Tensor]


def _lora(factors: Factors) -> Tensor:
    return factors["up"].flatten(1) @ factors["down"].flatten(1)


def _locon(factors: Factors) -> Tensor:
    return _tucker(factors["up"].flatten(1), factors["mid"], factors["down"].flatten(1))


def _loha(factors: Factors) -> Tensor:
    return _each(
        factors["hada_w1_a"] @ factors["hada_w1_b"].flatten(1), factors["hada_w2_a"] @ factors["hada_w2_b"].flatten(1)
    )


def _loha_of_kernels(factors: Factors) -> Tensor:
    return _each(
        _tucker(factors["hada_w1_a"].t(), factors["hada_t1"], factors["hada_w1_b"]),
        _tucker(factors["hada_w2_a"].t(), factors["hada_t2"], factors["hada_w2_b"]),
    )


def _lokr(factors: Factors) -> Tensor:
    first = factors["lokr_w1"] if "lokr_w1" in factors else factors["lokr_w1_a"] @ factors["lokr_w1_b"]
    if "lokr_w2" in factors:
        second = factors["lokr_w2"]
    elif "lokr_t2" in factors:
        second = _tucker(factors["lokr_w2_a"].t(), factors["lokr_t2"], factors["lokr_w2_b"])
    else:
        second = factors["lokr_w2_a"] @ factors["lokr_w2_b"]
    return torch.kron(first, second.flatten(1))  # inputs of the second, with their kernel, run faster than the first's


def _tucker(up: Tensor, mid: Tensor, down: Tensor) -> Tensor:
    """`[out, r]`, `[r, s, ...]`, `[s, in]` -> `[out, in x ...]`."""
    if mid.ndim < 2 or mid.shape[:2] != (up.shape[1], len(down)):  # an einsum would stretch a rank of 1
        raise ValueError("the factor between the two is of another rank")
    return torch.einsum("oi,ij...,jr->or...", up, mid, down).flatten(1)


def _each(first: Tensor, second: Tensor) -> Tensor:
    if first.shape != second.shape:
        raise ValueError("the two halves are of different sizes")
    return first * second


_W1: tuple[tuple[Role, ...], ...] = (("lokr_w1",), ("lokr_w1_a", "lokr_w1_b"))
_W2: tuple[tuple[Role, ...], ...] = (("lokr_w2",), ("lokr_w2_a", "lokr_w2_b"), ("lokr_w2_a", "lokr_w2_b", "lokr_t2"))
_HADA: tuple[Role, ...] = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
PRODUCTS: Mapping[frozenset[Role], Callable[[Factors], Tensor]] = {
    frozenset(("down", "up")): _lora,
    frozenset(("down", "up", "mid")): _locon,
    frozenset(_HADA): _loha,
    frozenset((*_HADA, "hada_t1", "hada_t2")): _loha_of_kernels,
    **{frozenset((*first, *second)): _lokr for first in _W1 for second in _W2},
}
"""By the factors that a layer has, its alpha and its magnitudes left out."""
_RANKED: tuple[Role, ...] = ("down", "hada_w1_b", "lokr_w2_b", "lokr_w1_b")


def core(roles: Mapping[Role, object]) -> frozenset[Role]:
    """The factors among what a layer has."""
    return frozenset(roles) - {"alpha", "magnitude", "dora_scale"}


def is_directed(roles: Mapping[Role, object]) -> bool:
    """Whether a layer is a DoRA's."""
    return not roles.keys().isdisjoint(("magnitude", "dora_scale"))


def rank(factors: Factors) -> int | None:
    """Of a layer's factors; None for a Kronecker product of whole ones, which is not scaled."""
    return next((len(factors[role]) for role in _RANKED if role in factors), None)


def directed(weight: Tensor, factors: Factors) -> Tensor:
    """A weight `[out, in, ...]` that points where it did, with the lengths that a DoRA has beside its factors.

    They are those of outputs, as PEFT has it, or of inputs, as LyCORIS had it first: `dora_scale` tells by its shape,
    `[out, 1, ...]` or `[1, in, ...]`. Raises ValueError for another.
    """
    if "magnitude" in factors:
        axis, lengths = 0, factors["magnitude"]
    else:
        lengths = factors["dora_scale"]
        axis = int(lengths.ndim > 1 and len(lengths) == 1 != len(weight))
    if not lengths.numel() == max(lengths.shape, default=1) == weight.shape[axis]:
        raise ValueError("the magnitudes are as many as neither outputs nor inputs")
    others = [other for other in range(weight.ndim) if other != axis]
    found = torch.linalg.vector_norm(weight, dim=others, keepdim=True).clamp_min(1e-12)
    made: Tensor = weight * (lengths.reshape(found.shape) / found)
    return made
