"""Prospecting: many triples of seeds, or prompts, surveyed coarsely and ranked; the best as a sheet and as presets.

::

    out/
      surveyed.json         how candidates are surveyed
      scouted/000123.npz    of each: features and thumbnails; what is there is not made again
      prospect.json         the ranking
      sheet.png             the best as small globes
      presets/01.toml       each ready to be filmed, surveyed, performed
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from installation.atlas import scouting
from installation.atlas.scouting import Candidate, Kept, OnDone, Scout, Seen
from installation.film.output import write_text
from installation.film.sinks import save_png
from installation.lettering import cut, font
from installation.studio import Studio
from installation.vocabulary import classifier, noticed
from latentworld.arrays import Integers, Picture
from latentworld.atlas import mesh, phases, places, prospect
from latentworld.atlas.progress import mollweide
from latentworld.atlas.prospect import Ground, Merits
from latentworld.atlas.sampling import Globe
from latentworld.atlas.types import Atlas
from latentworld.cluster.crew import Means
from latentworld.disk import writing
from latentworld.errors import AtlasError
from latentworld.preset import Preset, dump
from latentworld.tokens import DARK, GAP, MARGIN, SHEET

SHOWN, COLUMNS, WIDE, CAPTION = 24, 4, 320, 46  # of the sheet, in pixels


@dataclass(frozen=True)
class Ranked:
    """A candidate and what it is worth; preset: its file, "" for those that have none."""

    rank: int
    seeds: tuple[int, int, int]
    prompt: str | None
    score: float
    length: float
    steepness: float
    phases: float
    emergence: float
    evenness: float
    preset: str = ""


@dataclass(frozen=True, eq=False)
class Made:
    """What was ranked; made: how many were surveyed now, the rest were there."""

    ranking: list[Ranked]
    made: int
    folder: Path


def make(
    preset: Preset, candidates: Sequence[Candidate], target: Path, by: Mapping[str, float],
    words: Sequence[str] | None = None, nside: int = scouting.PLACES, top: int = 12, faithful: bool = False,
    on_done: OnDone = lambda done, total: None, means: Means | None = None, say: Callable[[str], None] = print,
) -> Made:  # fmt: skip
    """Survey candidates into a folder, and rank them. means: Ray's, None for this process.

    Raises AtlasMismatch where the folder was begun otherwise, WorldMismatch for words that the eye cannot read, and
    what making pictures raises.
    """
    if len(candidates) < 2:
        raise AtlasError("one candidate is no choice: prospect among two or more")
    scout = Scout(preset, nside, faithful)
    noticed(scout.studio, [candidate.prompt for candidate in candidates if candidate.prompt is not None])
    tell = None if words is None else classifier(scout.studio, phases.checked(words))
    how = scouting.settings(scout.studio, nside, faithful)
    with scouting.opened(target, how) as kept:
        if means is None:
            made = scouting.run(kept, candidates, scout, on_done)
        else:
            made = scouting.run_on_ray(kept, candidates, scout, how, means, on_done, say)
        seen = _read(kept, candidates)
        merits = judged(scout.studio, seen, nside, tell)
        ranking = ranked(candidates, merits, by, top)
        _written(preset, ranking, target, by)
        save_png(target / "sheet.png", sheet(preset, ranking, candidates, seen, nside))
    return Made(ranking, made, target)


def _read(kept: Kept, candidates: Sequence[Candidate]) -> list[Seen]:
    found = [kept.read(candidate) for candidate in candidates]
    missing = [kept.file(candidate).name for candidate, seen in zip(candidates, found) if seen is None]
    if missing:
        raise AtlasError(f"{len(missing)} surveys cannot be read, {missing[0]} first: the same again makes them")
    return [seen for seen in found if seen is not None]


def judged(studio: Studio, seen: Sequence[Seen], nside: int, tell: Callable[..., object] | None = None) -> Merits:
    """The merits of surveys, by words or by clusters of all of them."""
    features = [one for one, _ in seen]
    return _ground(studio, nside).merits(features, _labels(features, tell))


def _ground(studio: Studio, nside: int) -> Ground:
    sampling = Globe(nside=nside)
    where = places.first(sampling, studio.plane)
    none = np.zeros((len(where), 1), np.float32), np.zeros((len(where), 1, 1, 3), np.uint8)
    atlas = Atlas(studio.plane, sampling, where.unit, *none, where.lattice, where.level)
    return Ground(where.unit, mesh.mesh(atlas), studio.plane.target)


def _labels(features: Sequence[np.ndarray], tell: Callable[..., object] | None) -> list[Integers]:
    if tell is None:
        return prospect.clusters(features)
    import torch

    found = [np.asarray(tell(torch.from_numpy(np.ascontiguousarray(one, np.float32)))) for one in features]
    return [np.asarray(one.argmax(axis=1), np.int64) for one in found]


def ranked(candidates: Sequence[Candidate], merits: Merits, by: Mapping[str, float], top: int) -> list[Ranked]:
    """The ranking, the best first; the first `top` have presets."""
    total = merits.total(by)
    made = []
    for rank, k in enumerate(prospect.ranked(total).tolist(), 1):
        parts = {name: float(merits.part(name)[k]) for name in prospect.WEIGHTS}
        file = f"presets/{rank:02d}.toml" if rank <= top else ""
        made.append(Ranked(rank, candidates[k].seeds, candidates[k].prompt, float(total[k]), **parts, preset=file))
    return made


def _written(preset: Preset, ranking: Sequence[Ranked], target: Path, by: Mapping[str, float]) -> None:
    folder = target / "presets"
    with writing(folder):
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.toml"):  # of a ranking before
            old.unlink()
    for one in ranking:
        if one.preset:
            write_text(target / one.preset, dump(_preset(preset, one)))
    write_text(
        target / "prospect.json", json.dumps({"by": dict(by), "ranking": [asdict(r) for r in ranking]}, indent=1)
    )


def _preset(preset: Preset, one: Ranked) -> Preset:
    what = "seeds " + ", ".join(map(str, one.seeds)) if one.prompt is None else one.prompt
    title = f"{preset.title}, {one.rank} of a prospect" if preset.title else f"{one.rank} of a prospect"
    text = f"{what}: {one.length:.0f} latents of rifts, {one.phases:.1f} phases, by a coarse survey."
    there = preset.changed(title=title, description=text, plane={"seeds": one.seeds})
    return there if one.prompt is None else there.changed(prompt={"positive": one.prompt})


def sheet(
    preset: Preset, ranking: Sequence[Ranked], candidates: Sequence[Candidate], seen: Sequence[Seen], nside: int
) -> Picture:
    """The sheet, uint8 [h, w, 3]: the best as small globes in Mollweide's projection, what they are, what they have."""
    numbers = {(candidate.seeds, candidate.prompt): k for k, candidate in enumerate(candidates)}
    best = ranking[:SHOWN]
    columns = min(COLUMNS, len(best))
    rows, high = -(-len(best) // columns), WIDE // 2
    top = MARGIN + 62
    size = (2 * MARGIN + columns * (WIDE + GAP) - GAP, top + rows * (high + CAPTION + GAP) - GAP + MARGIN)
    canvas = Image.new("RGB", (max(size[0], 720), size[1]), DARK.ground)
    pen = ImageDraw.Draw(canvas)
    title = f"{preset.title}, prospected" if preset.title else "Prospected"
    pen.text((MARGIN, MARGIN), title, DARK.ink, font=font(SHEET.title, "serif"), anchor="ls")
    words = f"the best {len(best)} of {len(ranking)}, {12 * nside**2} places each; rifts in latents"
    pen.text((MARGIN, MARGIN + 16), words, DARK.faint, font=font(SHEET.text))
    for number, one in enumerate(best):
        x, y = MARGIN + number % columns * (WIDE + GAP), top + number // columns * (high + CAPTION + GAP)
        small = mollweide(nside, WIDE, seen[numbers[one.seeds, one.prompt]][1])
        canvas.paste(Image.fromarray(small), (x, y), _ellipse(WIDE, high))
        what = "seeds " + ", ".join(map(str, one.seeds)) if one.prompt is None else one.prompt
        pen.text(
            (x, y + high + 8),
            f"{one.rank}   {cut(pen, what, WIDE - 40, font(SHEET.text))}",
            DARK.ink,
            font=font(SHEET.text),
        )
        facts = f"rifts {one.length:.0f}   rate {one.steepness:.3f}   phases {one.phases:.1f}"
        pen.text((x, y + high + 28), facts, DARK.faint, font=font(SHEET.small))
    return np.asarray(canvas)


def _ellipse(width: int, height: int) -> Image.Image:
    """The mask of a globe in its box."""
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).ellipse((0, 0, width - 1, height - 1), fill=255)
    return mask
