"""A recording: H.264 at a constant frame rate, in parts, playable whatever ends it.

The encoder is the film's, hence in fragments: when it is killed, what came before its last second plays. A part that
is finished carries its index first, as a film does.
`veryfast` takes 0.36 of a core for 720p at 30 a second where `medium` takes 0.83, at a tenth more bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Timer
from typing import ClassVar, Self

from installation.film.encoder import Encoder
from installation.film.ffmpeg import Muxing, Recipe, index_first, muxing
from installation.stage.outputs.output import Fault, Output, Settings
from latentworld.arrays import Picture
from latentworld.disk import writing
from latentworld.errors import DiskFull, OutputError, PortError

PART = 3600.0  # seconds of a part
GAP = 10.0  # seconds without a picture (a machine that was stopped) after which a new part begins
PATIENCE = 15.0  # seconds an encoder has to finish a part; killed then, the part still plays
END = 18.0  # seconds for all that is to be finished when the recording ends: the show waits for 20
CRF = 18


def _free(path: Path) -> int:
    return shutil.disk_usage(path).free


class Video(Output):
    """An output that writes `target` (.mp4), then `NAME part 2.mp4`, and so on; never over a file that is there.

    rate: pictures a second; reserve: bytes of the disk that are never touched; part: seconds of a part. Where slots
    are missing the picture before is repeated, so that a second stays a second. Raises DiskFull, EncoderFailed.
    """

    usage: ClassVar[str] = "video:FILE.mp4"

    @classmethod
    def named(cls, argument: str, settings: Settings) -> Self:
        """FILE.mp4, or the next of its parts where it is there already, as after a restart."""
        if not argument.lower().endswith(".mp4"):
            raise PortError(f"a video is an .mp4 file: write {cls.usage}, not {argument!r:.80}")
        return cls(Path(argument), settings.rate, settings.reserve)

    def __init__(
        self,
        target: Path,
        rate: float,
        reserve: int = 500_000_000,
        part: float = PART,
        free: Callable[[Path], int] = _free,
    ) -> None:
        self.target, self.rate = target, rate
        self._reserve, self._free = reserve, free
        self._longest, self._gap = round(part * rate), round(GAP * rate)
        self._parts = self._length = self._next = self._looked = 0
        self._last = b""
        self._encoder: Encoder | None = None
        self._muxing: Muxing = "hybrid"
        self._closer = ThreadPoolExecutor(1, "part")  # the next part begins while the last is being finished
        self._closing: list[Future[None]] = []
        self._hurry = Event()

    def __enter__(self) -> Self:
        self._muxing = muxing("h264")
        with writing(self.target.parent):
            self.target.parent.mkdir(parents=True, exist_ok=True)
        self._check("nothing was written yet")
        return self

    def __exit__(self, kind: Fault, *rest: object) -> None:
        last = Timer(END, self._hurry.set)
        last.start()
        try:
            self._finish()
            for closing in self._closing:
                closing.result()
        except OutputError:
            if kind is None:  # else the first fault is the one to report
                raise
        finally:
            self._closer.shutdown()
            last.cancel()

    def send(self, picture: Picture, slot: int) -> None:
        """Encode the picture as that of its slot; waits for the encoder when it is behind."""
        if slot - self._looked >= self.rate:
            self._looked = slot
            self._check("what was written so far plays")
        missing = slot - self._next
        self._next = slot + 1
        if self._encoder is None or self._length >= self._longest or missing > self._gap:
            encoder, missing = self._begin(picture), 0
        else:
            encoder = self._encoder
        for _ in range(missing):
            encoder.send(self._last)
        self._last = picture.tobytes()
        encoder.send(self._last)
        self._length += missing + 1

    def _begin(self, picture: Picture) -> Encoder:
        """Close the part that is written and begin the next, in the size of this picture."""
        self._finish()
        height, width = picture.shape[:2]
        even = (max(height // 2, 1) * 2, max(width // 2, 1) * 2)  # what 4:2:0 can be
        recipe = Recipe("h264", self.rate, (height, width), even, CRF, effort="veryfast", muxing=self._muxing)
        self._encoder = Encoder(recipe, self._path())
        self._length = 0
        return self._encoder

    def _path(self) -> Path:
        while True:
            self._parts += 1
            name = self.target.stem if self._parts == 1 else f"{self.target.stem} part {self._parts}"
            path = self.target.with_name(f"{name}{self.target.suffix}")
            if not path.exists():
                return path

    def _finish(self) -> None:
        """Have the part that is written finished; raises what those before failed with."""
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            self._closing.append(self._closer.submit(self._close, encoder))
        while self._closing and self._closing[0].done():
            self._closing.pop(0).result()

    def _close(self, encoder: Encoder) -> None:
        encoder.close(PATIENCE)
        with writing(encoder.target):
            spare = self._free(encoder.target.parent) - encoder.target.stat().st_size
        if spare > self._reserve:  # a copy lies beside it while its index is put first
            index_first(encoder.target, self._hurry)

    def _check(self, state: str) -> None:
        with writing(self.target.parent):
            left = self._free(self.target.parent)
        if left < self._reserve:
            raise DiskFull(
                f"the recording ends: {left / 1e6:.0f} MB are left for {self.target}, {self._reserve / 1e6:.0f} MB are"
                f" kept free; {state}: free some space"
            )
