"""Presets: a journey as TOML, read into frozen models. What is not understood is refused, with the nearest valid name.

preset = load("first-light", ["film.seconds=4", "prompt.positive=a ringed planet"])
dump(preset)        # the same journey as TOML again, every setting spelt out
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, Strict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from latentworld.errors import PresetError
from latentworld.pacing import PacingSpec
from latentworld.pilot import PilotSpec
from latentworld.walks import Rift, WalkSpec

Even = Annotated[int, Field(ge=16, multiple_of=2)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
_UNION = ("walk",)  # sections whose keys depend on their `kind`
_PATHS = (("plane", "vertices"), ("pilot", "atlas"))  # looked for beside the preset's own file first


class Section(BaseModel):
    """A table of a preset: frozen, strict about types, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class WorldSpec(Section):
    """Which model: `embedded`, a diffusers folder, a .safetensors file, or a hub name and its revision."""

    name: Annotated[str, Field(min_length=1)] = "embedded"
    revision: str | None = None


class PlaneSpec(Section):
    """Where z0, z1, z2 come from. `vertices` (a file) goes before `seeds`."""

    seeds: Annotated[tuple[int, int, int], Strict(False)] = (0, 123, 200)
    layout: Literal["nhwc", "nchw"] = "nhwc"
    norm: Literal["sphere", "global", "raw"] = "sphere"
    device: Device = "cpu"
    dtype: Literal["float32", "float16"] = "float32"
    vertices: str | None = None


class PromptSpec(Section):
    """What the pictures should and should not be; the world's card says what an absent one is."""

    positive: str | None = None
    negative: str | None = None


class DecoderSpec(Section):
    """How latents become pictures; the world's card says what absent steps, guidance and sizes are."""

    kind: Literal["faithful", "scout", "analytic"] = "faithful"
    steps: Annotated[int, Field(ge=1, le=1000)] | None = None
    guidance: Annotated[FiniteFloat, Field(ge=0.0)] | None = None
    scout_steps: Annotated[int, Field(ge=1, le=1000)] | None = None
    scout_lora: str | None = None
    tiny_vae: str | None = None
    batch: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    device: Device = "auto"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    engine: Literal["auto", "eager", "openvino", "compile", "graphs"] = "auto"
    height: Annotated[int, Field(ge=8, multiple_of=8)] | None = None
    width: Annotated[int, Field(ge=8, multiple_of=8)] | None = None


class AnalyticSpec(Section):
    """The weightless world: a mixture whose rifts are known. Only read where `decoder.kind` is analytic."""

    modes: Literal[2, 4, 6, 8, 12] = 12
    sigma: Annotated[FiniteFloat, Field(gt=0.0, le=1.0)] = 0.1
    seed: Annotated[int, Field(ge=0)] = 0


class EyeSpec(Section):
    """Which CLIP feels the pictures: a folder or hub name; absent: the world's own, or the embedded one."""

    clip: str | None = None


class FilmSpec(Section):
    """How long, how fast, and how it is written. `size` is (height, width); without it pictures grow by `scale`."""

    seconds: Annotated[FiniteFloat, Field(gt=0.0)] = 12.0
    fps: Annotated[FiniteFloat, Field(gt=0.0, le=240.0)] = 24.0
    codec: Literal["h264", "ffv1", "frames"] = "h264"
    crf: Annotated[int, Field(ge=0, le=51)] = 17
    grain: bool = False
    scale: Annotated[int, Field(ge=1, le=16)] = 1
    size: Annotated[tuple[Even, Even], Strict(False)] | None = None

    @property
    def frames(self) -> int:
        """How many frames the film has."""
        return round(self.seconds * self.fps)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.frames < 1:
            raise ValueError(f"{self.seconds} s at {self.fps} fps is no frame at all: make it longer")
        return self


class ShowSpec(Section):
    """How the journey is performed live. decoder auto: faithful on a GPU, else the scout (analytic stays analytic);
    batch auto: the most whose latency stays under `latency` seconds from control to picture; rate: the most new
    pictures a second (0: as many as can be); step: feature distance per second that the pace aims at, by what was
    last measured (0: the steady speed of [pacing])."""

    decoder: Literal["auto", "scout", "faithful"] = "auto"
    batch: Annotated[int, Field(ge=1, le=16)] | Literal["auto"] = "auto"
    latency: Annotated[FiniteFloat, Field(gt=0.0, le=10.0)] = 0.25
    rate: Annotated[FiniteFloat, Field(ge=0.0, le=240.0)] = 0.0
    step: Annotated[FiniteFloat, Field(ge=0.0, le=4.0)] = 0.0


class Preset(Section):
    """A whole journey."""

    title: str = ""
    description: str = ""
    world: WorldSpec = WorldSpec()
    plane: PlaneSpec = PlaneSpec()
    prompt: PromptSpec = PromptSpec()
    decoder: DecoderSpec = DecoderSpec()
    analytic: AnalyticSpec = AnalyticSpec()
    eye: EyeSpec = EyeSpec()
    walk: WalkSpec = Rift()
    pilot: PilotSpec = PilotSpec()
    pacing: PacingSpec = PacingSpec()
    film: FilmSpec = FilmSpec()
    show: ShowSpec = ShowSpec()


def folder() -> Path:
    """Where presets lie: `presets/` of the checkout, or beside this module when installed from a wheel."""
    here = Path(__file__).resolve().parent
    checkout = here.parent / "presets"
    return checkout if (here.parent / "pyproject.toml").is_file() and checkout.is_dir() else here / "presets"


def names() -> list[str]:
    """The presets that come with latentworld."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def load(preset: str | Path, overrides: Iterable[str] = ()) -> Preset:
    """A preset by name or .toml file, with `section.key=value` overrides; PresetError says what cannot be used."""
    path = _find(preset)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PresetError(f"{path} is no TOML ({error}): mend that line") from None
    except OSError as error:
        raise PresetError(f"{path} cannot be read ({error.strerror}): check the path and its permissions") from None
    _resolve_paths(table, path.parent)
    return parse(table, overrides)


def parse(table: Mapping[str, Any], overrides: Iterable[str] = ()) -> Preset:
    """A preset from what a TOML file holds."""
    content = {key: dict(value) if isinstance(value, Mapping) else value for key, value in table.items()}
    # a walk's kind first: it drops the keys of another kind, and must not drop those that stand beside it
    for section, key, value in sorted(map(_override, overrides), key=lambda part: part[1] != "kind"):
        _set(content, section, key, value)
    for section in _UNION:
        if isinstance(content.get(section), dict):
            # a discriminator that is absent is no error worth explaining: it has a default as other keys have
            content[section].setdefault("kind", Preset.model_fields[section].default.kind)
    try:
        return Preset.model_validate(content)
    except ValidationError as error:
        raise PresetError(_explain(_telling(error.errors()))) from None


def dump(preset: Preset) -> str:
    """A preset as TOML; `load` reads the same preset back."""
    import tomli_w

    return tomli_w.dumps(preset.model_dump(mode="json", exclude_none=True))


def nearest(name: str, valid: Iterable[str]) -> str:
    """`; did you mean ...?`, or the choice there is where nothing is near."""
    choice = sorted(valid)
    close = get_close_matches(name, choice, n=1, cutoff=0.55)
    return f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(choice)}"


def _find(preset: str | Path) -> Path:
    path = Path(preset).expanduser()
    if path.suffix == ".toml" or len(path.parts) != 1:
        if path.is_file():
            return path
        raise PresetError(f"no preset file {path}: check the path, or use a name such as {', '.join(names())}")
    if str(preset) not in names():
        raise PresetError(f"no preset {str(preset)!r}: {nearest(str(preset), names())}")
    return folder() / f"{preset}.toml"


def _resolve_paths(table: dict[str, Any], beside: Path) -> None:
    for section, key in _PATHS:
        keys = table.get(section)
        path = keys.get(key) if isinstance(keys, dict) else None
        if isinstance(keys, dict) and isinstance(path, str) and (beside / path).exists():
            keys[key] = str((beside / path).resolve())


def _override(override: str) -> tuple[str, str | None, Any]:
    """Section, key (None for a key of the preset itself) and value of an override as people write it."""
    match = re.fullmatch(r"\s*([\w-]+)(?:\.([\w-]+))?\s*=(.*)", override, flags=re.DOTALL)
    if match is None:
        raise PresetError(f"cannot read the override {override!r}: write section.key=value")
    if match[2] is None and match[1] not in ("title", "description"):
        raise PresetError(f"the override {override!r} lacks a section or a key: write section.key=value")
    return match[1], match[2], _value(match[3].strip())


def _set(content: dict[str, Any], section: str, key: str | None, value: Any) -> None:
    if key is None:
        content[section] = value
        return
    table = content.setdefault(section, {})
    if not isinstance(table, dict):
        raise PresetError(f"{section} is no section: {nearest(section, _sections())}")
    if section in _UNION and key == "kind" and table.get("kind") != value:
        table.clear()  # the keys of another kind of walk mean nothing to this one
    table[key] = value


def _value(text: str) -> Any:
    """A TOML value, or the text itself: quotes around a prompt are the shell's business."""
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return table["value"] if table.keys() == {"value"} else text


def _sections() -> list[str]:
    return [name for name, field in Preset.model_fields.items() if field.annotation is not str]


def _telling(errors: list[ErrorDetails]) -> ErrorDetails:
    """The error to report: of a value that no branch of a union takes, "not finite" tells more than "not a string", and
    of a list what is wrong inside it."""
    inside = errors[1:2] if errors[0]["type"] == "string_type" and isinstance(errors[0]["input"], list) else []
    return next((error for error in errors if error["type"] == "finite_number"), (inside or errors)[0])


def _explain(error: ErrorDetails) -> str:
    """One line: where, what stands there, and what to do."""
    kind, given = error["type"], error["input"]
    kinds = {str(get_args(model.model_fields["kind"].annotation)[0]) for model in _walks()}
    # in a tagged union pydantic writes the tag into the place; readers know no such level
    tagged = len(error["loc"]) > 1 and error["loc"][0] in _UNION and error["loc"][1] in kinds
    tag = str(error["loc"][1]) if tagged else None
    place = [part for i, part in enumerate(error["loc"]) if not (tagged and i == 1)]
    words = [str(part) for part in place if not _noise(part)]
    where = ".".join(words[:2]) + "".join(f"[{part}]" for part in words[2:])
    if kind == "extra_forbidden" and len(words) == 1:
        return f"unknown section or key {where!r}: {nearest(where, Preset.model_fields)}"
    if kind == "extra_forbidden":
        return f"unknown key {where!r}: {nearest(words[-1], _keys(words[0], tag))}"
    if kind == "union_tag_invalid":
        chosen = given.get("kind") if isinstance(given, Mapping) else given
        return f"{where}.kind = {_show(chosen)}: {nearest(str(chosen), kinds)}"
    message = re.sub("^(Input|String|Tuple) should", "must", error["msg"].removeprefix("Value error, "))
    if kind == "literal_error" and isinstance(given, str):
        valid = re.findall(r"'([^']+)'", error["ctx"]["expected"])
        return f"{where} = {_show(given)}: {nearest(given, valid)}"
    if kind in ("value_error", "model_type", "dict_type", "model_attributes_type") or isinstance(given, Mapping):
        return f"[{where}]: {message}; correct that section"
    return f"{where} = {_show(given)}: {message[0].lower()}{message[1:]}{_default(words, tag)}"


def _noise(part: int | str) -> bool:
    """Parts of a place that name a branch of a union of types, not a key."""
    return isinstance(part, str) and ("[" in part or part.removeprefix("constrained-") in {"int", "float", "str"})


def _walks() -> tuple[type[BaseModel], ...]:
    return get_args(get_args(WalkSpec)[0])


def _model(section: str, tag: object) -> type[BaseModel] | None:
    if section in _UNION:
        found = [model for model in _walks() if tag in get_args(model.model_fields["kind"].annotation)]
        return found[0] if found else Rift
    default = Preset.model_fields[section].default if section in Preset.model_fields else None
    return type(default) if isinstance(default, BaseModel) else None


def _keys(section: str, tag: object) -> list[str]:
    model = _model(section, tag)
    return list(model.model_fields) if model else []


def _default(words: list[str], tag: object) -> str:
    model = _model(words[0], tag) if len(words) > 1 else None
    default = model.model_fields[words[1]].default if model and words[1] in model.model_fields else None
    if default is None or isinstance(default, BaseModel) or type(default).__name__ == "PydanticUndefinedType":
        return "; correct it or leave it out"
    return f"; the default is {_show(default)}"


def _show(value: object) -> str:
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
