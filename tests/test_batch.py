"""A queue of jobs: what may be named, what follows from what, and that nothing is lost whatever ends it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from patience import until

from installation.batch import ledger, listing, matrix
from installation.batch.jobs import KINDS, Job, checked
from installation.batch.ledger import Ledger, Record, State
from installation.batch.queue import Manner, Queue
from installation.cli.batch_jobs import checked as held_against_commands
from latentworld import disk
from latentworld.errors import BatchError, DiskFull, OutputExists

ROOT = Path(__file__).parent.parent
STANDIN = (sys.executable, str(ROOT / "tests" / "standins" / "job.py"))
SMALL = ("decoder.height=32", "decoder.width=32", "decoder.steps=10", "decoder.batch=4", "film.fps=16", "film.chunk=1")
Run = Callable[..., tuple[int, str, str]]


def jobs(*names: str) -> tuple[Job, ...]:
    """Jobs that do as they are called, by the stand-in."""
    return tuple(Job(f"{number}-{name}", "film", name) for number, name in enumerate(names))


def worked(
    folder: Path, wanted: Sequence[Job], retries: int = 0, keep_going: bool = False, until_state: str = ""
) -> list[Record]:
    """What a queue made of jobs. until_state: it is asked to stop once one of them is that far and at work."""
    asked = threading.Event()
    with Ledger.opened(folder, wanted) as held:

        def told(record: Record, number: int) -> None:
            if record.state == until_state and (folder / record.job.name / "begun").exists():
                asked.set()

        Queue(held, Manner(retries, keep_going, STANDIN), lambda: not asked.is_set(), told).run()
        return list(held.records)


def states(records: Sequence[Record]) -> list[str]:
    return [str(record.state) for record in records]


def begun(folder: Path, name: str) -> list[int]:
    """Processes that a job had so far."""
    try:
        return [int(line) for line in (folder / name / "begun").read_text().split()]
    except OSError:
        return []


FAILING = [("flaky", 2, "done"), ("fail", 3, "failed"), ("misuse", 1, "failed")]


# What is worked off


def test_jobs_are_made_in_order_each_with_a_log(tmp_path: Path) -> None:
    done = worked(tmp_path, jobs("well", "well"))
    assert states(done) == ["done", "done"]
    for record in done:
        assert record.job.log(tmp_path).read_text().splitlines()[1:] == ["at work"]
        assert (record.tries, record.code, record.running) == (1, 0, None)
    assert ledger.read(tmp_path) == done


def test_without_keep_going_it_ends_where_a_job_fails(tmp_path: Path) -> None:
    done = worked(tmp_path, jobs("well", "fail", "well"))
    assert states(done) == ["done", "failed", "waiting"]
    assert (done[1].said, done[1].code) == ("the sky is green: paint it", 1)


def test_with_keep_going_one_crash_loses_one_job(tmp_path: Path) -> None:
    done = worked(tmp_path, jobs("crash", "well"), keep_going=True)
    assert states(done) == ["failed", "done"]
    assert done[0].said == "killed by SIGKILL (out of memory?)"


@pytest.mark.parametrize(
    ("name", "tries", "state"), [("flaky", 2, "done"), ("fail", 3, "failed"), ("misuse", 1, "failed")]
)
def test_a_job_that_fails_is_tried_again_but_no_misuse(name: str, tries: int, state: str, tmp_path: Path) -> None:
    (record,) = worked(tmp_path, jobs(name), retries=2)
    assert (record.tries, str(record.state)) == (tries, state)
    assert len(begun(tmp_path, record.job.name)) == tries


def test_the_same_again_does_what_failed_and_what_is_new_and_nothing_twice(tmp_path: Path) -> None:
    worked(tmp_path, jobs("well", "flaky"))
    done = worked(tmp_path, jobs("well", "flaky", "well"))
    assert states(done) == ["done", "done", "done"]
    assert [record.tries for record in done] == [1, 2, 1]


def test_what_works_on_a_job_waits_where_that_failed(tmp_path: Path) -> None:
    wanted = [Job("a", "plan", "fail"), Job("b", "film", of="a"), *jobs("well")]
    done = worked(tmp_path, checked(wanted), keep_going=True)
    assert states(done) == ["failed", "waiting", "done"]
    assert done[1].said == "waits for a"


def test_asked_to_stop_it_asks_its_job_and_goes_on_later(tmp_path: Path) -> None:
    done = worked(tmp_path, jobs("sleep", "well"), until_state="running")
    assert states(done) == ["interrupted", "waiting"]
    assert not psutil.pid_exists(begun(tmp_path, "0-sleep")[0])
    with Ledger.opened(tmp_path, jobs("sleep", "well")) as held:
        assert [record.tries for record in held.records] == [1, 0]


# Killed


BATCH = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from installation.batch.jobs import Job
from installation.batch.ledger import Ledger
from installation.batch.queue import Manner, Queue
jobs = tuple(Job(f"{{n}}-{{what}}", "film", what) for n, what in enumerate({names!r}))
with Ledger.opened(Path({folder!r}), jobs) as held:
    Queue(held, Manner(0, False, {program!r}), lambda: True, lambda record, number: None).run()
"""


def killed(folder: Path, *names: str) -> int:
    """Kill a queue (−9) once its first job is at work and written down. The job's process."""
    text = BATCH.format(root=str(ROOT), tests=str(ROOT / "tests"), names=names, folder=str(folder), program=STANDIN)
    queue = subprocess.Popen([sys.executable, "-c", text])
    first = f"0-{names[0]}"
    until(lambda: begun(folder, first) and '"pid"' in (folder / ledger.NAME).read_text())
    queue.send_signal(signal.SIGKILL)
    queue.wait()
    return begun(folder, first)[0]


def test_a_job_that_outlives_its_killed_queue_is_waited_for(tmp_path: Path) -> None:
    killed(tmp_path, "slow", "well")
    assert not ledger.busy(tmp_path)
    done = worked(tmp_path, jobs("slow", "well"))
    assert states(done) == ["done", "done"]
    assert len(begun(tmp_path, "0-slow")) == 1


def test_a_job_that_died_with_its_killed_queue_is_begun_again(tmp_path: Path) -> None:
    os.kill(killed(tmp_path, "sleep", "well"), signal.SIGKILL)
    left = ledger.read(tmp_path)[0].running
    assert left is not None
    until(lambda: left.process() is None)
    done = worked(tmp_path, jobs("sleep", "well"), until_state="running")
    assert states(done) == ["interrupted", "waiting"]
    assert len(begun(tmp_path, "0-sleep")) == 2


def test_asked_to_stop_a_job_that_outlived_its_queue_is_asked_too(tmp_path: Path) -> None:
    orphan = killed(tmp_path, "sleep", "well")
    done = worked(tmp_path, jobs("sleep", "well"), until_state="running")
    assert states(done) == ["interrupted", "waiting"]
    until(lambda: not psutil.pid_exists(orphan))
    assert begun(tmp_path, "0-sleep") == [orphan]


def film(folder: Path, *more: str) -> list[str]:
    settings = [part for one in (*SMALL, "film.seconds=8", "decoder.steps=200") for part in ("--set", one)]
    return [
        sys.executable, "-m", "installation", "batch", "analytic", "--matrix", "plane.seeds=[1,2,3],[4,5,6]", "-o",
        str(folder), *settings, *more,
    ]  # fmt: skip


def test_a_killed_batch_and_a_killed_film_end_in_the_films_that_nobody_killed(tmp_path: Path) -> None:
    """The batch first (−9), then, gone on with, its film: chunks that are there are not made again."""
    from installation.film.make import film as make_film
    from latentworld import preset

    first = "analytic-1-seeds-1-2-3"
    lines = tmp_path / "batch" / first / "chunks.jsonl"

    def chunks() -> int:
        return lines.read_bytes().count(b"\n") - 1 if lines.is_file() else 0

    batch = subprocess.Popen(film(tmp_path / "batch"), cwd=ROOT, stderr=subprocess.DEVNULL)
    until(lambda: chunks() >= 1)
    batch.send_signal(signal.SIGKILL)
    batch.wait()
    (record, other) = ledger.read(tmp_path / "batch")
    assert (record.state, other.state) == (State.RUNNING, State.WAITING)
    assert record.running is not None
    os.kill(record.running.pid, signal.SIGKILL)
    until(lambda: record.running.process() is None)
    kept = chunks()
    again = subprocess.run(
        film(tmp_path / "batch", "--retries", "1", "--json"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    told = json.loads(again.stdout)["jobs"]
    assert [(job["state"], job["done"], job["total"]) for job in told] == [("done", 128, 128)] * 2
    assert kept >= 1
    overrides = [*SMALL, "film.seconds=8", "decoder.steps=200", "plane.seeds=[1,2,3]"]
    make_film(preset.load("analytic", overrides), tmp_path / "alone")
    for name in ("telemetry.csv", "film.mp4"):
        made = (tmp_path / "batch" / first / name).read_bytes()
        assert name == "film.mp4" or made == (tmp_path / "alone" / name).read_bytes()


def test_ctrl_c_tells_how_to_go_on(tmp_path: Path) -> None:
    batch = subprocess.Popen(
        film(tmp_path / "batch"), cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    until(lambda: (tmp_path / "batch" / "analytic-1-seeds-1-2-3" / "chunks.jsonl").is_file())
    batch.send_signal(signal.SIGINT)
    out, err = batch.communicate()
    assert batch.returncode == 130
    assert "interrupted. To go on with it: latentworld batch analytic --matrix" in err
    assert "1 waiting, 1 interrupted" in out


# What is refused


def test_two_batches_in_one_folder(tmp_path: Path) -> None:
    with (
        Ledger.opened(tmp_path, jobs("well")),
        pytest.raises(BatchError, match="a batch is under way in"),
        Ledger.opened(tmp_path, jobs("well")),
    ):
        pass
    worked(tmp_path, jobs("well"))
    with pytest.raises(BatchError, match=r"holds another batch \(with the job 0-well\)"):
        worked(tmp_path, jobs("fail"))
    with pytest.raises(BatchError, match="0-well was begun otherwise"):
        worked(tmp_path, [Job("0-well", "film", "slow")])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 1}', '{"version": 9, "program": "9", "jobs": []}', "\0" * 9]
)
def test_a_damaged_file_of_states(text: str, tmp_path: Path) -> None:
    (tmp_path / ledger.NAME).write_text(text)
    with pytest.raises(BatchError, match=r"cannot be read|newer"):
        ledger.read(tmp_path)


def test_a_folder_of_no_batch(run: Run, tmp_path: Path) -> None:
    code, _, err = run("batch", "status", tmp_path)
    assert (code, err.count("\n")) == (1, 1)
    assert f"{tmp_path} holds no batch" in err


def test_a_job_whose_folder_holds_another_film(tmp_path: Path) -> None:
    (tmp_path / "0-well").mkdir()
    (tmp_path / "0-well" / "film.mp4").write_bytes(b"of somebody else")
    (record,) = worked(tmp_path, jobs("well"), retries=3)
    assert (str(record.state), record.tries) == ("failed", 0)
    assert "holds a film already" in record.said
    assert (tmp_path / "0-well" / "film.mp4").read_bytes() == b"of somebody else"


def test_a_still_replaces_none_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "still.png").write_bytes(b"of somebody else")
    (record,) = worked(tmp_path, [Job("a", "still", "well")])
    assert "is there already" in record.said


def test_a_full_disk_is_told_and_the_states_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worked(tmp_path, jobs("well"))
    before, put = (tmp_path / ledger.NAME).read_bytes(), disk.put

    def full(path: Path, *rest: object, **more: object) -> None:
        if path.name == ledger.NAME and (tmp_path / "1-well").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        put(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(disk, "put", full)
    with pytest.raises(DiskFull, match="how far the batch is stays as it was"):
        worked(tmp_path, jobs("well", "well"))
    held = (tmp_path / ledger.NAME).read_bytes()
    assert held != before  # the job that was added, waiting or running
    assert states(ledger.read(tmp_path))[0] == "done"
    assert all(not psutil.pid_exists(pid) for pid in begun(tmp_path, "1-well"))
    monkeypatch.undo()
    assert states(worked(tmp_path, jobs("well", "well"))) == ["done", "done"]


LISTS = {
    "": "names no job",
    "job = 3": "names no job",
    "[[job]]\nname = '../out'": "no name of a job",
    "[[job]]\nname = 'batch.json'": "no name of a job",
    "[[job]]\nname = 'a.LOG'": "no name of a job",
    "[[job]]\nname = 'a'\n[[job]]\nname = 'A'": "two jobs are called",
    "[[job]]\ndo = 'flim'": "did you mean 'film'",
    "[[job]]\npreset = 3": "give a text",
    "preset = 'neutral'\nsets = 1\n[[job]]": "did you mean 'set'",
    "[[job]]\nof = 'b'": "no job before it",
    "[[job]]\nname = 'a'\n[[job]]\nof = 'a'": "takes plan, tour, harvest of another job",
    "[[job]]\ndo = 'plan'\nname = 'a'\n[[job]]\nof = 'a'\npreset = 'neutral'": "both say what it works on",
    "[[job]]\nset = 4": "write set =",
    "[[job]]\nset = ['film.fps=24', 'film.fps = 8']": "set names film.fps twice",
    "[[job]]\nset = { 'film.fps' = 24, film = { fps = 8 } }": "set names film.fps twice",
    "[[job]]\nset = false": "write set =",
    "[[job]]\nmatrix = {}": "write matrix =",
    "[[job]]\nmatrix = { 'plane.seeds' = [] }": "no values",
    "[[job]]\nmatrix = { 'film.seconds' = [1, 1] }": "the same value twice",
    "[[job": "is no TOML",
    "[[job]]\nsize = 1979-05-27": "nothing that a command takes",
}


@pytest.mark.parametrize(("text", "why"), LISTS.items())
def test_a_list_that_cannot_be_worked_off(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text(text)
    with pytest.raises(BatchError, match=why):
        listing.read(tmp_path / "list.toml")


WRONG = {
    "a key that no command has": (["[[job]]\npreset = 'neutral'\nsizes = '3x3'"], "has no option 'sizes'"),
    "a key that no preset has": (
        ["[[job]]\npreset = 'neutral'\nset = {'film.second'=3}"],
        "did you mean 'seconds'",
    ),
    "a preset that is none": (["[[job]]\npreset = 'nutral'"], "did you mean 'neutral'"),
    "a value of another kind": (
        ["[[job]]\ndo = 'plan'\npreset = 'neutral'\ncoarse = 'x'"],
        "should be a valid integer",
    ),
    "an option of the batch's": (["[[job]]\npreset = 'neutral'\noutput = '/tmp'"], "is the batch's to say"),
    "a film that is made anew each time": (["[[job]]\npreset = 'neutral'\noverwrite = true"], "is the batch's to say"),
    "a switch that is off": (["[[job]]\ndo = 'survey'\nscout = false"], "scout is a switch, off unless it is named"),
    "a file that is not there": (
        ["[[job]]\npreset = 'neutral'\nset = { plane.vertices = 'no.safetensors' }"],
        "plane.vertices = no.safetensors: there is no such file",
    ),
    "no preset": (["[[job]]"], "names nothing to film"),
    "no such list": ([], "is no list of jobs"),
}


@pytest.mark.parametrize(("lines", "why"), WRONG.values(), ids=WRONG)
def test_what_no_command_takes_is_refused_before_anything_begins(
    lines: list[str], why: str, run: Run, tmp_path: Path
) -> None:
    for text in lines:
        (tmp_path / "list.toml").write_text(text)
    code, out, err = run("batch", tmp_path / "list.toml")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert why in err
    assert not (tmp_path / "list").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--matrix", "plane.seeds="], "no values"),
        (["--matrix", "film.fps=12,24", "--set", "film.fps = 30"], "film.fps is said twice, by --matrix and by --set"),
        (["--matrix", "plane.seeds"], "cannot read the matrix"),
        (["--matrix", "=3"], "cannot read the matrix"),
        (["--matrix", "prompt.guidance=2.5,5"], "did you mean 'decoder.guidance'"),
        (["--matrix", "film.seconds=1,2", "--matrix", "film.seconds=3"], "twice"),
        (["--matrix", f"analytic.seed={','.join(map(str, range(1001)))}"], "at most 1000"),
        (["--matrix", "film.seconds=1", "--do", "dance"], "--do dance"),
        (["--matrix", "film.seconds=1", "--with", "=3"], "cannot read --with"),
        ([], "give --matrix KEY=VALUE,VALUE with the preset"),
    ],
)
def test_a_matrix_that_cannot_be_made(arguments: list[str], why: str, run: Run, tmp_path: Path) -> None:
    code, out, err = run("batch", "analytic", "-o", tmp_path / "out", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert why in err
    assert not (tmp_path / "out").exists()


# What is named


def test_a_matrix_is_every_combination_the_last_axis_first() -> None:
    axes = [matrix.axis("plane.seeds=[1,2,3],[4,5,6]"), matrix.axis("prompt.positive=a cat,a sea")]
    made = matrix.crossed(Job("neutral", "film", "neutral"), axes)
    assert [job.options[-1] for job in made] == ['prompt.positive="a cat"', 'prompt.positive="a sea"'] * 2
    assert made[0].name == "neutral-1-seeds-1-2-3_positive-a-cat"
    assert len({job.name for job in made}) == 4


def test_what_all_jobs_are_set_to_is_set_where_there_is_a_preset(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text("""
    preset = "neutral"
    set = { "plane.seeds" = [4, 5, 6] }
    job = [
        { name = "map", do = "survey", size = "3x3" },
        { name = "way", do = "tour", of = "map" },
        { name = "piece", of = "way", set = { "film.seconds" = 2 } },
        { name = "finds", do = "emergence", of = "map" },
    ]
    """)
    code, out, err = run("batch", tmp_path / "list.toml", "--dry-run", "--json")
    assert (code, err) == (0, "")
    told = {one["job"]: one["command"] for one in json.loads(out)["jobs"]}
    assert [name for name, line in told.items() if "plane.seeds" in line] == ["map", "piece"]  # a tour is a preset
    assert "--set film.seconds=2" in told["piece"]
    (tmp_path / "list.toml").write_text("set = { film.seconds = 2 }\n[[job]]\nplan = 'x.plan'")
    code, out, err = run("batch", tmp_path / "list.toml", "--dry-run")
    assert (code, "--set" in out) == (0, False), err


def test_an_axis_may_be_an_option_of_the_command(tmp_path: Path) -> None:
    made = matrix.crossed(Job("n", "still", "neutral"), [matrix.axis("at='0.1,0.2','-0.3,0.4'")])
    assert [job.options for job in made] == [("--at=0.1,0.2",), ("--at=-0.3,0.4",)]
    assert len(held_against_commands(made, tmp_path)) == 2


def test_every_kind_of_job_is_a_command_as_a_list_has_it(tmp_path: Path) -> None:
    text = """
    preset = "neutral"
    set = { "film.seconds" = 4, prompt.positive = 'a "cat" = 3' }
    [[job]]
    name = "plan"
    do = "plan"
    [[job]]
    name = "planned"
    of = "plan"
    [[job]]
    name = "map"
    do = "survey"
    scout = true
    size = "8x8"
    [[job]]
    name = "tour"
    do = "tour"
    set = {}
    of = "map"
    [[job]]
    name = "toured"
    of = "tour"
    [[job]]
    name = "harvest"
    do = "harvest"
    of = "map"
    [[job]]
    name = "still"
    do = "still"
    at = ["0.1,0.2", "0.3,0.4"]
    [[job]]
    name = "found"
    do = "prospect"
    count = 3
    """
    text = text.replace("    ", "")
    (tmp_path / "list.toml").write_text(text)
    lines = {job.name: job for job in listing.read(tmp_path / "list.toml")}
    assert {job.do for job in lines.values()} == set(KINDS) - {"emergence"}
    out = tmp_path / "out"
    assert lines["planned"].arguments(out, lines)[:3] == ["film", "--plan", str(out / "plan" / "way.plan")]
    assert lines["still"].target(out) == out / "still"
    assert lines["toured"].arguments(out, lines)[1] == str(out / "tour" / "tour.toml")


def test_a_film_that_may_not_be_replaced_is_no_job_of_ours(tmp_path: Path) -> None:
    """`free` says what the film command would say, before a process is begun for it."""
    from installation.batch.queue import free

    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "preset.toml").write_text("")
    with pytest.raises(OutputExists):
        free(Job("a", "film", "neutral"), tmp_path, 0)
    free(Job("a", "film", "neutral"), tmp_path, 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda kept: kept | {"version": 99, "jobs": [{"state": "paused"}]}, "is newer: go on with that one"),
        (lambda kept: kept | {"jobs": [kept["jobs"][0] | {"job": kept["jobs"][0]["job"] | {"of": "x"}}]}, "no job 'x'"),
    ],
    ids=["newer", "damaged"],
)
def test_a_ledger_that_cannot_be_gone_on_with_is_told(change: Any, said: str, tmp_path: Path) -> None:
    with Ledger.opened(tmp_path, [Job("one", "film", "analytic")]) as held:
        held.save()
    kept = json.loads((tmp_path / "batch.json").read_text())
    (tmp_path / "batch.json").write_text(json.dumps(change(kept)))
    with pytest.raises(BatchError, match=said):
        ledger.read(tmp_path)
