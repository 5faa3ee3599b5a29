"""What a show's parts stand on: what is performed and where, its folder, log and ring, time, and how it ends."""

from __future__ import annotations

import contextlib
import datetime
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from logging import Logger
from pathlib import Path

from installation.disk_worker import DiskWorker
from installation.health.log import close_log, open_log
from installation.ipc.ring import Ring
from installation.show import state
from installation.show.announcer import Announcer
from installation.show.awake import AwakeClock
from installation.show.children import Programs
from installation.show.descriptors import Reserve, allow_many
from installation.show.ending import Ending
from installation.show.fallback import Patience
from installation.show.newest_picture import NewestPicture
from installation.show.status import StatusCollector
from installation.venue import Venue
from latentworld import disk
from latentworld.errors import ShowError
from latentworld.preset import Preset, dump, load

LOG = "log.jsonl"
FAREWELL = 5.0  # seconds in which the disk takes what is still to be kept
LARGEST = 1024  # pixels of a picture's side that there is always room for


@dataclass(frozen=True)
class Runtime:
    """What is another in tests. programs: what is run as children; clock: seconds of the monotonic clock that they
    share; today: local time; environment: variables by name; saving: seconds between two states on disk."""

    patience: Patience = field(default_factory=Patience)
    programs: Programs = field(default_factory=Programs)
    clock: Callable[[], float] = time.monotonic
    today: Callable[[], datetime.datetime] = datetime.datetime.now
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    saving: float = 30.0


class Footprint:
    """What a start writes into its folder before it has begun: where it is refused, `leave` takes it away again."""

    def __init__(self, folder: Path) -> None:
        files = [folder / name for name in (".lock", LOG, "preset.toml", "safe.toml")]
        self._new = [path for path in (*files, folder) if not path.exists()]

    def keep(self) -> None:
        """The show begins."""
        self._new = []

    def leave(self) -> None:
        """Remove what was not there before; a folder that somebody else has put something into stays."""
        for path in self._new:
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()


@dataclass(frozen=True, eq=False)
class Premises:
    """safe: the preset to fall back to; folder: ours alone, with `preset.toml` and `safe.toml` in it; worker: does what
    is done in it while the show runs; awake: the clock by which others are waited for."""

    preset: Preset
    safe: Preset
    venue: Venue
    folder: Path
    log: Logger
    newest_picture: NewestPicture
    status: StatusCollector
    announcer: Announcer
    worker: DiskWorker
    reserve: Reserve
    awake: AwakeClock
    footprint: Footprint
    ending: Ending
    runtime: Runtime


@contextlib.contextmanager
def claimed(
    preset: Preset, venue: Venue, announce: Callable[[str], None], ending: Ending, runtime: Runtime
) -> Iterator[Premises]:
    """Claim the folder, open the log and create the ring; in the end let go of them.

    Raises PresetError for the safe preset, ShowError where another show is in the folder, OutputError.
    """
    safe, folder = load(venue.safe), Path(venue.folder)
    footprint = Footprint(folder)
    with contextlib.ExitStack() as undo:
        with disk.writing(folder, fault=ShowError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            undo.callback(state.claim(folder).release)
        undo.callback(footprint.leave)
        log = open_log(folder / LOG)
        undo.callback(close_log, log)
        for name, each in (("preset", preset), ("safe", safe)):
            state.write_if_changed(folder / f"{name}.toml", dump(each))
        newest_picture = undo.enter_context(_ring(preset))
        status = StatusCollector(runtime.clock())
        announcer = Announcer(announce, log, status, runtime.clock)
        allow_many()
        reserve = Reserve()
        undo.callback(reserve.close)
        worker, awake = DiskWorker(runtime.clock, reserve), AwakeClock(runtime.clock)
        worker.start()
        undo.callback(_end_work, worker, folder, announcer)
        yield Premises(
            preset, safe, venue, folder, log, newest_picture, status, announcer, worker, reserve, awake, footprint,
            ending, runtime,
        )  # fmt: skip


def _end_work(worker: DiskWorker, folder: Path, announcer: Announcer) -> None:
    if not worker.stop(FAREWELL):
        announcer.fault(f"the disk of {folder} does not answer: what was to be kept last is lost")


@contextlib.contextmanager
def _ring(preset: Preset) -> Iterator[NewestPicture]:
    """A ring with room for the preset's pictures."""
    decoder = preset.decoder
    ring = Ring.create(size=(max(decoder.height or 0, LARGEST), max(decoder.width or 0, LARGEST)))
    newest_picture = NewestPicture(ring)
    try:
        yield newest_picture
    finally:
        newest_picture.close()
        ring.unlink()
