"""Every format a film can have: what ffprobe says of it, what plays, and that chunks make the film of one piece."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from chromium import browsing, chromium
from patience import until
from standins.film import batch_of, boxes

from installation.film import chart, ffmpeg, formats, make, sheet, verify
from installation.film.encoder import Encoder
from installation.film.ffmpeg import Recipe, binary, chosen, command, muxing, plays
from installation.film.formats import CHIPS, FORMATS, SUFFIX, Codec
from installation.film.join import counted, sums
from installation.film.output import Folder
from installation.film.sinks import Memory
from latentworld import preset
from latentworld.errors import EncoderFailed

PROBE = shutil.which("ffprobe")
probing = pytest.mark.skipif(PROBE is None, reason="no ffprobe: apt install ffmpeg")
SMALL = [
    "decoder.height=64", "decoder.width=64", "decoder.steps=10", "decoder.batch=8", "film.seconds=2", "film.fps=24",
    "film.chunk=0.6", "film.scale=1",
]  # fmt: skip
STREAM: dict[str, tuple[str, str, str, str, str]] = {
    "h264": ("h264", "avc1", "yuv420p", "tv", "bt709"),
    "h265": ("hevc", "hvc1", "yuv420p10le", "tv", "bt709"),
    "av1": ("av1", "av01", "yuv420p10le", "tv", "bt709"),
    "prores": ("prores", "apch", "yuv422p10le", "tv", "bt709"),
    "ffv1": ("ffv1", "[0][0][0][0]", "bgr0", "pc", "gbr"),
}


@pytest.fixture(scope="module", autouse=True)
def plain() -> Iterator[None]:
    """Films without chart and sheet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chart, "draw", lambda *_: None)
        patch.setattr(sheet, "save", lambda *_: None)
        yield


def journey(*overrides: str) -> preset.Preset:
    return preset.load("analytic", [*SMALL, *overrides])


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[Codec, tuple[make.Film, Memory]]:
    """A film of each format, and its pictures."""
    folder, made = tmp_path_factory.mktemp("formats"), dict[Codec, tuple[make.Film, Memory]]()
    for codec in FORMATS:
        memory = Memory()
        film = make.film(journey(f"film.codec={codec}"), folder / codec, sinks=[memory])
        assert len(verify.manifest.read(film.folder.manifest).chunks) == 3
        made[codec] = film, memory
    return made


@pytest.mark.parametrize("codec", ["h265", "av1"])
def test_frames_that_an_encoder_takes_for_a_fault_are_refused_before_any_is_made(codec: Codec, tmp_path: Path) -> None:
    small = ["decoder.height=8", "film.seconds=0.5"]
    with pytest.raises(EncoderFailed, match=f"{codec} takes no frames below 16 pixels"):
        make.film(journey(f"film.codec={codec}", *small), tmp_path / "small")
    least = ["film.size=[16, 16]"]
    assert make.film(journey(f"film.codec={codec}", *small, *least), tmp_path / "least").complete


def decoded(film: Path) -> np.ndarray:
    """All frames of a film of 64 x 64, by ffmpeg: OpenCV's has no AV1."""
    form = ["-map", "0:v", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    out = subprocess.run([binary(), "-v", "error", "-i", film, *form], capture_output=True, check=False).stdout
    return np.frombuffer(out[: len(out) // 12288 * 12288], np.uint8).reshape(-1, 64, 64, 3)


def probed(film: Path, *what: str) -> dict[str, object]:
    """What ffprobe says of the first picture stream, its frames counted."""
    assert PROBE is not None
    look = [PROBE, "-v", "error", "-select_streams", "v:0", "-count_frames", *what, "-of", "json", str(film)]
    found: dict[str, object] = json.loads(subprocess.run(look, capture_output=True, text=True, check=True).stdout)
    return found


@probing
@pytest.mark.parametrize("codec", FORMATS)
def test_a_format_is_what_its_tags_say(codec: Codec, films: dict[Codec, tuple[make.Film, Memory]]) -> None:
    film = films[codec][0].video
    assert film.name == f"film{SUFFIX[codec]}"
    found = probed(film, "-show_streams", "-show_format", "-show_entries", "packet=pts_time", "-show_packets")
    stream = found["streams"][0]
    names = ("codec_name", "codec_tag_string", "pix_fmt", "color_range", "color_space")
    assert tuple(stream[name] for name in names) == STREAM[codec]
    assert (stream["color_primaries"], stream["color_transfer"]) == ("bt709", "bt709")
    assert (stream["width"], stream["height"], stream["nb_read_frames"]) == (64, 64, "48")
    assert Fraction(stream["r_frame_rate"]) == Fraction(stream["avg_frame_rate"]) == 24
    assert float(stream["start_time"]) == 0.0
    assert float(found["format"]["duration"]) == pytest.approx(2.0, abs=1e-3)
    times = np.sort([float(packet["pts_time"]) for packet in found["packets"]])
    assert np.abs(times - np.arange(48) / 24).max() <= (5.1e-4 if codec == "ffv1" else 1e-6)  # a millisecond in .mkv


@pytest.mark.parametrize("codec", FORMATS)
def test_a_format_keeps_every_picture(codec: Codec, films: dict[Codec, tuple[make.Film, Memory]]) -> None:
    film, memory = films[codec]
    frames = decoded(film.video)
    assert frames.shape == (48, 64, 64, 3)
    apart = np.abs(frames.astype(int) - memory.pictures)
    assert apart.mean() < (0.5 if codec == "ffv1" else 6)
    if codec == "ffv1":
        assert not apart.any()
    else:
        assert boxes(film.video) == ["moov", "mdat"]  # plays while it is being fetched


@pytest.mark.parametrize("codec", ["h265", "av1", "prores"])
def test_chunks_make_the_film_that_one_piece_is(
    codec: Codec, films: dict[Codec, tuple[make.Film, Memory]], tmp_path: Path
) -> None:
    """The same frames at the same times: what is encoded alone differs from what is encoded in a stretch only as codecs
    without memory of more than a second do."""
    whole = make.film(journey(f"film.codec={codec}", "film.chunk=60"), tmp_path / "whole")
    one, two = (list(sums(film.video)) for film in (whole, films[codec][0]))
    assert [time for time, _ in one] == [time for time, _ in two]
    assert counted(one)[0] == 48
    apart = np.abs(decoded(whole.video).astype(int) - decoded(films[codec][0].video))
    assert apart.mean() < 2


@pytest.mark.parametrize("codec", ["h265", "av1", "prores"])
def test_a_film_that_was_stopped_has_the_same_bytes(
    codec: Codec, films: dict[Codec, tuple[make.Film, Memory]], tmp_path: Path
) -> None:
    class Stop(Memory):
        def send(self, frames: make.telemetry.Frames) -> None:
            super().send(frames)
            if int(frames.path.index[-1]) >= 20:
                raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="power"):
        make.film(journey(f"film.codec={codec}"), tmp_path, sinks=[Stop()])
    part = tmp_path / "chunks" / f"000000016.part{SUFFIX[codec]}"
    assert len(decoded(part)) == 8
    film = make.film(journey(f"film.codec={codec}"), tmp_path)
    assert film.video.read_bytes() == films[codec][0].video.read_bytes()
    assert verify.verify(Folder(tmp_path)) == []


@pytest.mark.parametrize("codec", ["h265", "av1", "prores", "ffv1"])
def test_a_piece_plays_as_far_as_it_goes_after_its_encoder_is_killed(codec: Codec, tmp_path: Path) -> None:
    path = tmp_path / f"piece{SUFFIX[codec]}"
    encoder, pictures = Encoder(Recipe(codec, 24.0, (64, 64), (64, 64)), path), batch_of(160, size=(64, 64)).pictures
    for picture in pictures:
        encoder.send(picture.tobytes())
    until(lambda: path.exists() and plays(path) and path.stat().st_size > 60_000)
    encoder._process.kill()
    with pytest.raises(EncoderFailed, match="what was written so far plays"):
        encoder.close()
    assert 1 <= len(decoded(path)) <= 160


@pytest.mark.parametrize("codec", FORMATS)
def test_the_same_pictures_make_the_same_bytes(codec: Codec, tmp_path: Path) -> None:
    for name in ("one", "two"):
        encoder = Encoder(Recipe(codec, 29.97, (64, 64), (96, 128), grain=True), tmp_path / name)
        for picture in batch_of(40, size=(64, 64)).pictures:
            encoder.send(picture.tobytes())
        encoder.close()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_quality_and_grain_are_each_codecs_own() -> None:
    def said(codec: Codec, crf: int | None = None, grain: bool = False) -> str:
        return " ".join(command(Recipe(codec, 24.0, (64, 64), (64, 64), crf, grain), Path("x")))

    assert [re.findall(r"-crf (\d+)", said(codec)) for codec in FORMATS] == [["17"], ["17"], ["20"], [], []]
    assert "-crf 30" in said("av1", 30)
    assert "film-grain=8" in said("av1", grain=True)
    assert "-tune grain" in said("h265", grain=True)
    assert not any("grain" in said(codec) for codec in FORMATS)
    assert said("prores", 20, True) == said("prores")  # which has neither


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_quality_out_of_reach_is_refused(codec: str) -> None:
    with pytest.raises(preset.PresetError, match=f"crf 60 is more than {codec} has: give 0 to 51"):
        journey(f"film.codec={codec}", "film.crf=60")
    assert journey("film.codec=av1", "film.crf=60").film.crf == 60


CHIP = """
import os
if any("{works}" in part for part in sys.argv):
    at = next(i for i, part in enumerate(sys.argv) if part.endswith("{works}"))
    own = [part for part in sys.argv[1:] if part not in ("-cq", "-tune", "hq", "-rc", "vbr", "p6", "19", "17")]
    own[own.index("h264_{works}")] = "libx264"
    own[own.index("-preset"):own.index("-preset") + 1] = []
    os.execv({binary!r}, [{binary!r}, *own])
for part in sys.argv:
    if "_" in part and part.split("_")[1] in ("nvenc", "qsv", "vaapi", "amf", "videotoolbox"):
        print(f"[{{part}}] Cannot load the driver", file=sys.stderr)
        sys.exit(1)
os.execv({binary!r}, [{binary!r}, *sys.argv[1:]])
"""


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, works: str) -> None:
    """An ffmpeg whose machine has one encoder of its own."""
    path = folder / "ffmpeg"
    path.write_text(f"#!{sys.executable}\nimport sys\n{CHIP.format(works=works, binary=binary())}\n")
    path.chmod(0o755)
    monkeypatch.setattr(ffmpeg, "binary", lambda: str(path))


def test_a_machines_encoder_is_used_after_it_has_really_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, monkeypatch, "nvenc")
    assert chosen("h264", "auto") == "nvenc"
    assert chosen("h264", "nvenc") == "nvenc"
    film = make.film(journey("film.encoder=auto"), tmp_path / "film")
    assert preset.load(film.folder.preset).film.encoder == "nvenc"  # resolved: pieces of two encoders do not join
    assert len(decoded(film.video)) == 48


def test_a_machines_encoder_that_only_stands_in_the_list_is_told_with_ffmpegs_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, monkeypatch, "none")
    with pytest.raises(EncoderFailed, match=r"makes no h264 films with qsv: \[h264_qsv\] Cannot load the driver"):
        make.film(journey("film.encoder=qsv"), tmp_path / "film")
    assert not (tmp_path / "film").exists()
    assert chosen("h264", "auto") == "software"
    assert chosen("ffv1", "auto") == "software"
    with pytest.raises(EncoderFailed, match="nvenc makes no prores films"):
        chosen("prores", "nvenc")


@pytest.mark.parametrize("chip", CHIPS)
def test_every_machines_encoder_is_told_colours_and_key_frames(chip: formats.Hardware) -> None:
    for codec in CHIPS[chip].encoders:
        recipe = Recipe(codec, 24.0, (64, 64), (64, 64), 20, encoder=chip)
        line = " ".join(command(recipe, Path("x.mp4")))
        assert f"-c:v {CHIPS[chip].encoders[codec]} " in line
        assert "range=limited:colorspace=bt709" in line
        assert "{" not in line
        assert codec == "prores" or "-g 24 -bf 0" in line
        assert ("hvc1" in line) == (codec == "h265")


def test_an_ffmpeg_without_a_codec_is_told_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ffmpeg"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nprint(\"Unknown encoder 'libsvtav1'\", file=sys.stderr)\nsys.exit(1)\n"
    )
    path.chmod(0o755)
    monkeypatch.setattr(ffmpeg, "binary", lambda: str(path))
    monkeypatch.setattr(make, "build", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(EncoderFailed, match=r"makes no av1 films: Unknown encoder 'libsvtav1'; give .* with libsvtav1"):
        make.film(journey("film.codec=av1"), tmp_path / "film")


def test_every_format_is_tried_here() -> None:
    assert {codec: muxing(codec) for codec in FORMATS} == dict.fromkeys(FORMATS, "hybrid")


PAGE = """<!doctype html><body style="margin:0;background:#111"><video id=v muted src="{name}"></video>"""
PLAYED = """const [at, done] = arguments, v = document.getElementById('v');
let sought = 0;
const told = (state) => done({state, code: v.error && v.error.message, width: v.videoWidth, seconds: v.duration,
  sought, time: v.currentTime, frames: v.getVideoPlaybackQuality().totalVideoFrames});
v.addEventListener('error', () => told('error'));
const go = () => {
  v.addEventListener('seeked', () => { sought = v.currentTime; v.play(); }, {once: true});
  v.addEventListener('ended', () => told('ended'));
  v.currentTime = at;
};
v.error ? told('error') : v.readyState >= 2 ? go() : v.addEventListener('loadeddata', go, {once: true});"""


@browsing
def test_a_browser_plays_what_it_can(films: dict[Codec, tuple[make.Film, Memory]], tmp_path: Path) -> None:
    with chromium() as browser:
        for codec in ("h264", "av1"):
            page = tmp_path / f"{codec}.html"
            page.write_text(PAGE.format(name=films[codec][0].video.as_uri()))
            browser.get(page.as_uri())
            told = browser.execute_async_script(PLAYED, 1.0)
            assert (told["state"], told["width"]) == ("ended", 64), (codec, told)
            assert told["sought"] == 1.0
            assert told["seconds"] == pytest.approx(2.0, abs=0.01)
            assert told["time"] == pytest.approx(2.0, abs=0.05)
            assert told["frames"] >= 12
            seen = base64.b64decode(browser.find_element("id", "v").screenshot_as_base64)
            (tmp_path / f"{codec}.png").write_bytes(seen)
            shown = np.asarray(sheet.Image.open(tmp_path / f"{codec}.png").convert("RGB")).astype(int)
            last = films[codec][1].pictures[-1].astype(int)
            assert np.abs(shown[4:60, 4:60] - last[4:60, 4:60]).mean() < 8, codec
