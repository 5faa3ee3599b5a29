"""The queue itself: one job after the other, tried again where it fails, gone on with where it was stopped."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from msgspec.structs import replace

from installation.batch.jobs import Job
from installation.batch.ledger import Ledger, Record, State
from installation.batch.process import PROGRAM, begin, end, recognised, why
from installation.film import output as films
from installation.stopwatch import Stopwatch
from latentworld.disk import writing
from latentworld.errors import BatchError, OutputError

LOOK = 0.2  # seconds from one look at a job's process to the next
Told = Callable[[Record, int], None]
"""Called with a record that changed, and its number; every `LOOK` seconds with the one that runs."""


@dataclass(frozen=True)
class Manner:
    """retries: how often more a job that fails is tried; keep_going: the others are made nevertheless; program: what a
    job's command is given to."""

    retries: int = 0
    keep_going: bool = False
    program: tuple[str, ...] = PROGRAM


class Queue:
    """Works through a ledger. wanted: False ends it after passing that on to the job that runs; told: see `Told`."""

    def __init__(self, ledger: Ledger, manner: Manner, wanted: Callable[[], bool], told: Told) -> None:
        self._ledger, self._manner, self._wanted, self._told = ledger, manner, wanted, told
        self._jobs = {record.job.name: record.job for record in ledger.records}
        self._numbers = {name: number for number, name in enumerate(self._jobs)}

    def run(self) -> None:
        """Do what is left. Raises DiskFull or OutputError where that cannot be written down; a job under way is ended
        then."""
        for number in range(len(self._ledger.records)):
            if not self._wanted():
                return
            record = self._ledger.records[number]
            if record.state is State.DONE or not self._can_begin(number):
                continue
            state = self._tried(number).state
            if state is State.INTERRUPTED or (state is State.FAILED and not self._manner.keep_going):
                return

    def _can_begin(self, number: int) -> bool:
        """Whether what a job works on is there."""
        record = self._ledger.records[number]
        before = None if record.job.of is None else self._ledger.records[self._numbers[record.job.of]]
        if before is None or before.state is State.DONE:
            return True
        self._put(number, replace(record, state=State.WAITING, said=f"waits for {before.job.name}"))
        return False

    def _tried(self, number: int) -> Record:
        """A job, as often as it may fail."""
        left = self._orphan(number)
        if left.state is State.DONE or not self._wanted():
            return left
        record = left
        for _ in range(self._manner.retries + 1):
            record = self._once(number)
            if record.state is not State.FAILED or record.code == 2:  # misuse is misuse again
                break
        return record

    def _orphan(self, number: int) -> Record:
        """A job that a killed queue left: its process is waited for, and whether its work is whole is looked at."""
        record = self._ledger.records[number]
        if record.state is not State.RUNNING:
            return record
        process = None if record.running is None else record.running.process()
        is_stopped = False
        try:
            while process is not None:
                self._told(record, number)
                if not is_stopped and not self._wanted():
                    is_stopped = True
                    with suppress(psutil.NoSuchProcess):
                        process.terminate()
                with suppress(psutil.TimeoutExpired):
                    process.wait(LOOK)
                    process = None
        except KeyboardInterrupt:  # asked twice: it is left to itself, and waited for another time
            return record
        is_whole = record.job.kind.is_whole(record.job.target(self._ledger.folder))
        return self._put(number, replace(record, state=State.DONE if is_whole else State.INTERRUPTED, running=None))

    def _once(self, number: int) -> Record:
        record, folder = self._ledger.records[number], self._ledger.folder
        job, log = record.job, record.job.log(folder)
        try:
            free(job, folder, record.tries)
        except (OutputError, BatchError) as error:
            return self._put(number, replace(record, state=State.FAILED, code=2, said=str(error)))
        record = self._put(number, replace(record, state=State.RUNNING, tries=record.tries + 1, said=""))
        clock = Stopwatch()
        with writing(log):
            job.target(folder).parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as words:
                before = words.tell()
                process = begin(self._manner.program, job.arguments(folder, self._jobs), words)
        with self._ended_with(process):
            record = self._put(number, replace(record, running=recognised(process)))
            is_stopped = self._followed(process, record, number)
        code, took = process.returncode, record.seconds + clock.seconds
        state = State.DONE if code == 0 else State.INTERRUPTED if is_stopped else State.FAILED
        said = "" if code == 0 else why(code, log, before)
        ended = replace(record, state=state, seconds=took, code=code, said=said, running=None)
        return self._put(number, ended)

    def _followed(self, process: subprocess.Popen[bytes], record: Record, number: int) -> bool:
        """Wait for a job. Whether it was asked to stop."""
        is_stopped = False
        while True:
            try:
                process.wait(LOOK)
                return is_stopped
            except subprocess.TimeoutExpired:
                self._told(record, number)
            except KeyboardInterrupt:  # asked twice
                end(process)
                return True
            if not is_stopped and not self._wanted():
                is_stopped = True
                process.terminate()

    @contextmanager
    def _ended_with(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        """Whatever else goes wrong here leaves no process behind."""
        try:
            yield
        finally:
            if process.poll() is None:
                end(process)

    def _put(self, number: int, record: Record) -> Record:
        self._ledger.put(number, record)
        self._told(record, number)
        return record


def free(job: Job, folder: Path, tries: int) -> None:
    """Refuse a job whose place is taken by what is not its own. Raises OutputExists or BatchError."""
    target = job.target(folder)
    if tries:
        return
    if job.do == "film":
        films.begin(target)
    elif job.do in ("still", "tour") and target.exists():
        raise BatchError(f"{target} is there already: call the job something else, or choose another folder with -o")
