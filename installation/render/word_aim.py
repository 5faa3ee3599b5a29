"""The words that the pilot goes toward, as they are played: read by the eye beside the loop, faded from text to text.

A text takes CLIP some hundredths of a second to read, so it is read on a thread of its own; until then the walk goes
toward the text before it. What is shown at a place does not depend on it: it only bends the walk.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from installation.control.controls import RiftControls
from installation.studio import Studio
from latentworld.aims import Likeness, mixed
from latentworld.errors import LatentWorldError
from latentworld.pilot import PilotSpec
from latentworld.vision import Eye

WORDLESS = "rift.mode is toward, but rift.words says nothing: the walk holds its course"
KEPT = 64  # texts that are remembered, by eye


class WordAim:
    """spec: the preset's pilot, which decides where controls leave something open; fault: takes one line, once, about
    words that cannot be gone toward.

    aim: as it is faded now, None while no text is read; turned: whether it set out for another text, or came to it, in
    the newest tick.
    """

    def __init__(self, spec: PilotSpec, fault: Callable[[str], None]) -> None:
        self._spec, self._fault = spec, fault
        self._worker: ThreadPoolExecutor | None = None
        self._read: dict[tuple[str, str], Future[Likeness]] = {}
        self._text: tuple[str, str] | None = None  # that is gone toward: of which eye, and its words
        self._from: Likeness | None = None
        self._to: Likeness | None = None
        self._progress = 1.0
        self._told = ""
        self.aim: Likeness | None = None
        self.turned = False

    def __call__(self, controls: RiftControls, studio: Studio, elapsed: float) -> None:
        """Go on with a fade, `elapsed` seconds after the last call, or set out for what controls want."""
        words = " ".join((self._spec.words if controls.words is None else controls.words).split())
        sought = (controls.mode or self._spec.mode) == "toward"
        self.turned = False
        if not words:
            self._rest()
            self._tell(WORDLESS if sought else "")
            return
        text = (studio.seer, words)
        if text != self._text and (found := self._known(text, studio.eye, sought)) is not None:
            self._set_out(text, found, controls.fade)
        if self._text is not None and self._text[0] != studio.seer:
            self._rest()  # another eye reads features that the old text says nothing of
        self._go_on(controls.fade, elapsed)

    def close(self) -> None:
        """Begin nothing new."""
        if self._worker is not None:
            self._worker.shutdown(wait=False, cancel_futures=True)

    def _known(self, text: tuple[str, str], eye: Eye, sought: bool) -> Likeness | None:
        """A text as the eye reads it; None until it is read, and where it cannot be."""
        reading = self._read.get(text)
        if reading is None:
            if self._worker is None:
                self._worker = ThreadPoolExecutor(1, thread_name_prefix="words")
            if len(self._read) >= KEPT:
                self._read.pop(next(iter(self._read)))
            reading = self._read[text] = self._worker.submit(read, eye, text[1])
        if not reading.done():
            return None
        try:
            found = reading.result()
        except LatentWorldError as error:
            self._tell(f"no way toward {text[1]!r:.60}: {error}" if sought else "")
            return None
        self._tell("")
        return found

    def _set_out(self, text: tuple[str, str], found: Likeness, seconds: float) -> None:
        same_eye = self._text is not None and self._text[0] == text[0]
        self._from = self.aim if same_eye else None
        self._text, self._to, self.turned = text, found, True
        self._progress = 0.0 if seconds > 0 and self._from is not None else 1.0

    def _go_on(self, seconds: float, elapsed: float) -> None:
        if self._to is None:
            return
        if self._progress < 1.0:
            self._progress = min(self._progress + elapsed / seconds, 1.0) if seconds > 0 else 1.0
            self.turned |= self._progress >= 1.0
        if self._progress >= 1.0 or self._from is None:
            self.aim = self._to
            return
        share = self._progress**2 * (3.0 - 2.0 * self._progress)
        self.aim = mixed(self._from, self._to, share)

    def _rest(self) -> None:
        self._text = self._from = self._to = self.aim = None
        self._progress = 1.0

    def _tell(self, line: str) -> None:
        if line != self._told:
            self._told = line
            if line:
                self._fault(line)


def read(eye: Eye, words: str) -> Likeness:
    """What pictures like a text are. Raises WorldMismatch where the eye knows no words."""
    return Likeness(np.asarray(eye.texts([words])[0], np.float64))
