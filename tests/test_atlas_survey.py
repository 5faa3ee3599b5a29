"""Where a survey looks, and the loop that looks there."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("zarr", reason="the extra `atlas` is not installed")
pytest.importorskip("healpix", reason="the extra `atlas` is not installed")

from PIL import Image
from standins.surveys import PLANE, RAW

from installation.atlas.rendering import chosen, renderer
from installation.rig import open_studio
from latentworld import preset
from latentworld.atlas import places, survey
from latentworld.atlas.progress import BARE, ProgressPicture
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.settings import settings_of
from latentworld.atlas.store import create
from latentworld.atlas.thumbs import thumbnails
from latentworld.atlas.types import Rendered
from latentworld.decoding.analytic import SHELL, Mixture, regular_modes
from latentworld.errors import AtlasError
from latentworld.lipschitz import on_grid
from latentworld.plane import Plane

ROOT = Path(__file__).parent.parent


def coloured(units: np.ndarray, radii: np.ndarray) -> Rendered:
    """Thumbnails of one colour each, a function of the place and never the bare grey."""
    colour = (100 + 100 * np.abs(units)).astype(np.uint8)
    return Rendered((units * radii[:, None]).astype(np.float32), np.tile(colour[:, None, None], (1, 4, 4, 1)))


# Places


def test_a_window_goes_row_by_row_with_the_doubles_of_linspace() -> None:
    window = Window(alpha=(0.4, 0.6), beta=(-1.0, 2.0), rows=5, columns=7)
    found = places.first(window, PLANE)
    a, b = np.meshgrid(np.linspace(0.4, 0.6, 5), np.linspace(-1, 2, 7), indexing="ij")
    np.testing.assert_array_equal(found.unit, PLANE.unit(a.ravel(), b.ravel()))
    np.testing.assert_array_equal(found.lattice, [divmod(i, 7) for i in range(35)])
    assert not found.level.any()


@pytest.mark.parametrize("nside", [1, 3, 16])
def test_the_globe_is_sampled_in_equal_areas(nside: int) -> None:
    unit = places.first(Globe(nside=nside), PLANE).unit
    assert len(unit) == 12 * nside**2
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(unit.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(unit.T @ unit / len(unit), np.eye(3) / 3, atol=0.5 / nside**2)
    assert (np.diff(unit[:, 2]) < 1e-12).all()  # rings from north to south


def test_a_raw_plane_has_no_globe() -> None:
    with pytest.raises(AtlasError, match="raw plane has no globe"):
        places.first(Globe(nside=1), RAW)


@pytest.mark.parametrize("sampling", [Window(rows=9, columns=5), Globe(nside=3), Adaptive(rows=60, columns=60)])
def test_places_in_parts_are_those_of_the_whole(sampling: Any) -> None:
    whole, cut = places.first(sampling, PLANE), 17
    parts = places.first(sampling, PLANE, 0, cut), places.first(sampling, PLANE, cut)
    for name in ("unit", "lattice", "level"):
        np.testing.assert_array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(whole, name))


@settings(max_examples=60)
@given(
    rows=st.integers(2, 40),
    columns=st.integers(2, 40),
    coarse=st.sampled_from([2, 4, 8, 64]),
    share=st.floats(0.0, 1.0),
)
@example(rows=4, columns=4, coarse=4, share=1.0)  # a third of what is left pays for no cell
@example(rows=40, columns=40, coarse=64, share=0.008)
def test_an_adaptive_survey_spends_its_budget_and_decodes_nothing_twice(
    rows: int, columns: int, coarse: Any, share: float
) -> None:
    """share: of the nodes that the coarse grid leaves."""
    begun = places.count(Adaptive(rows=rows, columns=columns, coarse=coarse, budget=1.0))
    budget = (begun + share * (rows * columns - begun) + 0.5) / (rows * columns)
    spec = Adaptive(rows=rows, columns=columns, coarse=coarse, budget=min(budget, 1.0))
    atlas = survey.in_memory(spec, PLANE, coloured)
    assert len(np.unique(atlas.lattice, axis=0)) == len(atlas) <= places.spend(spec)
    assert len(atlas) > places.spend(spec) - 5  # a cell costs five places at most
    strides = coarse >> atlas.level
    on = (atlas.lattice % strides[:, None] == 0) | (atlas.lattice == np.array([rows, columns]) - 1)
    assert on.all()
    assert (np.diff(atlas.level) >= 0).all()


def test_cells_are_halved_in_the_order_of_the_field_over_their_corners() -> None:
    """A cell's field is `on_grid` of its four corners; what comes next are middles and edges of the steepest."""
    spec = Adaptive(alpha=(-0.4, 1.0), beta=(0.0, 2.0), rows=9, columns=9, coarse=2, budget=0.5)
    coarse = places.first(spec, PLANE)
    features = np.random.default_rng(4).normal(size=(len(coarse), 6)) ** 3
    f, p = features.reshape(5, 5, -1), PLANE.points(coarse.unit).reshape(5, 5, 3)
    field = np.array(
        [[on_grid(f[r : r + 2, c : c + 2], p[r : r + 2, c : c + 2]).mean() for c in range(4)] for r in range(4)]
    )
    found = places.next_generation(spec, PLANE, coarse.lattice, coarse.level, features)
    assert found is not None
    middles = {
        (int(r), int(c))
        for r, c in (found.lattice - 1) // 2
        if (2 * r + 1, 2 * c + 1) in set(map(tuple, found.lattice.tolist()))
    }
    best = {(int(k) // 4, int(k) % 4) for k in np.argsort(-field.ravel())[: len(middles)]}
    assert 2 <= len(middles) < 16
    assert middles == best


def test_a_budget_that_does_not_pay_for_the_coarse_grid_is_refused() -> None:
    spec = Adaptive(rows=40, columns=40, coarse=8, budget=0.01)
    with pytest.raises(AtlasError, match="has 36 places, the budget pays for 16: raise the budget, or coarse"):
        places.first(spec, PLANE)


@pytest.mark.parametrize(("modes", "window"), [(12, (0.0, 1.0)), (8, (-1.0, 2.0))])
def test_a_fifth_of_the_decodes_finds_the_rifts(modes: int, window: tuple[float, float]) -> None:
    n = 256
    spec = Adaptive(alpha=window, beta=window, rows=n, columns=n, budget=0.2)
    mixture = Mixture(regular_modes(modes), 0.1, steps=20)
    dense = places.first(Window(alpha=window, beta=window, rows=n, columns=n), PLANE).unit
    features = mixture.flow(dense * SHELL).reshape(n, n, 3)
    rates = on_grid(features, PLANE.points(dense).reshape(n, n, 3))
    generation = places.first(spec, PLANE)
    lattice, level = generation.lattice, generation.level
    while (more := places.next_generation(spec, PLANE, lattice, level, features[*lattice.T])) is not None:
        lattice, level = np.concatenate([lattice, more.lattice]), np.concatenate([level, more.level])
    decoded = np.zeros((n, n), np.bool_)
    decoded[*lattice.T] = True
    assert decoded.sum() == len(lattice) <= 0.2 * n * n
    assert decoded[rates >= np.quantile(rates, 0.95)].mean() >= 0.95


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"kind": "window", "alpha": (0.6, 0.4)}, "alpha runs from 0.6 to 0.4"),
        ({"kind": "window", "beta": (1.0, 1.0)}, "give the lower end first"),
        ({"kind": "window", "rows": 1, "columns": 1}, "rows: .*columns: "),
        ({"kind": "window", "alpha": (0.0, float("nan"))}, "alpha.*finite"),
        ({"kind": "adaptive", "budget": float("inf")}, "budget.*finite"),
        ({"kind": "adaptive", "coarse": 3}, "coarse: "),
        ({"kind": "globe", "nside": 0}, "nside: "),
        ({"kind": "torus"}, "sampling: "),
        ({"kind": "globe", "rows": 4}, "rows: "),
    ],
)
def test_a_sampling_that_cannot_be_used_is_one_line(table: dict[str, Any], told: str) -> None:
    with pytest.raises(AtlasError, match=told) as error:
        places.sampling_from(table)
    assert "\n" not in str(error.value)


def test_importing_the_survey_costs_no_library() -> None:
    program = (
        "import sys, latentworld.atlas.survey, latentworld.atlas.folder, latentworld.atlas.dataset;"
        "print([m for m in ('zarr', 'healpix', 'torch', 'PIL', 'xarray', 'filelock') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr[-2000:]


# The loop


def begin(path: Path, sampling: Any, plane: Plane = PLANE) -> Any:
    return create(path, settings_of(sampling, plane, block=8), plane, {})


@pytest.mark.parametrize("harm", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused_and_nothing_is_written(tmp_path: Path, harm: float) -> None:
    with begin(tmp_path / "atlas", Window(rows=4, columns=4)) as store:
        units, radii = survey.block_places(store, 0)
        bad = coloured(units, radii)
        bad.features[3, 1] = harm
        with pytest.raises(AtlasError, match="block 0 has features that are not finite"):
            survey.commit(store, 0, bad)
        with pytest.raises(AtlasError, match="8 places, 3 were rendered"):
            survey.commit(store, 0, coloured(units[:3], radii[:3]))
        assert survey.pending(store) == [0, 1]
        survey.commit(store, 0, coloured(units, radii))
        other = Rendered(np.ones((8, 5), np.float32), np.zeros((8, 4, 4, 3), np.uint8))
        with pytest.raises(AtlasError, match="features of this atlas are"):
            survey.commit(store, 1, other)
        assert survey.pending(store) == [1]


def test_nothing_advances_while_blocks_are_pending(tmp_path: Path) -> None:
    with begin(tmp_path / "atlas", Window(rows=4, columns=4)) as store:
        with pytest.raises(AtlasError, match="2 blocks are not done"):
            survey.advance(store)
        assert not store.complete


def test_the_radius_is_that_of_the_settings(tmp_path: Path) -> None:
    with create(tmp_path / "a", settings_of(Window(rows=2, columns=2), PLANE, radius=1.5), PLANE, {}) as store:
        survey.run(store, coloured)
        atlas = store.atlas()
    assert atlas.radius == 1.5
    np.testing.assert_allclose(np.linalg.norm(atlas.features, axis=1), 1.5, rtol=1e-6)


def test_a_survey_in_memory_is_on_the_shell_unless_told() -> None:
    assert survey.in_memory(Window(rows=2, columns=2), PLANE, coloured).radius == 1.0
    raised = survey.in_memory(Window(rows=2, columns=2), PLANE, coloured, radius=1.5)
    np.testing.assert_allclose(np.linalg.norm(raised.features, axis=1), 1.5, rtol=1e-6)
    assert raised.radius == 1.5


# The preview


@pytest.mark.parametrize(
    "sampling",
    [
        Window(rows=8, columns=4),
        Globe(nside=2),
        Adaptive(rows=20, columns=20, budget=0.5),
        Adaptive(rows=25, columns=25, budget=0.5),  # its last nodes' squares leave the grid
    ],
)
def test_the_preview_shows_what_is_done_and_grey_elsewhere(tmp_path: Path, sampling: Any) -> None:
    file = tmp_path / "preview.png"
    with begin(tmp_path / "atlas", sampling) as store:
        preview = ProgressPicture(file, itertools.count().__next__, every=0, side=64)
        store.commit(0, coloured(*survey.block_places(store, 0)))
        preview(store, 0)
        first = np.asarray(Image.open(file))
        assert max(first.shape) == 64
        assert (first == BARE).all(axis=2).mean() > 0.1
        survey.run(store, coloured, preview=ProgressPicture(file, itertools.count().__next__, every=1e9, side=64))
        whole = np.asarray(Image.open(file))
    bare = (whole == BARE).all(axis=2)
    assert not bare.any()
    seen = (first >= 100).all(axis=2)
    if not isinstance(sampling, Adaptive):
        np.testing.assert_array_equal(whole[seen], first[seen])
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == []


def test_the_preview_has_alpha_to_the_right_and_beta_upwards(tmp_path: Path) -> None:
    with begin(tmp_path / "atlas", Window(rows=8, columns=4)) as store:
        survey.run(store, coloured, preview=ProgressPicture(tmp_path / "p.png", itertools.count().__next__, side=16))
        thumbs = np.asarray(store.atlas().thumbs)
    picture = np.asarray(Image.open(tmp_path / "p.png"))
    assert picture.shape == (8, 16, 3)
    np.testing.assert_array_equal(picture[7, 0], thumbs[0, 0, 0])
    np.testing.assert_array_equal(picture[7, 15], thumbs[28, 0, 0])
    np.testing.assert_array_equal(picture[0, 0], thumbs[3, 0, 0])


# The renderer


def test_a_thumbnail_is_the_mean_of_what_it_covers() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 12, 24, 3), dtype=np.uint8)
    small = thumbnails(pictures, 8)
    assert small.shape == (3, 4, 8, 3)
    np.testing.assert_allclose(
        small, pictures.reshape(3, 4, 3, 8, 3, 3).mean(axis=(2, 4)), atol=1
    )  # rounded once along each axis
    np.testing.assert_array_equal(thumbnails(pictures, 24), pictures)
    assert thumbnails(pictures[:0], 8).shape[0] == 0


@pytest.mark.parametrize("scout", [False, True])
def test_the_renderer_sees_a_place_alike_in_any_company(scout: bool) -> None:
    table = {"decoder": {"kind": "analytic", "steps": 10, "height": 32, "width": 48, "batch": 4}}
    studio = open_studio(preset.Preset.model_validate(table))
    render = renderer(studio, chosen(studio, scout), thumb=12)
    units = studio.plane.unit(np.linspace(0, 1, 7), 0.3)
    together = render(units, np.ones(7))
    assert (together.features.dtype, together.thumbs.dtype, together.thumbs.shape) == (
        np.float32,
        np.uint8,
        (7, 8, 12, 3),
    )
    for index in (0, 4, 6):
        alone = render(units[[index]], np.ones(1))
        np.testing.assert_array_equal(alone.features[0], together.features[index])
        np.testing.assert_array_equal(alone.thumbs[0], together.thumbs[index])
