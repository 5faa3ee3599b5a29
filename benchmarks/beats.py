"""Rifts on the beat: the test piece, a plan on its beats, the film of it, and what the film's own telemetry says.

    python benchmarks/beats.py analytic [--set pacing.floor=3] [--seconds 28] [-o out/beats]
    python benchmarks/beats.py first-light --decoder faithful --set pilot.mode=cross --set decoder.steps=6 --seconds 16

Beats are those that the piece was composed with; crossings are told by the pictures as decoded for the film, not by
the plan. Prints a table, and draws steps against beats into the folder (`beats.png`).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from common import show

from installation import takes
from installation.film import make, plan, telemetry
from installation.film.beats import Crossing, crossings
from installation.film.soundtrack import heard
from installation.film.telemetry import Telemetry
from installation.sound.sound import Sound
from installation.takes.film import journey
from latentworld import preset
from latentworld.decoding.settings import Kind
from latentworld.drawing.style import sheet
from latentworld.tokens import DARK, HUES

sys.path.insert(0, str(Path(__file__).parent.parent / "examples" / "sound"))
import piece  # the script's folder has to be found first

GROUND, INK, FAINT, GRID, RIFT, CALM = DARK.ground, DARK.ink, DARK.faint, DARK.rule, DARK.accent, HUES[1]
NEAR = 8  # frames around a planned crossing in which the film's is looked for


@dataclass(frozen=True, eq=False)
class Result:
    """planned: crossings as the plan tells them; record: the film's telemetry; sound: the piece as it was heard; beats:
    of those wanted, when they were composed, seconds; bars: only downbeats are wanted."""

    planned: tuple[Crossing, ...]
    record: Telemetry
    sound: Sound
    beats: np.ndarray
    fps: float
    bars: bool

    @property
    def there(self) -> list[Crossing]:
        """Crossings that the film comes to."""
        return [one for one in self.planned if one.time is not None]

    @property
    def found(self) -> np.ndarray:
        """The steepest step of the film around where each crossing was planned."""
        weight = np.nan_to_num(self.record.lipschitz, nan=0.0) + 1e9 * self.record.marked
        frames = []
        for one in self.there:
            middle = round(one.time * self.fps)
            others = [round(other.time * self.fps) for other in self.there if other is not one]
            low = max([middle - NEAR, *((middle + other) // 2 + 1 for other in others if other < middle)])
            high = min([middle + NEAR, *((middle + other) // 2 for other in others if other > middle)])
            low, high = max(low, 1), min(max(high, low + 1), len(weight) - 1)
            frames.append(low + int(weight[low : high + 1].argmax()))
        return np.array(frames, dtype=np.int64)

    def off(self, times: np.ndarray) -> np.ndarray:
        """Frames from the nearest beat, signed."""
        return np.array([(time - self.beats[np.abs(self.beats - time).argmin()]) * self.fps for time in times])

    @property
    def even(self) -> list[float]:
        """Of every stretch between crossings, the share of unmarked steps within 2x of their median."""
        shares = []
        for a, b in pairwise([0, *self.found, len(self.record)]):
            steps = self.record.clip_step[a + 1 : b][~self.record.marked[a + 1 : b]]
            if len(steps) > 1:
                ratio = steps / np.median(steps)
                shares.append(float(np.mean((ratio <= 2.0) & (ratio >= 0.5))))
        return shares


def made(name: str, overrides: list[str], seconds: float, kind: Kind, folder: Path) -> Result:
    """Plan and film, or read what was filmed here."""
    folder.mkdir(parents=True, exist_ok=True)
    sound = folder / "piece.wav"
    piece.write(sound, piece.piece())
    own = preset.load(name, [f"film.seconds={seconds}", "pacing.kind=beat", f"sound.file={sound}", *overrides])
    planned = plan.plan(own, folder / "piece.plan", kind=kind, overwrite=True)
    way = journey(takes.read(planned.target))
    film = make.film(way.preset, folder / "film", journey=way, overwrite=True)
    record = telemetry.read(film.folder.telemetry)
    bars, heard_sound = own.pacing.beats == "bar", heard(own)
    assert heard_sound is not None
    times = piece.beats()[:: piece.BAR if bars else 1]
    return Result(planned.crossings, record, heard_sound, times, own.film.fps, bars)


def draw(result: Result, title: str, target: Path) -> None:
    """Sound, crossings before and after, and steps, over one time; and how far crossings are from beats."""

    with sheet(15, 8.4, DARK, dpi=140) as figure:
        grid = figure.add_gridspec(
            4, 2, width_ratios=(5.2, 1), height_ratios=(0.8, 1.1, 1.6, 1.6), hspace=0.12, wspace=0.13, left=0.085,
            right=0.975, top=0.88, bottom=0.07,
        )  # fmt: skip
        first = figure.add_subplot(grid[0, 0])
        panels = [first, *(figure.add_subplot(grid[row, 0], sharex=first) for row in (1, 2, 3))]
        end = float(result.record.time[-1])
        for axes in panels:
            axes.set_xlim(0.0, end)
            axes.vlines(result.sound.beats, 0, 1, transform=axes.get_xaxis_transform(), color=GRID, lw=0.6, zorder=0)
            axes.vlines(
                result.sound.bars, 0, 1, transform=axes.get_xaxis_transform(), color=DARK.line, lw=1.0, zorder=0
            )
            axes.tick_params(labelbottom=axes is panels[-1], bottom=axes is panels[-1])
        _sound(panels[0], result)
        _moves(panels[1], result)
        _steps(panels[2], result)
        _rates(panels[3], result)
        _offsets(figure.add_subplot(grid[1:, 1]), result)
        figure.text(0.085, 0.935, title, fontsize=17, family="DejaVu Serif")
        off = result.off(result.found / result.fps)
        said = f"{int((np.abs(off) <= 1).sum())} of {len(off)} crossings within one frame of a {_kind(result)}"
        figure.text(0.085, 0.905, said, fontsize=9.5, color=FAINT)
        figure.savefig(target)


def _kind(result: Result) -> str:
    return "downbeat" if result.bars else "beat"


def _sound(axes, result: Result) -> None:  # type: ignore[no-untyped-def]
    time = np.arange(len(result.sound.curves["loudness"])) / result.sound.rate
    low, high = result.sound.curves["low"], result.sound.curves["high"]
    axes.fill_between(time, low, color=CALM, alpha=0.55, lw=0)
    axes.fill_between(time, -high, color=CALM, alpha=0.28, lw=0)
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([])
    axes.set_ylabel("low\nhigh", rotation=0, ha="right", va="center")
    axes.spines["left"].set_visible(False)


def _moves(axes, result: Result) -> None:  # type: ignore[no-untyped-def]
    """Where the even pace crosses, and where the film does."""
    found = result.found / result.fps
    for one, time in zip(result.there, found):
        colour = RIFT if one.beat is not None else INK
        axes.plot([one.planned, time], [1, 0], color=colour, lw=0.8, alpha=0.6)
        axes.plot(one.planned, 1, "o", ms=5, mfc=GROUND, mec=FAINT, zorder=3)
        axes.plot(time, 0, "o", ms=6, mfc=colour if one.beat is not None else GROUND, mec=colour, zorder=3)
    axes.set_ylim(-0.35, 1.35)
    axes.set_yticks([1, 0], ["at an even pace", "on beats"])
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)


def _steps(axes, result: Result) -> None:  # type: ignore[no-untyped-def]
    record, time = result.record, result.record.time
    marked = record.marked
    axes.step(time, np.where(marked, np.nan, record.clip_step), where="pre", color=INK, lw=0.8)
    axes.vlines(time[marked], 0, record.clip_step[marked], color=RIFT, lw=1.1)
    axes.plot(time[result.found], record.clip_step[result.found], "o", ms=4, color=RIFT)
    axes.set_ylim(0, None)
    axes.set_ylabel("CLIP step of a frame")


def _rates(axes, result: Result) -> None:  # type: ignore[no-untyped-def]
    record = result.record
    axes.semilogy(record.time, record.lipschitz, color=INK, lw=0.8)
    axes.plot(record.time[result.found], record.lipschitz[result.found], "o", ms=4, color=RIFT)
    axes.set_ylabel("Lipschitz value")
    axes.set_xlabel("seconds; lines are beats, brighter ones bars")


def _offsets(axes, result: Result) -> None:  # type: ignore[no-untyped-def]
    edge = np.ceil(60.0 / piece.BPM * (piece.BAR if result.bars else 1) * result.fps / 2) + 0.5
    bins = np.arange(-edge, edge + 1)
    planned = np.array([one.planned for one in result.there])
    axes.hist(result.off(planned), bins, color=FAINT, alpha=0.45, label="at an even pace")
    axes.hist(result.off(result.found / result.fps), bins, color=RIFT, alpha=0.9, label="on beats")
    axes.set_xlabel(f"frames from the nearest {_kind(result)}")
    axes.set_title("crossings", fontsize=9, color=FAINT, loc="left")
    axes.legend(frameon=False, labelcolor=INK, fontsize=8, loc="upper left")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.18)


def share(off: np.ndarray) -> str:
    """How many are within one frame."""
    return f"{(off <= 1).sum()} of {len(off)} ({np.mean(off <= 1):.0%})"


def main() -> None:
    """Plan, film, tell, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("preset", nargs="?", default="analytic")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=28.0)
    parser.add_argument("--decoder", choices=["scout", "faithful"], default="scout", help="what plans")
    parser.add_argument("-o", dest="folder", type=Path, default=Path("out/beats"))
    options = parser.parse_args()
    result = made(options.preset, options.overrides, options.seconds, options.decoder, options.folder)
    off, even = np.abs(result.off(result.found / result.fps)), result.even
    before = np.abs(result.off(np.array([one.planned for one in result.there])))
    record = result.record
    others = crossings(record.lipschitz, record.distance, record.marked)
    counted = np.abs(result.off(others / result.fps))
    rows = [
        ["planned crossings, in the film", f"{len(result.planned)}, {len(result.there)}"],
        ["on beats by the plan", f"{sum(one.beat is not None for one in result.there)}"],
        ["as decoded, within one frame of a beat", share(off)],
        ["at an even pace, for comparison", share(before)],
        ["farthest from a beat", f"{off.max():.2f} frames"],
        ["crossings that the film's telemetry counts, within one frame", share(counted)],
        ["unmarked steps within 2x of their stretch's median", f"{np.mean(even):.1%} (worst stretch {min(even):.0%})"],
        ["steps too steep to be split", f"{int(result.record.marked.sum())}"],
    ]
    name = " ".join([options.preset, *options.overrides])
    show(f"rifts on the beat: {name}, {options.seconds:g} s", ["what", "figure"], rows)
    draw(result, f"Rifts on the beat · {name}", options.folder / "beats.png")
    print(options.folder / "beats.png")


if __name__ == "__main__":
    main()
