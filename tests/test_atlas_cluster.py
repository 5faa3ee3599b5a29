"""Surveys on Ray: the same arrays as from one process, whoever dies on the way; one clear line when it cannot be."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("ray", reason="the extra `cluster` is not installed")
pytest.importorskip("zarr", reason="the extra `atlas` is not installed")

import ray
from patience import until
from standins.surveys import PLANE, looked

from latentworld.arrays import Array
from latentworld.atlas import cluster, survey
from latentworld.atlas.progress import ProgressPicture
from latentworld.atlas.reader import read
from latentworld.atlas.sampling import Adaptive, Window
from latentworld.atlas.settings import settings_of
from latentworld.atlas.store import Store, open_for_writing, resume_or_create
from latentworld.atlas.types import Render, Rendered
from latentworld.cluster import connection
from latentworld.cluster.crew import Means, Vouched
from latentworld.decoding.analytic import analytic
from latentworld.decoding.profile import Profile, Versions
from latentworld.errors import AtlasMismatch, ClusterError, DecodeError, LatentWorldError

WINDOW = Window(alpha=(-0.5, 1.5), beta=(-0.5, 1.5), rows=20, columns=20)
# Ray leaves sockets, pipes and its log files to the garbage collector when it is shut down
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


def decoder():
    return analytic(PLANE, modes=8, sigma=0.2, steps=10, size=(16, 16))


def profile() -> Profile:
    return replace(decoder().profile, threads=1)


def world(threads: int = 1) -> Vouched:
    """A worker's factory: the analytic world, which vouches for its profile."""
    found = replace(decoder().profile, threads=torch.get_num_threads() if threads else 0)
    return Vouched(looked(decoder()), {"profile": found.record()})


def mortal(deaths: Path, at: int) -> Render:
    """The same world; its first process is killed within its call number `at`, and says which one it was."""
    render, calls = world(), iter(range(10**6))

    def fatal(units: Array, radii: Array) -> Rendered:
        if next(calls) == at and not deaths.exists():
            deaths.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return render(units, radii)

    return fatal


def deadly() -> Render:
    def render(units: Array, radii: Array) -> Rendered:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    return render


def refusing(units: Array, radii: Array) -> Rendered:
    raise DecodeError("this place cannot be painted: choose another")


def refuses() -> Render:
    return refusing


def worldless() -> Render:
    raise FileNotFoundError("no world lies here")


def other() -> Vouched:
    return Vouched(looked(decoder()), {"profile": replace(profile(), versions=Versions("1.0")).record(), "unheard": 1})


@pytest.fixture(scope="module")
def crew() -> Iterator[None]:
    """One cluster of two workers; what `survey` finds connected it leaves alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns that this will be its default
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # the factories below are unpickled by name
        ray.init(
            address="local", num_cpus=2, object_store_memory=80 * 2**20, include_dashboard=False, log_to_driver=False
        )
        yield
        ray.shutdown()


def begin(path: Path, sampling: Window | Adaptive = WINDOW) -> Store:
    return resume_or_create(path, settings_of(sampling, PLANE, profile(), block=16), PLANE, {"created": "now"})


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The arrays of one process."""
    path = tmp_path_factory.mktemp("alone") / "atlas.zarr"
    with begin(path) as store:
        survey.run(store, looked(decoder()))
    return files(path)


def files(path: Path) -> dict[str, bytes]:
    """Every file of an atlas's arrays, byte by byte."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("address", "environment"),
    [("127.0.0.1:1", ""), ("ray://127.0.0.1:1", ""), ("somewhere", ""), ("auto", "127.0.0.1:1")],
)
def test_an_address_out_of_reach_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, environment: str
) -> None:
    assert not ray.is_initialized()  # these come before the first use of `crew`
    monkeypatch.setenv("RAY_ADDRESS", environment)
    with begin(tmp_path / "a") as store, pytest.raises(ClusterError) as caught:
        cluster.survey(store, world, Means(address))
    assert str(caught.value).startswith(f"no Ray at {environment or address} (")
    assert "\n" not in str(caught.value)
    with open_for_writing(tmp_path / "a") as store:
        assert store.pending() == list(range(25))


def test_auto_starts_a_cluster_where_there_is_none_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, object]] = []

    class Lonely:
        exceptions = ray.exceptions

        @staticmethod
        def init(address: str, **how: object) -> None:
            asked.append((address, how.get("num_cpus")))
            if address == "auto":
                raise ConnectionError

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    told: list[str] = []
    connection._connect(Lonely, "auto", 3, told.append)
    assert asked == [("auto", None), ("local", 3)]
    assert told == ["no Ray cluster runs here: one is started on this machine"]


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:6399"])
@pytest.mark.parametrize(("mode", "remedy"), [("", "set RAY_AUTH_MODE=token"), ("token", "copy ~/.ray/auth_token")])
def test_a_cluster_that_wants_a_token_says_how(
    monkeypatch: pytest.MonkeyPatch, address: str, mode: str, remedy: str
) -> None:
    class Guarded:
        exceptions = ray.exceptions

        @staticmethod
        def init(**how: object) -> None:
            raise ConnectionError("Failed to connect to Ray cluster at 127.0.0.1:6399")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    monkeypatch.setattr(connection, "_knock", lambda address: None)
    told: list[str] = []
    with pytest.raises(ClusterError, match="lets nobody in from here") as caught:
        connection._connect(Guarded, address, 3, told.append)
    assert remedy in str(caught.value)
    assert told == []  # none is started beside it


@pytest.mark.slow(reason="starts a cluster of its own, and Ray tries for 20 s to get in")
def test_ray_says_of_a_token_what_is_listened_for(tmp_path: Path) -> None:
    """A head with a token; a process that has none, another, and the right one."""
    for home, token in (("head", "right" * 8), ("other", "wrong" * 8)):
        (tmp_path / home / ".ray").mkdir(parents=True)
        (tmp_path / home / ".ray" / "auth_token").write_text(token)
    (tmp_path / "none").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    tools = Path(sys.executable).parent
    head = [tools / "ray", "start", "--head", f"--port={port}", "--num-cpus=1", "--include-dashboard=false", "--block"]
    sized = ["--disable-usage-stats", "--object-store-memory=80000000", "--node-ip-address=127.0.0.1"]
    environment = {**os.environ, "RAY_AUTH_MODE": "token"}
    short = tempfile.mkdtemp(prefix="ray")  # of its sockets, whose paths have no more than 107 letters
    started = subprocess.Popen(
        [*head, *sized, f"--temp-dir={short}"],
        env={**environment, "HOME": str(tmp_path / "head")}, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    program = f"""
import ray
from latentworld.cluster import connection
from latentworld.errors import ClusterError
try:
    connection._connect(ray, "127.0.0.1:{port}", None, print)
    print("let in")
except ClusterError as error:
    print(error)
"""

    def tried(home: str, mode: str) -> str:
        told = subprocess.run(
            [sys.executable, "-c", program], env={**environment, "HOME": str(tmp_path / home), "RAY_AUTH_MODE": mode},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return told.stdout.splitlines()[-1]

    try:
        until(lambda: "let in" in tried("head", "token"))
        assert "set RAY_AUTH_MODE=token" in tried("head", "disabled")
        assert "copy ~/.ray/auth_token" in tried("other", "token")
        assert "copy ~/.ray/auth_token" in tried("none", "token")
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        shutil.rmtree(short, ignore_errors=True)


def test_two_workers_one_of_them_killed_make_the_bytes_of_one_process_also_when_stopped_between(
    crew: None, tmp_path: Path
) -> None:
    """The whole life of a survey: Ctrl-C in its first generation, gone on with, a worker killed in a later one."""
    spec = Adaptive(rows=25, columns=25, budget=0.4)
    kept: list[int] = []
    lines: list[str] = []
    factory = partial(mortal, tmp_path / "deaths", 2)

    def ask(done: int, total: int, block: int) -> None:
        kept.append(block)
        assert done == 16 * len(kept) or done == total
        if len(kept) == 1:
            raise KeyboardInterrupt

    with begin(tmp_path / "alone", spec) as one, begin(tmp_path / "many", spec) as many:
        survey.run(one, looked(decoder()))
        with pytest.raises(KeyboardInterrupt):
            cluster.survey(many, world, Means(workers=1), ask)
        assert kept[0] not in many.pending()
        preview = ProgressPicture(tmp_path / "preview.png", iter(range(1000)).__next__)
        cluster.survey(many, factory, Means(workers=3), lambda *told: kept.append(told[2]), preview, lines.append)
        assert len(one.generations) > 1
        assert (many.generations, many.complete) == (one.generations, True)
    assert int((tmp_path / "deaths").read_text()) != os.getpid()
    assert lines == ["3 workers were asked for, there is room for 2 with 1 CPUs and 0 GPUs each: the others wait"]
    assert (tmp_path / "preview.png").is_file()
    assert files(tmp_path / "many") == files(tmp_path / "alone")
    assert sorted(kept) == list(range(len(kept)))  # each written once
    assert ray.is_initialized()  # a cluster that was there stays


@pytest.mark.parametrize(
    ("factory", "said", "error"),
    [
        (worldless, "could not start, 3 times (no world lies here)", ClusterError),
        (refuses, "failed 3 times (this place cannot be painted: choose another)", ClusterError),
        pytest.param(
            deadly, "failed 3 times (", ClusterError, marks=pytest.mark.slow(reason="starts a worker three times")
        ),
        (other, 'profile.torch was "', AtlasMismatch),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_the_store_goes_on(
    crew: None,
    truth: dict[str, bytes],
    tmp_path: Path,
    factory: Callable[[], Render],
    said: str,
    error: type[LatentWorldError],
) -> None:
    with begin(tmp_path / "a") as store, pytest.raises(error) as caught:
        cluster.survey(store, factory, Means(workers=1))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    with open_for_writing(tmp_path / "a") as store:
        survey.run(store, looked(decoder()))
    assert files(tmp_path / "a") == truth


def test_more_than_any_machine_has_is_refused(crew: None, tmp_path: Path) -> None:
    with begin(tmp_path / "a") as store:
        with pytest.raises(ClusterError, match="no machine of the cluster has 1 CPUs and 1 GPUs"):
            cluster.survey(store, world, Means(gpus=1))
        with pytest.raises(ClusterError, match="give 1 or more"):
            cluster.survey(store, world, Means(workers=0))


def test_a_full_cluster_is_waited_for_with_patience(crew: None, tmp_path: Path) -> None:
    class Hog:
        def here(self) -> bool:
            return True

    hog = ray.remote(num_cpus=2)(Hog).remote()
    assert ray.get(hog.here.remote())
    with begin(tmp_path / "a") as store, pytest.raises(ClusterError, match=r"no worker began within 0.5 s"):
        cluster.survey(store, world, Means(patience=0.5))
    ray.kill(hog)


@pytest.mark.slow(reason="starts and ends a cluster of its own")
def test_a_local_cluster_is_started_and_ctrl_c_ends_it(
    truth: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.shutdown()  # the cluster of the tests above: this one is to have its own
    before = signal.getsignal(signal.SIGTERM)
    kept: list[int] = []

    def ask(done: int, total: int, block: int) -> None:
        kept.append(block)
        if len(kept) == 5:
            assert signal.getsignal(signal.SIGTERM) is before  # Ray's own is taken away again
            os.kill(os.getpid(), signal.SIGINT)

    with begin(tmp_path / "a") as store:
        with pytest.raises(KeyboardInterrupt):
            cluster.survey(store, world, Means("local", 2), ask)
        assert not ray.is_initialized()
        assert sorted({*range(25)} - {*kept}) == store.pending()
        survey.run(store, looked(decoder()))
    assert files(tmp_path / "a") == truth


def test_ray_missing_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with begin(tmp_path / "a") as store, pytest.raises(ClusterError, match=r"ray is missing: .*\[cluster\]"):
        cluster.survey(store, world)
    np.testing.assert_array_equal(len(read(tmp_path / "a")), 0)
