"""What is pressed at the desk and is the show's own to do: panic, replays, snapshots."""

from __future__ import annotations

from installation.control.desk import Desk, Trigger
from installation.control.desk.snapshots import Snapshots
from installation.control.parameters import PANIC, REPLAY
from installation.ipc.messages import Follow, Unfollow
from installation.show import preset_controls
from installation.show.announcer import Announcer
from installation.show.processes import Processes
from installation.show.recordings import Recordings
from latentworld.errors import LatentWorldError
from latentworld.preset import Preset

PANIC_FADE = 2.0  # seconds to the safe preset


class Presses:
    """safe: the preset that panic brings."""

    def __init__(
        self, desk: Desk, snapshots: Snapshots, recordings: Recordings, processes: Processes, safe: Preset,
        announcer: Announcer,
    ) -> None:  # fmt: skip
        self._desk, self._snapshots, self._recordings, self._processes = desk, snapshots, recordings, processes
        self._safe, self._announcer = safe, announcer

    def obey(self) -> None:
        """Do what was pressed since the last call."""
        for press in self._desk.collect("desk"):
            self._obey(press)

    def _obey(self, press: Trigger) -> None:
        if press.name == PANIC.name:
            self._panic()
        elif press.name == REPLAY.name:
            self._replay(press.value)
        else:
            for line in self._snapshots.act(press):
                self._announcer.fault(line)

    def _panic(self) -> None:
        """Fade to the safe preset and stop all modulation."""
        self._desk.calm(PANIC.name)
        self._desk.recall(preset_controls.calm(self._desk.table, self._safe), PANIC_FADE, PANIC.name)
        self._replay(None)
        self._announcer.say("panic: to the safe preset")

    def _replay(self, name: object) -> None:
        """Let the renderer follow a take; without a name, follow none."""
        child = self._processes.renderer.child
        if child is None:
            return
        if not isinstance(name, str) or not name:
            child.wire.send(Unfollow())
            return
        try:
            child.wire.send(Follow(str(self._recordings.find(name).resolve())))
            self._announcer.say(f"the take {name} is read, to be replayed")
        except LatentWorldError as error:
            self._announcer.fault(str(error))
