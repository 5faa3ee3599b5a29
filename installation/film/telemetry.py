"""Telemetry: a line of CSV a frame, flushed batch by batch; floats are written so that they read back to the last bit."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from installation.film.output import writing
from installation.frames import Frames
from latentworld.errors import OutputError
from latentworld.plane import Plane

COLUMNS = ("index", "time", "alpha", "beta", "front", "ux", "uy", "uz", "radius", "clip_step", "distance", "lipschitz", "marked")  # fmt: skip
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Telemetry:
    """A film's frames as columns [n]; `unit` is [n, 3]. CLIP step, distance and Lipschitz value of frame 0 are NaN."""

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

    def __len__(self) -> int:
        return len(self.index)


class Recorder:
    """Writes `Telemetry` as it comes."""

    def __init__(self, target: Path, plane: Plane) -> None:
        self.target, self.plane = target, plane
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        with writing(self.target):
            self._file = self.target.open("w", newline="", encoding="utf-8")
            csv.writer(self._file).writerow(COLUMNS)
            self._file.flush()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        file, self._file = self._file, None
        if file is not None and kind is None:
            with writing(self.target):
                file.close()
        elif file is not None:
            try:
                file.close()  # may try to write what a full disk refused; the first fault is the one to report
            except OSError:
                pass

    def send(self, frames: Frames) -> None:
        """Write the batch and flush it."""
        if self._file is None:
            raise OutputError("this sink is closed: send frames inside its `with` block")
        with writing(self.target):
            csv.writer(self._file).writerows(rows(frames, self.plane))
            self._file.flush()


def rows(frames: Frames, plane: Plane) -> list[list[Any]]:
    """A row of `COLUMNS` for each frame."""
    path, rates = frames.path, frames.rates
    alpha, beta, front = plane.chart(path.unit)
    columns = [path.index, path.time, alpha, beta, front.astype(int), *path.unit.T, path.radius]
    columns += [rates.step, rates.distance, rates.rate, frames.marked.astype(int)]
    return [list(row) for row in zip(*(np.asarray(column).tolist() for column in columns))]


def read(path: Path) -> Telemetry:
    """Telemetry from its file; a last line cut short by a crash is left out."""
    values = {name: [] for name in COLUMNS}  # type: dict[str, list[float]]
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if any(row[name] in (None, "") for name in COLUMNS):
                break
            for name in COLUMNS:
                values[name].append(float(row[name]))
    table = {name: np.array(column, dtype=np.float64) for name, column in values.items()}
    unit = np.stack([table.pop("ux"), table.pop("uy"), table.pop("uz")], axis=1)
    flags = {name: table.pop(name).astype(np.bool_) for name in ("front", "marked")}
    return Telemetry(index=table.pop("index").astype(np.int64), unit=unit, **flags, **table)
