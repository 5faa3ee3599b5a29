"""Jobs: a command each, with the folder that it leaves its work in.

::

    job = Job("orbit", "film", "neutral", ("--set", "walk.inclination=70"))
    job.arguments(Path("out/series"), {"orbit": job})   # film neutral -o out/series/orbit --set walk.inclination=70
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from installation.atlas.unfinished import NAME as UNFINISHED
from installation.film.output import Folder
from latentworld.errors import BatchError
from latentworld.explain import nearest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def never(made: Path) -> bool:
    """Nothing says that it is whole: the command is run again, and goes on or does it anew."""
    return False


def film_is_whole(made: Path) -> bool:
    """From its first frame to its last."""
    return Folder(made).whole


def work_is_whole(made: Path) -> bool:
    """A work in a folder whose unfinished part is gone."""
    return any(made.glob("*.json")) and not (made / UNFINISHED).exists()


@dataclass(frozen=True)
class Kind:
    """A command that may be a job. words: what is typed; target: what `-o` is, below the job's folder, "" for the
    folder itself; is_whole: whether that is done, asked where a killed queue does not know; takes: what of other jobs
    it works on (`of`), by their kind: the option before it, "" for its argument; gives: what others then get, below its
    folder; sets: whether it takes settings of a preset."""

    words: tuple[str, ...]
    target: str = ""
    is_whole: Callable[[Path], bool] = never
    takes: Mapping[str, str] = field(default_factory=dict)
    gives: str = ""
    sets: bool = True

    @property
    def gives_preset(self) -> bool:
        """Whether what others get of it is a preset."""
        return self.gives.endswith(".toml")


SURVEYED = {"survey": ""}
KINDS: Mapping[str, Kind] = {
    "film": Kind(("film",), "", film_is_whole, {"plan": "--plan", "tour": "", "harvest": ""}),
    "still": Kind(("still",), "still.png"),
    "plan": Kind(("plan",), "way.plan", Path.is_file, gives="way.plan"),
    "survey": Kind(("atlas", "survey")),
    "tour": Kind(("atlas", "tour"), "tour.toml", takes=SURVEYED, gives="tour.toml", sets=False),
    "emergence": Kind(("atlas", "emergence"), "", work_is_whole, SURVEYED, sets=False),
    "harvest": Kind(("harvest",), "", work_is_whole, SURVEYED, "harvest.toml"),
    "prospect": Kind(("prospect",)),
}


class Job(msgspec.Struct, frozen=True):
    """name: of its folder, of its log and in every table; do: a key of `KINDS`; source: the preset or atlas that it
    works on; options: words of its command line; of: the earlier job whose work it takes instead of a source."""

    name: str
    do: str
    source: str | None = None
    options: tuple[str, ...] = ()
    of: str | None = None

    @property
    def kind(self) -> Kind:
        """What it does."""
        return KINDS[self.do]

    def target(self, folder: Path) -> Path:
        """What its command makes, in the folder of the queue."""
        own = folder / self.name
        return own if self.do == "still" and self._is_several else own / self.kind.target

    def log(self, folder: Path) -> Path:
        """What its command said, beside its work."""
        return folder / f"{self.name}.log"

    def arguments(self, folder: Path, others: Mapping[str, Job]) -> list[str]:
        """Its command line, without the program. others: the jobs of the list, by name."""
        source = [] if self.source is None else [self.source]
        if self.of is not None:
            other = others[self.of]
            option, given = self.kind.takes[other.do], other.kind.gives
            made = str(folder / self.of / given) if given else str(folder / self.of)
            source = [option, made] if option else [made]
        return [*self.kind.words, *source, "-o", str(self.target(folder)), *self.options]

    @property
    def _is_several(self) -> bool:
        """Whether a still is of several places, whose pictures go into a folder."""
        places = [word for word in self.options if word.startswith(("--at=", "--grid=", "--random="))]
        return len(places) > 1 or any(not word.startswith("--at=") for word in places)


def checked(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """The jobs, if they can lie beside each other and those that they take come before them. Raises BatchError."""
    seen: dict[str, Job] = {}
    names = set[str]()  # as file systems see them that know no capitals
    for job in jobs:
        if job.do not in KINDS:
            raise BatchError(f"job {job.name}: no job does {job.do!r:.60}: {nearest(job.do, KINDS)}")
        if not NAME.fullmatch(job.name) or job.name.lower().endswith((".log", ".")) or job.name.lower() == "batch.json":
            raise BatchError(
                f"{job.name!r:.120} is no name of a job: give letters, digits, - _ + and dots, at most 100"
            )
        if job.name.lower() in names:
            raise BatchError(f"two jobs are called {job.name}: give each a name of its own")
        if job.of is not None:
            _can_take(job, seen)
        seen[job.name] = job
        names.add(job.name.lower())
    return tuple(jobs)


def _can_take(job: Job, before: Mapping[str, Job]) -> None:
    other = before.get(job.of or "")
    if other is None:
        known = nearest(job.of or "", before) if before else "it is the first"
        raise BatchError(f"job {job.name}: of = {json.dumps(job.of)} is no job before it: {known}")
    if other.do not in job.kind.takes:
        able = ", ".join(job.kind.takes) or "nothing"
        raise BatchError(f"job {job.name}: a {job.do} takes {able} of another job, and {other.name} is a {other.do}")
    if job.source is not None:
        raise BatchError(f"job {job.name}: of = {json.dumps(job.of)} and {job.source!r} both say what it works on")
