"""Walks of other packages: in presets, on the control, in the reference; and broken ones."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest
from plugins import entries, module, package
from pydantic import BaseModel
from standins.film import PLANE

from installation.control import parameters
from latentworld import preset, walks
from latentworld.errors import PluginError, PresetError, WalkRefused
from latentworld.plane import Plane
from latentworld.reference import reference
from latentworld.registry import Registry
from latentworld.walks import Arcs, Fixed, FixedSpec, biarcs, catalogue, fixed


class Triangle(FixedSpec):
    """Round the three vertices."""

    label: ClassVar[str] = "Triangle"

    kind: Literal["triangle"] = "triangle"
    sharpness: float = 0.5

    def build(self, plane: Plane) -> Fixed:
        return fixed(self.curve(plane), plane, True, self.radius, self.breaths)

    def curve(self, plane: Plane) -> Arcs:
        stops = plane.unit([0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0])
        ways = np.roll(stops[:-1], -1, axis=0) - np.roll(stops[:-1], 1, axis=0)
        headings = ways - (ways * stops[:-1]).sum(axis=1, keepdims=True) * stops[:-1]
        headings /= np.linalg.norm(headings, axis=1, keepdims=True)
        return biarcs(stops, np.concatenate([headings, headings[:1]]), np.ones(4), closed=True)


class Unlabelled(Triangle):
    """No name for people."""

    kind: Literal["unlabelled"] = "unlabelled"  # type: ignore[assignment]


class Demanding(Triangle):
    """Cannot stand on the control."""

    label: ClassVar[str] = "Demanding"

    kind: Literal["demanding"] = "demanding"  # type: ignore[assignment]
    needed: float


class Other(Triangle):
    """Of another kind than its entry point says."""

    label: ClassVar[str] = "Other"


class Unbuilt(FixedSpec):
    """Goes nowhere."""

    label: ClassVar[str] = "Unbuilt"

    kind: Literal["unbuilt"] = "unbuilt"


class NoSpec(BaseModel):
    """A model, but no walk."""


BROKEN = {
    "unlabelled": (Unlabelled, "Unlabelled has no label"),
    "demanding": (Demanding, "its keys needed have no default"),
    "other": (Other, "its kind is 'triangle' and its entry point 'other'"),
    "unbuilt": (Unbuilt, "Unbuilt has no method build(plane)"),
    "nospec": (NoSpec, "no subclass of walks.FixedSpec or walks.FreeSpec"),
}


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[type[walks.Spec]]:
    """A package with a walk that is sound and several that are not."""
    module(monkeypatch, "walks_of_others", Triangle=Triangle, **{name: kind for name, (kind, _) in BROKEN.items()})
    named = {"triangle": "walks_of_others:Triangle", "gone": "no_such_module:Gone"}
    named |= {name: f"walks_of_others:{name}" for name in BROKEN}
    made = package(tmp_path, "others", "0.1", "latentworld.walks", named)
    built_in = {kind: f"latentworld.walks.{kind}:{kind.capitalize()}" for kind in walks.BUILT_IN}
    registry = Registry("latentworld.walks", "kind of walk", built_in, catalogue.checked, entries(made))
    monkeypatch.setattr(catalogue, "REGISTRY", registry)
    return registry


@pytest.mark.usefixtures("added")
def test_a_preset_names_the_walk_of_another_package() -> None:
    journey = preset.parse({"walk": {"kind": "triangle", "radius": 1.5}}, ["walk.sharpness=0.25"])
    assert journey.walk == Triangle(radius=1.5, sharpness=0.25)
    assert preset.parse(tomllib.loads(preset.dump(journey))) == journey
    plane = Plane(np.random.default_rng(1).standard_normal((3, 4, 8, 8)))
    walk = walks.build(journey.walk, plane)
    assert walks.restore(walks.keep(walk.advance(3.0)), journey.walk, plane).arc == 3.0
    assert 'kind = "triangle"' in reference(walks.specs())


@pytest.mark.usefixtures("added")
def test_its_keys_are_checked_like_any() -> None:
    with pytest.raises(PresetError, match=r"unknown key 'walk.sharpnes': did you mean 'sharpness'"):
        preset.parse({"walk": {"kind": "triangle"}}, ["walk.sharpnes=0.25"])
    with pytest.raises(PresetError, match=r'walk.sharpness = "much": must be a valid number; the default is 0.5'):
        preset.parse({"walk": {"kind": "triangle"}}, ["walk.sharpness=much"])


@pytest.mark.usefixtures("added")
def test_the_control_offers_it_after_ours() -> None:
    choices = parameters.table(["embedded"])["walk.kind"].choices
    assert choices[: len(walks.BUILT_IN)] == walks.BUILT_IN
    assert "triangle" in choices[len(walks.BUILT_IN) :]


@pytest.mark.usefixtures("added")
def test_an_unknown_kind_says_which_there_are() -> None:
    with pytest.raises(PresetError, match=r"walk.kind = .triangel.: did you mean .triangle."):
        preset.parse({}, ["walk.kind=triangel"])
    with pytest.raises(PresetError, match=r"use one of .*orbit.*triangle"):
        preset.parse({}, ["walk.kind=xyzzy"])


@pytest.mark.parametrize("name", [*BROKEN, "gone"])
def test_a_broken_walk_is_one_line_and_the_others_work(added: Registry[type[walks.Spec]], name: str) -> None:
    reason = BROKEN[name][1] if name in BROKEN else "No module named 'no_such_module'"
    with pytest.raises(PresetError) as caught:
        preset.parse({}, [f"walk.kind={name}"])
    assert f"the kind of walk '{name}' of others 0.1" in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(PluginError):
        walks.spec_of(name)
    assert preset.parse({}, ["walk.kind=triangle"]).walk.kind == "triangle"
    assert {broken.name for broken in added.examine()} == {*BROKEN, "gone"}


def test_every_walk_has_a_label_and_is_a_file() -> None:
    assert [spec.label for spec in walks.specs().values()][:2] == ["Rift", "Wander"]
    for kind in walks.BUILT_IN:
        assert walks.spec_of(kind).__module__ == f"latentworld.walks.{kind}"
        assert walks.spec_of(kind).plain().kind == kind


class Empty(Triangle):
    """Builds nothing."""

    kind: Literal["empty"] = "empty"  # type: ignore[assignment]

    def build(self, plane: Plane) -> Fixed:
        return None  # type: ignore[return-value]


def test_what_is_built_and_is_no_walk_is_refused_by_its_kind() -> None:
    with pytest.raises(WalkRefused, match="'empty': an unknown package built None, which is no Fixed"):
        walks.build(Empty(), PLANE)
