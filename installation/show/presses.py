"""What is pressed at the desk and is the show's own to do: panic, replays, snapshots, going to words."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from installation.backstage import AnswerContent, Question
from installation.control.controls import WALK_POSITION
from installation.control.desk import Desk, Trigger
from installation.control.desk.snapshots import Done, Snapshots
from installation.control.parameter import plain
from installation.control.parameters import (
    FOUND,
    GOTO,
    PANIC,
    REPLAY,
    SNAPSHOT_NEXT,
    SNAPSHOT_RECALL,
    SNAPSHOT_SAVE,
)
from installation.disk_worker import DiskWorker
from installation.ipc.messages import Follow, Unfollow
from installation.ipc.questions import FindAnswer, FindQuestion
from installation.show import preset_controls
from installation.show.announcer import Announcer
from installation.show.processes import Processes
from installation.show.recordings import Recordings
from latentworld.errors import LatentWorldError
from latentworld.preset import Preset

PANIC_FADE = 2.0  # seconds to the safe preset


@dataclass(frozen=True)
class Asked:
    """What a press asked of the folder, and what is done when that has answered. press: its name."""

    press: str
    done: Future[Done]


class Presses:
    """safe: the preset that panic brings; ask: the renderer, which finds words. What takes a disk is asked of the
    worker; here nothing is waited for."""

    def __init__(
        self, desk: Desk, snapshots: Snapshots, recordings: Recordings, processes: Processes, worker: DiskWorker,
        safe: Preset, announcer: Announcer, ask: Callable[[Question], Future[AnswerContent]],
    ) -> None:  # fmt: skip
        self._desk, self._snapshots, self._recordings, self._processes = desk, snapshots, recordings, processes
        self._worker, self._announcer = worker, announcer
        self._calm = preset_controls.calm(desk.table, safe)  # now: it asks the safe world's card, on its disk
        self._asked: deque[Asked] = deque()
        self._find = ask
        self._sought: Future[AnswerContent] | None = None  # the place of the words that were asked for last
        self._unheard = 0

    def obey(self) -> None:
        """Do what was pressed since the last call, and what the folder has answered meanwhile."""
        while self._asked and self._asked[0].done.done():
            self._answered(self._asked.popleft().done)
        if self._sought is not None and self._sought.done():
            self._arrive(self._sought)
        presses = self._desk.collect("desk")
        panic = max((place for place, press in enumerate(presses) if press.name == PANIC.name), default=-1)
        for press in presses[: max(panic, 0)]:
            if press.name == SNAPSHOT_SAVE.name:  # all else that was pressed before is overtaken
                self._obey(press)
        if panic >= 0:
            self._panic()
        for press in presses[panic + 1 :]:
            self._obey(press)
        if self._desk.dropped > self._unheard:
            self._announcer.fault("more was pressed than can be obeyed: some of it was not heard")
            self._unheard = self._desk.dropped

    def _obey(self, press: Trigger) -> None:
        if press.name == REPLAY.name:
            self._replay(press)
            return
        if press.name == GOTO.name:
            self._seek(press)
            return
        try:
            job = self._snapshots.job(press)
        except LatentWorldError as error:
            self._announcer.fault(str(error))
            return
        if job is not None:
            self._ask(press, job)

    def _ask(self, press: Trigger, job: Callable[[], Done]) -> None:
        key = None if press.name == SNAPSHOT_NEXT.name else press
        self._asked.append(Asked(press.name, self._worker.submit(job, key, press.name == SNAPSHOT_SAVE.name)))

    def _let_go(self, *names: str) -> None:
        """What such presses asked for is not done any more."""
        for asked in self._asked:
            if asked.press in names:
                asked.done.cancel()
        self._asked = deque(asked for asked in self._asked if asked.press not in names)

    def _answered(self, done: Future[Done]) -> None:
        if done.cancelled():  # another press has taken its place
            return
        try:
            for line in done.result()():
                self._announcer.fault(line)
        except LatentWorldError as error:
            self._announcer.fault(str(error))
        except Exception as error:
            self._announcer.failed("a press", error)

    def _panic(self) -> None:
        """Fade to the safe preset and stop all modulation; what was pressed before and would change the picture later
        is let go."""
        self._let_go(SNAPSHOT_RECALL.name, SNAPSHOT_NEXT.name, REPLAY.name)
        self._give_up()
        self._desk.calm(PANIC.name)
        self._desk.recall(self._calm, PANIC_FADE, PANIC.name)
        self._follow(None)
        self._announcer.say("panic: to the safe preset")

    # ---- to words

    def _seek(self, press: Trigger) -> None:
        """Ask where the atlas shows words; what was asked before is overtaken."""
        self._give_up()
        words = plain(press.value) if isinstance(press.value, str) else ""
        if words:
            self._sought = self._find(FindQuestion(words))
        else:
            self._announcer.fault("goto takes words, as 'a cat with rings'")

    def _arrive(self, sought: Future[AnswerContent]) -> None:
        """Steer for the place that was found, and say which it is."""
        self._sought = None
        try:
            found = sought.result()
        except LatentWorldError as error:
            self._announcer.fault(f"goto: {error}")
            return
        if isinstance(found, FindAnswer):
            self._desk.recall({WALK_POSITION.name: (found.alpha, found.beta)}, 0.0, GOTO.name)
            line = f"{found.words:.200}: alpha {found.alpha:.4g}, beta {found.beta:.4g}, score {found.score:.3f}"
            self._desk.tell(FOUND.name, line)
            self._announcer.say(f"going to {line}")

    def _give_up(self) -> None:
        if self._sought is not None:
            self._sought.cancel()
            self._sought = None

    def _replay(self, press: Trigger) -> None:
        """Let the renderer follow a take; without a name, follow none."""
        name = press.value
        if isinstance(name, str) and name:
            self._ask(press, lambda: self._found(name))
        else:
            self._let_go(REPLAY.name)
            self._follow(None)

    def _found(self, name: str) -> Done:
        file = str(self._recordings.find(name).resolve())

        def follow() -> list[str]:
            self._follow(file)
            self._announcer.say(f"the take {name} is read, to be replayed")
            return []

        return follow

    def _follow(self, file: str | None) -> None:
        child = self._processes.renderer.child
        if child is not None:
            child.wire.send(Unfollow() if file is None else Follow(file))
