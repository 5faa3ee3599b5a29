"""Which rift is crossed on which beat: dynamic programming over the crossings, in their order.

A stretch between two crossings lasted `planned` frames at the even pace and lasts others once both lie on beats. Such a
change costs sqrt(planned * new) log(new / planned)^2 frames. A crossing that is on no beat costs `LEFT_OUT` beats, and
nothing where the beats are long over. What is found is the cheapest; only a few of the best beats are kept for each
crossing, so that four hours take a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from installation.film.road import Road
from latentworld.arrays import Array

LEFT_OUT = 16.0  # beats' worth of change that a crossing on no beat costs
KEPT = 32  # beats that are kept for each crossing
PASSED = 8  # crossings in a row that may be left out, where there is another way
WIDEST = 4.0  # times as long, or as short, a stretch may become, and two beats more


@dataclass(frozen=True)
class Gate:
    """A crossing: places of the road where it begins and ends, and when that is, in frames before the frame whose step
    crosses it. A marked step takes that frame's step, a steep place lies in the middle of it."""

    begin: float
    end: float
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class _Layer:
    """What is kept of one crossing: beats [k], costs [k], and where they come from, [k]: layer and place in it."""

    beat: NDArray[np.int64]
    cost: Array
    layer: NDArray[np.int64]
    place: NDArray[np.int64]


def matched(road: Road, gates: Sequence[Gate], beats: NDArray[np.int64], last: int) -> list[int | None]:
    """For each gate the place in `beats` of the beat that it lies on, None for those on none; gates that the film ends
    before are left away. beats: frames [b], rising; last: the film's last frame."""
    apart = float(np.median(np.diff(beats))) if len(beats) > 1 else float(last)
    search = _Search(road, gates, beats.astype(np.float64), last, LEFT_OUT * apart, 2.0 * apart)
    layers = [_Layer(np.array([-1]), np.zeros(1), np.array([-1]), np.array([-1]))]
    for gate in range(len(gates)):
        layers.append(search.layer(layers, gate))
    return search.best(layers)


@dataclass(frozen=True, eq=False)
class _Search:
    """One matching. Layer 0 is the road's first place at time 0, layer j + 1 gate j. left_out: cost of a crossing on no
    beat; slack: frames that a stretch may grow by in any case."""

    road: Road
    gates: Sequence[Gate]
    beats: Array
    last: int
    left_out: float
    slack: float

    def layer(self, layers: Sequence[_Layer], gate: int) -> _Layer:
        """The best ways to have a gate on each beat."""
        first = max(0, gate - PASSED)
        while first and not any(len(layer.beat) for layer in layers[first:]):
            first -= 1
        parts = [self._reached(layers, source, gate) for source in range(first, gate + 1)]
        beat, layer, place = (
            np.concatenate([vars(part)[name] for part in parts]) for name in ("beat", "layer", "place")
        )
        cost = np.concatenate([part.cost for part in parts])
        order = np.lexsort((layer, cost, beat))  # of each beat the cheapest comes first
        order = order[np.append(True, np.diff(beat[order]) > 0)] if len(order) else order
        order = np.sort(order[np.argsort(cost[order], kind="stable")[:KEPT]])
        order = order[np.argsort(beat[order])]
        return _Layer(beat[order], cost[order], layer[order], place[order])

    def _reached(self, layers: Sequence[_Layer], source: int, gate: int) -> _Layer:
        """Beats on which a gate can be right after a layer's crossing, those between being left out."""
        begin, end = self._from(source), self.gates[gate].begin
        planned, (least, most) = end - begin, self.road.lasts(begin, end)
        low, high = max(least, planned / WIDEST), min(most, planned * WIDEST + self.slack)
        now = self._ends(layers[source], source) + self.gates[gate].before
        first = np.searchsorted(self.beats, now + low - 1e-9)
        count = np.maximum(np.searchsorted(self.beats, now + high + 1e-9, side="right") - first, 0)
        place = np.repeat(np.arange(len(now)), count)
        beat = first[place] + np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        total = layers[source].cost[place] + self.left_out * (gate - source)
        total = total + change(planned, self.beats[beat] - now[place])
        there = np.flatnonzero(np.isfinite(total))
        return _Layer(beat[there], total[there], np.full(len(there), source), place[there])

    def _ends(self, layer: _Layer, source: int) -> Array:
        """When each of a layer's crossings is over, in frames [k]."""
        return np.zeros(1) if source == 0 else self.beats[layer.beat] - self.gates[source - 1].after

    def _from(self, source: int) -> float:
        """The place where a layer's crossing is over."""
        return 0.0 if source == 0 else self.gates[source - 1].end

    def best(self, layers: Sequence[_Layer]) -> list[int | None]:
        """The cheapest way to the film's end, read backwards."""
        least, source, place, reached = inf, 0, 0, 0
        for index, layer in enumerate(layers):
            for k, (now, before) in enumerate(zip(self._ends(layer, index).tolist(), layer.cost.tolist())):
                cost, gates = self._rest(index, now)
                if before + cost < least:
                    least, source, place, reached = before + cost, index, k, gates
        found: list[int | None] = [None] * reached
        while source > 0:
            layer = layers[source]
            found[source - 1] = int(layer.beat[place])
            source, place = int(layer.layer[place]), int(layer.place[place])
        return found

    def _rest(self, source: int, now: float) -> tuple[float, int]:
        """What the way after a layer's crossing to the film's end costs, and how many gates are then behind it."""
        frames, begin = self.last - now, self._from(source)
        found, behind, missed = inf, source, 0
        for gate in range(source, len(self.gates) + 1):
            end = self.gates[gate].begin if gate < len(self.gates) else self.road.end
            slow = 0.0 if frames <= end - begin else float(change(end - begin, np.array([frames]))[0])
            cost = self.left_out * missed + slow
            if cost < found and (gate == len(self.gates) or frames <= self.road.lasts(begin, end)[1]):
                found, behind = cost, gate
            if slow == 0.0 or (missed > PASSED and found < inf):
                break
            missed += now + end - begin <= self.beats[-1] + self.slack
        return found, behind


def change(planned: float, frames: Array) -> Array:
    """What it costs that a stretch of so many planned frames lasts `frames` [k]."""
    if planned <= 0.0:
        return np.where(frames < 0.5, 0.0, inf)
    lasting = np.maximum(frames, 1e-9)
    return np.asarray(np.sqrt(planned * lasting) * np.log(lasting / planned) ** 2)
