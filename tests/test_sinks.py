"""Sinks: one conformance suite for all, and what each leaves behind when things end badly."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pytest
from patience import until
from PIL import Image
from standins.film import PLANE, SIZE, batch_of, boxes, decoded

from installation.film import ffmpeg, join, preview_window, sheet, sinks, telemetry
from installation.film.chart import leaps, rate_ticks
from installation.film.encoder import Encoder
from installation.film.ffmpeg import MOVFLAGS, Recipe, binary, command, muxing, plays
from installation.film.formats import SUFFIX, Codec
from installation.film.output import begin, check, claimed, settle, write_text
from installation.film.preview_window import PreviewWindow
from installation.film.reel import Tally
from installation.film.sheet import described, place
from installation.film.sinks import Memory, Room, Sink, Sinks, Stills, Video
from installation.film.summary import figures, words
from installation.film.telemetry import Recorder
from installation.fit import Fit, fitted
from installation.frames import Frames
from latentworld.arrays import Picture
from latentworld.errors import DiskFull, EncoderFailed, OutputError, OutputExists
from latentworld.lipschitz import Rates
from latentworld.pacing import PacingSpec
from latentworld.plane import Path
from latentworld.preset import load

ROOT = File(__file__).parent.parent
H264 = Recipe("h264", 24.0, SIZE, (32, 48))
FFV1 = Recipe("ffv1", 24.0, SIZE, SIZE)
NONE = np.empty(0)
EMPTY = Frames(
    Path(NONE.astype(np.int64), NONE, np.empty((0, 3)), NONE),
    np.empty((0, *SIZE, 3), np.uint8), Rates(NONE, NONE, NONE), NONE.astype(np.bool_),
)  # fmt: skip
SINKS: dict[str, Callable[[File], Sink]] = {
    "memory": lambda folder: Memory(),
    "h264": lambda folder: Video(folder / "film.mp4", H264),
    "ffv1": lambda folder: Video(folder / "film.mkv", FFV1),
    "stills": lambda folder: Stills(folder / "frames", SIZE),
    "telemetry": lambda folder: Recorder(folder / "telemetry.csv", PLANE),
    "tally": lambda folder: Tally(),
    "room": lambda folder: Room(folder),
}


def count(kind: str, folder: File, sink: Sink) -> int | None:
    """How many frames a closed sink kept, read back from what it left."""
    match kind:
        case "memory":
            return len(sink.pictures)
        case "h264" | "ffv1":
            return len(decoded(sink.target))
        case "stills":
            return len(list((folder / "frames").glob("?????????.png")))
        case "telemetry":
            return len(telemetry.read(folder / "telemetry.csv"))
        case "tally":
            return sink.frames
    return None


@pytest.mark.parametrize("kind", SINKS)
@pytest.mark.parametrize("fault", [None, RuntimeError, KeyboardInterrupt])
def test_every_sink_keeps_every_frame(kind: str, fault: type[BaseException] | None, tmp_path: File) -> None:
    sink = SINKS[kind](tmp_path)
    try:
        with sink:
            for start, n in ((0, 5), (5, 5), (10, 0), (10, 2)):
                sink.send(batch_of(n, start) if n else EMPTY)
            if fault:
                raise fault("midway")
    except (RuntimeError, KeyboardInterrupt):
        assert fault
    assert count(kind, tmp_path, sink) in (12, None)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("kind", ["memory", "h264", "stills", "telemetry"])
def test_a_closed_sink_refuses_frames(kind: str, tmp_path: File) -> None:
    sink = SINKS[kind](tmp_path)
    with sink:
        sink.send(batch_of(1))
    with pytest.raises(OutputError, match="closed"):
        sink.send(batch_of(1, 1))


def test_ffv1_and_stills_are_lossless(tmp_path: File) -> None:
    with Video(tmp_path / "film.mkv", FFV1) as video, Stills(tmp_path / "frames", SIZE) as stills:
        for sink in (video, stills):
            sink.send(batch_of(4))
    np.testing.assert_array_equal(decoded(tmp_path / "film.mkv"), batch_of(4).pictures)
    with Image.open(tmp_path / "frames" / "000000003.png") as image:
        still = np.asarray(image)
    np.testing.assert_array_equal(still, batch_of(4).pictures[3])


def test_h264_is_scaled_tagged_and_starts_at_zero(tmp_path: File) -> None:
    with Video(tmp_path / "piece.mp4", H264) as video:
        video.send(batch_of(30))
    join.join(tmp_path, ["piece.mp4"], tmp_path / "film.mp4", 30)
    assert decoded(tmp_path / "film.mp4").shape == (30, 32, 48, 3)
    look = [binary(), "-hide_banner", "-i", tmp_path / "film.mp4"]
    seen = subprocess.run(look, capture_output=True, text=True, check=False).stderr
    assert "h264 (High)" in seen
    assert "yuv420p(tv, bt709, progressive), 48x32" in seen
    assert "24 fps" in seen
    assert "start: 0.000000" in seen


def test_colours_survive_the_film(tmp_path: File) -> None:
    frames = batch_of(6, size=(64, 64))
    frames.pictures[:] = np.array([200, 60, 30], dtype=np.uint8)
    with Video(tmp_path / "film.mp4", Recipe("h264", 24.0, (64, 64), (64, 64))) as video:
        video.send(frames)
    assert np.abs(decoded(tmp_path / "film.mp4")[3].astype(int) - [200, 60, 30]).max() <= 4


@pytest.mark.parametrize("fit", ["contain", "cover", "stretch"])
@pytest.mark.parametrize("size", [(64, 24), (20, 64), (32, 48)])
def test_a_picture_lies_in_a_size_of_another_shape_as_on_the_wall(
    fit: Fit, size: tuple[int, int], tmp_path: File
) -> None:
    """A white picture of 16 x 24: what is white in the film and in a still is what the wall's matrix says."""
    frames = batch_of(2)
    frames.pictures[:] = 255
    films = [Video(tmp_path / "a.mp4", H264), Video(tmp_path / "a.mkv", FFV1)]
    for film in films:
        film.recipe = replace(film.recipe, size=size, fit=fit)
    with Sinks([Stills(tmp_path, size, fit), *films]) as sink:
        sink.send(frames)
    y, x = (np.arange(side) + 0.5 for side in size)
    places = np.stack(np.broadcast_arrays(x / size[1], y[:, None] / size[0], 1.0), axis=-1) @ fitted(size, SIZE, fit).T
    wanted = ((places > 0) & (places < 1) | (places == 1)).all(axis=-1)
    with Image.open(tmp_path / "000000000.png") as image:
        still = np.asarray(image)
    for picture in (still, decoded(tmp_path / "a.mkv")[0], decoded(tmp_path / "a.mp4")[0]):
        assert picture.shape == (*size, 3)
        assert np.mean((picture[..., 0] > 128) == wanted) > 0.94  # a line at each edge: places are even numbers
        assert (picture.min() > 200) == (fit != "contain" or size == (32, 48))


def test_the_same_frames_make_the_same_bytes(tmp_path: File) -> None:
    for name in ("a.mp4", "b.mp4"):
        with Video(tmp_path / name, H264) as video:
            video.send(batch_of(20))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_film_plays_after_ffmpeg_is_killed(tmp_path: File) -> None:
    writer = Encoder(Recipe("h264", 4.0, SIZE, (64, 96)), tmp_path / "film.mp4")
    frames = [picture.tobytes() for picture in batch_of(200).pictures]
    for frame in frames:
        writer.send(frame)
    until(lambda: (tmp_path / "film.mp4").stat().st_size > 50_000)
    writer._process.kill()
    with pytest.raises(EncoderFailed, match="ended early"):
        writer.close()
    assert 4 <= len(decoded(tmp_path / "film.mp4")) <= 200


def test_a_film_begins_to_play_as_soon_as_the_encoder_gives_anything(tmp_path: File) -> None:
    """Killed together with its encoder, before it has a second of film."""
    path = tmp_path / "film.mp4"
    writer, frames = Encoder(Recipe("h264", 24.0, SIZE, (64, 96)), path), batch_of(44).pictures
    for frame in frames:
        writer.send(frame.tobytes())
    until(lambda: plays(path))
    writer._process.kill()
    with pytest.raises(EncoderFailed, match="what was written so far plays"):
        writer.close()
    assert len(decoded(path)) >= 1


def test_what_does_not_play_is_not_said_to_and_is_not_in_the_way(tmp_path: File) -> None:
    path = tmp_path / "film.mp4"
    writer = Encoder(Recipe("h264", 24.0, SIZE, (64, 96)), path)
    writer.send(batch_of(1).pictures[0].tobytes())
    until(path.exists)
    writer._process.kill()
    with pytest.raises(EncoderFailed, match="nothing of it was kept"):
        writer.close()
    assert not path.exists()


@pytest.mark.parametrize("way", MOVFLAGS)
def test_a_joined_film_carries_its_index_first(way: str, tmp_path: File) -> None:
    with Video(tmp_path / "piece.mp4", replace(H264, muxing=way)) as video:
        video.send(batch_of(30))
    join.join(tmp_path, ["piece.mp4"], tmp_path / "film.mp4", 30)
    (tmp_path / "piece.mp4").unlink()
    assert boxes(tmp_path / "film.mp4") == ["moov", "mdat"]
    assert decoded(tmp_path / "film.mp4").shape == (30, 32, 48, 3)
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("name", ["take:2", "s:3", "-x", "a b", "https:", "50%d"])
def test_no_name_of_a_folder_means_anything_to_ffmpeg(
    name: str, tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    for film, recipe in (("film.mp4", H264), ("film.mkv", FFV1)):
        with Video(File(name, film), recipe) as video:
            video.send(batch_of(2))
        assert len(decoded(tmp_path / name / film)) == 2


OLDER = """
import os
if any("hybrid" in part for part in sys.argv):
    print("Undefined constant or missing '(' in 'hybrid_fragmented'", file=sys.stderr)
    sys.exit(1)
os.execv({binary!r}, [{binary!r}, *sys.argv[1:]])
"""
WITHOUT = """
if "-version" in sys.argv:
    print("ffmpeg version 3.4.8 Copyright (c) 2000-2020")
else:
    print("Unknown encoder 'libx264'", file=sys.stderr)
    sys.exit(1)
"""


def test_an_older_ffmpeg_writes_films_in_fragments(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    assert muxing("h264") == "hybrid"
    older = fake(tmp_path, OLDER.format(binary=binary()))
    monkeypatch.setattr(ffmpeg, "binary", lambda: older)
    assert muxing("h264") == "fragments"
    with Video(tmp_path / "film.mp4", replace(H264, muxing="fragments")) as video:
        video.send(batch_of(5))
    assert len(decoded(tmp_path / "film.mp4")) == 5


def test_an_ffmpeg_that_makes_no_films_is_refused_by_its_version(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "binary", lambda: fake(tmp_path, WITHOUT))
    told = r"ffmpeg version 3\.4\.8.* makes no h264 films: Unknown encoder 'libx264'; give ffmpeg 4\.2 or newer"
    with pytest.raises(EncoderFailed, match=told):
        muxing("h264")


def fake(folder: File, script: str) -> str:
    """An ffmpeg of our own."""
    path = folder / "ffmpeg"
    path.write_text(f"#!{sys.executable}\nimport sys\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return str(path)


def send_forever(sink: Sink) -> None:
    """Until it gives up."""
    frames = batch_of(40)
    with sink:
        while True:
            sink.send(frames)


DYING = "sys.stdin.buffer.read(2000); print({words!r}, file=sys.stderr); sys.exit(1)"
DEATHS = [("Invalid argument for -crf", EncoderFailed), ("muxing: No space left on device", DiskFull)]


@pytest.mark.parametrize(("words", "error"), DEATHS)
def test_an_ffmpeg_that_dies_is_an_error_with_its_words(
    words: str, error: type[OutputError], tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "binary", lambda: fake(tmp_path, DYING.format(words=words)))
    with pytest.raises(error) as caught:
        send_forever(Video(tmp_path / "film.mp4", H264))
    assert error is DiskFull or words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_an_ffmpeg_says_need_not_be_text(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    words = r"import os; os.write(2, b'caf\xe9 lost\n' + b'more\n' * 40 + b'at last\n'); sys.exit(1)"
    monkeypatch.setattr(ffmpeg, "binary", lambda: fake(tmp_path, words))
    with pytest.raises(EncoderFailed, match="at last") as caught:
        send_forever(Video(tmp_path / "film.mp4", H264))
    assert str(caught.value).count("more") < 12  # its last words, not all of them


def test_an_ffmpeg_that_dies_hides_no_other_fault(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "binary", lambda: fake(tmp_path, "sys.exit(3)"))
    with pytest.raises(ZeroDivisionError), Video(tmp_path / "film.mp4", H264):
        raise ZeroDivisionError


def test_a_missing_ffmpeg_is_an_error_with_a_remedy(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "binary", lambda: str(tmp_path / "nowhere"))
    with pytest.raises(EncoderFailed, match="IMAGEIO_FFMPEG_EXE"), Video(tmp_path / "film.mp4", H264):
        pass


def test_a_film_without_a_frame_is_no_file(tmp_path: File) -> None:
    for name, recipe in (("film.mp4", H264), ("film.mkv", FFV1)):
        with Video(tmp_path / name, recipe) as video:
            video.send(EMPTY)
    assert not list(tmp_path.iterdir())


def test_an_ffmpeg_that_hangs_is_ended(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "binary", lambda: fake(tmp_path, "import time; time.sleep(100)"))
    writer = Encoder(Recipe("h264", 24.0, (256, 256), (256, 256)), tmp_path / "film.mp4", depth=2)
    for _ in range(3):  # one is being written, two wait: there is no room for the end
        writer.send(bytes(256 * 256 * 3))
    with pytest.raises(EncoderFailed, match="ended early"):
        writer.close(patience=0.2)


def test_a_program_that_forgets_its_encoder_can_end(tmp_path: File) -> None:
    program = f"""
from pathlib import Path
from installation.film.encoder import Encoder
from installation.film.ffmpeg import Recipe
writer = Encoder(Recipe("h264", 24.0, (64, 64), (64, 64)), Path({str(tmp_path / "film.mp4")!r}))
writer.send(bytes(64 * 64 * 3))
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=120, check=False).returncode == 0


def test_of_what_a_dying_ffmpeg_says_the_last_three_lines_are_told(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "sys.stderr.write('zero\\n' * 500 + 'one\\ntwo\\nthree\\nfour\\n'); sys.stderr.flush(); sys.exit(3)"
    monkeypatch.setattr(ffmpeg, "binary", lambda: fake(tmp_path, script))
    writer = Encoder(Recipe("h264", 24.0, SIZE, SIZE), tmp_path / "film.mp4")
    with pytest.raises(EncoderFailed, match=r"film\.mp4: two \| three \| four; "):
        writer.close(patience=20)
    assert len(writer._tail) < 50  # an ffmpeg that complains of every frame fills no memory


def test_frames_of_another_size_are_refused(tmp_path: File) -> None:
    with pytest.raises(OutputError, match="do not fit"), Video(tmp_path / "film.mp4", FFV1) as video:
        video.send(batch_of(1, size=(8, 8)))


def test_nothing_is_left_to_defaults() -> None:
    line = " ".join(command(Recipe("h264", 24.0, SIZE, SIZE, 20, grain=True), File("x.mp4")))
    for part in (
        "-crf 20",
        "-tune grain",
        "-threads 1",
        "hybrid_fragmented",
        "frag_every_frame",
        "range=limited",
        "colorspace=bt709",
    ):
        assert part in line
    for fps, group in ((24.0, "-g 24"), (29.97, "-g 30"), (0.2, "-g 1")):  # a place to seek to every second
        assert group in " ".join(command(Recipe("h264", fps, SIZE, SIZE), File("x.mp4")))
    plain = " ".join(command(Recipe("h264", 24.0, SIZE, SIZE), File("x.mp4")))
    assert "grain" not in plain
    assert "-crf 17 " in plain
    assert "-preset medium " in plain
    line = " ".join(command(FFV1, File("x.mkv")))
    for part in ("-level 3", "-slicecrc 1", "-g 1"):
        assert part in line


@pytest.mark.skipif(not File("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_from_other_faults() -> None:
    with pytest.raises(DiskFull, match="free some space"), Recorder(File("/dev/full"), PLANE) as recorder:
        recorder.send(batch_of(2))
    with pytest.raises(OutputError, match="cannot write"), Recorder(File("/nowhere/t.csv"), PLANE):
        pass


def test_a_film_stops_while_there_is_room_to_finish(tmp_path: File) -> None:
    left = iter([100, 100, 5])
    memory = Memory()
    room = Room(tmp_path, reserve=10, free=lambda path: next(left))
    with pytest.raises(DiskFull, match="what was written so far plays"):
        send_forever(Sinks([room, memory]))
    assert len(memory.pictures) == 40


def test_a_film_whose_folder_is_gone_says_so(tmp_path: File) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*gone"):
        Room(tmp_path / "gone").check("nothing")


def test_telemetry_reads_back_to_the_last_bit(tmp_path: File) -> None:
    frames = batch_of(7)
    with Recorder(tmp_path / "t.csv", PLANE) as recorder:
        recorder.send(frames)
        assert len((tmp_path / "t.csv").read_text().splitlines()) == 8  # flushed, not only closed
    read = telemetry.read(tmp_path / "t.csv")
    alpha, beta, front = PLANE.chart(frames.path.unit)
    for kept, sent in (
        (read.unit, frames.path.unit), (read.time, frames.path.time), (read.alpha, alpha), (read.beta, beta),
        (read.front, front), (read.clip_step, frames.rates.step), (read.marked, frames.marked),
    ):  # fmt: skip
        np.testing.assert_array_equal(kept, sent)


def test_telemetry_survives_a_line_cut_short(tmp_path: File) -> None:
    with Recorder(tmp_path / "t.csv", PLANE) as recorder:
        recorder.send(batch_of(5))
    text = (tmp_path / "t.csv").read_text()
    (tmp_path / "t.csv").write_text(text[:-30])
    assert len(telemetry.read(tmp_path / "t.csv")) == 4


def read(index: int) -> Picture:
    """A film's frame by its number, as a sheet is given them."""
    return np.full((*SIZE, 3), index % 250, np.uint8)


def test_a_sheet_is_even_and_knows_what_lies_between(tmp_path: File) -> None:
    record = telemetry_of(batch_of(1000))
    cells = sheet.chosen(record, read, 6, 24)
    frames = (0, 200, 400, 599, 799, 999)
    assert [cell.time for cell in cells] == [f"0:{frame / 24:04.1f}" for frame in frames]
    close = sheet.chosen(record, read, 500, 24)  # neighbours 1/12 of a second apart
    assert [cell.time for cell in close[:3]] == ["0:00.00", "0:00.08", "0:00.17"]
    assert [int(cell.picture[0, 0, 0]) for cell in cells] == [0, 200, 150, 99, 49, 249]
    assert [cell.marked for cell in cells] == [False, True, True, True, True, True]
    assert cells[1].rate == np.nanmax(record.lipschitz[:201])
    sheet.save(tmp_path / "sheet.png", record, read, "A film", "of many frames", columns=3, rows=2, width=24)
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size[0] >= 820


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_short_film_has_a_sheet_too(n: int, tmp_path: File) -> None:
    assert len(sheet.chosen(telemetry_of(batch_of(n)), read, 24)) == n
    sheet.save(tmp_path / "sheet.png", telemetry_of(batch_of(n)), lambda i: read(i) if i else None, "", "")
    assert (tmp_path / "sheet.png").exists() == (n > 1)  # a frame that cannot be read is left out


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
def test_a_frame_is_read_back_by_its_number(codec: Codec, tmp_path: File) -> None:
    film, recipe = tmp_path / f"film{SUFFIX[codec]}", Recipe(codec, 23.976, SIZE, (32, 48))
    with Video(film, recipe) as video:
        video.send(batch_of(60))
    for index in (0, 1, 23, 24, 25, 58, 59):
        np.testing.assert_array_equal(join.frame(film, index, 23.976, (32, 48)), colours(film)[index])
    assert join.frame(film, 60, 23.976, (32, 48)) is None
    assert join.frame(film, 0, 23.976, (30, 48)) is None


def colours(film: File) -> np.ndarray:
    """All frames of a film of 32 x 48 pixels, by the ffmpeg that reads single ones."""
    form = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    out = subprocess.run([binary(), "-v", "error", "-i", film, *form], capture_output=True, check=True).stdout
    return np.frombuffer(out, np.uint8).reshape(-1, 32, 48, 3)


def test_places_are_written_short() -> None:
    assert place(0.333, -1.2, True, 1.0) == "α 0.33  β −1.20"
    assert place(1234.0, 0.0, False, 2.5) == "α 1e3  β 0.00 far  r 2.50"


def test_a_sheet_says_what_was_rendered() -> None:
    sets = ["decoder.steps=7", "decoder.guidance=2.5", "prompt.positive=a fox", "prompt.negative="]
    told = described(load("first-light", sets))
    assert told == "“a fox”; faithful, 7 steps; guidance 2.5; seeds 6, 90, 143; walk: rift"
    assert "fox" not in described(load("first-light", sets), of_take=True)
    told = described(load("analytic", ["decoder.steps=9"]))
    assert told.startswith("the analytic world, 12 modes, sigma 0.1; 9 steps; seeds")


@pytest.mark.parametrize("low", [1e-3, 0.0317, 0.99, 4.1, 730.0])
@pytest.mark.parametrize("ratio", [1.02, 1.5, 4.0, 9.0, 70.0, 1e6])
def test_an_axis_of_rates_has_numbers_however_narrow_it_is(low: float, ratio: float) -> None:
    ticks = rate_ticks(low, low * ratio)
    assert 2 <= len(ticks) <= 7
    assert all(low * 0.999 <= tick <= low * ratio * 1.001 for tick in ticks)
    assert len({f"{tick:g}" for tick in ticks}) == len(ticks)
    assert all(len(f"{tick:g}") <= 7 for tick in ticks)


def test_a_jump_is_on_no_way_however_few_frames_a_chart_draws() -> None:
    alpha = np.linspace(0.0, 0.4, 90)
    alpha[31:] += 0.5
    none, unit = np.full(90, np.nan), PLANE.unit(alpha, 0.2 + 0 * alpha)
    there = np.ones(90, np.bool_)
    record = telemetry.Telemetry(
        np.arange(90), np.arange(90) / 24, alpha, 0.2 + 0 * alpha, there, unit, 1.0 + 0 * alpha, none, none, none,
        ~there, {},
    )  # fmt: skip
    assert np.flatnonzero(leaps(record, np.arange(90))).tolist() == [30]
    assert leaps(record, np.array([0, 25, 40, 89])).tolist() == [False, True, False]


def test_the_figures_of_a_film_explain_themselves() -> None:
    assert words(1, 0, 0) == "1 rift (over 5 times the median of the way)"
    steep = "no rifts (over 5 times the median of the way), 3 steps too steep to be split"
    slow = "1 step as fast as pacing.ceiling allows, yet calmer than asked for: raise it to pass faster"
    assert words(0, 3, 1) == f"{steep}, {slow}"


def test_steps_at_the_ceiling_are_counted() -> None:
    frames = batch_of(6)
    steps, far = np.array([np.nan, 0.03, 0.01, 0.01, 0.01, 0.05]), np.array([np.nan, 0.2, 1.0, 0.97, 0.2, 1.0])
    record = replace(telemetry_of(frames), clip_step=steps, distance=far, marked=np.array([False] * 6))
    assert figures(record, PacingSpec(ceiling=24.0, clip_step=0.03), 24.0)["at_ceiling"] == 2
    assert figures(record, PacingSpec(kind="latent"), 24.0)["at_ceiling"] == 0


def telemetry_of(frames: Frames) -> telemetry.Telemetry:
    """As it is read back."""
    with tempfile.TemporaryDirectory() as folder:
        with Recorder(File(folder, "t.csv"), PLANE) as recorder:
            recorder.send(frames)
        return telemetry.read(File(folder, "t.csv"))


def test_repeated_frames_are_counted() -> None:
    tally, frames = Tally(), batch_of(3)
    frames.pictures[2] = frames.pictures[1]
    with tally:
        tally.send(frames)
        tally.send(frames)
    assert (tally.frames, tally.repeated) == (6, 2)


def test_a_preview_without_a_display_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_window, "display", lambda: None)
    with pytest.raises(OutputError, match="no display"):
        PreviewWindow()


def test_a_preview_on_a_display_that_does_not_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_window, "display", lambda: ":4321")
    monkeypatch.setenv("DISPLAY", ":4321")
    with pytest.raises(OutputError, match="opens no window on display :4321"):
        PreviewWindow()


SHOWING = """
import sys
sys.path.insert(0, "tests")
from installation.film.preview_window import PreviewWindow
from standins.film import batch_of
with PreviewWindow() as preview:
    preview.send(batch_of(3))
    print("shown", preview._shown)
"""


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")
def test_a_preview_shows_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["Xvfb", "-displayfd", "1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as screen:
        try:
            assert screen.stdout is not None
            monkeypatch.setenv("DISPLAY", f":{screen.stdout.readline().decode().strip()}")
            program = [sys.executable, "-c", SHOWING]
            seen = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
        finally:
            screen.terminate()
    assert seen.stdout.strip() == "shown True", seen.stderr


def test_an_encoder_that_outlives_its_film_spoils_not_the_next(tmp_path: File) -> None:
    target = tmp_path / "film.mkv"
    earlier = Encoder(FFV1, target)
    for picture in batch_of(40).pictures:
        earlier.send(picture.tobytes())
    until(lambda: target.exists() and target.stat().st_size > 0)
    with Video(target, FFV1) as video:
        video.send(batch_of(20, start=100))
        earlier.close()
    assert np.array_equal(decoded(target), batch_of(20, start=100).pictures)


def test_a_folder_with_a_film_is_refused_and_its_film_stays_until_another_is_whole(tmp_path: File) -> None:
    path = tmp_path / "film"
    folder = begin(path)
    assert folder.path == path
    folder.frames.mkdir(parents=True)
    for name in ("preset.toml", "film.mkv", "notes.txt", "frames/000000000.png"):
        write_text(path / name, "earlier")
    with pytest.raises(OutputExists, match="--overwrite"):
        begin(path)
    beside = begin(path, overwrite=True)
    assert beside.path == path / "unfinished"
    beside.frames.mkdir(parents=True)
    for name in ("preset.toml", "film.mp4", "frames/000000001.png"):
        write_text(beside.path / name, "new")
    assert folder.preset.read_text() == "earlier"
    assert settle(beside, path) == folder
    left = {str(file.relative_to(path)): file.read_text() for file in path.rglob("*") if file.is_file()}
    new = dict.fromkeys(("preset.toml", "film.mp4", "frames/000000001.png"), "new")
    assert left == {**new, "notes.txt": "earlier"}
    folder.clear()
    assert [file.name for file in path.iterdir()] == ["notes.txt"]


def test_a_folder_is_claimed_by_one(tmp_path: File) -> None:
    path = tmp_path / "deep" / "film"
    with claimed(path), pytest.raises(OutputExists, match="something is being made"):
        check(path)
    assert not (tmp_path / "deep").exists()  # made for nothing
    with claimed(path):
        write_text(path / "film.mp4", "a film")
    assert [file.name for file in path.iterdir()] == ["film.mp4"]
    with pytest.raises(OutputExists, match="--overwrite"):
        check(path)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: File) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputExists, match="is a file"):
        check(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot write"):
        check(tmp_path / "file" / "below")
    with pytest.raises(OutputError, match="cannot write"):
        check(File("/proc/latentworld"))


def test_a_png_is_there_whole_or_not_at_all(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("latentworld.disk.os.fsync", full)
    with pytest.raises(DiskFull):
        sinks.save_png(tmp_path / "a.png", batch_of(1).pictures[0])
    assert not list(tmp_path.iterdir())
