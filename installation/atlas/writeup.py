"""The write-up's folders, `a000_b000.png` ... and metadata.json: a survey written as one, one read as a survey."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from installation import rig
from installation.atlas import rendering
from installation.atlas.findings import Findings, conclude
from installation.atlas.survey_folder import SurveyFolder, preset_of
from installation.film.output import write_text
from installation.studio import Studio
from latentworld.arrays import Indices, Pictures
from latentworld.atlas import folder as folders
from latentworld.atlas import phases, reader, settings
from latentworld.atlas.types import Atlas, Phases
from latentworld.decoding import Decoder, Profile
from latentworld.errors import AtlasMismatch
from latentworld.preset import dump, load


def export(out: SurveyFolder, target: Path, full: bool) -> Path:
    """The write-up's folder; thumbnails smaller than the pictures are decoded again where `full`, by the very decoder
    that was surveyed with. metadata.json says how. Raises AtlasMismatch where the preset has no such decoder."""
    atlas = reader.read(out.store)
    folders.check(atlas, target)  # before a world is loaded
    profile = settings.profile_of(atlas.settings)  # none: imported, so that the pictures are elsewhere
    again = _decoded_again(out, atlas, profile) if full and profile and out.preset.is_file() else None
    if again is None:
        folders.export(atlas, target)
    else:
        folders.export(atlas, target, *again)
    return target


def _decoded_again(
    out: SurveyFolder, atlas: Atlas, profile: Profile
) -> tuple[Callable[[Indices], Pictures], dict[str, object]] | None:
    """Full-size pictures of places, and what metadata.json says of them; None where the thumbnails are as large."""
    longest = max(atlas.thumbs.shape[1:3])
    if 0 < max(profile.size) <= longest:
        return None
    studio = rig.open_studio(preset_of(out))
    decoder = decoder_of(studio, profile, out)
    if longest >= max(decoder.size):
        return None
    render = rendering.renderer(studio, decoder, max(decoder.size))

    def pictures(places: Indices) -> Pictures:
        return render(atlas.unit[places], np.full(len(places), atlas.radius)).thumbs

    differences = profile.differences(decoder.profile)
    if not differences:
        return pictures, {"pictures": "decoded again, as they were surveyed"}
    by = {"decoded_by": decoder.profile.record(), "differences": differences}
    return pictures, {"pictures": "decoded again, otherwise", **by}


def decoder_of(studio: Studio, profile: Profile, out: SurveyFolder) -> Decoder:
    """The decoder that a survey's profile tells of. Raises AtlasMismatch where the studio has none of its kind."""
    own = next((own for kind, own in studio.own.items() if kind == profile.kind), None)
    if own is None:
        raise AtlasMismatch(f"{out.preset} has no {profile.kind} decoder, which made {out.store}: put its own there")
    return studio.decoder.variant(profile.settings(own))


def imported(
    pictures: Path,
    out: SurveyFolder,
    clip: str | None,
    preset: str | None,
    thumb: int,
    words: Sequence[str] | None,
    count: int | None,
) -> Findings:
    """An atlas of pictures made elsewhere."""
    from latentworld.vision.clip import ClipEye

    chosen = None if words is None else phases.checked(words)
    eye = ClipEye(clip or "embedded")
    studio = None if preset is None else rig.open_studio(load(preset))
    plane = None if studio is None else studio.plane
    out.claim()
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    folders.import_into(out.store, pictures, eye, settings.provenance(now), plane, thumb, clip=clip or "embedded")
    if studio is not None:
        write_text(out.preset, dump(studio.preset))

    def label(seen: Atlas) -> Phases:
        return phases.by_clusters(seen, count) if chosen is None else phases.by_words(seen, eye.labels(chosen), chosen)

    return conclude(out, None, label)
