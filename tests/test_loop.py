"""The page that film and show share: clock, mailbox, order of things, and what holds when a part fails."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Semaphore, Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.film import PLANE, Decoder, Pilot, batch_of, roll

from installation.clock import CountedClock
from installation.control.controls import LoopControls
from installation.control.mailbox import Mailbox
from installation.control.parameter import Parameter, checked
from installation.control.parameters import loop_table
from installation.film.sinks import Memory, Sinks
from installation.frames import Frames, develop, digest, digests
from latentworld import walks
from latentworld.errors import Cancelled, GeometryError, OutOfMemory


@given(st.integers(1, 200), st.integers(1, 40), st.floats(0.5, 120))
def test_the_clock_deals_every_frame_once_in_batches(frames: int, batch: int, fps: float) -> None:
    ticks = list(CountedClock(frames, fps, batch))
    index = np.concatenate([tick.index for tick in ticks])
    assert index.tolist() == list(range(frames))
    assert {len(tick) for tick in ticks[:-1]} <= {batch}
    np.testing.assert_array_equal(np.concatenate([tick.time for tick in ticks]), index / fps)


def test_the_latest_value_wins_and_a_press_lasts_until_it_is_collected() -> None:
    mailbox = Mailbox()
    assert mailbox.latest() == LoopControls()
    mailbox.set({"walk.speed": 1.0}, stamp=5.0)
    mailbox.set({"walk.speed": 2.0, "rift.attraction": -0.5}, stamp=4.0)
    mailbox.press("walk.jump")
    latest = mailbox.latest()
    assert (latest.speed, latest.attraction, latest.walk.jump, latest.stamp) == (2.0, -0.5, True, 5.0)
    assert mailbox.latest() == replace(latest, walk=replace(latest.walk, jump=False))
    mailbox.set({"walk.speed": None})
    assert mailbox.latest().speed is None


def test_no_press_is_lost_between_threads() -> None:
    mailbox, seen = Mailbox(), Semaphore(0)

    def press() -> None:
        for _ in range(500):
            mailbox.press("walk.jump")
            assert seen.acquire(timeout=10.0)  # the next press is of another tick

    thread, found = Thread(target=press), 0
    thread.start()
    while thread.is_alive():
        if mailbox.latest().walk.jump:
            found += 1
            seen.release()
    assert found == 500


ROWS = {name: row for name, row in loop_table().items() if row.access != "r" and row.kind != "trigger"}
OTHER: dict[str, Any] = {"bool": False, "point": (1.0, -2.5), "text": "sea"}


@given(st.dictionaries(st.sampled_from(sorted(ROWS)), st.floats(0.0, 1.0)))
def test_controls_that_another_process_is_given_are_the_same(places: dict[str, float]) -> None:
    values = {name: _put(ROWS[name], x) for name, x in places.items()}
    controls = LoopControls.of(values, ("walk.jump",), 3.0)
    there = checked(ROWS, json.loads(json.dumps(controls.values())), pytest.fail)
    again = LoopControls.of(there, (), 3.0)
    assert again == replace(controls, walk=replace(controls.walk, jump=False))
    assert controls.values() == {name: value for name, value in values.items() if value != ROWS[name].default}


def _put(row: Parameter, x: float) -> Any:
    if row.numeric:
        return row.real(x)
    return row.choices[int(x * (len(row.choices) - 1))] if row.choices else OTHER[row.kind]


def test_a_film_starts_at_the_walks_start_and_repeats_nothing() -> None:
    memory = Memory()
    roll([memory], frames=11, batch=4)
    frames = memory.batches
    assert [len(batch) for batch in frames] == [4, 4, 3]
    start, _ = walks.build(walks.Orbit(), PLANE).ahead(0.0)
    np.testing.assert_array_equal(frames[0].path.unit[0], start[0])
    steps = np.concatenate([batch.rates.distance for batch in frames])
    assert np.isnan(steps[0])
    np.testing.assert_allclose(steps[1:], 0.05, rtol=1e-3)
    assert len({picture.tobytes() for picture in memory.pictures}) == 11


@pytest.mark.parametrize("batch", [1, 3, 5, 50])
def test_frames_do_not_depend_on_the_batch(batch: int) -> None:
    one, other = Memory(), Memory()
    roll([one], frames=13, batch=4)
    roll([other], frames=13, batch=batch)
    assert np.abs(one.pictures.astype(int) - other.pictures).max() <= 1  # places differ in their last bits
    assert len(other.pictures) == 13


def test_the_pilot_hears_rates_controls_and_the_size_of_the_next_tick() -> None:
    pilot, mailbox = Pilot(), Mailbox()
    mailbox.set({"walk.speed": 3.0})
    mailbox.press("walk.jump")
    roll([], frames=9, batch=4, pilot=pilot, mailbox=mailbox)
    assert [n for _, _, n in pilot.told] == [3, 4, 1]  # the first frame is the start itself
    assert pilot.told[0][0] is None
    assert len(pilot.told[1][0]) == 4
    assert [controls.speed for _, controls, _ in pilot.told] == [3.0] * 3
    assert [controls.walk.jump for _, controls, _ in pilot.told] == [True, False, False]


FAULTS = [OutOfMemory("no"), Cancelled("stop"), KeyboardInterrupt(), RuntimeError("bug")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_decoder_that_fails_midway_leaves_what_was_made(fault: BaseException) -> None:
    memory = Memory()
    with pytest.raises(type(fault)):
        roll([memory], decoder=Decoder(fault, at=3))
    assert len(memory.pictures) == 8
    assert not memory.open


class Failing(Memory):
    """Fails at its second batch."""

    def send(self, frames: Frames) -> None:
        super().send(frames)
        if len(self.batches) == 2:
            raise OSError("gone")


def test_a_sink_that_fails_closes_the_others() -> None:
    before, failing, after = Memory(), Failing(), Memory()
    with pytest.raises(OSError, match="gone"):
        roll([before, failing, after])
    assert (before.open, failing.open, after.open) == (False, False, False)
    assert (len(before.batches), len(after.batches)) == (2, 1)


def test_a_sink_that_does_not_open_closes_those_that_did() -> None:
    class Shut(Memory):
        def __enter__(self) -> Shut:
            raise OSError("no such place")

    first = Memory()
    with pytest.raises(OSError, match="no such place"), Sinks([first, Shut()]):
        pass
    assert not first.open


def test_a_pilot_that_stands_still_is_refused() -> None:
    with pytest.raises(GeometryError, match="zero-length"):
        roll([Memory()], pilot=Pilot(stride=0.0))


@pytest.mark.parametrize("size", [(2, 3), (300, 300)])
def test_digests_of_a_batch_are_those_of_its_pictures(size: tuple[int, int]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, *size, 3), dtype=np.uint8)
    assert digests(pictures) == tuple(digest(picture) for picture in pictures)
    assert digests(pictures[:0]) == ()


def test_pictures_become_bytes_by_rounding() -> None:
    import torch

    levels = torch.arange(256) / 255
    made = develop(levels.repeat(3, 1)[None, :, None, :])
    assert made.shape == (1, 1, 256, 3)
    assert made[0, 0, :, 0].tolist() == list(range(256))
    assert develop(torch.full((1, 3, 2, 2), 0.9999))[0, 0, 0, 0] == 255
    assert batch_of(3).pictures.dtype == made.dtype
