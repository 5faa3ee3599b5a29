"""An atlas made on the way to something else: where a command takes an atlas or a preset."""

from __future__ import annotations

from pathlib import Path

from installation import rig
from installation.atlas import findings, rendering, surveys
from installation.atlas.survey_folder import SurveyFolder
from installation.atlas.unfinished import NAME, OnLook, quiet
from installation.film.output import prepare_empty
from latentworld import preset as presets
from latentworld.atlas.reader import Reader
from latentworld.atlas.sampling import Globe
from latentworld.errors import AtlasError, PresetError

ATLAS = "atlas"  # the folder of an atlas that is made on the way
NSIDE, THUMB = 16, 64  # of its survey: 3,072 places of the whole globe, and its thumbnails in pixels


def given(name: str, target: Path, overrides: list[str], on_look: OnLook = quiet, nside: int = NSIDE) -> SurveyFolder:
    """The atlas of that name; of a preset's name, a scout survey of its whole globe, in `target/atlas`, made or gone on
    with. Raises AtlasError for what is neither, and what surveys raise."""
    there = Path(name)
    if there.is_dir() or there.suffix == ".zarr":
        return SurveyFolder.at(there)
    try:
        journey = presets.load(name, overrides)
    except PresetError as error:
        raise AtlasError(f"{name!r:.80} is no folder of an atlas, and no preset: {error}") from None
    held = {path.name for path in target.iterdir()} if target.is_dir() else set[str]()
    if held - {ATLAS, NAME}:
        prepare_empty(target)  # which says that it is not
    out, studio = SurveyFolder(target / ATLAS), rig.open_studio(journey)
    decoder = rendering.chosen(studio, True)
    with surveys.begin(studio, out, Globe(nside=nside), thumb=THUMB, scout=True) as store:
        surveys.Survey(studio, out, store, THUMB, True).run(lambda done, total, _: on_look("surveying", done, total))
    if Reader(out.store).read_labels() is None:
        on_look("field and phases", 0, 1)
        findings.conclude(out, rendering.renderer(studio, decoder, THUMB), findings.labeller(studio, None, None))
    return out


def unfinished(atlas: SurveyFolder) -> str:
    """A line where a survey is not complete, else nothing."""
    kept = Reader(atlas.store)
    if kept.complete:
        return ""
    return f"the survey is not complete, {kept.done} of {kept.total} places: run it again and it goes on"
