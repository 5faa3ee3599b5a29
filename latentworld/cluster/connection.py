"""Ray, found or started: one line where it is out of reach, and it is left as it was found."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from types import ModuleType
from urllib.parse import urlsplit

from latentworld.errors import ClusterError

KNOCK = 5.0  # seconds until an address counts as out of reach
OBJECTS = 256 * 2**20  # bytes of a local cluster's object store: a result in flight is rarely above one megabyte


def seats(ray: ModuleType, workers: int | None, wants: Mapping[str, float], say: Callable[[str], None]) -> int:
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
def connected(ray: ModuleType, address: str, cpus: int | None, say: Callable[[str], None]) -> Iterator[None]:
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
        raise ClusterError(f"no Ray at {address} ({said(error)}): {remedy}") from error


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


def said(error: BaseException) -> str:
    """The last line of an error, where Ray says why; the class where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
