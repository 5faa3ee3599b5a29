"""What a show keeps of itself: taken up from its folder when it begins, and saved there while it runs."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future

from installation.control.desk import Desk
from installation.show import state
from installation.show.premises import Premises
from installation.show.resume import Resume
from latentworld.errors import LatentWorldError, ShowError


def recalled(premises: Premises, desk: Desk) -> state.State | None:
    """What was saved the last time, when it was the same preset; the desk then stands as it did."""
    try:
        before = state.load(premises.folder)
    except ShowError as error:
        premises.announcer.say(str(error))
        return None
    if before is None or before.preset != state.identity(premises.preset):
        return None
    for name, value in before.values.items():
        with contextlib.suppress(LatentWorldError):  # a parameter that is no more
            desk.set(name, value, "state")
    for line in before.lost:
        premises.announcer.say(f"{state.NAME}: {line}")
    premises.announcer.say(f"going on where the show of {before.saved} was")
    return before


class StateStore:
    """Saves what stands on the desk, and what the next renderer goes on from. Any thread may call; none waits."""

    def __init__(self, premises: Premises, desk: Desk, resume: Resume) -> None:
        self._folder, self._identity = premises.folder, state.identity(premises.preset)
        self._announcer, self._today = premises.announcer, premises.runtime.today
        self._worker, self._desk, self._resume = premises.worker, desk, resume

    def save(self) -> None:
        """As it is now; what keeps it from being saved is announced."""
        saved = self._today().isoformat(sep=" ", timespec="seconds")
        now = state.State(self._identity, self._resume.worth_keeping, state.standing(self._desk), saved)
        done = self._worker.submit(lambda: state.save(self._folder, now), "state", commutes=True)
        done.add_done_callback(self._saved)

    def _saved(self, done: Future[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self._announcer.fault(str(error))
