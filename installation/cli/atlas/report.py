"""What a survey says while it runs and when it is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from installation.cli.interrupt import again
from latentworld.errors import AtlasError

if TYPE_CHECKING:
    from installation.atlas.findings import Findings
    from installation.cli.progress import Speaker
    from latentworld.atlas.store import Store


RIFT = 2.0  # times the median rate: what is less steep is the steepest there is, and no rift


def stopped(output: Path) -> str:
    """How far a survey came that was interrupted."""
    from installation.atlas.survey_folder import SurveyFolder
    from latentworld.atlas.reader import Reader

    try:
        kept = Reader(SurveyFolder.at(output).store)
        words = f"interrupted with {kept.done} of {kept.total} places kept"
    except AtlasError:
        words = "interrupted before the first place"
    return f"{words}; the same command goes on: {again()}"


def table(found: Findings, count: int = 5) -> dict[str, object]:
    """The same as `tell`, for programs."""
    from installation.atlas.findings import still_options, summary

    atlas, names = found.atlas, found.phases.names
    total = max(1, len(found.phases.label))
    shares = {name: float((found.phases.label == index).sum() / total) for index, name in enumerate(names)}
    lines = [
        {"between": [names[side] for side in line.between], "rate": float(line.strength), "closed": bool(line.closed)}
        for line in found.lines[:count]
    ]
    sites = [
        {
            "rate": float(site.rate), "contrast": float(site.contrast),
            "between": [names[found.phases.label[side]] for side in site.sides],
            "alpha": float(site.alpha), "beta": float(site.beta), "still": still_options(site, atlas.radius),
        } for site in found.sites[:count]
    ]  # fmt: skip
    figures = {name.replace(" ", "_"): value for name, value in summary(found).items()}
    floor = None if atlas.floor is None else float(atlas.floor.jitter)
    return {
        **figures,
        "noise_floor": floor,
        "complete": atlas.complete,
        "phases": shares,
        "lines": lines,
        "rifts": sites,
    }


def tell(found: Findings, count: int = 5) -> None:
    """The figures of a survey, its strongest rift lines and its strongest rifts."""
    from installation.atlas.findings import still_options, summary

    atlas = found.atlas
    for name, value in summary(found).items():
        print(f"{name:<30} {value:.6g}")
    if atlas.floor is not None:
        print(f"{'noise floor, feature distance':<30} {atlas.floor.jitter:.3g}")
    total = max(1, len(found.phases.label))
    for index, name in enumerate(found.phases.names):
        print(f"{name:<30} {100 * (found.phases.label == index).sum() / total:.0f}%")
    if not atlas.complete:
        print("the survey is not complete: run it again and it goes on")
    names = found.phases.names
    for number, line in enumerate(found.lines[:count], 1):
        (a, b), (c, d) = line.line[0], line.line[-1]
        ends = f"closed, by {a:.4g},{b:.4g}" if line.closed else f"{a:.4g},{b:.4g} to {c:.4g},{d:.4g}"
        between = " | ".join(names[side] for side in line.between)
        print(f"line {number:>2}  mean rate {line.strength:.4g}  {between}  {ends}")
    for number, site in enumerate(found.sites[:count], 1):
        sides = " | ".join(names[found.phases.label[side]] for side in site.sides)
        place = still_options(site, atlas.radius)
        what = "rift" if site.contrast >= RIFT else "steep"
        print(f"{what} {number:>2}  rate {site.rate:.4g}, {site.contrast:.1f} times the median  {sides}  {place}")
    if found.sites and all(site.contrast < RIFT for site in found.sites):
        print(f"no rift: no place is {RIFT:g} times as steep as the median")


def counting(speaker: Speaker, title: str, kept: Store) -> Callable[[int, int, int], None]:
    """What is told of every block that is kept: places done, in all, of the block."""
    what, before = title or "survey", kept.done

    def count(done: int, total: int, block: int) -> None:
        speaker.count(what, done, total, "places", before=before)

    speaker.part(what)
    return count
