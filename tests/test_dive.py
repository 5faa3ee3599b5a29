"""The film of a zoom: where things lie on the screen while the window shrinks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from installation.atlas import dive


def thumbs(rows: int, columns: int, edge: int = 8) -> np.ndarray:
    """Places whose red tells the row (alpha) and whose green tells the column (beta)."""
    made = np.zeros((rows * columns, edge, edge, 3), np.uint8)
    row, column = np.divmod(np.arange(rows * columns), columns)
    made[..., 0] = (40 * row)[:, None, None]
    made[..., 1] = (40 * column)[:, None, None]
    return made


def test_alpha_runs_right_and_beta_up() -> None:
    picture = dive.mosaic(thumbs(5, 4), 5, 4)
    assert picture.shape == (32, 40, 3)
    assert picture[-1, 0].tolist() == [0, 0, 0]
    assert picture[-1, -1].tolist() == [160, 0, 0]
    assert picture[0, 0].tolist() == [0, 120, 0]
    assert dive.mosaic(thumbs(5, 4), 5, 4, edge=4).shape == (16, 20, 3)


def flat(colour: tuple[int, int, int], centre: tuple[float, float], width: float) -> dive.Sheet:
    return dive.Sheet(np.full((64, 64, 3), colour, np.uint8), centre, width)


def test_the_fall_begins_with_the_first_sheet_and_ends_with_the_last() -> None:
    sheets = [
        flat((200, 0, 0), (0.5, 0.5), 1.0),
        flat((0, 200, 0), (0.7, 0.6), 0.1),
        flat((0, 0, 200), (0.7, 0.6), 0.01),
    ]
    made = list(dive.frames(sheets, 96, 10))
    assert len(made) == 5 + 20 + 5
    assert (made[0] == [200, 0, 0]).all()
    assert (made[15] == [0, 200, 0]).mean() > 0.8
    assert (made[-1] == [0, 0, 200]).all()
    green = [float((frame[..., 1] > 100).mean()) for frame in made[:15]]
    assert all(later >= earlier for earlier, later in pairwise(green))
    assert 0 < green[10] < 1


def test_what_the_next_window_is_about_stays_in_place_while_it_grows() -> None:
    """The fixed point of the zoom, away from the eased ends: the same share of the screen."""
    sheets = [flat((200, 0, 0), (0.5, 0.5), 1.0), flat((0, 200, 0), (0.75, 0.6), 0.1)]
    made = list(dive.frames(sheets, 200, 60))
    for frame in made[24 + 24 : 24 + 40]:
        rows, columns = np.nonzero(frame[..., 1] > 100)
        width = columns.max() - columns.min() + 1
        left, top = columns.min(), rows.min()
        # similar figures: the distances of the inner window from the edges keep their ratio
        assert abs(left / (200 - width) - (0.75 - 0.05) / 0.9) < 0.02
        assert abs(top / (200 - width) - (1 - (0.6 - 0.05) / 0.9)) < 0.02


def test_the_fall_has_no_jerks_and_no_bare_edges() -> None:
    """Targets at the very edge of their windows, on alternate sides, down to where float64 still tells them apart."""
    sheets, centre, width = [], np.array([0.5, 0.5]), 1.0
    for index in range(12):
        sheets.append(flat((200, 0, 0) if index % 2 else (0, 200, 0), (float(centre[0]), float(centre[1])), width))
        centre, width = centre + 0.48 * width * np.array([1, -1]) * (-1) ** index, width / 10
    widths, middles = dive._fall(sheets, 24)
    assert widths[0] == pytest.approx(1.0)
    assert widths[-1] == pytest.approx(1e-11)
    np.testing.assert_allclose(middles[-1], 0, atol=1e-4)  # of the screen
    assert np.abs(np.diff(np.log(widths), 2)).max() < 0.2 * np.log(10) / 24
    assert np.abs(middles).max() < 0.6
    assert np.abs(np.diff(middles, 2, axis=0)).max() < 0.02
    for frame in list(dive.frames(sheets, 48, 8))[20:]:  # beyond the first sheet there is nothing
        assert (frame.max(axis=2) > 90).all()


def test_small_is_not_sparkling() -> None:
    """A fine chequerboard shown at a tenth of its size is grey."""
    board = (np.indices((640, 640)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    frame = next(dive.frames([dive.Sheet(board, (0.5, 0.5), 1.0)], 64, 1))
    assert abs(float(frame.mean()) - 127.5) < 2
    assert float(frame.std()) < 5
