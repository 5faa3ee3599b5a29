"""Files are whole or not there, and refusals are one line that says what to do."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import BaseFileLock

from latentworld import disk
from latentworld.errors import AtlasError, DiskFull, OutputError


def test_a_file_is_all_there_before_it_is_synced_and_synced_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, seen, real = tmp_path / "a.bin", list[tuple[int, bool]](), os.fsync

    def synced(number: int) -> None:
        seen.append((os.fstat(number).st_size, target.exists()))
        real(number)

    monkeypatch.setattr("latentworld.disk.os.fsync", synced)
    disk.save(target, b"x" * 1000)  # less than a buffer
    assert seen == [(1000, False)]
    assert target.read_bytes() == b"x" * 1000
    assert os.listdir(tmp_path) == ["a.bin"]


def test_what_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.bin"
    disk.save(target, b"old")
    for number, fault, told in (
        (errno.ENOSPC, DiskFull, "the disk of .* is full: free some space"),
        (errno.EDQUOT, DiskFull, "the disk of .* is full"),
        (errno.EIO, OutputError, "cannot write .* choose a folder you may write to"),
    ):

        def full(_: int, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as patch:
            patch.setattr("latentworld.disk.os.fsync", full)
            with pytest.raises(fault, match=told):
                disk.save(target, b"new")
        assert target.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["a.bin"]


def test_a_folder_that_is_not_there_is_what_is_told(tmp_path: Path) -> None:
    """Not the side file that could not be removed because it never was."""
    with pytest.raises(OutputError, match="No such file or directory"):
        disk.save(tmp_path / "nowhere" / "a.bin", b"x")
    with pytest.raises(AtlasError, match="survey elsewhere"), disk.writing(tmp_path, "survey elsewhere", AtlasError):
        raise OSError(errno.EACCES, "survey elsewhere")
    with pytest.raises(DiskFull, match="one more"), disk.writing(tmp_path, "one more"):
        raise OSError(errno.ENOSPC, "full")


def test_a_claim_is_the_processes_whatever_thread_took_it(tmp_path: Path) -> None:
    def claimed() -> BaseFileLock:
        return disk.claim(tmp_path / ".lock", OutputError("it is taken"))

    with ThreadPoolExecutor(1) as other:
        taken = other.submit(claimed).result()
        for whoever in (claimed, lambda: other.submit(claimed).result()):
            with pytest.raises(OutputError, match="it is taken"):
                whoever()
        taken.release()
        claimed().release()


def test_who_asks_whether_a_file_is_claimed_is_in_nobodys_way(tmp_path: Path) -> None:
    """However busy the machine and however many ask. A file that a killed one left is claimed by nobody."""
    file = tmp_path / ".lock"
    assert not disk.claimed(file)
    file.touch()
    with ThreadPoolExecutor(4) as several:
        assert not any(several.map(lambda _: disk.claimed(file), range(200)))
    taken = disk.claim(file, OutputError("it is taken"))
    assert disk.claimed(file)
    taken.release()
    assert not disk.claimed(file)


@pytest.mark.skipif(os.name == "nt", reason="no shared locks")
def test_who_asks_does_not_see_others_who_ask(tmp_path: Path) -> None:
    import fcntl

    file = tmp_path / ".lock"
    file.touch()
    with file.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not disk.claimed(file)
        with ThreadPoolExecutor(1) as asks:
            asked = asks.submit(disk.claim, file, OutputError("it is taken"))
            fcntl.flock(other, fcntl.LOCK_UN)
            asked.result().release()


@pytest.mark.skipif(os.name == "nt", reason="no such modes")
def test_who_may_read_a_file_is_the_umasks_to_say(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        disk.put(tmp_path / "a", b"")
        disk.put(tmp_path / "b", b"", 0o600)
        disk.save(tmp_path / "c", b"")
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in "abc"] == [0o666, 0o600, 0o666]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="no such folder here")
def test_what_is_no_file_is_let_go_of(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(OSError, match="no file"):
            disk.open_own(tmp_path / "pipe", os.O_RDONLY, 0o600)
        with pytest.raises(OSError, match="no file"):
            disk.read(tmp_path / "pipe", 10)
    assert len(os.listdir("/proc/self/fd")) == before
