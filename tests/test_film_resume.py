"""Films in chunks: what is whole stays, what was under way is made again, and nothing shows that a film was stopped."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from standins.film import decoded

from installation.film import make, manifest, verify
from installation.film.join import sums
from installation.film.output import Folder
from installation.film.pieces import Kept, VideoPieces
from installation.film.sinks import Memory
from installation.frames import Frames
from latentworld import preset
from latentworld.errors import Cancelled, DiskFull, EncoderFailed, Notice, OutputError, OutputExists

pytestmark = pytest.mark.usefixtures("plain")

ROOT = Path(__file__).parent.parent
SMALL = [
    "decoder.height=32", "decoder.width=32", "decoder.steps=10", "decoder.batch=4", "film.seconds=4", "film.fps=16",
    "film.chunk=1",
]  # fmt: skip
OF_THE_MACHINE = {"wall_seconds", "frames_per_second"}


class Stop(Memory):
    """Ends a film as a fault would, before frame `at`."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def send(self, frames: Frames) -> None:
        super().send(frames)
        if int(frames.path.index[-1]) >= self.at:
            raise RuntimeError("the power went")


def journey(*overrides: str) -> preset.Preset:
    return preset.load("analytic", [*SMALL, *overrides])


def content(folder: Path) -> tuple[list[bytes], bytes, dict[str, object], list[object]]:
    """All that a film says of itself, but for what its machine took."""
    summary = json.loads((folder / "film.json").read_text())
    chunks = [
        {name: getattr(chunk, name) for name in ("first", "frames", "sha256", "decoded", "telemetry", "pictures")}
        for chunk in manifest.read(folder / "chunks.jsonl").chunks
    ]
    video = next(folder.glob("film.m*"), None)
    pictures = (
        [digest for _, digest in sums(video)]
        if video
        else [still.read_bytes() for still in sorted(folder.glob("frames/*.png"))]
    )
    figures = {name: value for name, value in summary.items() if name not in OF_THE_MACHINE}
    return pictures, (folder / "telemetry.csv").read_bytes(), figures, chunks


WALKS = {
    "orbit": [],
    "pilot": ["walk.kind=rift", "pilot.mode=ride", "pacing.kind=clip"],
    "wander": ["walk.kind=wander", "walk.radius=0.9"],
    "even": ["walk.kind=lissajous", "pacing.kind=clip"],
    "ffv1": ["film.codec=ffv1", "film.fps=23.976"],
    "stills": ["film.codec=frames"],
    "a frame at a time": ["decoder.batch=1"],
}


@pytest.mark.parametrize("overrides", WALKS.values(), ids=WALKS)
def test_a_film_that_was_stopped_is_the_film_that_was_not(overrides: list[str], tmp_path: Path) -> None:
    make.film(journey(*overrides), tmp_path / "whole")
    for at in (20, 41, 63):
        with pytest.raises(RuntimeError, match="power"):
            make.film(journey(*overrides), tmp_path / "stopped", sinks=[Stop(at)])
    memory = Memory()
    made = make.film(journey(*overrides), tmp_path / "stopped", sinks=[memory])
    assert made.complete
    assert int(memory.batches[0].path.index[0]) == 48  # the whole chunks were not made again
    assert content(tmp_path / "stopped") == content(tmp_path / "whole")
    assert not (tmp_path / "stopped" / "chunks").exists()


def test_the_joined_film_has_every_frame_evenly(tmp_path: Path) -> None:
    film = make.film(journey("film.chunk=0.7", "film.fps=23.976"), tmp_path)
    assert len(decoded(film.video)) == film.summary.frames == 96
    from installation.film.ffmpeg import binary

    look = [binary(), "-v", "error", "-i", str(film.video), "-map", "0:v", "-c", "copy", "-f", "framemd5", "-"]
    lines = subprocess.run(look, capture_output=True, text=True, check=True).stdout.splitlines()
    shown = sorted(int(line.split(",")[2]) for line in lines if not line.startswith("#"))
    assert shown[0] == 0
    assert set(np.diff(shown)) == {shown[1]}


def damages(folder: Path) -> list[str]:
    """What `verify` finds."""
    return [str(damage) for damage in verify.verify(Folder(folder))]


def stopped(folder: Path, at: int = 50) -> Path:
    with pytest.raises(RuntimeError, match="power"):
        make.film(journey(), folder, sinks=[Stop(at)])
    return folder


HARMS = [
    "a file gone",
    "a file cut short",
    "other bytes",
    "lines gone",
    "other lines",
    "a line of the manifest cut short",
]


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_missing_or_damaged_is_made_again(harm: str, tmp_path: Path) -> None:
    make.film(journey(), tmp_path / "whole")
    folder = stopped(tmp_path / "film")
    piece = folder / "chunks" / "000000016.mp4"
    if harm == "a file gone":
        piece.unlink()
    elif harm == "a file cut short":
        os.truncate(piece, 100)
    elif harm == "other bytes":  # of the same size
        data = bytearray(piece.read_bytes())
        data[len(data) // 2] ^= 1
        piece.write_bytes(data)
    elif harm == "lines gone":
        piece.with_suffix(".csv").unlink()
    elif harm == "other lines":
        piece.with_suffix(".csv").write_bytes(piece.with_suffix(".csv").read_bytes().replace(b"1", b"2", 1))
    else:
        os.truncate(folder / "chunks.jsonl", (folder / "chunks.jsonl").stat().st_size - 9)
    memory = Memory()
    if "manifest" in harm:
        make.film(journey(), folder, sinks=[memory])
    else:
        there = verify.status(Folder(folder)).missing
        assert there == ([(48, 64)] if harm.startswith("other") else [(16, 32), (48, 64)])  # at a glance
        with pytest.warns(Notice, match="frames 16 to 31 are gone or not as they were made"):
            make.film(journey(), folder, sinks=[memory])
    again = 16 if harm != "a line of the manifest cut short" else 32
    assert int(memory.batches[0].path.index[0]) == again
    assert content(folder) == content(tmp_path / "whole")


@pytest.mark.parametrize(
    ("override", "said"),
    [("decoder.steps=12", r"decoder\.steps 10, now 12"), ("plane.seeds=[4,5,6]", "vertices"),
     ("film.seconds=3", r"film\.seconds 4\.0, now 3\.0"), ("film.chunk=2", "chunk 16, now 32"),
     ("analytic.sigma=0.3", r"analytic\.sigma")],
)  # fmt: skip
def test_another_film_is_refused_and_nothing_is_lost(override: str, said: str, tmp_path: Path) -> None:
    folder = stopped(tmp_path / "film")
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with pytest.raises(OutputExists, match=said):
        make.film(journey(override), folder)
    assert before == {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert make.film(journey(override), folder, overwrite=True).complete


def test_stopped_between_two_chunks_it_names_what_plays(tmp_path: Path) -> None:
    """Before the next one's encoder has a file."""

    class Border(Memory):
        def send(self, frames: Frames) -> None:
            super().send(frames)
            if int(frames.path.index[-1]) == 31:
                raise Cancelled("enough")

    made = make.film(journey(), tmp_path / "film", sinks=[Border()])
    assert not made.complete
    assert made.video.is_file()


def test_a_chunk_becomes_part_of_the_film_while_the_next_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one's frames come before this one is entered, and where the film is then stopped it is entered still."""
    commit, onward = VideoPieces.commit, Event()

    def after_the_next_began(pieces: VideoPieces, first: int, frames: int) -> Kept:
        if first == 0:
            assert onward.wait(60)
        return commit(pieces, first, frames)

    class Onward(Stop):
        def send(self, frames: Frames) -> None:
            if int(frames.path.index[0]) >= 16:
                onward.set()
            super().send(frames)

    monkeypatch.setattr(VideoPieces, "commit", after_the_next_began)
    with pytest.raises(RuntimeError, match="power"):
        make.film(journey(), tmp_path / "film", sinks=[Onward(20)])
    assert [chunk.first for chunk in manifest.read(tmp_path / "film" / "chunks.jsonl").chunks] == [0]


def test_a_chunk_that_cannot_be_kept_ends_the_film_before_the_next_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, failed = VideoPieces.commit, Event()

    def full(pieces: VideoPieces, first: int, frames: int) -> Kept:
        if first == 16:
            failed.set()
            raise DiskFull("the disk is full: free some space")
        return commit(pieces, first, frames)

    class Slow(Memory):
        def send(self, frames: Frames) -> None:
            if int(frames.path.index[0]) == 32:
                assert failed.wait(60)
                time.sleep(0.2)  # until the thread that failed has ended
            super().send(frames)

    memory = Slow()
    with monkeypatch.context() as patched:
        patched.setattr(VideoPieces, "commit", full)
        with pytest.raises(DiskFull, match="free some space"):
            make.film(journey(), tmp_path / "film", sinks=[memory])
    assert int(memory.batches[-1].path.index[0]) <= 32  # of 47
    make.film(journey(), tmp_path / "film")
    make.film(journey(), tmp_path / "whole")
    assert content(tmp_path / "film") == content(tmp_path / "whole")


def test_words_about_a_film_may_change(tmp_path: Path) -> None:
    folder = stopped(tmp_path / "film")
    assert make.film(journey("title=Another"), folder).complete


def test_an_empty_manifest_is_refused(tmp_path: Path) -> None:
    folder = stopped(tmp_path)
    (folder / "chunks.jsonl").write_bytes(b"")
    with pytest.raises(OutputError, match="is empty"):
        make.film(journey(), folder)


def test_a_newer_or_damaged_manifest_is_refused(tmp_path: Path) -> None:
    folder = stopped(tmp_path / "film")
    file = folder / "chunks.jsonl"
    text = file.read_text()
    for harm, said in ((text.replace('"version":1', '"version":2', 1), "another version"), ("[]\n" + text, "damaged"),
                       (text.replace('"frames":', '"frame":'), "damaged"), ("", "damaged")):  # fmt: skip
        file.write_text(harm)
        with pytest.raises(OutputError, match=said):
            make.film(journey(), folder)
        assert file.read_text() == harm


def test_no_line_of_a_manifest_is_believed_that_was_changed(tmp_path: Path) -> None:
    folder = stopped(tmp_path / "film")
    file, text = folder / "chunks.jsonl", (folder / "chunks.jsonl").read_text()
    for one, other in (('"first":16', '"first":-16'), ('"frames":16', '"frames":8'), ('"take":null', '"take":"x"'),
                       ('"moves":[[', '"moves":[[9.0,0.0],['), ('"features":[', '"features":[1.0,')):  # fmt: skip
        file.write_text(text.replace(one, other, 1))
        assert file.read_text() != text
        with pytest.raises(OutputError, match="not as it was written"):
            verify.status(Folder(folder))
        with pytest.raises(OutputError, match="not as it was written"):
            make.film(journey(), folder)


def test_a_damaged_film_beside_another_is_begun_anew(tmp_path: Path) -> None:
    make.film(journey("film.seconds=1"), tmp_path)
    beside = stopped(tmp_path / "unfinished")
    (beside / "chunks.jsonl").write_text("[]\n")
    assert make.film(journey(), tmp_path, overwrite=True).complete


def test_who_looks_at_a_film_under_way_changes_nothing(tmp_path: Path) -> None:
    folder = stopped(tmp_path)
    os.truncate(folder / "chunks.jsonl", (folder / "chunks.jsonl").stat().st_size - 9)  # a line is being written
    before = (folder / "chunks.jsonl").read_bytes()
    assert verify.status(Folder(folder)).frames == 32
    assert damages(folder) == []
    assert (folder / "chunks.jsonl").read_bytes() == before


def test_chunks_may_lie_behind_a_link(tmp_path: Path) -> None:
    folder, scratch = stopped(tmp_path / "film"), tmp_path / "scratch"
    shutil.move(folder / "chunks", scratch)
    (scratch / "notes.txt").write_text("somebody's")
    (folder / "chunks").symlink_to(scratch)
    assert make.film(journey(), folder).complete
    assert not (folder / "chunks").is_symlink()
    assert (scratch / "notes.txt").exists()


@pytest.mark.parametrize("at", [1, 3, 5])
def test_killed_while_it_takes_the_earlier_ones_place_nothing_is_made_again(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.film(journey("film.seconds=1", "film.codec=ffv1"), tmp_path)
    calls, real = 0, Path.replace

    def replace(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += self.parent.name == "unfinished" and target.parent == tmp_path
        if calls >= at:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            make.film(journey(), tmp_path, overwrite=True)
    memory = Memory()
    assert make.film(journey(), tmp_path, overwrite=True, sinks=[memory]).complete
    assert not memory.batches
    assert damages(tmp_path) == []
    assert {file.name for file in tmp_path.iterdir()} == {
        "film.mp4",
        "film.json",
        "telemetry.csv",
        "preset.toml",
        "chunks.jsonl",
    }


def test_a_chunk_that_comes_out_otherwise_is_told(tmp_path: Path) -> None:
    folder = stopped(tmp_path / "film")
    file = folder / "chunks.jsonl"
    head, first, *rest = file.read_bytes().splitlines()
    body = first.rpartition(manifest.SEAL)[0] + b"}"
    other = json.dumps(json.loads(body) | {"pictures": "0" * 64}).encode()
    file.write_bytes(b"\n".join([head, manifest.sealed(other, head), *rest, b""]))
    (folder / "chunks" / "000000000.mp4").unlink()
    with pytest.warns(Notice, match="made again"), pytest.raises(OutputError, match="has other pictures than before"):
        make.film(journey(), folder)


def test_a_film_to_replace_another_is_gone_on_with_too(tmp_path: Path) -> None:
    folder = tmp_path / "film"
    make.film(journey("film.seconds=1"), folder)
    earlier = (folder / "film.mp4").read_bytes()
    with pytest.raises(RuntimeError, match="power"):
        make.film(journey(), folder, overwrite=True, sinks=[Stop(40)])
    assert (folder / "film.mp4").read_bytes() == earlier
    memory = Memory()
    assert make.film(journey(), folder, overwrite=True, sinks=[memory]).complete
    assert int(memory.batches[0].path.index[0]) == 32
    assert len(decoded(folder / "film.mp4")) == 64
    assert not (folder / "unfinished").exists()


def begin(folder: Path) -> subprocess.Popen[bytes]:
    settings = [part for override in SMALL for part in ("--set", override)]
    arguments = [sys.executable, "-m", "installation", "film", "analytic", "-o", str(folder), *settings]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_killed_at_any_moment_it_goes_on(tmp_path: Path) -> None:
    make.film(journey(), tmp_path / "whole")
    folder, dice = tmp_path / "film", random.Random(4)
    for _ in range(3):
        process = begin(folder)
        ends, wanted = time.monotonic() + 60, dice.randrange(1, 40)
        before = len(list(folder.rglob("*")))
        while process.poll() is None and time.monotonic() < ends:
            lines = sum(len(file.read_bytes().splitlines()) for file in folder.glob("chunks/*.csv") if file.is_file())
            if lines >= wanted and len(list(folder.rglob("*"))) != before:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert make.film(journey(), folder).complete
    assert content(folder) == content(tmp_path / "whole")


@pytest.mark.parametrize("name", ["new\nline", "it's", "back\\slash", "花 out", "a?b", "a#b", "100%"])
def test_no_name_of_a_folder_means_anything_to_a_joined_film(name: str, tmp_path: Path) -> None:
    """Nor does a file of a piece's name beside it, where ffmpeg looked for the pieces of `a?b`."""
    other = make.film(journey("film.seconds=1", "walk.heading=100"), tmp_path / "other")
    shutil.copy(other.video, tmp_path / "000000000.mp4")
    film = make.film(journey("film.seconds=2"), tmp_path / name)
    assert len(decoded(film.video)) == 32
    assert damages(tmp_path / name) == []


def test_other_frames_than_the_pieces_have_are_no_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many frames, of a piece that was put in another's place while they were joined: nothing is removed."""
    folder = stopped(tmp_path / "film")
    run = subprocess.run

    def swapped(command: list[str], **how: Any) -> Any:
        if "concat" not in command:
            return run(command, **how)
        first, second = (folder / "chunks" / f"{number:09d}.mp4" for number in (0, 16))
        kept = first.read_bytes()
        first.write_bytes(second.read_bytes())
        try:
            return run(command, **how)
        finally:
            first.write_bytes(kept)

    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "run", swapped)
        with pytest.raises(EncoderFailed, match="other frames together than its pieces have"):
            make.film(journey(), folder)
    assert len(list((folder / "chunks").glob("*.mp4"))) == 4
    assert make.film(journey(), folder).complete


def test_a_moved_film_goes_on(tmp_path: Path) -> None:
    make.film(journey(), tmp_path / "whole")
    shutil.move(stopped(tmp_path / "film"), tmp_path / "elsewhere")
    make.film(journey(), tmp_path / "elsewhere")
    assert content(tmp_path / "elsewhere") == content(tmp_path / "whole")


def test_whoever_watches_from_outside_sees_how_far_it_is(tmp_path: Path) -> None:
    seen = []

    class Watch(Memory):
        def send(self, frames: Frames) -> None:
            super().send(frames)
            if (tmp_path / "progress.json").exists():
                seen.append(json.loads((tmp_path / "progress.json").read_text()))

    stopped(tmp_path)
    assert make.film(journey(), tmp_path, sinks=[Watch()]).complete
    assert (seen[0]["frames"], seen[0]["planned"]) == (52, 64)  # those of the earlier run count as done
    assert seen[0]["rate"] > 0
    assert not (tmp_path / "progress.json").exists()
