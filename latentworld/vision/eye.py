"""The contract every eye keeps: pictures in, features out, and classifiers made of words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from torch import Tensor

Classifier = Callable[["Tensor"], "Tensor"]
"""Features `[n, F]` to the probabilities `[n, k]` of k texts."""


class Eye(Protocol):
    """Pictures to features. Works in padded batches too: a feature is the same bytes alone or in any slot."""

    @property
    def dimension(self) -> int:
        """Numbers in a feature."""
        ...

    def __call__(self, pictures: Tensor) -> Tensor:
        """float `[n, 3, h, w]` in 0..1, any n >= 0, to unit float32 `[n, dimension]` where the pictures lie.

        On the CPU it raises NotFinite; elsewhere nobody has looked yet, as at pictures that stayed there.
        """
        ...

    def batched(self, batch: int) -> Self:
        """The same eye for as many pictures at a time; networks are shared. Itself where batches do not matter."""
        ...

    def texts(self, words: Sequence[str]) -> Tensor:
        """Unit features `[k, dimension]` of k texts, float32 on the CPU: a picture is like a text as their dot product
        is large. Raises WorldMismatch where the eye knows no words."""
        ...

    def labels(self, words: Sequence[str]) -> Classifier:
        """A classifier over these texts. Raises WorldMismatch where the eye knows no words."""
        ...
