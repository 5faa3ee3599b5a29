"""Films on Ray: the very bytes of one process, whoever dies on the way; one clear line when it cannot be."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray", reason="the extra `cluster` is not installed")

import ray
from standins import sounds
from test_film_resume import content, journey

from installation import takes
from installation.film import make, plan, remote
from installation.film.finish import Showing
from installation.film.remote import OnRay, Sent, chunk_maker
from installation.takes.film import Journey
from installation.takes.film import journey as filmed
from latentworld.cluster.crew import Means, Vouched
from latentworld.errors import ClusterError, OutputError, WorldMismatch

pytestmark = [
    pytest.mark.usefixtures("plain"),
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
WAY = ["walk.kind=rift", "pilot.mode=ride", "pacing.kind=clip", "analytic.sigma=0.05", "pacing.floor=3"]


@pytest.fixture(scope="module")
def crew() -> Iterator[None]:
    """One cluster of four small workers, which films find connected and leave alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
        ray.init(
            address="local", num_cpus=4, object_store_memory=80 * 2**20, include_dashboard=False, log_to_driver=False
        )
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plan.plan(journey(*WAY), tmp_path_factory.mktemp("plans") / "piece.plan").target


@dataclass
class Count:
    """What arrived: frames of each chunk, and how many there are then."""

    told: list[tuple[int, int]] = field(default_factory=list)

    def arrived(self, frames: int, done: int) -> None:
        self.told.append((frames, done))


def on_ray(workers: int, *arrivals: Count) -> OnRay:
    return OnRay(Means(workers=workers, cpus=1), lambda line: None, arrivals)


def film(planned: Path, folder: Path, *overrides: str, ray: OnRay | None = None, **how: object) -> make.Film:
    way = filmed(takes.read(planned), overrides)
    return make.film(way.preset, folder, journey=way, ray=ray, **how)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Mortal:
    """A work whose first process is killed in its second job."""

    work: Vouched
    deaths: Path

    def __call__(self, first: int) -> object:
        made = self.work(first)
        if first and not self.deaths.exists():
            self.deaths.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return made


def mortal(deaths: Path, text: str, way: Journey, sound: str | None, stage: Showing | None) -> Vouched:
    work = chunk_maker(text, way, sound, stage)
    return Vouched(Mortal(work, deaths), work.settings)


def spoilt(text: str, way: Journey, sound: str | None, stage: Showing | None) -> Vouched:
    """Chunks that are damaged on the way."""
    work = chunk_maker(text, way, sound, stage)

    def make_one(first: int) -> Sent:
        sent = work(first)
        assert isinstance(sent, Sent)
        return replace(sent, files=[file[:-1] + b"?" for file in sent.files])

    return Vouched(make_one, work.settings)


def other(text: str, way: Journey, sound: str | None, stage: Showing | None) -> Vouched:
    """A worker whose weights differ."""
    work = chunk_maker(text, way, sound, stage)
    return Vouched(work, {**work.settings, "world": "of elsewhere"})


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_make_the_bytes_of_one_process(crew: None, workers: int, planned: Path, tmp_path: Path) -> None:
    film(planned, tmp_path / "alone")
    count = Count()
    made = film(planned, tmp_path / "many", ray=on_ray(workers, count))
    assert made.complete
    assert content(tmp_path / "many") == content(tmp_path / "alone")
    assert [frames for frames, _ in count.told] == [16] * 4
    assert [done for _, done in count.told] == [16, 32, 48, 64]


def test_workers_need_no_sound(crew: None, planned: Path, tmp_path: Path) -> None:
    """It is joined where the film is; the chunks of workers are those of the film with that sound."""
    sound = sounds.plain(tmp_path / "tone.wav", np.sin(np.arange(22050 * 6) / 9) / 2)
    film(planned, tmp_path / "alone", f"sound.file={sound}")
    film(planned, tmp_path / "many", f"sound.file={sound}", frames=range(1, 2))
    film(planned, tmp_path / "many", f"sound.file={sound}", ray=on_ray(2))
    assert content(tmp_path / "many") == content(tmp_path / "alone")
    one, other = ((tmp_path / name / "film.mp4").read_bytes() for name in ("alone", "many"))
    assert b"mp4a" in one
    assert one == other


def test_stills_and_a_part_arrive_too(crew: None, planned: Path, tmp_path: Path) -> None:
    film(planned, tmp_path / "alone", "film.codec=frames")
    count = Count()
    film(planned, tmp_path / "many", "film.codec=frames", frames=range(20, 40), ray=on_ray(2, count))
    assert count.told == [(16, 16), (16, 32)]
    film(planned, tmp_path / "many", "film.codec=frames")
    names = sorted(file.name for file in (tmp_path / "alone" / "frames").iterdir())
    assert names == sorted(file.name for file in (tmp_path / "many" / "frames").iterdir())
    for name in names:
        assert (tmp_path / "alone/frames" / name).read_bytes() == (tmp_path / "many/frames" / name).read_bytes()


def test_the_chunk_of_a_worker_that_is_killed_is_made_again(
    crew: None, planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(planned, tmp_path / "alone")
    monkeypatch.setattr(remote, "chunk_maker", partial(mortal, tmp_path / "deaths"))
    count = Count()
    film(planned, tmp_path / "many", ray=on_ray(2, count))
    assert int((tmp_path / "deaths").read_text()) != os.getpid()
    assert len(count.told) == 4  # each once
    assert content(tmp_path / "many") == content(tmp_path / "alone")


def test_a_worker_that_would_make_other_pictures_is_named(
    crew: None, planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "chunk_maker", other)
    with pytest.raises(WorldMismatch, match=r"the worker on .* would make other pictures: world .* now of elsewhere"):
        film(planned, tmp_path / "many", ray=on_ray(1))


def test_what_is_damaged_on_the_way_is_no_part_of_the_film(
    crew: None, planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(remote, "chunk_maker", spoilt)
        with pytest.raises(OutputError, match="arrived damaged"):
            film(planned, tmp_path / "many", ray=on_ray(1))
    film(planned, tmp_path / "many", ray=on_ray(2))
    film(planned, tmp_path / "alone")
    assert content(tmp_path / "many") == content(tmp_path / "alone")


def test_a_way_that_is_not_known_is_refused(crew: None, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="plan the film"):
        make.film(journey(*WAY), tmp_path / "film", ray=on_ray(1))
    assert not (tmp_path / "film").exists()


def test_a_cluster_out_of_reach_loses_nothing(planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film(planned, tmp_path / "film", frames=range(16))
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(ClusterError, match=r"no Ray at 127.0.0.1:1 \("):
        film(planned, tmp_path / "film", ray=OnRay(Means("127.0.0.1:1"), lambda line: None))
    assert len(film(planned, tmp_path / "film").folder.manifest.read_bytes().splitlines()) == 5
