"""The walk that the pilot steers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, FiniteFloat

from latentworld.frozen import keyed
from latentworld.plane import Plane
from latentworld.walks.free import Free
from latentworld.walks.spec import FreeSpec


class Rift(FreeSpec):
    """A walk steered by the pilot, endless."""

    label: ClassVar[str] = "Rift"

    kind: Literal["rift"] = "rift"
    ease: Annotated[FiniteFloat, Field(ge=0.0, le=90.0)] = keyed(
        0.5,
        "degrees of travel in which the curvature may change by one; larger bends more softly",
    )

    def build(self, plane: Plane) -> Free:
        """As `FreeSpec.build`."""
        return self.launched(plane, self.ease)
