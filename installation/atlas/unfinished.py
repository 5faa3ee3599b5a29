"""Work into an empty folder that may be stopped: what was looked at is kept in `unfinished/` until the end, and the
same again goes on with it."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from installation.film.output import prepare_empty, prepare_folder, write_text
from installation.film.sinks import save_png
from latentworld import npz, texts
from latentworld.arrays import Array, Picture
from latentworld.atlas.settings import differences
from latentworld.atlas.types import Render, Rendered
from latentworld.disk import claim, save, writing
from latentworld.errors import AtlasBusy, AtlasMismatch

NAME = "unfinished"
BLOCK = 32  # places that are kept at once
OnLook = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def quiet(what: str, done: int, total: int) -> None:
    """Nobody looks."""


@contextmanager
def begun(
    target: Path, how: Mapping[str, object], beside: frozenset[str] = frozenset(), on_look: OnLook = quiet
) -> Iterator[Unfinished]:
    """The work in an empty folder, or in one in which it was stopped, and nobody else's meanwhile; when it ends well
    what was kept for going on is not needed any more, and goes.

    how: what the work depends on; beside: what else may lie there. Raises OutputExists for a folder of something else,
    AtlasMismatch where another work was stopped, AtlasBusy where another process is at work.
    """
    work, plain = Unfinished(target, on_look), json.loads(json.dumps(how))
    file = work.folder / "how.json"
    held = {path.name for path in target.iterdir()} if target.is_dir() else set[str]()
    if not (file.is_file() and NAME in held) and held - beside - {NAME}:
        prepare_empty(target)  # which says that it is not
    prepare_folder(work.folder)
    with writing(target):
        lock = claim(work.folder / "lock", AtlasBusy(f"another process is at work in {target}: wait, or name another"))
    try:
        if not file.is_file():
            write_text(file, json.dumps(plain, indent=1))
        elif apart := differences(_read(file), plain):
            raise AtlasMismatch(
                f"another work was stopped in {target} ({'; '.join(apart)}): do as then, or name another folder"
            )
        yield work
        shutil.rmtree(work.folder, ignore_errors=True)
    finally:
        lock.release()


class Unfinished:
    """The folder of a work. Made by `begun`."""

    def __init__(self, target: Path, on_look: OnLook = quiet) -> None:
        self.folder, self._on_look = target / NAME, on_look

    def render(self, render: Render, what: str, total: int) -> Render:
        """A render that looks nowhere twice: what its calls in their order saw is kept. total: places in all."""
        calls, done = 0, 0

        def remembered(units: Array, radii: Array) -> Rendered:
            nonlocal calls, done
            seen = []
            for start in range(0, len(units), BLOCK):
                here, there = units[start : start + BLOCK], radii[start : start + BLOCK]
                file = self.folder / f"{calls:03d}-{start:07d}.npz"
                known = _seen(file, here)
                if known is None:
                    known = render(here, there)
                    _keep(file, here, known)
                seen.append(known)
                done += len(here)
                self._on_look(what, done, max(done, total))
            calls += 1
            if not seen:
                return render(units, radii)
            return Rendered(
                np.concatenate([one.features for one in seen]), np.concatenate([one.thumbs for one in seen])
            )

        return remembered

    def picture(self, number: int, make: Callable[[], Picture], what: str, total: int) -> Picture:
        """A picture that is made once. number: of so many in all, from 0."""
        file = self.folder / f"{number:04d}.png"
        try:
            with Image.open(file) as kept:
                made: Picture = np.asarray(kept.convert("RGB"))
        except (OSError, SyntaxError, ValueError):
            made = make()
            save_png(file, made)
        self._on_look(what, number + 1, total)
        return made


def _read(file: Path) -> dict[str, object]:
    try:
        return texts.table(texts.read(file))
    except (OSError, ValueError):
        return {}


def _seen(file: Path, units: Array) -> Rendered | None:
    """What was seen at these very places; None where that is not kept."""
    held = npz.read(file, "units", "features", "thumbs")
    if held is None or not np.array_equal(held["units"], units):
        return None
    return Rendered(np.asarray(held["features"], np.float32), np.asarray(held["thumbs"], np.uint8))


def _keep(file: Path, units: Array, seen: Rendered) -> None:
    out = io.BytesIO()
    np.savez(out, units=units, features=seen.features, thumbs=seen.thumbs)
    save(file, out.getvalue())
