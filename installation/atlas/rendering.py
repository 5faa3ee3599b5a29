"""What a survey decodes with: a studio's decoder and eye as a `Render`, here or on another machine."""

from __future__ import annotations

import tomllib

import numpy as np

from installation.frames import see
from installation.rig import open_studio
from installation.studio import Studio
from latentworld.arrays import Array
from latentworld.atlas.thumbs import thumbnails
from latentworld.atlas.types import Render, Rendered
from latentworld.cluster.crew import Vouched
from latentworld.decoding import Decoder
from latentworld.preset import parse


def chosen(studio: Studio, scout: bool) -> Decoder:
    """The decoder that a survey asks for: the studio's own, or what looks ahead for it."""
    return studio.scout if scout else studio.decoder


def renderer(studio: Studio, decoder: Decoder, thumb: int) -> Render:
    """Places to what a survey keeps: features and thumbnails whose longest edge has at most `thumb` pixels.

    What is seen at a place never depends on the others asked for with it.
    """

    def render(units: Array, radii: Array) -> Rendered:
        pictures = decoder(studio.plane.latents(units, radii), studio.prompt, stay=True)
        seen = see(pictures, studio.eye(pictures)).checked()
        return Rendered(seen.features.numpy().astype(np.float32), thumbnails(seen.pictures, thumb))

    return render


def remote_renderer(text: str, thumb: int, scout: bool) -> Vouched:
    """As `renderer`, from a resolved preset's TOML text: what a worker on another machine builds its own from.

    It vouches for everything that decides its pictures, so that a machine that is set up otherwise is found out.
    """
    studio = open_studio(parse(tomllib.loads(text)))
    decoder = chosen(studio, scout)
    return Vouched(renderer(studio, decoder, thumb), {"thumb": thumb, **studio.provenance(decoder).settings()})
