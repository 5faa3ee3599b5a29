"""From a prompt to bytes on an accelerator: nothing is left behind, nothing is waited for, one copy comes down a batch.

There is no accelerator where these tests run. A stand-in (standins/device.py) computes as a processor does and refuses
what a card would refuse or make wait; the first tests hold it to that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from standins import tiny_flow, tiny_world, tiny_xl
from standins.decoders import PROMPT
from standins.device import DEVICE, NONSENSE, Accelerator, Refused
from torch import Tensor

from installation import loop
from installation.atlas.rendering import renderer
from installation.clock import CountedClock
from installation.control.controls import LoopControls
from installation.frames import Frames, develop, felt, see
from installation.loop import Scene
from installation.render.guard import Attentive, Guard, Guarded
from installation.studio import lookout
from installation.takes.composed import Blend, Composed
from latentworld import vertices, walks, worlds
from latentworld.decoding import Cached, Decoder, Watched, faithful_decoder, scout_decoder, torch_engines
from latentworld.decoding.hold import Hold
from latentworld.decoding.samplers import SAMPLERS
from latentworld.decoding.settings import HoldSettings
from latentworld.device import choose
from latentworld.errors import NotFinite
from latentworld.plane import Path as Places
from latentworld.plane import Plane
from latentworld.transfer import AHEAD, Pace, landed, uploaded
from latentworld.vision import clip_eye
from latentworld.vision.clip import ClipEye
from latentworld.walks import Steering
from latentworld.worlds import World

pytestmark = [pytest.mark.usefixtures("own_cache"), pytest.mark.filterwarnings("ignore")]
BATCH = 2
KINDS: dict[str, Callable[[], Path]] = {
    "sd": lambda: tiny_world.folder("embedded"),
    "sdxl": lambda: tiny_xl.world(),
    "flux": lambda: tiny_flow.world("flux-dev"),
}


@contextmanager
def loading() -> Iterator[None]:
    """What happens once may be waited for."""
    with Accelerator() as accelerator, accelerator.lax():
        yield


@functools.cache
def world(kind: str, device: str = "cpu", dtype: str = "float32") -> World:
    with loading():
        return worlds.load(KINDS[kind](), device, dtype)


@functools.cache
def eye(device: str = "cpu", dtype: str = "float32") -> ClipEye:
    with loading():
        return clip_eye(None, world("sd", device, dtype), batch=BATCH, engine="eager")


def faithful(kind: str, device: str = "cpu", dtype: str = "float32") -> Decoder:
    return faithful_decoder(world(kind, device, dtype), steps=4, guidance=4.0, batch=BATCH)


def scene(decoder: Decoder, device: str = "cpu", dtype: str = "float32") -> Scene:
    plane = Plane(vertices.from_seeds((1, 2, 3), decoder.shape))
    return Scene(plane, decoder, eye(device, dtype), PROMPT)


def places(plane: Plane, n: int = BATCH, at: float = 0.2) -> Places:
    unit = plane.unit(np.linspace(at, at + 0.2, n), np.full(n, 0.3))
    return Places(np.arange(n), np.arange(n) / 24, unit, np.ones(n))


@pytest.fixture
def there() -> Iterator[Accelerator]:
    with Accelerator() as accelerator:
        yield accelerator


# --- the stand-in ------------------------------------------------------------------------------------------------


def _ones(*shape: int, **options: Any) -> Tensor:
    return torch.ones(*shape, device=DEVICE, **options)


SLIPS: dict[str, tuple[str, Callable[[], object]]] = {
    "left behind": ("lies on the processor", lambda: _ones(2) + torch.ones(2)),
    "a weight left behind": ("lies on the processor", lambda: torch.nn.Linear(2, 2)(_ones(1, 2))),
    "an index left behind": ("lies on the processor", lambda: _ones(3)[torch.tensor([0, 2])]),
    "two kinds of numbers": ("in one product", lambda: _ones(2, 2) @ _ones(2, 2, dtype=torch.float16)),
    "wide numbers": ("float64", lambda: _ones(1, 2, 2, dtype=torch.float64) * 2),
    "item": ("needs a number", lambda: _ones(1).item()),
    "float": ("needs a number", lambda: float(_ones(1))),
    "bool": ("needs a number", lambda: bool(_ones(1) > 0)),
    "if": ("needs a number", lambda: 1 if _ones(2).isfinite().all() else 0),
    "tolist": ("waits", lambda: _ones(2).tolist()),
    "numpy": ("of the device", lambda: _ones(2).numpy()),
    "cpu": ("a copy down that is waited for", lambda: _ones(2).cpu()),
    "to": ("a copy down that is waited for", lambda: _ones(2).to("cpu", non_blocking=True)),
    "copied down": ("not pinned", lambda: torch.empty(2).copy_(_ones(2))),
    "copied down, waited for": ("waited for", lambda: torch.empty(2, pin_memory=True).copy_(_ones(2))),
    "brought up": ("a copy up that is waited for", lambda: torch.ones(2).to(DEVICE, non_blocking=True)),
    "brought up, waited for": ("a copy up that is waited for", lambda: torch.ones(2).pin_memory().to(DEVICE)),
    "written up": ("a copy up that is waited for", lambda: torch.tensor([1.0, 2.0], device=DEVICE)),
    "a list": ("a copy up that is waited for", lambda: _ones(3)[[0, 2]]),
    "new_tensor": ("a copy up that is waited for", lambda: _ones(2).new_tensor([1.0])),
    "copied up": ("a copy up that is waited for", lambda: _ones(2).copy_(torch.ones(2))),
    "nonzero": ("needs a number", lambda: _ones(2).nonzero()),
    "a mask": ("needs a number", lambda: _ones(2)[_ones(2) > 0]),
    "unique": ("needs a number", lambda: _ones(2).unique()),
    "equal": ("needs a number", lambda: torch.equal(_ones(2), _ones(2))),
    "as many as it says": ("needs a number", lambda: _ones(2).repeat_interleave(_ones(2, dtype=torch.int64))),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_the_stand_in_catches_what_a_card_would_not_do(slip: str, there: Accelerator) -> None:
    why, run = SLIPS[slip]
    with pytest.raises(Refused, match=why):
        run()
    with torch.inference_mode(), pytest.raises(Refused, match=why):
        run()


def test_the_stand_in_computes_what_a_processor_does(there: Accelerator) -> None:
    weight = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    picture = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    up = [uploaded(each, DEVICE) for each in (picture, weight)]
    made = torch.nn.functional.conv2d(*up).mul_(2.0) + torch.tensor(0.5)  # a single number may be the processor's
    assert made.device == DEVICE
    assert torch.equal(landed(made)[0], torch.nn.functional.conv2d(picture, weight) * 2.0 + 0.5)
    assert there.count() == (1, 2, 1)


def test_what_comes_down_is_nonsense_until_it_is_waited_for(there: Accelerator) -> None:
    held = torch.empty(4, dtype=torch.uint8, pin_memory=True)
    held.copy_(_ones(4, dtype=torch.uint8), non_blocking=True)
    assert held.tolist() == [NONSENSE] * 4
    torch.get_device_module(DEVICE).current_stream(DEVICE).record_event().synchronize()
    assert held.tolist() == [1] * 4


# --- what moves tensors ------------------------------------------------------------------------------------------


def test_tensors_of_every_kind_come_down_by_one_copy(there: Accelerator) -> None:
    made = (torch.arange(5, dtype=torch.uint8), torch.tensor(True), torch.linspace(0, 1, 6).view(2, 3), torch.ones(0))
    made += (torch.arange(3, dtype=torch.float16), torch.arange(4)[::2])
    found = landed(*(uploaded(each, DEVICE) for each in made))
    assert there.down == there.waits == 1
    for mine, other in zip(found, made, strict=True):
        assert mine.dtype == other.dtype
        assert torch.equal(mine, other)


def test_on_a_processor_nothing_is_moved() -> None:
    z = torch.ones(2)
    assert landed(z)[0] is z
    assert uploaded(z, torch.device("cpu")) is z
    assert uploaded(z, torch.device("cpu"), torch.float16).dtype == torch.float16


def test_a_processor_runs_two_steps_ahead_and_no_further(there: Accelerator) -> None:
    pace, waits = Pace(DEVICE), []
    for _ in range(5):
        pace.step()
        waits.append(there.waits)
    assert waits == [0] * AHEAD + [1, 2, 3]
    Pace(torch.device("cpu")).step()
    assert there.waits == 3


def test_bytes_are_those_of_the_pipeline() -> None:
    pictures = torch.rand(3, 3, 7, 5, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    pictures[0, 0, 0] = (torch.arange(5) + 0.5) / 255  # halves go to the even one
    theirs = np.rint(pictures.numpy() * np.float32(255)).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    assert np.array_equal(develop(pictures), theirs)
    assert develop(pictures).flags.c_contiguous


# --- the live path -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_one_copy_comes_down_a_batch_and_nothing_is_waited_for(kind: str, there: Accelerator) -> None:
    with there.lax():  # texts are read once, and times brought there once
        ours = scene(faithful(kind, str(DEVICE)), str(DEVICE))
        ours.seen(places(ours.plane))
    there.count()
    seen = ours.seen(places(ours.plane, at=0.5))  # nothing here may be refused
    assert there.down == 1
    assert there.up == 1  # the latents
    other = scene(faithful(kind)).seen(places(ours.plane, at=0.5))
    assert np.abs(seen.pictures.astype(int) - other.pictures.astype(int)).max() <= 1
    assert torch.allclose(seen.features, other.features, atol=1e-4)
    assert seen.features.device.type == "cpu"
    assert seen.finite.tolist() == [True] * BATCH


def test_several_batches_of_a_tick_come_down_together(there: Accelerator) -> None:
    with there.lax():
        ours = scene(faithful("sd", str(DEVICE)), str(DEVICE))
        ours.seen(places(ours.plane))
    there.count()
    assert len(ours.seen(places(ours.plane, 5)).pictures) == 5
    assert (there.down, there.up) == (1, 3)


def test_a_picture_that_is_one_graph_needs_nothing_of_the_processor(
    there: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a capture forbids: within it nothing goes up or down, and nobody waits."""
    counted = []

    def captured(call: Callable[..., Tensor], example: tuple[Tensor, ...], engine: str) -> Callable[..., Tensor]:
        with there.lax():
            call(*example)  # warms up, as a capture wants it

        def run(*inputs: Tensor) -> Tensor:
            there.count()
            made = call(*inputs)
            counted.append(there.count())
            return made

        return run

    monkeypatch.setattr(torch_engines, "captured", captured)
    decoder = faithful("sd", str(DEVICE)).variant(replace(faithful("sd", str(DEVICE)).settings, engine="whole"))
    with there.lax():
        decoder.fit(PROMPT)
    ours = scene(decoder, str(DEVICE))
    with there.lax():
        ours.seen(places(ours.plane))
    seen = ours.seen(places(ours.plane, 5, at=0.5))
    assert set(counted) == {(0, 0, 0)}
    other = scene(faithful("sd")).seen(places(ours.plane, 5, at=0.5))
    assert np.abs(seen.pictures.astype(int) - other.pictures.astype(int)).max() <= 1


@pytest.mark.parametrize("name", ["student", "lcm", "tcd", "sana-sprint"])
def test_noise_between_steps_is_a_map_that_stays_there(name: str, there: Accelerator) -> None:
    def made(device: str) -> Decoder:
        if name == "sana-sprint":
            return scout_decoder(_sprint(device), steps=2, batch=BATCH)
        own = world("sd", device)
        found = own if name == "student" else replace(own, student=None, few_step="lcm")
        scout = scout_decoder(found, steps=3, batch=BATCH)
        return scout.variant(replace(scout.settings, sampler="tcd")) if name == "tcd" else scout

    with there.lax():
        decoder = made(str(DEVICE))
        ours = scene(decoder, str(DEVICE))
        ours.seen(places(ours.plane))
    there.count()
    seen = ours.seen(places(ours.plane, at=0.5))
    assert (there.down, there.up) == (1, 1)
    other = scene(made("cpu")).seen(places(ours.plane, at=0.5))
    assert np.abs(seen.pictures.astype(int) - other.pictures.astype(int)).max() <= 1


@pytest.mark.parametrize("name", [name for name, entry in SAMPLERS.items() if entry.noise == "diffusion"])
def test_every_sampler_stays_there(name: str, there: Accelerator) -> None:
    def made(device: str) -> Decoder:
        base = faithful("sd", device)
        return base.variant(replace(base.settings, sampler=name))

    with there.lax():
        decoder = made(str(DEVICE))
        ours = scene(decoder, str(DEVICE))
        ours.seen(places(ours.plane))
    other = scene(made("cpu")).seen(places(ours.plane, at=0.5))
    if name == "unipc":  # its library solves for coefficients where the sample lies: docs/gpu.md
        with pytest.raises(Refused, match="waited for"):
            ours.seen(places(ours.plane, at=0.5))
        with there.lax():
            seen = ours.seen(places(ours.plane, at=0.5))
    else:
        there.count()
        seen = ours.seen(places(ours.plane, at=0.5))
        assert (there.down, there.up) == (1, 1)
    assert np.abs(seen.pictures.astype(int) - other.pictures.astype(int)).max() <= 1


@functools.cache
def _sprint(device: str) -> World:
    with loading():
        return worlds.load(tiny_flow.world("sana-sprint"), device)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_slips_nowhere(kind: str, there: Accelerator) -> None:
    with there.lax():
        ours = scene(faithful(kind, str(DEVICE), "bfloat16"), str(DEVICE), "bfloat16")
        ours.seen(places(ours.plane))
    assert ours.seen(places(ours.plane, at=0.5)).features.dtype == torch.float32


def test_who_looks_ahead_brings_features_down_alone(there: Accelerator) -> None:
    with there.lax():
        decoder = faithful("sd", str(DEVICE))
        ours = scene(decoder, str(DEVICE))
        look = lookout(ours.plane, Cached(Watched(decoder, lambda done, total: True)), ours.eye, PROMPT)
        way = places(ours.plane, 3, at=0.5)
        look(way.unit, way.radius)
    there.count()
    found = look(way.unit, way.radius)  # remembered, where they lie
    assert there.count()[:2] == (1, 0)
    mine = scene(faithful("sd"))
    assert torch.allclose(found, lookout(ours.plane, mine.decoder, mine.eye, PROMPT)(way.unit, way.radius), atol=1e-4)


def test_a_decoder_that_is_not_told_to_stay_comes_down_by_one_copy_a_batch(there: Accelerator) -> None:
    decoder = faithful("sd", str(DEVICE))
    latents = torch.randn(4, *decoder.shape, generator=torch.Generator().manual_seed(0))
    with there.lax():
        decoder(latents[:1], PROMPT)
    there.count()
    pictures = decoder(latents, PROMPT)
    assert (pictures.device.type, there.down) == ("cpu", 2)
    with pytest.raises(NotFinite, match=r"the world .* in float32"):
        decoder(latents * torch.nan, PROMPT)
    assert decoder(latents[:0], PROMPT).shape == (0, 3, *decoder.size)
    assert decoder(latents[:0], PROMPT, stay=True).device == DEVICE


def test_a_hold_goes_along(there: Accelerator) -> None:
    decoder = faithful_decoder(world("sd", str(DEVICE)), steps=3, guidance=4.0, batch=BATCH)
    other = faithful_decoder(world("sd"), steps=3, guidance=4.0, batch=BATCH)
    latents = torch.randn(BATCH, *decoder.shape, generator=torch.Generator().manual_seed(0))
    details = np.full((1, *decoder.shape), 0.1, np.float16)
    hold = Hold(latents[:1].double().numpy(), HoldSettings("x", "y", "guidance", 30.0), details=details)
    with there.lax():
        holding = decoder.holding(hold)
        holding(latents, PROMPT, stay=True)
    made = landed(holding(latents, PROMPT, stay=True))[0]
    assert torch.allclose(made, other.holding(hold)(latents, PROMPT), atol=1e-4)


# --- numbers that are no picture ---------------------------------------------------------------------------------


class _Torn:
    """A decoder of the device some of whose rows are no picture."""

    def __init__(self, decoder: Decoder, rows: list[int]) -> None:
        self._decoder, self.rows = decoder, rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def __call__(self, *args: Any, **options: Any) -> Tensor:
        made = self._decoder(*args, **options).clone()
        for row in self.rows:
            made[row] = torch.nan
        return made


def test_a_film_ends_where_a_picture_is_none(there: Accelerator) -> None:
    with there.lax():
        ours = scene(_Torn(faithful("sd", str(DEVICE)), [1]), str(DEVICE))  # type: ignore[arg-type]
        way = places(ours.plane)
        with pytest.raises(NotFinite, match="no picture"):
            ours.seen(way)
        with pytest.raises(NotFinite, match="no picture"):
            lookout(ours.plane, ours.decoder, ours.eye, PROMPT)(way.unit, way.radius)


def test_a_show_goes_on_with_the_last_good_one_and_still_brings_down_once(there: Accelerator) -> None:
    def guarded(device: str, rows: list[int]) -> tuple[Guarded, _Torn]:
        torn = _Torn(faithful("sd", device), rows)
        guard, attentive = Guard(torn, lambda: True), Attentive(eye(device))  # type: ignore[arg-type]
        plane = Plane(vertices.from_seeds((1, 2, 3), torn.shape))
        return Guarded(plane, guard, attentive, PROMPT, guard, attentive), torn

    ours, torn = guarded(str(DEVICE), [0])
    with there.lax():
        first = ours.seen(places(ours.plane))
    assert (first.pictures[0] == 128).all()  # grey before any
    assert ours.guard.bad.tolist() == [True, False]
    torn.rows = [0, 1]
    there.count()
    second = ours.seen(places(ours.plane, at=0.5))
    assert there.down == 1
    assert ours.guard.bad.tolist() == [True, True]
    assert all(np.array_equal(picture, first.pictures[1]) for picture in second.pictures)
    assert np.array_equal(ours.attentive.last, np.asarray(second.features[-1], np.float64))
    torn.rows = []
    assert ours.seen(places(ours.plane)).finite.all()
    assert not ours.guard.bad.any()


# --- who asks ----------------------------------------------------------------------------------------------------


def test_the_loop_waits_once_a_tick(there: Accelerator) -> None:
    with there.lax():
        ours = scene(faithful("sd", str(DEVICE)), str(DEVICE))
        ours.seen(places(ours.plane))
    frames: list[Frames] = []
    outlet = SimpleNamespace(send=frames.append)
    inbox = SimpleNamespace(latest=LoopControls)
    walk, clock = walks.build(walks.Orbit(), ours.plane), CountedClock(6, 24.0, BATCH)

    def straight(walk: Any, rates: Any, controls: Any, n: int) -> Steering:
        return Steering(0.0, 0.01 * np.arange(1, n + 1), np.zeros(n, np.bool_))

    there.count()
    loop.run(clock, inbox, walk, loop.fixed(ours), straight, outlet)
    assert sum(map(len, frames)) == 6
    assert there.down == len(frames) == 3
    assert np.isfinite(np.concatenate([each.rates.rate for each in frames])[1:]).all()


def test_a_survey_brings_features_and_pictures_down_together(there: Accelerator) -> None:
    with there.lax():
        ours = scene(faithful("sd", str(DEVICE)), str(DEVICE))
        studio = SimpleNamespace(plane=ours.plane, prompt=PROMPT, eye=ours.eye)
        render = renderer(studio, ours.decoder, 16)  # type: ignore[arg-type]
        way = places(ours.plane, 3)
        render(way.unit, way.radius)
    there.count()
    assert render(way.unit, way.radius).thumbs.shape == (3, 16, 16, 3)
    assert there.down == 1


@pytest.mark.parametrize("how", ["dissolve", "between"])
def test_frames_are_blended_where_they_lie(how: Any, there: Accelerator) -> None:
    def blended(device: str) -> Composed:
        own = scene(faithful("sd", device), device)
        return Composed(own.plane, own.decoder, own.eye, PROMPT, {1: Blend(how, own.plane.unit(0.6, 0.2), 1.0, 0.5)})

    with there.lax():
        ours = blended(str(DEVICE))
        ours.seen(places(ours.plane))
    there.count()
    seen = ours.seen(places(ours.plane))
    assert there.down == (1 if how == "dissolve" else 2)  # optical flow is the processor's
    other = blended("cpu").seen(places(ours.plane))
    assert np.abs(seen.pictures.astype(int) - other.pictures.astype(int)).max() <= 1


def test_looking_needs_no_device() -> None:
    pictures, features = torch.rand(2, 3, 4, 4), torch.rand(2, 5)
    seen = see(pictures, features)
    assert seen.features is features
    assert seen.finite.all()
    assert felt(pictures, features) is features


# --- which device ------------------------------------------------------------------------------------------------


def test_auto_takes_the_accelerator_that_torch_has(monkeypatch: pytest.MonkeyPatch) -> None:
    has = dict.fromkeys(("cuda", "xpu", "mps"), False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has["cuda"])
    monkeypatch.setattr(torch.xpu, "is_available", lambda: has["xpu"])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: has["mps"])
    monkeypatch.setattr(torch.xpu, "mem_get_info", lambda device: (8 * 10**9, 0))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 * 10**9, 0))
    assert choose().device == "cpu"
    has["mps"] = True
    assert (choose().device, choose().dtype, choose().batch) == ("mps", "float32", 2)
    has["xpu"] = True
    assert (choose().device, choose().dtype, choose().batch) == ("xpu", "float16", 4)
    has["cuda"] = True
    assert choose().device == "cuda"
