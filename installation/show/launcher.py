"""How a show's children are started: each with the ring, the venue and, a renderer, what it goes on from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from logging import Logger
from pathlib import Path

from installation.ipc.messages import ResumeFrom
from installation.show.children import Child, Programs, Receive
from installation.show.descriptors import Reserve
from installation.show.resume import Resume
from installation.show.spare import Spare
from installation.show.state import may_be_handed_on
from installation.venue import Venue, Wall


class Launcher:
    """ring: its name; venue: in its folder lie `preset.toml` and `safe.toml`; resume: what a renderer of the preset
    goes on from; reserve: what a full file table leaves for them; spare: makes what keeps a second renderer. Everything
    here raises OSError where no process can be had."""

    def __init__(
        self, programs: Programs, ring: str, venue: Venue, resume: Resume, reserve: Reserve, log: Logger,
        spare: Callable[[Launcher], Spare] | None = None,
    ) -> None:  # fmt: skip
        self.spare = None if spare is None else spare(self)
        self._programs, self._ring, self._resume, self._reserve, self._log = programs, ring, resume, reserve, log
        self.venue = venue

    def renderer(self, rung: str, receive: Receive) -> Child:
        """Of the `preset`, of the `safe` one, or the player of the `loop`."""
        if rung == "loop":
            return self._child("renderer", self._programs.play(self._ring, self.venue.loop), receive)
        resume = self._handed_on(self._resume.offer()) if rung == "preset" else None
        if rung == "preset" and self.spare is not None:
            child = self.spare.take(receive, resume)
            if child is not None:
                return child
        preset = Path(self.venue.folder) / f"{rung}.toml"
        command = self._programs.render(self._ring, preset, resume is not None, rung == "safe")
        child = self._child("renderer", command, receive)
        if resume is not None:
            child.wire.send(ResumeFrom(resume))
        return child

    def spare_renderer(self, receive: Receive) -> Child:
        """A renderer of the preset that loads what is shown now, and waits."""
        resume = self._handed_on(self._resume.worth_keeping)
        preset = Path(self.venue.folder) / "preset.toml"
        command = self._programs.render(self._ring, preset, resume is not None, spare=True)
        child = self._child("spare", command, receive)
        if resume is not None:
            child.wire.send(ResumeFrom(resume))
        return child

    def _handed_on(self, resume: str | None) -> str | None:
        if resume is None or may_be_handed_on(resume):
            return resume
        self._log.warning("its state is too long to be handed on, the walk begins anew: use shorter texts")
        return None

    def stage(self, wall: Wall, role: str, receive: Receive) -> Child:
        """Of one wall."""
        return self._child(role, self._programs.present(self._ring, wall), receive)

    def output(self, target: str, role: str, receive: Receive) -> Child:
        """To a target such as `video:FILE`."""
        return self._child(role, self._programs.put_out(self._ring, target, self.venue), receive)

    def _child(self, role: str, arguments: list[str], receive: Receive) -> Child:
        return self._reserve.use(partial(Child, role, arguments, receive, self._log))
