"""Where to go from a place of an atlas: the gallery's walks and pilot modes, small enough for its page."""

from __future__ import annotations

import io

from PIL import Image

from installation.gallery import picture
from installation.gallery.entries import Entry, entries
from latentworld import walks
from latentworld.atlas.page import Offer

WIDE, QUALITY = 578, 70  # pixels and WebP's quality: about 6 kB each
STARTS = ("through", "centre", "start")
"""Keys by which walks say where they begin, or which point they are laid about."""


def offers() -> list[Offer]:
    """Each walk that begins at a place, and each pilot mode, whose picture is there."""
    return [offer for entry in entries() if (offer := _offer(entry)) is not None]


def _offer(entry: Entry) -> Offer | None:
    key = _start(entry)
    file = picture(entry.file)
    if not key or not file.is_file():
        return None
    kind = "walk.kind=rift --set " if entry.group == "pilot" else ""
    return Offer(entry.name, entry.words, f"--set {kind}{entry.key} --set {key}", _small(file.read_bytes()))


def _start(entry: Entry) -> str:
    if entry.group == "pilot":
        return "walk.start"
    if entry.group != "walk":
        return ""
    keys = walks.spec_of(entry.name).model_fields
    return next((f"walk.{key}" for key in STARTS if key in keys), "")


def _small(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as whole:
        high = round(whole.height * WIDE / whole.width)
        small = whole.convert("RGB").resize((WIDE, high), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY, method=6)
    return buffer.getvalue()
