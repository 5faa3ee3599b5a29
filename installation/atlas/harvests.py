"""A harvest as an artist takes it home: pictures with their places, a sheet, a page, a walk that visits them all."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from installation import rig
from installation.atlas import findings, on_the_way, rendering, unfinished
from installation.atlas.findings import Findings
from installation.atlas.finds import decoder as surveyed_by
from installation.atlas.finds import of_survey
from installation.atlas.survey_folder import SurveyFolder, preset_of
from installation.atlas.unfinished import OnLook, Unfinished, quiet
from installation.film import keeping
from installation.film.output import write_text
from installation.film.sheet import place, thumbnail
from installation.film.sinks import save_png
from installation.frames import develop
from installation.lettering import font
from installation.studio import Studio
from latentworld import globe, tokens, walks
from latentworld.arrays import Array, Integers, Picture
from latentworld.atlas import harvest, merits
from latentworld.atlas.harvest import Judge, Scores
from latentworld.preset import Preset, dump
from latentworld.tokens import DARK, SHEET

EACH = 4  # edges of rifts that are bisected for every picture that is taken home, at most
EMERGES = 0.15  # share of a third phase from which it is said to appear
OPPOSITE = np.pi - 1e-3  # rad apart: nearer to opposite, the way between two places hangs on their last digits
COLUMNS, MARGIN, GAP, CAPTION, WIDTH = 6, 48, 20, 44, 224  # of the sheet, in pixels


@dataclass(frozen=True)
class Find:
    """A picture of a harvest. file: its name; between: the phases on either side; third: one that neither has, or "";
    alpha, beta: of its antipode on the far side, where front is False; further: worth by merits of other packages."""

    file: str
    score: float
    ambiguity: float
    novelty: float
    emergence: float
    soundness: float
    between: tuple[str, str]
    third: str
    alpha: float
    beta: float
    front: bool
    radius: float
    options: str
    further: dict[str, float]


@dataclass(frozen=True, eq=False)
class Harvest:
    """What was taken home, and how many pictures were looked at for it."""

    finds: list[Find]
    looked: int
    folder: Path


def make(
    atlas: SurveyFolder, count: int, target: Path, by: Mapping[str, float], overrides: Sequence[str] = (),
    looks: int = harvest.LOOKS, on_look: OnLook = quiet,
) -> Harvest:  # fmt: skip
    """Harvest an atlas into an empty folder, or go on where that was stopped: PNGs, sheet.png, harvest.json,
    harvest.html, harvest.toml.

    Raises AtlasError where there is no rift, OutputExists for a folder that holds something, AtlasMismatch where
    another harvest was stopped in it.
    """
    found, preset = findings.read(atlas), preset_of(atlas, list(overrides))
    how = {"atlas": findings.digest(found), "count": count, "by": dict(by), "looks": looks, "preset": dump(preset)}
    studio = rig.open_studio(preset)
    of_survey(studio, found.atlas, atlas)
    with unfinished.begun(target, how, frozenset((on_the_way.ATLAS,)), on_look) as work:
        return _made(studio, atlas, found, count, target, by, looks, work)


def _made(
    studio: Studio, atlas: SurveyFolder, found: Findings, count: int, target: Path, by: Mapping[str, float], looks: int,
    work: Unfinished,
) -> Harvest:  # fmt: skip
    decoder = surveyed_by(studio, atlas)
    render = rendering.renderer(studio, decoder, max(decoder.size))
    edges = harvest.rifts(found.mesh, found.phases, found.rates, EACH * count)
    remembered = work.render(render, "looking between the phases", looks * len(edges))
    seen = harvest.across(found.atlas, found.phases, edges, remembered, looks)
    judge = Judge(found.atlas, found.phases)
    scores = merits.judged(judge(seen, found.atlas, edges), seen, judge, by)
    total = scores.total(by)
    chosen = harvest.various(total, seen.features, count)
    finds = _found(studio, found, scores, total, chosen, seen.unit[chosen], seen.between[chosen])
    pictures = _pictures(studio, seen.unit[chosen], found.atlas.radius, target, finds, work)
    _written(studio.preset, found, finds, pictures, seen.unit[chosen], target, by)
    return Harvest(finds, len(seen), target)


def _found(
    studio: Studio, found: Findings, scores: Scores, total: Array, chosen: Integers, unit: Array, between: Integers
) -> list[Find]:
    alpha, beta, front = studio.plane.chart(unit)
    names, radius, made = found.phases.names, found.atlas.radius, list[Find]()
    for row, k in enumerate(chosen.tolist()):
        a, b, far = float(alpha[row]), float(beta[row]), not front[row]
        signed = -radius if far else radius
        options = f"--alpha {a:.10g} --beta {b:.10g}" + ("" if signed == 1.0 else f" --radius {signed:.10g}")
        emergence = float(scores.emergence[k])
        third = names[int(scores.third[k])] if emergence >= EMERGES else ""
        low, high = (names[int(phase)] for phase in between[row])
        parts = {name: float(scores.part(name)[k]) for name in harvest.WEIGHTS}
        made.append(Find(
            f"{row + 1:03d}.png", float(total[k]), **parts, soundness=float(scores.soundness[k]), between=(low, high),
            third=third, alpha=a, beta=b, front=not far, radius=radius, options=options,
            further={name: float(values[k]) for name, values in scores.further.items()},
        ))  # fmt: skip
    return made


def _pictures(
    studio: Studio, unit: Array, radius: float, target: Path, finds: Sequence[Find], work: Unfinished
) -> list[Picture]:
    """Decoded by the preset's own decoder, finished as a film's frames are, written with their places."""
    network, marks = keeping.network(studio.preset), keeping.marks(studio)
    finish = keeping.finish(studio.preset, studio.decoder.size, network)
    made = list[Picture]()
    for number, (find, one) in enumerate(zip(finds, unit)):

        def decoded(one: Array = one) -> Picture:
            latents = studio.plane.latents(one[None], np.array([radius]))
            return np.asarray(develop(studio.decoder(latents, studio.prompt))[0])

        picture = work.picture(number, decoded, "decoding what was chosen", len(finds))
        info = None if marks is None else marks.png(one, radius, picture, finished=True)
        save_png(target / find.file, finish(picture, 0), finish.size, finish.fit, info)
        made.append(picture)
    return made


def _written(
    preset: Preset, found: Findings, finds: list[Find], pictures: list[Picture], unit: Array, target: Path,
    by: Mapping[str, float],
) -> None:  # fmt: skip
    title = f"{preset.title}, a harvest" if preset.title else "A harvest"
    ranked = ", ".join(f"{name} {weight:g}" for name, weight in by.items())
    text = f"{len(finds)} pictures from the rifts of a survey of {len(found.atlas)} places, ranked by {ranked}."
    table = [asdict(find) for find in finds]
    write_text(target / "harvest.json", json.dumps({"title": title, "by": dict(by), "finds": table}, indent=1))
    write_text(target / "harvest.html", page(title, text, finds, pictures[0].shape[1] / pictures[0].shape[0]))
    save_png(target / "sheet.png", sheet(title, text, finds, pictures))
    if len(finds) > 1:
        write_text(target / "harvest.toml", dump(visiting(preset, found, unit, title, text)))


def page(title: str, text: str, finds: Sequence[Find], ratio: float) -> str:
    """The page: no server, no network; pictures lie beside it."""
    data = json.dumps([asdict(find) for find in finds]).replace("<", "\\u003c")
    filled = files("latentworld.atlas").joinpath("page/harvest.html").read_text(encoding="utf-8")
    texts = {"tokens": tokens.css(), "title": html.escape(title), "text": html.escape(text), "ratio": f"{ratio:g}"}
    for name, value in texts.items():
        filled = filled.replace("{{" + name + "}}", value)
    return filled.replace("{{finds}}", data)


def visiting(preset: Preset, found: Findings, unit: Array, title: str, text: str) -> Preset:
    """A preset whose walk visits every place, each from the nearest before it, and comes back."""
    order = [0]
    while len(order) < len(unit):
        left = np.setdiff1d(np.arange(len(unit)), order)
        order.append(int(left[globe.angle(unit[left], unit[order[-1]]).argmin()]))
    alpha, beta, front = found.atlas.plane.chart(_led_round(unit[order]))
    sides = np.where(front, found.atlas.radius, -found.atlas.radius)
    points = tuple((float(a), float(b), float(s)) for a, b, s in zip(alpha, beta, sides))
    walk = walks.Waypoints(points=points, closed=True)
    length = float(walks.build(walk, found.atlas.plane).length or 0.0)
    seconds = max(length / preset.pacing.speed, 1.0 / preset.film.fps)
    return preset.changed(title=title, description=text, walk=walk, film={"seconds": seconds})


def _led_round(stops: Array) -> Array:
    """The stops of a closed walk [m, 3], with one more a quarter of the globe on where the next lies opposite, to which
    no way is the shortest."""
    found = list[Array]()
    for here, there in zip(stops, np.roll(stops, -1, axis=0)):
        found.append(here)
        if globe.angle(here, there) > OPPOSITE:
            side = (-1.0) ** len(found)  # there and back by two ways
            found.append(side * globe.project(here, np.eye(3)[np.abs(here).argmin()]))
    return np.stack(found)


def sheet(title: str, text: str, finds: Sequence[Find], pictures: Sequence[Picture]) -> Picture:
    """The sheet, uint8 [h, w, 3]: pictures, the best first, what they lie between, and where."""
    small = [thumbnail(picture, WIDTH) for picture in pictures]
    high, columns = small[0].shape[0], min(COLUMNS, len(small))
    rows = -(-len(small) // columns)
    width = max(2 * MARGIN + columns * (WIDTH + GAP) - GAP, 720)
    top = MARGIN + 60
    canvas = Image.new("RGB", (width, top + rows * (high + CAPTION + GAP) - GAP + MARGIN), DARK.ground)
    pen = ImageDraw.Draw(canvas)
    pen.text((MARGIN, MARGIN), title, DARK.ink, font=font(SHEET.title, "serif"), anchor="ls")
    pen.text((MARGIN, MARGIN + 14), text, DARK.faint, font=font(SHEET.text))
    for number, (picture, find) in enumerate(zip(small, finds)):
        x, y = MARGIN + number % columns * (WIDTH + GAP), top + number // columns * (high + CAPTION + GAP)
        canvas.paste(Image.fromarray(picture), (x, y))
        words = f"{find.between[0]} | {find.between[1]}" + (f": {find.third}" if find.third else "")
        pen.text((x, y + high + 7), words, DARK.ink, font=font(SHEET.caption))
        where = place(find.alpha, find.beta, find.front, find.radius)
        pen.text((x, y + high + 26), f"{number + 1}   {where}", DARK.faint, font=font(SHEET.small))
    return np.asarray(canvas)
