"""The page of preset keys is what the models say."""

from __future__ import annotations

from pathlib import Path

from latentworld import walks
from latentworld.preset import Preset
from latentworld.reference import reference

PAGE = Path(__file__).parent.parent / "docs" / "presets.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference({kind: walks.spec_of(kind) for kind in walks.BUILT_IN}), (
        "run: latentworld presets keys > docs/presets.md"
    )


def test_every_section_and_walk_is_there() -> None:
    page = reference(walks.specs())
    assert all(f"[{name}]" in page for name in Preset.model_fields if name not in ("title", "description"))
    assert all(f'kind = "{kind}"' in page for kind in walks.kinds())
