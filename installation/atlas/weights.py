"""What finds and candidates are ranked by, as it is written on a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from latentworld.errors import AtlasError

LARGEST = 1e6  # of a weight: sums of merits stay numbers


def read(text: str | None, known: Mapping[str, float], further: Sequence[str] = ()) -> Mapping[str, float]:
    """Weights by name, as "novelty=1,emergence=2"; those of `known` where there is no text. further: names that may be
    given as well. Raises AtlasError for other names, for what is no number up to LARGEST, and for zeros alone."""
    if text is None:
        return known
    found = dict[str, float]()
    for part in text.split(","):
        name, _, number = part.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            found[name.strip()] = float("nan")
    names = [*known, *further]
    wrong = [name for name, weight in found.items() if name not in names or not abs(weight) <= LARGEST]
    if wrong or not any(found.values()):
        example = ",".join(f"{name}={number}" for number, name in enumerate(names[:2], 1))
        raise AtlasError(
            f"--by {text!r:.60}: give numbers up to {LARGEST:g}, not all 0, to {', '.join(names)}, as {example}"
        )
    return found
