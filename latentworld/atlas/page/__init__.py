"""One self-contained HTML page of an atlas: no server, no network, no fonts or scripts from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from latentworld import tokens
from latentworld.arrays import Array, Vector
from latentworld.atlas import power
from latentworld.atlas.metric import Metered
from latentworld.atlas.plots.cells import owners, smoothed, spacing, strides, to_lattice
from latentworld.atlas.plots.maps import floor_rate
from latentworld.atlas.plots.metric import in_lattice
from latentworld.atlas.plots.regions import tinted
from latentworld.atlas.plots.style import RATE, profile, prompt
from latentworld.atlas.sampling import Globe
from latentworld.atlas.types import Atlas, Line, Phases, Site
from latentworld.disk import save as write_file
from latentworld.drawing import scripts
from latentworld.drawing.globe import horizon
from latentworld.drawing.style import glow, phase_colours, scale
from latentworld.errors import AtlasError
from latentworld.globe import normalise
from latentworld.tokens import DARK

if TYPE_CHECKING:
    from matplotlib.colors import Normalize

PIXELS = 11e6  # of all thumbnails together: 2,500 at 64 px and a little more
BYTES = 11e6  # of their sheets; base64 adds a third
SIDE = 4096  # of one sheet: what phones still decode
RASTER = 768  # pixels a side of the layers that are laid over pictures
WORDS, COARSE = 40, 256  # words at most, and pixels a side of theirs: each is a layer of its own

_SCRIPTS = ("data.js", "flat.js", "metric.js", "sphere.js", "main.js", "words.js", "offers.js")


@dataclass(frozen=True)
class Offer:
    """A way to go on from a place. options: of the command line, whose last key takes the place; picture: WebP."""

    name: str
    words: str
    options: str
    picture: bytes


def write(
    atlas: Atlas,
    rates: Array,
    path: str | Path,
    phases: Phases | None = None,
    lines: Sequence[Line] = (),
    sites: Sequence[Site] = (),
    title: str = "",
    metered: Metered | None = None,
    words: Mapping[str, Vector] | None = None,
    offers: Sequence[Offer] = (),
) -> None:
    """Write the page: rates [n] (NaN where unknown), whole or not at all.

    It shows pictures, field, phases and, of a window, the metric as layers, every place's alpha, beta, rate, label and
    picture, how like `words` pictures are (likeness [n] by words), `offers` of where to go from there, and copies
    coordinates in full double precision.
    Thumbnails are shrunk where they would take more than about 15 MB.
    Raises AtlasError for an atlas without places, DiskFull or OutputError.
    """
    write_file(path, page(atlas, rates, phases, lines, sites, title, metered, words, offers).encode())


def page(
    atlas: Atlas,
    rates: Array,
    phases: Phases | None = None,
    lines: Sequence[Line] = (),
    sites: Sequence[Site] = (),
    title: str = "",
    metered: Metered | None = None,
    words: Mapping[str, Vector] | None = None,
    offers: Sequence[Offer] = (),
) -> str:
    """The page's text, see `write`."""
    if len(atlas) == 0:
        raise AtlasError("the atlas holds no place yet: survey a little before making its page")
    script = "\n".join(["'use strict';", "(() => {", scripts.plain(), *(_part(name) for name in _SCRIPTS), "})();"])
    style = tokens.css() + _part("page.css")
    told = _data(atlas, rates, phases, lines, sites) | {"metric": _metric(atlas, metered)}
    told["offers"] = [{**vars(offer), "picture": _uri(offer.picture)} for offer in offers]
    told["words"] = [_word(atlas, name, score) for name, score in list((words or {}).items())[:WORDS]]
    data = json.dumps(told, allow_nan=False, ensure_ascii=True)
    filled = {
        "title": html.escape(title or "latentworld atlas"),
        "subtitle": html.escape(_subtitle(atlas)),
        "caption": html.escape(_caption(atlas)),
        "policy": f"default-src 'none'; img-src data:; style-src {_allowed(style)}; script-src {_allowed(script)}",
        "style": style,
        "script": script,
        "data": data.replace("<", "\\u003c"),  # nothing inside may end the element
    }
    pieces = _part("page.html").split("%%")  # text, name, text, name, ..., text
    return "".join(filled[piece] if index % 2 else piece for index, piece in enumerate(pieces))


def _part(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _allowed(text: str) -> str:
    """The hash by which a content security policy knows an element."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _subtitle(atlas: Atlas) -> str:
    if isinstance(atlas.sampling, Globe):
        return f"{len(atlas):,} places on the whole globe"
    (a, b), (c, d) = atlas.sampling.alpha, atlas.sampling.beta
    return f"{len(atlas):,} places   α {a:.10g} to {b:.10g}   β {c:.10g} to {d:.10g}".replace("-", "−")


def _caption(atlas: Atlas) -> str:
    parts = [f"prompt “{prompt(atlas)}”"] if prompt(atlas) else []
    parts += [f"profile {profile(atlas)}"] if profile(atlas) else []
    parts.append(f"step {spacing(atlas):.3g} latent units")
    floor = floor_rate(atlas)
    parts += [f"noise floor {floor:.2g}"] if floor is not None else []
    return " · ".join(parts + ["unfinished"] * (not atlas.complete))


def _data(
    atlas: Atlas, rates: Array, phases: Phases | None, lines: Sequence[Line], sites: Sequence[Site]
) -> dict[str, object]:
    """What the scripts read; numbers as base64 of little-endian arrays."""
    norm = scale(rates)
    known = rates[np.isfinite(rates)]
    data: dict[str, object] = {
        "count": len(atlas),
        "coordinates": _packed(atlas.coordinates, "<f8"),
        "decimals": _decimals(atlas),
        "front": _packed(atlas.chart[2], "u1"),
        "rates": _packed(rates, "<f8"),
        "median": float(np.median(known)) if len(known) else 0.0,
        "floor": floor_rate(atlas),
        "rate": RATE,
        "scale": {"low": float(norm.vmin or 0.0), "high": float(norm.vmax or 1.0), "log": (norm.vmin or 0.0) > 0},
        "glow": _packed(255 * glow(DARK)(np.arange(256))[:, :3], "u1"),
        "strength": _packed(1 + 254 * _strength(rates, norm), "u1"),
        "phases": _phases(phases),
        "sites": [_site(atlas, site) for site in sites],
        **_sheets(atlas),
    }
    tints = None if phases is None else tinted(phases, np.arange(len(atlas)), DARK)[..., :3]
    return data | (_globe(atlas, lines, tints) if isinstance(atlas.sampling, Globe) else
                   _flat(atlas, rates, phases, lines))  # fmt: skip


def _decimals(atlas: Atlas) -> int:
    """Decimals of alpha and beta that tell a hundredth of the way to a neighbour, as far as doubles have them."""
    sampling = atlas.sampling
    if isinstance(sampling, Globe):
        step = float(np.sqrt(4 * np.pi / sampling.count))
    else:
        (a, b), (c, d) = sampling.alpha, sampling.beta
        step = min((b - a) / (sampling.rows - 1), (d - c) / (sampling.columns - 1))
    return int(np.clip(2 - np.floor(np.log10(step)), 2, 15))


def _packed(values: ArrayLike, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()


def _strength(rates: Array, norm: Normalize) -> Array:
    """Rates on the colour scale, 0..1; -1/254 where unknown, which `1 + 254 x` takes to 0."""
    known = np.isfinite(rates)
    return np.where(known, np.asarray(norm(np.where(known, rates, norm.vmin or 0.0)), np.float64), -1 / 254)


def _phases(phases: Phases | None) -> dict[str, object] | None:
    if phases is None:
        return None
    shares = np.bincount(phases.label, minlength=len(phases.names)) / max(len(phases.label), 1)
    return {
        "names": [str(name) for name in phases.names],
        "colours": phase_colours(len(phases.names)),
        "shares": shares.tolist(),
        "label": _packed(phases.label, "<i4"),
        "confidence": _packed(phases.confidence, "<f4"),
    }


def _metric(atlas: Atlas, metered: Metered | None) -> dict[str, object] | None:
    """A window's metric in lattice units, and the edges between the cells of its log Z with their jumps."""
    if metered is None or isinstance(atlas.sampling, Globe):
        return None
    ends, jump = np.empty((0, 2, 2)), np.empty(0)
    if metered.logz is not None:
        edges = power.diagram(metered.logz)
        ends = edges.ends * (np.array([atlas.sampling.rows, atlas.sampling.columns]) - 1)
        jump = edges.jump / max(float(edges.jump.max(initial=0)), 1e-300)
    tensors = np.nan_to_num(in_lattice(atlas, metered.drawn))
    return {"tensors": _packed(tensors, "<f4"), "ends": _packed(ends, "<f4"), "jump": _packed(jump, "<f4")}


def _word(atlas: Atlas, name: str, score: Vector) -> dict[str, object]:
    """Likeness as a layer: what is liker than half of the atlas glows."""
    low, high = float(np.median(score)), float(score.max())
    strength = np.clip((score - low) / max(high - low, 1e-9), 0.0, 1.0) ** 1.5
    field = None
    if not isinstance(atlas.sampling, Globe):
        raster = 1 + 254 * np.nan_to_num(smoothed(atlas, strength, COARSE))
        field = {"size": raster.shape[::-1], "pixels": _packed(raster.round(), "u1")}
    best = int(score.argmax())
    return {"name": name, "strength": _packed(np.round(1 + 254 * strength), "u1"), "field": field, "best": best,
            "score": high}  # fmt: skip


def _site(atlas: Atlas, site: Site) -> dict[str, object]:
    """Where it is in the view's own units: lattice, or a direction."""
    if isinstance(atlas.sampling, Globe):
        where = normalise(atlas.unit[list(site.sides)].sum(axis=0))
    else:
        where = to_lattice(atlas, np.array([[site.alpha, site.beta]]))[0]
    finite = np.isfinite([site.alpha, site.beta]).all()
    return {
        "at": where.tolist(), "sides": [int(side) for side in site.sides], "front": bool(site.front),
        "alpha": float(site.alpha) if finite else None, "beta": float(site.beta) if finite else None,
        "rate": float(site.rate), "contrast": float(site.contrast),
    }  # fmt: skip


def _flat(atlas: Atlas, rates: Array, phases: Phases | None, lines: Sequence[Line]) -> dict[str, object]:
    window = atlas.sampling
    assert not isinstance(window, Globe)
    field = 1 + 254 * _strength(smoothed(atlas, rates, RASTER), scale(rates))
    return {
        "kind": "flat",
        "window": {"alpha": window.alpha, "beta": window.beta, "rows": window.rows, "columns": window.columns},
        "lattice": _packed(atlas.lattice, "<i4"),
        "stride": _packed(strides(atlas), "<i4"),
        "whole": atlas.grid is not None,
        "field": {"size": field.shape[::-1], "pixels": _packed(field.round(), "u1")},
        "tint": None if phases is None else _png(255 * tinted(phases, owners(atlas, RASTER), DARK)),
        "lines": [{"strength": line.strength, "path": _packed(to_lattice(atlas, line.line), "<f8")} for line in lines],
    }


def _globe(atlas: Atlas, lines: Sequence[Line], tints: Array | None) -> dict[str, object]:
    assert isinstance(atlas.sampling, Globe)
    plane, t = atlas.plane, np.linspace(0, 1, 40)
    cell = np.concatenate([plane.unit(t, 0 * t), plane.unit(1 - t, t), plane.unit(0 * t, 1 - t)])
    return {
        "kind": "globe",
        "nside": atlas.sampling.nside,
        "pixel": _packed(atlas.lattice[:, 0], "<i4"),
        "unit": _packed(atlas.unit, "<f8"),
        "tint": None if tints is None else _packed((255 * tints).round(), "u1"),
        "horizon": _packed(horizon(plane)[::3], "<f8"),
        "cell": _packed(cell, "<f8"),
        "vertices": plane.unit([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]).tolist(),
        "middle": plane.unit(1 / 3, 1 / 3).tolist(),
        "lines": [{"strength": line.strength, "path": _packed(line.unit, "<f8")} for line in lines],
    }


def _sheets(atlas: Atlas) -> dict[str, object]:
    """Thumbnails on a few sheets, as large as the page can bear."""
    height, width = atlas.thumbs.shape[1:3]
    share = min(1.0, np.sqrt(PIXELS / (len(atlas) * height * width)), 256 / max(height, width))
    while True:
        tile = max(4, round(width * share)), max(4, round(height * share))
        sheets, across = _drawn(atlas, tile)
        if sum(map(len, sheets)) <= BYTES or min(tile) <= 4:
            break
        share *= 0.8
    across_down = [across, SIDE // tile[1]]
    return {"sheets": [_uri(sheet) for sheet in sheets], "tile": list(tile), "across": across_down}


def _uri(webp: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"


def _drawn(atlas: Atlas, tile: tuple[int, int]) -> tuple[list[bytes], int]:
    """WebP sheets of thumbnails in the atlas's order, row by row, and how many tiles a row has."""
    width, height = tile
    across = max(1, min(SIDE // width, int(np.ceil(np.sqrt(len(atlas) * height / width)))))
    most = across * (SIDE // height)
    sheets = []
    for start in range(0, len(atlas), most):
        pictures = range(start, min(start + most, len(atlas)))
        sheet = Image.new("RGB", (across * width, -(-len(pictures) // across) * height))
        for place, index in enumerate(pictures):
            picture = Image.fromarray(np.asarray(atlas.thumbs[index]))
            if picture.size != tile:
                picture = picture.resize(tile, Image.Resampling.LANCZOS)
            sheet.paste(picture, (place % across * width, place // across * height))
        buffer = io.BytesIO()
        sheet.save(buffer, "WEBP", quality=82, method=4)
        sheets.append(buffer.getvalue())
    return sheets, across


def _png(pixels: Array) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels.round().astype(np.uint8), "RGBA").save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
