"""What a show records: takes and videos; and which take is replayed. It follows two switches on the desk."""

from __future__ import annotations

import datetime
import math
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from installation.control.desk import Desk
from installation.control.desk.snapshots import NAME
from installation.control.parameters import RECORD_TAKE, RECORD_VIDEO
from installation.disk_worker import DiskWorker
from installation.ipc.messages import Ready, SceneChange, Tick
from installation.show.children import Child
from latentworld.disk import writing
from latentworld.errors import DiskFull, LatentWorldError, TakeError

if TYPE_CHECKING:
    from installation.takes import Recorder

SOURCE = "show"
PATIENCE = 20.0  # seconds in which an encoder writes what it still holds
OPENING, SILENCE = 60.0, 10.0  # seconds without a word of an output from which it hangs: until its first, and later
Record = Callable[[Path, Callable[[], None]], Child]


class Recordings:
    """folder: of the show, with `takes/` and `video/` in it; record: starts an output to a file, and calls at each of
    its messages; worker: does what takes a disk; reserve: bytes of the disk that are never touched; announce: takes one
    line about whatever happens; awake: seconds by which an encoder is waited for, see `AwakeClock`.
    `tend` belongs to the thread that starts children, the rest may be called on any; names, find and spare look at the
    disk."""

    def __init__(
        self, folder: Path, desk: Desk, record: Record, worker: DiskWorker, reserve: int,
        announce: Callable[[str], None], clock: Callable[[], float], awake: Callable[[], float],
        today: Callable[[], datetime.datetime],
    ) -> None:  # fmt: skip
        self._folder, self._desk, self._record, self._reserve = folder, desk, record, reserve
        self._worker, self._announce, self._today = worker, announce, today
        self._clock, self._awake = clock, awake
        self._lock = threading.Lock()  # a take that is begun must hear of every scene before its frames
        self._ready: Ready | None = None
        self._scene: SceneChange | None = None
        self._period = 0.0
        self._take: Recorder | None = None
        self._begun: Future[Recorder] | None = None  # a take that the disk is asked for
        self._unlisten: Callable[[], None] = lambda: None
        self._place: Future[Path] | None = None  # of a video, which the disk is asked for
        self._video: Child | None = None
        self._path: Path | None = None  # of the video's first part
        self._stopping: float | None = None  # since when the video is to end
        self._hangs = math.inf  # from when on the video counts as hung, and nobody was told

    # ---- what the renderer says

    def ready(self, ready: Ready) -> None:
        """It is ready; another world or profile is another take."""
        before = self._ready
        if before is not None and (before.world, before.profile, before.preset) != (
            ready.world,
            ready.profile,
            ready.preset,
        ):
            self._end_take()
        self._ready = ready

    def scene(self, change: SceneChange) -> None:
        """Another scene."""
        with self._lock:
            self._scene = change
            if take := self._take:
                take.scene(change)

    def tick(self, tick: Tick) -> None:
        """Pictures were made."""
        self._period = tick.period
        with self._lock:
            if take := self._take:
                take.tick(tick)

    # ---- what people want

    def tend(self) -> None:
        """Begin and end what the desk's switches say."""
        take, video = self._desk.value(RECORD_TAKE.name), self._desk.value(RECORD_VIDEO.name)
        if self._begun is not None:
            if self._begun.done():
                self._take_begun(self._begun)
        elif take and self._take is None and self._ready is not None and self._scene is not None:
            self._begin_take(self._ready)
        elif not take and self._take is not None:
            self._end_take()
        if self._place is not None:
            if self._place.done():
                self._begin_video(self._place)
        elif video and self._video is None:
            self._place = self._worker.submit(self._room)
        elif self._video is not None and not self._video.alive:
            self._lost_video(self._video)
        elif not video and self._video is not None:
            self._end_video(self._video)
        elif self._video is not None and self._awake() > self._hangs:
            self._hangs = math.inf
            self._announce("the video hangs: pictures are not kept meanwhile; see to its disk, or end it")

    def names(self) -> list[str]:
        """Of recorded takes, newest first."""
        try:
            found = [path for path in (self._folder / "takes").glob("*.take") if NAME.fullmatch(path.stem)]
            return [path.stem for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]
        except OSError:
            return []

    def in_use(self) -> tuple[str, ...]:
        """The take that is being recorded."""
        take = self._take
        return () if take is None else (take.path.stem,)

    @property
    def video(self) -> Child | None:
        """The output that records, which shows what the wall shows."""
        return self._video

    def find(self, name: str) -> Path:
        """The take of that name. Raises TakeError."""
        if name not in self.names():
            raise TakeError(f"there is no take {name!r:.80}: use one of {', '.join(self.names()[:5]) or 'none so far'}")
        return self._folder / "takes" / f"{name}.take"

    def spare(self) -> None:
        """End recordings before the disk is full."""
        if not (self._video or self._take) or self._free() > self._reserve:
            return
        self._announce(f"the recording ends: less than {self._reserve / 1e6:.0f} MB are free; free some space")
        self._desk.set(RECORD_VIDEO.name, False, SOURCE)
        self._desk.set(RECORD_TAKE.name, False, SOURCE)

    def close(self) -> None:
        """End everything; waits for the video's last bytes, and for no disk."""
        if self._begun is not None and not self._begun.cancel() and self._begun.done():
            self._take_begun(self._begun)
        self._end_take()
        if self._video is not None:
            self._video.stop()
            self._video.wait(PATIENCE)
            self._lost_video(self._video)

    # ---- within

    def _begin_take(self, ready: Ready) -> None:
        """Ask the disk for it; `tend` sees it begin."""
        started, values, period = self._today().isoformat(timespec="seconds"), self._desk.values(), self._period

        def begin() -> Recorder:
            from installation.takes import Recorder, header

            path = self._new("takes", ".take")
            with writing(path, fault=TakeError):
                path.parent.mkdir(parents=True, exist_ok=True)
            return Recorder(path, header(ready, values, started, period), self._clock, self._reserve, self._failed_take)

        self._begun = self._worker.submit(begin)

    def _take_begun(self, begun: Future[Recorder]) -> None:
        self._begun = None
        try:
            take = begun.result()
        except (LatentWorldError, ValueError) as error:
            self._desk.set(RECORD_TAKE.name, False, SOURCE)
            self._announce(f"no take can be recorded: {error}")
            return
        with self._lock:
            if self._scene is not None:
                take.scene(self._scene)
            self._take = take
        self._unlisten = self._desk.listen(take.listen)
        self._announce(f"recording the take {take.path.stem}")

    def _end_take(self) -> None:
        with self._lock:
            take, self._take = self._take, None
        if take is None:
            return
        self._unlisten()
        take.close(0.0)

        def finish() -> None:
            take.close()
            if take.fault is None:
                self._announce(f"recorded the take {take.path.stem}")

        self._worker.submit(finish)

    def _failed_take(self, fault: TakeError) -> None:
        self._announce(f"the take ended: {fault}")
        self._desk.set(RECORD_TAKE.name, False, SOURCE)

    def _room(self) -> Path:
        """Where a video may be written. Raises OutputError, DiskFull."""
        path = self._new("video", ".mp4")
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            free = self._free()
        if free <= self._reserve:
            raise DiskFull(f"less than {self._reserve / 1e6:.0f} MB are free")
        return path

    def _begin_video(self, place: Future[Path]) -> None:
        self._place = None
        try:
            path = place.result()
            self._hangs = self._awake() + OPENING
            self._video, self._path = self._record(path, self._heard), path
        except (OSError, LatentWorldError) as error:
            self._desk.set(RECORD_VIDEO.name, False, SOURCE)
            self._announce(f"no video can be recorded: {error}")
            return
        self._announce(f"recording the video {path.name}")

    def _heard(self) -> None:
        """The video's output said something."""
        self._hangs = self._awake() + SILENCE

    def _end_video(self, video: Child) -> None:
        """Ask it to finish its file; `tend` sees it end."""
        now = self._awake()
        if self._stopping is None:
            self._stopping = now
            video.stop()
        elif now - self._stopping > PATIENCE:
            video.kill()

    def _lost_video(self, video: Child) -> None:
        self._video = self._stopping = None
        video.wait(0.0)
        path, self._path = self._path, None
        kept = path is not None and path.is_file() and path.stat().st_size > 0
        if video.code == 0 and kept:
            self._announce("recorded the video")
        else:
            state = "what was written so far plays" if kept else "nothing was kept"
            self._announce(f"the video {video.why()}; {state}")
        if self._desk.value(RECORD_VIDEO.name):
            self._desk.set(RECORD_VIDEO.name, False, SOURCE)

    def _new(self, folder: str, suffix: str) -> Path:
        stem = f"{self._today():%Y-%m-%d %H-%M-%S}"
        names = [stem, *(f"{stem} {number}" for number in range(2, 100))]
        return next(p for name in names if not (p := self._folder / folder / f"{name}{suffix}").exists())

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free
