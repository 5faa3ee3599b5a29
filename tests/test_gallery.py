"""The gallery: what is in it, what is drawn of a film, what the deck and the page of an atlas show of it."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from installation import gallery
from installation.gallery import making, page, strip
from installation.gallery.entries import Entry, entries
from installation.gallery.offers import offers
from latentworld import preset, walks
from latentworld.errors import OutputExists

SMALL = ("decoder.kind=analytic", "decoder.height=32", "decoder.width=32", "decoder.steps=5", "analytic.modes=8",
         "film.seconds=1")  # fmt: skip
FOUND = entries()
KEPT = gallery.folder()


def small(entry: Entry) -> Entry:
    """The same of the analytic world, short."""
    kept = [setting for setting in entry.settings if not setting.startswith(("decoder.", "film.seconds"))]
    return replace(entry, settings=(*kept, *SMALL))


def named(name: str) -> Entry:
    return next(entry for entry in FOUND if entry.file == name)


def test_it_has_each_walk_mode_pacing_and_preset() -> None:
    names = {(entry.group, entry.name) for entry in FOUND}
    assert {("walk", kind) for kind in walks.BUILT_IN} <= names
    assert {("pilot", mode) for mode in ("off", "seek", "ride", "cross", "avoid", "toward", "novel")} <= names
    assert {("pacing", kind) for kind in ("latent", "clip", "beat")} <= names
    assert {("preset", name) for name in preset.names()} <= names
    assert all(entry.words for entry in FOUND)
    assert len({entry.file for entry in FOUND}) == len(FOUND)


@pytest.mark.parametrize("entry", [entry for entry in FOUND if not entry.missing], ids=lambda entry: entry.file)
def test_each_can_be_filmed(entry: Entry, tmp_path: Path) -> None:
    made = entry.preset(tmp_path / "clicks.wav")
    assert 20 <= made.film.frames <= 200
    assert entry.group == "preset" or made.decoder.kind == "scout"


@pytest.mark.parametrize("name", ["walk-orbit", "walk-wander", "pilot-cross", "pacing-clip"])
def test_a_strip_has_two_maps_and_pictures(name: str) -> None:
    image = making.drawn(small(named(name)))
    assert image.size == ((2 + strip.COUNT) * (strip.SIDE + strip.GAP) - strip.GAP, strip.SIDE)
    colours = [len(image.crop((x, 0, x + strip.SIDE, strip.SIDE)).getcolors(30000) or [0] * 30000)
               for x in range(0, image.width, strip.SIDE + strip.GAP)]  # fmt: skip
    assert min(colours) > 20  # none of them is bare


def test_a_walk_is_shown_whole() -> None:
    wanted = small(named("walk-lissajous")).preset()
    plane = making.open_studio(wanted).plane
    made = making.lapped(wanted, plane)
    length = walks.build(made.walk, plane).length
    assert made.pacing.speed * made.film.seconds == pytest.approx(length)


def test_the_same_is_made_again_and_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    entry, told = small(named("pilot-off")), []
    (made,) = making.make(
        [entry], tmp_path / "out", tell=lambda one, number, count: told.append((one.file, number, count))
    )
    file = tmp_path / "out" / "pilot-off.webp"
    before = file.read_bytes()
    assert (made.size, told) == (len(before), [("pilot-off", 1, 1)])
    with pytest.raises(OutputExists, match="--overwrite"):
        making.make([entry], tmp_path / "out")
    making.make([entry], tmp_path / "out", overwrite=True)
    assert file.read_bytes() == before


def test_the_pictures_that_come_along_are_small_and_all_there() -> None:
    sizes = {path.stem: path.stat().st_size for path in KEPT.glob(f"*{gallery.ENDING}")}
    assert set(sizes) == {entry.file for entry in FOUND if not entry.missing}
    assert max(sizes.values()) <= making.LARGEST
    assert sum(sizes.values()) <= 2e6


def test_the_page_that_comes_along_is_up_to_date() -> None:
    """Words alone are made anew: page.page(entries(), "gallery")."""
    kept = (KEPT.parent / "gallery.md").read_text(encoding="utf-8")
    assert kept == page.page(FOUND, "gallery")
    shown = re.findall(r"!\[[^\]]*\]\(gallery/([^)]+)\)", kept)
    assert [name for name in shown if not (KEPT / name).is_file()] == []


def test_an_atlas_offers_walks_and_modes_from_a_place() -> None:
    found = {offer.name: offer for offer in offers()}
    assert found["spiral"].options == "--set walk.kind=spiral --set walk.centre"
    assert found["ride"].options == "--set walk.kind=rift --set pilot.mode=ride --set walk.start"
    assert "swath" not in found  # a window is no place
    assert sum(len(offer.picture) for offer in found.values()) < 200_000
    with Image.open(io.BytesIO(found["orbit"].picture)) as image:
        assert image.width == 578
    for offer in found.values():  # what a page copies, with a place behind it
        settings = re.findall(r"--set (\S+)", f"{offer.options}=[0.25,0.5]")
        assert preset.load("neutral", settings).walk.kind == settings[0].split("=")[1]


def test_a_name_that_is_none_and_a_page_that_is_there_are_told(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, said = run("gallery", "-o", str(tmp_path / "out"), "--only", "walk-nothing")
    assert (code, "the gallery has no walk-nothing: choose among walk-rift" in said) == (1, True)
    (tmp_path / "out.md").write_text("mine")
    code, _, said = run("gallery", "-o", str(tmp_path / "out"))
    assert (code, "give --overwrite" in said) == (1, True)
    assert (tmp_path / "out.md").read_text() == "mine"
