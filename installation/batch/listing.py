"""Lists of jobs as people write them, in TOML.

::

    preset = "neutral"                       # for every job that names none
    set = { "film.seconds" = 4 }             # of every job on a preset, before its own

    [[job]]
    name = "orbit"
    set = { "walk.kind" = "orbit" }          # keys of the preset

    [[job]]
    do = "survey"
    name = "map"
    size = "24x24"                           # options of the command, as `latentworld atlas survey -h` lists them
    scout = true

    [[job]]
    do = "harvest"
    of = "map"                               # works on what that job made

    [[job]]
    name = "seeds"
    matrix = { "plane.seeds" = [[1, 2, 3], [4, 5, 6]] }
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from installation.batch import matrix, words
from installation.batch.jobs import KINDS, Job, Kind, checked
from latentworld import texts
from latentworld.errors import BatchError
from latentworld.explain import nearest

OWN = ("name", "do", "preset", "atlas", "of", "set", "matrix")
"""Keys of a job that are no options of its command."""
OTHER = frozenset({"atlas", "plan", "take", "like"})
"""Keys of a job by which it works on something else than a preset."""
TOP = ("title", "preset", "set", "job")


def read(path: Path) -> tuple[Job, ...]:
    """The jobs of a list. Presets and atlases are looked for beside it first. Raises BatchError."""
    try:
        table = texts.toml(texts.read(path))
    except ValueError as error:
        raise BatchError(f"{path} is no TOML ({error}): mend that line") from None
    except OSError as error:
        raise BatchError(f"{path} cannot be read ({error.strerror}): give a list of jobs, a .toml file") from None
    jobs = table.get("job")
    if not isinstance(jobs, list) or not jobs:
        raise BatchError(f"{path} names no job: write [[job]] tables, or give a preset with --matrix KEY=VALUE,VALUE")
    if strange := [key for key in table if key not in TOP]:
        raise BatchError(f"{path}: unknown key {strange[0]!r:.60}: {nearest(strange[0], TOP)}")
    found: list[Job] = []
    for number, one in enumerate(jobs, 1):
        if not isinstance(one, dict):
            raise BatchError(f"{path}: job {number} is no table: write [[job]]")
        found += _jobs(one, table, number, path, {job.name: job.kind for job in found if job.do in KINDS})
    return checked(found)


def _jobs(
    own: Mapping[str, object], shared: Mapping[str, object], number: int, path: Path, before: Mapping[str, Kind]
) -> list[Job]:
    """before: kinds of the jobs above, by name."""
    where = f"{path}, job {own.get('name', number)}"
    for key in ("name", "do", "preset", "atlas", "of"):
        if not isinstance(own.get(key, ""), str):
            raise BatchError(f"{where}: {key} = {own[key]!r:.60}: give a text")
    do = str(own.get("do", "film"))
    if do not in KINDS:
        raise BatchError(f"{where}: do = {do!r:.60}: {nearest(do, KINDS)}")
    of = None if own.get("of") is None else str(own["of"])
    if own.get("preset") is not None and own.get("atlas") is not None:
        raise BatchError(f"{where}: preset and atlas both say what it works on: give one")
    source = own.get("atlas", own.get("preset", None if of is not None else shared.get("preset")))
    options = [word for key, value in own.items() if key not in OWN for word in words.option(key, value)]
    on_preset = before[of].gives_preset if of is not None and of in before else OTHER.isdisjoint(own)
    heads = (shared.get("set", {}) if KINDS[do].sets and on_preset else {}, own.get("set", {}))
    options += [word for settings in heads for word in words.overrides(settings, where)]
    job = Job(
        str(own.get("name", f"{number}-{do}")), do, None if source is None else _beside(str(source), path),
        tuple(options), of,
    )  # fmt: skip
    axes = own.get("matrix")
    if axes is None:
        return [job]
    if not isinstance(axes, dict) or not axes:
        raise BatchError(f'{where}: matrix = {axes!r:.60}: write matrix = {{ "plane.seeds" = [[1, 2, 3]] }}')
    return matrix.crossed(job, [matrix.of_values(key, values) for key, values in _dotted(axes)])


def _dotted(axes: Mapping[str, object]) -> list[tuple[str, object]]:
    """`matrix.plane.seeds` as `"plane.seeds"`."""
    return [
        (f"{key}.{inner}" if inner else key, one)
        for key, value in axes.items()
        for inner, one in (value.items() if isinstance(value, dict) else [("", value)])
    ]


def _beside(source: str, path: Path) -> str:
    """A file or folder beside the list, where one of that name is there."""
    there = path.parent / source
    return str(there.resolve()) if ("/" in source or there.suffix) and os.path.exists(there) else source
