"""What docs/extending.md shows works as it stands, and so does the package in examples/plugin."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plugins import entries, module, package

from installation.cli import added
from installation.stage.outputs import catalogue as outputs
from installation.stage.outputs.output import Settings
from latentworld import preset, registry, walks
from latentworld.atlas import merits
from latentworld.atlas.harvest import Finds, Scores
from latentworld.errors import PluginError
from latentworld.plane import Plane
from latentworld.registry import Registry
from latentworld.walks import catalogue

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "plugin"
PLANE = Plane(np.random.default_rng(1).standard_normal((3, 4, 8, 8)))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def installed(monkeypatch: pytest.MonkeyPatch, folder: Path, project: dict[str, Any]) -> None:
    """As if a package with these entry points lay beside ours."""
    made = [
        package(folder / group, project.get("name", "mine"), project.get("version", "1"), group, named)
        for group, named in project["entry-points"].items()
    ]
    found = entries(*made)
    monkeypatch.setattr(registry, "_installed", found)
    for room, group, noun in (
        (catalogue, "latentworld.walks", "kind of walk"),
        (outputs, "latentworld.outputs", "output"),
        (merits, "latentworld.merits", "merit"),
    ):
        there = room.REGISTRY
        made_anew = Registry(group, noun, there._built_in, room.checked, found, there._reserved)
        monkeypatch.setattr(room, "REGISTRY", made_anew)


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The page's blocks as one module, and its entry points."""
    made = module(monkeypatch, "mine")
    for block in blocks("python"):
        exec(compile(f"from __future__ import annotations\n{block}", "docs/extending.md", "exec"), vars(made))
    project = tomllib.loads(blocks("toml")[0])["project"]
    project["entry-points"]["latentworld.walks"]["sway"] = "mine:Sway"
    installed(monkeypatch, tmp_path / "installed", project)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The example, as its own pyproject.toml names it."""
    monkeypatch.syspath_prepend(EXAMPLE / "src")
    installed(monkeypatch, tmp_path / "installed", tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"])


@pytest.mark.usefixtures("mine")
def test_the_pages_walks_are_walked() -> None:
    circle = preset.parse({"walk": {"kind": "meridian", "heading": 0.0}}).walk
    walk = walks.build(circle, PLANE)
    assert walk.length == pytest.approx(2 * np.pi * PLANE.target)
    np.testing.assert_allclose(walk.ahead(walk.length)[0], walk.ahead(0.0)[0], atol=1e-9)
    sway = walks.build(walks.spec_of("sway").plain(), PLANE)
    assert sway.advance(5.0).arc == 5.0


@pytest.mark.usefixtures("mine")
def test_the_pages_output_is_sent_to(tmp_path: Path) -> None:
    target = f"mean:{tmp_path / 'colours.txt'}"
    outputs.check([target], open_doors=False)
    with outputs.output(target, Settings(30.0, 0)) as output:
        output.send(np.full((4, 6, 3), (10, 20, 30), np.uint8), 7)
    assert (tmp_path / "colours.txt").read_text() == "7 10.0 20.0 30.0\n"


@pytest.mark.usefixtures("mine")
def test_the_pages_command_runs(run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("greet", "you")
    assert (code, out) == (0, f"hello you: there are {len(preset.names())} presets\n")


@pytest.mark.usefixtures("example")
@pytest.mark.parametrize("petals", [3, 4])
def test_the_examples_rose_is_closed_even_and_has_its_petals(petals: int) -> None:
    spec = preset.parse({"walk": {"kind": "rose", "petals": petals, "reach": 30.0}}).walk
    walk = walks.build(spec, PLANE)
    assert walk.length is not None
    unit, _ = walk.ahead(np.linspace(0.0, walk.length, 4001))
    chords = np.linalg.norm(np.diff(unit, axis=0), axis=1)
    assert chords.max() / chords.min() < 1.001
    np.testing.assert_allclose(unit[0], unit[-1], atol=1e-9)
    away = np.arccos(np.clip(unit[:-1] @ PLANE.unit(1 / 3, 1 / 3), -1.0, 1.0))
    tips = (away > np.roll(away, 1)) & (away >= np.roll(away, -1))
    assert tips.sum() == (petals if petals % 2 else 2 * petals)
    assert away.max() == pytest.approx(np.radians(30.0), abs=1e-4)


@pytest.mark.usefixtures("example")
def test_the_examples_stills_are_kept_once_a_second(tmp_path: Path) -> None:
    with outputs.output(f"stills:{tmp_path / 'kept'}", Settings(10.0, 0)) as output:
        for slot in (0, 1, 9, 12, 13, 30):
            output.send(np.full((8, 8, 3), slot, np.uint8), slot)
    assert [path.name for path in sorted((tmp_path / "kept").iterdir())] == [
        "000000000.png", "000000012.png", "000000030.png"
    ]  # fmt: skip


@pytest.mark.usefixtures("mine", "example")
def test_the_merits_rank_a_harvest(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = ["--size", "6x6", "--thumb", "32", "--no-plots", "--phases", "3"]
    for setting in ("decoder.kind=analytic", "decoder.width=64", "decoder.height=64", "analytic.modes=6"):
        small += ["--set", setting]
    assert run("atlas", "survey", "neutral", "-o", tmp_path / "atlas", *small)[0] == 0
    out = tmp_path / "warm"
    code, _, err = run("harvest", tmp_path / "atlas", "-n", 6, "-o", out, "--by", "warmth=1")
    assert code == 0, err
    finds = json.loads((out / "harvest.json").read_text())["finds"]
    worth = [find["further"]["warmth"] for find in finds]
    assert all(0.0 <= each <= 1.0 for each in worth)
    assert finds[0]["soundness"] < 1.0 or worth[0] == max(worth)
    assert '"warmth"' in (out / "harvest.html").read_text()
    code, _, err = run("harvest", tmp_path / "atlas", "-o", tmp_path / "cold", "--by", "cold=1")
    assert (code, err.count("\n")) == (1, 1)
    assert "to ambiguity, novelty, emergence, warmth, as" in err


def test_a_merit_gives_a_finite_number_to_each_find(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = module(monkeypatch, "mine")
    made.few = lambda finds, judge: [1.0]
    installed(monkeypatch, tmp_path, {"entry-points": {"latentworld.merits": {"few": "mine:few", "third": "mine:few"}}})
    none, two = np.zeros(2), np.zeros((2, 2), np.int64)
    finds = Finds(np.zeros((2, 3)), np.zeros((2, 4)), np.zeros((2, 8, 8, 3), np.uint8), two, none)
    scores = Scores(none, none, none, two[0], none)
    with pytest.raises(PluginError, match="the merit 'few' gave no finite number to each of 2 finds"):
        merits.judged(scores, finds, None, {"novelty": 1.0, "few": 1.0})  # type: ignore[arg-type]
    assert merits.REGISTRY.names() == ("few",)  # ours are not taken
    assert merits.judged(scores, finds, None, {"novelty": 1.0}) is scores  # type: ignore[arg-type]


@pytest.mark.usefixtures("example")
def test_the_examples_postcard_has_a_margin(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from PIL import Image

    assert "latentworld_roses.postcard" not in sys.modules
    code, out, err = run("postcard", "analytic", "-o", tmp_path / "card.png")
    assert (code, out) == (0, f"{tmp_path / 'card.png'}\n"), err
    card = Image.open(tmp_path / "card.png")
    assert card.height > card.width
    assert card.getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.usefixtures("example")
def test_nothing_of_the_example_is_broken() -> None:
    commands = added.registry(())
    assert [part.name for part in commands.added()] == ["postcard"]
    assert [found.examine() for found in (catalogue.REGISTRY, outputs.REGISTRY, commands)] == [[], [], []]
