"""What appears between phases, on worlds where it is known.

    python benchmarks/emergence.py [--worlds 20]

In each analytic world a mode is planted between two others, so that its basin is narrow; worlds count in which
the survey leaps over it somewhere. Every third mode on any edge of a rift is to be found (the truth: 256 places of each
edge, a band of 4 or more), and none where there is none.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from common import machine

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from standins import surveys
from test_emergence import surveyed, telling, truth, world

from latentworld.atlas import emergence, field


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worlds", type=int, default=20)
    options = parser.parse_args()
    print(machine())
    missed = invented = planted = found = there = 0
    began = time.perf_counter()
    seed = worlds = 0
    while worlds < options.worlds:
        decoder, seed = world(seed), seed + 1
        atlas, net, labels = surveyed(decoder)
        rifts = emergence.rifts(net, labels, field.rates(atlas, net))
        known = [truth(decoder, rift, atlas.unit) for rift in rifts]
        if not any(1 in k and rift.between == (0, 2) for k, rift in zip(known, rifts)):
            continue  # every edge between its neighbours passes it by
        worlds += 1
        told = emergence.report(
            atlas, rifts, surveys.looked(decoder), telling(decoder), each=10_000, looks=6, probes=31
        )
        seen = [{band.third for band in told.bands if band.rift == number} for number in range(len(rifts))]
        missed += sum(len(k - s) for k, s in zip(known, seen))
        there += sum(map(len, known))
        found += sum(map(len, seen))
        wrong = decoder.basin(np.array([band.unit for band in told.bands])) != [band.third for band in told.bands]
        invented += int(wrong.sum())
        planted += any(1 in s and rift.between == (0, 2) for s, rift in zip(seen, rifts))
        print(f"world {seed - 1}: {len(rifts)} rifts, {sum(map(len, known))} thirds, {len(told.bands)} bands, "
              f"{told.looks} looks", flush=True)  # fmt: skip
    print(f"planted third modes found: {planted} of {worlds}; thirds in rifts found: {there - missed} of {there} "
          f"(asked: all); bands whose middle is no picture of their third: {invented} (asked: 0); {found} in all, "
          f"the rest narrower than the truth counts; {time.perf_counter() - began:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
