"""The report of what appears between phases: a table, a figure, pictures, `emergence.json`."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from installation import rig
from installation.atlas import findings, rendering, unfinished
from installation.atlas.findings import Findings, digest
from installation.atlas.finds import decoder as surveyed_by
from installation.atlas.finds import of_survey
from installation.atlas.survey_folder import SurveyFolder, preset_of, title_of
from installation.atlas.unfinished import OnLook, Unfinished, quiet
from installation.film.output import write_text
from installation.film.sheet import place
from installation.film.sinks import save_png
from installation.lettering import font
from installation.studio import Studio
from installation.vocabulary import classifier
from latentworld.arrays import Array, Features, Picture, Pictures
from latentworld.atlas import emergence, phases
from latentworld.atlas.emergence import Band, Classify, Report
from latentworld.errors import AtlasError
from latentworld.preset import dump
from latentworld.tokens import DARK, PHASES, SHEET

CLUSTER = re.compile(r"phase \d+")
SHOWN, ACROSS = 10, 9  # rifts in the figure, pictures across each
MARGIN, SIDE, GAP, HIGH = 48, 104, 6, 58  # of the figure, in pixels; HIGH: of the curves below the pictures


@dataclass(frozen=True)
class Row:
    """What appears in one rift: a row of the table. rift: its number, strongest first; between, third: names; walked:
    ways across that were looked at, found: those on which the third phase lies; width: latents, in the middle of them;
    widest: the most; rate: the largest at a border, feature per latent; share: of the third in the picture named by
    alpha, beta and front, where it is purest; options: that place, as `latentworld still` takes it."""

    rift: int
    between: str
    third: str
    walked: int
    found: int
    width: float
    widest: float
    rate: float
    share: float
    alpha: float
    beta: float
    front: bool
    options: str


@dataclass(frozen=True, eq=False)
class Made:
    """What was written. rifts, silent: how many there are, and in how many of them nothing appears."""

    rows: list[Row]
    rifts: int
    silent: int
    looks: int
    folder: Path


def make(
    atlas: SurveyFolder, target: Path, words: Sequence[str] | None = None, count: int | None = None,
    each: int = emergence.EACH, looks: int = emergence.LOOKS, probes: int = emergence.PROBES,
    on_look: OnLook = quiet,
) -> Made:  # fmt: skip
    """Report into an empty folder, or go on where that was stopped. words, count: phases by words or by so many
    clusters, else the survey's own.

    Raises AtlasError where there is no rift, AtlasMismatch where the survey is of elsewhere or another report was
    stopped there, WorldMismatch where the eye knows no words, OutputExists for a folder that holds something.
    """
    preset = preset_of(atlas)
    how = {"atlas": digest(findings.read(atlas)), "words": words and list(words), "count": count, "each": each,
           "looks": looks, "probes": probes, "preset": dump(preset)}  # fmt: skip
    studio = rig.open_studio(preset)
    found, classify = phased(studio, atlas, words, count)
    of_survey(studio, found.atlas, atlas)
    with unfinished.begun(target, how, on_look=on_look) as work:
        return _made(studio, atlas, found, classify, target, each, looks, probes, work)


def _made(
    studio: Studio, atlas: SurveyFolder, found: Findings, classify: Classify, target: Path, each: int, looks: int,
    probes: int, work: Unfinished,
) -> Made:  # fmt: skip
    decoder = surveyed_by(studio, atlas)
    rifts = emergence.rifts(found.mesh, found.phases, found.rates)
    least = (probes + looks) * sum(min(each, len(rift.edges)) for rift in rifts)
    render = work.render(rendering.renderer(studio, decoder, max(decoder.size)), "crossing the rifts", least)
    told = emergence.report(found.atlas, rifts, render, classify, each, looks, probes)
    rows, purest = rows_of(found, told)
    figure = None
    if purest:
        shown = [
            (row, *emergence.strips(found.atlas, rifts[band.rift], band, each, ACROSS, render, classify))
            for row, band in list(zip(rows, purest))[:SHOWN]
        ]
        figure = drawn(f"{title_of(atlas)}: what appears in between", shown, found.phases.names)
    _written(target, rows, purest, told, figure)
    silent = len(rifts) - len({band.rift for band in told.bands})
    return Made(rows, len(rifts), silent, told.looks, target)


def phased(
    studio: Studio, atlas: SurveyFolder, words: Sequence[str] | None, count: int | None
) -> tuple[Findings, Classify]:
    """A survey's findings with the phases that were asked for, and what tells them apart in new pictures."""
    found = findings.read(atlas)
    if words is None and count is None and not all(CLUSTER.fullmatch(name) for name in found.phases.names):
        words = list(found.phases.names)
    if words is None:
        labels = found.phases if count is None else phases.by_clusters(found.atlas, count)
        return findings.with_phases(found, labels), emergence.nearest(found.atlas, labels)
    names = phases.checked(words)
    if len(names) < 3:
        raise AtlasError("a third phase needs three: give three words or more")
    tell = classifier(studio, names)

    def classify(seen: Features) -> Array:
        import torch

        return np.asarray(tell(torch.from_numpy(np.ascontiguousarray(seen, np.float32))), np.float64)

    return findings.with_phases(found, phases.by_words(found.atlas, tell, names)), classify


def rows_of(found: Findings, told: Report) -> tuple[list[Row], list[Band]]:
    """The table, what appears most widely first, and of each row the band in which it is purest."""
    grouped: dict[tuple[int, int], list[Band]] = {}
    for band in told.bands:
        grouped.setdefault((band.rift, band.third), []).append(band)
    names, radius = found.phases.names, found.atlas.radius
    made = list[tuple[Row, Band]]()
    for (rift, third), bands in grouped.items():
        best = max(bands, key=lambda band: band.share)
        width = np.array([band.width for band in bands])
        alpha, beta, front = (float(part) for part in found.atlas.plane.chart(best.unit))
        signed = radius if front else -radius
        options = f"--alpha {alpha:.10g} --beta {beta:.10g}" + ("" if signed == 1.0 else f" --radius {signed:.10g}")
        one, other = told.rifts[rift].between
        row = Row(
            rift + 1, f"{names[one]} | {names[other]}", names[third], int(told.walked[rift]),
            len({band.edge for band in bands}), float(np.median(width)), float(width.max()),
            float(max(band.rate for band in bands)), best.share, alpha, beta, bool(front), options,
        )  # fmt: skip
        made.append((row, best))
    made.sort(key=lambda pair: -pair[0].width * pair[0].found * pair[0].share)
    return [row for row, _ in made], [band for _, band in made]


def table(rows: Sequence[Row]) -> str:
    """The rows as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return out.getvalue()


def _written(target: Path, rows: list[Row], purest: list[Band], told: Report, figure: Picture | None) -> None:
    said = {"rifts": len(told.rifts), "looked": told.looks, "emergent": [asdict(row) for row in rows]}
    write_text(target / "emergence.json", json.dumps(said, indent=1))
    write_text(target / "emergence.csv", table(rows))
    for number, band in enumerate(purest, 1):
        save_png(target / f"{number:03d}.png", band.thumb)
    if figure is not None:
        save_png(target / "emergence.png", figure)


Shown = tuple[Row, Pictures, Array, Array]
"""A row, and along its purest way across: pictures [n, h, w, 3], shares of phases [n, k], latents [n]."""


def drawn(title: str, shown: Sequence[Shown], names: Sequence[str]) -> Picture:
    """The figure, uint8 [h, w, 3]: for each rift the pictures from one side to the other, and below them the share of
    both sides and of what appears."""
    block = SIDE + HIGH + 62
    wide = 2 * MARGIN + ACROSS * (SIDE + GAP) - GAP
    canvas = Image.new("RGB", (wide, MARGIN + 52 + block * len(shown)), DARK.ground)
    pen = ImageDraw.Draw(canvas)
    pen.text((MARGIN, MARGIN), title, DARK.ink, font=font(SHEET.title, "serif"), anchor="ls")
    for number, (row, thumbs, shares, latents) in enumerate(shown):
        y = MARGIN + 30 + block * number
        _said(pen, row, y)
        for k, picture in enumerate(thumbs):
            small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            canvas.paste(small, (MARGIN + k * (SIDE + GAP), y + 26))
        sides = [names.index(name) for name in row.between.split(" | ")]
        third = names.index(row.third)
        box = (MARGIN + SIDE / 2, y + 32 + SIDE, wide - MARGIN - SIDE / 2, y + 26 + SIDE + HIGH)
        for phase, colour, weight in ((sides[0], PHASES[0], 2), (sides[1], PHASES[1], 2), (third, PHASES[5], 3)):
            _curve(pen, shares[:, phase], box, colour, weight)
        _ends(pen, row, latents, box)
    return np.asarray(canvas)


def _said(pen: ImageDraw.ImageDraw, row: Row, y: int) -> None:
    one, other = row.between.split(" | ")
    x: float = MARGIN
    for words, colour in (
        (one, PHASES[0]),
        ("|", DARK.faint),
        (row.third, PHASES[5]),
        ("|", DARK.faint),
        (other, PHASES[1]),
    ):
        pen.text((x, y + 16), words, colour, font=font(SHEET.text), anchor="ls")
        x += pen.textlength(words, font=font(SHEET.text)) + 8
    facts = (
        f"on {row.found} of {row.walked} ways across, {row.width:.2f} latents wide, rate {row.rate:.2f}   "
        f"{place(row.alpha, row.beta, row.front, 1.0)}"
    )
    pen.text((x + 12, y + 16), facts, DARK.faint, font=font(SHEET.small), anchor="ls")


def _curve(
    pen: ImageDraw.ImageDraw, share: Array, box: tuple[float, float, float, float], colour: str, weight: int
) -> None:
    left, top, right, bottom = box
    xs = np.linspace(left, right, len(share))
    ys = bottom - np.clip(share, 0.0, 1.0) * (bottom - top)
    pen.line(list(zip(xs.tolist(), ys.tolist())), fill=colour, width=weight, joint="curve")


def _ends(pen: ImageDraw.ImageDraw, row: Row, latents: Array, box: tuple[float, float, float, float]) -> None:
    left, _, right, bottom = box
    pen.line([(left, bottom + 2), (right, bottom + 2)], fill=DARK.rule)
    face = font(SHEET.small)
    pen.text((left, bottom + 5), "0", DARK.faint, font=face, anchor="ma")
    pen.text((right, bottom + 5), f"{latents[-1]:.2f} latents", DARK.faint, font=face, anchor="ra")
