"""Telemetry: a line of CSV a frame, flushed batch by batch; floats read back to the last bit."""

from __future__ import annotations

import csv
import shutil
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import RawIOBase, StringIO
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from installation.frames import Frames
from latentworld.arrays import Array
from latentworld.disk import whole, writing
from latentworld.errors import OutputError
from latentworld.plane import Plane

ABOVE = 5.0  # times the median rate of the way, from which a stretch is a rift of a film
COLUMNS = (
    "index", "time", "alpha", "beta", "front", "ux", "uy", "uz", "radius",
    "clip_step", "distance", "lipschitz", "marked", "made",
)  # fmt: skip
NUMBERS = COLUMNS[:-1]


@dataclass(frozen=True, eq=False)
class Telemetry:
    """A film's frames as columns [n]; `unit` is [n, 3]. CLIP step, distance and Lipschitz value of frame 0 are NaN.
    made: by row, how frames were made that are no picture of their own place alone."""

    index: NDArray[np.int64]
    time: Array
    alpha: Array
    beta: Array
    front: NDArray[np.bool_]
    unit: Array
    radius: Array
    clip_step: Array
    distance: Array
    lipschitz: Array
    marked: NDArray[np.bool_]
    made: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.index)


class Recorder:
    """Writes `Telemetry` as it comes, past every buffer: what was sent is in the file, also after a kill."""

    def __init__(self, target: Path, plane: Plane) -> None:
        self.target, self.plane = target, plane
        self._file: RawIOBase | None = None

    def __enter__(self) -> Self:
        with writing(self.target), ExitStack() as opening:
            self._file = opening.enter_context(self.target.open("wb", buffering=0))
            self._write([COLUMNS])
            opening.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def send(self, frames: Frames) -> None:
        """Write the batch."""
        if self._file is None:
            raise OutputError("this sink is closed: send frames inside its `with` block")
        with writing(self.target):
            self._write(rows(frames, self.plane))

    def _write(self, lines: Iterable[Sequence[str | float]]) -> None:
        data = memoryview(_lines(lines))
        while len(data) and self._file is not None:
            data = data[self._file.write(data) or 0 :]  # a disk that fills up takes a part first


def _lines(rows: Iterable[Sequence[str | float]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def rows(frames: Frames, plane: Plane) -> list[list[float | str]]:
    """A row of `COLUMNS` for each frame."""
    path, rates = frames.path, frames.rates
    alpha, beta, front = plane.chart(path.unit)
    columns = [path.index, path.time, alpha, beta, front.astype(int), *path.unit.T, path.radius]
    columns += [rates.step, rates.distance, rates.rate, frames.marked.astype(int)]
    numbers = zip(*(np.asarray(column).tolist() for column in columns))
    return [[*row, frames.made.get(int(row[0]), "")] for row in numbers]


def join(files: Sequence[Path], target: Path) -> None:
    """Put files of telemetry together as one, whole or not at all, a block at a time."""
    with writing(target), whole(target) as file:
        file.write(_lines([COLUMNS]))
        for each in files:
            with each.open("rb") as source:
                source.readline()
                shutil.copyfileobj(source, file)


def read(path: Path) -> Telemetry:
    """Telemetry from its file; a last line cut short by a crash is left out."""
    values = {name: array("d") for name in NUMBERS}  # a long film's would be ten times as large in lists
    made = dict[int, str]()
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if any(row[name] in (None, "") for name in NUMBERS):
                break
            if how := row.get("made"):  # films of before had no such column
                made[len(values["index"])] = how
            for name in NUMBERS:
                values[name].append(float(row[name]))
    table = {name: np.array(column, dtype=np.float64) for name, column in values.items()}
    unit = np.stack([table.pop("ux"), table.pop("uy"), table.pop("uz")], axis=1)
    front, marked = (table.pop(name).astype(np.bool_) for name in ("front", "marked"))
    return Telemetry(
        index=table.pop("index").astype(np.int64), unit=unit, front=front, marked=marked, made=made, **table
    )


def median_of_the_way(record: Telemetry) -> float | None:
    """The Lipschitz value that half of the way walked stays below; None where none is known.

    Over the way, not over the frames: even pacing crowds frames onto rifts, and their median would hide them.
    """
    return _median(record.lipschitz, record.distance)


def _median(rate: Array, distance: Array) -> float | None:
    known = _known(rate, distance)
    if not known.any():
        return None
    order = np.argsort(rate[known])
    way = np.cumsum(distance[known][order])
    return float(rate[known][order][np.searchsorted(way, way[-1] / 2)])


def _known(rate: Array, distance: Array) -> NDArray[np.bool_]:
    return np.isfinite(rate) & (distance > 0)


def rifts(record: Telemetry, above: float = ABOVE) -> NDArray[np.int64]:
    """The steepest frame of every stretch whose Lipschitz value is `above` times the `median_of_the_way`."""
    unmarked = np.zeros(len(record), np.bool_)
    parts = stretches(record.lipschitz, record.distance, unmarked, above)
    return np.array([part[np.argmax(record.lipschitz[part])] for part in parts], dtype=np.int64)


def stretches(rate: Array, distance: Array, marked: NDArray[np.bool_], above: float = ABOVE) -> list[NDArray[np.int64]]:
    """Runs of frames that are steep, `above` times the `median_of_the_way`, or marked. rate, distance, marked: [n]."""
    median = _median(rate, distance)
    steep = np.zeros(len(rate), np.bool_) if median is None else _known(rate, distance) & (rate >= above * median)
    found = np.flatnonzero(steep | marked)
    return [part for part in np.split(found, np.flatnonzero(np.diff(found) > 1) + 1) if len(part)]
