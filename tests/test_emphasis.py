"""Weights, breaks and long prompts are read as A1111 reads them, by a plain restatement of its rules; whatever else is
written is read as words, and a line says so."""

from __future__ import annotations

import functools
import math
import re
import warnings
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from standins import tiny_flow, tiny_world, tiny_xl
from standins.decoders import PROMPT, latents
from standins.film import Decoder
from standins.studio import JOURNEY, studio
from test_render_director import Play
from torch import Tensor

from installation.control.controls import LoopControls
from installation.render.builder import Built, PromptEncoder
from installation.render.prompt_control import PromptControl, PromptControlState
from latentworld import emphasis, worlds
from latentworld.decoding import engines, faithful_decoder
from latentworld.decoding.diffusion import Diffusion
from latentworld.decoding.networks import Networks
from latentworld.decoding.shaped import KEPT
from latentworld.emphasis import Piece, PromptSyntax
from latentworld.errors import PresetError
from latentworld.prompts import REPEATED, Encoder, Prompt, PromptTruncated, level
from latentworld.sections import PromptSpec
from latentworld.worlds import World
from latentworld.worlds.families.clip_chunks import MOST, split, weighed
from latentworld.worlds.families.clip_text import ClipText, inner
from latentworld.worlds.families.xl_text import TwoClips

pytestmark = [pytest.mark.usefixtures("own_cache"), pytest.mark.filterwarnings("ignore:__array__ implementation")]


@functools.cache
def world(kind: str = "embedded") -> World:
    return worlds.load(tiny_world.folder(kind))


@functools.cache
def large() -> World:
    return worlds.load(tiny_xl.world())


@functools.cache
def clip(bias: float = 0.3) -> ClipText:
    """A text encoder whose embeddings have a mean, as trained ones have."""
    text = world().text
    assert isinstance(text, ClipText)

    def lifted(own: Any) -> Any:
        torch.nn.init.constant_(inner(own).final_layer_norm.bias, bias)
        return own

    return text.changed(lifted)


def pieces(text: str) -> list[tuple[str, float]]:
    """Of a text without breaks, without the empty ones."""
    (stretch,) = emphasis.read(text).stretches
    return [(piece.text, round(piece.weight, 9)) for piece in stretch if piece.text]


# --- what is written ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("((much)) [less]", [("much", 1.21), (" ", 1.0), ("less", 1 / 1.1)]),
        ("(a cat:1.3), (sky: .5 )", [("a cat", 1.3), (", ", 1.0), ("sky", 0.5)]),
        ("(left:-1)", [("left", -1.0)]),
        (r"\(literal\] \\ \x", [(r"(literal] \ x", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        ("(a [b) c]", [("a ", 1.1), ("b", 1.0), (" c", 1 / 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1.0), ("house", 1.573), (" ", 1.1), ("on", 1.0), (" a ", 1.1), ("hill", 0.55),
                (", sun, ", 1.1), ("sky", 1.4641), (".", 1.1),
            ],
        ),
    ],
)  # fmt: skip
def test_weights_are_read_as_a1111_reads_them(text: str, read: list[tuple[str, float]]) -> None:
    """The last but two are the examples of its own documentation."""
    assert pieces(text) == [(words, round(weight, 9)) for words, weight in read]


def restated(text: str) -> list[list[tuple[str, float]]]:
    """A1111's rules once more, plainly: a sign at a time, weights multiplied when a bracket closes."""
    done: list[list[Any]] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def weigh(kind: str, factor: float) -> None:
        for part in done[opened[kind].pop() :]:
            part[1] = None if part[1] is None else part[1] * factor

    place = 0
    while place < len(text):
        sign, number = text[place], re.match(r":\s*([+-]?[.\d]+)\s*\)", text[place:])
        if sign == "\\":
            taken = text[place + 1 : place + 2]
            taken = taken if taken and taken in "()[]\\" else ""
            done.append([taken, 1.0])
            place += 1 + len(taken)
        elif sign in "([":
            opened[sign].append(len(done))
            place += 1
        elif number and opened["("] and number[1].count(".") < 2 and re.search(r"\d", number[1]):
            weigh("(", float(number[1]))
            place += number.end()
        elif sign == ")" and opened["("]:
            weigh("(", 1.1)
            place += 1
        elif sign == "]" and opened["["]:
            weigh("[", 1 / 1.1)
            place += 1
        else:
            end = place + 1
            while sign not in ")]:" and end < len(text) and text[end] not in "\\()[]:":
                end += 1
            if number and not opened["("]:
                end = place + number.end()
            for part, words in enumerate(re.split(r"\s*\bBREAK\b\s*", text[place:end])):
                done += [["BREAK", None], [words, 1.0]] if part else [[words, 1.0]]
            place = end
    for kind, factor in (("(", 1.1), ("[", 1 / 1.1)):
        while opened[kind]:
            weigh(kind, factor)
    return grouped(done)


def grouped(parts: list[list[Any]]) -> list[list[tuple[str, float]]]:
    made: list[list[tuple[str, float]]] = [[]]
    for words, weight in parts:
        if weight is None:
            made.append([])
        elif made[-1] and math.isclose(made[-1][-1][1], weight, rel_tol=1e-12):
            made[-1][-1] = (made[-1][-1][0] + words, weight)
        else:
            made[-1].append((words, weight))
    return made


WRITTEN = st.text("ab ,()[]:\\1.-|", max_size=30) | st.lists(
    st.sampled_from(["(", ")", "[", "]", ":1.3)", ":.5)", ":1.2.3)", "\\(", "\\", " BREAK ", "BREAK", "cat,", ":", "a"])
).map("".join)  # fmt: skip


@given(WRITTEN)
@settings(max_examples=400)
def test_whatever_is_written_is_read_as_the_rules_restated(text: str) -> None:
    read, plain = emphasis.read(text).stretches, restated(text)
    if not re.search(r"[()\[\]]|\bBREAK\b", text):
        assert read == ((Piece(text),),)
        return
    told = [[(piece.text, piece.weight) for piece in stretch if piece.text] for stretch in read]
    wanted = [[part for part in stretch if part[0]] for stretch in plain]
    assert len(told) == len(wanted)
    for mine, theirs in zip(told, wanted, strict=True):
        assert [words for words, _ in joined(mine)] == [words for words, _ in joined(theirs)]
        assert [w for _, w in joined(mine)] == pytest.approx([w for _, w in joined(theirs)], rel=1e-9)


def joined(parts: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Neighbours of one weight, to rounding, as one: between them an empty piece may have stood."""
    return grouped([[words, weight] for words, weight in parts])[0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a (cat", r"a \( is never closed: all that follows is stronger"),
        ("a [cat", r"a \[ is never closed: all that follows is weaker"),
        ("cat) and (dog)", r"a \) was never opened"),
        ("(cat:very)", r"\(…:very\) has no number for a weight"),
        ("(cat:1,3)", r"\(…:1,3\) has no number for a weight"),
        ("(cat:nan)", "nan.*no number"),
        ("(cat:inf)", "inf.*no number"),
        ("(cat:1e3)", "1e3.*no number"),
        ("(cat:1.2.3)", r"1\.2\.3.*no number"),
        (f"(cat:{'9' * 310}.)", "9….*no number"),
        ("a [cat:dog:0.5] here", r"\[cat:dog:0.5\] changes the prompt from step to step elsewhere"),
        ("a [cat|dog]", r"\[cat\|dog\] changes the prompt"),
        ("cat <lora:ink:0.8>", r"<lora:ink:0.8> is left out of the prompt: .*world.loras"),
    ],
)
def test_what_is_written_badly_is_read_and_told_in_one_line(text: str, line: str) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made = clip()(text)[0]
    (told,) = [str(one.message) for one in said if one.category is PromptSyntax]
    assert re.search(line, told)
    assert "\n" not in told
    assert len(told) < 160
    assert made.shape[1] % 16 == 0
    assert made.isfinite().all()


@pytest.mark.parametrize("text", ["", "a cat :)", "3:1, a\\b", "AC/DC <3", r"\(a\)", "(big)", "BREAKFAST"])
def test_what_is_written_well_is_not_talked_about(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert clip()(text)[0].shape == (1, 16, 32)


def test_an_empty_prompt_is_read_as_one_however_it_is_written() -> None:
    (empty,) = clip()("")
    for text in ("()", "[]", "(:1.5)", "((  ))"):
        assert torch.equal(clip()(text)[0], empty), text


# --- chunks ------------------------------------------------------------------------------------------------------


def token_by_token(stretches: list[list[int]], room: int, comma: int, back: int) -> list[list[int]]:
    """A1111's loop: a token at a time; at the end of a chunk what follows a near comma moves to the next."""
    chunks: list[list[int]] = []
    chunk: list[int] = []
    last = -1
    for number, tokens in enumerate(stretches):
        if number:
            chunks.append(chunk)
            chunk, last = [], -1
        for token in tokens:
            if token == comma:
                last = len(chunk)
            elif len(chunk) == room and last != -1 and len(chunk) - last <= back:
                moved, chunk = chunk[last + 1 :], chunk[: last + 1]
                chunks.append(chunk)
                chunk, last = moved, -1
            if len(chunk) == room:
                chunks.append(chunk)
                chunk, last = [], -1
            chunk.append(token)
    return [*chunks, chunk] if chunk or not chunks else chunks


@given(st.lists(st.lists(st.integers(0, 9), max_size=260), min_size=1, max_size=3))
@settings(max_examples=60)
def test_tokens_are_cut_as_a1111_cuts_them(stretches: list[list[int]]) -> None:
    weighed_ones = [[(token, 1.0) for token in stretch] for stretch in stretches]
    made = [[token for token, _ in piece] for piece in split(weighed_ones, 75, 0)]
    assert made == token_by_token(stretches, 75, 0, 20)


def by_hand(text: str, encoder: Any, tokenizer: Any, states: Any) -> Tensor:
    """Embeddings of a text of one weight a stretch, from tokens on: each chunk alone, times its weights, its mean
    restored."""
    room, chunks = 14, []
    parts = [[(token, w) for words, w in stretch for token in tokenizer(words, add_special_tokens=False).input_ids]
             for stretch in restated(text)]  # fmt: skip
    for part in parts:
        ids = token_by_token([[token for token, _ in part]], room, tokenizer(",").input_ids[1], 4)
        factors = [weight for _, weight in part]
        for piece in ids:
            own, factors = factors[: len(piece)], factors[len(piece) :]
            rest = room - len(piece)
            words = [tokenizer.bos_token_id, *piece, tokenizer.eos_token_id] + [tokenizer.pad_token_id] * rest
            z = states(encoder, torch.tensor([words]))
            scaled = z * torch.tensor([1.0, *own, 1.0, *[1.0] * rest]).view(1, -1, 1)
            says = z.mean().abs() > z.std() / z.numel() ** 0.5
            chunks.append(scaled * (z.mean() / scaled.mean()) if says else scaled)
    return torch.cat(chunks, dim=1)


TEXTS = [
    "(a cat:1.3) [on] a (hill:0.5)",
    "a cat BREAK (dog)",
    "one, two, three, four, five",
    "((sky)), a long text (here)",
]


@pytest.mark.parametrize("text", TEXTS)
@torch.no_grad()
def test_embeddings_are_the_rules_restated(text: str) -> None:
    (made,) = clip()(text)
    wanted = by_hand(text, clip().encoder, clip().tokenizer, lambda encoder, ids: encoder(ids)[0])
    torch.testing.assert_close(made, wanted, atol=1e-6, rtol=1e-5)
    assert made.shape[1] % 16 == 0
    assert made.mean() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("text", TEXTS)
@torch.no_grad()
def test_both_encoders_of_sdxl_are_weighed_and_pool_the_first_chunk(text: str) -> None:
    two = large().text
    assert isinstance(two, TwoClips)
    made, pooled = two(text)

    def last_but_one(encoder: Any, ids: Tensor) -> Tensor:
        found: Tensor = encoder(ids, output_hidden_states=True).hidden_states[-2]
        return found

    own = [by_hand(text, one.encoder, one.tokenizer, last_but_one) for one in (two.first, two.second)]
    torch.testing.assert_close(made, torch.cat(own, dim=-1), atol=1e-5, rtol=1e-5)
    first = torch.tensor([two.second.chunks(text)[0].ids])
    assert torch.equal(pooled, two.second.encoder(first)[0])


@pytest.mark.parametrize("skip", [0, 1])
def test_layers_are_left_out_of_every_chunk(skip: int) -> None:
    two = large().text.skipping(skip)
    assert two("a long text in more than one chunk")[0].shape[1] == 32
    made, alone = two("a cat BREAK (a dog)")[0], two("a cat")[0]
    assert torch.equal(made[:, :16], alone)


def test_a_plain_short_text_is_the_pipelines_to_the_bit() -> None:
    for text in ("a cat, 4k", "", "fourteen sign"):
        words = clip().padded(text)
        with torch.no_grad():
            assert torch.equal(clip()(text)[0], clip().encoder(words.input_ids)[0])
        (chunk,) = clip().chunks(text)
        assert (chunk.weights, chunk.ids) == ((), tuple(words.input_ids[0].tolist()))


def test_escaped_signs_are_the_signs() -> None:
    words = clip().padded("(a)")
    with torch.no_grad():
        assert torch.equal(clip()(r"\(a\)")[0], clip().encoder(words.input_ids)[0])


def test_a_chunk_too_many_is_cut_with_a_word() -> None:
    with pytest.warns(PromptTruncated, match=f"longer than {MOST} chunks, {MOST * 14} tokens: .*z") as told:
        made = clip()("y " * 14 * MOST + "z z")[0]
    assert made.shape == (1, 16 * MOST, 32)
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(clip()("y " * 14 * MOST)[0], made)


def test_empty_chunks_too_many_are_told_without_quoting_nothing() -> None:
    with pytest.warns(PromptTruncated, match="tokens: what lies beyond is ignored"):
        clip()("cat" + " BREAK" * (MOST + 2))


def test_breaks_without_words_are_empty_chunks() -> None:
    (empty,), (cat,) = clip()(""), clip()("cat")
    made = clip()("cat BREAK BREAK cat BREAK")[0]
    assert torch.equal(made, torch.cat([cat, empty, cat], dim=1))


def test_the_embedded_worlds_chunks_are_as_long_as_its_encoder_reads() -> None:
    text = worlds.load("embedded").text
    assert isinstance(text, ClipText)
    assert text.limit == 64
    long = ", ".join(["a ringed planet over a red sea"] * 12)
    assert text(long)[0].shape[1] % 64 == 0
    assert [chunk.words for chunk in text.chunks("(a planet:1.2) BREAK a sea")] == [4, 4]
    assert text("(a planet:1.2) BREAK a sea")[0].isfinite().all()


def test_a_mean_that_says_nothing_is_not_restored() -> None:
    """An untrained encoder's is 0 to rounding, and A1111's factor of any size and sign."""
    text = clip(0.0)
    (chunk,) = text.chunks("a (cat:1.3)")
    words = torch.tensor([chunk.ids])
    with torch.no_grad():
        own = text.encoder(words)[0]
    assert abs(float(own.mean())) < 1e-6
    torch.testing.assert_close(text("a (cat:1.3)")[0], own * torch.tensor(chunk.weights).view(1, -1, 1))


def test_weights_that_leave_nothing_are_refused() -> None:
    states = torch.ones(1, 3, 4)
    with pytest.raises(PresetError, match="leave no numbers: give smaller ones"):
        weighed(states, (1.0, -2.0, 1.0))
    assert torch.equal(weighed(states, ()), states)


# --- several lengths ----------------------------------------------------------------------------------------------


def test_texts_of_several_lengths_are_repeated_to_one() -> None:
    two, three, seven = (torch.randn(1, length, 5) for length in (2, 3, 7))
    a, b = level([two, three])
    assert torch.equal(a, torch.cat([two] * 3, dim=1))
    assert torch.equal(b, torch.cat([three] * 2, dim=1))
    assert two.shape[1] * 3 * 7 > REPEATED * 7
    assert [text.shape[1] for text in level([two, three, seven])] == [7, 7, 7]
    assert torch.equal(level([two, three, seven])[1], torch.cat([three] * 3, dim=1)[:, :7])
    assert level([two, two])[0] is two


@torch.no_grad()
def test_a_repeated_text_is_the_text() -> None:
    decoder = faithful_decoder(world(), steps=3, guidance=4.0, batch=1)
    (short,), (away,) = decoder.texts.text("a cat"), decoder.texts.text("ugly")
    both = decoder.predict(latents(1), torch.tensor(500), (torch.cat([away, short]),))
    long = decoder.predict(latents(1), torch.tensor(500), (torch.cat([away, short]).repeat(1, 3, 1),))
    torch.testing.assert_close(long, both, atol=1e-5, rtol=1e-4)


def test_a_long_text_beside_a_short_negative_one_is_as_if_each_were_asked_alone() -> None:
    decoder = faithful_decoder(world(), steps=2, guidance=4.0, batch=1)
    long, short = "a cat BREAK (a dog:1.4) BREAK a sea", "ugly"
    conditioning = decoder.conditioning(Prompt(long, short))
    assert conditioning[0].shape == (2, 48, 32)
    against, towards = decoder.predictions(latents(1), 500, conditioning)
    alone = replace(decoder.settings, guidance=1.0)
    for text, found in ((long, towards), (short, against)):
        own = decoder.variant(alone)
        (one,) = own.predictions(latents(1), 500, own.conditioning(Prompt(text)))
        torch.testing.assert_close(found, one, atol=1e-5, rtol=1e-4)


def test_a_fade_to_a_longer_text_leaves_no_jump_at_either_end() -> None:
    decoder = faithful_decoder(world(), steps=3, guidance=4.0, batch=1)
    short, long = "a cat", "a dog BREAK (a sea:1.3)"

    def at(share: float) -> Tensor:
        return decoder(latents(1), Prompt(mixture=((short, 1 - share), (long, share)), against=(("ugly", 1.0),)))

    for share, end in ((1e-4, short), (1 - 1e-4, long)):
        assert (at(share) - decoder(latents(1), Prompt(end, "ugly"))).abs().max() < 0.5 / 255
    assert not torch.allclose(at(0.5), at(1e-4), atol=1e-3)


def test_pooled_is_the_mean_of_the_chunks_ends() -> None:
    mine = Encoder(clip())
    a, b, both = (mine.pooled(text) for text in ("cat", "a dog", "cat BREAK a dog"))
    assert both == pytest.approx((a + b) / 2, abs=1e-6)


# --- engines of fixed shapes --------------------------------------------------------------------------------------


def static(engine: str, module: Any, example: tuple[Tensor, ...], key: str) -> Any:
    """An engine that takes no other shapes than it was built for, as OpenVINO and CUDA graphs do."""
    built.append(tuple(tensor.shape for tensor in example))

    def run(*inputs: Tensor) -> Tensor:
        assert [tensor.shape for tensor in inputs] == [tensor.shape for tensor in example]
        return engines.build("eager", module, example, key)(*inputs)

    return run


built: list[Any] = []


def test_engines_of_fixed_shapes_are_built_for_each_length_and_off_the_loop() -> None:
    built.clear()
    eager = faithful_decoder(world(), steps=2, guidance=4.0, batch=1)
    decoder = Diffusion(Networks(world()), replace(eager.settings, engine="compile"), static)
    short, long = PROMPT, Prompt("a cat BREAK a dog", "ugly")
    assert not decoder.warm
    decoder(latents(1), short)
    assert decoder.warm
    assert (decoder.fits(short), decoder.fits(long)) == (True, False)
    decoder.fit(long)
    assert decoder.fits(long)
    count = len(built)
    assert torch.equal(decoder(latents(1), long), eager(latents(1), long))
    assert torch.equal(decoder(latents(1), short), eager(latents(1), short))
    assert len(built) == count  # both were there
    assert decoder.variant(replace(decoder.settings, steps=3)).fits(long)
    assert eager.fits(long)


def test_the_last_few_engines_are_kept() -> None:
    built.clear()
    eager = faithful_decoder(world(), steps=1, guidance=1.0, batch=1)
    decoder = Diffusion(Networks(world()), replace(eager.settings, engine="compile"), static)
    texts = [Prompt(" BREAK ".join(["a"] * count)) for count in range(1, KEPT + 2)]
    for prompt in texts:
        decoder.fit(prompt)
    assert [decoder.fits(prompt) for prompt in texts] == [False] + [True] * KEPT


# --- other readers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "reader"), [("flux-dev", "T5"), ("sd3", "T5"), ("z-image", "language model")])
def test_what_takes_no_weights_says_so_and_reads_the_words(kind: str, reader: str) -> None:
    text = worlds.load(tiny_flow.world(kind)).text
    with pytest.warns(PromptSyntax, match=rf"{reader} takes no weights: '\(cat:1.3\)' is read as it is written"):
        text("a (cat:1.3)")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text("a cat (the black one) [sic]")


# --- in a show -----------------------------------------------------------------------------------------------------


class Slow(Decoder):
    """Has engines for the texts it was fitted for."""

    fitted: tuple[str, ...] = ("a cat",)
    fails: bool = False

    def fits(self, prompt: Prompt) -> bool:
        return prompt.toward[0][0] in self.fitted

    def fit(self, prompt: Prompt) -> None:
        if self.fails:
            raise RuntimeError("no compiler\nhere")
        self.fitted += (prompt.toward[0][0],)


def controlled(decoder: Slow) -> tuple[PromptControl, PromptEncoder, list[str], Any]:
    faults: list[str] = []
    encoder = PromptEncoder(faults.append)
    own = PromptSpec(positive="a cat", negative="")
    control = PromptControl(encoder, PromptControlState.at(own))
    studio = SimpleNamespace(decoder=decoder, scout=decoder)

    def tick(text: str) -> str:
        control(LoopControls.of({"prompt.a": text, "prompt.fade": 0.0}), studio, own, 0.1)  # type: ignore[arg-type]
        return control.prompt.positive

    return control, encoder, faults, tick


def test_the_text_before_stands_until_an_engine_for_the_new_length_is_built() -> None:
    decoder = Slow()
    _, encoder, faults, tick = controlled(decoder)
    assert [tick("a dog BREAK a sea") for _ in range(3)] == ["a cat"] * 3 or "a dog BREAK a sea" in decoder.fitted
    assert encoder.drain(20.0)
    assert tick("a dog BREAK a sea") == "a dog BREAK a sea"
    assert decoder.fitted == ("a cat", "a dog BREAK a sea")  # once
    assert faults == []
    encoder.close()


def test_an_engine_that_cannot_be_built_leaves_the_text_before_and_is_told_once() -> None:
    decoder = Slow()
    decoder.fails = True
    _, encoder, faults, tick = controlled(decoder)
    for _ in range(3):
        assert tick("a dog BREAK a sea") == "a cat"
        assert encoder.drain(20.0)
    assert len(faults) == 1
    assert "use a shorter one" in faults[0]
    assert "\n" not in faults[0]
    encoder.close()


def test_what_is_typed_badly_is_told_to_whoever_plays() -> None:
    faults: list[str] = []
    encoder = PromptEncoder(faults.append)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encoder.type(Encoder(clip()), ["a (cat"])
        assert encoder.drain(20.0)
    assert faults == [r"a ( is never closed: all that follows is stronger; write \( for the sign"]
    encoder.close()


def test_a_decoder_that_was_built_for_a_shorter_text_is_built_on() -> None:
    play = Play(journey=JOURNEY, studio=studio())
    values = {"model.decoder": "faithful"}
    play.ticks(1, values)
    (order,) = play.bench.orders
    shorter = Slow()
    shorter.fitted = ()
    play.bench.done = Built(order, replace(studio(), decoder=shorter), 0.01)  # a longer text came meanwhile
    assert len(play.ticks(2, values)) == 2
    assert play.bench.orders == [order, order]
    assert play.model.studio.settings.kind == "scout"
    play.bench.done = Built(order, studio().variant(order.settings), 0.01)
    play.ticks(1, values)
    assert play.model.studio.settings == order.settings
