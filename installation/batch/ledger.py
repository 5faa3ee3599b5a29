"""How far each job of a queue is, in one file that is renewed whole and synced with every change.

::

    with Ledger.opened(folder, jobs) as ledger:        # nobody else works in this folder meanwhile
        ledger.put(0, replace(ledger.records[0], state=State.DONE))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

import msgspec

from installation.batch.jobs import KINDS, Job
from installation.batch.process import Running
from installation.ipc.jsonable import page
from latentworld import __version__, disk
from latentworld.errors import BatchError

NAME, LOCK = "batch.json", ".batch.lock"
VERSION = 1
LARGEST = 1 << 28  # bytes
REMEDY = "free some space; how far the batch is stays as it was, and the same command goes on"


class State(StrEnum):
    """Of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Record(msgspec.Struct, frozen=True):
    """A job and how far it is. tries: how often it was begun; seconds: that these took; code: of its last end; said:
    why it failed, in its own words; running: its process, while it has one."""

    job: Job
    state: State = State.WAITING
    tries: int = 0
    seconds: float = 0.0
    code: int | None = None
    said: str = ""
    running: Running | None = None


class _Written(msgspec.Struct, frozen=True):
    version: int
    program: str


class _Kept(_Written, frozen=True):
    jobs: list[Record]


class Ledger:
    """The records of a folder, kept. Made by `opened`."""

    def __init__(self, folder: Path, records: Sequence[Record]) -> None:
        self.folder, self.records = folder, list(records)

    def put(self, number: int, record: Record) -> None:
        """Change one. Raises DiskFull or OutputError: the file is then as it was."""
        self.records[number] = record
        self.save()

    def save(self) -> None:
        """Write all of them down."""
        text = page(_Kept(VERSION, __version__, self.records))
        with disk.writing(self.folder / NAME, REMEDY):
            disk.put(self.folder / NAME, text.encode())

    @staticmethod
    @contextmanager
    def opened(folder: Path, jobs: Sequence[Job]) -> Iterator[Ledger]:
        """The ledger of these jobs: those that are known go on, new ones wait. Raises BatchError where a folder holds
        another batch, or one that is under way, and DiskFull or OutputError."""
        with disk.writing(folder, REMEDY):
            folder.mkdir(parents=True, exist_ok=True)
            busy = BatchError(f"a batch is under way in {folder}: wait for it, or choose another folder with -o")
            lock = disk.claim(folder / LOCK, busy)
        try:
            ledger = Ledger(folder, _continued(folder, jobs))
            ledger.save()
            yield ledger
        finally:
            with suppress(OSError):
                (folder / LOCK).unlink()
            lock.release()


def busy(folder: Path) -> bool:
    """Whether a queue works in a folder now."""
    return disk.claimed(folder / LOCK)


def read(folder: Path) -> list[Record]:
    """The records of a folder. Raises BatchError where there is no batch, or its file is damaged."""
    path = folder / NAME
    try:
        text = disk.read(path, LARGEST)
        written = msgspec.json.decode(text, type=_Written)
        if written.version > VERSION:  # whatever else it says
            raise _newer(path, written)
        kept = msgspec.json.decode(text, type=_Kept)
        names = {record.job.name for record in kept.jobs}
        if strange := [record.job.of for record in kept.jobs if record.job.of not in names | {None}]:
            raise ValueError(f"no job {strange[0]!r:.60}")
    except FileNotFoundError:
        raise BatchError(
            f"{folder} holds no batch: name the folder of one, or begin one with `latentworld batch LIST.toml -o DIR`"
        ) from None
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BatchError(f"{path} cannot be read ({why:.120}): begin in another folder with -o") from None
    if any(record.job.do not in KINDS for record in kept.jobs):
        raise _newer(path, kept)
    return kept.jobs


def _newer(path: Path, written: _Written) -> BatchError:
    return BatchError(f"{path} was written by latentworld {written.program:.40}, which is newer: go on with that one")


def _continued(folder: Path, jobs: Sequence[Job]) -> list[Record]:
    if not (folder / NAME).exists():
        return [Record(job) for job in jobs]
    known = {record.job.name: record for record in read(folder)}
    names = {job.name for job in jobs}
    if gone := [name for name in known if name not in names]:
        raise BatchError(f"{folder} holds another batch (with the job {gone[0]}): choose another folder with -o")
    for job in jobs:
        there = known.get(job.name)
        if there is not None and there.job != job and there.tries:
            raise BatchError(
                f"job {job.name} was begun otherwise in {folder}: call it something else, or choose another folder "
                f"with -o"
            )
    return [known[job.name] if job.name in known and known[job.name].job == job else Record(job) for job in jobs]
