"""What a film or a plan will take, in words: `--dry-run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from installation.cli.progress import Speaker, duration
from installation.cli.tables import give_json

if TYPE_CHECKING:
    from rich.console import Console

    from installation.film.estimate import Estimate
    from installation.takes.film import Journey
    from latentworld.decoding.settings import Kind
    from latentworld.preset import Preset

WORKERS = (2, 4, 8)


def tell_film(
    preset: Preset, journey: Journey | None, console: Console, workers: int | None = None, *, as_json: bool = False
) -> None:
    """Try some frames of a film, and print what all of them take. workers: beside those of `WORKERS`."""
    with Speaker(console, "trying some frames"):
        from installation.film.estimate import estimate

        found = estimate(preset, journey)
    if as_json:
        give_json(_table(found, workers or 1))
        return
    print(_length(found))
    if found.planning:
        print(f"its way is planned first: {duration(found.planning)}, on this machine alone")
    counts = sorted({*WORKERS, *([workers] if workers else [])})
    on_many = ", ".join(f"{duration(found.seconds(count))} on {count}" for count in counts)
    print(f"{_each(found)}: {_whole(found)} on this machine; {on_many} workers like it")
    print(f"disk: {_bytes(found.disk)}, twice that while it is joined; memory: {_bytes(found.memory)}")


def _table(found: Estimate, workers: int) -> dict[str, object]:
    """What `--json` gives: seconds, of so many workers and of others, and bytes."""
    return {
        "frames": found.frames, "fps": found.fps, "tried": found.pace.frames, "seconds_a_frame": found.pace.each,
        "planning": found.planning, "seconds": found.seconds(workers), "doubt": found.doubt / workers,
        "workers": workers, "on_workers": {str(count): found.seconds(count) for count in (1, *WORKERS)},
        "disk": found.disk, "memory": found.memory,
    }  # fmt: skip


def tell_plan(preset: Preset, kind: Kind, console: Console, coarse: int = 1) -> None:
    """Walk some frames of a plan, and print what all of them take."""
    with Speaker(console, "walking some frames"):
        from installation.film.estimate import estimate_plan

        found = estimate_plan(preset, kind, coarse=coarse)
    print(_length(found))
    print(f"{_each(found)}: {_whole(found)} on this machine")
    print(f"disk: {_bytes(found.disk)}; memory: {_bytes(found.memory)}")


def _length(found: Estimate) -> str:
    return f"{found.frames} frames at {found.fps:g} a second: {duration(found.frames / found.fps)} of film"


def _each(found: Estimate) -> str:
    return f"{found.pace.each:.3g} s a frame ({found.pace.frames} tried)"


def _whole(found: Estimate) -> str:
    """Its seconds, and how far they may be out where ticks differed by more than a few in a hundred."""
    whole = found.seconds()
    return duration(whole) + (f" ± {duration(found.doubt)}" if found.doubt > 0.03 * whole else "")


def _bytes(size: float) -> str:
    """In the unit that suits."""
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if size >= one:
            return f"{size / one:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
