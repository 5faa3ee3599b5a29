"""The structure holds: no circles, no arrow that runs up, few values without types. `house_figures.py` prints where."""

from __future__ import annotations

import statistics

import pytest
from house_figures import House, house


@pytest.fixture(scope="module")
def found() -> House:
    return house()


def test_no_circles_of_rooms_or_files(found: House) -> None:
    assert found.cycles() == []


def test_no_arrow_runs_up_and_every_room_has_its_row(found: House) -> None:
    assert found.rising() == []
    assert found.homeless() == set()


def test_what_is_imported_is_ours_by_its_full_name_or_a_library(found: House) -> None:
    assert not found.strangers()


def test_functions_and_modules_are_short(found: House) -> None:
    assert found.long_functions() == []
    assert statistics.median(found.lengths()) <= 150
