"""Pictures and films that say how they were made, and are made again from that; what strangers' files are told."""

from __future__ import annotations

import json
import struct
import subprocess
import zlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from installation.film import imprint, make, plan
from installation.film.again import again
from installation.film.ffmpeg import binary
from installation.film.imprint import KEY, LARGEST, Imprint, tags
from installation.film.label import Chapter, Label
from latentworld import preset
from latentworld.errors import Notice, PresetError

pytestmark = pytest.mark.usefixtures("plain")

SMALL = [
    "decoder.height=32", "decoder.width=32", "decoder.steps=10", "decoder.batch=4", "film.seconds=1", "film.fps=16",
    "film.chunk=0.5", "film.scale=1",
]  # fmt: skip
SETS = [part for each in SMALL for part in ("--set", each)]


def journey(*overrides: str) -> preset.Preset:
    return preset.load("analytic", [*SMALL, *overrides])


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """A picture of ours, on the far side and off the shell."""
    make.still(journey("title=größer 花"), 0.3, -2.0, -1.25, tmp_path / "still.png")
    return tmp_path / "still.png"


def test_a_still_is_made_again_to_the_last_byte(run, still: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run("still", still, "-o", tmp_path / "again.png")
    assert (code, out, err) == (0, f"{tmp_path / 'again.png'}\n", "")
    assert (tmp_path / "again.png").read_bytes() == still.read_bytes()
    said = imprint.read(still)
    assert (said.place.alpha, said.place.beta, said.place.radius) == pytest.approx((0.3, -2.0, -1.25))
    assert said.preset["title"] == "größer 花"
    with Image.open(still) as image:
        assert image.text["Software"].startswith("latentworld ")


GROWN: list[list[str]] = [[], ["film.scale=3", "film.added_grain=0.5"], ["film.size=[48, 40]", "film.fit=cover"]]


@pytest.mark.parametrize("asked", GROWN)
def test_a_frame_of_a_film_is_made_again_to_the_last_byte(asked: list[str], tmp_path: Path) -> None:
    """As it was kept: enlarged, and with the grain of its number. Horizon and far side are places as others."""
    make.film(journey("film.codec=frames", "walk.kind=orbit", *asked), tmp_path / "film")
    for number in (0, 11):
        frame = tmp_path / "film" / "frames" / f"{number:09d}.png"
        said = imprint.read(frame)
        assert said.frame == number
        made = again(said, preset.parse(said.preset), tmp_path / "again.png")
        assert (made.same, made.differences) == (True, [])
        assert (tmp_path / "again.png").read_bytes() == frame.read_bytes()


@pytest.mark.parametrize("codec", ["h264", "h265", "av1", "prores", "ffv1"])
def test_a_film_is_made_again_from_what_it_says(run, codec: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    film = make.film(journey(f"film.codec={codec}", "title=a = b; # \\ c"), tmp_path / "film")
    code, out, err = run("film", "--like", film.video, "-o", tmp_path / "again")
    assert code == 0, err
    assert Path(out.strip()).read_bytes() == film.video.read_bytes()
    code, _, err = run("film", "--like", film.video, "-o", tmp_path / "short", "--set", "film.seconds=0.25")
    assert (code, preset.load(tmp_path / "short" / "preset.toml").film.frames) == (0, 4), err


def test_what_differs_is_said(run, still: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("still", still, "-o", tmp_path / "a.png", "--steps", "12", "--seeds", "1,2,3")
    assert code == 0
    assert "otherwise than still.png was made: vertices were " in err
    assert "steps was 10, now 12" in err
    assert "the picture is another" in err


def test_a_film_of_a_plan_wants_the_very_plan(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for name, seeds in (("one", "[0, 123, 200]"), ("two", "[3, 4, 5]")):
        plan.plan(journey(f"plane.seeds={seeds}"), tmp_path / f"{name}.plan")
    one, film = tmp_path / "one.plan", tmp_path / "film"
    assert run("film", "--plan", one, "-o", film, "--set", "film.codec=h264")[0] == 0
    code, _, err = run("film", "--like", film / "film.mp4", "-o", tmp_path / "again")
    assert code == 1
    assert "give it too, with --take FILE" in err
    code, _, err = run("film", "--like", film / "film.mp4", "--take", tmp_path / "two.plan", "-o", tmp_path / "again")
    assert code == 1
    assert "is of another take or plan" in err
    code, out, err = run("film", "--like", film / "film.mp4", "--take", film / "film.take", "-o", tmp_path / "again")
    assert code == 0, err
    assert Path(out.strip()).read_bytes() == (film / "film.mp4").read_bytes()
    assert run("film", "--plan", one, "-o", tmp_path / "frames", "--set", "film.codec=frames")[0] == 0
    code, _, err = run("still", tmp_path / "frames" / "frames" / "000000003.png", "-o", tmp_path / "a.png")
    assert code == 1
    assert "is of a take or a plan" in err


def test_a_film_whose_way_is_planned_first_needs_no_plan(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Its preset plans it again; frames that were drawn between others are told."""
    film = make.film(journey("film.interpolate=2", "film.codec=frames"), tmp_path / "film")
    assert imprint.read(tmp_path / "film" / "frames" / "000000000.png").take is None
    code, out, err = run("film", "--like", tmp_path / "film/frames/000000004.png", "-o", tmp_path / "again")
    assert code == 0, err
    for frame in film.video.iterdir():
        assert frame.read_bytes() == (Path(out.strip()) / frame.name).read_bytes()
    code, _, err = run("still", tmp_path / "film/frames/000000004.png", "-o", tmp_path / "a.png")
    assert code == 0, err
    code, _, err = run("still", tmp_path / "film/frames/000000005.png", "-o", tmp_path / "b.png")
    assert code == 1
    assert "none of its own place alone" in err


def test_what_is_private_is_said_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # with its contact sheet
    for codec in ("h264", "ffv1", "prores", "frames"):
        told = journey("film.private=true", f"film.codec={codec}", "prompt.positive=a very secret fox", "title=Hidden")
        film = make.film(told, tmp_path / codec)
        files = [film.video] if film.video.is_file() else list(film.video.iterdir())
        for file in [*files, film.folder.sheet]:
            data = file.read_bytes()
            assert not any(word in data for word in (b"secret", b"latentworld", b"Hidden", b"analytic")), file
            with pytest.raises(PresetError, match=r"film\.private"):
                imprint.read(file)
    make.still(told, 0.1, 0.2, 1.0, tmp_path / "still.png")
    assert b"iTXt" not in (tmp_path / "still.png").read_bytes()


def test_no_folder_of_this_machine_is_written_anywhere(tmp_path: Path) -> None:
    from latentworld import vertices

    own = tmp_path / "mine.safetensors"
    drawn = np.asarray(vertices.from_seeds((4, 5, 6), make.build(journey()).plane.shape))
    vertices.save(own, drawn, {})
    for codec in ("h264", "frames"):
        make.film(journey(f"plane.vertices={own}", f"film.codec={codec}"), tmp_path / codec)
    frame = tmp_path / "frames" / "frames" / "000000000.png"
    for file in (tmp_path / "h264" / "film.mp4", frame):
        assert str(tmp_path).encode() not in file.read_bytes()
        assert imprint.read(file).preset["plane"]["vertices"] == "mine.safetensors"
    said = imprint.read(frame)
    with pytest.raises(Exception, match=r"mine\.safetensors"):
        again(said, preset.parse(said.preset), tmp_path / "again.png")
    made = again(said, preset.parse(said.preset, [f"plane.vertices={own}"]), tmp_path / "again.png")
    assert made.same
    assert (tmp_path / "again.png").read_bytes() == frame.read_bytes()


@pytest.mark.parametrize(
    ("name", "bare"),
    [("embedded", "embedded"), ("runwayml/stable-diffusion-v1-5", "runwayml/stable-diffusion-v1-5"),
     ("/home/me/worlds/mine.safetensors", "mine.safetensors"), ("~/worlds/mine", "mine"), ("./mine", "mine"),
     ("C:\\Users\\me\\mine.safetensors", "mine.safetensors"), ("/", "/")],
)  # fmt: skip
def test_names_of_files_stand_alone_and_others_as_they_are(name: str, bare: str) -> None:
    said = imprint.nameless(preset.parse({"world": {"name": name}, "film": {"upscale": name}}))
    assert said["world"]["name"] == said["film"]["upscale"] == bare


def test_files_in_lists_are_named_without_their_folders_too() -> None:
    files = [{"file": "/home/me/ink.safetensors"}]
    said = imprint.nameless(preset.parse({"world": {"loras": files, "embeddings": files}}))
    world = said["world"]
    assert isinstance(world, dict)
    assert world["loras"][0]["file"] == world["embeddings"][0]["file"] == "ink.safetensors"


# bad input


def png(path: Path, text: str | None, key: str = KEY, packed: bool = False) -> Path:
    info = PngInfo()
    if text is not None:
        info.add_itxt(key, text, zip=packed)
    Image.new("RGB", (4, 4)).save(path, pnginfo=info)
    return path


def film_that_says(path: Path, text: str) -> Path:
    """A film of one frame with that comment."""
    says = path.with_suffix(".txt")
    says.write_text(Label(1.0, {"comment": text}).text)
    made = [
        "-f",
        "lavfi",
        "-i",
        "color=s=16x16:d=0.1",
        "-f",
        "ffmetadata",
        "-i",
        says,
        "-map_metadata",
        "1",
        "-map",
        "0",
    ]
    subprocess.run([binary(), "-y", "-v", "error", *map(str, made), str(path)], check=True)
    return path


def changed(still: Path, **parts: object) -> str:
    """What a picture says, with other values."""
    return json.dumps(msgspec.to_builtins(imprint.read(still)) | parts)


BOMB = "[" * 100_000
BAD: dict[str, tuple[str, str]] = {
    "nothing": ("", "does not say how it was made"),
    "no JSON": ("{", "damaged"),
    "no object": ("[1]", "damaged"),
    "another program's": ('{"prompt": "a fox"}', "damaged"),
    "a newer version": ('{"latentworld": 2, "whatever": []}', r"by another latentworld \(2\)"),
    "nested a hundred thousand deep": ('{"latentworld":1,"preset":' + BOMB, "damaged"),
    "far too long": (" " * (2 << 20), "it is not read|does not say|cannot be read"),
}


@pytest.mark.parametrize("kind", ["png", "mkv"])
@pytest.mark.parametrize("what", BAD)
def test_what_a_strangers_file_says_is_told_in_a_line(run, kind: str, what: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text, told = BAD[what]
    file = png(tmp_path / "a.png", text) if kind == "png" else film_that_says(tmp_path / "a.mkv", text)
    with pytest.raises(PresetError, match=told) as caught:
        imprint.read(file)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    ways = {"png": ["still", file, "-o", tmp_path / "b.png"], "mkv": ["film", "--like", file, "-o", tmp_path / "b"]}
    code, out, err = run(*ways[kind])
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: ")
    assert not (tmp_path / "b.png").exists()
    assert not (tmp_path / "b").exists()


PLAYLIST = b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"


def test_a_text_that_unpacks_to_a_hundredfold_is_not_read(tmp_path: Path) -> None:
    """32 MB of blanks in 32 kB."""
    data = b"latentworld\0\1\0\0\0" + zlib.compress(b" " * (32 << 20), 9)
    whole = png(tmp_path / "a.png", None).read_bytes()
    chunk = struct.pack(">I", len(data)) + b"iTXt" + data + struct.pack(">I", zlib.crc32(b"iTXt" + data))
    (tmp_path / "a.png").write_bytes(whole[:33] + chunk + whole[33:])
    with pytest.raises(PresetError, match=r"cannot be read as a PNG|does not say"):
        imprint.read(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [("a.png", b"", "does not say"), ("a.png", b"\x89PNG\r\n\x1a\n", "cannot be read as a PNG"),
     ("a.mp4", b"no film", "does not say"), ("a.m3u8", PLAYLIST, "does not say")],
)  # fmt: skip
def test_what_is_no_picture_and_no_film_is_told(name: str, data: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PresetError, match=told):
        imprint.read(tmp_path / name)
    with pytest.raises(PresetError, match="check the path"):
        imprint.read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("parts", "told"),
    [({"preset": {"film": {"fsp": 3}}}, "unknown key"), ({"preset": {"walk": {"kind": "nowhere"}}}, r"walk\.kind"),
     ({"place": None}, "no single place"), ({"take": "0" * 64}, "of a take"),
     ({"place": {"alpha": 0.1, "beta": 0.2, "radius": 1.0, "unit": [1.0, 1.0, 0.0]}}, "not on the globe"),
     ({"place": {"alpha": 0.1, "beta": 0.2, "radius": 90.0, "unit": [1.0, 0.0, 0.0]}}, "no place"),
     ({"place": {"alpha": 0.1, "beta": 0.2, "radius": 1.0, "unit": [1.0]}}, "damaged")],
)  # fmt: skip
def test_what_a_picture_says_is_checked_as_a_preset_is(
    run,
    parts: dict[str, object],
    told: str,
    still: Path,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    file = png(tmp_path / "a.png", changed(still, **parts))
    code, _, err = run("still", file, "-o", tmp_path / "b.png")
    assert (code, err.count("\n")) == (1, 1)
    assert told.replace("\\", "") in err
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(
    "arguments",
    [["still", "STILL", "--alpha", "1", "--beta", "1", "-o", "OUT.png"], ["still", "analytic", "-o", "OUT.png"],
     ["film", "analytic", "--like", "STILL", "-o", "OUT"], ["film", "-o", "OUT"]],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(run, arguments: list[str], still: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    given_ = [part.replace("STILL", str(still)).replace("OUT", str(tmp_path / "out")) for part in arguments]
    code, _, err = run(*given_)
    assert (code, err.count("\n")) == (2, 1)


def test_what_is_too_long_is_left_out(tmp_path: Path) -> None:
    long = journey()
    said = imprint.of(make.build(long).studio)
    assert said is not None
    huge = msgspec.structs.replace(said, preset={"title": "x" * LARGEST})
    assert huge.text == ""
    assert not huge.png.chunks


def test_a_film_whose_own_words_would_be_too_long_says_so(tmp_path: Path) -> None:
    cues = [{"at": float(n), "name": "x" * 60, "set": {"walk.speed": 4.0 + n % 3}} for n in range(1000)]
    long = journey("film.seconds=0.5").changed(score=cues)
    with pytest.warns(Notice) as said:
        assert make.film(long, tmp_path).complete
    assert any("keep preset.toml with it" in str(each.message) for each in said)


values = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("=;#\\\n"), min_size=1, max_size=60)


@given(values, values)
@settings(max_examples=200)
def test_tags_read_back(title: str, comment: str) -> None:
    text = Label(3.0, {"title": title, "comment": comment}, [Chapter(0.0, "comment=no")]).text
    assert dict(tags(text)) == {"title": _ended(title), "comment": _ended(comment)}


def _ended(text: str) -> str:
    """As ffmpeg can be told it: what ends in a backslash has a space behind it."""
    return f"{text} " if text.endswith("\\") else text


def test_an_imprint_reads_back(still: Path) -> None:
    said = imprint.read(still)
    assert msgspec.json.decode(said.text, type=Imprint) == said
