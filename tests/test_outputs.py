"""Outputs beside the wall: pace, recordings, and which sink a target names."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from patience import until

from installation.stage.outputs.camera import Camera
from installation.stage.outputs.ndi import Ndi
from installation.stage.outputs.pace import slots
from installation.stage.outputs.put_out import straight
from installation.stage.outputs.sinks import sink
from installation.stage.outputs.textures import Spout, Syphon
from installation.stage.outputs.video import Video
from installation.venue import Wall
from latentworld.errors import DiskFull, EncoderFailed, OutputExists, ShowError

Picture = NDArray[np.uint8]
HIGH, WIDE = 48, 64


def grey(level: int, height: int = HIGH, width: int = WIDE) -> Picture:
    """A ramp about a level, so that no picture is constant."""
    ramp = np.linspace(-8, 8, width)[None, :, None]
    return np.clip(np.full((height, width, 3), float(level)) + ramp, 0, 255).astype(np.uint8)


def levels(path: Path) -> list[float]:
    """The mean of every picture of a video."""
    import cv2

    film, found = cv2.VideoCapture(str(path)), []
    while (read := film.read())[0]:
        found.append(float(read[1].mean()))
    film.release()
    return found


# ---- pace


class Time:
    """A clock that goes on by waiting, and by `busy` seconds of work taken from a list."""

    def __init__(self, now: float = 100.0) -> None:
        self.now, self.waits = now, 0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        self.waits += 1
        return self.waits > 8


def test_slots_are_even_and_never_drift() -> None:
    time = Time()
    dues = [due for _, due in slots(30.0, time, time.wait)]
    np.testing.assert_allclose(dues, 100.0 + np.arange(8) / 30.0, rtol=0, atol=1e-12)


def test_who_is_late_gets_the_newest_slot_that_is_due() -> None:
    time, given = Time(0.0), []
    for slot, due in slots(10.0, time, time.wait):
        given.append(slot)
        assert due <= time() < due + 0.1 + 1e-9 or slot == 0
        time.now += {1: 0.35, 5: 0.05}.get(slot, 0.001)
    assert given == [0, 1, 4, 5, 6, 7, 8, 9]


def test_no_slot_comes_after_the_end() -> None:
    assert list(slots(30.0, lambda: 0.0, lambda seconds: True)) == []


# ---- recordings


def test_a_recording_has_a_picture_for_every_slot(tmp_path: Path) -> None:
    with Video(tmp_path / "new" / "a.mp4", 10.0, reserve=0) as video:
        for slot, level in ((0, 40), (1, 60), (4, 200), (5, 100)):
            video.send(grey(level), slot)
    found = levels(tmp_path / "new" / "a.mp4")
    np.testing.assert_allclose(found, [40, 60, 60, 60, 200, 100], atol=4)


def test_a_long_recording_comes_in_parts_over_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "a part 2.mp4").write_text("somebody's")
    with Video(tmp_path / "a.mp4", 10.0, reserve=0, part=1.0) as video:
        for slot in range(25):
            video.send(grey(8 * slot), slot)
    parts = [tmp_path / name for name in ("a.mp4", "a part 3.mp4", "a part 4.mp4")]
    assert [len(levels(part)) for part in parts] == [10, 10, 5]
    np.testing.assert_allclose(np.concatenate([levels(part) for part in parts]), 8 * np.arange(25), atol=5)
    assert (tmp_path / "a part 2.mp4").read_text() == "somebody's"


def test_a_machine_that_was_stopped_begins_a_new_part(tmp_path: Path) -> None:
    with Video(tmp_path / "a.mp4", 10.0, reserve=0) as video:
        for slot in (0, 1, 5000, 5001, 5002):
            video.send(grey(90), slot)
    assert [len(levels(tmp_path / name)) for name in ("a.mp4", "a part 2.mp4")] == [2, 3]


def test_odd_sizes_are_recorded_even(tmp_path: Path) -> None:
    import cv2

    with Video(tmp_path / "a.mp4", 10.0, reserve=0) as video:
        video.send(grey(90, 47, 65), 0)
    film = cv2.VideoCapture(str(tmp_path / "a.mp4"))
    assert film.read()[1].shape == (46, 64, 3)


def test_a_recording_that_was_there_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("somebody's")
    with pytest.raises(OutputExists, match="another name"), Video(tmp_path / "a.mp4", 10.0, reserve=0):
        pass
    assert (tmp_path / "a.mp4").read_text() == "somebody's"


def test_a_recording_ends_before_the_disk_is_full(tmp_path: Path) -> None:
    room = itertools.chain([9e9, 9e9], itertools.repeat(1e6))
    video = Video(tmp_path / "a.mp4", 10.0, reserve=500_000_000, free=lambda path: int(next(room)))
    with pytest.raises(DiskFull, match="free some space"):
        send(video, range(100))
    assert len(levels(tmp_path / "a.mp4")) == 20
    nothing = Video(tmp_path / "b.mp4", 10.0, reserve=1, free=lambda path: 0)
    with pytest.raises(DiskFull, match="nothing was written"), nothing:
        pass


def test_without_a_picture_there_is_no_file(tmp_path: Path) -> None:
    with Video(tmp_path / "a.mp4", 10.0, reserve=0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_is_killed_is_told_and_leaves_what_plays(tmp_path: Path) -> None:
    video = Video(tmp_path / "a.mp4", 10.0, reserve=0)

    def kill(slot: int) -> None:
        if slot == 100:
            encoder = video._encoder
            assert encoder is not None
            until(lambda: not encoder._queue.qsize())
            encoder._process.kill()

    with pytest.raises(EncoderFailed):
        send(video, range(400), kill)
    assert 10 <= len(levels(tmp_path / "a.mp4")) <= 100


def send(video: Video, slots: range, before: Callable[[int], None] = lambda slot: None) -> None:
    """A recording of so many slots."""
    with video:
        for slot in slots:
            before(slot)
            video.send(grey(slot % 200), slot)


# ---- which, and of what


TARGETS = {
    "video:a.mp4": Video, "ndi:latentworld": Ndi, "camera": Camera, "camera:/dev/video3": Camera, "spout:lw": Spout,
    "syphon:lw": Syphon,
}  # fmt: skip


@pytest.mark.parametrize(("target", "kind"), TARGETS.items())
def test_a_target_names_its_sink(target: str, kind: type) -> None:
    assert type(sink(target, 30.0, 0)) is kind


@pytest.mark.parametrize("target", ["", "ndi", "ndi:", "video:", "video:a.avi", "screen:1"])
def test_an_unknown_target_is_refused(target: str) -> None:
    with pytest.raises(ShowError, match="use video:FILE"):
        sink(target, 30.0, 0)


@pytest.mark.parametrize(("kind", "module"), [("spout:a", "SpoutGL"), ("syphon:a", "syphon"), ("ndi:a", "cyndilib")])
def test_a_missing_library_is_named_with_its_extra(kind: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ShowError, match=rf"{module}.*latentworld\[{kind.split(':')[0]}\]"), sink(kind, 30.0, 0):
        pass


def test_an_output_shows_the_picture_and_not_the_projectors_corrections() -> None:
    pinned = ((0.1, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    wall = Wall(rotation=90, corners=pinned, blend=(0.1, 0, 0, 0), size=(720, 1280), rate=25.0, fit="cover")
    assert straight(wall) == Wall(size=(1280, 720), rate=25.0, fit="cover")
    assert straight(Wall()) == Wall()
    assert straight(Wall(size=(1080, 1056), part=(0.0, 0.0, 0.55, 1.0))).size == (1080, 1920)  # not a half of it
