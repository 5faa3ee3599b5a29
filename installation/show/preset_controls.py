"""A preset as values on the desk: where controls stand while nobody has moved them, and where panic brings them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from installation.backstage import ShownScene
from installation.control.controls import loop_rows
from installation.control.parameter import Parameter, Value
from installation.ipc.scene import DecoderScene, WorldScene
from latentworld.errors import ControlError, PresetError, WorldError
from latentworld.preset import Preset, parse


def played(preset: Preset) -> dict[str, Value]:
    """What the preset says of what can be played, by name; what it leaves open, its world's card says."""
    return _values(_says(preset))


def parsed(text: str) -> dict[str, Value]:
    """`played` of a resolved preset as TOML text, as a renderer tells it; nothing where it cannot be read."""
    try:
        preset = parse(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, PresetError):
        return {}
    says, decoder = _says(preset), preset.decoder
    if decoder.batch != "auto":
        says["show"]["batch"] = decoder.batch
    if decoder.kind != "analytic":
        says["show"]["decoder"] = decoder.kind
    if decoder.kind == "scout" and decoder.scout_steps is not None:
        says["decoder"]["steps"] = decoder.scout_steps
    return _values(says)


def _says(preset: Preset) -> dict[str, Any]:
    """A preset's sections and keys, as far as they can be played; what it leaves open as its world's card has it."""
    says = preset.model_dump()
    if preset.pilot.mode == "off":
        says["pilot"]["attraction"] = 0.0
    if preset.plane.vertices is not None:  # a file's, without seeds
        says["plane"]["seeds"] = ()
    if preset.decoder.kind == "analytic":  # a world of its own, which is none to choose
        says["world"]["name"] = None
    else:
        for (section, key), value in _card(preset.world.name).items():
            says[section][key] = value if says[section][key] is None else says[section][key]
    return says


def _values(says: Mapping[str, Any]) -> dict[str, Value]:
    found = {row.name: _at(says, row.preset) for row in loop_rows() if row.preset}
    return {name: value for name, value in found.items() if value not in (None, "auto")}


def calm(table: Mapping[str, Parameter], safe: Preset) -> dict[str, Value]:
    """Every control of loop and stage where the safe preset has it, else where it began."""
    defaults = {
        row.name: row.default
        for row in table.values()
        if row.where in ("loop", "stage") and row.access == "rw" and row.default is not None and row.scope != "wall"
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


def _at(says: Mapping[str, Any], path: str) -> Any:
    """What stands at `section.key`, or `section.key.place` of a list; None where nothing does."""
    found: Any = says
    for part in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        else:
            found = found[int(part)] if found and int(part) < len(found) else None
    return found


def _card(world: str) -> dict[tuple[str, str], Value | None]:
    """What a world's card says of keys that a preset may leave open."""
    from latentworld.worlds import locate
    from latentworld.worlds.find import at

    try:
        path = locate(world)
        if not isinstance(path, Path):
            return {}
        defaults = at(path, world, str(path)).card.defaults
    except (WorldError, OSError):
        return {}
    return {
        ("prompt", "positive"): defaults.prompt, ("prompt", "negative"): defaults.negative,
        ("decoder", "guidance"): defaults.guidance, ("decoder", "steps"): defaults.steps,
    }  # fmt: skip
