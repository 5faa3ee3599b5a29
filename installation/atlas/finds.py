"""Places of an atlas that show what words say: a sheet, the pictures, their places."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from installation import rig
from installation.atlas import rendering
from installation.atlas.survey_folder import SurveyFolder, preset_of
from installation.atlas.writeup import decoder_of
from installation.film import keeping
from installation.film.output import prepare_empty, write_text
from installation.film.sheet import place, thumbnail
from installation.film.sinks import save_png
from installation.lettering import font
from installation.studio import Studio
from installation.vocabulary import understood
from latentworld.arrays import Picture, Vector
from latentworld.atlas import finding, reader, settings
from latentworld.atlas.finding import Finds
from latentworld.atlas.provenance import Provenance
from latentworld.atlas.types import Atlas
from latentworld.decoding import Decoder
from latentworld.errors import AtlasError, AtlasMismatch
from latentworld.prompts import LONGEST
from latentworld.tokens import DARK, SHEET

COLUMNS, MARGIN, GAP, CAPTION = 6, 40, 18, 40  # of the sheet, in pixels
WIDTH = 192  # of its pictures, at least


@dataclass(frozen=True)
class Spot:
    """A find as files and terminals have it. alpha, beta: of its antipode on the far side, where front is False; score:
    likeness; surveyed: of the place it was begun at."""

    alpha: float
    beta: float
    front: bool
    radius: float
    score: float
    surveyed: float

    @property
    def options(self) -> str:
        """As `latentworld still` takes a place."""
        signed = self.radius if self.front else -self.radius
        radius = "" if signed == 1.0 else f" --radius {signed:.10g}"
        return f"--alpha {self.alpha:.10g} --beta {self.beta:.10g}{radius}"


@dataclass(frozen=True, eq=False)
class Made:
    """What was found and written."""

    spots: list[Spot]
    decodes: int
    sheet: Path


def checked(words: str) -> str:
    """Words that can be looked for. Raises AtlasError."""
    words = " ".join(words.split())
    if not words or len(words) > LONGEST:
        raise AtlasError(f"say what to find in 1 to {LONGEST} characters, as 'a cat with rings'")
    return words


def write(atlas: SurveyFolder, words: str, count: int, target: Path, decodes: int = finding.DECODES) -> Made:
    """Find words in an atlas, and write a sheet, the pictures and find.json into a folder.

    Raises AtlasError for words that say nothing and an atlas without a place, AtlasMismatch where another eye or plane
    was surveyed, WorldMismatch where the eye knows no words, or none of these, OutputError.
    """
    words = checked(words)
    known = reader.read(atlas.store)
    studio = rig.open_studio(preset_of(atlas))
    of_survey(studio, known, atlas)
    understood(studio, [words])
    text = np.asarray(studio.eye.texts([words])[0], np.float64)
    surveyed = decoder(studio, atlas)
    found = finding.find(
        known, text, rendering.renderer(studio, surveyed, max(surveyed.size)), min(count, len(known)), decodes
    )
    prepare_empty(target)
    return _written(studio, found, words, known.radius, target)


def likenesses(atlas: SurveyFolder, words: Sequence[str]) -> dict[str, Vector]:
    """How like each text every place of a survey is [n]. Errors as `write`."""
    texts = list(dict.fromkeys(checked(text) for text in words))
    known = reader.read(atlas.store)
    studio = rig.open_studio(preset_of(atlas))
    of_survey(studio, known, atlas)
    understood(studio, texts)
    rows = np.asarray(studio.eye.texts(texts), np.float64)
    return {text: finding.scores(known, row) for text, row in zip(texts, rows)}


def of_survey(studio: Studio, atlas: Atlas, where: SurveyFolder) -> None:
    """Raises AtlasMismatch where a studio would show other pictures than a survey saw: another world, prompt or
    plane."""
    here = studio.provenance(studio.decoder)
    apart = Provenance.read(atlas.settings).differences(here, "world", "eye", "prompt", "plane")
    if apart and settings.profile_of(atlas.settings) is not None:
        raise AtlasMismatch(
            f"{where.path} is a survey of elsewhere ({'; '.join(apart)}): look at it as it was surveyed, without --set "
            f"and with its own world and eye, or survey that"
        )


def decoder(studio: Studio, atlas: SurveyFolder) -> Decoder:
    """What an atlas was decoded with; of one that was imported, the preset's own. Raises AtlasMismatch."""
    profile = settings.profile_of(reader.Reader(atlas.store).settings)
    return studio.decoder if profile is None else decoder_of(studio, profile, atlas)


def _written(studio: Studio, found: Finds, words: str, radius: float, target: Path) -> Made:
    alpha, beta, front = studio.plane.chart(found.unit)
    rows = zip(alpha.tolist(), beta.tolist(), front.tolist(), found.score.tolist(), found.surveyed.tolist())
    spots = [Spot(a, b, bool(f), radius, score, surveyed) for a, b, f, score, surveyed in rows]
    marks = keeping.marks(studio)
    for number, (unit, picture) in enumerate(zip(found.unit, found.pictures), 1):
        info = None if marks is None else marks.png(unit, radius, picture)
        save_png(target / f"{number:02d}.png", picture, info=info)
    sheet = target / "sheet.png"
    save_png(sheet, drawn(found, spots, words))
    said = {"words": words, "decodes": found.decodes, "places": [spot.__dict__ for spot in spots]}
    write_text(target / "find.json", json.dumps(said, indent=1))
    return Made(spots, found.decodes, sheet)


def drawn(found: Finds, spots: list[Spot], words: str) -> Picture:
    """The sheet, uint8 [h, w, 3]: the pictures, the best first, with likeness and place below each."""
    pictures = [thumbnail(picture, max(picture.shape[1], WIDTH)) for picture in found.pictures]
    high, wide = pictures[0].shape[:2]
    columns = min(COLUMNS, len(found))
    rows = -(-len(found) // columns)
    width = max(2 * MARGIN + columns * (wide + GAP) - GAP, 2 * MARGIN + 360)
    top = MARGIN + 34
    page = Image.new("RGB", (width, top + rows * (high + CAPTION + GAP) - GAP + MARGIN), DARK.ground)
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, MARGIN), f"“{words}”", DARK.ink, font=font(SHEET.title, "serif"), anchor="ls")
    for number, (picture, spot) in enumerate(zip(pictures, spots)):
        x, y = MARGIN + number % columns * (wide + GAP), top + number // columns * (high + CAPTION + GAP)
        page.paste(Image.fromarray(picture), (x, y))
        pen.text((x, y + high + 6), f"{number + 1}   {spot.score:.3f}", DARK.ink, font=font(SHEET.caption))
        where = place(spot.alpha, spot.beta, spot.front, spot.radius)
        pen.text((x, y + high + 24), where, DARK.faint, font=font(SHEET.small))
    return np.asarray(page)
