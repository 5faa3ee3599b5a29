"""Where a survey looks: a window of the chart, the whole globe, or a window refined where the field is steep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, Strict, model_validator

from latentworld.arrays import Array, Integers

Interval = Annotated[tuple[FiniteFloat, FiniteFloat], Strict(False)]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Window(_Spec):
    """alpha and beta intervals, both ends included; rows run along alpha, columns along beta, as in the write-up."""

    alpha: Interval = (0.0, 1.0)
    beta: Interval = (0.0, 1.0)
    rows: Annotated[int, Field(ge=2, le=65536)] = 50
    columns: Annotated[int, Field(ge=2, le=65536)] = 50

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        for name, (low, high) in (("alpha", self.alpha), ("beta", self.beta)):
            if not low < high:
                raise ValueError(f"{name} runs from {low:g} to {high:g}: give the lower end first, and some width")
        return self

    def coordinates(self, lattice: Integers | ArrayLike) -> Array:
        """alpha and beta float64 [n, 2] of rows and columns [n, 2]: the same doubles as numpy.linspace gives."""
        lattice = np.asarray(lattice, dtype=np.int64)
        axes = (np.linspace(*self.alpha, self.rows), np.linspace(*self.beta, self.columns))
        return np.stack([axes[0][lattice[:, 0]], axes[1][lattice[:, 1]]], axis=1)


class Window(_Window):
    """Every node of a grid."""

    kind: Literal["window"] = "window"

    @property
    def count(self) -> int:
        """How many places there are."""
        return self.rows * self.columns

    def lattice(self) -> Integers:
        """Rows and columns [count, 2], row by row."""
        rows, columns = np.divmod(np.arange(self.count, dtype=np.int64), self.columns)
        return np.stack([rows, columns], axis=1)


class Adaptive(_Window):
    """A coarse grid, refined by halves where the field is steep until `budget` places are spent.

    rows, columns: the finest grid; coarse: its stride at the start, a power of two; budget: a share of all nodes.
    """

    kind: Literal["adaptive"] = "adaptive"
    coarse: Literal[2, 4, 8, 16, 32, 64] = 8
    budget: Annotated[FiniteFloat, Field(gt=0.0, le=1.0)] = 0.2


class Globe(_Spec):
    """Equal-area points of the whole globe: 12 nside^2 pixel centres of HEALPix (Gorski et al. 2005), ring order.

    HEALPix's axes are those of the plane's orthonormal basis, so its north pole is unit (0, 0, 1).
    """

    kind: Literal["globe"] = "globe"
    nside: Annotated[int, Field(ge=1, le=8192)] = 16

    @property
    def count(self) -> int:
        """How many places there are."""
        return 12 * self.nside**2


Sampling = Annotated[Window | Adaptive | Globe, Field(discriminator="kind")]


def parse(table: Mapping[str, object]) -> Window | Adaptive | Globe:
    """A sampling from plain values; pydantic's ValidationError says which one cannot be used."""
    from pydantic import TypeAdapter

    adapter: TypeAdapter[Window | Adaptive | Globe] = TypeAdapter(Sampling)
    return adapter.validate_python(table)
