"""Parameters follow a sound through envelopes, any moment alone; what nothing can follow is refused in a line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from installation.sound.follow import check, envelope, followed
from installation.sound.sound import CURVES, Sound
from latentworld import preset
from latentworld.errors import Notice, PresetError
from latentworld.sections import FollowSpec

RATE = 100.0


def sound(curve: np.ndarray) -> Sound:
    """One whose curves are all alike, at a hundred values a second, and a beat a second."""
    beats = np.arange(0.0, len(curve) / RATE, 1.0)
    curves = dict.fromkeys(CURVES, curve)
    return Sound(len(curve) / RATE, 60.0, beats, beats[::4], beats, np.ones(len(beats)), RATE, curves)


def test_an_envelope_rises_by_attack_and_falls_by_release() -> None:
    struck = np.concatenate([np.zeros(100), np.ones(100), np.zeros(100)])
    found = envelope(struck, RATE, attack=0.1, release=0.4)
    assert found[99] == 0.0
    assert found[109] == pytest.approx(1 - np.exp(-1), abs=0.001)  # after 0.1 s most of the rise
    assert found[239] == pytest.approx(found[199] * np.exp(-1), abs=0.001)
    assert np.array_equal(envelope(struck, RATE, 0.0, 0.0), struck)


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(0.0, 1.0)), st.floats(0.0, 9.0), st.floats(0.0, 9.0))
def test_an_envelope_stays_within_its_curve(curve: np.ndarray, attack: float, release: float) -> None:
    found = envelope(curve, RATE, attack, release)
    assert (found >= 0.0).all()
    assert (found <= np.maximum.accumulate(curve) + 1e-12).all()


def test_parameters_follow_into_their_ranges() -> None:
    ramp = np.linspace(0.0, 1.0, 101)
    specs = [
        FollowSpec(parameter="walk.radius", by="low", range=(1.0, 1.2), attack=0.0),
        FollowSpec(parameter="rift.attraction", by="high", range=(1.0, -1.0), attack=0.0),
        FollowSpec(parameter="prompt.mix", by="beat_phase", range=(0.0, 1.0), attack=0.0, release=0.0),
    ]
    follow = followed(sound(np.append(ramp, ramp[::-1])), specs)
    assert follow(0.0) == {"walk.radius": 1.0, "rift.attraction": 1.0, "prompt.mix": 0.0}
    assert follow(0.5)["walk.radius"] == pytest.approx(1.1)
    assert follow(0.75)["rift.attraction"] == pytest.approx(-0.5)
    assert follow(0.755)["walk.radius"] == pytest.approx(1.151)
    assert follow(0.25)["prompt.mix"] == pytest.approx(0.25)
    assert follow(99.0)["walk.radius"] == follow(2.01)["walk.radius"]


@given(st.permutations([0.0, 0.31, 0.7, 1.2, 1.9]))
def test_a_moment_is_what_it_is_whatever_was_asked_before(order: list[float]) -> None:
    heard = sound(np.random.default_rng(0).random(200))
    follow = followed(heard, [FollowSpec(parameter="walk.speed", range=(1.0, 9.0), attack=0.1, release=0.5)])
    asked = {time: follow(time)["walk.speed"] for time in order}
    fresh = followed(heard, [FollowSpec(parameter="walk.speed", range=(1.0, 9.0), attack=0.1, release=0.5)])
    assert asked == {time: fresh(time)["walk.speed"] for time in order}


def test_under_a_silent_sound_parameters_stay_low_and_it_is_told() -> None:
    with pytest.warns(Notice, match="silent"):
        follow = followed(sound(np.zeros(200)), [FollowSpec(parameter="walk.radius", range=(1.1, 1.9))])
    assert follow(0.0) == follow(1.7) == {"walk.radius": 1.1}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            FollowSpec(parameter="walk.radus", range=(1, 1.2)),
            "'walk.radus' is no parameter; did you mean 'walk.radius'",
        ),
        (FollowSpec(parameter="model.steps", range=(1, 9)), "'model.steps' changes in steps and cannot follow a sound"),
        (FollowSpec(parameter="walk.kind", range=(0, 1)), "changes in steps"),
        (FollowSpec(parameter="walk.jump", range=(0, 1)), "is no parameter"),
        (FollowSpec(parameter="out.master", range=(0, 1)), "is no parameter"),
        (FollowSpec(parameter="walk.radius", range=(1, 7)), "walk.radius takes 0 to 2; mend its range"),
    ],
)
def test_what_nothing_can_follow_is_refused(spec: FollowSpec, said: str) -> None:
    with pytest.raises(PresetError, match=said) as refused:
        check([spec])
    assert "\n" not in str(refused.value)


def test_a_parameter_follows_once() -> None:
    spec = FollowSpec(parameter="walk.radius", range=(1, 1.2))
    with pytest.raises(PresetError, match=r"walk\.radius follows twice"):
        check([spec, FollowSpec(parameter="walk.speed", range=(1, 2)), spec])


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"bpm": 5000}, "sound.bpm = 5000: must be less than or equal to 400"),
        ({"bpm": 0.0}, "greater than or equal to 20"),
        ({"fit": "lop"}, "did you mean 'loop'"),
        ({"bar": 0}, "sound.bar = 0"),
        ({"fallow": []}, "did you mean 'follow'"),
        ({"follow": [{"parameter": "walk.radius", "by": "lo", "range": [1, 1.2]}]}, "did you mean 'low'"),
        ({"follow": [{"parameter": "walk.radius", "range": [1]}]}, r"sound.follow\[0\].range"),
        ({"follow": [{"parameter": "walk.radius", "range": [1, 2], "attack": -1}]}, "correct it or leave it out"),
    ],
)
def test_a_section_that_means_nothing_is_refused_in_a_line(table: dict[str, object], said: str) -> None:
    with pytest.raises(PresetError, match=said) as refused:
        preset.parse({"sound": table})
    assert "\n" not in str(refused.value)


def test_a_preset_with_followers_is_written_and_read_back() -> None:
    table = {"file": "x.wav", "follow": [{"parameter": "walk.radius", "by": "low", "range": [1.0, 1.2]}]}
    own = preset.parse({"sound": table})
    assert preset.parse(preset.texts.toml(preset.dump(own))) == own
