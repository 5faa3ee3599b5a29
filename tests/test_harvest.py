"""A harvest: rifts are bisected, finds ranked by what is new about them, no two alike; all of it in files."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from installation.atlas import harvests, on_the_way, unfinished, weights
from installation.atlas.survey_folder import SurveyFolder
from latentworld import globe, preset
from latentworld.arrays import Array
from latentworld.atlas import harvest, mesh, phases, reader
from latentworld.atlas.harvest import Finds, Judge
from latentworld.atlas.types import Atlas, Phases, Rendered
from latentworld.errors import AtlasBusy, AtlasError, AtlasMismatch, OutputExists

CENTRES = globe.normalise(np.array([[1.0, 0.2, 0.1], [-0.3, 1.0, 0.2], [-0.2, -0.5, 1.0]]))
CAR = np.array([0.0, 0.0, 0.0, 1.0])  # what neither side has


def world(unit: Array, radius: Array) -> Rendered:
    """Three phases about three places, and, half-way between the first two, a fourth thing in a narrow band."""
    near = globe.angle(unit[:, None], CENTRES[None])
    share = np.exp(-((near / 0.12) ** 2) + (near.min(axis=1, keepdims=True) / 0.12) ** 2)
    share /= share.sum(axis=1, keepdims=True)
    band = np.exp(-(((near[:, 0] - near[:, 1]) / 0.05) ** 2)) * (near[:, 2] > np.minimum(near[:, 0], near[:, 1]))
    features = np.concatenate([share * (1 - band[:, None]), band[:, None]], axis=1)
    light = np.random.default_rng(0).integers(0, 255, (1, 8, 8, 3))
    return Rendered(features.astype(np.float32), np.repeat(light, len(unit), axis=0).astype(np.uint8))


@pytest.fixture(scope="module")
def land(undisturbed: Path) -> Atlas:
    """400 places all over the globe."""
    found = reader.read(undisturbed)
    unit = globe.normalise(np.random.default_rng(1).normal(size=(400, 3)))
    seen, whole = world(unit, np.ones(400)), np.arange(400)
    return replace(
        found, unit=unit, features=seen.features, thumbs=seen.thumbs, lattice=np.stack([whole, whole], axis=1),
        level=np.zeros(400, np.int64), radius=1.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def net(land: Atlas) -> mesh.Mesh:
    from scipy.spatial import ConvexHull

    triangles = np.sort(ConvexHull(land.unit).simplices, axis=1).astype(np.int64)
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]])
    return mesh.Mesh(triangles, np.unique(pairs, axis=0))


def labelled(land: Atlas) -> Phases:
    return Phases(
        ("one", "two", "three", "car"), land.features.argmax(axis=1).astype(np.int64),
        np.sort(land.features, axis=1)[:, -1].astype(np.float64),
    )  # fmt: skip


def test_bisection_closes_in_on_the_rift(land: Atlas, net: mesh.Mesh) -> None:
    found = labelled(land)
    edges = harvest.rifts(net, found, np.ones(len(land)), 30)
    seen = harvest.across(land, found, edges, world, looks=5)
    assert len(seen) == 5 * len(edges)
    apart = globe.angle(land.unit[edges[:, 0]], land.unit[edges[:, 1]])
    first, last = seen.unit[: len(edges)], seen.unit[-len(edges) :]
    assert (globe.angle(first, land.unit[edges[:, 0]]) <= apart).all()
    assert (globe.angle(last, seen.unit[-2 * len(edges) : -len(edges)]) <= apart / 2**4).all()
    assert set(map(tuple, np.sort(found.label[edges], axis=1).tolist())) == set(map(tuple, seen.between.tolist()))


def test_what_neither_side_has_emerges_and_is_named(land: Atlas, net: mesh.Mesh) -> None:
    found = labelled(land)
    edges = harvest.rifts(net, found, np.ones(len(land)), 200)
    both = np.sort(found.label[edges], axis=1)
    edges = edges[(both == [0, 1]).all(axis=1)]
    assert len(edges)  # between one and two, where nobody saw the car
    seen = harvest.across(land, found, edges, world)
    scores = Judge(land, found)(seen, land, edges)
    best = int(scores.emergence.argmax())
    assert scores.emergence[best] > 0.5
    assert found.names[int(scores.third[best])] == "car"
    invented = (scores.third == 3) & (seen.features[:, 3] < 0.01)
    assert scores.emergence[invented].max(initial=0.0) < 0.1


def test_edges_are_spread_before_they_meet_again(land: Atlas, net: mesh.Mesh) -> None:
    edges = harvest.rifts(net, labelled(land), np.ones(len(land)), 10)
    assert len(np.unique(edges)) == 20


def test_no_two_of_a_harvest_are_alike() -> None:
    draw = np.random.default_rng(2)
    features = np.repeat(draw.normal(size=(6, 5)), 10, axis=0) + 0.01 * draw.normal(size=(60, 5))
    chosen = harvest.various(draw.uniform(1, 2, 60), features, 48)
    assert 2 <= len(chosen) <= 6  # of six pictures
    assert len(np.unique(chosen // 10)) == len(chosen)
    assert len(harvest.various(np.zeros(0), np.zeros((0, 5)), 3)) == 0


def test_flat_and_noisy_pictures_are_worth_less(land: Atlas) -> None:
    judge = Judge(land, labelled(land))
    own = np.asarray(land.thumbs[:1])
    noise = np.random.default_rng(3).choice([0, 255], own.shape).astype(np.uint8)
    made = judge.soundness(np.concatenate([own, np.full_like(own, 128), noise]))
    assert made[0] == pytest.approx(1.0)
    assert made[1] < 1e-6
    assert made[2] < 0.9


def test_weights_are_an_artists_to_set(land: Atlas, net: mesh.Mesh) -> None:
    found = labelled(land)
    edges = harvest.rifts(net, found, np.ones(len(land)), 40)
    seen: Finds = harvest.across(land, found, edges, world)
    scores = Judge(land, found)(seen, land, edges)
    for name in harvest.WEIGHTS:
        total = scores.total({name: 1.0})
        assert scores.part(name)[total.argmax()] == scores.part(name).max()
    with pytest.raises(AtlasError, match="nothing is ranked by 'beauty'"):
        scores.total({"beauty": 1.0})


@pytest.mark.parametrize("text", ["beauty=1", "novelty=much", "novelty=nan", "novelty=0", "", "novelty"])
def test_weights_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(AtlasError, match=r"--by .*: give numbers"):
        weights.read(text, harvest.WEIGHTS)


def test_an_atlas_without_rifts_is_refused(land: Atlas, net: mesh.Mesh) -> None:
    same = replace(labelled(land), label=np.zeros(len(land), np.int64))
    with pytest.raises(AtlasError, match="no rift between phases"):
        harvest.rifts(net, same, np.ones(len(land)), 5)


def test_a_part_that_hardly_varies_outweighs_nothing() -> None:
    many = np.linspace(0.0, 1.0, 50)
    scores = harvest.Scores(many, np.full(50, 2.0), 1e-10 * many[::-1], np.zeros(50, np.int64), np.ones(50))
    assert scores.total().argmax() == 49
    assert scores.total().max() < 10


def test_on_the_command_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = ["--size", "6x6", "--thumb", "32", "--no-plots", "--phases", "3"]
    for setting in ("decoder.kind=analytic", "decoder.width=64", "decoder.height=64", "analytic.modes=6"):
        small += ["--set", setting]
    assert run("atlas", "survey", "neutral", "-o", tmp_path / "atlas", *small)[0] == 0
    out = tmp_path / "harvest"
    code, said, err = run("harvest", tmp_path / "atlas", "-n", "100", "-o", out)
    assert code == 0, err
    table = json.loads((out / "harvest.json").read_text())
    finds = table["finds"]
    assert 2 <= len(finds) < 100
    assert f"{len(finds)} pictures (of 100 asked for)" in said
    for find in finds:
        with Image.open(out / find["file"]) as picture:
            assert picture.size == (256, 256)  # by film.scale, as frames are
            assert "latentworld" in picture.info
    page = (out / "harvest.html").read_text()
    assert "{{" not in page.split("<script>")[0]
    assert all(find["file"] in page for find in finds)
    assert len(preset.load(out / "harvest.toml").walk.points) == len(finds)  # type: ignore[union-attr]
    code, _, err = run("harvest", tmp_path / "atlas", "-o", out)
    assert (code, err.count("\n")) == (1, 1)
    assert "not an empty folder" in err
    code, _, err = run("harvest", tmp_path / "atlas", "-o", out / "sheet.png")
    assert (code, err.count("\n")) == (1, 1)
    code, _, err = run("harvest", tmp_path / "atlas", "-o", tmp_path / "other", "--set", "plane.seeds=[1,2,3]")
    assert (code, err.count("\n")) == (1, 1)
    assert "is a survey of elsewhere (plane" in err


def test_phases_of_the_surveyor_are_used(undisturbed: Path) -> None:
    found = reader.read(undisturbed)
    assert len(phases.by_clusters(found, 2).names) == 2


SMALL = ["decoder.kind=analytic", "decoder.width=32", "decoder.height=32", "analytic.modes=6", "decoder.steps=10"]


class Stopped(Exception):
    """Somebody stops it."""


@pytest.fixture(scope="module")
def surveyed(tmp_path_factory: pytest.TempPathFactory) -> SurveyFolder:
    """A small globe of the analytic world, made on the way from a preset."""
    folder = tmp_path_factory.mktemp("way")
    return on_the_way.given("neutral", folder, SMALL, nside=4)


def test_a_harvest_that_was_stopped_goes_on_and_is_the_same(surveyed: SurveyFolder, tmp_path: Path) -> None:
    whole = harvests.make(surveyed, 12, tmp_path / "whole", harvest.WEIGHTS)
    stages: list[str] = []

    def stop_at(what: str, after: int) -> harvests.OnLook:
        def look(now: str, done: int, total: int) -> None:
            stages.append(now)
            assert 0 < done <= total
            if now == what and done > after:
                raise Stopped

        return look

    for what, after in (("looking between the phases", 40), ("decoding what was chosen", 3)):
        with pytest.raises(Stopped):
            harvests.make(surveyed, 12, tmp_path / "parts", harvest.WEIGHTS, on_look=stop_at(what, after))
        assert (tmp_path / "parts/unfinished").is_dir()
    with pytest.raises(AtlasMismatch, match="another work was stopped"):
        harvests.make(surveyed, 13, tmp_path / "parts", harvest.WEIGHTS)
    parts = harvests.make(surveyed, 12, tmp_path / "parts", harvest.WEIGHTS)
    assert parts.finds == whole.finds
    assert not (tmp_path / "parts/unfinished").exists()
    for name in ("harvest.json", "harvest.toml", "001.png", "sheet.png"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_what_was_seen_is_looked_at_once(tmp_path: Path) -> None:
    asked: list[int] = []

    def looked(unit: Array, radius: Array) -> Rendered:
        asked.append(len(unit))
        return world(unit, radius)

    unit = globe.normalise(np.random.default_rng(0).normal(size=(50, 3)))
    for turn in range(2):
        with suppress(Stopped), unfinished.begun(tmp_path / "work", {"a": 1}) as work:
            render = work.render(looked, "looking", 100)
            first, second = render(unit, np.ones(50)), render(-unit, np.ones(50))
            np.testing.assert_array_equal(first.features, world(unit, np.ones(50)).features)
            np.testing.assert_array_equal(second.features, world(-unit, np.ones(50)).features)
            assert sum(asked) == 100, turn
            with pytest.raises(AtlasBusy, match="another process is at work"), unfinished.begun(tmp_path / "work", {}):
                pass
            raise Stopped
    with unfinished.begun(tmp_path / "work", {"a": 1}) as work:
        # other places: kept pictures are not theirs
        work.render(looked, "looking", 100)(unit[::-1].copy(), np.ones(50))
    assert sum(asked) == 150
    assert list((tmp_path / "work").iterdir()) == []
    (tmp_path / "other").mkdir()
    (tmp_path / "other/film.mp4").write_bytes(b"")
    with pytest.raises(OutputExists), unfinished.begun(tmp_path / "other", {}):
        pass


@pytest.mark.parametrize("count", [2, 3, 4])
def test_finds_that_lie_opposite_are_visited_by_a_third_place(count: int, land: Atlas) -> None:
    stops = np.array([[0.6, 0.0, 0.8], [-0.6, 0.0, -0.8], [0.0, 0.8, 0.6], [0.0, -0.8, -0.6]])[:count]
    led = harvests._led_round(stops)
    assert (globe.angle(led, np.roll(led, -1, axis=0)) < 3.0).all()
    assert (globe.angle(led, np.roll(led, -1, axis=0)) > 0.1).all()
    np.testing.assert_array_equal(led[[row for row in range(len(led)) if any((led[row] == stops).all(axis=1))]], stops)
    near = globe.normalise(np.array([[0.6, 0.0, 0.8], [0.5, 0.1, 0.8], [0.1, 0.9, 0.2]]))
    np.testing.assert_array_equal(harvests._led_round(near), near)


def test_a_harvests_picture_is_made_again_as_it_is(surveyed: SurveyFolder, tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    """Enlarged as the film is."""
    harvests.make(surveyed, 2, tmp_path / "out", harvest.WEIGHTS)
    code, _, err = run("still", tmp_path / "out/001.png", "-o", tmp_path / "again.png")
    assert (code, err) == (0, "")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out/001.png").read_bytes()


def test_a_preset_is_surveyed_on_the_way(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = [part for setting in SMALL for part in ("--set", setting)]
    out = tmp_path / "out"
    code, _, err = run("harvest", "neutral", "-n", "4", "--globe", "4", "-o", out, *small)
    assert code == 0, err
    assert len(reader.read(out / "atlas/atlas.zarr")) == 12 * 4**2
    assert len(json.loads((out / "harvest.json").read_text())["finds"]) <= 4
    code, _, err = run("harvest", "neutral", "-n", "4", "--globe", "4", "-o", out, *small)
    assert (code, err.count("\n")) == (1, 1)
    assert "not an empty folder" in err
    code, _, err = run("harvest", "no-such-preset", "-o", tmp_path / "x")
    assert (code, err.count("\n")) == (1, 1)
    assert "no folder of an atlas, and no preset" in err


def test_an_unfinished_survey_is_told_and_gone_on_with(surveyed: SurveyFolder, tmp_path: Path) -> None:
    assert on_the_way.unfinished(surveyed) == ""

    def stop(what: str, done: int, total: int) -> None:
        if done > 40:
            raise Stopped

    with pytest.raises(Stopped):
        on_the_way.given("neutral", tmp_path, SMALL, stop, nside=4)
    assert "not complete" in on_the_way.unfinished(SurveyFolder(tmp_path / "atlas"))
    assert on_the_way.unfinished(on_the_way.given("neutral", tmp_path, SMALL, nside=4)) == ""
