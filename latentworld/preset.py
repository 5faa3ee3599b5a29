"""Presets: a journey as TOML, read into frozen models. What is not understood is refused, with the nearest valid name.

preset = load("first-light", ["film.seconds=4", "prompt.positive=a ringed planet"])
dump(preset)        # the same journey as TOML again, every setting spelt out
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ValidationError, field_validator, model_validator

from latentworld import texts, walks
from latentworld.decoding.settings import DecoderSpec
from latentworld.errors import PluginError, PresetError
from latentworld.explain import explain, nearest, shown
from latentworld.extras import checkout
from latentworld.frozen import changed, keyed
from latentworld.pacing import PacingSpec
from latentworld.pilot import PilotSpec
from latentworld.score import Cues, CueSpec, TempoSpec
from latentworld.sections import (
    AnalyticSpec,
    EyeSpec,
    FilmSpec,
    PlaneSpec,
    PromptSpec,
    RiftSpec,
    Section,
    ShowSpec,
    SoundSpec,
    WorldSpec,
)

DEFAULT_WALK = walks.Rift()
# looked for beside the preset's own file first
PATHS = (
    ("world", "name"), ("world", "vae"), ("plane", "vertices"), ("pilot", "atlas"), ("eye", "clip"),
    ("decoder", "scout_lora"), ("decoder", "tiny_vae"), ("film", "upscale"), ("sound", "file"),
)  # fmt: skip


class Preset(Section):
    """A whole journey."""

    title: str = keyed("", "what people call it: on the sheet, on the deck, in the film's file")
    description: str = keyed("", "what it shows, in a sentence; `latentworld presets` lists it")
    world: WorldSpec = WorldSpec()
    plane: PlaneSpec = PlaneSpec()
    prompt: PromptSpec = PromptSpec()
    decoder: DecoderSpec = DecoderSpec()
    analytic: AnalyticSpec = AnalyticSpec()
    eye: EyeSpec = EyeSpec()
    walk: walks.WalkSpec = DEFAULT_WALK
    pilot: PilotSpec = PilotSpec()
    pacing: PacingSpec = PacingSpec()
    rift: RiftSpec = RiftSpec()
    film: FilmSpec = FilmSpec()
    sound: SoundSpec = SoundSpec()
    show: ShowSpec = ShowSpec()
    tempo: TempoSpec = TempoSpec()
    score: Cues = ()

    @field_validator("title")
    @classmethod
    def _in_one_line(cls, title: str) -> str:
        """It stands in terminals, on sheets and decks, where a break would tear what is beside it."""
        return " ".join(title.split())

    def changed(self, **sections: object) -> Preset:
        """The same journey with other sections, or with other values in them, all of it checked again.

        A mapping changes these keys of a section (`changed(film={"seconds": 4.0})`), anything else takes its place.
        Raises PresetError.
        """
        try:
            return changed(self, **{name: self._section(name, value) for name, value in sections.items()})
        except ValidationError as error:
            raise PresetError(explain(error, Preset)) from None

    @model_validator(mode="after")
    def _even_loops(self) -> Self:
        policies = {self.rift.policy, *self.rift.each.values()}
        if self.film.loop and policies != {"slow"}:
            remedy = "leave rift.policy slow, or close the film by film.there_and_back"
            raise ValueError(f"film.loop lays every step evenly, also on rifts: {remedy}")
        return self

    def _section(self, name: str, value: object) -> object:
        own = dict(self).get(name)
        return {**own.model_dump(), **value} if isinstance(own, BaseModel) and isinstance(value, Mapping) else value


def folder() -> Path:
    """Where presets lie: `presets/` of the checkout, or beside this module when installed from a wheel."""
    return (checkout() or Path(__file__).resolve().parent) / "presets"


def names() -> list[str]:
    """The presets that come with latentworld."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(preset: str | Path, overrides: Iterable[str] = ()) -> Preset:
    """A preset by name or .toml file, with `section.key=value` overrides; PresetError says what cannot be used."""
    path = _find(preset)
    try:
        table = texts.toml(texts.read(path))
    except ValueError as error:
        raise PresetError(f"{path} is no TOML ({error}): mend that line; texts stand in quotes") from None
    except OSError as error:
        raise PresetError(f"{path} cannot be read ({error.strerror}): check the path and its permissions") from None
    _resolve_paths(table, path.parent)
    return parse(table, overrides)


def parse(table: Mapping[str, object], overrides: Iterable[str] = ()) -> Preset:
    """A preset from what a TOML file holds."""
    content = {key: dict(value) if isinstance(value, Mapping) else value for key, value in table.items()}
    # a walk's kind first: it drops the keys of another kind, and must not drop those that stand beside it
    for section, key, value in sorted(map(_override, overrides), key=lambda part: part[1] != "kind"):
        _set(content, section, key, value)
    walk = _chosen_walk(content)
    try:
        return Preset.model_validate(content)
    except ValidationError as error:
        raise PresetError(explain(error, Preset, {"walk": walk, "score": CueSpec})) from None


def _chosen_walk(content: dict[str, object]) -> type[walks.Spec]:
    """The model of the walk's kind, which decides its keys; PresetError for a kind that is not there, or is broken."""
    table = content.get("walk")
    kind = table.get("kind", DEFAULT_WALK.kind) if isinstance(table, dict) else DEFAULT_WALK.kind
    if kind not in walks.kinds():
        raise PresetError(f"walk.kind = {shown(kind)}: {nearest(str(kind), walks.kinds())}")
    try:
        return walks.spec_of(kind)
    except PluginError as error:
        raise PresetError(f"walk.kind = {shown(kind)}: {error}") from None


def dump(preset: Preset) -> str:
    """A preset as TOML; `load` reads the same preset back."""
    import tomli_w

    table = preset.model_dump(mode="json", exclude_none=True)
    if not preset.score:
        del table["score"]
    return tomli_w.dumps(table)


def _find(preset: str | Path) -> Path:
    path = Path(preset).expanduser()
    if path.suffix == ".toml" or len(path.parts) != 1:
        if path.is_file():
            return path
        if path.exists():
            what = "a folder" if path.is_dir() else "no regular file"
            raise PresetError(f"{path} is {what}: give a preset's .toml file, or a name such as {', '.join(names())}")
        raise PresetError(f"no preset file {path}: check the path, or use a name such as {', '.join(names())}")
    if str(preset) not in names():
        raise PresetError(f"no preset {str(preset)!r}: {nearest(str(preset), names())}")
    return folder() / f"{preset}.toml"


def named_files(table: Mapping[str, object]) -> Iterator[tuple[dict[str, object], str]]:
    """Where a preset's table may name a file: tables, and keys in them that hold a text."""
    world = table.get("world")
    listed = [world.get(key) for key in ("loras", "embeddings")] if isinstance(world, dict) else []
    places = [(table.get(section), key) for section, key in PATHS]
    places += [(one, "file") for each in listed for one in (each if isinstance(each, list) else [])]
    for keys, key in places:
        if isinstance(keys, dict) and isinstance(keys.get(key), str):
            yield keys, key


def absent_files(preset: Preset) -> Iterator[tuple[str, str]]:
    """Keys of a preset that name a file which is not there, and the file. A world, a scout's LoRA and their like may be
    names of a model too: of these only what is written as a path, or ends as weights do, is one."""
    table = preset.model_dump(mode="json")
    sections = {id(keys): section for section, keys in table.items()}
    for listed in ("loras", "embeddings"):
        sections |= {id(keys): f"world.{listed}.{place}" for place, keys in enumerate(table["world"][listed])}
    for keys, key in named_files(table):
        path = str(keys[key])
        written = path.startswith(("/", "./", "../", "~")) or path.endswith((".safetensors", ".npy"))
        is_file = key in ("file", "vertices")
        is_path = is_file or key in ("atlas", "upscale") or written
        if path in ("", "lanczos") or not is_path:
            continue
        if not (os.path.isfile(path) if is_file else os.path.exists(path)):  # `~` is a shell's to read, as in films
            yield f"{sections[id(keys)]}.{key}", path


def _resolve_paths(table: dict[str, object], beside: Path) -> None:
    for keys, key in named_files(table):
        path = str(keys[key])
        if path not in ("", "embedded", "lanczos") and os.path.exists(
            beside / path
        ):  # which takes any text, however long
            keys[key] = str((beside / path).resolve())


def _override(override: str) -> tuple[str, str | None, object]:
    """Section, key (None for a key of the preset itself) and value of an override as people write it."""
    match = re.fullmatch(r"\s*([\w-]+)(?:\.([\w-]+))?\s*=(.*)", override, flags=re.DOTALL)
    if match is None:
        raise PresetError(f"cannot read the override {override!r}: write section.key=value")
    if match[2] is None and match[1] not in ("title", "description"):
        raise PresetError(f"the override {override!r} lacks a section or a key: write section.key=value")
    return match[1], match[2], _value(match[3].strip())


def _set(content: dict[str, object], section: str, key: str | None, value: object) -> None:
    if key is None:
        content[section] = value
        return
    table = content.setdefault(section, {})
    if not isinstance(table, dict):
        raise PresetError(f"{section} is no section: {nearest(section, _sections())}")
    if section == "walk" and key == "kind" and table.get("kind") != value:
        table.clear()  # the keys of another kind of walk mean nothing to this one
    table[key] = value


def _value(text: str) -> object:
    """A TOML value, or the text itself: quotes around a prompt are the shell's business."""
    try:
        table = texts.toml(f"value = {text}")
    except ValueError:
        return text
    return table["value"] if table.keys() == {"value"} else text


def _sections() -> list[str]:
    return [name for name, field in Preset.model_fields.items() if field.annotation is not str]
