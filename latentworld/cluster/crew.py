"""A crew of Ray workers that do numbered jobs, whose results this process takes in as they arrive.

::

    driver                                          worker (a Ray actor)
    run(jobs, factory, …): hands out numbers    →   factory() once, then work(*arguments of a number)
    takes each result once, as it arrives       ←   what it returned

A worker holds at most two jobs, so neither it nor the driver's memory ever waits for more. A job whose worker is lost
goes to the next free one.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast

from latentworld.cluster.connection import connected, said, seats
from latentworld.decoding.profile import Profile
from latentworld.errors import ClusterError
from latentworld.extras import need

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

Work = Callable[..., object]
Factory = Callable[[], Work]
"""Builds what a worker works with, in the worker; picklable. A `Vouched` work has its settings compared."""
Result = TypeVar("Result")
Taken = TypeVar("Taken", contravariant=True)

HELD = 2  # jobs a worker holds: one under way and the next
TRIES = 3  # of a job, and of starting a worker in one seat
REMEDY = "what arrived is kept; once that is mended, the same again goes on with it"


@dataclass(frozen=True, eq=False)
class Vouched:
    """A worker's work that says what it was built with, as plain values."""

    work: Work
    settings: Mapping[str, object]

    def __call__(self, *arguments: object) -> object:
        """What the work makes of them."""
        return self.work(*arguments)


class Worker:
    """One work in a process of Ray's."""

    def begin(self, factory: Factory, threads: int) -> tuple[str, dict[str, object]]:
        """Build it, with so many CPU threads (sums are split among them; 0: as many as there are).

        Returns this machine's name and the settings that the work vouches for.
        """
        import platform

        if threads:
            import torch

            torch.set_num_threads(threads)
        self._work = factory()
        settings = self._work.settings if isinstance(self._work, Vouched) else {}
        return platform.node(), dict(settings)

    def do(self, *arguments: object) -> object:
        """One job."""
        return self._work(*arguments)


class Jobs(Protocol[Taken]):
    """What a crew is for. noun: what a job is called where one fails."""

    noun: str

    def arguments(self, job: int) -> tuple[object, ...]:
        """What a worker's work is called with; picklable."""

    def check(self, machine: str, settings: Mapping[str, object]) -> None:
        """Hold what a worker vouches for against what is wanted. Raises where it would make something else."""

    def take(self, job: int, result: Taken, last: bool) -> None:
        """Keep a result. last: none is under way any more."""


@dataclass(frozen=True)
class Means:
    """What a crew works with. address: "auto" (a cluster that runs here or at $RAY_ADDRESS, else one is started on this
    machine), "local" (start one), "host:port" or "ray://host:port". workers: as many as the cluster has room for,
    unless given. cpus, gpus: of one worker; without them what its `profile` needs. patience: seconds until the first
    worker must have begun."""

    address: str = "auto"
    workers: int | None = None
    cpus: float | None = None
    gpus: float | None = None
    patience: float = 600.0

    def wants(self, profile: Profile | None) -> dict[str, float]:
        """What a worker takes, as Ray counts it. Raises ClusterError for what nobody can give."""
        usual = needs(profile)
        cpus = usual["CPU"] if self.cpus is None else self.cpus
        gpus = usual["GPU"] if self.gpus is None else self.gpus
        if cpus <= 0 or gpus < 0 or (self.workers is not None and self.workers < 1):
            raise ClusterError(
                f"{self.workers} workers with {cpus:g} CPUs and {gpus:g} GPUs: give 1 or more, and some CPU"
            )
        return {"CPU": cpus, "GPU": gpus}


def needs(profile: Profile | None) -> dict[str, float]:
    """What a worker that makes pictures of a profile takes, as Ray counts it: a CPU for each of its threads, and a GPU
    where one computes."""
    if profile is None:
        return {"CPU": 1.0, "GPU": 0.0}
    return {"CPU": float(max(1, profile.threads)), "GPU": float(profile.device == "cuda")}


@contextmanager
def hired(
    jobs: Jobs[Result], factory: Factory, means: Means, profile: Profile | None,
    say: Callable[[str], None] | None = None,
) -> Iterator[Callable[[Iterable[int]], None]]:  # fmt: skip
    """A crew that does jobs by their numbers: `with hired(...) as work: work([0, 1, 2])`. say: for one line that says
    what was started. A Ray that the caller connected already is used and left running.

    Raises ClusterError without Ray, when the cluster is out of reach, a worker cannot start or a job fails three times;
    what `jobs.check` raises. What arrived was taken; Ctrl-C stops the workers.
    """
    ray, say = need("ray"), say or (lambda line: None)
    wants = means.wants(profile)
    cpus = None if means.workers is None else math.ceil(means.workers * wants["CPU"])
    with connected(ray, means.address, cpus, say):
        crew = _Crew(ray, jobs, factory, profile.threads if profile else 0, means.patience)
        try:
            crew.hire(seats(ray, means.workers, wants, say), wants)
            yield crew.work
        except ray.exceptions.RayError as error:
            raise ClusterError(f"the cluster was lost ({said(error)}): {REMEDY}") from error
        finally:
            crew.dismiss()


@dataclass(eq=False)
class _Seat:
    """A worker's seat in the crew; its actor is replaced when it is lost."""

    actor: ActorHandle
    ready: bool = False
    failed: int = 0  # starts in a row that failed


class _Crew(Generic[Result]):
    """The workers, and which of them holds what: `flying` maps a result to come to its seat and its job.

    The job is None for a start.
    """

    def __init__(self, ray: ModuleType, jobs: Jobs[Result], factory: Factory, threads: int, patience: float) -> None:
        self._ray, self._jobs, self._factory, self._threads = ray, jobs, factory, threads
        self._patience = patience
        self._seats: list[_Seat] = []
        self._flying: dict[ObjectRef, tuple[_Seat, int | None]] = {}
        self._queue: deque[int] = deque()
        self._tries: Counter[int] = Counter()

    def hire(self, seats: int, wants: Mapping[str, float]) -> None:
        """Start workers that take so many CPUs and GPUs each."""
        self._actor = self._ray.remote(num_cpus=wants["CPU"], num_gpus=wants["GPU"], max_restarts=0)(Worker)
        try:  # once for all of them
            self._packed = self._ray.put(self._factory)
        except (TypeError, AttributeError, ValueError) as error:  # what pickling raises
            raise ClusterError(f"the factory cannot be sent to a worker ({said(error)}): make it a function") from error
        for _ in range(seats):
            self._seats.append(_Seat(self._actor.remote()))
            self._begin(self._seats[-1])

    def work(self, jobs: Iterable[int]) -> None:
        """Have jobs done and take each result as it arrives."""
        self._queue = deque(jobs)
        while self._under_way:
            self._hand_out()
            for result in self._arrived():
                if result in self._flying:  # not taken back meanwhile with its worker
                    self._land(result)

    @property
    def _under_way(self) -> bool:
        return bool(self._queue) or any(job is not None for _, job in self._flying.values())

    def dismiss(self) -> None:
        """End every worker, whatever it is doing."""
        self._flying.clear()
        for seat in self._seats:
            self._end(seat)

    def _start(self, seat: _Seat) -> None:
        seat.actor, seat.ready = self._actor.remote(), False
        self._begin(seat)

    def _begin(self, seat: _Seat) -> None:
        self._flying[seat.actor.begin.remote(self._packed, self._threads)] = (seat, None)

    def _end(self, seat: _Seat) -> None:
        try:
            self._ray.kill(seat.actor)
        except (self._ray.exceptions.RayError, ValueError):  # it is gone, and perhaps the cluster too
            return

    def _hand_out(self) -> None:
        """One job a worker, and then the next one each."""
        held = Counter(seat for seat, _ in self._flying.values())
        for depth in range(HELD):
            for seat in self._seats:
                if seat.ready and held[seat] == depth and self._queue:
                    job = self._queue.popleft()
                    self._flying[seat.actor.do.remote(*self._jobs.arguments(job))] = (seat, job)
                    held[seat] += 1

    def _arrived(self) -> Sequence[ObjectRef]:
        begun = any(seat.ready for seat in self._seats)
        done, _ = self._ray.wait(list(self._flying), num_returns=1, timeout=None if begun else self._patience)
        if not done:
            free = {name: have for name, have in self._ray.available_resources().items() if name in ("CPU", "GPU")}
            left = ", ".join(f"{have:g} {name}" for name, have in free.items()) or "nothing"
            raise ClusterError(
                f"no worker began within {self._patience:g} s, {left} is free: wait for room, or add some"
            )
        return list(done)

    def _land(self, result: ObjectRef) -> None:
        seat, job = self._flying.pop(result)
        try:
            found = self._ray.get(result)
        except self._ray.exceptions.RayTaskError as error:  # raised by the factory or the work; the worker lives
            self._failed(seat, job, error.cause)
        except self._ray.exceptions.RayError as error:  # the worker died, its machine, or the way there
            self._lost(seat, job, error)
        else:
            if job is None:
                self._jobs.check(*found)
                seat.ready, seat.failed = True, 0
            else:
                self._jobs.take(job, cast("Result", found), not self._under_way)

    def _failed(self, seat: _Seat, job: int | None, cause: BaseException) -> None:
        """What it was given raised, the worker lives: try again, the start in this worker and a job in any."""
        if job is None:
            self._not_begun(seat, cause)
            self._begin(seat)
        else:
            self._again(job, cause)

    def _lost(self, seat: _Seat, job: int | None, cause: BaseException) -> None:
        """Fill a seat anew, and put what its worker held at the head of the queue."""
        self._end(seat)
        if not seat.ready:
            self._not_begun(seat, cause)
        others = [result for result, (holder, _) in self._flying.items() if holder is seat]
        for lost in (job, *(self._flying.pop(result)[1] for result in others)):
            if lost is not None:
                self._again(lost, cause)
        self._start(seat)

    def _not_begun(self, seat: _Seat, cause: BaseException) -> None:
        seat.failed += 1
        if seat.failed >= TRIES:
            raise ClusterError(f"a worker could not start, {TRIES} times ({said(cause)}): {REMEDY}") from cause

    def _again(self, job: int, cause: BaseException) -> None:
        self._tries[job] += 1
        if self._tries[job] >= TRIES:
            noun = self._jobs.noun
            raise ClusterError(f"{noun} {job} failed {TRIES} times ({said(cause)}): {REMEDY}") from cause
        self._queue.appendleft(job)
