"""The played prompt: mixtures follow faders at once, other texts are faded to, and nothing ever jumps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installation.control.controls import LoopControls
from installation.ipc.jsonable import line
from installation.render import prompt_mix
from installation.render.prompt_mix import Fade
from latentworld.prompts import Prompt

BASE = "a cat"


def slots(**values: object) -> prompt_mix.Slots:
    return prompt_mix.positive(
        LoopControls.of({name.replace("__", "."): value for name, value in values.items()}), BASE
    )  # type: ignore[dict-item]


def weights(mixture: prompt_mix.Mixture) -> dict[str, float]:
    return dict(mixture)


def test_mix_and_words_make_one_mixture() -> None:
    assert prompt_mix.mixture(slots()) == ((BASE, 1.0),)
    asked = {"prompt.a": "sea", "prompt.b": "moon", "prompt.mix": 0.25, "word.2.text": "fog", "word.2.weight": 1.0}
    mixed = prompt_mix.mixture(prompt_mix.positive(LoopControls.of(asked), BASE))
    assert weights(mixed) == pytest.approx({"sea": 0.375, "moon": 0.125, "fog": 0.5})
    assert prompt_mix.mixture(prompt_mix.positive(LoopControls.of({"prompt.mix": 1.0}), BASE)) == (
        (BASE, 1.0),
    )  # no b: nothing to mix
    assert prompt_mix.mixture(prompt_mix.positive(LoopControls.of({"word.1.weight": 1.0}), BASE)) == ((BASE, 1.0),)
    twice = prompt_mix.positive(LoopControls.of({"word.1.text": BASE, "word.1.weight": 1.0}), BASE)
    assert prompt_mix.mixture(twice) == ((BASE, 1.0),)
    assert prompt_mix.mixture(prompt_mix.positive(LoopControls.of({"prompt.a": ""}), BASE)) == (("", 1.0),)


def test_a_fader_is_followed_at_once() -> None:
    fade = Fade(slots(prompt__b="sea", prompt__mix=0.0))
    for mix in (0.1, 0.9, 0.4):
        fade = fade.after(slots(prompt__b="sea", prompt__mix=mix), 2.0, 0.1)
        assert weights(fade.shown) == pytest.approx({BASE: 1 - mix, "sea": mix})


def test_another_text_is_faded_to_in_the_time_asked_for() -> None:
    fade, there = Fade(slots()), slots(prompt__a="sea")
    shares = []
    for _ in range(21):
        fade = fade.after(there, 2.0, 0.1)
        shares.append(weights(fade.shown).get("sea", 0.0))
    assert shares[0] == 0.0  # it sets out from where it is
    assert shares == sorted(shares)
    assert shares[10] == pytest.approx(0.5)
    assert fade.shown == (("sea", 1.0),)
    assert Fade(slots()).after(there, 0.0, 0.1).shown == (("sea", 1.0),)


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", "d", "e"]), st.sampled_from(["", "x", "y"]), st.floats(0, 1)),
        min_size=2,
        max_size=12,
    ),
    st.floats(0.5, 5.0),
)
def test_no_change_in_the_middle_of_a_fade_makes_a_jump(played: list[tuple[str, str, float]], seconds: float) -> None:
    """Texts are typed at random moments; between two ticks no share moves more than the fade allows."""
    fade, mix = Fade(slots(prompt__a="a", prompt__b="x", prompt__mix=0.5)), 0.5
    before = weights(fade.shown)
    for a, b, _ in played:
        for _ in range(3):
            fade = fade.after(slots(prompt__a=a, prompt__b=b, prompt__mix=mix), seconds, 0.05)
            now = weights(fade.shown)
            assert sum(now.values()) == pytest.approx(1.0)
            most = 1.5 * 0.05 / seconds + 20 * prompt_mix.FAINT  # steepest of 3t^2 - 2t^3; faint texts
            assert max(abs(now.get(t, 0) - before.get(t, 0)) for t in now.keys() | before.keys()) <= most
            before = now
    assert len(fade.shown) <= prompt_mix.MOST


def test_a_text_waits_until_it_is_encoded() -> None:
    before, wanted = slots(prompt__a="a"), slots(prompt__a="b", word__1__text="fog", word__1__weight=0.5)
    assert prompt_mix.unknown([before, wanted], lambda text: text == "a") == ["b", "fog"]
    held = prompt_mix.known(before, wanted, lambda text: text == "a")
    assert prompt_mix.mixture(held) == (("a", 1.0),)
    assert prompt_mix.known(before, wanted, lambda text: True) == wanted


def test_the_heaviest_text_of_a_mixture_speaks_for_it() -> None:
    fade = Fade(slots(prompt__b="sea", prompt__mix=0.75))
    prompt = prompt_mix.prompt(fade, Fade((("fog", 1.0),)))
    assert prompt == Prompt("sea", "fog", ((BASE, 0.25), ("sea", 0.75)))
    away = Fade((("fog", 1.0),)).after((("rain", 1.0),), 1.0, 0.1).after((("rain", 1.0),), 1.0, 0.5)
    assert prompt_mix.prompt(fade, away).away == (("fog", 0.5), ("rain", 0.5))


def test_a_fade_goes_on_where_it_was_kept() -> None:
    there = slots(prompt__a="sea")
    fade = Fade(slots()).after(there, 2.0, 0.1).after(there, 2.0, 0.7)
    again = Fade.read(json.loads(line(fade))).value
    assert again == fade
    assert again.after(there, 2.0, 0.1).shown == fade.after(there, 2.0, 0.1).shown
