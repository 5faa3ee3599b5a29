"""The builder: from a preset to a film or a still. The library in ten lines::

from installation.film import make
from latentworld import preset

journey = preset.load("first-light", ["film.seconds=4"])
film = make.film(journey, "out/four-seconds")
print(film.summary.median_clip_step, film.video)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from installation.clock import Stopwatch
from installation.control.mailbox import Mailbox
from installation.film import chart, telemetry
from installation.film.ffmpeg import SUFFIX, Recipe, muxing
from installation.film.output import Folder, begin, claimed, made, prepare_folder, settle, write_text
from installation.film.sheet import Sheet, described
from installation.film.sinks import Room, Sink, Sinks, Stills, Video, save_png
from installation.film.summary import Summary, Tally, figures
from installation.frames import develop
from installation.loop import fixed, run
from installation.rig import Rig, build, open_studio
from installation.studio import Studio
from installation.takes import Parts
from installation.takes.film import Journey
from latentworld import __version__, vertices
from latentworld.decoding import Profile, Watch
from latentworld.disk import save
from latentworld.errors import Cancelled, OutputError
from latentworld.lipschitz import noise_floor
from latentworld.plane import check_place
from latentworld.preset import Preset, dump


@dataclass(frozen=True)
class Film:
    """What was made, and whether it is all of it (a watcher may have stopped it)."""

    folder: Folder
    video: Path
    summary: Summary

    @property
    def complete(self) -> bool:
        """Whether every frame was made."""
        return self.summary.complete


def film(
    preset: Preset, out: str | Path, *, overwrite: bool = False, sinks: Sequence[Sink] = (), watch: Watch | None = None,
    journey: Journey | None = None,
) -> Film:  # fmt: skip
    """Render a preset into the folder `out`.

    Frames also go to `sinks`; `watch(done, total)` is told of every denoising step and ends the film by returning
    False. However a film ends, what was made plays and its telemetry, pictures and summary lie beside it; without a
    frame nothing stays. An earlier film stays until the new one is whole: one that ends early lies in `unfinished/`
    then. A `journey` (of a take, its preset given as `preset`) goes its own way; a copy of the take is kept with it.
    """
    target = Path(out)
    with claimed(target):
        folder = begin(target, overwrite)
        if preset.film.codec != "frames":
            muxing(preset.film.codec)  # without an encoder nothing is begun
        rig = build(preset, watch)
        prepare_folder(folder.path)
        folder.clear()
        try:
            rendered = _render(rig, folder, sinks, journey, partial(open_studio, watch=watch))
        finally:
            if not folder.plays:
                folder.remove()
        if not rendered.complete:
            return rendered
        whole = settle(folder, target)
        return replace(rendered, folder=whole, video=whole.path / rendered.video.name)


def _render(
    rig: Rig, folder: Folder, sinks: Sequence[Sink], journey: Journey | None, reopen: Callable[[Preset], Studio]
) -> Film:
    """Run the loop into the folder, and write down what was made, also after a fault."""
    write_text(folder.preset, dump(rig.preset))
    clock, tally = Stopwatch(), Tally()
    video, keeper = _keeper(rig, folder)
    sheet = Sheet(folder.sheet, rig.plane, rig.preset.title, described(rig.preset, journey is not None))
    outlets = [Room(folder.path), keeper, telemetry.Recorder(folder.telemetry, rig.plane), sheet, tally, *sinks]
    own = Parts(rig.clock, rig.walk, fixed(rig.scene), rig.pilot)
    parts = journey.parts(rig, reopen) if journey else own
    if journey:
        save(folder.take, journey.take.text)
    try:
        # Cancelled is the watcher's wish and no fault: the summary says what is missing
        with Sinks(outlets) as outlet, suppress(Cancelled):
            run(parts.clock, Mailbox(), parts.walk, parts.direct, parts.pilot, outlet)
    except BaseException:
        _leave(rig, folder, tally, clock)
        raise
    return Film(folder, video, _record(rig, folder, tally, clock))


def still(preset: Preset, alpha: float, beta: float, radius: float, out: str | Path) -> Profile:
    """Render one place into a PNG, the picture that a film has there; a negative radius is the antipode's.

    Raises OutputError for another suffix than .png, GeometryError for numbers that are no place.
    """
    target = Path(out)
    if target.suffix.lower() != ".png":
        raise OutputError(f"a still is a PNG and nothing else: {out} should end in .png")
    check_place(alpha, beta, radius)  # before a world is loaded for nothing
    with made(target.parent):
        studio = open_studio(preset)
        latents = studio.plane.latents(*studio.plane.place(alpha, beta, radius))
        save_png(target, develop(studio.decoder(latents, studio.prompt))[0])
    return studio.decoder.profile


def _keeper(rig: Rig, folder: Folder) -> tuple[Path, Sink]:
    """What keeps the frames, and where."""
    spec, source = rig.preset.film, rig.decoder.size
    size = _size(rig)
    if spec.codec == "frames":
        return folder.frames, Stills(folder.frames, size, spec.fit)
    target = folder.video(SUFFIX[spec.codec])
    way = muxing(spec.codec)
    return target, Video(
        target, Recipe(spec.codec, spec.fps, source, size, spec.crf, spec.grain, muxing=way, fit=spec.fit)
    )


def _size(rig: Rig) -> tuple[int, int]:
    spec, (height, width) = rig.preset.film, rig.decoder.size
    return spec.size or (height * spec.scale, width * spec.scale)


def _record(rig: Rig, folder: Folder, tally: Tally, clock: Stopwatch) -> Summary:
    """Draw the chart and write the summary of what was made."""
    record, spec, profile = telemetry.read(folder.telemetry), rig.preset.film, rig.decoder.profile
    wall = clock.seconds
    summary = Summary(
        title=rig.preset.title,
        frames=len(record),
        planned=spec.frames,
        complete=len(record) == spec.frames,
        seconds=len(record) / spec.fps,
        fps=spec.fps,
        size=_size(rig),
        **figures(record, rig.preset.pacing, spec.fps),  # type: ignore[arg-type]
        noise_floor=_floor(rig, record) if len(record) == spec.frames else None,
        repeated_frames=tally.repeated,
        world=rig.studio.world,
        eye=rig.studio.seer,
        profile=profile,
        profile_hash=profile.hash,
        vertices=vertices.digest(rig.plane.vertices),
        wall_seconds=wall,
        frames_per_second=len(record) / wall,
        version=__version__,
    )
    write_text(folder.summary, summary.json())
    chart.draw(record, rig.plane, folder.chart, rig.preset.title, summary.at_ceiling)
    return summary


def _floor(rig: Rig, record: telemetry.Telemetry) -> float | None:
    """What rounding alone does to the features at the film's last place; None when the film is stopped meanwhile."""
    try:
        return noise_floor(rig.look, record.unit[-1], float(record.radius[-1]), repeats=3).jitter
    except Cancelled:
        return None


def _leave(rig: Rig, folder: Folder, tally: Tally, clock: Stopwatch) -> None:
    """After a fault: record what there is, and let the fault itself be what is reported."""
    with suppress(OutputError, OSError):
        _record(rig, folder, tally, clock)
