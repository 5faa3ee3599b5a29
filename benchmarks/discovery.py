"""Discovery: how soon a walk toward words is there, and how well words are found.

    python benchmarks/discovery.py toward ATLAS [--starts 60]    arc until a word is all but reached, against `wander`
    python benchmarks/discovery.py harvest ATLAS [--count 48]    against places at random and the steepest of the survey
    python benchmarks/discovery.py find ATLAS                    the embedded world's families, found by their words

ATLAS is a survey of the whole globe: `latentworld atlas survey neutral --globe 16 --scout -o out/discovery`. Walks look
at the map, so that the best there is on the globe is known; the decoder is asked by `find` alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from common import machine

from installation import rig
from installation.atlas import findings, finds, harvests, rendering
from installation.atlas.findings import Findings
from installation.atlas.survey_folder import SurveyFolder, preset_of
from installation.studio import Studio
from latentworld import globe, walks
from latentworld.aims import Likeness
from latentworld.arrays import Array, Integers
from latentworld.atlas import finding, mesh, prior, reader
from latentworld.atlas import harvest as harvesting
from latentworld.atlas.harvest import Judge
from latentworld.atlas.types import Atlas
from latentworld.lipschitz import Lookout
from latentworld.pacing import PacingSpec
from latentworld.pilot import Pilot, PilotSpec
from latentworld.plane import Plane
from latentworld.walks import Free

FAMILIES = ("a planet", "a moon", "a mountain", "a sea", "a cat", "a flower", "an ornament", "a texture")
FRAMES, SPEED, FPS = 8, 8.0, 24.0  # of a tick; latent arc a second


def starts(plane: Plane, count: int, spec: walks.WalkSpec) -> list[Free]:
    """Free walks from random places in random directions."""
    draw = np.random.default_rng(0)
    unit, aside = globe.normalise(draw.normal(size=(2, count, 3)))
    own = walks.roaming(spec, plane)
    return [Free(u, globe.project(u, a), plane.target, ease=own.ease, wind=own.wind) for u, a in zip(unit, aside)]


def until(walk: Free, pilot: Pilot, likeness: Lookout, aim: Likeness, goal: float, most: float) -> float:
    """Latent arc of a walk until its picture is wanted as much as `goal`; `most` where that never happens."""
    while walk.arc < most:
        if float(aim(np.asarray(likeness(walk.unit[None], np.ones(1)), np.float64))[0]) >= goal:
            return walk.arc
        steering = pilot(walk, None, None, FRAMES)
        walk = walk.advance(float(steering.strides[-1]), steering.curvature)
    return most


def toward(studio: Studio, atlas: Atlas, count: int, most: float) -> None:
    """Arcs of walks toward each word, and of those that wander, from the same starts."""
    look = prior.lookout(atlas, mesh.mesh(atlas))
    pace, plane = PacingSpec(kind="latent", speed=SPEED), studio.plane
    print(f"{'word':12s} {'best':>6s} {'toward':>8s} {'wander':>8s} {'ratio':>6s}  there: toward, wander")
    totals = []
    for word, text in zip(FAMILIES, np.asarray(studio.eye.texts(FAMILIES), np.float64)):
        aim = Likeness(text)
        best = float(finding.scores(atlas, text).max())
        arcs = dict[str, Array]()
        for name, mode, spec in (("toward", "toward", walks.Rift()), ("wander", "off", walks.plain("wander"))):
            found = []
            for walk in starts(plane, count, spec):
                pilot = Pilot(PilotSpec(mode=mode, words=word), pace, plane, look, look, FPS, aim=aim)  # type: ignore[arg-type]
                found.append(until(walk, pilot, look, aim, 0.95 * best, most))
            arcs[name] = np.array(found)
        means = [float(arcs[name].mean()) for name in ("toward", "wander")]
        there = ", ".join(f"{(arcs[name] < most).mean():.0%}" for name in ("toward", "wander"))
        totals.append(means)
        print(f"{word:12s} {best:6.3f} {means[0]:8.1f} {means[1]:8.1f} {means[0] / means[1]:6.2f}  {there}", flush=True)
    mean = np.array(totals).mean(axis=0)
    print(f"mean arc {mean[0]:.1f} against {mean[1]:.1f}: {mean[0] / mean[1]:.2f} of what wander needs (asked: 0.4)")


def find(studio: Studio, atlas: Atlas, folder: SurveyFolder) -> None:
    """Whether the best find of a family's word is of that family, as the eye tells the eight apart."""
    classify = studio.eye.labels(FAMILIES)
    decoder = finds.decoder(studio, folder)
    render = rendering.renderer(studio, decoder, 128)
    right = []
    for number, word in enumerate(FAMILIES):
        import torch

        text = np.asarray(studio.eye.texts([word])[0], np.float64)
        found = finding.find(atlas, text, render)
        sure = classify(torch.from_numpy(found.features)).numpy()
        hits = sure.argmax(axis=1) == number
        right.append(hits)
        print(f"{word:12s} best {found.score[0]:.3f} (survey {found.surveyed.max():.3f}), p {sure[0, number]:.2f}, "
              f"{hits.mean():.0%} of {len(found)} of the family, {found.decodes} decodes", flush=True)  # fmt: skip
    first = np.mean([hits[0] for hits in right])
    print(f"the best find is of its family: {first:.0%} (asked: 95%); of all finds {np.concatenate(right).mean():.0%}")


def harvest(atlas: SurveyFolder, studio: Studio, count: int) -> None:
    """What a harvest takes home against as many places at random, and the steepest of the survey, which is how one
    goes about it by hand. Emergent: a phase that no neighbour has (of a survey's places), or neither side (harvest)."""
    found = findings.read(atlas)
    decoder = finds.decoder(studio, atlas)
    edges = harvesting.rifts(found.mesh, found.phases, found.rates, harvests.EACH * count)
    seen = harvesting.across(found.atlas, found.phases, edges, rendering.renderer(studio, decoder, 64))
    judge = harvesting.Judge(found.atlas, found.phases)
    scores = judge(seen, found.atlas, edges)
    chosen = harvesting.various(scores.total(), seen.features, count)
    apart = finding.peaks(found.atlas.unit, np.nan_to_num(found.rates), count, 2 * finding.spacing(found.atlas))
    emergent = int((scores.emergence[chosen] >= harvests.EMERGES).sum())
    random = np.random.default_rng(0).permutation(len(found.atlas))[:count]
    rows = {
        "harvest": (seen.features[chosen], scores.soundness[chosen], emergent),
        "at random": _of_the_survey(found, judge, random),
        "steepest": _of_the_survey(found, judge, np.argsort(-np.nan_to_num(found.rates), kind="stable")[:count]),
        "steepest, apart": _of_the_survey(found, judge, apart),
    }
    print(f"{len(seen)} looks; {len(chosen)} pictures")
    for name, (features, sound, emergent) in rows.items():
        share = judge.shares(features)
        entropy = -(share * np.log(np.maximum(share, 1e-12))).sum(axis=1) / np.log(share.shape[1])
        print(f"{name:15s} ambiguity {entropy.mean():.3f}  novelty {judge.novelty(features).mean():.2f}  "
              f"emergent {emergent}  soundness {sound.mean():.2f}")  # fmt: skip


def _of_the_survey(found: Findings, judge: Judge, which: Integers) -> tuple[Array, Array, int]:
    label, edges, emergent = found.phases.label, found.mesh.edges, 0
    for place in which.tolist():
        beside = np.setdiff1d(edges[(edges == place).any(axis=1)].ravel(), [place])
        emergent += bool(len(beside)) and label[place] not in label[beside]
    thumbs = np.stack([np.asarray(found.atlas.thumbs[int(place)]) for place in which])
    return np.asarray(found.atlas.features[which], np.float64), judge.soundness(thumbs), emergent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["toward", "harvest", "find"])
    parser.add_argument("atlas", type=Path)
    parser.add_argument("--starts", type=int, default=60)
    parser.add_argument("--most", type=float, default=600.0, help="latent arc after which a walk is given up")
    parser.add_argument("--count", type=int, default=48, help="pictures of a harvest")
    options = parser.parse_args()
    print(machine())
    folder = SurveyFolder.at(options.atlas)
    atlas, studio = reader.read(folder.store), rig.open_studio(preset_of(folder))
    if options.what == "harvest":
        harvest(folder, studio, options.count)
    elif options.what == "toward":
        toward(studio, atlas, options.starts, options.most)
    else:
        find(studio, atlas, folder)


if __name__ == "__main__":
    main()
