"""Whether a film is whole, and how far it is: what `film verify` and `film status` find."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from test_film_resume import SMALL, Stop, content, damages, journey, stopped

from installation.film import make, output, repair, verify
from installation.film.join import sums
from installation.film.output import Folder
from installation.film.sinks import Memory
from installation.frames import Frames
from latentworld.errors import Notice, OutputError

pytestmark = pytest.mark.usefixtures("plain")


@pytest.mark.parametrize("codec", ["h264", "frames"])
def test_a_film_under_way_is_verified_and_what_is_damaged_made_again(codec: str, tmp_path: Path) -> None:
    of_codec = f"film.codec={codec}"
    make.film(journey(of_codec), tmp_path / "whole")
    folder = tmp_path / "film"
    with pytest.raises(RuntimeError, match="power"):
        make.film(journey(of_codec), folder, sinks=[Stop(50)])
    assert damages(folder) == []
    seen = verify.status(Folder(folder))
    assert (seen.frames, seen.planned, seen.missing, seen.joined) == (48, 64, [(48, 64)], False)
    piece = folder / ("chunks/000000016.mp4" if codec == "h264" else "frames/000000016.png")
    data = bytearray(piece.read_bytes())
    data[len(data) // 2] ^= 1  # of the same size, so that only reading it tells
    piece.write_bytes(data)
    assert damages(folder) == ["frames 16 to 31: the file is another"]
    lines = folder / "chunks" / "000000032.csv"
    lines.write_bytes(lines.read_bytes().replace(b"1", b"2", 1))
    assert damages(folder)[-1] == "frames 32 to 47: its telemetry is another"
    with pytest.warns(Notice, match="frames 16 to 31, 32 to 47 are gone or not as they were made"):
        make.film(journey(of_codec), folder)
    assert damages(folder) == []
    assert content(folder)[0] == content(tmp_path / "whole")[0]


def test_a_whole_film_is_verified(tmp_path: Path) -> None:
    film = make.film(journey(), tmp_path)
    assert damages(tmp_path) == []
    assert verify.status(Folder(tmp_path)).joined
    good = film.video.read_bytes()
    at = int(len(good) * 0.9)  # an index comes first, then the pictures
    film.video.write_bytes(good[:at] + bytes(byte ^ 255 for byte in good[at : at + 400]) + good[at + 400 :])
    assert [each[:15] for each in damages(tmp_path)] == ["frames 48 to 63"]
    film.video.write_bytes(good)
    lines = film.folder.telemetry.read_bytes()
    film.folder.telemetry.write_bytes(lines.replace(b"\r\n20,", b"\r\n21,"))
    assert damages(tmp_path) == ["frames 0 to 63: telemetry.csv is another from frame 16 on"]
    film.folder.telemetry.write_bytes(lines)
    film.video.unlink()
    assert "is gone" in damages(tmp_path)[0]


def test_a_film_that_is_being_made_is_told_from_one_that_was_killed(tmp_path: Path) -> None:
    seen = []

    class Watch(Memory):
        def send(self, frames: Frames) -> None:
            super().send(frames)
            seen.append(verify.status(Folder(tmp_path)).busy)
            for lines in (tmp_path / "chunks").glob("000000000.csv"):  # harmed under the film's hands: told, left there
                good = lines.read_bytes()
                lines.write_bytes(b"")
                assert damages(tmp_path) == ["frames 0 to 15: its telemetry is another"]
                lines.write_bytes(good)

    assert make.film(journey("film.seconds=2"), tmp_path, sinks=[Watch()]).complete
    assert all(seen)
    assert not verify.status(Folder(tmp_path)).busy


def test_a_folder_without_a_film_has_no_status(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds no film"):
        verify.status(Folder(tmp_path))


def test_a_film_that_is_to_replace_another_has_its_own_status(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make.film(journey(), tmp_path)
    with pytest.raises(RuntimeError, match="power"):
        make.film(journey("film.fps=12"), tmp_path, overwrite=True, sinks=[Stop(30)])
    lines = run("film", "status", tmp_path)[1].splitlines()
    assert lines[0].startswith("64 of 64 frames at 16 a second")
    assert lines[1:3] == ["whole", "the film that is to replace it:"]
    assert "of 48 frames at 12 a second" in lines[3]
    assert lines[-1].startswith("it is not being made now")


def test_on_the_command_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder, settings = stopped(tmp_path / "film"), [part for each in SMALL for part in ("--set", each)]
    code, out, _ = run("film", "status", folder)
    assert code == 0
    assert "48 of 64 frames" in out
    assert "the command that began it goes on with it" in out
    code, out, _ = run("film", "verify", folder)
    assert code == 1
    assert out.startswith("48 of 64 frames are there, every one as it was made")
    code, out, _ = run("film", "analytic", "-o", folder, *settings, "--progress", "json")
    *_, last, video = out.splitlines()
    assert code == 0
    assert {key: json.loads(last)[key] for key in ("frames", "planned", "eta")} == {
        "frames": 64,
        "planned": 64,
        "eta": 0,
    }
    assert video == str(folder / "film.mp4")
    assert "every one as it was made" in run("film", "verify", folder)[1]
    os.truncate(folder / "film.mp4", (folder / "film.mp4").stat().st_size // 2)
    code, out, err = run("film", "verify", folder)
    assert code == 1
    assert "cannot be decoded" in out
    assert "verify --repair" in err


@pytest.mark.parametrize("codec", ["h264", "h265", "av1", "prores", "ffv1", "frames"])
def test_a_whole_film_that_was_damaged_is_repaired(codec: str, tmp_path: Path) -> None:
    """What is sound stays as it is; the film command makes the rest anew, and the film is what it was."""
    asked = journey(f"film.codec={codec}")
    film = make.film(asked, tmp_path)
    before, times = content(tmp_path), shown(film)
    target = film.video if codec != "frames" else film.video / "000000020.png"
    data = bytearray(target.read_bytes())
    at = int(len(data) * 0.9)  # an index comes first, then the pictures
    data[at : at + 300] = bytes(byte ^ 255 for byte in data[at : at + 300])
    target.write_bytes(data)
    found = verify.verify(film.folder)
    harmed = sum(damage.end - damage.first for damage in found)
    assert 0 < harmed < 64
    assert repair.repair(film.folder, found) == 64 - harmed
    assert target.read_bytes() == bytes(data)  # the damaged film stays until there is another
    memory = Memory()
    assert make.film(asked, tmp_path, sinks=[memory]).complete
    assert len(memory.pictures) == harmed
    assert damages(tmp_path) == []
    assert content(tmp_path)[:2] == before[:2]
    assert shown(film) == times  # no hole and no stop where a piece was cut out and joined again


def shown(film: make.Film) -> list[tuple[int, bytes]]:
    """When each frame of a film is shown, in frames, and what it is; of stills nothing."""
    return list(sums(film.video)) if film.video.is_file() else []


def test_telemetry_that_was_damaged_costs_its_chunk_alone(tmp_path: Path) -> None:
    film = make.film(journey(), tmp_path)
    before = content(tmp_path)
    lines = film.folder.telemetry.read_bytes()
    film.folder.telemetry.write_bytes(lines.replace(b"\r\n20,", b"\r\n21,"))
    assert repair.repair(film.folder, verify.verify(film.folder)) == 48
    assert make.film(journey(), tmp_path).complete
    assert content(tmp_path)[:2] == before[:2]


def test_a_film_that_is_not_finished_is_not_taken_apart(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="power"):
        make.film(journey(), tmp_path, sinks=[Stop(30)])
    with pytest.raises(OutputError, match="goes on with it"):
        repair.repair(Folder(tmp_path), [])


@pytest.mark.parametrize("codec", ["h264", "frames"])
def test_a_summary_that_is_gone_costs_no_frame(codec: str, tmp_path: Path) -> None:
    asked = journey(f"film.codec={codec}")
    film = make.film(asked, tmp_path)
    before = content(tmp_path)
    film.folder.summary.unlink()
    assert verify.status(film.folder).one_file
    assert damages(tmp_path) == []
    memory = Memory()
    assert make.film(asked, tmp_path, sinks=[memory]).complete
    assert not memory.batches
    assert content(tmp_path)[:2] == before[:2]


def test_a_folder_is_taken_while_it_is_claimed_and_not_by_the_lock_that_a_killed_film_left(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    assert not output.busy(tmp_path)
    with output.claimed(tmp_path):
        assert output.busy(tmp_path)
