"""Every plot against a reference picture; what the drawings rest on against its definition; files whole or not there.

To draw the references anew: python tests/test_atlas_plots.py, and look at every one of them.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image
from standins.drawn import GLOBE, REFINED, WINDOW, Study, study
from standins.surveys import PLANE, part

from latentworld.atlas import plots
from latentworld.atlas.plots import cells, style
from latentworld.atlas.plots.maps import Ruler, rulers
from latentworld.atlas.plots.regions import interior
from latentworld.atlas.sampling import Window
from latentworld.drawing import projections
from latentworld.drawing import style as look
from latentworld.drawing.globe import horizon
from latentworld.errors import AtlasError, OutputError
from latentworld.tokens import LIGHT

REFERENCES = Path(__file__).parent / "atlas_pictures"
TOLERANCE = 4.0  # root-mean-square difference in 0..255: fonts are matplotlib's own, so only rasterisers differ

window, refined, whole = (cache(lambda sampling=sampling: study(sampling)) for sampling in (WINDOW, REFINED, GLOBE))


def levels() -> list[SimpleNamespace]:
    """Three levels of a zoom, as far as plots look at one."""
    found = []
    for index, width in enumerate((3.0, 0.3, 3e-9)):
        sampling = Window(alpha=(0.5 - width / 2, 0.5 + width / 2), beta=(0.4, 0.4 + width), rows=6, columns=6)
        seen = study(sampling)
        rates = {"largest": 2.0 * 10**index, "median": 0.5, "floor": 10.0 ** (3 * index - 5)}
        told = {"index": index, "width": width, "spacing": width, "rates": seen.rates, "resolved": index < 2}
        found.append(SimpleNamespace(atlas=seen.atlas, **told, **rates))
    return found


def unfinished(seen: Study) -> Study:
    keep = np.arange(len(seen.atlas)) % 5 != 0
    return replace(seen, atlas=part(seen.atlas, keep), rates=seen.rates[keep])


FIGURES: dict[str, Callable[[], object]] = {
    "grid": lambda: plots.grid(window().atlas, title="Grid"),
    "grid-light": lambda: plots.grid(window().atlas, title="Grid", paper=LIGHT),
    "grid-unfinished": lambda: plots.grid(unfinished(window()).atlas),
    "field": lambda: plots.field(window().atlas, window().rates),
    "field-refined": lambda: plots.field(refined().atlas, refined().rates, paper=LIGHT),
    "overlay": lambda: plots.overlay(window().atlas, window().rates),
    "overlay-refined": lambda: plots.overlay(refined().atlas, refined().rates),
    "phases": lambda: plots.phases(window().atlas, window().phases, window().lines, window().sites),
    "globe": lambda: plots.globe(whole().atlas, whole().rates, whole().phases, whole().lines),
    "globe-window": lambda: plots.globe(window().atlas, window().rates),
    "zoom": lambda: plots.zoom(levels()),
    "growth": lambda: plots.growth(levels(), truth=150.0),
}


def drawn(name: str) -> np.ndarray:
    """A figure's pixels, as they are on every machine: the render profile in its footer is not this machine's."""
    buffer = io.BytesIO()
    with patch.object(style, "profile", lambda atlas: "0123456789abcdef"):
        figure = FIGURES[name]()
    figure.savefig(buffer, format="png", dpi=36)  # type: ignore[attr-defined]
    return np.asarray(Image.open(buffer).convert("RGB"))


@pytest.mark.parametrize("name", FIGURES)
def test_a_plot_looks_like_its_reference(name: str) -> None:
    picture = drawn(name).astype(float)
    reference = np.asarray(Image.open(REFERENCES / f"{name}.png").convert("RGB")).astype(float)
    assert picture.shape == reference.shape
    assert np.sqrt(((picture - reference) ** 2).mean()) < TOLERANCE


def test_a_field_moved_by_a_column_is_told_apart_from_its_reference() -> None:
    moved = np.roll(window().rates.reshape(12, 12), 1, axis=0).ravel()
    figure = plots.field(window().atlas, moved)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=36)
    picture = np.asarray(Image.open(buffer).convert("RGB")).astype(float)
    reference = np.asarray(Image.open(REFERENCES / "field.png").convert("RGB")).astype(float)
    assert np.sqrt(((picture - reference) ** 2).mean()) > 2 * TOLERANCE


def test_save_writes_both_files_the_same_each_time(tmp_path: Path) -> None:
    seen = window()
    first = plots.save(plots.field(seen.atlas, seen.rates), tmp_path / "field.of.rates", dpi=60)
    assert [path.name for path in first] == ["field.of.rates.png", "field.of.rates.svg"]
    before = [path.read_bytes() for path in first]
    plots.save(plots.field(seen.atlas, seen.rates), tmp_path / "field.of.rates", dpi=60)
    assert [path.read_bytes() for path in first] == before
    assert b"<svg" in before[1][:1000]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in first)
    with pytest.raises(OutputError, match="choose a folder"):
        plots.save(plots.field(seen.atlas, seen.rates), tmp_path / "missing" / "field")


def test_a_globe_has_no_grid_and_nothing_has_no_picture() -> None:
    with pytest.raises(AtlasError, match="globe's views"):
        plots.grid(whole().atlas)
    with pytest.raises(AtlasError, match="no place yet"):
        plots.field(part(window().atlas, np.array([], int)), np.array([]))
    with pytest.raises(AtlasError, match="one level"):
        plots.zoom([])


def test_rows_run_to_the_right_and_columns_up() -> None:
    owned = cells.owners(window().atlas)
    assert owned[-1, 0] == 0  # alpha and beta least
    assert owned[-1, 1] == 12  # the next row is at the right
    assert owned[-2, 0] == 1  # the next column is above


def test_the_mosaic_shows_every_picture_upright_in_its_cell() -> None:
    atlas = window().atlas
    picture = cells.mosaic(atlas, side=12 * 24)
    np.testing.assert_array_equal(picture[-24:, 24:48, :3], atlas.thumbs[12])


def test_of_cells_too_small_to_see_the_middle_one_stands_for_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    atlas = window().atlas
    assert cells.every(atlas) == 1
    for seen, step in ((12, 1), (11, 2), (6, 2), (4, 3)):
        monkeypatch.setattr(cells, "SEEN", seen)
        assert cells.every(atlas) == step
    assert cells.every(refined().atlas) == 1
    picture = cells.mosaic(atlas, side=12 * 7)
    assert picture.shape == (84, 84, 4)
    assert (picture[..., 3] == 255).all()
    shown = Image.fromarray(np.asarray(atlas.thumbs[4 * 12 + 1])).resize((21, 21), Image.Resampling.LANCZOS, None, 3.0)
    np.testing.assert_array_equal(picture[-21:, 21:42, :3], shown)  # of rows 3 to 5 and columns 0 to 2
    unfinished = part(atlas, np.flatnonzero((atlas.lattice[:, 0] < 4) & (atlas.lattice[:, 1] != 1)))
    there = cells.mosaic(unfinished, side=12 * 7)[..., 3] == 255
    assert there[:, :42].all()
    assert not there[:, 42:].any()
    monkeypatch.setattr(cells, "SEEN", 3)  # 12 = 4 x 3; of 5 places each way two and a half: as many as fit, none cut
    sides = {tuple(np.subtract(box[2:], box[:2])) for _, box in cells._blocks(atlas, 7.0, 5)}
    assert sides == {(42, 42)}


def test_finer_cells_lie_on_coarser_ones_and_every_place_owns_its_node() -> None:
    atlas = refined().atlas
    owned = cells.owners(atlas)
    assert owned.shape == (96, 96)
    x, y = 2 * atlas.lattice[:, 0], 95 - 2 * atlas.lattice[:, 1]
    assert (atlas.level[owned[y, x]] >= atlas.level).all()
    finest = atlas.level == atlas.level.max()
    np.testing.assert_array_equal(owned[y, x][finest], np.flatnonzero(finest))


@pytest.mark.parametrize("case", [window, refined, whole])
def test_every_place_owns_its_own_direction_on_the_globe(case: Callable[[], Study]) -> None:
    atlas = case().atlas
    owner = cells.owners_on_globe(atlas, atlas.unit)
    near = np.linalg.norm(atlas.unit[owner] - atlas.unit, axis=1)
    assert (owner >= 0).all()
    assert (near[atlas.level == atlas.level.max()] < 1e-9).all()


def test_a_window_owns_nothing_on_the_far_side() -> None:
    assert (cells.owners_on_globe(window().atlas, -window().atlas.unit) == -1).all()


def test_spacing_is_the_distance_of_neighbours() -> None:
    atlas = window().atlas
    points = atlas.points.reshape(12, 12, 3)
    steps = np.concatenate([np.linalg.norm(np.diff(points, axis=k), axis=-1).ravel() for k in (0, 1)])
    assert cells.spacing(atlas) == pytest.approx(np.median(steps), rel=0.05)


@pytest.mark.parametrize("projection", [projections.ORTHOGRAPHIC, projections.MOLLWEIDE], ids=lambda p: p.name)
def test_projections_lead_there_and_back(projection: projections.Projection) -> None:
    seen = np.random.default_rng(2).normal(size=(500, 3))
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    seen = seen[seen[:, 2] > 0.01] if projection.name == "orthographic" else seen
    spots = projection.forward(seen)
    np.testing.assert_allclose(projection.back(spots), seen, atol=1e-6)
    assert (np.abs(spots) <= [projection.width + 1e-9, 1 + 1e-9]).all()


def test_mollweide_keeps_areas() -> None:
    x, y = np.meshgrid(np.linspace(-2, 2, 801), np.linspace(-1, 1, 401))
    seen = projections.MOLLWEIDE.back(np.stack([x, y], axis=-1))
    on = np.isfinite(seen).all(axis=-1)
    cap = on & (np.where(on, seen[..., 1], -2) > 0.5)  # a quarter of the sphere, by Archimedes
    assert cap.sum() / on.sum() == pytest.approx(0.25, abs=2e-3)


def test_the_horizon_is_where_the_weights_sum_to_zero() -> None:
    weights = horizon(PLANE) @ np.linalg.inv(PLANE.corners)
    np.testing.assert_allclose(weights.sum(axis=1), 0, atol=1e-12)


def test_scales_are_logarithmic_above_a_contrast_of_thirty() -> None:
    assert type(look.scale(np.linspace(1, 29, 50))).__name__ == "Normalize"
    assert type(look.scale(np.geomspace(1, 100, 50))).__name__ == "LogNorm"
    assert look.scale(np.array([np.nan, np.nan])).vmax == 1.0


def test_a_ruler_deep_in_a_zoom_counts_from_the_middle() -> None:
    ruler = Ruler("α", 0.5 - 1e-12, 0.5 + 1e-12, 11)
    assert ruler.deep
    assert ruler.label.startswith("(α − 0.5")
    np.testing.assert_allclose(ruler.spot(ruler.value([0, 5, 10])), [0, 5, 10], atol=1e-9)
    assert float(ruler.value(10)) == pytest.approx(1.0, rel=1e-3)
    assert not rulers(window().atlas)[0].deep


def test_a_name_stands_inside_the_widest_part_of_its_region() -> None:
    mask = np.zeros((20, 40), bool)
    mask[2:4, :] = True  # a long bar
    mask[2:18, 24:40] = True  # with a square at its end
    x, y = interior(mask) or (0, 0)
    assert 30 <= x <= 34
    assert 8 <= y <= 12
    assert interior(np.zeros((3, 3), bool)) is None


@pytest.mark.parametrize(("value", "words"), [(0.0, "0"), (-1.5, "−1.5"), (1234.5, "1234"), (4.2e-7, "4.2·10⁻⁷")])
def test_numbers_are_short(value: float, words: str) -> None:
    assert look.number(value) == words


def test_colours_of_phases_come_again_only_after_sixteen() -> None:
    assert len(set(look.phase_colours(16))) == 16
    assert look.phase_colours(17)[16] == look.phase_colours(1)[0]


if __name__ == "__main__":
    REFERENCES.mkdir(exist_ok=True)
    for each in FIGURES:
        Image.fromarray(drawn(each)).save(REFERENCES / f"{each}.png", optimize=True)
