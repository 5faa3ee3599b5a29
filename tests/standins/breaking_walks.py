"""A package that is installed for the time of a test, and whose walks break in every way there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from plugins import package

from latentworld import walks
from latentworld.registry import Registry
from latentworld.walks import catalogue

BREAKS = ("unbuilt", "nothing", "stumbling", "lost", "gusty", "calm")
SOURCE = '''
from typing import ClassVar, Literal

import numpy as np

from latentworld.walks import FixedSpec, FreeSpec, Orbit

AFTER = 1000  # answers: building, and the way onto it, ask a few hundred times


class Soon:
    """A curve that breaks when it was asked often enough."""

    def __init__(self, curve, breaks):
        self.curve, self.breaks, self.knots, self.asked = curve, breaks, curve.knots, 0

    def unit(self, t):
        self.asked += 1
        return self.curve.unit(t) if self.asked < AFTER else self.breaks(self.curve.unit(t))

    def radius(self, t):
        return self.curve.radius(t)


def stumble(units):
    raise RuntimeError("tripped")


def gust(phi):
    if phi.max() > 0.2:
        raise ZeroDivisionError("a gust")
    return np.ones(len(phi))


class Round(FixedSpec):
    def build(self, plane):
        from dataclasses import replace

        walk = Orbit().build(plane)
        return replace(walk, curve=Soon(walk.curve, self.breaks))


class Unbuilt(Round):
    """Its build raises."""
    label: ClassVar[str] = "Unbuilt"
    kind: Literal["unbuilt"] = "unbuilt"

    def build(self, plane):
        raise KeyError("no map")


class Nothing(Round):
    """Builds no walk."""
    label: ClassVar[str] = "Nothing"
    kind: Literal["nothing"] = "nothing"

    def build(self, plane):
        return None


class Stumbling(Round):
    """Raises on its way."""
    label: ClassVar[str] = "Stumbling"
    kind: Literal["stumbling"] = "stumbling"
    breaks: ClassVar = staticmethod(stumble)


class Lost(Round):
    """Is nowhere all of a sudden."""
    label: ClassVar[str] = "Lost"
    kind: Literal["lost"] = "lost"
    breaks: ClassVar = staticmethod(lambda units: np.nan * units)


class Gusty(FreeSpec):
    """Its wind raises on the way."""
    label: ClassVar[str] = "Gusty"
    kind: Literal["gusty"] = "gusty"

    def build(self, plane):
        return self.launched(plane, 0.5, gust)


class Calm(FixedSpec):
    """Sound."""
    label: ClassVar[str] = "Calm"
    kind: Literal["calm"] = "calm"

    def build(self, plane):
        return Orbit().build(plane)
'''


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Their package is there, for this process and for those that it starts."""
    (folder / "breaking.py").write_text(SOURCE)
    package(folder, "breakers", "0.3", "latentworld.walks", {name: f"breaking:{name.capitalize()}" for name in BREAKS})
    built_in = {kind: f"latentworld.walks.{kind}:{kind.capitalize()}" for kind in walks.BUILT_IN}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        registry = Registry("latentworld.walks", "kind of walk", built_in, catalogue.checked)
        patch.setattr(catalogue, "REGISTRY", registry)
        yield
