"""A preset as values on the desk: where controls stand while nobody has moved them, and where panic brings them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from installation.backstage import ShownScene
from installation.control.parameters import Parameter, Value
from installation.ipc.scene import DecoderScene, WorldScene
from latentworld.errors import ControlError, PresetError, WorldError
from latentworld.preset import Preset, parse

SETUP = ("out.gamma", "out.black")  # of the wall, not of the art


def played(preset: Preset) -> dict[str, Value]:
    """What the preset says of what can be played, by name; what it leaves open, its world's card says."""
    decoder, prompt = preset.decoder, preset.prompt
    told: dict[str, Value | None] = {
        "walk.speed": preset.pacing.speed,
        "walk.kind": preset.walk.kind,
        "walk.radius": preset.walk.radius,
        "walk.norm": preset.plane.norm,
        "rift.attraction": 0.0 if preset.pilot.mode == "off" else preset.pilot.attraction,
        "rift.step": preset.show.step,
        "model.decoder": None if preset.show.decoder == "auto" else preset.show.decoder,
        "model.guidance": decoder.guidance,
        "model.steps": decoder.steps,
        "model.batch": None if preset.show.batch == "auto" else preset.show.batch,
        "prompt.a": prompt.positive,
        "prompt.negative": prompt.negative,
    }
    if preset.plane.vertices is None:
        told |= {f"seed.vertex.{i}": seed for i, seed in enumerate(preset.plane.seeds)}
    if decoder.kind != "analytic":
        told["model.world"] = preset.world.name
        told = _card(preset.world.name) | {name: value for name, value in told.items() if value is not None}
    return {name: value for name, value in told.items() if value is not None}


def parsed(text: str) -> dict[str, Value]:
    """`played` of a resolved preset as TOML text, as a renderer tells it; nothing where it cannot be read."""
    try:
        preset = parse(tomllib.loads(text))
        decoder, here = preset.decoder, played(preset)
        if isinstance(decoder.batch, int):
            here["model.batch"] = decoder.batch
        if decoder.kind != "analytic":
            here["model.decoder"] = decoder.kind
        if decoder.kind == "scout" and decoder.scout_steps is not None:
            here["model.steps"] = decoder.scout_steps
        return here
    except (tomllib.TOMLDecodeError, PresetError):
        return {}


def calm(table: Mapping[str, Parameter], safe: Preset) -> dict[str, Value]:
    """Every control of loop and stage where the safe preset has it, else where it began."""
    defaults = {
        row.name: row.default
        for row in table.values()
        if row.where in ("loop", "stage") and row.access == "rw" and row.default is not None and row.name not in SETUP
    }
    return defaults | fitting(table, played(safe))


def fitting(table: Mapping[str, Parameter], values: Mapping[str, Value]) -> dict[str, Value]:
    """Those of the values that their parameters take; a world that is not on the list is left out."""
    found: dict[str, Value] = {}
    for name, value in values.items():
        try:
            found[name] = table[name].check(value)
        except (ControlError, KeyError):
            continue
    return found


def worlds(*presets: Preset) -> list[str]:
    """Names of the worlds that may be chosen: those on this machine, and the presets' own."""
    from latentworld.worlds import listing

    return list(dict.fromkeys([*(found.name for found in listing()), *(preset.world.name for preset in presets)]))


def described(scene: ShownScene) -> str:
    """What a renderer shows, in a few words."""
    decoder, world, profile = scene.decoder or DecoderScene(), scene.world or WorldScene(), scene.profile
    words = [f"{dimensions(scene.size)} pixels", world.name, decoder.kind]
    words += [f"{number} {word}" for number, word in ((decoder.steps, "steps"), (decoder.batch, "at a time")) if number]
    words += [f"on {profile.place}"] if profile is not None else []
    return ", ".join(word for word in words if word)


def dimensions(size: tuple[int, int] | None) -> str:
    """Height x width, as everywhere."""
    return "?" if size is None else f"{size[0]}x{size[1]}"


def _card(world: str) -> dict[str, Value | None]:
    from latentworld.worlds import locate
    from latentworld.worlds.find import at

    try:
        path = locate(world)
        if not isinstance(path, Path):
            return {}
        told = at(path, world, str(path)).card.defaults
    except (WorldError, OSError):
        return {}
    return {
        "prompt.a": told.prompt, "prompt.negative": told.negative,
        "model.guidance": told.guidance, "model.steps": told.steps,
    }  # fmt: skip
