"""`latentworld bridge`: two pictures in, a preset and the bridge that it walks out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from installation import pictures
from installation.bridge.making import Wanted, build
from installation.pictures import Fit
from installation.rig import open_studio
from installation.vertices.command import journey, latent_of, picture_bytes
from installation.vertices.making import Made, inverter_of
from latentworld import disk, vertices, walks
from latentworld import preset as presets
from latentworld.errors import OutputError, OutputExists
from latentworld.preset import Preset


@dataclass(frozen=True)
class Wish:
    """What the command was asked for."""

    pictures: tuple[Path, Path]
    output: Path
    preset: str | None
    overrides: tuple[str, ...]
    wanted: Wanted
    fit: Fit
    overwrite: bool

    @property
    def file(self) -> Path:
        """Where the bridge itself lies: beside its preset."""
        return self.output.with_suffix(".safetensors")


def make(wish: Wish, told: Callable[[str], None]) -> Made:
    """Write preset and bridge. Raises OutputExists, and whatever does not fit."""
    if wish.output.suffix != ".toml":
        raise OutputError(f"a bridge is walked by a preset: {wish.output} should end in .toml")
    for path in (wish.output, wish.file):
        if path.exists() and not wish.overwrite:
            raise OutputExists(f"{path} is there already: give --overwrite, or another file")
        disk.writable(path)
    asked = journey(wish.preset, wish.overrides)
    sources = [(path, picture_bytes(path)) for path in wish.pictures]
    told("opening the world")
    studio = open_studio(asked)
    inverter = inverter_of(studio)
    a, b = (pictures.decoded(data, path.name, inverter.size, wish.fit) for path, data in sources)
    third = latent_of(asked.plane.seeds[2], studio.preset.plane, inverter.shape)
    made = build(inverter, studio.prompt, (a, b), third, wish.wanted, told)
    disk.save(wish.file, vertices.serialised(made.trio))
    disk.save(wish.output, presets.dump(walked(asked, wish.file)).encode())
    return made


def walked(preset: Preset, file: Path) -> Preset:
    """The journey along a bridge: from one picture to the other, at the pace of what is seen."""
    return preset.changed(
        plane={"vertices": file.name, "norm": "sphere"},
        walk=walks.Waypoints(points=("z0", "z1"), closed=False),
        pacing={"kind": "clip"},
    )
