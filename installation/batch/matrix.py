"""Axes of values, and a job for each of their combinations.

::

    axes = [axis("plane.seeds=[1,2,3],[4,5,6]"), axis("decoder.guidance=2.5,5")]
    crossed(Job("neutral", "film", "neutral"), axes)      # four jobs
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from installation.batch import words
from installation.batch.jobs import Job
from latentworld import texts
from latentworld.errors import BatchError

MOST = 1000  # jobs of one matrix
LONGEST = 60  # characters of what a name says of values


@dataclass(frozen=True)
class Axis:
    """A key of the preset (`plane.seeds`) or an option of the command (`at`), and the values that it takes in turn."""

    key: str
    values: tuple[object, ...]

    def words(self, value: object) -> list[str]:
        """One of them on a command line."""
        if "." in self.key or self.key in ("title", "description"):
            return ["--set", f"{self.key}={words.toml(value)}"]
        return list(words.option(self.key, value))


def axis(text: str) -> Axis:
    """An axis as people write it, `KEY=VALUE,VALUE`: values of TOML, or texts. Raises BatchError."""
    key, equals, rest = (part.strip() for part in text.partition("="))
    if not equals or not re.fullmatch(r"[A-Za-z][\w-]*(\.[\w-]+)?", key):
        raise BatchError(f"cannot read the matrix {text!r:.80}: write SECTION.KEY=VALUE,VALUE")
    try:
        found = texts.toml(f"value = [{rest}]").get("value")
    except ValueError:
        found = [one.strip() for one in rest.split(",")]
    return of_values(key, found)


def of_values(key: str, values: object) -> Axis:
    """An axis of a list's values. Raises BatchError for none, or for one that is there twice."""
    if not isinstance(values, list) or not values or "" in values:
        raise BatchError(f"the matrix gives {key} no values: write {key}=VALUE,VALUE")
    told = [words.toml(value) for value in values]
    if twice := {text for text in told if told.count(text) > 1}:
        raise BatchError(f"the matrix gives {key} the same value twice ({min(twice):.60}): leave one out")
    return Axis(key, tuple(values))


def crossed(job: Job, axes: Sequence[Axis]) -> list[Job]:
    """A job for each combination, the last axis turning fastest, its name a number and what it is of.

    Raises BatchError for two axes of one key, or for more than MOST jobs.
    """
    keys = [one.key for one in axes]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise BatchError(f"the matrix names {min(twice)} twice: give all its values at once")
    count = prod(len(one.values) for one in axes)
    if count > MOST:
        raise BatchError(f"the matrix makes {count} jobs, at most {MOST} are taken: give fewer values")
    made = []
    for number, values in enumerate(product(*(one.values for one in axes)), 1):
        pairs = list(zip(axes, values, strict=True))
        added = [word for one, value in pairs for word in one.words(value)]
        said = "_".join(f"{one.key.rpartition('.')[2]}-{_short(value)}" for one, value in pairs)
        name = f"{job.name}-{number:0{len(str(count))}d}-{said[:LONGEST].strip('-_.')}"[:100].rstrip("-_.")
        made.append(Job(name, job.do, job.source, (*job.options, *added), job.of))
    return made


def _short(value: object) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", str(value)).strip("-.") or "x"
