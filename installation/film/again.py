"""Pictures of one place: rendered into a PNG that says how, and made again from what such a PNG says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL.PngImagePlugin import PngInfo

from installation.film import keeping
from installation.film.finish import Finish
from installation.film.imprint import Imprint, Spot
from installation.film.output import made
from installation.film.showing import showing
from installation.film.sinks import save_png
from installation.film.upscale import Network
from installation.frames import develop, digest
from installation.rig import open_studio
from installation.studio import Studio
from latentworld.arrays import Picture, Unit
from latentworld.decoding import Profile, Watch
from latentworld.errors import OutputError, PresetError
from latentworld.plane import check_place
from latentworld.preset import Preset


@dataclass(frozen=True)
class Again:
    """A picture that was made again. same: as the model made it before; differences: what is another now."""

    profile: Profile
    same: bool
    differences: list[str]


Written = tuple[float, float, float]
"""A place as people write it: alpha, beta, and a radius that is negative for the antipode's."""


def still(preset: Preset, alpha: float, beta: float, radius: float, out: str | Path) -> Profile:
    """Render one place into a PNG, the picture that a film has there; a negative radius is the antipode's.

    Raises OutputError for another suffix than .png, GeometryError for numbers that are no place.
    """
    return stills(preset, [(alpha, beta, radius)], [Path(out)])


def stills(
    preset: Preset, places: Sequence[Written], files: Sequence[Path], *, finished: bool = False,
    told: Callable[[int, int], object] = lambda done, total: None, watch: Watch | None = None,
) -> Profile:  # fmt: skip
    """Render places into PNGs, each the picture that a film has there. finished: enlarged, in the size and with the
    grain that `film` asks for, as frames are; else as the model made them; told: pictures done, and in all.

    Raises as `still`, and where a network that enlarges cannot be used.
    """
    targets = [_png(file) for file in files]
    for place in places:
        check_place(*place)  # before a world is loaded for nothing
    network = keeping.network(preset) if finished else None
    with ExitStack() as folders:
        for folder in dict.fromkeys(target.parent for target in targets):
            folders.enter_context(made(folder))
        studio = open_studio(preset, watch)
        marks = keeping.marks(studio)
        finish = keeping.finish(studio.preset, studio.decoder.size, network) if finished else None
        step = studio.decoder.settings.batch
        told(0, len(places))
        for first in range(0, len(places), step):
            found = [studio.plane.place(*map(float, place)) for place in places[first : first + step]]
            units, radii = np.stack([unit for unit, _ in found]), np.array([radius for _, radius in found])
            pictures = develop(studio.decoder(studio.plane.latents(units, radii), studio.prompt))
            for target, unit, radius, picture in zip(targets[first:], units, radii.tolist(), pictures, strict=False):
                info = None if marks is None else marks.png(unit, radius, picture, finished=finished)
                _save(target, picture, finish, info)
            told(min(first + step, len(places)), len(places))
    return studio.decoder.profile


def _save(target: Path, picture: Picture, finish: Finish | None, info: PngInfo | None, frame: int = 0) -> None:
    """A picture as it is kept. finish: None for one that stays as the model made it; frame: its number in the film."""
    if finish is None:
        save_png(target, picture, info=info)
    else:
        save_png(target, finish(picture, frame), finish.size, finish.fit, info)


def again(found: Imprint, preset: Preset, out: str | Path, *, finished: bool = False) -> Again:
    """Make the picture of an imprint once more, finished as it was, a frame of a film as that was. preset: the
    imprint's, perhaps with other values; finished: in any case.

    Raises PresetError where it is of no single place or of a take, and as `still`.
    """
    target, place = _png(out), _place(found)
    finished = finished or found.finished
    finishing = finished or found.frame is not None
    network = keeping.network(preset) if finishing else None
    with made(target.parent):
        studio = open_studio(preset)
        unit, radius = np.array(place.unit), abs(place.radius)
        picture, marks = _picture(studio, unit, radius), keeping.marks(studio)
        info = None if marks is None else marks.png(unit, radius, picture, found.frame, finished=finished)
        shown = None if found.frame is None else showing(studio.preset)
        finish = keeping.finish(studio.preset, studio.decoder.size, network, shown) if finishing else None
        _save(target, picture, finish, info, found.frame or 0)
    apart = found.differences(studio) + (_networks(found, network) if finishing else [])
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
