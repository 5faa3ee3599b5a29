"""Whether a coarse scout survey finds the globes with long rifts, and how long it takes.

    python benchmarks/prospecting.py time [--count 20] [--globe 4]                 seconds a triple
    python benchmarks/prospecting.py rank FOLDER [--others 8] [--nside 8]          the best of a prospect, faithfully

FOLDER is a prospect's: `latentworld prospect -n 100 -o out/prospect`. The best of its ranking and others of its middle
are surveyed again, by the faithful decoder, more finely; rifts are measured with the same phases on all of them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from common import machine

from installation.atlas import prospects, scouting
from latentworld import preset as presets


def timed(count: int, nside: int) -> None:
    scout = scouting.Scout(presets.load("neutral"), nside)
    candidates = scouting.triples(count + 1, 0)
    scout(candidates[0].seeds, None)
    began = time.perf_counter()
    for candidate in candidates[1:]:
        scout(candidate.seeds, candidate.prompt)
    each = (time.perf_counter() - began) / count
    print(f"{each:.2f} s a triple of {12 * nside**2} places: 200 in {200 * each / 60:.1f} min (asked: 15 on two cores)")


def ranked(folder: Path, others: int, nside: int) -> None:
    """Rift lengths of the best and of the middle of a ranking, faithfully."""
    ranking = json.loads((folder / "prospect.json").read_text())["ranking"]
    middle = len(ranking) // 2
    chosen = [0, *range(middle - others // 2, middle - others // 2 + others)]
    scout = scouting.Scout(presets.load("neutral"), nside, faithful=True)
    seen = []
    for k in chosen:
        began = time.perf_counter()
        seen.append(scout(ranking[k]["seeds"], ranking[k]["prompt"]))
        print(f"rank {k + 1}: {time.perf_counter() - began:.0f} s", flush=True)
    merits = prospects.judged(scout.studio, seen, nside)
    median = float(np.median(merits.length[1:]))
    print(f"rift length of the best {merits.length[0]:.0f} latents, of the middle {median:.0f} "
          f"({merits.length[1:].min():.0f} to {merits.length[1:].max():.0f}): {merits.length[0] / median:.2f} times "
          f"(asked: 1.5)")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["time", "rank"])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--globe", type=int, default=4)
    parser.add_argument("--others", type=int, default=8)
    parser.add_argument("--nside", type=int, default=8)
    options = parser.parse_args()
    print(machine())
    if options.what == "time":
        timed(options.count, options.globe)
    else:
        ranked(options.folder, options.others, options.nside)


if __name__ == "__main__":
    main()
