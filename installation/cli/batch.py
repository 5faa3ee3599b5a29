"""`latentworld batch`: many jobs, one after the other."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from installation.cli import completion
from installation.cli.consoles import on_stderr
from installation.cli.help import Group
from installation.cli.presets import Override
from installation.cli.tables import AsJson, Column, give_json, show_table
from installation.stopwatch import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from installation.batch.jobs import Job
    from installation.batch.ledger import Ledger, Record
    from installation.batch.queue import Manner
    from installation.batch.standing import Row
    from installation.cli.progress import Speaker


class WithWork(Group):
    """`batch LIST …` works: what is not the name of a command here is a list, a preset or an option."""

    own = "work"


app = typer.Typer(cls=WithWork, help="Work through a list of jobs, or a matrix of settings; see how far it is.")
Option = typer.Option
LOOK = 2.0  # seconds from one look at how far a job is to the next


@app.command("work")
def work(
    named: Annotated[
        str,
        typer.Argument(
            metavar="LIST",
            autocompletion=completion.preset,
            help="A list of jobs, a .toml file (docs/batch.md); with --matrix a preset.",
        ),
    ],
    output: Annotated[
        Path | None,
        Option("-o", "--output", help="The batch's folder; default: the list's name without .toml, beside it."),
    ] = None,
    matrix: Annotated[
        list[str] | None,
        Option("--matrix", metavar="KEY=VALUE,VALUE", help="A job for each value, of every combination; repeatable."),
    ] = None,
    do: Annotated[str, Option("--do", help="What is done with each: film, still, plan, survey ...")] = "film",
    with_: Annotated[
        list[str] | None,
        Option("--with", metavar="OPTION=VALUE", help="An option of that command, as grid=3x3; repeatable."),
    ] = None,
    set_: Override = None,
    retries: Annotated[int, Option(min=0, max=100, help="How often more a job that fails is tried.")] = 0,
    keep_going: Annotated[
        bool, Option("--keep-going", help="Make the other jobs where one fails; without, the batch stops there.")
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Check all jobs and print their commands alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Work through a list of jobs, or a matrix of settings, each a process of its own with a folder and a log.

    The same command goes on with what is left, after Ctrl-C, a kill or a power cut. Exit 1 where a job failed.
    `batch status DIR` says how far one is.
    """
    from installation.batch.queue import Manner
    from installation.cli.batch_jobs import checked, of_list, of_matrix

    if matrix:
        jobs = of_matrix(named, matrix, do, with_ or [], set_ or [])
        folder = output or Path("out") / f"{Path(named).stem}-batch"
    else:
        if do != "film" or with_ or set_:
            raise typer.BadParameter("--do, --with and --set go with --matrix: a list says these for each job")
        jobs = of_list(named)
        folder = output or Path(named).with_suffix("")
    lines = checked(jobs, folder)
    if dry_run:
        if as_json:
            told = [{"job": job.name, "command": line} for job, line in zip(jobs, lines, strict=True)]
            give_json({"folder": str(folder), "jobs": told})
        else:
            print("\n".join(lines))
        return
    _work(jobs, folder, Manner(retries, keep_going), as_json)


def _work(jobs: Sequence[Job], folder: Path, manner: Manner, as_json: bool) -> None:
    """Do what is left of a batch, and say what was done."""
    from installation.batch.ledger import Ledger, State
    from installation.batch.queue import Queue
    from installation.batch.standing import counts
    from installation.cli.interrupt import Interrupt, again
    from installation.cli.progress import EVERY, Speaker

    with Ledger.opened(folder, jobs) as ledger:
        teller = _Teller(ledger, Speaker(on_stderr(), f"batch of {len(jobs)} jobs", first=EVERY))
        stop = Interrupt()
        stop.watch(0, 0)  # from the first moment Ctrl-C is a wish
        with stop, teller.speaker, suppress(KeyboardInterrupt):  # asked twice: how far it came is told all the same
            Queue(ledger, manner, lambda: not stop.asked, teller).run()
        records = list(ledger.records)
    tell(records, folder, as_json)
    seen = counts(records)
    if stop.asked and seen.get(State.DONE, 0) < len(records):
        print(f"interrupted. To go on with it: {again()}", file=sys.stderr)
        raise typer.Exit(130)
    if seen.get(State.DONE, 0) < len(records):
        if State.WAITING in seen and not manner.keep_going:
            print("stopped at the first job that failed: --keep-going makes the others", file=sys.stderr)
        print(f"what failed is tried again by the same command: {again()}", file=sys.stderr)
        raise typer.Exit(1)


class _Teller:
    """Says what begins and how it ends, a line each, and how far the job is that runs."""

    def __init__(self, ledger: Ledger, speaker: Speaker) -> None:
        self._ledger, self.speaker, self._seen = ledger, speaker, dict[int, tuple[str, int]]()
        self._clock, self._next = Stopwatch(), 0.0

    def __call__(self, record: Record, number: int) -> None:
        from installation.batch.ledger import State
        from installation.batch.standing import left, row
        from installation.cli.progress import duration

        where = f"{number + 1} of {len(self._ledger.records)}"
        now = (str(record.state), record.tries)
        if self._seen.get(number) != now:
            self._seen[number] = now
            words = {
                State.DONE: f"done in {duration(record.seconds)}", State.FAILED: f"failed: {record.said}",
                State.WAITING: record.said, State.INTERRUPTED: "interrupted",
                State.RUNNING: "begun" if record.tries == 1 else f"try {record.tries}",
            }  # fmt: skip
            line = f"{where}  {record.job.name}: {words[record.state]}"
            self.speaker.console.print(line, highlight=False, markup=False, soft_wrap=True)
        if record.state is State.RUNNING and self._clock.seconds >= self._next:
            self._next = self._clock.seconds + LOOK
            self.speaker.part(f"{where}  {record.job.name}")
            seen = row(record, self._ledger.folder, {one.job.name: one.job for one in self._ledger.records})
            rest = left(self._ledger.records)
            more = "" if rest is None else f"about {duration(rest)} for the batch"
            self.speaker.detail("; ".join(filter(None, (_far(seen) or seen.said, more))))


@app.command()
def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a batch.")], as_json: AsJson = False
) -> None:
    """How far a batch is: its jobs, their states, how long they took, why one failed."""
    from installation.batch.ledger import read

    tell(read(folder), folder, as_json)


def tell(records: Sequence[Record], folder: Path, as_json: bool) -> None:
    """The table of a batch, and a line that counts."""
    from installation.batch.ledger import busy
    from installation.batch.standing import counts, rows
    from installation.cli.progress import duration
    from installation.ipc import jsonable

    under_way = busy(folder)
    found = rows(records, folder, under_way)
    if as_json:
        give_json({"folder": str(folder), "busy": under_way, "jobs": [jsonable.table(row) for row in found]})
        return
    columns = (
        Column("job", "job"), Column("does", "does"), Column("state", "state"), Column("how far", "far"),
        Column("took", "took", right=True), Column("tries", "tries", right=True), Column("", "said"),
    )  # fmt: skip
    took = [duration(row.seconds) if row.seconds else "" for row in found]
    cells = [
        (row.job, row.does, str(row.state), _far(row), time, row.tries, row.said)
        for row, time in zip(found, took, strict=True)
    ]
    show_table(columns, cells)
    summed = ", ".join(f"{count} {state}" for state, count in counts(records).items())
    print(f"{len(records)} jobs: {summed}; {duration(sum(row.seconds for row in found))} of work, in {folder}")


def _far(row: Row) -> str:
    """Frames of a film."""
    from installation.cli.progress import duration

    if row.done is None or row.total is None:
        return ""
    rest = f", {duration(row.left)} left" if row.left and str(row.state) != "done" else ""
    return f"{row.done} of {row.total} frames{rest}"
