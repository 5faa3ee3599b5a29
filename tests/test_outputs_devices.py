"""Outputs to other programs: NDI, cameras, Spout and Syphon, for real or against stand-ins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from installation.stage.outputs.kinds.camera import Camera
from installation.stage.outputs.kinds.ndi import Ndi
from installation.stage.outputs.kinds.spout import Spout
from installation.stage.outputs.kinds.syphon import Syphon
from latentworld.errors import PortError

Picture = NDArray[np.uint8]
HIGH, WIDE = 48, 64


def grey(level: int, height: int = HIGH, width: int = WIDE) -> Picture:
    """A ramp about a level, so that no picture is constant."""
    ramp = np.linspace(-8, 8, width)[None, :, None]
    return np.clip(np.full((height, width, 3), float(level)) + ramp, 0, 255).astype(np.uint8)


# ---- NDI


class Frames:
    """What the NDI library is told of a frame."""

    def set_resolution(self, width: int, height: int) -> None:
        self.size = (height, width)

    def set_fourcc(self, code: str) -> None:
        self.code = code

    def set_frame_rate(self, rate: Any) -> None:
        self.rate = rate


class Sender:
    """An NDI sender that keeps what it was given."""

    made: list[Sender]

    def __init__(self, name: str, clock_video: bool, clock_audio: bool) -> None:
        self.name, self.open_, self.sent = name, False, []
        assert not clock_video
        self.made.append(self)

    def set_video_frame(self, frame: Frames) -> None:
        self.frame = frame

    def open(self) -> None:
        self.open_ = True

    def close(self) -> None:
        self.open_ = False

    def write_video_async(self, data: Picture) -> None:
        if not self.open_:
            raise RuntimeError("not open")
        self.sent.append(data.copy())

    def get_num_connections(self, timeout: float) -> int:
        return 3


@pytest.fixture
def library() -> Any:
    made: list[Sender] = []
    sender = type("Sender", (Sender,), {"made": made})
    return SimpleNamespace(VideoSendFrame=Frames, Sender=sender, FourCC=SimpleNamespace(RGBX="RGBX"), made=made)


def test_ndi_sends_what_it_is_given_and_follows_the_size(library: Any) -> None:
    with Ndi("latentworld", 29.97, library) as ndi:
        ndi.send(grey(100), 0)
        ndi.send(grey(50, 20, 30), 1)
        first, second = library.made
        assert (first.open_, second.open_, ndi.receivers) == (False, True, 3)
    assert [(s.frame.size, s.frame.code, s.name) for s in library.made] == [
        ((HIGH, WIDE), "RGBX", "latentworld"), ((20, 30), "RGBX", "latentworld")
    ]  # fmt: skip
    assert float(first.frame.rate) == pytest.approx(29.97, abs=1e-5)
    sent = first.sent[0].reshape(HIGH, WIDE, 4)
    np.testing.assert_array_equal(sent[..., :3], grey(100))
    assert not second.open_


def test_ndi_that_fails_says_so_in_a_line(library: Any) -> None:
    with Ndi("a", 30.0, library) as ndi:
        ndi.send(grey(1), 0)
        library.made[0].open_ = False
        with pytest.raises(PortError, match="started again"):
            ndi.send(grey(1), 1)
    library.Sender.open = lambda self: 1 / 0
    with pytest.raises(PortError, match="cannot be opened"), Ndi("a", 30.0, library) as ndi:
        ndi.send(grey(1), 0)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_ndi_names_are_names(name: str) -> None:
    with pytest.raises(PortError, match="no name"):
        Ndi(name, 30.0)


RECEIVE = """
import sys, time
import numpy as np
from cyndilib import Finder, RecvBandwidth, RecvColorFormat, Receiver, VideoFrameSync
from installation.stage.outputs.kinds.ndi import Ndi
from latentworld.errors import PortError

picture = np.zeros((48, 64, 3), np.uint8)
picture[:, :32] = (200, 100, 50)
finder, slot, ends = Finder(), 0, time.monotonic() + 20
finder.open()
try:
    with Ndi("latentworld test", 30.0) as ndi:
        receiver = None
        while time.monotonic() < ends:
            ndi.send(picture, slot)
            slot += 1
            time.sleep(0.02)
            found = [name for name in finder.get_source_names() if "latentworld test" in name]
            if found and receiver is None:
                receiver = Receiver(color_format=RecvColorFormat.RGBX_RGBA, bandwidth=RecvBandwidth.highest)
                seen = VideoFrameSync()
                receiver.frame_sync.set_video_frame(seen)
                receiver.set_source(finder.get_source(found[0]))
            if receiver is not None:
                receiver.frame_sync.capture_video()
                if seen.xres:
                    got = np.array(seen.get_array()).reshape(48, 64, 4)
                    print(got[24, 8, :3].tolist(), got[24, 56, :3].tolist(), ndi.receivers)
                    receiver.disconnect()
                    break
except PortError as error:
    print("refused:", error)
finder.close()
"""


def test_ndi_for_real_arrives_as_it_was_sent(tmp_path: Path) -> None:
    pytest.importorskip("cyndilib")
    only_here = {"networks": {"ips": "127.0.0.1", "discovery": ""}, "adapters": {"allowed": ["127.0.0.1"]}}
    (tmp_path / "ndi-config.v1.json").write_text(json.dumps({"ndi": only_here}))
    told = {**os.environ, "NDI_CONFIG_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", RECEIVE], env=told, capture_output=True, text=True, timeout=120)
    if done.stdout.startswith("refused") or not done.stdout:
        pytest.skip(f"NDI does not run on this machine: {done.stdout or done.stderr[-200:]}")
    left, right, receivers = read_back(done.stdout)
    np.testing.assert_allclose(left, [200, 100, 50], atol=6)
    np.testing.assert_allclose(right, [0, 0, 0], atol=6)
    assert receivers == 1


def read_back(line: str) -> tuple[list[int], list[int], int]:
    left, right, receivers = json.loads(f"[{line.strip().replace('] ', '], ')}]")
    return left, right, receivers


# ---- camera


class Backend:
    """A camera's backend, as pyvirtualcam describes it."""

    sent: list[Picture]

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str | None, **rest: object) -> None:
        if device == "/dev/video9":
            raise RuntimeError("no such device")
        self.sent = []
        Backend.newest = self  # type: ignore[attr-defined]
        self.open = True

    def close(self) -> None:
        self.open = False

    def send(self, frame: Picture) -> None:
        if frame.max() == 13:
            raise RuntimeError("gone")
        self.sent.append(frame.copy())

    def device(self) -> str:
        return "stand-in"

    def native_fourcc(self) -> None:
        return None


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> Any:
    pyvirtualcam = pytest.importorskip("pyvirtualcam")
    monkeypatch.setattr("pyvirtualcam.camera.BACKENDS", {"standin": Backend})
    return pyvirtualcam


def test_a_camera_shows_pictures_of_any_size(cameras: Any) -> None:
    with Camera("", 30.0) as camera:
        camera.send(grey(100), 0)
        first: Backend = Backend.newest  # type: ignore[attr-defined]
        camera.send(grey(50, 20, 30), 1)
        second: Backend = Backend.newest  # type: ignore[attr-defined]
        assert (first.open, second.open) == (False, True)
    np.testing.assert_array_equal(first.sent[0], grey(100).reshape(-1))
    assert second.sent[0].size == 20 * 30 * 3
    assert not second.open


def test_a_camera_that_is_gone_is_a_line(cameras: Any) -> None:
    with pytest.raises(PortError, match="started again"), Camera("", 30.0) as camera:
        camera.send(np.full((HIGH, WIDE, 3), 13, np.uint8), 0)


@pytest.mark.skipif(sys.platform != "linux", reason="v4l2loopback is Linux's")
def test_a_camera_that_is_not_there_names_the_module_to_load(cameras: Any) -> None:
    with pytest.raises(PortError, match="modprobe v4l2loopback"), Camera("/dev/video9", 30.0) as camera:
        camera.send(grey(1), 0)


# ---- Spout and Syphon, against stand-ins of their libraries


def test_spout_is_given_opaque_rows_from_the_top() -> None:
    calls: list[tuple[Any, ...]] = []

    class SpoutSender:
        def __enter__(self) -> SpoutSender:
            return self

        def __exit__(self, *rest: object) -> None:
            calls.append(("closed",))

        def __getattr__(self, name: str) -> Any:
            return lambda *arguments: calls.append((name, *arguments)) or arguments[1:2] != (13,)

    with Spout("lw", SimpleNamespace(SpoutSender=SpoutSender)) as spout:  # type: ignore[arg-type]
        spout.send(grey(100), 0)
        with pytest.raises(PortError, match="graphics card"):
            spout.send(grey(100, 20, 13), 1)
    (_, name), (_, data, width, height, form, inverted, _), (_, synced) = calls[:3]
    assert (name, width, height, form, inverted, synced) == ("lw", WIDE, HIGH, 0x1908, False, "lw")
    sent = np.frombuffer(data, np.uint8).reshape(HIGH, WIDE, 4)
    np.testing.assert_array_equal(sent[..., :3], grey(100))
    assert sent[..., 3].min() == 255
    assert calls[-1] == ("closed",)


def test_syphon_publishes_a_texture_of_the_pictures_size() -> None:
    published: list[Any] = []
    stopped: list[bool] = []

    class Server:
        device = "gpu"

        def __init__(self, name: str) -> None:
            self.name = name

        def publish_frame_texture(self, texture: Any, is_flipped: bool) -> None:
            published.append((self.name, texture, is_flipped))

        def stop(self) -> None:
            stopped.append(True)

    raw = SimpleNamespace(create_mtl_texture=lambda device, width, height: {"size": (width, height), "on": device})
    arrays = SimpleNamespace(copy_image_to_mtl_texture=lambda image, texture: texture.update(image=image))
    with Syphon("lw", [SimpleNamespace(SyphonMetalServer=Server), raw, arrays]) as syphon:  # type: ignore[list-item]
        syphon.send(grey(100), 0)
        syphon.send(grey(7), 1)
    (name, texture, flipped), (_, again, _) = published
    assert (name, texture["size"], texture["on"], flipped, again is texture) == ("lw", (WIDE, HIGH), "gpu", True, True)
    np.testing.assert_array_equal(texture["image"][..., :3], grey(7))
    assert stopped == [True]
