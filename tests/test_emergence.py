"""What appears between phases: on the analytic world every third mode of a rift is found, and none is invented."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from standins import surveys

from installation.atlas import emergences
from installation.atlas.survey_folder import SurveyFolder
from latentworld import globe
from latentworld.arrays import Array
from latentworld.atlas import emergence, field, mesh
from latentworld.atlas.sampling import Globe
from latentworld.atlas.types import Atlas, Phases
from latentworld.decoding.analytic import AnalyticDecoder, analytic, lattice_modes
from latentworld.errors import AtlasError, AtlasMismatch

APART = 0.07  # radians between neighbours of a planted triple
FINE = 256  # places of an edge at which the truth is asked


def planted(seed: int, count: int = 60) -> Array:
    """Modes [count + 2, 3]: in the place of the first, three in a row, 0 and 2 with 1 between them.

    Each mode's basin is as large as any other, but that of 1 is long and narrow: some edges of a survey leap over it.
    """
    modes = lattice_modes(count, seed)
    aside = globe.project(modes[0], np.random.default_rng(seed).normal(size=3))
    row = [globe.step(modes[0], aside, turn)[0] for turn in (-APART, 0.0, APART)]
    return np.concatenate([row, modes[1:]])


def world(seed: int) -> AnalyticDecoder:
    return analytic(surveys.PLANE, planted(seed), 0.02, steps=12, size=(2, 2), batch=1024)


def telling(decoder: AnalyticDecoder) -> emergence.Classify:
    def classify(seen: Array) -> Array:
        away = np.linalg.norm(np.asarray(seen, np.float64)[:, None] - decoder.mixture.modes[None], axis=2)
        likely = np.exp(-((away / 0.05) ** 2) + (away.min(axis=1, keepdims=True) / 0.05) ** 2)
        return np.asarray(likely / likely.sum(axis=1, keepdims=True))

    return classify


def surveyed(decoder: AnalyticDecoder) -> tuple[Atlas, mesh.Mesh, Phases]:
    atlas = surveys.survey(Globe(nside=4), surveys.looked(decoder))
    share = telling(decoder)(atlas.features)
    names = tuple(f"mode {k}" for k in range(share.shape[1]))
    return atlas, mesh.mesh(atlas), Phases(names, share.argmax(axis=1).astype(np.int64), share.max(axis=1))


def truth(decoder: AnalyticDecoder, rift: emergence.Rift, unit: Array) -> set[int]:
    """Third modes that lie on a rift's edges for two of FINE places or more."""
    one, other = unit[rift.edges[:, 0]], unit[rift.edges[:, 1]]
    share = np.linspace(0.0, 1.0, FINE)
    turned = globe.step(one[:, None], globe.tangent(one, other)[:, None], share * globe.angle(one, other)[:, None])[0]
    basin = decoder.basin(turned.reshape(-1, 3)).reshape(len(one), FINE)
    third = {int(k) for row in basin for k, n in zip(*np.unique(row, return_counts=True)) if n >= 4}
    return third - set(rift.between)


@pytest.mark.parametrize("seed", [0, 2, 3])  # whose survey leaps over the planted one
def test_every_planted_mode_is_found_and_none_is_invented(seed: int) -> None:
    decoder = world(seed)
    atlas, net, found = surveyed(decoder)
    rifts = emergence.rifts(net, found, field.rates(atlas, net))
    told = emergence.report(atlas, rifts, surveys.looked(decoder), telling(decoder), each=10_000, looks=6, probes=31)
    seen = {number: {band.third for band in told.bands if band.rift == number} for number in range(len(rifts))}
    for number, rift in enumerate(rifts):
        assert truth(decoder, rift, atlas.unit) <= seen[number]
    assert any(1 in thirds and rifts[number].between == (0, 2) for number, thirds in seen.items())
    units = np.array([band.unit for band in told.bands])
    assert (decoder.basin(units) == [band.third for band in told.bands]).all()
    for band in told.bands:
        assert 0 < band.begin < band.end < 1
        assert band.share > 0.3
        assert band.rate > 0


def test_a_band_is_as_wide_as_it_is() -> None:
    decoder = world(0)
    atlas, net, found = surveyed(decoder)
    rifts = emergence.rifts(net, found, field.rates(atlas, net))
    told = emergence.report(atlas, rifts, surveys.looked(decoder), telling(decoder), each=10_000, looks=10)
    between = [band for band in told.bands if band.third == 1 and rifts[band.rift].between == (0, 2)]
    edges = np.concatenate([emergence.spread(atlas, rift, 10_000) for rift in rifts])
    starts = np.cumsum(told.walked) - told.walked
    for band in between:
        one, other = atlas.unit[edges[starts[band.rift] + band.edge]]
        share = np.linspace(0.0, 1.0, 2001)
        way = globe.step(one, globe.tangent(one, other), share * globe.angle(one, other))[0]
        inside = share[decoder.basin(way) == 1]
        assert band.begin == pytest.approx(inside.min(), abs=2e-3)
        assert band.end == pytest.approx(inside.max(), abs=2e-3)
        latents = (band.end - band.begin) * float(globe.angle(one, other)) * atlas.plane.target
        assert band.width == pytest.approx(latents)


def test_rifts_are_between_two_phases_and_in_one_piece() -> None:
    decoder = world(1)
    atlas, net, found = surveyed(decoder)
    rifts = emergence.rifts(net, found, field.rates(atlas, net))
    mixed = found.label[net.edges[:, 0]] != found.label[net.edges[:, 1]]
    assert sum(len(rift.edges) for rift in rifts) == mixed.sum()
    for rift in rifts:
        assert (found.label[rift.edges] == rift.between).all()
        chosen = emergence.spread(atlas, rift, 5)
        assert len(chosen) == min(5, len(rift.edges))
    weights = [rift.strength * len(rift.edges) for rift in rifts]
    assert weights == sorted(weights, reverse=True)


def test_clusters_are_told_apart_by_what_is_nearest() -> None:
    decoder = world(2)
    atlas, _, found = surveyed(decoder)
    share = emergence.nearest(atlas, found)(atlas.features)
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    assert (share.argmax(axis=1) == found.label).mean() > 0.97


def test_an_atlas_without_rifts_is_refused() -> None:
    decoder = world(0)
    atlas, net, found = surveyed(decoder)
    with pytest.raises(AtlasError, match="no rift between phases"):
        emergence.rifts(net, replace(found, label=np.zeros(len(atlas), np.int64)), np.ones(len(atlas)))


def test_on_the_command_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The analytic world: a table, a figure, pictures; words that its eye does not know are refused."""
    small = ["--globe", "4", "--thumb", "16", "--no-plots", "--phases", "6"]
    for setting in ("decoder.kind=analytic", "decoder.width=32", "decoder.height=32", "analytic.modes=6"):
        small += ["--set", setting]
    assert run("atlas", "survey", "neutral", "-o", tmp_path / "atlas", *small)[0] == 0
    out = tmp_path / "told"
    code, said, err = run("atlas", "emergence", tmp_path / "atlas", "-o", out)
    assert code == 0, err
    told = json.loads((out / "emergence.json").read_text())
    rows = list(csv.DictReader((out / "emergence.csv").read_text().splitlines()))
    assert len(rows) == len(told["emergent"]) > 0
    assert f"{told['rifts']} rifts" in said
    assert len(list(out.glob("0*.png"))) == len(rows)
    with Image.open(out / "emergence.png") as figure:
        assert figure.width > 900
    bad = {
        "two": (["--words", "a,b"], "needs three"),
        "unknown": (["--words", "a cat,a sea,a moon"], "knows no words"),
        "twice": (["--words", "a,b,a"], "named twice"),
    }
    for name, (options, words) in bad.items():
        code, _, err = run("atlas", "emergence", tmp_path / "atlas", "-o", tmp_path / name, *options)
        assert (code, err.count("\n")) == (1, 1)
        assert words in err


def test_a_report_that_was_killed_goes_on(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The same files as of one that was not, and nothing is looked at twice."""
    small = ["--globe", "4", "--thumb", "16", "--no-plots", "--phases", "6"]
    for setting in ("decoder.kind=analytic", "decoder.width=32", "decoder.height=32", "analytic.modes=6"):
        small += ["--set", setting]
    assert run("atlas", "survey", "neutral", "-o", tmp_path / "atlas", *small)[0] == 0
    atlas = SurveyFolder.at(tmp_path / "atlas")

    def killed(what: str, done: int, total: int) -> None:
        assert what == "crossing the rifts"
        assert done <= total
        if done >= 100:
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        emergences.make(atlas, tmp_path / "stopped", on_look=killed)
    kept = list((tmp_path / "stopped" / "unfinished").glob("*.npz"))
    assert kept
    with pytest.raises(AtlasMismatch, match="another work was stopped"):
        emergences.make(atlas, tmp_path / "stopped", each=3)
    was = {file: file.stat().st_mtime_ns for file in kept}
    seen: list[int] = []

    def looked(what: str, done: int, total: int) -> None:
        if not seen:
            assert {file: file.stat().st_mtime_ns for file in kept} == was
        seen.append(done)

    emergences.make(atlas, tmp_path / "stopped", on_look=looked)
    emergences.make(atlas, tmp_path / "whole")
    files = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert sorted(path.name for path in (tmp_path / "stopped").iterdir()) == files
    for name in files:
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_figure_shows_both_sides_and_what_lies_between() -> None:
    row = emergences.Row(1, "cat | mountain", "car", 12, 4, 0.4, 0.6, 2.0, 0.7, 0.1, 0.2, True, "--alpha 0.1")
    thumbs = np.random.default_rng(0).integers(0, 255, (9, 8, 8, 3)).astype(np.uint8)
    shares = np.linspace(0, 1, 9)[:, None] * np.ones(3) / 3
    made = emergences.drawn("test", [(row, thumbs, shares, np.linspace(0, 2, 9))], ("cat", "mountain", "car"))
    assert made.shape[1] > 900
    assert made.std() > 5
    assert emergences.table([row]).splitlines()[0].startswith("rift,between,third")
