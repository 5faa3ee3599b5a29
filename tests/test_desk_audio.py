"""Hearing the room: level and onsets of synthetic sounds, and a sound card that comes and goes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from installation.control.desk import Change, Desk
from installation.control.desk.audio import Heard, Hearing, Input, listen, loudness, spectrum
from installation.control.parameters import table

HEARING = Hearing()
Sound = NDArray[np.float64]


def times(seconds: float) -> Sound:
    return np.arange(int(seconds * HEARING.rate)) / HEARING.rate


def blocks(sound: Sound) -> Iterator[Sound]:
    for start in range(0, len(sound) - HEARING.block + 1, HEARING.block):
        yield sound[start : start + HEARING.block]


def heard(sound: Sound) -> list[Heard]:
    found = [Heard()]
    for block in blocks(sound):
        found.append(listen(found[-1], block))
    return found[1:]


def strikes(sound: Sound) -> list[float]:
    """When onsets were heard, in seconds."""
    found = heard(sound)
    before = [0, *(one.strikes for one in found)]
    return [(i + 1) * HEARING.block / HEARING.rate for i, one in enumerate(found) if one.strikes > before[i]]


def test_level_is_decibels_of_rms_between_quiet_and_loud() -> None:
    tone = np.sin(2 * np.pi * 441 * times(0.1))
    assert loudness(tone) == 1.0
    assert loudness(tone * np.sqrt(2) * 10 ** (-30 / 20)) == pytest.approx(0.5, abs=0.01)
    assert loudness(tone * 1e-4) == 0.0
    assert (loudness(np.zeros(64)), loudness(np.zeros(0))) == (0.0, 0.0)


def test_level_rises_fast_and_falls_slowly() -> None:
    tone = np.sin(2 * np.pi * 441 * times(0.5))
    levels = np.array([one.level for one in heard(np.concatenate([tone, np.zeros(int(HEARING.rate))]))])
    seconds = (np.arange(len(levels)) + 1) * HEARING.block / HEARING.rate
    assert np.interp(0.05, seconds, levels) > 0.95
    assert np.interp(0.5 + HEARING.release, seconds, levels) == pytest.approx(np.exp(-1), abs=0.05)
    assert levels[-1] < 0.05


def test_a_spectrum_shows_a_full_scale_sine_as_one() -> None:
    tone = np.sin(2 * np.pi * 32 * np.arange(1024) / 1024)
    found = spectrum(tone)
    assert found.argmax() == 32
    assert found.max() == pytest.approx(np.log1p(100), rel=1e-3)


@pytest.mark.parametrize("gain", [1.0, 0.1])
def test_every_strike_is_heard_once_and_soon(gain: float) -> None:
    t = times(4.0)
    random = np.random.default_rng(0)
    sound = 0.003 * random.standard_normal(len(t))
    beats = np.arange(0.5, 4.0, 0.5)
    for beat in beats:
        since = np.clip(t - beat, 0, None)
        sound += (t >= beat) * np.exp(-since * 12) * random.standard_normal(len(t)) * 0.5 * gain
    found = strikes(sound)
    assert len(found) == len(beats)
    assert np.all((found - beats >= 0) & (found - beats < 0.05))


def test_notes_that_begin_are_heard_and_a_held_chord_is_not() -> None:
    t = times(3.0)
    held = sum(np.sin(2 * np.pi * f * t) * 0.1 for f in (220.0, 277.2, 329.6))
    swelling = held * np.clip(t / 1.5, 0, 1)
    note = 0.4 * np.sin(2 * np.pi * 880 * t) * (t >= 2.0) * np.exp(-np.clip(t - 2.0, 0, None) * 3)
    assert strikes(swelling + note) == pytest.approx([2.02], abs=0.03)


def test_noise_is_no_strike_and_neither_is_silence() -> None:
    noise = np.random.default_rng(1).standard_normal(int(3 * HEARING.rate)) * 0.05
    assert len(strikes(noise)) <= 1, "its beginning"
    assert strikes(np.zeros(int(HEARING.rate))) == []


def test_an_onset_falls_and_is_deterministic() -> None:
    sound = np.zeros(int(HEARING.rate))
    sound[8000:8200] = 0.5
    onsets = [one.onset for one in heard(sound)]
    peak = int(np.argmax(onsets))
    assert onsets[peak] == 1.0
    assert all(a > b for a, b in zip(onsets[peak:], onsets[peak + 1 :], strict=False))
    assert onsets == [one.onset for one in heard(sound)]


def test_what_is_no_number_is_silence_and_channels_are_mixed() -> None:
    found = listen(Heard(), np.array([[np.nan, np.inf], [0.0, -np.inf]]))
    assert (found.level, found.onset) == (0.0, 0.0)
    tone = np.sin(2 * np.pi * 441 * times(0.05))
    assert listen(Heard(), np.stack([tone, tone], 1)).level == pytest.approx(listen(Heard(), tone).level)


class Card:
    """A sound card: `missing` times it cannot be opened, then it plays `sound`, then it is silent or stops."""

    def __init__(self, missing: int = 0) -> None:
        self.missing, self.opened, self.rescanned = missing, 0, 0
        self.streams: list[Stream] = []

    def _terminate(self) -> None:
        self.rescanned += 1

    def _initialize(self) -> None:
        pass

    def InputStream(self, **settings: Any) -> Stream:  # as sounddevice calls it
        if self.missing > 0:
            self.missing -= 1
            raise OSError("Error querying device -1")
        self.opened += 1
        stream = Stream(settings["callback"])
        self.streams.append(stream)
        return stream


class Stream:
    samplerate = HEARING.rate

    def __init__(self, callback: Callable[..., None]) -> None:
        self.callback, self.closed = callback, False

    def __enter__(self) -> Stream:
        for block in blocks(np.sin(2 * np.pi * 441 * times(0.2))):
            self.callback(block[:, None].astype(np.float32), len(block), None, None)
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True


def test_a_card_that_comes_late_and_goes_is_looked_for_again(caplog: pytest.LogCaptureFixture) -> None:
    desk, card = Desk(table()), Card(missing=2)
    levels: list[float] = []
    again = threading.Event()

    def note(news: object) -> None:
        if isinstance(news, Change) and news.name == "audio.level":
            assert isinstance(news.value, float)
            levels.append(news.value)
            if card.opened == 2 and news.value > 0.5:
                again.set()

    desk.listen(note)
    sound = Input(desk, retry=0.01, silence=0.05, library=card)
    sound.start()
    assert again.wait(20.0), "the second opening was heard"
    sound.stop()
    assert max(levels) > 0.9
    assert 0.0 in levels, "gone: no level stays behind"
    assert (card.rescanned >= 3, all(stream.closed for stream in card.streams)) == (True, True)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[:2] == [lines[0], "audio input at 44100 Hz"], "one line however often it is looked for"
    assert "no audio input (Error querying device -1)" in lines[0]
    assert any("went silent" in line for line in lines)
    assert not [thread for thread in threading.enumerate() if thread.name == "audio"]
