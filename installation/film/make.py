"""The builder: from a preset to a film or a still. The library in ten lines::

from installation.film import make
from latentworld import preset

journey = preset.load("first-light", ["film.seconds=4"])
film = make.film(journey, "out/four-seconds")
print(film.summary.median_clip_step, film.video)
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from installation.film import chart, imprint, manifest, playing, repair, sheet, soundtrack, subtitles, telemetry
from installation.film.again import still as still
from installation.film.again import stills as stills
from installation.film.imprint import Imprint
from installation.film.keeping import able, enlarged, size
from installation.film.label import Chapter, Label, at_rifts, settled
from installation.film.opening import identity, opened, own_parts, pieces_of, told
from installation.film.output import Folder, begin, claimed, settle, write_text
from installation.film.passes import planned_first
from installation.film.plan import SILENT, Watching, plan
from installation.film.progress import progress_file
from installation.film.reel import Reel
from installation.film.remote import OnRay, render_on
from installation.film.rendering import render
from installation.film.showing import showing
from installation.film.sinks import Room, Sink
from installation.film.summary import Summary, figures
from installation.rig import Rig, build, open_studio
from installation.studio import Studio
from installation.takes import read
from installation.takes.film import Journey
from installation.takes.film import journey as filmed
from latentworld import __version__, vertices
from latentworld.decoding import Watch
from latentworld.disk import save
from latentworld.errors import Cancelled, Notice, OutputError, OutputExists
from latentworld.lipschitz import noise_floor
from latentworld.preset import Preset, dump


@dataclass(frozen=True)
class Film:
    """What was made, and whether it is all of it (a watcher may have stopped it). kept: frames that are not made again:
    those of whole chunks."""

    folder: Folder
    video: Path
    summary: Summary
    kept: int

    @property
    def complete(self) -> bool:
        """Whether every frame was made."""
        return self.summary.complete


def film(
    preset: Preset, out: str | Path, *, overwrite: bool = False, sinks: Sequence[Sink] = (), watch: Watch | None = None,
    journey: Journey | None = None, frames: range | None = None, ray: OnRay | None = None,
    planning: Watching = SILENT,
) -> Film:  # fmt: skip
    """Render a preset into the folder `out`, or go on with that film where it was begun there.

    Frames also go to `sinks`; `watch(done, total)` is told of every denoising step and ends the film by returning
    False. A film is made in chunks (`film.chunk` seconds): whatever ends it, those that are whole stay, the one under
    way plays but is made again, and telemetry, pictures and summary of what there is lie beside them; without a frame
    nothing stays. An earlier film stays until the new one is whole, which lies in `unfinished/` meanwhile. A `journey`
    (of a take or a plan, its preset given as `preset`) goes its own way; a copy of it is kept with the film. frames: of
    a journey, only the chunks that these lie in are made. ray: they are made by workers, and `sinks` get nothing. A
    preset whose way must be known first (`passes.planned_first`) is planned into the folder, through the decoder that
    `pacing.look` names; `planning` follows that, and Cancelled is raised where `watch` ends it.

    Raises OutputExists where a film is, or was begun otherwise, that may not be replaced, OutputError for `frames` or
    `ray` of a way that is not known beforehand, and what `remote.render_on` raises.
    """
    target = Path(out)
    soundtrack.check(preset)  # before a world is loaded for nothing
    if journey is None:
        playing.check(preset)
    with claimed(target):
        folder = begin(target, overwrite)
        preset = able(preset)  # without an encoder nothing is begun
        if folder.joined and not folder.whole:
            repair.taken_apart(folder)  # its summary alone is gone
        if journey is None and planned_first(preset):
            journey = _planned(preset, folder, overwrite, planning, watch)
            preset = journey.preset
        rig = build(preset, watch)
        if journey is not None:
            journey.check_world(rig)
        reel = _reel(rig, folder, journey, overwrite)
        try:
            rendered = _render(rig, folder, reel, sinks, journey, partial(open_studio, watch=watch), frames, ray)
        finally:
            if not folder.plays and not folder.plans():
                folder.remove()
        if not rendered.complete:
            return rendered
        whole = settle(folder, target)
        return replace(rendered, folder=whole, video=whole.path / rendered.video.name)


def _planned(preset: Preset, folder: Folder, overwrite: bool, watching: Watching, watch: Watch | None) -> Journey:
    """The way of a preset, planned in its film's folder, or found there. Raises OutputExists where the folder has one
    of another preset, and Cancelled where the watcher ended it."""
    kind = preset.pacing.look if preset.decoder.kind == "faithful" else "scout"
    target = folder.plan(hashlib.sha256(f"{__version__}\n{dump(preset)}".encode()).hexdigest()[:12])
    others = [path for path in folder.plans() if path != target]
    if (others or _begun_without_plan(folder)) and not overwrite:
        raise OutputExists(
            f"{folder.path} holds a film begun otherwise (its way was planned for another preset or by another "
            f"version): film it as it was begun, give --overwrite, or another folder"
        )
    for path in others:
        path.unlink()
    if not target.exists():
        made = plan(preset, target, kind=kind, watching=watching, watch=watch)
        if not made.complete:
            raise Cancelled("the way is not known yet: the same again goes on with it")
        watching.planned(made)
    return replace(filmed(read(target), preset=preset), own=True)


def _begun_without_plan(folder: Folder) -> bool:
    """Whether a film was begun there that finds its way as it goes."""
    return folder.manifest.is_file() and manifest.read(folder.manifest).identity.take is None


def _reel(rig: Rig, folder: Folder, journey: Journey | None, overwrite: bool) -> Reel:
    """What is there of the film; anything else in the folder goes only if it may."""
    own = identity(rig, None if journey is None else journey.digest)
    played = journey is not None and not journey.take.header.planned
    stage = None if played else showing(rig.preset)  # of a take nobody knows what its stage did
    way = journey.take.path if journey is not None and journey.own else None
    return opened(rig, folder, own, pieces_of(rig, folder, told(journey), stage), overwrite, way)


def _render(
    rig: Rig, folder: Folder, reel: Reel, sinks: Sequence[Sink], journey: Journey | None,
    reopen: Callable[[Preset], Studio], frames: range | None, ray: OnRay | None,
) -> Film:  # fmt: skip
    """Run the loop into the folder, chunk by chunk, and write down what was made, also after a fault."""
    write_text(folder.preset, dump(rig.preset))
    parts = journey.parts(rig, reopen) if journey else own_parts(rig, reopen)
    if (frames is not None or ray is not None) and (parts.after is None or journey is None):
        raise OutputError("frames are placed one after the other: plan the film, and render frames of the plan")
    if journey:
        save(folder.take, journey.take.text)
    watcher = progress_file(folder.progress, rig.preset.film.frames, journey.origin if journey else 0)
    try:
        # Cancelled is the watcher's wish and no fault: the summary says what is missing
        with suppress(Cancelled):
            if ray is not None and journey is not None:
                told = replace(ray, arrivals=[watcher, *ray.arrivals])
                render_on(told, rig, reel, journey, parts, Room(folder.path), frames)
            else:
                render(rig, reel, parts, Room(folder.path), [watcher, *sinks], frames)
    except BaseException:
        with suppress(OutputError, OSError):  # the fault itself is what is reported
            _record(rig, folder, reel, journey)
        raise
    return _finished(rig, folder, reel, journey, frames)


def _finished(rig: Rig, folder: Folder, reel: Reel, journey: Journey | None, frames: range | None) -> Film:
    """Put a film together of which every chunk is there; of another, say what there is. frames: that were wanted."""
    if reel.frames < rig.preset.film.frames:
        shown = reel.newest if frames is None else reel.shown(frames)
        return Film(folder, shown, _record(rig, folder, reel, journey), reel.frames)
    playing.tell_of_waiting(rig.preset, reel.manifest.chunks[-1].score)
    video = reel.join(_label(rig, folder, reel, journey))
    return Film(folder, video, _record(rig, folder, reel, journey), reel.frames)


def _label(rig: Rig, folder: Folder, reel: Reel, journey: Journey | None) -> Label:
    """What the film's file says of itself: how it was made, and where its cues and rifts are."""
    spec, made = rig.preset.film, _imprint(rig, journey)
    words = {} if made is None else {"title": rig.preset.title, "comment": made.text}
    if made is not None and not made.text:
        warnings.warn(
            "the preset is too long for what the film says of itself: keep preset.toml with it", Notice, stacklevel=2
        )
    if not spec.chapters:
        return Label(reel.frames / spec.fps, words)
    reel.tell(folder.telemetry)
    rifts = at_rifts(telemetry.read(folder.telemetry), spec.fps, places=not spec.private)
    wanted, seconds = [*_cues(rig, reel), *rifts], reel.frames / spec.fps
    return Label(seconds, words, settled(wanted, seconds, rig.preset.title or "Beginning"))


def _cues(rig: Rig, reel: Reel) -> list[Chapter]:
    """A chapter for each cue of the score that has a name, where it came."""
    score, stand = playing.score_of(rig.preset), reel.manifest.chunks[-1].score
    came = {} if stand is None else dict(stand.fired)
    cues = [] if score is None else [(cue.name, came.get(cue.number, cue.start)) for cue in score.cues]
    return [Chapter(start, name) for name, start in cues if name and start is not None]


def _imprint(rig: Rig, journey: Journey | None) -> Imprint | None:
    return imprint.of(rig.studio, told(journey), enlarged(rig.preset))


def _record(rig: Rig, folder: Folder, reel: Reel, journey: Journey | None) -> Summary:
    """Write telemetry, sheet, chart and summary of what was made."""
    reel.tell(folder.telemetry)
    record, spec, profile = telemetry.read(folder.telemetry), rig.preset.film, rig.decoder.profile
    wall, network = reel.seconds, enlarged(rig.preset)
    whole = reel.frames == spec.frames
    summary = Summary(
        title=rig.preset.title,
        frames=len(record),
        planned=spec.frames,
        complete=whole,
        seconds=len(record) / spec.fps,
        fps=spec.fps,
        size=size(rig.preset, rig.decoder.size, 1 if network is None else network.scale),
        **figures(record, rig.preset.pacing, spec.fps),  # type: ignore[arg-type]
        noise_floor=_floor(rig, record) if whole else None,
        seam_step=_seam(rig, reel, record) if whole and (spec.loop or spec.there_and_back) else None,
        repeated_frames=reel.repeated,
        world=rig.studio.world,
        eye=rig.studio.seer,
        profile=profile,
        profile_hash=profile.hash,
        vertices=vertices.digest(rig.plane.vertices),
        wall_seconds=wall,
        frames_per_second=reel.frames / wall if wall else 0.0,
        version=__version__,
        upscale=network,
    )
    if spec.subtitles:
        said = subtitles.constant(rig.studio.prompt) if journey is None else subtitles.of_take(journey.take)
        subtitles.write(folder.subtitles(spec.subtitles), folder.telemetry, spec.subtitles, spec.fps, said)
    made, text = _imprint(rig, journey), sheet.described(rig.preset, journey is not None)
    sheet.save(folder.sheet, record, reel.picture, rig.preset.title, text, None if made is None else made.png)
    chart.draw(record, rig.plane, folder.chart, rig.preset.title, summary.at_ceiling)
    write_text(folder.summary, summary.json())  # last: with it a film is whole
    return summary


def _seam(rig: Rig, reel: Reel, record: telemetry.Telemetry) -> float | None:
    """The CLIP step from a loop's last frame, as it was seen, to its first; None when the film is stopped meanwhile."""
    last = reel.manifest.chunks[-1].trail.features
    try:
        first = np.asarray(rig.look(record.unit[:1], record.radius[:1]), np.float64)[0]
    except Cancelled:
        return None
    return float(np.linalg.norm(first - last))


def _floor(rig: Rig, record: telemetry.Telemetry) -> float | None:
    """What rounding alone does to the features at the film's last place; None when the film is stopped meanwhile."""
    try:
        return noise_floor(rig.look, record.unit[-1], float(record.radius[-1]), repeats=3).jitter
    except Cancelled:
        return None
