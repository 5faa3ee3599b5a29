"""The play head: even motion from uneven pictures, no more behind than batches cost, and no jump whatever happens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from installation.stage.playout import FADE, HOLD, Playout

RATE = 10.0  # pictures a second


@dataclass(frozen=True)
class Run:
    """One row a presentation."""

    now: NDArray[np.float64]
    newest: NDArray[np.int64]
    older: NDArray[np.int64]
    newer: NDArray[np.int64]
    weight: NDArray[np.float64]

    @property
    def head(self) -> NDArray[np.float64]:
        return self.older + self.weight * (self.newer - self.older)

    def speed(self, rate: float) -> NDArray[np.float64]:
        """Of the head, 1 where it is the rate of production."""
        return np.diff(self.head) / np.diff(self.now) / rate

    def since(self, moment: float) -> Run:
        late = self.now >= moment
        return Run(*(part[late] for part in (self.now, self.newest, self.older, self.newer, self.weight)))


def arrivals(
    seconds: float, batch: int = 1, rate: float = RATE, jitter: float = 0.0, start: float = 0.5, seed: int = 0
) -> list[float]:
    """When each picture comes: batches of them, up to `jitter` of a batch's time early or late."""
    random, made = Random(seed), []
    for number in range(int((seconds - start) * rate / batch)):
        late = random.uniform(-jitter, jitter) * batch / rate
        made += [max(start + number * batch / rate + late, made[-1] if made else 0.0)] * batch
    return made


def play(
    came: list[float], seconds: float, hz: float = 30.0, told: float = 1 / RATE, phase: float = 0.013,
    playout: Playout | None = None,
) -> Run:  # fmt: skip
    playout = playout or Playout()
    moments = np.arange(0, seconds, 1 / hz) + phase
    newest = np.searchsorted(np.array(came), moments, side="right")
    rows = [playout.at(now, int(n), told) for now, n in zip(moments, newest, strict=True)]
    older, newer, weight = (np.array(column) for column in zip(*rows, strict=True))
    return Run(moments, newest, older, newer, weight)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0.0, 1.5), st.integers(1, 40)), max_size=60),
    st.lists(st.floats(0.001, 0.8), min_size=1, max_size=8),
    st.one_of(st.floats(0.001, 2.0), st.sampled_from([0.0, -1.0, math.nan, math.inf, 1e-300, 1e300])),
)
def test_whatever_comes_whenever_the_head_goes_on_and_never_past_the_newest(
    batches: list[tuple[float, int]], steps: list[float], told: float
) -> None:
    moments = np.cumsum([0.0] + [gap for gap, _ in batches])
    counts = np.cumsum([0] + [count for _, count in batches])
    playout, now, head = Playout(), 0.0, 0.0
    for i in range(300):
        now += steps[i % len(steps)]
        newest = int(counts[np.searchsorted(moments, now, side="right") - 1])
        older, newer, weight = playout.at(now, newest, told)
        assert 0 <= older <= newer <= newest
        assert 0 <= weight <= 1
        assert older + weight * (newer - older) >= head - 1e-9
        head = older + weight * (newer - older)
        assert math.isclose(head, playout.head)


@pytest.mark.parametrize("batch", range(1, 9))
@pytest.mark.parametrize("hz", [24.0, 30.0, 59.94, 144.0])
def test_motion_is_even_whatever_the_batches(batch: int, hz: float) -> None:
    run = play(arrivals(60, batch), 58, hz).since(20)
    assert np.abs(run.speed(RATE) - 1).max() < 0.1
    assert run.newest[-1] > 500


@pytest.mark.parametrize("batch", range(1, 9))
def test_no_more_is_kept_waiting_than_batches_cost(batch: int) -> None:
    run = play(arrivals(60, batch), 58).since(20)
    behind = run.newest - run.head
    assert behind.max() < batch + 0.6  # a whole batch, a margin, and one presentation (a third of a picture) of knowing
    assert behind.min() > 0


@pytest.mark.parametrize("rate", [10.0, 15.0, 20.0, 30.0])
def test_half_of_a_picture_is_on_the_wall_within_a_period_and_two_presentations(rate: float) -> None:
    came = np.array(arrivals(60, rate=rate, jitter=0.2))
    run = play(list(came), 58, told=1 / rate)
    shown = np.where(run.weight >= 0.5, run.newer, run.older)
    first = np.searchsorted(np.maximum.accumulate(shown), np.arange(1, len(came) + 1))
    seen = (came > 20) & (first < len(run.now))
    late = run.now[first[seen]] - came[seen]
    assert np.median(late) < 1 / rate + 1 / 30
    assert np.quantile(late, 0.99) < 1.6 / rate + 2 / 30


@pytest.mark.parametrize(("batch", "jitter"), [(1, 0.5), (2, 0.2), (2, 0.4), (4, 0.1), (4, 0.2)])
def test_jitter_is_absorbed_by_pictures_kept_waiting(batch: int, jitter: float) -> None:
    shares = []
    for seed in range(8):
        run = play(arrivals(90, batch, jitter=jitter, seed=seed), 88).since(30)
        speed = run.speed(RATE)
        shares.append((speed < 0.5).mean())
        assert speed.max() < 1.35
        assert (run.newest - run.head).mean() < batch + 1 + 2 * jitter * batch
    assert np.mean(shares) < 0.012  # of presentations that stand still or nearly so


@pytest.mark.parametrize("told", [0.05, 0.08, 0.125, 0.25, math.nan, 0.0])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_rate_that_was_told_wrongly_is_found_out(told: float, batch: int) -> None:
    run = play(arrivals(60, batch), 58, told=told).since(25)
    assert np.abs(run.speed(RATE) - 1).max() < 0.1
    assert (run.newest - run.head).max() < batch + 1


@pytest.mark.parametrize(("before", "after"), [(10.0, 20.0), (20.0, 5.0)])
def test_a_new_rate_is_taken_up(before: float, after: float) -> None:
    came = [*arrivals(30, 2, before), *arrivals(70, 2, after, start=30.0)]
    playout, moments = Playout(), np.arange(0, 69, 1 / 30) + 0.013
    newest = np.searchsorted(came, moments, side="right")
    heads = []
    for now, count in zip(moments, newest, strict=True):
        playout.at(now, int(count), 1 / (before if now < 30 else after))
        heads.append(playout.head)
    speed = np.diff(heads) * 30 / after
    assert np.abs(speed[moments[1:] > 45] - 1).max() < 0.06
    assert (newest - heads)[moments > 45].max() < 3


def test_a_picture_that_was_too_late_once_is_forgotten() -> None:
    came = arrivals(90, 2)
    hitch = [when + 0.4 if 20 <= when < 21 else when for when in came]
    kept, usual = (play(sorted(times), 88) for times in (hitch, came))
    more = kept.head - usual.head
    assert more[(kept.now > 20.5) & (kept.now < 23)].min() < -2  # it waited, and kept what it had lost waiting
    assert np.abs(more[kept.now > 75]).max() < 0.35


def test_a_renderer_that_stops_leaves_its_newest_picture_fully_faded_in_and_comes_back_in_a_fade() -> None:
    came = [when for when in arrivals(40, 4) if not 10 <= when < 20]
    run = play(came, 40)
    held = (run.now > 13) & (run.now < 20)
    newest = run.newest[held][0]
    assert held.sum() > 200
    assert set(zip(run.older[held], run.newer[held], strict=True)) == {(newest, newest)}
    back = run.since(20)
    first = np.flatnonzero((back.older == newest) & (back.newer > newest))
    assert (back.newer[first] == newest + 1).all()
    assert back.now[first[-1]] - back.now[first[0]] == pytest.approx(FADE, abs=0.07)
    assert np.diff(back.weight[first]).max() < 0.1  # a presentation is a twelfth of the fade
    later = run.since(36)
    assert (later.newest - later.head).max() < 5


def test_a_short_wait_is_no_stop() -> None:
    came = [when for when in arrivals(20) if not 10 <= when < 10 + HOLD / 2]
    run = play(came, 20)
    newest = run.newest[run.now < 10][-1]
    leaving = (run.older == newest) & (run.newer == newest + 1)
    assert leaving.sum() <= 4  # a picture's time, not a fade


def test_the_first_picture_comes_out_of_the_dark() -> None:
    run = play(arrivals(5), 5)
    before = run.now < 0.5
    assert (run.newer[before] == 0).all()
    rising = run.weight[(run.older == 0) & (run.newer > 0)]
    assert len(rising) == pytest.approx(FADE * 30, abs=2)
    assert np.diff(rising).min() > 0


def test_a_stage_that_joins_late_begins_with_what_is_newest() -> None:
    came = [0.0] * 5000 + [when + 0.3 for when in arrivals(20, 2)]
    run = play(came, 20)
    assert run.older[run.older > 0].min() >= 4990
    assert (run.since(10).newest - run.since(10).head).max() < 3


def test_a_wall_that_stood_still_fades_to_the_present() -> None:
    playout = Playout()
    came = arrivals(60, 2)
    early = play(came, 20, playout=playout)
    moments = np.arange(35, 60, 1 / 30)  # nothing was presented for fifteen seconds: a freeze, or a driver
    newest = np.searchsorted(came, moments, side="right")
    rows = [playout.at(now, int(count), 1 / RATE) for now, count in zip(moments, newest, strict=True)]
    older, newer, weight = (np.array(column) for column in zip(*rows, strict=True))
    held, leap = early.newer[-1], newer - older
    fading = leap > 1
    assert held <= older[0] <= held + 1  # what was on the wall is where the fade begins
    assert len(set(zip(older[fading], newer[fading], strict=True))) == 1
    assert newer[fading][0] >= newest[0] - 2
    assert np.diff(weight[fading]).max() < 0.1
    assert (newest - older - weight * leap)[moments > 45].max() < 3


def test_moments_that_go_back_change_nothing() -> None:
    playout = Playout()
    play(arrivals(10), 10, playout=playout)
    before = playout.at(10.1, 95, 0.1)
    assert playout.at(3.0, 95, 0.1) == before
    assert playout.at(10.1, 95, 0.1) == before


def test_the_same_presentations_give_the_same_mixtures() -> None:
    one, other = (play(arrivals(20, 3, jitter=0.3), 20) for _ in range(2))
    np.testing.assert_array_equal(one.weight, other.weight)


def test_one_late_picture_is_no_new_rate() -> None:
    came = [when + 0.8 * (when >= 20) for when in arrivals(40)]
    playout, rates = Playout(), []
    for now in np.arange(0, 25, 1 / 30) + 0.013:
        playout.at(now, int(np.searchsorted(came, now, side="right")), 1 / RATE)
        rates.append(playout.rate)
    assert min(rates) > 0.95 * RATE


@pytest.mark.parametrize("what", ["the renderer stopped", "the wall stood still", "the picture was held"])
def test_a_stop_is_no_rate(what: str) -> None:
    """Whoever stopped, the pause before the next picture says nothing of how fast pictures are made."""
    stop, end = 10.0, 13.0 if what == "the renderer stopped" else 10.6
    came = [when for when in arrivals(20) if not stop <= when < end]
    playout, pauses = Playout(), 0
    for now in np.arange(0, end + 0.3, 1 / 30) + 0.013:
        paused = stop < now < end and what != "the renderer stopped"
        if paused and what == "the picture was held":
            playout.hold(now)
        if paused:
            pauses += 1
            continue
        playout.at(now, int(np.searchsorted(came, now, side="right")), 1 / RATE)
        assert playout.rate == pytest.approx(RATE, rel=0.01)
    assert pauses == (0 if what == "the renderer stopped" else 18)
