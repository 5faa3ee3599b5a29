"""A raster over a window of the chart."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from latentworld import globe
from latentworld.errors import GeometryError
from latentworld.frozen import keyed
from latentworld.plane import Plane
from latentworld.walks.curves import biarcs
from latentworld.walks.fixed import Fixed, fixed
from latentworld.walks.spec import FixedSpec, Pair


class Swath(FixedSpec):
    """A raster over a window of the chart: rows along alpha, turns between them; open, walked there and back."""

    label: ClassVar[str] = "Swath"

    kind: Literal["swath"] = "swath"
    alpha: Pair = keyed((0.0, 1.0), "[from, to]: how wide a row is")
    beta: Pair = keyed((0.0, 1.0), "[from, to]: from the first row to the last")
    rows: Annotated[int, Field(ge=1, le=256)] = keyed(8, "how many; more see more of the window and take longer")

    def build(self, plane: Plane) -> Fixed:
        """As `FixedSpec.build`."""
        alpha, beta = self.alpha, np.linspace(*self.beta, self.rows)
        if alpha[0] == alpha[1] or (self.rows > 1 and self.beta[0] == self.beta[1]):
            raise GeometryError("The swath has zero length: widen its alpha and beta windows.")
        rows = np.stack([plane.unit(alpha[0], beta), plane.unit(alpha[1], beta)], axis=1)
        rows[1::2] = rows[1::2, ::-1]  # boustrophedon
        begin, end = rows[:, 0], rows[:, 1]
        headings = np.stack([globe.tangent(begin, end), -globe.tangent(end, begin)], axis=1)
        # Along a row the biarc is the great circle, between rows nearly a half circle.
        raster = biarcs(rows.reshape(-1, 3), headings.reshape(-1, 3), np.ones(2 * self.rows), closed=False)
        return fixed(raster, plane, False, self.radius, self.breaths)
