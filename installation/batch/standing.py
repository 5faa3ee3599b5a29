"""How a batch stands, job by job: for its table, for programs, and for the line that is told while it runs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from installation.batch.jobs import Job
from installation.batch.ledger import Record, State
from installation.batch.process import last_lines
from installation.film.output import Folder
from installation.film.progress import FilmProgress
from installation.film.verify import status
from latentworld import disk
from latentworld.errors import LatentWorldError

LARGEST = 1 << 16  # bytes of a film's progress


@dataclass(frozen=True)
class Row:
    """A job of the table. done, total: frames of a film, None for others; left: seconds, None where nothing says;
    said: why it failed or what it waits for, else the last line of what it says while it runs."""

    job: str
    does: str
    state: State
    done: int | None
    total: int | None
    left: float | None
    seconds: float
    tries: int
    said: str
    made: str
    log: str
    command: str


@dataclass(frozen=True)
class Frames:
    """done of total frames of a film, and what the rest takes."""

    done: int | None = None
    total: int | None = None
    left: float | None = None


def rows(records: Sequence[Record], folder: Path, is_under_way: bool) -> list[Row]:
    """The table. is_under_way: somebody works through it now; else what is said to run was interrupted."""
    others = {record.job.name: record.job for record in records}
    return [row(record, folder, others, is_under_way) for record in records]


def row(record: Record, folder: Path, others: dict[str, Job], is_under_way: bool = True) -> Row:
    """One of them."""
    job, state, said = record.job, record.state, record.said
    runs = state is State.RUNNING and record.running is not None and record.running.process() is not None
    if state is State.RUNNING and not is_under_way:
        state = State.RUNNING if runs else State.INTERRUPTED
        said = "runs on; its batch was killed" if runs else "its batch was killed"
    if state is State.RUNNING and not said:
        said = "".join(last_lines(job.log(folder))[-1:])
    seen = frames(job, folder, state) if record.tries else Frames()
    return Row(
        job.name, job.do, state, seen.done, seen.total, seen.left, record.seconds, record.tries, said,
        str(job.target(folder)), str(job.log(folder)), shlex.join(["latentworld", *job.arguments(folder, others)]),
    )  # fmt: skip


def frames(job: Job, folder: Path, state: State) -> Frames:
    """How far a film is, by its own file of progress and its own manifest."""
    if job.do != "film":
        return Frames()
    there = Folder(job.target(folder))
    seen = Frames()
    try:
        standing = status(there)
        seen = Frames(standing.frames, standing.planned, standing.left)
    except LatentWorldError:  # nothing is kept yet
        pass
    if state is State.RUNNING:
        try:
            told = msgspec.json.decode(disk.read(there.progress, LARGEST), type=FilmProgress)
            seen = Frames(told.frames, told.planned, told.eta)
        except (OSError, ValueError):  # msgspec's own is one
            pass
    return replace(seen, left=None) if state is State.DONE else seen


def counts(records: Sequence[Record]) -> dict[State, int]:
    """How many jobs are how far, those of none left out."""
    return {state: count for state in State if (count := sum(record.state is state for record in records))}


def left(records: Sequence[Record]) -> float | None:
    """Seconds that the jobs take which are not done, as those like them took; None where one is like none."""
    total = 0.0
    for record in records:
        if record.state is State.DONE:
            continue
        took = [one.seconds for one in records if one.state is State.DONE and one.job.do == record.job.do]
        if not took:
            return None
        total += sum(took) / len(took)
    return total
