"""What a show keeps of itself: taken up from its folder when it begins, and saved there while it runs."""

from __future__ import annotations

from concurrent.futures import Future

from installation.control.desk import Desk
from installation.control.parameter import plain
from installation.show import state
from installation.show.premises import Premises
from installation.show.resume import Resume
from latentworld.errors import ShowError

NAMED = 8  # values that a line names


def recalled(premises: Premises, desk: Desk) -> state.State | None:
    """What was saved the last time, when it was the same preset; the desk then stands as it did."""
    try:
        before = state.load(premises.folder)
    except ShowError as error:
        premises.announcer.say(str(error))
        return None
    if before is None or before.preset != state.identity(premises.preset):
        return None
    left_out = state.stand(desk, before.values)
    for line in (*before.lost, *_told(left_out)):
        premises.announcer.say(f"{state.NAME}: {line}")
    premises.announcer.say(f"going on where the show of {before.saved} was")
    return before


def _told(left_out: list[str]) -> list[str]:
    """A line about values of the desk that mean nothing here, where there are any."""
    if not left_out:
        return []
    names = ", ".join(f"{name:.60}" for name in left_out[:NAMED])
    more = f" and {len(left_out) - NAMED} more" if len(left_out) > NAMED else ""
    return [f"{plain(names)}{more} cannot be set as they were saved: they stand as the preset has them"]


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
