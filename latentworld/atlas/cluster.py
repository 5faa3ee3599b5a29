"""The same survey on many machines: Ray workers render blocks, this process alone writes them.

::

    driver                                        worker (a Ray actor), one decoder and one eye
    hold the store, hand out units and radii  →   factory() once, then render(units, radii)
    commit each block once, as it arrives     ←   Rendered

A worker holds at most two blocks, so neither it nor the driver's memory ever waits for more. A block whose worker is
lost goes to the next free one; slots are fixed by the store, so the order in which blocks arrive leaves no trace.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from latentworld.arrays import Array
from latentworld.atlas import survey as alone
from latentworld.atlas.extras import need
from latentworld.atlas.progress import ProgressPicture
from latentworld.atlas.settings import differences, profile_of
from latentworld.atlas.store import Store
from latentworld.atlas.survey import OnBlock
from latentworld.atlas.types import Render, Rendered
from latentworld.decoding.profile import Profile
from latentworld.errors import AtlasMismatch, ClusterError

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

Factory = Callable[[], Render]
"""Builds a worker's decoder and eye, in the worker; picklable. A `Vouched` Render has its settings compared."""

HELD = 2  # blocks a worker holds: one under way and the next
TRIES = 3  # of a block, and of starting a worker in one seat
KNOCK = 5.0  # seconds until an address counts as out of reach
OBJECTS = 256 * 2**20  # bytes of a local cluster's object store: a block in flight is rarely above one megabyte


@dataclass(frozen=True, eq=False)
class Vouched:
    """A Render that says what it was built with: whatever it knows of a store's settings, as plain values."""

    render: Render
    settings: Mapping[str, object]

    def __call__(self, units: Array, radii: Array) -> Rendered:
        """What is seen at units [n, 3] and radii [n]."""
        return self.render(units, radii)


class Worker:
    """One decoder and one eye in a process of Ray's."""

    def begin(self, factory: Factory, threads: int) -> tuple[str, dict[str, object]]:
        """Build them, with the CPU threads that the store's profile was made with (sums are split among them).

        Returns this machine's name and the settings that the Render vouches for.
        """
        import platform

        if threads:
            import torch

            torch.set_num_threads(threads)
        self._render = factory()
        settings = self._render.settings if isinstance(self._render, Vouched) else {}
        return platform.node(), dict(settings)

    def render(self, units: Array, radii: Array) -> Rendered:
        """What is seen at the units [n, 3] and radii [n] of a block."""
        return self._render(units, radii)


def survey(
    store: Store,
    factory: Factory,
    address: str = "auto",
    workers: int | None = None,
    on_block: OnBlock | None = None,
    preview: ProgressPicture | None = None,
    gpus: float | None = None,
    cpus: float | None = None,
    say: Callable[[str], None] | None = None,
    patience: float = 600.0,
) -> None:
    """Survey until complete, as `survey.run`, with every block rendered by one of `workers` Ray workers.

    address: "auto" (a cluster that runs here or at $RAY_ADDRESS, else one is started on this machine), "local" (start
    one), "host:port" or "ray://host:port". workers: as many as the cluster has room for, unless given. gpus, cpus: of
    one worker; without them 1 GPU where the store's profile names CUDA, and as many CPUs as it names threads. say: for
    one line that says what was started. patience: seconds until the first worker must have begun. A Ray that the caller
    connected already is used and left running.

    Raises ClusterError when the cluster is out of reach, a worker cannot start or a block fails three times;
    AtlasMismatch when a worker would make other pictures; AtlasError without Ray. The store then holds every block that
    arrived; Ctrl-C stops the workers and does the same.
    """
    if store.complete:
        store.finish()
        return
    ray = need("ray", "cluster")
    profile = profile_of(store.settings)
    threads = profile.threads if profile else 0
    usual = needs(profile)
    cpus, gpus = usual["CPU"] if cpus is None else cpus, usual["GPU"] if gpus is None else gpus
    if cpus <= 0 or gpus < 0 or (workers is not None and workers < 1):
        raise ClusterError(f"{workers} workers with {cpus:g} CPUs and {gpus:g} GPUs: give 1 or more, and some CPU")
    say = say or (lambda line: None)
    wants = {"CPU": cpus, "GPU": gpus}
    with _connected(ray, address, None if workers is None else math.ceil(workers * cpus), say):
        crew = _Crew(ray, store, factory, threads, patience)
        try:
            crew.hire(_seats(ray, workers, wants, say), wants)
            more = True
            while more:
                crew.work(alone.pending(store), on_block, preview)
                more = alone.advance(store)
        except ray.exceptions.RayError as error:
            raise ClusterError(f"the cluster was lost ({_line(error)}): {_REMEDY}") from error
        finally:
            crew.dismiss()


def needs(profile: Profile | None) -> dict[str, float]:
    """What a worker that makes pictures of a profile takes, as Ray counts it: a CPU for each of its threads, and a GPU
    where one computes."""
    if profile is None:
        return {"CPU": 1.0, "GPU": 0.0}
    return {"CPU": float(max(1, profile.threads)), "GPU": float(profile.device == "cuda")}


_REMEDY = "what arrived is kept; once that is mended, survey again and it goes on"


@dataclass(eq=False)
class _Seat:
    """A worker's seat in the crew; its actor is replaced when it is lost."""

    actor: ActorHandle
    ready: bool = False
    failed: int = 0  # starts in a row that failed


class _Crew:
    """The workers, and which of them holds what: `flying` maps a result to come to its seat and its block.

    The block is None for a start.
    """

    def __init__(self, ray: ModuleType, store: Store, factory: Factory, threads: int, patience: float) -> None:
        self._ray, self._store, self._factory, self._threads = ray, store, factory, threads
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
            raise ClusterError(
                f"the factory cannot be sent to a worker ({_line(error)}): make it a function"
            ) from error
        for _ in range(seats):
            self._seats.append(_Seat(self._actor.remote()))
            self._begin(self._seats[-1])

    def work(self, blocks: Sequence[int], on_block: OnBlock | None, preview: ProgressPicture | None) -> None:
        """Have blocks rendered and keep each as it arrives."""
        self._queue = deque(blocks)
        while self._under_way:
            self._hand_out()
            for result in self._arrived():
                if result in self._flying:  # not taken back meanwhile with its worker
                    self._take(result, on_block, preview)

    @property
    def _under_way(self) -> bool:
        return bool(self._queue) or any(block is not None for _, block in self._flying.values())

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
        """One block a worker, and then the next one each."""
        held = Counter(seat for seat, _ in self._flying.values())
        for depth in range(HELD):
            for seat in self._seats:
                if seat.ready and held[seat] == depth and self._queue:
                    index = self._queue.popleft()
                    result = seat.actor.render.remote(*alone.block_places(self._store, index))
                    self._flying[result] = (seat, index)
                    held[seat] += 1

    def _arrived(self) -> list[ObjectRef]:
        begun = any(seat.ready for seat in self._seats)
        done, _ = self._ray.wait(list(self._flying), num_returns=1, timeout=None if begun else self._patience)
        if not done:
            free = {name: have for name, have in self._ray.available_resources().items() if name in ("CPU", "GPU")}
            left = ", ".join(f"{have:g} {name}" for name, have in free.items()) or "nothing"
            raise ClusterError(
                f"no worker began within {self._patience:g} s, {left} is free: wait for room, or add some"
            )
        return list(done)

    def _take(self, result: ObjectRef, on_block: OnBlock | None, preview: ProgressPicture | None) -> None:
        seat, index = self._flying.pop(result)
        try:
            found = self._ray.get(result)
        except self._ray.exceptions.RayTaskError as error:  # raised by the factory or the Render; the worker lives
            self._failed(seat, index, error.cause)
        except self._ray.exceptions.RayError as error:  # the worker died, its machine, or the way there
            self._lost(seat, index, error)
        else:
            if index is None:
                self._welcome(seat, *found)
            else:
                self._keep(index, found, on_block, preview)

    def _keep(self, index: int, found: Rendered, on_block: OnBlock | None, preview: ProgressPicture | None) -> None:
        alone.commit(self._store, index, found)
        if preview is not None:
            preview(self._store, index, last=not self._under_way)
        if on_block is not None:
            on_block(self._store.done, self._store.total, index)

    def _welcome(self, seat: _Seat, machine: str, settings: Mapping[str, object]) -> None:
        known = {name: self._store.settings[name] for name in settings if name in self._store.settings}
        found = differences(known, {name: settings[name] for name in known})
        if found:
            raise AtlasMismatch(
                f"the worker on {machine} would make other pictures: {'; '.join(found)}; set it up alike"
            )
        seat.ready, seat.failed = True, 0

    def _failed(self, seat: _Seat, index: int | None, cause: BaseException) -> None:
        """What it was given raised, the worker lives: try again, the start in this worker and a block in any."""
        if index is None:
            self._not_begun(seat, cause)
            self._begin(seat)
        else:
            self._again(index, cause)

    def _lost(self, seat: _Seat, index: int | None, cause: BaseException) -> None:
        """Fill a seat anew, and put what its worker held at the head of the queue."""
        self._end(seat)
        if not seat.ready:
            self._not_begun(seat, cause)
        others = [result for result, (holder, _) in self._flying.items() if holder is seat]
        for lost in (index, *(self._flying.pop(result)[1] for result in others)):
            if lost is not None:
                self._again(lost, cause)
        self._start(seat)

    def _not_begun(self, seat: _Seat, cause: BaseException) -> None:
        seat.failed += 1
        if seat.failed >= TRIES:
            raise ClusterError(f"a worker could not start, {TRIES} times ({_line(cause)}): {_REMEDY}") from cause

    def _again(self, index: int, cause: BaseException) -> None:
        self._tries[index] += 1
        if self._tries[index] >= TRIES:
            raise ClusterError(f"block {index} failed {TRIES} times ({_line(cause)}): {_REMEDY}") from cause
        self._queue.appendleft(index)


def _seats(ray: ModuleType, workers: int | None, wants: Mapping[str, float], say: Callable[[str], None]) -> int:
    """How many workers to start: those asked for, or as many as there is room for, machine by machine."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(min(int(have.get(name, 0) / want) for name, want in wants.items() if want) for have in machines)
    share = f"{wants['CPU']:g} CPUs and {wants['GPU']:g} GPUs"
    if room < 1:
        raise ClusterError(f"no machine of the cluster has {share} for a worker: ask for less, or add a machine")
    if workers is not None and workers > room:
        say(f"{workers} workers were asked for, there is room for {room} with {share} each: the others wait")
    return workers or room


@contextmanager
def _connected(ray: ModuleType, address: str, cpus: int | None, say: Callable[[str], None]) -> Iterator[None]:
    """Connected to Ray, which is left as it was found."""
    if ray.is_initialized():
        yield
        return
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _connect(ray, address, cpus, say)
        if main:
            signal.signal(signal.SIGTERM, handler)  # Ray puts its own there
        yield
    finally:
        ray.shutdown()


def _connect(ray: ModuleType, address: str, cpus: int | None, say: Callable[[str], None]) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or "auto"
    try:
        if address == "auto":
            try:
                ray.init(address="auto", **quiet)
                return
            except ConnectionError as error:
                if _refused(error):
                    raise
                say("no Ray cluster runs here: one is started on this machine")
                address = "local"
        if address == "local":
            ray.init(address="local", num_cpus=cpus, object_store_memory=OBJECTS, include_dashboard=False, **quiet)
        else:
            _knock(address)
            ray.init(address=address, **quiet)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        if _refused(error):
            why = str(error).partition(". ")[0]
            raise ClusterError(f"the Ray at {address} lets nobody in from here ({why}): {_token()}") from error
        remedy = "check that Ray runs there and may be reached, or use 'local'"
        raise ClusterError(f"no Ray at {address} ({_line(error)}): {remedy}") from error


def _refused(error: BaseException) -> bool:
    """Whether somebody answers but does not let us in: Ray says that of a token alone where there is none, and where it
    is another it only tells that it failed to connect."""
    return any(words in str(error) for words in ("Failed to connect to Ray cluster", "oken authentication"))


def _token() -> str:
    """What to do about a cluster's token, as this process is set up."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "token":
        return "copy ~/.ray/auth_token of its head here, the token here is another or missing"
    return "if it asks for a token, have ~/.ray/auth_token of its head here too, and set RAY_AUTH_MODE=token"


def _knock(address: str) -> None:
    """Raises OSError or ValueError at once where nobody answers: Ray itself tries for minutes."""
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.hostname is None or place.port is None:
        raise ValueError("give 'auto', 'local', host:port or ray://host:port")
    door = HTTPConnection(place.hostname, place.port, timeout=KNOCK)
    try:
        door.connect()
    finally:
        door.close()


def _line(error: BaseException) -> str:
    """The last line of an error, where Ray says why; the class where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
