"""Words that a small world knows: its card lists them, and a prompt that has none of them is told."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from installation import rig
from latentworld import preset, worlds
from latentworld.errors import Notice
from latentworld.worlds.card import Card
from latentworld.worlds.inversions import Inversion
from latentworld.worlds.word_groups import GROUPS, grouped
from latentworld.worlds.words import strange, understood

Run = Callable[..., tuple[int, str, str]]
CARD = worlds.inspect("embedded").card


def test_every_subject_of_the_embedded_world_has_words() -> None:
    found = understood(CARD)
    assert set(found) == {"any", *(subject.name for subject in CARD.subjects)}
    assert all(len(words) >= 10 for words in found.values())


@pytest.mark.parametrize("name", [name for name in preset.names() if preset.load(name).world.name == "embedded"])
def test_the_shipped_presets_say_what_it_knows(name: str) -> None:
    prompt = preset.load(name).prompt
    for text, lenient in ((prompt.positive, False), (prompt.negative, True)):
        assert text is None or strange(CARD, text, lenient) is None
    assert strange(CARD, CARD.defaults.prompt) is strange(CARD, CARD.defaults.negative) is None
    assert strange(CARD, "centered subject, stock photo") is not None


@pytest.mark.parametrize(
    "text", ["", "a CAT!", "of the", "a (cat:1.3) over [mountains] BREAK gold", "a 4k cat on a mountain", "craters"]
)
def test_what_it_knows_is_not_told(text: str) -> None:
    assert strange(CARD, text) is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a dragon", "it knows ringed planet, cratered moon"),
        ("montains and catz", "near are mountains"),
        ("two cats", "does not know 'cats' in 'two cats': near are cat;"),
        ("an old text, covered", "does not know 'old', 'text' in 'an old text, covered': it knows ringed planet"),
        ("🌊 größe", "it knows"),
        ("x" * 500, "it knows"),
        ("a 4k dragon with wings on a mountain", "does not know 'dragon', 'wings' in 'a 4k dragon"),
        ("a gniger cta, cat", "does not know 'gniger', 'cta' in 'a gniger cta, cat': near are ginger"),
        ("a cat, " + "alpha beta gamma delta epsilon " * 9, "does not know 'alpha', 'beta', 'gamma', 'delta', … in"),
    ],
)
def test_unknown_words_are_told_with_the_nearest(text: str, told: str) -> None:
    line = strange(CARD, text)
    assert line is not None
    assert told in line
    assert "\n" not in line
    assert len(line) < 400
    assert "`latentworld worlds show embedded --words`" in line


def test_a_world_whose_card_lists_none_says_nothing() -> None:
    assert strange(Card(name="large", size=512), "a dragon") is None


def test_it_is_told_when_a_studio_is_opened() -> None:
    few = ["decoder.steps=1", "decoder.engine=eager"]
    with pytest.warns(Notice, match="knows none of the words of 'a dragon'"):
        rig.open_studio(preset.load("neutral", ["prompt.positive=a dragon", *few]))
    with warnings.catch_warnings():
        warnings.simplefilter("error", Notice)
        rig.open_studio(preset.load("neutral", ["prompt.positive=a cat", *few]))


def test_they_are_listed_by_subject(run: Run) -> None:
    code, out, err = run("worlds", "show", "embedded", "--words")
    assert (code, err) == (0, "")
    cat = out[out.index("cat:\n") : out.index("ornament:\n")]
    assert re.search(r"^  things .*cat", cat, re.MULTILINE)
    assert re.search(r"^  colours .*ginger", cat, re.MULTILINE)
    assert out.index("ringed planet:") < out.index("cat:") < out.index("with any of them:")


def test_every_word_stands_in_one_group_and_none_that_is_not_known() -> None:
    known = {word for words in understood(CARD).values() for word in words}
    groups = [*GROUPS.values()]
    assert sum(map(len, groups)) == len(frozenset().union(*groups))
    assert frozenset().union(*groups) <= known  # none is listed that the world does not know
    told = grouped(sorted(known))
    assert sorted(word for words in told.values() for word in words) == sorted(known)
    assert len(told["things"]) < len(known) / 3


def test_words_for_programs(run: Run) -> None:
    found = json.loads(run("worlds", "show", "embedded", "--words", "--json")[1])
    assert "ginger" in found["cat"]["colours"]


def test_a_taught_word_is_known_and_its_neighbours_are_not() -> None:
    cat = Inversion("<Cat+toy>", Path("toy.safetensors"), (), "")
    found = cast(Any, SimpleNamespace(card=CARD))

    def told(prompt: str) -> list[str]:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            rig._tell_of_words(preset.load("neutral", [f"prompt.positive={prompt}"]), found, [cat])
        return [str(one.message) for one in said]

    assert told("a <cat+toy>") == []
    assert "does not know 'dragon' in" in told("a <cat+toy>, a dragon, a sea")[0]
