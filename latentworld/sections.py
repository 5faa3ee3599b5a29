"""Sections of a preset, a frozen model each: what every key takes, and what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, Strict, model_validator

from latentworld.decoding.settings import Device
from latentworld.frozen import keyed
from latentworld.prompts import PromptText

Even = Annotated[int, Field(ge=16, multiple_of=2)]
LORAS, STRONGEST = 4, 2.0  # for style, at a time; and how far either way each is played
EMBEDDINGS = 32  # taught words


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


class EmbeddingSpec(Section):
    """A textual inversion: a word that prompts may use (docs/worlds.md)."""

    file: Annotated[str, Field(min_length=1)] = keyed(..., "a .safetensors file, looked for beside the preset first")
    word: Annotated[str, Field(min_length=1, max_length=80)] | None = keyed(
        None,
        "what prompts call it by; absent: the word that the file names, or the file's name",
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
    embeddings: Annotated[tuple[EmbeddingSpec, ...], Strict(False), Field(max_length=EMBEDDINGS)] = keyed(
        (), "textual inversions, each a table of its own: words that prompts may use then"
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
    chunk: Annotated[FiniteFloat, Field(gt=0.0, le=3600.0)] | Literal["auto"] = keyed(
        "auto",
        "seconds of film that are whole or not there: so much is lost at most when a film is killed. auto: 60, of the "
        "faithful decoder 10, and 2 of its pictures above 256 pixels on a processor",
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
        "two sides in turn, there and back `rate` times a second, for `seconds`",
    )
    seconds: Annotated[FiniteFloat, Field(gt=0.0, le=60.0)] = keyed(
        0.5,
        "how long hold, dissolve and strobe take at a rift, in seconds",
    )
    rate: Annotated[FiniteFloat, Field(gt=0.0, le=30.0)] = keyed(
        6.0,
        "how often strobe goes there and back, times a second; above 3 it may harm people (photosensitive epilepsy)",
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
        "auto: on a GPU faithful where that makes `rate` pictures a second (12 where it is 0), tried at the start; "
        "else the scout (analytic stays analytic)",
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
