"""Coarse surveys of many candidates, each kept whole in a file of its own: stopped and begun again, nothing is made
twice."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from installation import rig
from installation.atlas import rendering
from installation.film.output import write_text
from installation.studio import Studio
from latentworld import npz, texts
from latentworld.arrays import Features, Pictures
from latentworld.atlas import survey
from latentworld.atlas.sampling import Globe
from latentworld.atlas.settings import differences
from latentworld.cluster.crew import Means, Vouched, hired
from latentworld.decoding.profile import Profile
from latentworld.decoding.quick import quick
from latentworld.disk import claim, save, writing
from latentworld.errors import AtlasBusy, AtlasError, AtlasMismatch
from latentworld.preset import Preset, dump, parse
from latentworld.prompts import LONGEST, readable

PLACES = 4  # nside of the surveys: 192 places
THUMB = 24  # pixels of a place's picture: the sheet shows no more
SEEDS = 100_000  # below which seeds are drawn: few digits are easily said
LARGEST = 1 << 20  # bytes of a file of prompts
OnDone = Callable[[int, int], None]
"""Called with candidates done, and in all."""
Seen = tuple[Features, Pictures]
"""What a candidate's survey holds: features [n, F], thumbnails uint8 [n, h, w, 3]."""


@dataclass(frozen=True)
class Candidate:
    """What is prospected. prompt: positive, None for the preset's."""

    seeds: tuple[int, int, int]
    prompt: str | None = None


def triples(count: int, seed: int) -> list[Candidate]:
    """So many triples of seeds; the first are the same whatever the count."""
    drawn = (np.random.default_rng([seed, k]).integers(0, SEEDS, 3).tolist() for k in range(count))
    return [Candidate((a, b, c)) for a, b, c in drawn]


def prompts(file: Path, preset: Preset) -> list[Candidate]:
    """The prompts of a file, a line each, on the preset's own triple. Raises AtlasError."""
    try:
        lines = [" ".join(line.split()) for line in texts.read(file, LARGEST).splitlines()]
    except FileNotFoundError:
        raise AtlasError(f"there is no file {file}: give --prompts a text file with a prompt on each line") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AtlasError(f"{file} cannot be read ({why}): give a text file with a prompt on each line") from None
    said = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    wrong = [line for line in said if not readable(line)]
    if not said or wrong:
        what = f"{wrong[0]!r:.60} is no prompt" if wrong else "it holds no prompt"
        raise AtlasError(f"{file}: {what}: write one on each line, of at most {LONGEST} characters")
    if len(said) < 2:
        raise AtlasError(f"{file} holds one prompt ({said[0]:.60}), however often: write two or more that differ")
    return [Candidate(preset.plane.seeds, line) for line in said]


class Scout:
    """Surveys candidates with one studio. `scout(seeds, prompt)` -> features [n, F], thumbnails [n, h, w, 3].

    The scout multiplies as fast as the machine can: its places lie farther apart than rounding reaches.
    """

    def __init__(self, preset: Preset, places: int, faithful: bool = False) -> None:
        self.places, self.faithful = places, faithful
        self.studio = rig.open_studio(preset.changed(decoder=quick(preset.decoder)))

    def __call__(self, seeds: Sequence[int], prompt: str | None) -> tuple[Features, Pictures]:
        studio = self.on(seeds, prompt)
        decoder = rendering.chosen(studio, not self.faithful)
        render = rendering.renderer(studio, decoder, THUMB)
        seen = survey.in_memory(Globe(nside=self.places), studio.plane, render)
        return np.asarray(seen.features), np.asarray(seen.thumbs[:])

    def on(self, seeds: Sequence[int], prompt: str | None) -> Studio:
        """The studio at a candidate."""
        preset, studio = self.studio.preset, self.studio
        there = preset.changed(plane={"seeds": tuple(seeds)})
        studio = studio.on(rig.plane_of(there, studio.plane.shape))
        return studio if prompt is None else replace(studio, prompt=replace(studio.prompt, positive=prompt))


def remote(text: str, places: int, faithful: bool) -> Vouched:
    """A `Scout` on another machine."""
    scout = Scout(parse(tomllib.loads(text)), places, faithful)
    return Vouched(scout, settings(scout.studio, places, faithful))


def settings(studio: Studio, places: int, faithful: bool) -> dict[str, object]:
    """What every candidate's survey depends on besides the candidate, as plain values."""
    decoder = rendering.chosen(studio, not faithful)
    own = studio.provenance(decoder).settings()
    plane = studio.preset.plane
    return {
        "prompt": own["prompt"], **{key: own[key] for key in ("world", "eye", "profile")},
        "norm": plane.norm, "layout": plane.layout, "places": places, "thumb": THUMB,
    }  # fmt: skip


class Kept:
    """The folder of a prospect: what was surveyed so far. Made by `opened`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "scouted"

    def file(self, candidate: Candidate) -> Path:
        """Of a candidate's survey, called after what it is of: in a longer list of prompts it is the same."""
        return self._folder / f"{hashlib.blake2b(_said(candidate).encode(), digest_size=8).hexdigest()}.npz"

    def read(self, candidate: Candidate) -> Seen | None:
        """A candidate's survey; None where there is none, or of another candidate, or it cannot be read."""
        held = npz.read(self.file(candidate), "candidate", "features", "thumbs")
        if held is None or str(held["candidate"]) != _said(candidate):
            return None
        return np.asarray(held["features"], np.float32), np.asarray(held["thumbs"], np.uint8)

    def write(self, candidate: Candidate, seen: Seen) -> None:
        """Keep a survey, whole or not at all. Raises DiskFull, OutputError."""
        out = io.BytesIO()
        features, thumbs = seen
        np.savez_compressed(out, features=features, thumbs=thumbs, candidate=np.array(_said(candidate)))
        save(self.file(candidate), out.getvalue())

    def waiting(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that are not surveyed yet."""
        return [candidate for candidate in candidates if self.read(candidate) is None]


def _said(candidate: Candidate) -> str:
    return json.dumps({"seeds": list(candidate.seeds), "prompt": candidate.prompt})


@contextmanager
def opened(folder: Path, how: Mapping[str, object]) -> Iterator[Kept]:
    """The folder, begun or gone on with, and nobody else's meanwhile. Raises AtlasMismatch where it was begun
    otherwise, AtlasBusy, AtlasError for a folder of something else, OutputError."""
    file = folder / "surveyed.json"
    with writing(folder):
        if folder.exists() and not folder.is_dir():
            raise AtlasError(f"{folder} is no folder: name another one")
        if folder.is_dir() and any(folder.iterdir()) and not file.is_file():
            raise AtlasError(f"{folder} holds something else: name a new or empty folder, or one to go on with")
        (folder / "scouted").mkdir(parents=True, exist_ok=True)
        lock = claim(folder / "lock", AtlasBusy(f"{folder} is being written by another process: wait, or name another"))
    try:
        plain = json.loads(json.dumps(how))
        if file.is_file():
            _same(file, plain)
        else:
            write_text(file, json.dumps(plain, indent=1))
        yield Kept(folder)
    finally:
        lock.release()


def _same(file: Path, how: Mapping[str, object]) -> None:
    try:
        begun = texts.table(texts.read(file))
    except (OSError, ValueError) as error:
        raise AtlasError(f"{file} cannot be read ({error!s:.80}): name another folder") from None
    apart = differences(begun, how)
    if apart:
        raise AtlasMismatch(
            f"{file.parent} was begun otherwise ({'; '.join(apart)}): name another folder, or do as then"
        )


def run(kept: Kept, candidates: Sequence[Candidate], scout: Scout, on_done: OnDone) -> int:
    """Survey what is not there yet, in this process; how many that were."""
    waiting = kept.waiting(candidates)
    for count, candidate in enumerate(waiting, 1):
        kept.write(candidate, scout(candidate.seeds, candidate.prompt))
        on_done(len(candidates) - len(waiting) + count, len(candidates))
    return len(waiting)


@dataclass(eq=False)
class _Jobs:
    """Candidates as a crew's jobs."""

    kept: Kept
    waiting: Sequence[Candidate]
    how: Mapping[str, object]
    total: int
    on_done: OnDone
    done: int = 0
    noun = "candidate"

    def arguments(self, job: int) -> tuple[object, ...]:
        """What a scout is called with."""
        return self.waiting[job].seeds, self.waiting[job].prompt

    def check(self, machine: str, settings: Mapping[str, object]) -> None:
        """Raises AtlasMismatch where a worker's pictures would be others."""
        apart = differences(json.loads(json.dumps(self.how)), json.loads(json.dumps(settings)))
        if apart:
            raise AtlasMismatch(
                f"the worker on {machine} would make other pictures: {'; '.join(apart)}; set it up alike"
            )

    def take(self, job: int, result: Seen, last: bool) -> None:
        """Keep a survey."""
        self.kept.write(self.waiting[job], result)
        self.done += 1
        self.on_done(self.total - len(self.waiting) + self.done, self.total)


def run_on_ray(
    kept: Kept, candidates: Sequence[Candidate], scout: Scout, how: Mapping[str, object], means: Means,
    on_done: OnDone, say: Callable[[str], None],
) -> int:  # fmt: skip
    """The same on Ray workers, each with a studio of its own. Raises ClusterError."""
    waiting = kept.waiting(candidates)
    if not waiting:
        return 0
    jobs = _Jobs(kept, waiting, how, len(candidates), on_done)
    factory = functools.partial(remote, dump(scout.studio.preset), scout.places, scout.faithful)
    profile: Profile = rendering.chosen(scout.studio, not scout.faithful).profile
    with hired(jobs, factory, means, profile, say) as work:
        work(range(len(waiting)))
    return len(waiting)
