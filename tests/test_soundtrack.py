"""A film's sound: as long as the film, beside pictures that are what they are without it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from standins.sounds import plain
from test_film_resume import journey

from installation.film import make
from installation.film.ffmpeg import binary
from installation.film.join import sums
from installation.film.playing import check as check_playing
from installation.film.soundtrack import check
from installation.sound.reading import RATE
from latentworld.errors import Notice, OutputExists, PresetError

pytestmark = pytest.mark.usefixtures("plain")

SECONDS = 4.0  # of `journey`


def chirp(path: Path, seconds: float) -> Path:
    """A tone that rises from 200 Hz by 200 Hz a second: which moment is heard can be told."""
    time = np.arange(round(seconds * RATE)) / RATE
    return plain(path, 0.5 * np.sin(2 * np.pi * (200 * time + 100 * time**2)))


def samples(film: Path) -> np.ndarray:
    """What is heard, one channel."""
    arguments = [
        binary(),
        "-v",
        "error",
        "-i",
        str(film),
        "-map",
        "0:a",
        "-ac",
        "1",
        "-ar",
        str(RATE),
        "-f",
        "s16le",
        "-",
    ]
    run = subprocess.run(arguments, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    return np.frombuffer(run.stdout, "<i2") / 32767


def pitch(sound: np.ndarray, moment: float) -> float:
    """The strongest tone at a moment, in hertz."""
    part = sound[round(moment * RATE) :][:2048] * np.hanning(2048)
    return float(np.abs(np.fft.rfft(part)).argmax() * RATE / 2048)


def pictures(film: Path) -> list[tuple[int, bytes]]:
    return list(sums(film))


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
def test_a_film_has_its_sound_and_the_same_pictures(codec: str, tmp_path: Path) -> None:
    own = [f"film.codec={codec}", f"sound.file={chirp(tmp_path / 'long.wav', 9.0)}"]
    silent = make.film(journey(own[0]), tmp_path / "silent")
    film = make.film(journey(*own), tmp_path / "film")
    assert pictures(film.video) == pictures(silent.video)
    found = samples(film.video)
    assert len(found) / RATE == pytest.approx(SECONDS, abs=0.002)
    for moment in (0.5, 2.0, 3.5):
        assert pitch(found, moment) == pytest.approx(200 + 200 * (moment + 0.046), abs=25)


def test_the_index_comes_first_and_frames_at_a_constant_rate(tmp_path: Path) -> None:
    film = make.film(journey("film.fps=23.976", f"sound.file={chirp(tmp_path / 'a.wav', 5.0)}"), tmp_path / "film")
    data = film.video.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    shown = sorted(time for time, _ in sums(film.video, decode=False))
    assert shown[0] == 0
    assert set(np.diff(shown)) == {shown[1]}


def test_a_short_sound_begins_again(tmp_path: Path) -> None:
    own = [f"sound.file={chirp(tmp_path / 'short.wav', 1.5)}", "sound.fit=loop"]
    found = samples(make.film(journey(*own), tmp_path / "film").video)
    assert len(found) / RATE == pytest.approx(SECONDS, abs=0.002)
    for moment in (0.5, 2.0, 3.5):
        assert pitch(found, moment) == pytest.approx(200 + 200 * (moment % 1.5 + 0.046), abs=25)


def test_after_a_short_sound_there_is_silence_and_it_is_told(tmp_path: Path) -> None:
    own = journey(f"sound.file={chirp(tmp_path / 'short.wav', 1.5)}")
    with pytest.warns(Notice, match=r"lasts 1.5 s and the film 4.0 s"):
        film = make.film(own, tmp_path / "film")
    found = samples(film.video)
    assert len(found) / RATE == pytest.approx(SECONDS, abs=0.002)
    assert np.abs(found[: round(1.4 * RATE)]).max() > 0.3
    assert np.abs(found[round(1.7 * RATE) :]).max() < 0.001


def test_the_sound_of_stills_lies_beside_them(tmp_path: Path) -> None:
    own = ["film.codec=frames", f"sound.file={chirp(tmp_path / 'long.wav', 9.0)}"]
    make.film(journey(*own), tmp_path / "film")
    assert len(samples(tmp_path / "film" / "sound.wav")) == round(SECONDS * RATE)
    make.film(journey(own[0]), tmp_path / "film", overwrite=True)
    assert not (tmp_path / "film" / "sound.wav").exists()


def test_a_film_goes_on_with_the_sound_it_was_begun_with_alone(tmp_path: Path) -> None:
    def watch(done: int, total: int) -> bool:
        nonlocal calls
        calls += 1
        return calls < 150

    calls, path = 0, chirp(tmp_path / "a.wav", 5.0)
    own = journey(f"sound.file={path}")
    assert not make.film(own, tmp_path / "film", watch=watch).complete
    chirp(path, 6.0)
    with pytest.raises(OutputExists, match=r"sound \w+, now \w+"):
        make.film(own, tmp_path / "film")
    moved = chirp(tmp_path / "moved.wav", 5.0)
    assert make.film(journey(f"sound.file={moved}"), tmp_path / "film").complete


@pytest.mark.parametrize(
    ("name", "content", "said"), [("gone.wav", None, "no such file"), ("words.wav", b"words " * 99, "cannot be read")]
)
def test_an_unreadable_sound_is_refused_before_anything_is_made(
    name: str, content: bytes | None, said: str, tmp_path: Path
) -> None:
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PresetError, match=said) as refused:
        make.film(journey(f"sound.file={tmp_path / name}"), tmp_path / "film")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "film").exists()


def test_a_picture_is_no_sound(tmp_path: Path) -> None:
    film = make.film(journey("film.seconds=0.5"), tmp_path / "film")
    with pytest.raises(PresetError, match="no sound in it"):
        check(journey(f"sound.file={film.video}"))


def test_followers_are_looked_at_before_anything_is_made(tmp_path: Path) -> None:
    follow = 'sound.follow=[{parameter = "walk.radus", range = [1.0, 1.2]}]'
    path = chirp(tmp_path / "a.wav", 5.0)
    with pytest.raises(PresetError, match=r"did you mean 'walk\.radius'"):
        make.film(journey(f"sound.file={path}", follow), tmp_path / "film")
    with pytest.raises(PresetError, match="needs a sound"):
        make.film(journey(follow.replace("radus", "radius")), tmp_path / "film")


def test_a_cue_takes_over_what_follows_but_not_at_the_beginning(tmp_path: Path) -> None:
    """There what follows would never be heard; by the preset's key too."""
    follow = 'sound.follow=[{parameter = "walk.speed", range = [5.0, 9.0]}]'
    asked = journey(f"sound.file={chirp(tmp_path / 'a.wav', 5.0)}", follow)
    for key in ("walk.speed", "pacing.speed"):
        with pytest.raises(PresetError, match=r"walk\.speed follows the sound \(sound\.follow\[0\]\), and a cue"):
            check_playing(asked.changed(score=[{"at": 0, "set": {key: 4.0}}]))
        check_playing(asked.changed(score=[{"at": 0.5, "set": {key: 4.0}}]))


def test_on_the_command_line(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "words.wav").write_bytes(b"words " * 99)
    code, _, err = run("film", "analytic", "-o", tmp_path / "film", "--set", f"sound.file={tmp_path / 'words.wav'}")
    assert code == 1
    assert len(err.strip().splitlines()) == 1
