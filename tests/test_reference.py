"""The page of preset keys is what the models say."""

from __future__ import annotations

from pathlib import Path

from installation.control.meanings import meanings
from installation.control.parameters import table
from latentworld import walks
from latentworld.pilot import PilotSpec
from latentworld.preset import Preset
from latentworld.reference import about, reference, sections

PAGE = Path(__file__).parent.parent / "docs" / "presets.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference({kind: walks.spec_of(kind) for kind in walks.BUILT_IN}), (
        "run: latentworld presets keys --markdown > docs/presets.md"
    )


def test_every_section_and_walk_is_there() -> None:
    page = reference(walks.specs())
    assert all(f"[{name}]" in page for name in Preset.model_fields if name not in ("title", "description"))
    assert all(f'kind = "{kind}"' in page for kind in walks.kinds())


def test_every_key_is_explained() -> None:
    silent = [f"{part.name}.{key.name}" for part in sections(walks.specs()) for key in part.keys if not key.about]
    assert silent == []


def test_an_explanation_is_its_own() -> None:
    """What one key means is said once: two of them alike tell nothing apart."""
    said = [(part.name.split(".")[0], key.name, key.about) for part in sections(walks.specs()) for key in part.keys]
    for _, name, words in said:
        assert {other for _, other, text in said if text == words} == {name}, words


def test_the_deck_has_the_words_of_the_keys() -> None:
    rows = table()
    found = meanings(rows.values())
    assert found["rift.attraction"] == about(PilotSpec, "attraction")
    assert {name for name, row in rows.items() if row.preset} == set(found)
