"""The write-up's folder: one PNG a place, `a000_b000.png`, and `metadata.json` beside them. Written, and read back.

Row and alpha are the first index, column and beta the second, as the write-up's loops have it.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from latentworld import texts
from latentworld.arrays import Integers, Pictures
from latentworld.atlas.places import first, sampling_from
from latentworld.atlas.sampling import Window
from latentworld.atlas.settings import profile_of, settings_of
from latentworld.atlas.store import Store, resume_or_create
from latentworld.atlas.thumbs import thumbnails
from latentworld.atlas.types import Atlas, Rendered, Thumbs
from latentworld.decoding.samplers import SAMPLERS
from latentworld.disk import writing
from latentworld.errors import AtlasDamaged, AtlasError, AtlasMismatch, OutputExists
from latentworld.plane import Norm, Plane
from latentworld.tables import number, whole
from latentworld.worlds.families import LatentFormat, sd1

if TYPE_CHECKING:
    from latentworld.vision import Eye

METADATA = "metadata.json"
TOLERANCE = 1e-6  # of alpha and beta against numpy.linspace: folders may round them
_NEEDED = {
    "filename": "a name",
    "row": "a whole number",
    "col": "a whole number",
    "alpha": "a number",
    "beta": "a number",
}
_PART = 16  # pictures at a time


def export(
    atlas: Atlas,
    folder: str | Path,
    pictures: Callable[[Integers], Pictures] | Thumbs | None = None,
    config: Mapping[str, object] | None = None,
) -> None:
    """Write a complete window as the write-up's folder, which must not be there yet.

    pictures: gives uint8 [k, h, w, 3] for places [k], so that full-size ones may be decoded anew; without it the
    thumbnails. config: goes over what `configuration` says. Raises AtlasError, OutputExists, DiskFull.
    """
    grid, folder = check(atlas, folder), Path(folder)
    source = atlas.thumbs if pictures is None else pictures
    give = source if callable(source) else source.__getitem__
    said = _jsonable({**configuration(atlas), **(config or {})})
    side = folder.with_name(f".{folder.name}.part")
    with writing(folder, "free some space and export again"):
        try:
            shutil.rmtree(side, ignore_errors=True)
            side.mkdir(parents=True)
            records = _records(atlas, grid)
            _write_pictures(side, [record.filename for record in records], give)
            text = json.dumps(
                {"config": said, "images": [asdict(record) for record in records]}, indent=2, ensure_ascii=False
            )
            (side / METADATA).write_text(text + "\n", encoding="utf-8")
            side.replace(folder)
        finally:
            shutil.rmtree(side, ignore_errors=True)


def check(atlas: Atlas, folder: str | Path) -> tuple[int, int]:
    """Rows and columns of an atlas that can be exported to a folder. Raises AtlasError, OutputExists."""
    if atlas.grid is None:
        raise AtlasError("only a complete window makes the write-up's folder: survey a window, and to its end")
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputExists(f"{folder} is there already: choose another folder")
    return atlas.grid


def configuration(atlas: Atlas) -> dict[str, object]:
    """What the write-up records of a whole grid, as far as the atlas's settings tell it."""
    window, settings, plane = atlas.sampling, atlas.settings, atlas.plane
    assert isinstance(window, Window)
    profile, prompt = profile_of(settings), settings.get("prompt") or {}
    renoises = profile is not None and profile.sampler in SAMPLERS and SAMPLERS[profile.sampler].renoises
    texts = prompt if isinstance(prompt, Mapping) else {"positive": prompt}
    return {
        "grid_resolution": [window.rows, window.columns],
        "alpha_interval": list(window.alpha),
        "beta_interval": list(window.beta),
        "pos_prompt": texts.get("positive", ""),
        "neg_prompt": texts.get("negative", ""),
        "inference_steps": profile.steps if profile else None,
        "guidance": profile.guidance if profile else None,
        "sampler": profile.sampler if profile else None,
        "eta": None if renoises else 0.0,  # DDIM's: 0 says that no noise is added on the way
        "pictures": "thumbnails, as they were surveyed",
        "seeds": settings.get("seeds"),
        "layout": settings.get("layout"),
        "norm": plane.norm,
        "target_norm": plane.target,
        "latent_shape": list(plane.shape),
        "profile": profile.record() if profile else {},
    }


def _records(atlas: Atlas, grid: tuple[int, int]) -> list[Record]:
    digits = max(3, len(str(max(grid) - 1)))
    return [
        Record(f"a{row:0{digits}d}_b{column:0{digits}d}.png", row, column, a, b)
        for (row, column), (a, b) in zip(atlas.lattice.tolist(), atlas.coordinates.tolist(), strict=True)
    ]


def _write_pictures(folder: Path, names: list[str], give: Callable[[Integers], Pictures]) -> None:
    from PIL import Image

    for start in range(0, len(names), _PART):
        part = names[start : start + _PART]
        for name, picture in zip(part, give(np.arange(start, start + len(part))), strict=True):
            Image.fromarray(picture).save(folder / name)


def _jsonable(config: Mapping[str, object]) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads(json.dumps(dict(config), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AtlasError(f"the configuration must be plain finite values ({error})") from error
    return found


@dataclass(frozen=True)
class Record:
    """One picture of a folder as metadata.json names it: row along alpha, col along beta."""

    filename: str
    row: int
    col: int
    alpha: float
    beta: float


@dataclass(frozen=True, eq=False)
class Imported:
    """A folder whose metadata and pictures agree: names of the pictures row by row, all of `size` (height, width)."""

    folder: Path
    names: tuple[str, ...]
    window: Window
    size: tuple[int, int]
    config: Mapping[str, object]

    def pictures(self, places: Integers) -> Pictures:
        """Pictures uint8 [k, h, w, 3] of places [k], row by row. Raises AtlasDamaged where one cannot be read."""
        from PIL import Image

        found = np.empty((len(places), *self.size, 3), np.uint8)
        for at, place in enumerate(places):
            file = self.folder / self.names[place]
            try:
                with Image.open(file) as picture:
                    found[at] = np.asarray(picture.convert("RGB"))
            except (OSError, ValueError, SyntaxError) as error:
                raise AtlasDamaged(f"{file} cannot be read as a picture: make it again") from error
        return found

    def look(self, places: Integers, eye: Eye, thumb: int) -> Rendered:
        """What an eye sees at places [k]. Raises AtlasDamaged."""
        import torch

        pictures = self.pictures(places)
        values = torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
        return Rendered(eye(values).detach().numpy().astype(np.float32), thumbnails(pictures, thumb))


def read_folder(folder: str | Path) -> Imported:
    """Read a folder made elsewhere: metadata.json with one list of picture records under any key, or a bare list.

    Raises AtlasDamaged when there is no metadata to read, AtlasMismatch naming the first file that disagrees, and
    AtlasError where the grid is no window.
    """
    folder = Path(folder)
    tables, config = _metadata(folder / METADATA)
    records = [_checked(folder, at, table) for at, table in enumerate(tables)]
    names = [record.filename for record in records]
    size = _sizes(folder, names)
    if unnamed := sorted({file.name for file in folder.glob("*.png")} - set(names)):
        raise AtlasMismatch(f"{folder / unnamed[0]} is not named in {METADATA}: add it there, or move it away")
    lattice = np.array([(record.row, record.col) for record in records], np.int64)
    rows, columns = (int(n) for n in lattice.max(axis=0) + 1)
    order = _full_grid(folder, names, lattice, rows, columns)
    found = np.array([(record.alpha, record.beta) for record in records], np.float64)[order]
    ends = {"alpha": (found[0, 0], found[-1, 0]), "beta": (found[0, 1], found[-1, 1])}
    table: dict[str, object] = {
        "kind": "window",
        "rows": rows,
        "columns": columns,
        **{k: tuple(map(float, v)) for k, v in ends.items()},
    }
    window = sampling_from(table)
    assert isinstance(window, Window)
    off = np.abs(found - window.coordinates(window.lattice())).max(axis=1) > TOLERANCE
    if off.any():
        at = int(off.argmax())
        alpha, beta = window.coordinates(window.lattice()[[at]])[0]
        raise AtlasMismatch(
            f"{folder / names[order[at]]} says alpha {found[at, 0]:g}, beta {found[at, 1]:g}; an even grid has "
            f"{alpha:g}, {beta:g} there: correct {METADATA}"
        )
    return Imported(folder, tuple(names[at] for at in order), window, size, config)


def import_folder(folder: str | Path, eye: Eye, plane: Plane | None = None, thumb: int = 128) -> Atlas:
    """An atlas in memory of a folder made elsewhere; without its plane, latent distances are typical, not measured.

    Raises as `read_folder`, and AtlasError for features that are not finite.
    """
    imported = read_folder(folder)
    settings, plane = _begun_with(imported, plane, thumb, _PART, {})
    parts = [np.arange(at, min(at + _PART, imported.window.count)) for at in range(0, imported.window.count, _PART)]
    seen = [imported.look(part, eye, thumb) for part in parts]
    features = np.concatenate([part.features for part in seen])
    thumbs = np.concatenate([part.thumbs for part in seen])
    if not np.isfinite(features).all():
        raise AtlasError(f"the eye sees features in {folder} that are not finite: try another eye")
    places = first(imported.window, plane)
    return Atlas(plane, imported.window, places.unit, features, thumbs, places.lattice, places.level, settings=settings)


def import_into(
    path: str | Path,
    folder: str | Path,
    eye: Eye,
    provenance: Mapping[str, str],
    plane: Plane | None = None,
    thumb: int = 128,
    block: int = 64,
    **more: object,
) -> None:
    """As `import_folder` into a store at `path`, block by block; begun or resumed, and `more` goes to its settings."""
    imported = read_folder(folder)
    settings, plane = _begun_with(imported, plane, thumb, block, more)
    with resume_or_create(path, settings, plane, provenance) as store:
        _look_at_all(store, imported, eye, thumb)


def _look_at_all(store: Store, imported: Imported, eye: Eye, thumb: int) -> None:
    for index in store.pending():
        store.commit(index, imported.look(np.arange(*store.span(index)), eye, thumb))
    store.finish()


def stand_in(size: tuple[int, int], norm: object = "sphere", latent: LatentFormat = sd1.LATENT) -> Plane:
    """A plane for pictures of size (height, width) whose latents are not known: orthogonal vertices of the typical norm
    sqrt(d).

    Random latents are nearly that; only distances are to be taken from it. Latents are those of the write-up's model.
    """
    shape = latent.shape(max(latent.cell, size[0]), max(latent.cell, size[1]))
    vertices = np.zeros((3, math.prod(shape)))
    vertices[range(3), range(3)] = math.sqrt(math.prod(shape))
    return Plane(vertices.reshape(3, *shape), next((known for known in get_args(Norm) if known == norm), "sphere"))


def _begun_with(
    imported: Imported, plane: Plane | None, thumb: int, block: int, more: dict[str, object]
) -> tuple[dict[str, object], Plane]:
    distances = "measured" if plane is not None else "typical, not measured"
    plane = plane or stand_in(imported.size, imported.config.get("norm"))
    depends = {"imported": dict(imported.config), "latent_distances": distances, "thumb": thumb, **more}
    return settings_of(imported.window, plane, None, block, 1.0, **depends), plane


def _metadata(file: Path) -> tuple[list[Mapping[str, object]], dict[str, object]]:
    """The records of the pictures, and everything else that is said."""
    try:
        content = texts.loads(texts.read(file, 1_000_000_000))
    except (OSError, ValueError) as error:
        raise AtlasDamaged(f"{file} cannot be read: a folder of pictures needs one, in JSON") from error
    table: dict[str, object] = content if isinstance(content, dict) else {"images": content}
    lists = {key: found for key, value in table.items() if (found := _tables(value))}
    if len(lists) != 1:
        raise AtlasDamaged(f"{file} has {len(lists)} lists of pictures: give one, each with {', '.join(_NEEDED)}")
    ((name, records),) = lists.items()
    rest = {key: value for key, value in table.items() if key != name}
    config = rest.get("config")
    return records, config if isinstance(config, dict) else rest


def _tables(value: object) -> list[Mapping[str, object]]:
    """A list of tables that each name a file; empty for anything else."""
    listed = value if isinstance(value, list) else []
    tables: list[Mapping[str, object]] = [one for one in listed if isinstance(one, dict) and "filename" in one]
    return tables if len(tables) == len(listed) else []


def _checked(folder: Path, at: int, record: Mapping[str, object]) -> Record:
    """A record that is whole and whose picture is there."""
    name = record["filename"]
    if not isinstance(name, str) or Path(name).name != name:
        raise AtlasMismatch(f"record {at} of {folder / METADATA} names {name!r}: give the name of a file in the folder")
    for key, kind in _NEEDED.items():
        value = record.get(key)
        fits = (
            isinstance(value, str)
            if kind == "a name"
            else isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 65536
        )
        if kind == "a number":
            fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not fits:
            raise AtlasMismatch(f"{folder / name} has {key} {value!r} in {METADATA}: give {kind}, finite and in range")
    if not (folder / name).is_file():
        raise AtlasMismatch(f"{folder / name} is named in {METADATA} but not there: make it again")
    return Record(name, whole(record, "row"), whole(record, "col"), number(record, "alpha"), number(record, "beta"))


def _sizes(folder: Path, names: list[str]) -> tuple[int, int]:
    """Height and width of every picture."""
    from PIL import Image

    size: tuple[int, int] | None = None
    for name in names:
        try:
            with Image.open(folder / name) as picture:
                width, height = picture.size
        except (OSError, SyntaxError) as error:
            raise AtlasDamaged(f"{folder / name} cannot be read as a picture: make it again") from error
        if size is not None and size != (height, width):
            raise AtlasMismatch(f"{folder / name} is {width}x{height}, others {size[1]}x{size[0]}: make it again")
        size = height, width
    assert size is not None  # there is one record or more
    return size


def _full_grid(folder: Path, names: list[str], lattice: Integers, rows: int, columns: int) -> Integers:
    """The order of the records row by row, once every node has exactly one."""
    keys = lattice @ np.array([columns, 1])
    order = np.argsort(keys, kind="stable")
    again = np.flatnonzero(np.diff(keys[order]) == 0)
    if len(again):
        row, column = lattice[order[again[0]]]
        raise AtlasMismatch(f"{folder / names[order[again[0] + 1]]} is a second picture at row {row}, col {column}")
    if len(keys) != rows * columns:
        row, column = divmod(int(np.setdiff1d(np.arange(rows * columns), keys)[0]), columns)
        raise AtlasMismatch(
            f"{folder} has no picture at row {row}, col {column}: a full grid of {rows}x{columns} is needed"
        )
    return np.asarray(order, np.int64)
