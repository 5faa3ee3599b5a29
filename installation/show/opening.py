"""How a show is opened, its parts from the bottom up, and closed again in good order.

Three threads of its own. The pump, 60 times a second: what is played goes to the children, and the children are tended;
it alone starts and ends them. The chores, once a second. Neither waits for a disk: what does is the worker's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from installation.control.desk import Desk
from installation.control.desk.shelf import Shelf
from installation.control.desk.snapshots import Snapshots
from installation.control.parameters import table
from installation.film.playing import score_of
from installation.health import memory
from installation.ipc.messages import Message
from installation.score.player import Player
from installation.show import preset_controls, state, state_store
from installation.show.atlas_chart import AtlasChart
from installation.show.callbacks import Callbacks
from installation.show.children import Child
from installation.show.chores import Chore, Chores, resident, temperature
from installation.show.ending import Ending
from installation.show.launcher import Launcher
from installation.show.observers import OutputObserver, RendererObserver, StageObserver
from installation.show.ports import Ports
from installation.show.premises import Premises, Runtime, claimed
from installation.show.presses import Presses
from installation.show.processes import Observers, Processes
from installation.show.pulse import Pulse
from installation.show.pump import Pump, Upkeep
from installation.show.recordings import Recordings
from installation.show.requests import Requests
from installation.show.resume import Resume
from installation.show.show import Show
from installation.show.spare import Spare
from installation.show.state_store import StateStore
from installation.show.systemd import Systemd
from installation.venue import Venue
from latentworld.preset import Preset

UNANSWERED = 5.0  # seconds from which a disk is said not to answer


@contextlib.contextmanager
def open_show(
    preset: Preset,
    venue: Venue,
    announce: Callable[[str], None],
    *,
    fresh: bool = False,
    ending: Ending | None = None,
    runtime: Runtime | None = None,
) -> Iterator[Show]:
    """Perform a preset at a venue: inside, its children are being started and its ports are open; afterwards all of it
    has ended, and its state is kept.

    announce: takes one readable line about whatever happens, on any thread; fresh: forget where the walk was; ending:
    what `Show.ending` is to be, for who wants to end a show that is yet to begin. Raises what the start refuses:
    ShowError and its kin, PresetError for the safe preset, OutputError for the folder.
    """
    with (
        claimed(preset, venue, announce, ending or Ending(), runtime or Runtime()) as premises,
        contextlib.ExitStack() as undo,
    ):
        desk = _desk(premises)
        before = None if fresh else state_store.recalled(premises, desk)
        resume = Resume(before.resume if before else None)
        systemd = Systemd(premises.runtime)
        # someone who types a wrong preset wants to know; a show that ran here yesterday goes on with what is left
        show = _assembled(premises, desk, resume, systemd, strict=before is None)
        store = StateStore(premises, desk, resume)
        ports = Ports(show, venue, premises.announcer.say, premises.log, premises.worker)
        pump, chores = _pump(premises, show, ports), _chores(premises, show, store, systemd)
        undo.callback(ports.stop)
        ports.start(strict=before is None)  # before anything runs or is kept, for it may be refused
        premises.footprint.keep()
        pump.start()
        undo.callback(store.save)
        undo.callback(pump.stop)
        undo.callback(ports.stop)  # first of all at the end
        chores.start()
        undo.callback(chores.stop)
        show.atlas_chart.start()
        undo.callback(systemd.stopping)
        yield show


def _desk(premises: Premises) -> Desk:
    """A desk that knows what the preset has."""
    preset = premises.preset
    desk = Desk(table(preset_controls.worlds(preset, premises.safe)), premises.runtime.clock)
    for name, value in preset_controls.fitting(desk.table, preset_controls.played(preset)).items():
        desk.tell_base(name, value)
    return desk


def _assembled(premises: Premises, desk: Desk, resume: Resume, systemd: Systemd, strict: bool) -> Show:
    """The show of its parts; nothing runs yet. strict: see `Processes`."""
    folder, log, status, announcer = premises.folder, premises.log, premises.status, premises.announcer
    runtime, clock = premises.runtime, premises.runtime.clock
    ring, worker = premises.newest_picture.ring.name, premises.worker
    spare = _spare(premises) if premises.preset.show.spare else None
    launcher = Launcher(runtime.programs, ring, premises.venue, resume, premises.reserve, log, spare)
    output = OutputObserver(announcer, premises.ending)

    def record(path: Path, heard: Callable[[], None]) -> Child:
        def receive(child: Child, message: Message) -> None:
            heard()
            output.obey(message)

        return launcher.output(f"video:{path}", "video", receive)

    recordings = Recordings(
        folder, desk, record, worker, premises.venue.reserve, announcer.say, clock, premises.awake, runtime.today
    )
    requests, callbacks = Requests(premises.awake), Callbacks(log)
    observers = Observers(
        RendererObserver(desk, status, requests, recordings, callbacks, resume, announcer, clock),
        StageObserver(announcer, premises.ending, status, systemd, clock, premises.venue.wall.kind),
        output,
    )
    player = _player(premises, desk)
    if player is not None:
        callbacks.join(player.heard)
    same = state.identity(premises.safe) == state.identity(premises.preset)
    rungs = ("preset", "loop") if same else ("preset", "safe", "loop")
    return Show(
        desk=desk,
        snapshots=Snapshots(folder / "snapshots", desk),
        recordings=recordings,
        processes=Processes(launcher, observers, desk, runtime.patience, clock, premises.awake, rungs, strict),
        status_collector=status,
        requests=requests,
        callbacks=callbacks,
        newest_picture=premises.newest_picture,
        atlas_chart=AtlasChart(premises.preset.pilot.atlas, announcer),
        ending=premises.ending,
        pulse=Pulse(clock),
        clock=clock,
        folder=folder,
        shelves={
            "snapshots": Shelf(folder / "snapshots", ".json", "snapshot"),
            "takes": Shelf(folder / "takes", ".take", "take", recordings.in_use),
        },
        player=player,
    )


def _spare(premises: Premises) -> Callable[[Launcher], Spare]:
    """What makes the keeper of a second renderer."""

    def room(renderer: int) -> str | None:
        return memory.lacking(resident({"renderer": renderer}).get("renderer", 0))

    return lambda launcher: Spare(launcher.spare_renderer, room, premises.announcer.say)


def _player(premises: Premises, desk: Desk) -> Player | None:
    """What plays the preset's score on the desk, None where it has none. Raises PresetError."""
    preset, status = premises.preset, premises.status
    score = score_of(preset)
    return None if score is None else Player(score, desk, preset, lambda: status.scene, premises.announcer.fault)


def _pump(premises: Premises, show: Show, ports: Ports) -> Pump:
    presses = Presses(
        show.desk, show.snapshots, show.recordings, show.processes, premises.worker, premises.safe, premises.announcer,
        show.ask,
    )  # fmt: skip
    upkeep = Upkeep(show.processes, presses, show.recordings, show.requests, ports, show.ending, show.player)
    return Pump(upkeep, show.ending, premises.announcer, show.pulse, show.clock)


def _chores(premises: Premises, show: Show, store: StateStore, systemd: Systemd) -> Chores:
    status = show.status_collector

    def weigh(now: float) -> None:
        status.memory = resident({"show": os.getpid(), **show.processes.pids()})
        status.temperature = temperature()

    def spare(now: float) -> None:
        premises.worker.submit(show.recordings.spare, "spare", commutes=True)

    chores = [
        Chore("systemd", 1.0, lambda now: systemd.report(now, show.status())),
        Chore("weigh", 5.0, weigh),
        Chore("save", premises.runtime.saving, lambda now: store.save()),
        Chore("spare", 10.0, spare),
        Chore("disk", 1.0, lambda now: _told_of_disk(premises)),
    ]
    return Chores(chores, show.clock, premises.log)


def _told_of_disk(premises: Premises) -> None:
    """Say that the disk does not answer, while that is so."""
    if premises.worker.stalled > UNANSWERED:
        premises.announcer.fault(f"the disk of {premises.folder} does not answer: nothing is kept until it does")
