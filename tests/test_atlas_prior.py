"""An atlas as the pilot's eyes: what it reads between places, where it is silent, and how it blends with the scout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from standins import surveys

from installation import rig
from installation.studio import lookout as looking
from latentworld import globe
from latentworld.atlas import mesh, settings, store
from latentworld.atlas.prior import Prior, blended, lookout
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.survey import in_memory
from latentworld.atlas.types import Atlas, Mesh, Rendered
from latentworld.decoding.analytic import SHELL, analytic
from latentworld.errors import AtlasError, WorldMismatch
from latentworld.pacing import PacingSpec
from latentworld.pilot import Pilot, PilotSpec
from latentworld.plane import Plane
from latentworld.preset import Preset, load, parse
from latentworld.walks import Free

PLANE = Plane(np.random.default_rng(3).normal(size=(3, 4, 16, 16)))
WORLD = analytic(PLANE, 6, sigma=0.1, steps=20, size=(4, 4))
SAMPLINGS = {
    "globe": Globe(nside=24),
    "window": Window(rows=24, columns=31),
    "adaptive": Adaptive(rows=33, columns=33, coarse=4, budget=0.4),
}
every = pytest.mark.parametrize("kind", list(SAMPLINGS))


def truth(units: np.ndarray, radii: np.ndarray) -> torch.Tensor:
    """What the scout would see."""
    return torch.from_numpy(WORLD.mixture.flow(units * radii[:, None] * SHELL).astype(np.float32))


def render(units: np.ndarray, radii: np.ndarray) -> Rendered:
    return Rendered(truth(units, radii).numpy(), np.zeros((len(units), 1, 1, 3), np.uint8))


@cache
def prior(kind: str) -> Prior:
    atlas = in_memory(SAMPLINGS[kind], PLANE, render)
    return lookout(atlas, mesh.mesh(atlas))


def inside(count: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Places of the window, and radii."""
    random = np.random.default_rng(seed)
    return PLANE.unit(random.uniform(0, 1, count), random.uniform(0, 1, count)), np.ones(count)


class Asked:
    """A scout that remembers what it was asked."""

    def __init__(self) -> None:
        self.units = np.empty((0, 3))

    def __call__(self, units: np.ndarray, radii: np.ndarray) -> torch.Tensor:
        self.units = np.concatenate([self.units, units])
        return torch.full((len(units), 3), 7.0)


@every
def test_places_of_the_map_are_read_as_they_were_seen(kind: str) -> None:
    atlas = prior(kind).atlas
    seen = prior(kind)(atlas.unit, np.ones(len(atlas)))
    assert seen.dtype == torch.float32
    np.testing.assert_allclose(seen.numpy(), atlas.features, atol=1e-5)


@every
def test_between_places_it_is_linear_and_never_nan(kind: str) -> None:
    units, radii = inside(2000)
    units = globe.normalise(np.random.default_rng(0).normal(size=(2000, 3))) if kind == "globe" else units
    assert prior(kind).covers(units, radii).all()
    atlas = prior(kind).atlas
    # features that are linear on the lattice (a window) or in the tangent plane (a triangle of the globe) are exact
    linear = atlas.unit if kind == "globe" else atlas.coordinates
    read = Prior(Atlas(PLANE, atlas.sampling, atlas.unit, linear.astype(np.float32), atlas.thumbs, atlas.lattice,
                       atlas.level), prior(kind).mesh)(units, radii).numpy()  # fmt: skip
    if kind == "globe":
        assert globe.angle(globe.normalise(read), units).max() < 1e-6
    else:
        np.testing.assert_allclose(read, np.stack(PLANE.chart(units)[:2], axis=1), atol=1e-6)
    assert np.isfinite(prior(kind)(units, radii).numpy()).all()


def test_it_says_where_it_is_silent() -> None:
    within, _ = inside(3)
    for units, radii in ((PLANE.unit([1.2], [0.5]), [1.0]), (-within[:1], [1.0]), (within[:1], [1.2])):
        assert not prior("window").covers(units, np.array(radii)).any()
        with pytest.raises(AtlasError, match="does not cover alpha"):
            prior("window")(units, np.array(radii))
    assert prior("globe").covers(-within, np.ones(3)).all()
    assert not prior("globe").covers(within, np.full(3, 1.2)).any()
    whole = prior("window").atlas
    gap = np.abs(whole.lattice - 12).max(axis=1) > 4
    part = surveys.part(whole, gap)
    torn = lookout(part, mesh.mesh(part))
    middle = whole.sampling.coordinates([[12, 12], [2, 2]])  # type: ignore[union-attr]
    assert torn.covers(PLANE.unit(*middle.T), np.ones(2)).tolist() == [False, True]
    with pytest.raises(AtlasError, match="survey on"):
        lookout(whole, Mesh(np.empty((0, 3), np.int64), np.array([[0, 1]])))


def test_a_blend_asks_the_scout_only_where_it_must() -> None:
    units = PLANE.unit([0.5, 0.2, 1.4], [0.5, 0.7, 0.5])
    scout = Asked()
    seen = blended(prior("window"), scout, 1.0)(units, np.ones(3)).numpy()
    np.testing.assert_array_equal(scout.units, units[2:])
    np.testing.assert_array_equal(seen[:2], prior("window")(units[:2], np.ones(2)).numpy())
    np.testing.assert_array_equal(seen[2], [7.0] * 3)
    mixed = blended(prior("window"), Asked(), 0.25)(units, np.ones(3)).numpy()
    np.testing.assert_allclose(mixed[:2], 0.25 * seen[:2] + 0.75 * 7.0, rtol=1e-6)
    assert blended(prior("window"), scout, 0.0) is scout
    for weight in (-0.1, 1.1, float("nan")):
        with pytest.raises(AtlasError, match="prior"):
            blended(prior("window"), scout, weight)


def test_a_blend_is_continuous_at_the_windows_edge() -> None:
    across = PLANE.unit(np.linspace(0.9, 1.1, 4001), 0.5)
    seen = blended(prior("window"), Asked(), 1.0)(across, np.ones(4001)).numpy()
    apart = np.linalg.norm(seen[-1] - seen[0])
    assert np.linalg.norm(np.diff(seen, axis=0), axis=1).max() < 0.01 * apart


def ridden(see: object, starts: int = 4) -> tuple[float, int]:
    """Share of frames in the top decile of the true rate, second half of each ride; and how often `see` was asked."""
    survey = WORLD.true_rate(globe.normalise(np.random.default_rng(9).normal(size=(4000, 3))))
    late, steady = [], PacingSpec(kind="latent", speed=4.0)
    for seed in range(starts):
        random = np.random.default_rng(seed)
        unit = globe.normalise(random.normal(size=3))
        walk = Free(unit, globe.project(unit, random.normal(size=3)), PLANE.target, ease=115.0)
        pilot = Pilot(PilotSpec(mode="ride"), steady, PLANE, see, see)  # type: ignore[arg-type]
        for tick in range(40):
            steering = pilot(walk, None, None, 8)
            if tick >= 20:
                late.append(walk.ahead(steering.strides, steering.curvature)[0])
            walk = walk.advance(float(steering.strides[-1]), steering.curvature)
    return float((WORLD.true_rate(np.concatenate(late)) > np.quantile(survey, 0.9)).mean()), pilot.probes


def test_the_pilot_rides_by_the_map_alone() -> None:
    atlas = in_memory(Globe(nside=40), PLANE, render)
    scout = Asked()
    by_map, _ = ridden(blended(lookout(atlas, mesh.mesh(atlas)), scout, 1.0))
    by_probes, probes = ridden(truth)
    assert len(scout.units) == 0  # not one decode, where probes cost hundreds
    assert probes > 200
    assert by_probes > 0.9
    assert by_map > 0.9 * by_probes


def kept(path: Path, preset: Preset, **other: object) -> None:
    """A small survey of a preset's world in a store."""
    studio = rig.open_studio(preset)
    sampling = Window(rows=8, columns=8)
    told = settings.settings_of(
        sampling, studio.plane, studio.decoder.profile, 64, world=studio.world, eye=studio.seer,
        prompt={"positive": studio.prompt.positive, "negative": studio.prompt.negative},
    )  # fmt: skip
    look = looking(studio.plane, studio.decoder, studio.eye, studio.prompt)
    with store.create(path, {**told, **other}, studio.plane, {}) as begun:
        places = begun.places(0)
        seen = np.asarray(look(places.unit, np.ones(64)), np.float32)
        begun.commit(0, Rendered(seen, np.zeros((64, 2, 2, 3), np.uint8)))


TABLE = {"decoder": {"kind": "analytic", "height": 8, "width": 8}, "film": {"seconds": 1}}


def test_a_preset_gives_the_pilot_its_atlas(tmp_path: Path) -> None:
    preset = parse(TABLE)
    kept(tmp_path / "here.zarr", preset)
    (tmp_path / "ride.toml").write_text('[decoder]\nkind = "analytic"\n[pilot]\natlas = "here.zarr"\nprior = 0.5\n')
    found = load(tmp_path / "ride.toml")
    assert found.pilot.atlas == str(tmp_path / "here.zarr")
    built = rig.build(parse({**TABLE, "pilot": {"atlas": found.pilot.atlas}}))
    plain = rig.build(preset)
    units = built.plane.unit([0.4, 1.6], [0.4, 0.3])
    ours, theirs = (np.asarray(one.pilot.scout(units, np.ones(2))) for one in (built, plain))  # type: ignore[attr-defined]
    assert not np.array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])
    unread = rig.build(parse({**TABLE, "pilot": {"atlas": str(tmp_path / "none.zarr"), "prior": 0.0}}))
    np.testing.assert_array_equal(np.asarray(unread.pilot.scout(units, np.ones(2))), theirs)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"analytic": {"sigma": 0.2}}, "world was"),
        ({"plane": {"seeds": [1, 2, 3]}}, r"plane.vertices was"),
        ({"prompt": {"positive": "a whale"}}, r"prompt.positive was"),
    ],
)
def test_an_atlas_of_another_country_is_refused(tmp_path: Path, other: dict[str, object], words: str) -> None:
    kept(tmp_path / "there.zarr", parse(TABLE))
    with pytest.raises(WorldMismatch, match=words) as caught:
        rig.build(parse({**TABLE, **other, "pilot": {"atlas": str(tmp_path / "there.zarr")}}))
    assert "\n" not in str(caught.value)
