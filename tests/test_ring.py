"""The ring: pictures whole or not at all, nobody waits, nobody's death takes the memory away or leaves it behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from installation.ipc import ring as rings
from installation.ipc.ring import Ring
from latentworld.arrays import Picture
from latentworld.errors import ShowError


@pytest.fixture
def ring() -> Iterator[Ring]:
    made = Ring.create(4, (32, 48))
    yield made
    made.close()
    made.unlink()


def plain(value: int, height: int = 32, width: int = 48) -> Picture:
    return np.full((height, width, 3), value, np.uint8)


def put(ring: Ring, value: int, **more: int) -> None:
    ring.put(plain(value, **more), value, 1.0, 0.1, 0.5)


def child(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"from installation.ipc.ring import *\nimport sys, os\n{code}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_where_there_is_no_memory_it_says_what_to_give(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(path: Path, size: int) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rings, "_folders", lambda: [tmp_path])
    monkeypatch.setattr(rings, "_map", full)
    with pytest.raises(ShowError, match=r"No space left on device.*give .* MB \(docker run --shm-size\)"):
        Ring.create(4, (512, 512))
    assert list(tmp_path.iterdir()) == []


def test_a_picture_comes_out_as_it_went_in(ring: Ring) -> None:
    assert (ring.newest, ring.get(0), ring.get(1)) == (0, None, None)
    picture = np.random.default_rng(0).integers(0, 256, (20, 33, 3), dtype=np.uint8)
    ring.put(picture, frame=-7, made=12.5, period=0.11, stamp=12.25)
    shot = Ring.attach(ring.name).get(1)
    assert shot is not None
    assert (shot.sequence, shot.frame, shot.made, shot.period, shot.stamp) == (1, -7, 12.5, 0.11, 12.25)
    np.testing.assert_array_equal(shot.picture, picture)
    ring.put(picture // 2, 0, 0.0, 0.0, 0.0)
    np.testing.assert_array_equal(shot.picture, picture)  # a copy


def test_old_pictures_are_gone_and_coming_ones_are_not_there(ring: Ring) -> None:
    for value in range(1, 11):
        put(ring, value)
    there = [sequence for sequence in range(15) if ring.get(sequence) is not None]
    assert (ring.newest, there) == (10, [7, 8, 9, 10])


def test_the_size_may_change_from_picture_to_picture(ring: Ring) -> None:
    put(ring, 1)
    put(ring, 2, height=8, width=16)
    put(ring, 3, height=8, width=192)  # as many bytes as fit, in another shape
    shapes = [shot.picture.shape for shot in map(ring.get, (1, 2, 3)) if shot]
    assert shapes == [(32, 48, 3), (8, 16, 3), (8, 192, 3)]


@pytest.mark.parametrize(
    "picture",
    [np.zeros((33, 48, 3), "u1"), np.zeros((8, 8, 4), "u1"), np.zeros((8, 8, 3), "f4"), np.zeros((0, 8, 3), "u1")],
    ids=["too large", "four channels", "floats", "empty"],
)
def test_what_is_no_picture_is_refused_and_the_ring_goes_on(ring: Ring, picture: Picture) -> None:
    put(ring, 1)
    with pytest.raises(ShowError, match="does not fit"):
        ring.put(picture, 0, 0.0, 0.1, 0.0)
    put(ring, 2)
    assert ring.newest == 2
    assert ring.get(2) is not None


def test_a_copy_that_was_overwritten_meanwhile_is_noticed(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Ring.attach(ring.name)
    put(ring, 1)
    view = reader._view

    def slow(at: int, shape: tuple[int, ...]) -> Picture:
        for value in range(2, 6):  # once around, while the reader copies
            put(ring, value)
        return view(at, shape)

    monkeypatch.setattr(reader, "_view", slow)
    assert reader.get(1) is None
    monkeypatch.undo()
    assert reader.get(5) is not None


def test_a_slot_that_is_being_written_holds_no_picture(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the one that was there nor the one that comes, until it is whole."""
    for value in range(1, 5):
        put(ring, value)
    writer, reader = Ring.attach(ring.name), Ring.attach(ring.name)
    view, seen = writer._view, []

    def watched(at: int, shape: tuple[int, ...]) -> Picture:
        seen.append((reader.newest, reader.get(1), reader.get(5)))
        return view(at, shape)

    monkeypatch.setattr(writer, "_view", watched)
    put(writer, 5)
    assert seen == [(4, None, None)]
    assert reader.get(5) is not None


def test_a_closed_ring_is_closed_and_a_small_one_is_a_ring() -> None:
    ring = Ring.create(2, (1, 1))
    ring.put(np.full((1, 1, 3), 7, np.uint8), 1, 0.0, 0.1, 0.0)
    shot = ring.get(1)
    assert shot is not None
    assert shot.picture.tolist() == [[[7, 7, 7]]]
    ring.close()
    with pytest.raises(ValueError, match="closed"):
        _ = ring.newest
    ring.unlink()
    for slots, size in ((1, (8, 8)), (2, (0, 8)), (2, (8, 0))):
        with pytest.raises(ValueError, match="at least 2 slots of at least a pixel"):
            Ring.create(slots, size)


def test_without_memory_that_looks_like_files_rings_lie_among_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)  # as in a container that forbids it
        assert rings._folders() == [Path(tempfile.gettempdir())]


def test_a_writer_that_dies_in_the_middle_leaves_a_picture_out_and_the_next_one_goes_on(
    ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(ring, 1)
    writer = Ring.attach(ring.name)

    def killed(at: int, shape: tuple[int, ...]) -> Picture:
        raise KeyboardInterrupt

    monkeypatch.setattr(writer, "_view", killed)
    with pytest.raises(KeyboardInterrupt):
        put(writer, 2)
    assert (ring.newest, ring.get(2)) == (1, None)
    put(Ring.attach(ring.name), 3)
    shot = ring.get(2)
    assert shot is not None
    assert (ring.newest, shot.frame) == (2, 3)


HAMMER = """
import numpy as np
ring = Ring.attach(sys.argv[1])
print('at it', flush=True)
while os.getppid() == int(sys.argv[2]):
    value = ring.newest % 251
    ring.put(np.full((256, 256, 3), value, np.uint8), value, 0.0, 0.1, 0.0)
"""


def test_no_torn_picture_is_ever_given_while_another_process_writes_as_fast_as_it_can() -> None:
    ring = Ring.create(2, (256, 256))
    code = f"from installation.ipc.ring import *\nimport sys, os\n{HAMMER}"
    writer = subprocess.Popen(
        [sys.executable, "-c", code, ring.name, str(os.getpid())], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "at it\n"
        whole = refused = 0
        while whole < 1500 or refused < 20:
            shot = ring.get(ring.newest - refused % 2)  # the older of the two slots is the next to be written
            if shot is None:
                refused += 1
                continue
            whole += 1
            assert shot.picture.min() == shot.picture.max() == shot.frame
    finally:
        writer.kill()
        writer.wait()
        assert writer.stdout is not None
        writer.stdout.close()
        ring.close()
        ring.unlink()


def test_a_reader_that_dies_takes_nothing_with_it_and_says_nothing(ring: Ring) -> None:
    put(ring, 5)
    for ending in ("pass", "os._exit(0)", "ring.close()", "os.kill(os.getpid(), 9)"):
        ended = child(f"ring = Ring.attach(sys.argv[1]); print(ring.get(1).frame, flush=True); {ending}", ring.name)
        assert (ended.stdout, ended.stderr) == ("5\n", "")
    assert Ring.attach(ring.name).newest == 1


def test_the_ring_of_a_dead_creator_is_swept_and_that_of_a_living_one_is_not(ring: Ring) -> None:
    dead = child("ring = Ring.create(2, (8, 8)); print(ring.name); sys.stdout.flush(); os.kill(os.getpid(), 9)")
    name = dead.stdout.strip()
    assert Ring.attach(name).slots == 2  # left behind
    swept = rings.sweep()
    assert name in swept
    assert ring.name not in swept
    with pytest.raises(ShowError, match="its show has ended"):
        Ring.attach(name)
    assert Ring.attach(ring.name).slots == 4


def test_unlinked_means_gone_for_newcomers_only(ring: Ring) -> None:
    other = Ring.create(2, (8, 8))
    reader = Ring.attach(other.name)
    other.unlink()
    other.unlink()
    put(other, 1, height=8, width=8)
    assert reader.newest == 1
    with pytest.raises(ShowError, match="no ring"):
        Ring.attach(other.name)


@pytest.mark.parametrize("name", ["", "lw-1-0", "../../etc/passwd", "lw-1-00000000/../x", "lw-\u0661-00000000"])
def test_only_names_of_rings_are_opened(name: str) -> None:
    with pytest.raises(ShowError, match="no ring"):
        Ring.attach(name)


@pytest.mark.parametrize("content", [b"", b"x" * 10, b"x" * 4096, b"lwring01" + b"\xff" * 4088])
def test_a_file_that_is_no_ring_is_refused(content: bytes) -> None:
    path = rings._folders()[0] / f"lw-{os.getpid()}-00c0ffee"
    path.write_bytes(content)
    try:
        with pytest.raises(ShowError, match="restart the whole show"):
            Ring.attach(path.name)
    finally:
        path.unlink()


def test_memory_that_is_not_there_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, offset: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rings, "_folders", lambda: [tmp_path])
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ShowError, match=r"give .* 24 MB .*shm-size"):
        Ring.create()
    assert list(tmp_path.iterdir()) == []


def test_others_may_not_look() -> None:
    ring = Ring.create(2, (8, 8))
    try:
        assert (rings._folders()[0] / ring.name).stat().st_mode & 0o077 == 0
    finally:
        ring.close()
        ring.unlink()
