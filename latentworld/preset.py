"""Presets: a journey as TOML, read into frozen models. What is not understood is refused, with the nearest valid name.

preset = load("first-light", ["film.seconds=4", "prompt.positive=a ringed planet"])
dump(preset)        # the same journey as TOML again, every setting spelt out
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, Strict, ValidationError, model_validator

from latentworld import texts, walks
from latentworld.decoding.settings import DecoderSpec, Device
from latentworld.errors import PluginError, PresetError
from latentworld.explain import explain, nearest, shown
from latentworld.extras import checkout
from latentworld.frozen import changed, keyed
from latentworld.pacing import PacingSpec
from latentworld.pilot import PilotSpec
from latentworld.prompts import PromptText
from latentworld.score import Cues, CueSpec, TempoSpec

Even = Annotated[int, Field(ge=16, multiple_of=2)]
DEFAULT_WALK = walks.Rift()
LORAS, STRONGEST = 4, 2.0  # for style, at a time; and how far either way each is played
# looked for beside the preset's own file first
PATHS = (
    ("world", "name"), ("world", "vae"), ("plane", "vertices"), ("pilot", "atlas"), ("eye", "clip"),
    ("decoder", "scout_lora"), ("decoder", "tiny_vae"), ("film", "upscale"), ("sound", "file"),
)  # fmt: skip


class Section(BaseModel):
    """A table of a preset: frozen, strict about types, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LoraSpec(Section):
    """A LoRA for style in the world's networks (docs/worlds.md)."""

    file: Annotated[str, Field(min_length=1)] = keyed(..., "a .safetensors file, looked for beside the preset first")
    strength: Annotated[FiniteFloat, Field(ge=-STRONGEST, le=STRONGEST)] = keyed(
        1.0,
        "1 as it was made, 0 not at all, below 0 away from it, in hundredths; live it is `lora.1.strength`, ... "
        "(docs/osc.md)",
    )


class WorldSpec(Section):
    """Which model makes the pictures. Every file that a preset names is looked for beside the preset first."""

    name: Annotated[str, Field(min_length=1)] = keyed(
        "embedded",
        "the model: `embedded` (comes along, needs no network), a diffusers folder, a .safetensors file or a hub "
        "name; another world is another country with other rifts",
    )
    revision: str | None = keyed(None, "of a hub name: branch, tag or commit, so that the same files come again")
    vae: str | None = keyed(
        None,
        "another autoencoder in place of the world's own (a folder, a file or a hub name): colours and fine detail "
        "change, the country does not",
    )
    loras: Annotated[tuple[LoraSpec, ...], Strict(False), Field(max_length=LORAS)] = keyed(
        (), "LoRAs for style, four at most, each a table of its own"
    )


class PlaneSpec(Section):
    """Where the three latents that span the country come from."""

    seeds: Annotated[tuple[int, int, int], Strict(False)] = keyed(
        (0, 123, 200),
        "whose noises z0, z1, z2 are, the three corners of the country; one changed turns the plane about the other "
        "two. Equal low 32 bits draw the same",
    )
    layout: Literal["nhwc", "nchw"] = keyed(
        "nhwc",
        "the order in which a seed's numbers fill a latent: nhwc as the write-up's pictures have it, nchw as other "
        "programs; the same seeds are other pictures",
    )
    norm: Literal["sphere", "global", "raw"] = keyed(
        "sphere",
        "what becomes of a latent's length: sphere (the mean of the vertices' three), global (that of white noise, "
        "sqrt(d)), raw (as the formula gives it: shorter between the vertices, smoother and greyer)",
    )
    device: Device = keyed(
        "cpu",
        "where seeds are drawn: cpu is the same on every machine, cuda as programs that draw on the GPU have it",
    )
    dtype: Literal["float32", "float16"] = keyed(
        "float32",
        "the numbers that seeds are drawn in, as another program drew them",
    )
    vertices: str | None = keyed(
        None,
        "a file of vertices (`latentworld vertices from-picture`), in place of `seeds`: your own pictures span the "
        "plane",
    )
    hold: Literal["auto", "guidance", "residual", "none"] = keyed(
        "auto",
        "how vertices that were made from pictures stay those pictures at any guidance: guidance eased toward 1 near "
        "them, residuals of the file added, not at all, or (auto) as the file says (docs/vertices.md)",
    )
    reach: Annotated[FiniteFloat, Field(ge=5.0, le=80.0)] = keyed(
        45.0,
        "degrees from a vertex at which nothing is held any more; larger: more of the country looks like the pictures",
    )


class PromptSpec(Section):
    """What the pictures should and should not be."""

    positive: PromptText | None = keyed(
        None,
        "what pictures should be, 2,000 characters at most; absent: what the world's card says",
    )
    negative: PromptText | None = keyed(None, "what they should not be; works where guidance is above 1")


class AnalyticSpec(Section):
    """The weightless world: a mixture whose rifts are known. Only read where `decoder.kind` is analytic."""

    modes: Literal[2, 4, 6, 8, 12] = keyed(12, "how many kinds of picture there are, and so how many rifts")
    sigma: Annotated[FiniteFloat, Field(gt=0.0, le=1.0)] = keyed(
        0.1,
        "how soft the rifts are: 0.1 breaks at once, 1 hardly",
    )
    seed: Annotated[int, Field(ge=0)] = keyed(0, "of the kinds' colours and places")


class EyeSpec(Section):
    """Which CLIP feels the pictures."""

    clip: str | None = keyed(
        None,
        "the CLIP that feels how far apart pictures are: a folder or hub name; absent: the world's own, or the "
        "embedded one. Rates, pacing and pilot follow it",
    )


class FilmSpec(Section):
    """How long, how fast, and how it is written. Films with `loop`, `there_and_back` or `interpolate` are planned
    first."""

    seconds: Annotated[FiniteFloat, Field(gt=0.0, le=1e7)] = keyed(12.0, "how long the film is, in seconds")
    fps: Annotated[FiniteFloat, Field(gt=0.0, le=240.0)] = keyed(
        24.0,
        "frames a second; where each is one step of meaning (pacing.kind = clip), more of them go farther in a second",
    )
    codec: Literal["h264", "h265", "av1", "prores", "ffv1", "frames"] = keyed(
        "h264",
        "how it is written (docs/formats.md): h264 plays everywhere, prores and ffv1 are for cutting, frames are PNGs",
    )
    crf: Annotated[int, Field(ge=0, le=63)] | None = keyed(
        None,
        "quality of h264, h265 and av1: smaller is better and larger on disk; absent the codec's own",
    )
    grain: bool = keyed(False, "keep the picture's own grain, of the same three codecs; files grow")
    encoder: Literal["auto", "software", "nvenc", "videotoolbox", "qsv", "vaapi", "amf"] = keyed(
        "software",
        "software, whose bytes repeat, or the machine's own (auto: the first that works), which is faster",
    )
    scale: Annotated[int, Field(ge=1, le=16)] = keyed(
        1, "how many times larger than decoded; 4 makes 1024 of 256 pixels"
    )
    size: Annotated[tuple[Even, Even], Strict(False)] | None = keyed(
        None,
        "[height, width] of the film in pixels, in place of `scale`",
    )
    fit: Literal["contain", "cover", "stretch"] = keyed(
        "contain",
        "how a picture lies in a size of another shape: the whole of it beside black (contain), all over it (cover), "
        "or pulled into shape (stretch)",
    )
    upscale: Annotated[str, Field(min_length=1)] = keyed(
        "lanczos",
        "what enlarges: lanczos, or the .safetensors of a super-resolution network, which enlarges by its own scale",
    )
    added_grain: Annotated[FiniteFloat, Field(ge=0.0, le=1.0)] = keyed(
        0.0,
        "film grain over the pictures; 0.1 hides banding, 1 is coarse",
    )
    chunk: Annotated[FiniteFloat, Field(gt=0.0, le=3600.0)] = keyed(
        60.0,
        "seconds of film that are whole or not there: so much is lost at most when a film is killed",
    )
    chapters: bool = keyed(True, "chapters in the file at named cues and rifts")
    subtitles: Literal["srt", "vtt"] | None = keyed(
        None,
        "place, rate and prompt to read along, in a file beside the film",
    )
    private: bool = keyed(
        False,
        "true: how it was made is not written into film and pictures, which then cannot be made again from themselves",
    )
    loop: bool = keyed(
        False,
        "one lap of a closed walk at even steps, the last of which leads to the first frame; a free walk is led back "
        "to its start",
    )
    there_and_back: bool = keyed(False, "to the end of the first half and back the same way")
    interpolate: Annotated[int, Field(ge=1, le=8)] = keyed(
        1,
        "one frame in so many is decoded, the others are drawn between along the optical flow, never across a rift: "
        "faster, softer",
    )

    @model_validator(mode="after")
    def _one_way_round(self) -> Self:
        if self.loop and self.there_and_back:
            raise ValueError("loop and there_and_back are two ways to close a film: choose one")
        if self.codec == "h264" and self.crf == 0:
            raise ValueError("crf 0 is lossless, which players take of no h264: give 1 or more, or codec = ffv1")
        return self

    @property
    def frames(self) -> int:
        """How many frames the film has."""
        return round(self.seconds * self.fps)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.frames < 1:
            raise ValueError(f"{self.seconds} s at {self.fps} fps is no frame at all: make it longer")
        return self

    @model_validator(mode="after")
    def _within_reach(self) -> Self:
        if self.crf is not None and self.crf > 51 and self.codec in ("h264", "h265"):
            raise ValueError(f"crf {self.crf} is more than {self.codec} has: give 0 to 51")
        return self


RiftPolicy = Literal["slow", "hold", "cut", "dissolve", "dwell", "refine", "strobe"]


class RiftSpec(Section):
    """What a film does at its rifts. With another policy than slow it is planned first, and as long as it was asked to
    be."""

    policy: RiftPolicy = keyed(
        "slow",
        "slow: as the pacing has it; hold: the last picture before stands still for `seconds`, then a cut; cut: at "
        "once; dissolve: the two sides laid over one another for `seconds`; dwell: there, back and there again; "
        "refine: places are put between until the pacing's step is kept, or the two are one to float32; strobe: the "
        "two sides in turn, `rate` times a second, for `seconds`",
    )
    seconds: Annotated[FiniteFloat, Field(gt=0.0, le=60.0)] = keyed(
        0.5,
        "how long hold, dissolve and strobe take at a rift, in seconds",
    )
    rate: Annotated[FiniteFloat, Field(gt=0.0, le=30.0)] = keyed(
        6.0,
        "how often strobe changes sides, times a second; above 3 it may harm people (photosensitive epilepsy)",
    )
    each: Mapping[Annotated[str, Field(pattern=r"[1-9][0-9]{0,5}")], RiftPolicy] = keyed(
        {},
        'another policy by the number of a rift, from 1: each = { 3 = "hold" }',
    )


class FollowSpec(Section):
    """A parameter of the loop that follows the sound."""

    parameter: str = keyed(
        ...,
        "what follows, by its name in docs/osc.md, such as walk.radius; one that may move smoothly",
    )
    by: Literal["loudness", "low", "mid", "high", "onset", "percussive", "beat_phase", "bar_phase"] = keyed(
        "loudness",
        "which signal of the sound",
    )
    range: Annotated[tuple[FiniteFloat, FiniteFloat], Strict(False)] = keyed(
        ...,
        "[at 0, at 1]: what the parameter is while the signal is silent and full; the first may be the larger",
    )
    attack: Annotated[FiniteFloat, Field(ge=0.0, le=60.0)] = keyed(
        0.02,
        "seconds in which it follows most of a rise; longer is smoother",
    )
    release: Annotated[FiniteFloat, Field(ge=0.0, le=60.0)] = keyed(0.3, "seconds in which it follows most of a fall")


class SoundSpec(Section):
    """The film's sound (docs/sound.md)."""

    file: Annotated[str, Field(min_length=1)] | None = keyed(None, "the film's sound, anything that ffmpeg reads")
    fit: Literal["trim", "loop"] = keyed(
        "trim",
        "where it is not as long as the film: cut, or silence follows (trim), or begun again (loop)",
    )
    bpm: Annotated[FiniteFloat, Field(ge=20.0, le=400.0)] | None = keyed(
        None,
        "beats a minute, where it is known and need not be heard; with `first_beat` beats lie on that grid",
    )
    bar: Annotated[int, Field(ge=1, le=32)] = keyed(4, "beats in a bar")
    first_beat: Annotated[FiniteFloat, Field(ge=0.0)] | None = keyed(None, "when a downbeat is, in seconds")
    follow: Annotated[tuple[FollowSpec, ...], Strict(False)] = keyed(
        (),
        "parameters that follow the sound, each a table of its own",
    )


class ShowSpec(Section):
    """How the journey is performed live."""

    decoder: Literal["auto", "scout", "faithful"] = keyed(
        "auto",
        "auto: faithful on a GPU, else the scout (analytic stays analytic)",
    )
    batch: Annotated[int, Field(ge=1, le=16)] | Literal["auto"] = keyed(
        "auto",
        "pictures made at once; auto: the most whose latency stays under `latency`. More: smoother, later",
    )
    latency: Annotated[FiniteFloat, Field(gt=0.0, le=10.0)] = keyed(
        0.25,
        "seconds from a hand on a control to the picture that `batch = auto` aims at",
    )
    rate: Annotated[FiniteFloat, Field(ge=0.0, le=240.0)] = keyed(
        0.0,
        "the most new pictures a second; 0: as many as can be",
    )
    step: Annotated[FiniteFloat, Field(ge=0.0, le=4.0)] = keyed(
        0.0,
        "feature distance a second that the pace aims at, by what was last measured: larger, and meaning changes "
        "faster. 0: the steady speed of [pacing]",
    )
    spare: bool = keyed(
        False,
        "keep a second renderer loaded, where memory allows, which takes over within half a second when the first one "
        "dies",
    )


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
        raise PresetError(f"{path} is no TOML ({error}): mend that line") from None
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


def _resolve_paths(table: dict[str, object], beside: Path) -> None:
    world = table.get("world")
    loras = world.get("loras") if isinstance(world, dict) else None
    places = [(table.get(section), key) for section, key in PATHS]
    places += [(lora, "file") for lora in (loras if isinstance(loras, list) else [])]
    for keys, key in places:
        path = keys.get(key) if isinstance(keys, dict) else None
        if not isinstance(keys, dict) or not isinstance(path, str) or path in ("", "embedded", "lanczos"):
            continue
        if os.path.exists(beside / path):  # which takes any text, however long
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
