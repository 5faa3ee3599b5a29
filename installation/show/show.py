"""A show as ports see it, while it runs."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from installation.backstage import AnswerContent, LogLine, Question, ShelfKind, Status
from installation.control.controls import VertexControls
from installation.control.desk import Desk
from installation.control.desk.shelf import Shelf
from installation.control.desk.snapshots import Snapshots
from installation.control.parameter import rows
from installation.health.log_tail import last
from installation.ipc.questions import PictureQuestion
from installation.score.player import Player
from installation.show.atlas_chart import AtlasChart
from installation.show.callbacks import Callbacks, Listener
from installation.show.ending import Ending
from installation.show.newest_picture import NewestPicture
from installation.show.premises import LOG
from installation.show.processes import Processes
from installation.show.pulse import Pulse
from installation.show.recordings import Recordings
from installation.show.requests import Requests
from installation.show.status import StatusCollector

PATIENCE = 900.0  # seconds in which a picture is to be a vertex: its network is called some 200 times, once a tick


@dataclass(frozen=True, eq=False)
class Show:
    """A `Backstage`: a preset that is performed at a venue. `open_show` makes one of its parts."""

    desk: Desk
    snapshots: Snapshots
    recordings: Recordings
    processes: Processes
    status_collector: StatusCollector
    requests: Requests
    callbacks: Callbacks
    newest_picture: NewestPicture
    atlas_chart: AtlasChart
    ending: Ending
    pulse: Pulse
    clock: Callable[[], float]
    folder: Path
    shelves: Mapping[ShelfKind, Shelf]
    player: Player | None = None

    def status(self) -> Status:
        """The show as it is now."""
        processes = self.processes
        held, pulse = self.desk.held, self.pulse.age
        found = self.status_collector.status(self.clock(), processes.renderer_state, processes.restarts, held, pulse)
        found = replace(found, spare=processes.spare)
        return found if self.player is None else replace(found, score=self.player.status())

    def ask(self, question: Question) -> Future[AnswerContent]:
        """A question to the renderer; the future fails with ShowError when it dies or does not answer in time."""
        child = self.processes.renderer.child
        return self.requests.ask(child.wire if child else None, question)

    def give(self, vertex: int, picture: bytes) -> Future[AnswerContent]:
        """Make a picture a vertex. Its file lies in the show's folder, by the picture's digest; once it is there, the
        desk's seed no longer stands in its place."""
        child = self.processes.renderer.child
        name = f"{hashlib.sha256(picture).hexdigest()[:16]}-{uuid.uuid4().hex[:8]}.safetensors"
        file = self.folder / "vertices" / name
        question = PictureQuestion(vertex, picture, str(file), seed=vertex)
        future = self.requests.ask(child.wire if child else None, question, PATIENCE)

        def arrived(done: Future[AnswerContent]) -> None:
            if not done.cancelled() and done.exception() is None:
                self.desk.release(rows(VertexControls, vertex)["seed"].name, "picture")

        future.add_done_callback(arrived)
        return future

    def picture(self) -> tuple[int, bytes] | None:
        """The newest frame's number and its JPEG; None before the first."""
        return self.newest_picture.newest()

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Call with every tick; returns what ends it."""
        return self.callbacks.join(listener)

    def atlas(self) -> Mapping[str, object] | None:
        """The atlas underneath, see `charts.chart`; None without one, or while it is read."""
        return self.atlas_chart.chart

    def takes(self) -> list[str]:
        """Names of recorded takes, newest first."""
        return self.recordings.names()

    def shelf(self, kind: ShelfKind) -> Shelf:
        """The files of snapshots or takes."""
        return self.shelves[kind]

    def log(self, count: int) -> list[LogLine]:
        """So many of the log's newest lines, oldest first."""
        return last(self.folder / LOG, count)

    def restart(self) -> None:
        """End the renderer, so that another one begins and goes on where it was."""
        self.processes.renderer.replace()
