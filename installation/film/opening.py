"""What a film is begun with: what decides its pictures, how its frames are kept, and what of it is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from installation.film.keeping import enlarged
from installation.film.keeping import pieces as pieces_of
from installation.film.manifest import VERSION, Identity, begun, resumed
from installation.film.output import Folder, prepare_folder
from installation.film.pieces import Pieces
from installation.film.playing import score_of
from installation.film.reel import Reel
from installation.film.soundtrack import digest
from installation.loop import fixed
from installation.rig import Rig, open_studio
from installation.score import filmable
from installation.score.performance import Performance
from installation.studio import Studio
from installation.takes import Parts
from installation.takes.film import Journey
from latentworld import __version__, vertices
from latentworld.preset import Preset

SMALL = 256  # pixels a side, up to which a processor makes faithful pictures within a second
_NO_MATTER: dict[str, bool | set[str]] = {
    "title": True,
    "description": True,
    "world": True,
    "eye": True,
    "show": True,
    "plane": {"vertices"},
    "film": {"upscale", "chapters", "subtitles"},
    "sound": {"file"},
}
"""Of a preset, what no picture depends on, or what a digest stands for."""


def opened(
    rig: Rig, folder: Folder, identity: Identity, pieces: Pieces, overwrite: bool, way: Path | None = None
) -> Reel:  # fmt: skip
    """The reel that was begun in a folder, or a new one. way: a plan there that is the film's own, and stays. Raises as
    `manifest.resumed`."""
    manifest = resumed(folder.manifest, identity, overwrite) if folder.manifest.exists() else None
    if manifest is None:
        prepare_folder(folder.path)
        folder.clear(way)
        manifest = begun(folder.manifest, identity)
    return Reel(folder.chunks, manifest, pieces, rig.plane, identity.chunk)


def identity(rig: Rig, take: str | None = None) -> Identity:
    """What decides the pictures of a rig. take: digest of the take that is filmed."""
    spec, preset = rig.preset.film, rig.preset.model_dump(mode="json", exclude=_NO_MATTER)  # type: ignore[arg-type]
    return Identity(
        version=VERSION,
        program=__version__,
        preset=preset,
        world=rig.studio.world,
        eye=rig.studio.seer,
        vertices=vertices.digest(rig.plane.vertices),
        profile=dict(rig.decoder.profile.record()),
        take=take,
        chunk=max(1, round(chunk_seconds(rig) * spec.fps)),
        enlarger=None if (network := enlarged(rig.preset)) is None else network.digest,
        sound=digest(rig.preset),
    )


def chunk_seconds(rig: Rig) -> float:
    """Seconds of film in a chunk, which are minutes of work at most: on two cores a faithful picture of the embedded
    world takes .45 s, one of Stable Diffusion 8. By settings and machine alone: chunks begin with a key frame, so a
    film that was timed would be another one each time."""
    chunk, decoder = rig.preset.film.chunk, rig.decoder
    if chunk != "auto":
        return chunk
    if decoder.settings.kind != "faithful":
        return 60.0
    return 2.0 if decoder.profile.device == "cpu" and max(decoder.size) > SMALL else 10.0


def told(journey: Journey | None) -> str | None:
    """Digest of the take or plan that a film's own words name: none for a way that was planned for that film alone
    (`Folder.plan`), which its preset plans again."""
    return None if journey is None or journey.own else journey.digest


def own_parts(rig: Rig, reopen: Callable[[Preset], Studio] = open_studio, fps: float | None = None) -> Parts:
    """A preset's own walk, clock and pilot, and its score. fps: as in `playing.score_of`. Raises PresetError for a
    score that cannot be played."""
    score = score_of(rig.preset, fps)
    if score is not None:
        filmable.check_walks(score, rig.plane)
        return Performance(rig, score, reopen).parts()
    return Parts(rig.clock, rig.walk, fixed(rig.scene), rig.pilot)


__all__ = ["identity", "opened", "own_parts", "pieces_of", "told"]
