"""Pictures of one place: rendered into a PNG that says how, and made again from what such a PNG says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from installation.film import keeping
from installation.film.imprint import Imprint, Spot
from installation.film.output import made
from installation.film.showing import showing
from installation.film.sinks import save_png
from installation.film.upscale import Network
from installation.frames import develop, digest
from installation.rig import open_studio
from installation.studio import Studio
from latentworld.arrays import Picture, Unit
from latentworld.decoding import Profile
from latentworld.errors import OutputError, PresetError
from latentworld.plane import check_place
from latentworld.preset import Preset


@dataclass(frozen=True)
class Again:
    """A picture that was made again. same: as the model made it before; differences: what is another now."""

    profile: Profile
    same: bool
    differences: list[str]


def still(preset: Preset, alpha: float, beta: float, radius: float, out: str | Path) -> Profile:
    """Render one place into a PNG, the picture that a film has there; a negative radius is the antipode's.

    Raises OutputError for another suffix than .png, GeometryError for numbers that are no place.
    """
    target = _png(out)
    check_place(alpha, beta, radius)  # before a world is loaded for nothing
    with made(target.parent):
        studio = open_studio(preset)
        unit, far = studio.plane.place(float(alpha), float(beta), float(radius))
        picture, marks = _picture(studio, unit, far), keeping.marks(studio)
        save_png(target, picture, info=None if marks is None else marks.png(unit, far, picture))
    return studio.decoder.profile


def again(found: Imprint, preset: Preset, out: str | Path) -> Again:
    """Make the picture of an imprint once more, a frame of a film finished as that was. preset: the imprint's, perhaps
    with other values.

    Raises PresetError where it is of no single place or of a take, and as `still`.
    """
    target, place = _png(out), _place(found)
    network = keeping.network(preset) if found.frame is not None else None
    with made(target.parent):
        studio = open_studio(preset)
        unit, radius = np.array(place.unit), abs(place.radius)
        picture, marks = _picture(studio, unit, radius), keeping.marks(studio)
        info = None if marks is None else marks.png(unit, radius, picture, found.frame)
        if found.frame is None:
            save_png(target, picture, info=info)
        else:
            finish = keeping.finish(studio.preset, studio.decoder.size, network, showing(studio.preset))
            save_png(target, finish(picture, found.frame), finish.size, finish.fit, info)
    apart = found.differences(studio) + (_networks(found, network) if found.frame is not None else [])
    return Again(studio.decoder.profile, digest(picture) == found.sum, apart)


def _networks(found: Imprint, network: Network | None) -> list[str]:
    """Whether another network enlarges than before."""
    before, now = (
        "lanczos" if each is None else f"{each.network} {each.digest:.12}"
        for each in (found.enlarged, None if network is None else network.record)
    )
    return [] if before == now else [f"enlarged by {before}, now {now}"]


def _picture(studio: Studio, unit: Unit, radius: float) -> Picture:
    picture: Picture = develop(studio.decoder(studio.plane.latents(unit, radius), studio.prompt))[0]
    return picture


def _place(found: Imprint) -> Spot:
    if found.take is not None:
        raise PresetError("the picture is of a take or a plan, whose scenes it does not hold: film that again")
    if found.place is None:
        raise PresetError("the picture is of no single place: give a still, or a frame of a film")
    if found.made:
        raise PresetError(
            f"the picture is none of its own place alone ({found.made:.80}): film that again, or take another"
        )
    place = found.place
    check_place(place.alpha, place.beta, place.radius)
    if not np.isclose(np.linalg.norm(place.unit), 1.0, rtol=0, atol=1e-9):
        raise PresetError("the picture says a place that is not on the globe: give another picture")
    return place


def _png(out: str | Path) -> Path:
    if Path(out).suffix.lower() != ".png":
        raise OutputError(f"a still is a PNG and nothing else: {out} should end in .png")
    return Path(out)
