"""The parts of the renderer that need networks, on a tiny random world: variants, the builder, memory, texts."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from standins.film import Decoder
from standins.studio import JOURNEY, PATIENCE, studio
from test_render_director import Play, places

from installation.ipc.messages import Tick
from installation.render.builder import LAG, Builder, Built, PromptEncoder, fitting, warm
from installation.render.guard import Guard
from installation.render.live_preset import performed
from installation.rig import open_studio
from installation.studio import Studio
from latentworld import preset
from latentworld.decoding import DecoderSettings
from latentworld.decoding.batches import check_pictures
from latentworld.errors import Cancelled, OutOfMemory
from latentworld.prompts import Prompt


def start(n: int = 1) -> torch.Tensor:
    plane = studio().plane
    return plane.latents(plane.unit(np.linspace(0, 1, n), np.zeros(n)))


# --- variants and the builder -----------------------------------------------------------------------------------


def test_a_show_on_a_processor_begins_with_the_scout_one_picture_at_a_time() -> None:
    settings = studio().settings
    assert (settings.kind, settings.batch, settings.guidance) == ("scout", 1, 1.0)
    assert performed(preset.load("analytic")).decoder.kind == "analytic"
    asked = preset.load("first-light", ["show.decoder=faithful", "show.batch=3"])
    assert (performed(asked).decoder.kind, performed(asked).decoder.batch) == ("faithful", 3)


@pytest.mark.parametrize("asked", [("faithful", 3, 4.0, 1), ("faithful", 2, 1.0, 2), ("scout", 2, 1.0, 2)], ids=str)
def test_a_variant_makes_the_pictures_a_studio_of_its_own_makes(asked: tuple[str, int, float, int]) -> None:
    kind, steps, guidance, batch = asked
    wanted = replace(studio().own[kind], steps=steps, guidance=guidance, batch=batch)  # type: ignore[index]
    made = studio().variant(wanted)
    assert made.settings == wanted
    key = "scout_steps" if kind == "scout" else "steps"
    settings = {"kind": kind, key: steps, "batch": batch} | ({"guidance": guidance} if kind == "faithful" else {})
    own = open_studio(JOURNEY.changed(decoder=settings))
    assert preset.dump(made.document) == preset.dump(own.document)
    assert made.decoder.profile == own.decoder.profile
    prompt = Prompt("a dog", "ugly")
    assert torch.equal(made.decoder(start(2), prompt), own.decoder(start(2), prompt))
    assert torch.equal(made.eye(made.decoder(start(2), prompt)), own.eye(own.decoder(start(2), prompt)))
    assert made.decoder.texts is studio().decoder.texts  # texts once encoded are known


def test_what_is_ordered_comes_warm_and_is_swapped_between_two_ticks() -> None:
    builder = Builder(performed(JOURNEY), lambda: 0.0)
    play = Play(journey=JOURNEY, studio=studio())
    play.model._builder = builder
    gate, true = threading.Event(), builder.build
    builder.build = lambda *order: (gate.wait(PATIENCE), true(*order))[1]  # type: ignore[method-assign, assignment]
    values = {"model.decoder": "faithful", "model.batch": 2}
    assert len(play.ticks(3, values)) == 3  # the show goes on meanwhile
    assert play.model.studio.settings.kind == "scout"
    gate.set()
    for _ in range(600):
        if play.model.studio.settings.kind == "faithful":
            break
        builder._thread.join(0.02)
        play.ticks(1, values)
    assert play.model.studio.decoder.warm  # type: ignore[attr-defined]
    assert play.model.studio.settings == replace(studio().own["faithful"], batch=2)
    assert [len(tick.index) for tick in play.ticks(2, values)] == [2, 2]
    index = [number for tick in play.told(Tick) for number in tick.index]
    assert index == list(range(len(index)))  # not one was left out
    play.ticks(1, values | {"model.guidance": 9.0, "model.steps": 2})  # at once: the engines fit
    assert (play.model.studio.settings.guidance, play.model.studio.settings.steps) == (9.0, 2)
    assert play.faults == []
    builder.close()


def test_what_must_be_built_is_ordered_once_and_used_when_it_is_there() -> None:
    play = Play(journey=JOURNEY, studio=studio())
    play.ticks(3, {"model.decoder": "faithful"})
    assert [order.settings.kind for order in play.bench.orders] == ["faithful"]
    assert play.model.studio.settings.kind == "scout"
    values = {"model.decoder": "faithful", "model.steps": 2}
    play.ticks(1, values)
    first, second = play.bench.orders
    play.bench.done = Built(first, studio().variant(first.settings), 0.01)
    play.ticks(1, values)  # something else was asked for while that was built: it is not used
    assert play.model.studio.settings.kind == "scout"
    play.bench.finish()
    play.ticks(1, values)
    assert play.model.studio.settings == second.settings
    assert len(play.bench.orders) == 2
    assert play.faults == []


def test_a_preset_with_many_steps_is_no_order_for_the_scout() -> None:
    play = Play(journey=JOURNEY, studio=studio())
    play.ticks(1, {"model.steps": 50})
    assert play.model.studio.settings == studio().settings
    play.ticks(1, {"model.steps": 2})
    assert play.model.studio.settings.steps == 2


def test_a_world_that_is_not_there_leaves_the_show_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    builder = Builder(performed(JOURNEY), lambda: 0.0)
    play = Play(journey=JOURNEY, studio=studio())
    play.model._builder = builder
    for _ in range(600):
        play.ticks(1, {"model.world": "nowhere/at-all"})
        builder._thread.join(0.02)
        if play.faults:
            break
    play.ticks(3, {"model.world": "nowhere/at-all"})
    assert len(play.faults) == 1
    assert play.faults[0].endswith("the show goes on as it was")
    assert play.model.studio.world == studio().world
    assert play.values == {"model.world": studio().preset.world.name}, "the desk shows the one that is played"
    builder.close()


def test_the_batch_is_the_largest_that_latency_allows_and_that_pays() -> None:
    class Timed:
        """Between one look at it and the next, the time that a batch takes."""

        def __init__(self, costs: dict[int, float]) -> None:
            self.costs, self.batch, self.calls = costs, 1, 0

        def __call__(self) -> float:
            self.calls += 1
            return self.costs[self.batch] * (self.calls % 2 == 0)

    def chosen(costs: dict[int, float], latency: float) -> int:
        clock, real = Timed(costs), Studio.variant

        def followed(found: Studio, settings: DecoderSettings) -> Studio:
            clock.batch = settings.batch
            return real(found, settings)

        patch = pytest.MonkeyPatch()
        patch.setattr(Studio, "variant", followed)
        try:
            return fitting(studio().variant(studio().settings), studio().prompt, latency, clock)[0].settings.batch
        finally:
            patch.undo()

    gpu = {1: 0.010, 2: 0.012, 4: 0.016, 8: 0.024, 16: 0.040}
    assert chosen(gpu, 0.25) == 16
    assert chosen(gpu, LAG * 0.025) == 8  # sixteen would be late
    assert chosen({1: 0.06, 2: 0.12, 4: 0.24}, 10.0) == 1  # two at a time gain nothing
    assert chosen({1: 0.2, 2: 0.3}, 0.25) == 1


def test_another_world_takes_over_between_two_ticks_whatever_its_eye() -> None:
    class Sharp:
        """Another world's eye, with features of another length."""

        dimension = 5

        def batched(self, batch: int) -> Sharp:
            return self

        def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
            return pictures.flatten(1)[:, :5]

    def opened(journey: Any) -> Studio:
        assert journey.world.name == "elsewhere"
        assert journey.decoder.steps is None  # its card decides
        return replace(studio(), preset=journey.changed(decoder=studio().preset.decoder), eye=Sharp())

    builder = Builder(performed(JOURNEY), lambda: 0.0, opened)
    play = Play(journey=JOURNEY, studio=studio())
    play.model._builder = builder
    play.ticks(3)
    ticks = [play.ticks(1, {"model.world": "elsewhere"})[0]]
    while play.scenes()[-1].world.name != "elsewhere":
        builder._thread.join(0.02)
        assert len(ticks) < 600
        ticks += play.ticks(2, {"model.world": "elsewhere"})
    assert play.faults == []
    assert play.model.eye.last is not None
    assert len(play.model.eye.last) == 5
    gaps = np.linalg.norm(np.diff(places(play.told(Tick))[:, :3], axis=0), axis=1)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-6)  # the walk goes on
    builder.close()


# --- faults ------------------------------------------------------------------------------------------------------


def test_out_of_memory_is_answered_by_a_smaller_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    four = warm(studio().variant(replace(studio().settings, batch=4)), studio().prompt, lambda: 0.0)[0]
    play = Play(journey=JOURNEY, studio=four)
    assert [len(tick.index) for tick in play.ticks(2)] == [4, 4]
    true = four.decoder._picture  # type: ignore[attr-defined]

    def full(latents: torch.Tensor, *rest: Any) -> Any:
        if len(latents) > 2:
            raise RuntimeError("CUDA out of memory")
        return true(latents, *rest)

    monkeypatch.setattr(four.decoder, "_picture", full)
    assert [len(tick.index) for tick in play.ticks(3)] == [4, 4, 2]  # the second was dealt already
    assert play.values == {"model.batch": 2}
    assert play.faults == ["memory ran out: 2 pictures at a time from now on"]
    index = [number for tick in play.told(Tick) for number in tick.index]
    assert index == list(range(18))
    assert [len(tick.index) for tick in play.ticks(1, {"model.batch": 8})] == [2]  # not tried again


def test_not_even_one_picture_fits_so_the_scout_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    faithful = studio().variant(studio().own["faithful"])
    play = Play(journey=JOURNEY, studio=warm(faithful, studio().prompt, lambda: 0.0)[0])
    monkeypatch.setattr(play.model.studio.decoder, "_picture", lambda *rest: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(OutOfMemory):
        play.ticks(1)
    assert play.director.lighten()
    assert len(play.ticks(3)) == 3
    assert play.values == {"model.decoder": "scout"}
    assert not play.director.lighten()


def test_the_guard_holds_the_last_good_picture_and_cancels() -> None:
    class Given(Decoder):
        def __call__(self, latents: Any, prompt: Any, watch: Any = None, *, stay: bool = False) -> torch.Tensor:
            if not watch(1, 2):
                raise Cancelled("as asked")
            pictures = latents[:, :1, :1, :1].expand(-1, 3, *self.size)
            check_pictures(pictures, "it", "try another")
            return pictures

    def marked(*values: float) -> torch.Tensor:
        return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 4, 2, 2)

    alive = [True]
    guard = Guard(Given(), lambda: alive[0])
    assert guard(marked(math.nan), Prompt()).mean() == 0.5  # grey before there was one
    assert guard(marked(0.25, 0.25), Prompt()).mean() == 0.25
    assert not guard.bad.any()
    second = guard(marked(math.nan, 0.75, math.inf), Prompt())
    assert guard.bad.tolist() == [True, False, True]
    assert second.mean(dim=(1, 2, 3)).tolist() == [0.25, 0.75, 0.75]
    alive[0] = False
    with pytest.raises(Cancelled):
        guard(marked(0.25), Prompt())


# --- texts -------------------------------------------------------------------------------------------------------


def test_texts_are_encoded_off_the_loop_and_faded_to() -> None:
    play = Play(journey=JOURNEY, studio=studio())
    encoder, here = studio().decoder.texts, threading.get_ident()
    play.ticks(1)  # the preset's own texts are encoded before
    text = "a high mountain"  # of this test alone: the studio is shared, and its encoder remembers
    true, made = encoder.read, []

    def told(new: str) -> Any:
        made.append((new, threading.get_ident()))
        return true(new)

    encoder.read = told
    try:
        for _ in range(20):
            play.ticks(1, {"prompt.a": text, "prompt.fade": 0.5})
            assert play.director.scene_control.prompt._encoder.drain(PATIENCE)
    finally:
        encoder.read = true
    assert [new for new, _ in made] == [text]
    assert made[0][1] != here
    assert play.scenes()[-1].prompt.toward == ((text, 1.0),)
    shares = [dict(scene.prompt.toward).get(text, 0.0) for scene in play.scenes()]
    assert shares == sorted(shares)
    assert len(shares) > 3


def test_a_text_that_cannot_be_encoded_is_told() -> None:
    class Broken:
        def text(self, text: str) -> None:
            raise RuntimeError("no such glyph")

    faults: list[str] = []
    prompt_encoder = PromptEncoder(faults.append)
    prompt_encoder.type(Broken(), ["x"])
    prompt_encoder.drain(PATIENCE)
    assert faults == ["the text 'x' could not be encoded (no such glyph); use another"]
    prompt_encoder.close()
