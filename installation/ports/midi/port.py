"""The MIDI port of a show: opens controllers as they come and go, and keeps what was learned."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from installation.backstage import Backstage
from installation.control.desk import Change, Trigger
from installation.control.parameters import MIDI_FORGET, MIDI_LEARN
from installation.disk_worker import DiskWorker
from installation.ports.midi import links as links_file
from installation.ports.midi.driver import Driver, Receiver, Sender, System, named
from installation.ports.midi.links import Link
from installation.ports.midi.surface import Surface
from latentworld.errors import ControlError, LatentWorldError, PortError

SCAN = 1.0  # seconds between two looks at which controllers there are: nobody tells when one is unplugged
PAUSE = 0.004  # seconds between two pieces of work, however much comes
IDLE = 1 / 30
_log = logging.getLogger(__name__)


class Port:
    """MIDI for a show. Learning is asked for by the triggers `midi.learn` and `midi.forget`, or here.

    file: where links are kept (`midi.json` in the venue's folder); None: only until the end. chosen: names of the
    controllers that are heard, empty for all. driver: the system's MIDI, or what stands for it.
    worker: writes the file, so that a disk that does not answer holds no control up; None: each step writes itself.
    """

    def __init__(
        self,
        backstage: Backstage,
        file: Path | None = None,
        chosen: Sequence[str] = (),
        driver: Driver | None = None,
        clock: Callable[[], float] = time.monotonic,
        worker: DiskWorker | None = None,
    ) -> None:
        self._desk, self._file, self._chosen = backstage.desk, file, tuple(chosen)
        self._driver, self._clock, self._worker = driver, clock, worker
        self._surface = Surface(self._desk)
        self._inputs: dict[str, tuple[str, Receiver]] = {}  # by lasting name: the system's name, what is open
        self._outputs: dict[str, tuple[str, Sender]] = {}
        self._troubles: dict[str, str] = {}
        self._scanned = -SCAN
        self._wake, self._end = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._deafen: Callable[[], None] = lambda: None

    @property
    def links(self) -> tuple[Link, ...]:
        """What is mapped."""
        return self._surface.links

    @property
    def controllers(self) -> tuple[str, ...]:
        """Names of those that are heard now."""
        return tuple(self._inputs)

    def start(self) -> None:
        """Begin; returns at once. Raises ShowError when the extra is missing."""
        self.begin()
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End: keep what was learned, close every port."""
        self._deafen()
        self._end.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def learn(self, what: str | None) -> None:
        """Map the next control that moves to "NAME" or "NAME|ARGUMENT"; None: stop. Raises ControlError."""
        self._surface.learn(what)

    def forget(self, name: str) -> None:
        """Unmap a parameter."""
        self._surface.forget(name)

    def begin(self) -> None:
        """What `start` does before its thread: whoever begins without one calls `step` himself."""
        self._driver = self._driver or System()
        self._surface = Surface(self._desk, self._load())
        self._deafen = self._desk.listen(self._on_event)

    def step(self, now: float) -> None:
        """One piece of work: look for controllers when it is time, act on what came, show what changed, keep links."""
        if now - self._scanned >= SCAN:
            self._scanned = now
            self._scan(now)
        for name, data in self._surface.work(now):
            self._send(name, data)
        if self._surface.dirty:
            self._surface.dirty = False
            self._keep()

    # ---- within

    def _run(self) -> None:
        while not self._end.is_set():
            self._wake.clear()
            try:
                self.step(self._clock())
            except Exception:  # the show goes on without this one step
                _log.exception("MIDI failed at something and goes on")
            self._end.wait(PAUSE)
            self._wake.wait(IDLE)
        if self._surface.dirty:
            self._keep()
        self._close()

    def _on_event(self, event: Change | Trigger) -> None:
        if not isinstance(event, Trigger):
            return
        what = event.value if isinstance(event.value, str) else ""
        try:
            if event.name == MIDI_LEARN.name:
                self.learn(what)
            elif event.name == MIDI_FORGET.name:
                self.forget(what)
        except ControlError as error:
            self._surface.say(str(error))

    def _load(self) -> list[Link]:
        if self._file is None:
            return []
        try:
            links, left = links_file.load(self._file, self._desk.table)
        except PortError as error:
            spoilt = self._file.with_suffix(".damaged.json")
            _log.warning("%s; it is kept as %s and no control is mapped", error, spoilt.name)
            with contextlib.suppress(OSError):
                self._file.replace(spoilt)
            return []
        for line in left:
            _log.warning("%s", line)
        return links

    def _keep(self) -> None:
        """Have the map written as it is now; a later one that is to be written takes its place."""
        if self._file is None:
            return
        write = partial(links_file.save, self._file, self._surface.links)
        if self._worker is not None:
            self._worker.submit(write, key=links_file.save).add_done_callback(self._kept)
            return
        try:
            write()
        except LatentWorldError as error:
            self._lost(error)

    def _kept(self, written: Future[None]) -> None:
        if not written.cancelled() and (error := written.exception()) is not None:
            self._lost(error)

    def _lost(self, error: BaseException) -> None:
        _log.warning("%s", error)
        self._surface.say(str(error))

    def _scan(self, now: float) -> None:
        assert self._driver is not None  # started
        try:
            heard, seen = named(self._driver.inputs()), named(self._driver.outputs())
        except OSError as error:
            self._trouble("", f"MIDI cannot be reached ({error!s:.120}): looking again every second")
            return
        if self._chosen:
            heard = {name: port for name, port in heard.items() if name in self._chosen}
        for name in [name for name, (port, _) in self._inputs.items() if heard.get(name) != port]:
            self._shut(self._inputs.pop(name)[1])
            _log.warning("MIDI: %s is gone", name)
        for name in [name for name, (port, _) in self._outputs.items() if seen.get(name) != port]:
            self._shut(self._outputs.pop(name)[1])
        for name, port in heard.items():
            self._open(name, port, seen.get(name))
        self._surface.outputs = frozenset(self._outputs)

    def _open(self, name: str, port: str, output: str | None) -> None:
        """Open what is not open of a controller: its controls, and its lamps and motors where it has any."""
        assert self._driver is not None  # started
        try:
            if name not in self._inputs:
                self._inputs[name] = (port, self._driver.listen(port, self._hearer(name)))
                self._surface.refresh(name)
                self._troubles.pop(name, None)
                _log.info("MIDI: %s is there", name)
            if output is not None and name not in self._outputs:
                self._outputs[name] = (output, self._driver.speak(output))
                self._surface.refresh(name)
        except (OSError, RuntimeError) as error:
            self._trouble(name, f"MIDI: {name} cannot be opened ({error!s:.120}): is another program using it?")

    def _hearer(self, name: str) -> Callable[[Sequence[int]], None]:
        def hear(data: Sequence[int]) -> None:
            try:
                self._surface.hear(name, data, self._clock())
            except Exception:  # on the driver's thread, which must live
                _log.exception("MIDI: a message of %s went wrong", name)
            self._wake.set()

        return hear

    def _send(self, name: str, data: bytes) -> None:
        if name not in self._outputs:
            return
        try:
            self._outputs[name][1].send(data)
        except (OSError, RuntimeError) as error:  # it will be opened anew at the next look
            self._trouble(name, f"MIDI: {name} takes nothing any more ({error!s:.120})")
            self._shut(self._outputs.pop(name)[1])

    def _trouble(self, name: str, line: str) -> None:
        """Say a trouble once, until it is another."""
        if self._troubles.get(name) != line:
            self._troubles[name] = line
            _log.warning("%s", line)

    def _close(self) -> None:
        for _, port in (*self._inputs.values(), *self._outputs.values()):
            self._shut(port)
        self._inputs.clear()
        self._outputs.clear()
        if self._driver is not None:
            self._driver.close()

    @staticmethod
    def _shut(port: Receiver | Sender) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # it may be gone already
            port.close()
