"""Sound is heard before the film: beats where they sound, curves that say what is loud, and files that are no sound."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.sounds import example, piece, plain

from installation.film.ffmpeg import binary
from installation.sound import analysis
from installation.sound.analysis import Hints, analyse
from installation.sound.reading import RATE, mono
from installation.sound.sound import NAMES, Sound, fitted
from latentworld.errors import PresetError, ShowError

pytest.importorskip("librosa", reason="the extra `sound`")
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    path = tmp_path_factory.mktemp("sounds") / "piece.wav"
    return path, piece(path, bars=6)


@pytest.fixture(scope="module")
def sound(known: tuple[Path, np.ndarray]) -> Sound:
    return analysis.heard(mono(known[0], binary))


def nearest(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """From each of the wanted times to the nearest found."""
    return np.array([found[np.abs(found - time).argmin()] - time for time in wanted])


def test_beats_are_where_they_sound(known: tuple[Path, np.ndarray], sound: Sound) -> None:
    off = np.abs(nearest(sound.beats, known[1]))
    assert np.percentile(off, 90) < 0.005
    assert off.max() < 0.03
    assert sound.tempo == pytest.approx(112.0, rel=0.01)
    assert (np.diff(sound.beats) > 0).all()


def test_bars_begin_on_downbeats(known: tuple[Path, np.ndarray], sound: Sound) -> None:
    assert np.abs(nearest(sound.bars, known[1][::4])).max() < 0.03
    assert set(sound.bars) <= set(sound.beats)
    assert (np.abs(nearest(known[1][::4], sound.bars[:6])) < 0.03).all()


def test_onsets_are_attacks(sound: Sound) -> None:
    assert len(sound.onsets) == len(sound.strengths)
    assert (np.diff(sound.onsets) > 0).all()
    assert 0.0 <= sound.strengths.min() < sound.strengths.max() <= 1.0
    script = example()
    eighths = script.LEAD + np.arange(4 * 6 * 4) * script.BEAT / 4
    assert (np.abs(nearest(eighths, sound.onsets)) < 0.03).mean() > 0.9


def test_curves_say_which_tones_are_loud(tmp_path: Path) -> None:
    time = np.arange(3 * RATE) / RATE
    for name, hertz in (("low", 70.0), ("mid", 700.0), ("high", 5000.0)):
        tones = np.where(time < 1.5, 0.02, 0.5) * np.sin(2 * np.pi * hertz * time)
        mixed = tones + 0.1 * np.sin(2 * np.pi * {"low": 700.0, "mid": 5000.0, "high": 70.0}[name] * time)
        found = analysis.heard(mono(plain(tmp_path / f"{name}.wav", mixed), binary))
        assert found.at(0.8)[name] < 0.1 < 0.9 < found.at(2.2)[name]
        assert found.at(0.8)["loudness"] < found.at(2.2)["loudness"]


def test_signals_go_by_their_names(sound: Sound) -> None:
    assert sound.names == set(NAMES)
    beat = sound.beats[5]
    assert sound.at(beat + 0.01)["beat_phase"] == pytest.approx(0.01 / (sound.beats[6] - beat), abs=1e-6)
    assert sound.at(beat - 0.01)["beat_phase"] > 0.9
    assert sound.at(0.0)["beat_phase"] == sound.at(sound.duration + 9.0)["bar_phase"] == 0.0
    for time in (-1.0, 0.0, 2.34, 1e6):
        values = sound.at(time)
        assert values.keys() == set(NAMES)
        assert all(0.0 <= value <= 1.0 for value in values.values())
    for name in NAMES:
        assert sound.curve(name)[200] == pytest.approx(sound.at(200 / sound.rate)[name])


def test_hours_are_analysed_a_part_at_a_time(known: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    samples = mono(known[0], binary)
    whole = analysis._mel(samples)
    monkeypatch.setattr(analysis, "AT_ONCE", 100)
    # a product's sums may go in another order where it is narrower: by processor, up to a few last bits
    np.testing.assert_allclose(analysis._mel(samples), whole, rtol=1e-5, atol=1e-9)


def test_what_is_known_beforehand_is_not_looked_for(known: tuple[Path, np.ndarray], sound: Sound) -> None:
    path, _ = known
    steady = analyse(path, Hints(bpm=100.0, first_beat=1.3, bar=3), binary)
    assert steady.tempo == 100.0
    assert steady.beats == pytest.approx(np.arange(0.1, steady.duration, 0.6))
    assert steady.bars == pytest.approx(steady.beats[2::3])
    shifted = analyse(path, Hints(first_beat=float(sound.beats[2])), binary)
    assert shifted.bars.tolist() == sound.beats[2::4].tolist()
    slow = analyse(path, Hints(bpm=56.0), binary)
    assert slow.tempo == pytest.approx(56.0, rel=0.02)


def test_the_same_file_is_heard_once(
    known: tuple[Path, np.ndarray], sound: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = analyse(known[0], Hints(), binary)
    monkeypatch.setattr(analysis, "heard", None)
    again = analyse(known[0], Hints(), binary)
    for one in (first, again):
        assert one.beats.tobytes() == sound.beats.tobytes()
        assert one.strengths.tobytes() == sound.strengths.tobytes()
        assert {name: curve.tobytes() for name, curve in one.curves.items()} == {
            name: curve.tobytes() for name, curve in sound.curves.items()
        }
        assert (one.duration, one.tempo, one.rate) == (sound.duration, sound.tempo, sound.rate)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", None])
def test_what_is_kept_may_be_damaged(damage: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path / "cache"))
    piece(tmp_path / "piece.wav", bars=1)
    whole = analyse(tmp_path / "piece.wav", Hints(), binary)
    (kept,) = (tmp_path / "cache" / "sound").iterdir()
    data = kept.read_bytes()
    kept.write_bytes(data[: len(data) // 2] if damage is None else damage)
    assert analyse(tmp_path / "piece.wav", Hints(), binary).beats.tobytes() == whole.beats.tobytes()
    assert kept.read_bytes() == data


def test_other_formats_are_heard_alike(known: tuple[Path, np.ndarray], sound: Sound, tmp_path: Path) -> None:
    for name in ("piece.flac", "piece.mp3", "piece.ogg", "piece.m4a"):
        convert = [binary(), "-v", "error", "-i", str(known[0]), "-ar", "48000", str(tmp_path / name)]
        subprocess.run(convert, check=True, stdin=subprocess.DEVNULL)
        found = analyse(tmp_path / name, Hints(), binary)
        assert np.median(np.abs(nearest(found.beats, sound.beats))) < 0.012, name
        assert found.duration == pytest.approx(sound.duration, abs=0.1)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("words.wav", b"these are words and no sound" * 99, "cannot be read"),
        ("words.m4a", b"these are words and no sound" * 99, "ffmpeg finds no sound in it"),
        ("empty.flac", b"", "cannot be read"),
        ("gone.wav", None, "no such file"),
    ],
)
def test_what_is_no_sound_is_refused_in_a_line(name: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PresetError, match=said) as refused:
        analyse(tmp_path / name, Hints(), binary)
    assert "\n" not in str(refused.value)
    assert name in str(refused.value)


def test_a_moment_of_sound_is_too_short(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="less than half a second"):
        analyse(plain(tmp_path / "short.wav", np.ones(2000)), Hints(), binary)


def test_silence_has_no_beats(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(size=3 * RATE) * 2e-5
    found = analyse(plain(tmp_path / "silence.wav", noise), Hints(), binary)
    assert found.silent
    assert len(found.beats) == len(found.bars) == len(found.onsets) == 0
    assert all(value == 0.0 for value in found.at(1.0).values())
    assert fitted(found, 10.0, "loop").silent


def test_noise_and_a_single_tone_are_heard_without_a_fault(tmp_path: Path) -> None:
    time = np.arange(3 * RATE) / RATE
    for number, samples in enumerate([np.random.default_rng(0).normal(size=3 * RATE) / 9, np.sin(600 * time) / 2]):
        found = analyse(plain(tmp_path / f"{number}.wav", samples), Hints(), binary)
        assert not found.silent
        assert np.isfinite(found.tempo)
        assert set(found.bars) <= set(found.beats)


def test_a_shorter_sound_begins_again_or_ends(sound: Sound) -> None:
    looped, ended = fitted(sound, 2.5 * sound.duration, "loop"), fitted(sound, 2.5 * sound.duration, "trim")
    assert looped.beats[len(sound.beats)] == sound.beats[0] + sound.duration
    assert len(looped.onsets) == len(looped.strengths) > 2 * len(sound.onsets)
    assert looped.at(2.0 + sound.duration)["low"] == pytest.approx(sound.at(2.0)["low"], abs=0.05)
    assert ended.beats.tolist() == sound.beats.tolist()
    assert ended.at(sound.duration + 1.0)["loudness"] == 0.0
    assert looped.duration == ended.duration == 2.5 * sound.duration


@given(st.floats(0.5, 60.0), st.sampled_from(["trim", "loop"]))
@settings(max_examples=30)
def test_whatever_its_length_marks_stay_inside_and_rise(seconds: float, fit: str) -> None:
    marks = np.arange(0.1, 4.0, 0.5)
    curve = np.linspace(0.0, 1.0, 41)
    own = Sound(4.0, 120.0, marks, marks[::4], marks, np.ones(len(marks)), 10.0, dict.fromkeys(("low",), curve))
    found = fitted(own, seconds, fit)  # type: ignore[arg-type]
    for times in (found.beats, found.bars, found.onsets):
        assert (np.diff(times) > 0).all()
        assert (times < seconds).all()
    assert len(found.strengths) == len(found.onsets)
    assert len(found.curves["low"]) == round(seconds * 10.0) + 1


def test_without_the_library_a_line_says_what_to_install(
    known: tuple[Path, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "librosa", None)
    with pytest.raises(ShowError, match=r"librosa is missing: .*\[sound\]"):
        analyse(known[0], Hints(), binary)
