"""Outputs beside the wall: pace, recordings, and which sink a target names."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pytest
from numpy.typing import NDArray
from patience import until
from plugins import entries, module, package
from standins.clock import Clock
from standins.film import boxes

from installation.stage.outputs import catalogue, kinds
from installation.stage.outputs.catalogue import check, output
from installation.stage.outputs.kinds.camera import Camera
from installation.stage.outputs.kinds.ndi import Ndi
from installation.stage.outputs.kinds.spout import Spout
from installation.stage.outputs.kinds.syphon import Syphon
from installation.stage.outputs.kinds.video import Video
from installation.stage.outputs.output import Output, Settings
from installation.stage.outputs.pace import slots
from installation.stage.outputs.put_out import straight
from installation.venue import Wall, load
from latentworld.errors import DiskFull, EncoderFailed, ShowError
from latentworld.registry import Registry

Picture = NDArray[np.uint8]
HIGH, WIDE = 48, 64
USUAL = Settings(30.0, 0)


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


def ending(clock: Clock) -> Callable[[float], bool]:
    """Waiting by a clock, which is over after nine times."""

    def wait(seconds: float) -> bool:
        clock.sleep(seconds)
        return len(clock.sleeps) > 8

    return wait


def test_slots_are_even_and_never_drift() -> None:
    clock = Clock()
    dues = [due for _, due in slots(30.0, clock, ending(clock))]
    np.testing.assert_allclose(dues, 100.0 + np.arange(8) / 30.0, rtol=0, atol=1e-12)


def test_who_is_late_gets_the_newest_slot_that_is_due() -> None:
    clock, given = Clock(0.0), []
    for slot, due in slots(10.0, clock, ending(clock)):
        given.append(slot)
        assert due <= clock() < due + 0.1 + 1e-9 or slot == 0
        clock.now += {1: 0.35, 5: 0.05}.get(slot, 0.001)
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


def test_a_recording_that_ended_well_carries_its_index_first_where_there_is_room_and_time(tmp_path: Path) -> None:
    with Video(tmp_path / "a.mp4", 10.0, reserve=0, part=1.0) as video:
        for slot in range(15):
            video.send(grey(8 * slot), slot)
    for part in (tmp_path / "a.mp4", tmp_path / "a part 2.mp4"):
        assert boxes(part) == ["moov", "mdat"]
    full = Video(tmp_path / "full.mp4", 10.0, reserve=10**9, free=lambda path: 10**9 + 1)
    late = Video(tmp_path / "late.mp4", 10.0, reserve=0)
    late._hurry.set()
    for video in (full, late):
        send(video, range(15))
        assert boxes(video.target)[-1] == "moov"
        assert len(levels(video.target)) == 15
    assert not list(tmp_path.glob(".*"))


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
    with Video(tmp_path / "a.mp4", 10.0, reserve=0) as video:
        video.send(grey(90), 0)
    assert (tmp_path / "a.mp4").read_text() == "somebody's"
    assert len(levels(tmp_path / "a part 2.mp4")) == 1


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
def test_a_target_names_its_output(target: str, kind: type) -> None:
    assert type(output(target, USUAL)) is kind


REFUSED = {
    "": "use camera, camera:DEVICE, ndi:NAME",
    "screen:1": "use camera, camera:DEVICE, ndi:NAME",
    "ndi": "no name for an NDI source",
    "ndi:": "no name for an NDI source",
    "video:": "write video:FILE.mp4",
    "video:a.avi": "write video:FILE.mp4",
    "spout": "write spout:NAME",
}


@pytest.mark.parametrize(("target", "words"), REFUSED.items())
def test_what_is_no_output_is_refused_when_a_show_begins(target: str, words: str) -> None:
    with pytest.raises(ShowError, match=words):
        check([target], open_doors=True)


def test_what_the_whole_network_hears_needs_open_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_is_there", lambda library: True)
    check(["ndi:latentworld", "camera", "video:a.mp4"], open_doors=True)
    check(["camera", "video:a.mp4"], open_doors=False)
    with pytest.raises(ShowError, match="open the doors"):
        check(["camera", "ndi:latentworld"], open_doors=False)


@pytest.mark.parametrize("target", ["spout:a", "syphon:a", "ndi:a", "camera"])
def test_a_library_that_is_missing_is_named_when_a_show_begins(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_is_there", lambda library: False)
    with pytest.raises(ShowError, match=rf"missing: .*\[{target.partition(':')[0]}\]"):
        check([target], open_doors=True)


class Strip(Output):
    """Of another package."""

    usage: ClassVar[str] = "strip:FILE"

    @classmethod
    def named(cls, argument: str, settings: Settings) -> Self:
        return cls()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None: ...
    def send(self, picture: Picture, slot: int) -> None: ...


class Unusable(Strip):
    """Nobody knows how it is written."""


class Silent(Output):
    """Sends nothing."""

    usage: ClassVar[str] = "silent"


class Needy(Strip):
    """Names no command that installs what it needs."""

    usage: ClassVar[str] = "needy"
    libraries = ("numpy",)  # type: ignore[assignment]


BROKEN = {
    "needy": "Needy.libraries is no mapping",
    "unusable": "Unusable has no usage",
    "silent": "Silent lacks __enter__, __exit__, named, send",
    "number": "3 is no subclass of outputs.output.Output",
    "gone": "No module named 'no_such_module'",
}


def test_outputs_of_other_packages_are_named_in_a_venue_and_broken_ones_are_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(monkeypatch, "outputs_of_others", strip=Strip, unusable=Unusable, silent=Silent, number=3, needy=Needy)
    named = {name: f"outputs_of_others:{name}" for name in ("strip", "unusable", "silent", "number", "needy")}
    made = package(tmp_path, "others", "0.1", "latentworld.outputs", named | {"gone": "no_such_module:x"})
    registry = Registry("latentworld.outputs", "output", catalogue.built_in(), catalogue.checked, entries(made))
    monkeypatch.setattr(catalogue, "REGISTRY", registry)
    (tmp_path / "venue.toml").write_text('outputs = ["strip:a.png"]\n[doors]\nosc = 9000\n')
    check(load(tmp_path / "venue.toml").outputs, open_doors=False)
    assert type(output("strip:a.png", USUAL)) is Strip
    for name, reason in BROKEN.items():
        with pytest.raises(ShowError, match=f"the output '{name}' of others 0.1 .* cannot be used: .*{reason}"):
            check([name], open_doors=True)
    with pytest.raises(ShowError, match=r"use camera.*video:FILE.mp4, strip:FILE"):
        check(["none"], open_doors=True)


TOY = """
from typing import ClassVar, Self
from installation.stage.outputs.output import Output, Settings

class Toy(Output):
    usage: ClassVar[str] = "toy"

    @classmethod
    def named(cls, argument: str, settings: Settings) -> Self:
        return cls()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None: ...
    def send(self, picture, slot) -> None: ...
"""


def test_a_file_among_the_kinds_is_an_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
    registry = Registry("latentworld.outputs", "output", catalogue.built_in(), catalogue.checked, entries())
    monkeypatch.setattr(catalogue, "REGISTRY", registry)
    assert registry.names() == ("camera", "ndi", "spout", "syphon", "toy", "video")
    assert f"{kinds.__name__}.toy" not in sys.modules
    check(["toy"], open_doors=False)
    assert type(output("toy", USUAL)).__name__ == "Toy"
    monkeypatch.delitem(sys.modules, f"{kinds.__name__}.toy")


def test_a_venue_names_outputs_as_a_list_or_as_it_used_to(tmp_path: Path) -> None:
    def outputs(text: str) -> tuple[str, ...]:
        (tmp_path / "venue.toml").write_text(text)
        return load(tmp_path / "venue.toml").outputs

    assert outputs('outputs = ["ndi:a wall", "camera", "spout:lw"]') == ("ndi:a wall", "camera", "spout:lw")
    assert outputs('[outputs]\nndi = "wall"\ncamera = true\n') == ("ndi:wall", "camera")
    assert outputs("[outputs]\ncamera = false\n") == ()
    for wrong in ('[outputs]\nspout = "a"\n', "outputs = [3]", 'outputs = ["camera", "camera"]', 'outputs = "camera"'):
        with pytest.raises(ShowError, match="outputs"):
            outputs(wrong)


@pytest.mark.parametrize(("kind", "module"), [("spout:a", "SpoutGL"), ("syphon:a", "syphon"), ("ndi:a", "cyndilib")])
def test_a_missing_library_is_named_with_its_extra(kind: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ShowError, match=rf"{module} is missing: .*\[{kind.split(':')[0]}\]"), output(kind, USUAL):
        pass


def test_an_output_shows_the_picture_and_not_the_projectors_corrections() -> None:
    pinned = ((0.1, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    wall = Wall(rotation=90, corners=pinned, blend=(0.1, 0, 0, 0), size=(720, 1280), rate=25.0, fit="cover")
    assert straight(wall) == Wall(size=(1280, 720), rate=25.0, fit="cover")
    assert straight(Wall()) == Wall()
    assert straight(Wall(size=(1080, 1056), part=(0.0, 0.0, 0.55, 1.0))).size == (1080, 1920)  # not a half of it
