"""How latents become pictures: as a preset writes it, and as the one value that is passed on once that is resolved.

::

    DecoderSpec          the [decoder] section of a preset: what it leaves open, the world's card and the machine decide
    resolve(...)         spec, card and machine to DecoderSettings, in which nothing is open
    DecoderSettings      what every decoder is made from and says of itself; `dataclasses.replace(settings, steps=8)`

Importing this module imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from latentworld.decoding.samplers import SAMPLERS
from latentworld.decoding.sampling import USUAL, Sampling
from latentworld.errors import PresetError
from latentworld.explain import spelt
from latentworld.frozen import changed, keyed

if TYPE_CHECKING:
    from latentworld.device import Choice
    from latentworld.worlds.card import Card

Kind = Literal["faithful", "scout", "analytic"]
HoldKind = Literal["guidance", "residual"]
GUIDED_STEPS = 8  # of a scout that no few-step model stands behind: fewer are mush
Device = Annotated[str, spelt(r"auto|cpu|mps|(cuda|xpu)(:\d+)?", "auto, cpu, mps, cuda, xpu or cuda:1")]
Precision = Literal["auto", "float32", "bfloat16", "fp8"]
MULTIPLIED = {"bfloat16": ("openvino",), "fp8": ("eager", "compile", "graphs")}
"""Engines that multiply other numbers for a scout than the networks have, by those numbers."""
SamplerName = Literal["auto", "ddim", "euler", "dpmpp_2m", "unipc", "lcm", "tcd", "flow_euler", "scm"]
Spacing = Literal["auto", "leading", "trailing", "linspace"]
_RECORDED = {"steps": int, "guidance": float, "batch": int, "sampler": str, "variant": str}


class DecoderSpec(BaseModel):
    """How latents become pictures; what is absent, the world's card says. Pictures' sides are multiples of what the
    world's family makes them of (64 pixels for Stable Diffusion), which is checked when it is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Kind = keyed(
        "faithful",
        "faithful: many guided steps, the pipeline's own picture; scout: few, rough and fast; analytic: the world "
        "without weights",
    )
    steps: Annotated[int, Field(ge=1, le=1000)] | None = keyed(
        None,
        "denoising steps of the faithful decoder: fewer are faster and rougher, above 50 little changes; absent: what "
        "the world's card says",
    )
    guidance: Annotated[FiniteFloat, Field(ge=0.0)] | None = keyed(
        None,
        "classifier-free guidance: how strictly the prompt is followed; 1 is none, 5 to 8 usual, more is harder "
        "and more saturated",
    )
    scout_steps: Annotated[int, Field(ge=1, le=1000)] | None = keyed(
        None,
        "denoising steps of the scout, which looks ahead and plays shows",
    )
    sampler: SamplerName = keyed(
        "auto",
        "how steps are taken; auto: what the model was made for. Another one is another picture",
    )
    spacing: Spacing = keyed(
        "auto",
        "where on the schedule steps lie: leading from the clean end, trailing from the noisy one, linspace with both "
        "ends",
    )
    karras: bool | Literal["auto"] = keyed(
        "auto",
        "noise levels spaced as Karras et al. do: more steps where detail appears",
    )
    guidance_rescale: Annotated[FiniteFloat, Field(ge=0.0, le=1.0)] = keyed(
        0.0,
        "brings back contrast that guidance burns away (Lin et al.: 0.7), for schedules that end in pure noise",
    )
    clip_skip: Annotated[int, Field(ge=0, le=11)] = keyed(
        0,
        'how many of CLIP\'s last layers are left out; 1 is "Clip skip 2" in A1111, looser pictures',
    )
    scout_sampler: SamplerName = keyed("auto", "the scout's sampler")
    scout_precision: Precision = keyed(
        "auto",
        "numbers that are multiplied for the scout; auto: by OpenVINO bfloat16 in a show and a prospect on a processor "
        "that has it (1.6 times as fast, 1/255 away), else the networks' own: a film's and an atlas's scout keeps "
        "those unless it is said; fp8: on a card, by torchao (docs/gpu.md)",
    )
    scout_lora: str | None = keyed(
        None,
        "a .safetensors that makes the scout of a world that has none (LCM, Hyper, Lightning)",
    )
    tiny_vae: str | None = keyed(None, "a small autoencoder for the scout: faster, softer")
    batch: Annotated[int, Field(ge=1)] | Literal["auto"] = keyed(
        "auto",
        "pictures decoded at once: more are faster where memory allows. Part of what a film's bytes depend on",
    )
    device: Device = keyed("auto", "auto, cpu, mps, cuda, xpu or cuda:1")
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = keyed(
        "auto",
        "numbers that networks calculate in; auto: float16 on CUDA, else float32. Half precision raises the floor of "
        "a rate",
    )
    engine: Literal["auto", "eager", "openvino", "compile", "graphs", "whole", "package"] = keyed(
        "auto",
        "what runs the networks; auto: the fastest that is installed. Pictures differ by rounding alone",
    )
    height: Annotated[int, Field(ge=8, multiple_of=2)] | None = keyed(
        None,
        "of a picture, in pixels, a multiple of what the world's family takes; absent: what it was trained at",
    )
    width: Annotated[int, Field(ge=8, multiple_of=2)] | None = keyed(None, "of a picture, in pixels")

    def saying(self, settings: DecoderSettings) -> DecoderSpec:
        """The section that resolves to these settings; what it says of decoders of another kind stays."""
        height, width = settings.size
        said: dict[str, object] = {"height": height, "width": width}
        said |= {"kind": settings.kind, "batch": settings.batch}
        said |= {"device": settings.device, "dtype": settings.dtype, "engine": settings.engine}
        said |= {"scout_steps" if settings.kind == "scout" else "steps": settings.steps}
        said |= {"scout_sampler" if settings.kind == "scout" else "sampler": settings.sampler or "auto"}
        if settings.kind == "faithful":
            said |= {"guidance": settings.guidance} | _saying(settings.sampling)
        if settings.kind == "scout":
            usual = "float32" if self.scout_precision in MULTIPLIED else self.scout_precision
            said |= {"scout_precision": settings.precision or usual}
        return changed(self, **said)

    @property
    def sampling(self) -> Sampling:
        """How the faithful decoder goes along its schedule."""
        karras = None if isinstance(self.karras, str) else self.karras
        spacing = "" if self.spacing == "auto" else self.spacing
        return Sampling(spacing, karras, self.guidance_rescale, self.clip_skip)


@dataclass(frozen=True)
class HoldSettings:
    """That vertices from pictures are held (see hold.py). file: of the vertices; digest: `Trio.digest` of it as it was
    when the world was opened; kind: how; reach: degrees from a vertex at which nothing holds any more."""

    file: str
    digest: str
    kind: HoldKind = "guidance"
    reach: float = 45.0


@dataclass(frozen=True)
class BridgeSettings:
    """That the plane's first edge is bent (see bend.py). file: of the bridge; digest: `Trio.digest` of it as it was
    when the world was opened."""

    file: str
    digest: str


@dataclass(frozen=True)
class LoraSettings:
    """A LoRA for style that the networks have in them. file: its path; strength: 1 as it was made, 0 not at all, below
    0 away from it, in hundredths. Raises PresetError for one that is not finite."""

    file: str
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.strength):
            raise PresetError(f"strength = {self.strength} of {self.file}: a finite number is wanted")
        object.__setattr__(self, "strength", round(self.strength, 2) + 0.0)  # and no -0


@dataclass(frozen=True)
class DecoderSettings:
    """What a decoder is made from, nothing left open. Raises PresetError for what names no picture.

    kind: `faithful` (many guided steps), `scout` (few, rough and fast), `analytic` (the world without weights); steps:
    of denoising, 1 or more; guidance: 0 or more, 1 and below mean none; batch: pictures that are decoded at once, which
    their bytes depend on; size: height, width in pixels; engine, device, dtype: as in a preset, none of them `auto`;
    sampler: a name in `samplers.SAMPLERS`, "" the one the networks were made for; sampling: how it goes along the
    schedule; variant: which of the world's networks, "" the usual ones of that kind (`plain`: the library's own
    forward; of a scout `student`, `lora`, `guided`, or a name in `few_step.MEMBERS`); lora, tiny_vae: files that a
    scout uses instead of the world's own; hold: of vertices from pictures, None for none: the faithful decoder's alone;
    start: the time of the schedule whose noise latents have, None for pure noise; bridge: through which latents the way
    between the first two vertices leads, None for the plane's own; loras: for style, in the networks of every kind;
    precision: of what is multiplied, "" that of the networks, or one of `MULTIPLIED`.
    """

    kind: Kind
    steps: int
    guidance: float = 1.0
    batch: int = 8
    size: tuple[int, int] = (512, 512)
    engine: str = "eager"
    device: str = "cpu"
    dtype: str = "float32"
    sampler: str = ""
    variant: str = ""
    lora: str | None = None
    tiny_vae: str | None = None
    hold: HoldSettings | None = None
    start: int | None = None
    bridge: BridgeSettings | None = None
    sampling: Sampling = USUAL
    loras: tuple[LoraSettings, ...] = ()
    precision: str = ""

    def __post_init__(self) -> None:
        if self.precision and self.engine not in MULTIPLIED.get(self.precision, ()):
            by = ", ".join(f"{number!r} by {' or '.join(names)}" for number, names in MULTIPLIED.items())
            raise PresetError(
                f"scout_precision = {self.precision!r} with engine {self.engine!r}: other numbers than the networks' "
                f"are {by}; leave it at 'auto' or 'float32'"
            )
        if self.kind not in get_args(Kind):
            raise PresetError(f"decoder = {self.kind!r}: use one of {', '.join(get_args(Kind))}")
        if self.steps < 1:
            raise PresetError(f"steps = {self.steps}: at least 1 denoising step is needed")
        if self.batch < 1:
            raise PresetError(f"batch = {self.batch}: at least 1 picture a batch is needed")
        if not 0.0 <= self.guidance < float("inf"):
            raise PresetError(f"guidance = {self.guidance}: a finite number of at least 0 is needed (1 means none)")
        if self.sampler and self.sampler not in SAMPLERS:
            raise PresetError(f"sampler = {self.sampler!r}: use one of {', '.join(SAMPLERS)}")
        if self.start is not None and self.start < 1:
            raise PresetError(f"start = {self.start}: a time of the schedule above 0 is needed")

    def record(self) -> dict[str, object]:
        """As JSON takes it, what is "" or None left out."""
        said = {**asdict(self), "sampling": str(self.sampling)}
        return {**{key: value for key, value in said.items() if value not in ("", None, ())}, "size": list(self.size)}

    @property
    def runner(self) -> str:
        """The engine as `engines.build` takes it: with its precision, where that is not the networks' own."""
        return f"{self.engine}/{self.precision}" if self.precision else self.engine

    @property
    def heard(self) -> tuple[LoraSettings, ...]:
        """Those of its LoRA whose strength is not 0."""
        return tuple(lora for lora in self.loras if lora.strength)

    def styled(self, strengths: Sequence[float | None]) -> DecoderSettings:
        """The same at other strengths, by the place of a LoRA; None leaves one as it is, and so do strengths of LoRA
        that are not there."""
        if not self.loras:
            return self
        wanted = (*strengths, *[None] * len(self.loras))
        pairs = zip(self.loras, wanted, strict=False)
        return replace(self, loras=tuple(one if new is None else replace(one, strength=new) for one, new in pairs))

    def recorded(self, record: Mapping[str, object]) -> DecoderSettings:
        """These settings with the steps, guidance, batch, sampler, sampling, variant and strengths that a record has (a
        scene's, a take's).

        What it lacks stays. Raises PresetError for values of another type or out of range.
        """
        found: dict[str, Any] = {}
        for key, kind in _RECORDED.items():
            value = record.get(key)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else kind):
                raise PresetError(f"decoder.{key} = {value!r:.40}: a {kind.__name__} is wanted")
            found[key] = kind(value)
        if isinstance(said := record.get("sampling"), str):
            found["sampling"] = Sampling.read(said)
        return replace(self, **found).styled(_strengths(record.get("loras"), len(self.loras)))


def _strengths(said: object, count: int) -> list[float]:
    """Those of a record; none where it says nothing. Raises PresetError where it is of other LoRA than there are."""
    if said is None:
        return []
    if not isinstance(said, Sequence) or isinstance(said, str) or len(said) != count:
        raise PresetError(f"decoder.loras = {said!r:.60}: a strength for each of {count} LoRA in world.loras is wanted")
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in said):
        raise PresetError(f"decoder.loras = {said!r:.60}: numbers are wanted")
    return [float(one) for one in said]


def resolve(
    spec: DecoderSpec,
    card: Card,
    machine: Choice,
    kind: Kind | None = None,
    has_few_step: bool = True,
    is_told: bool = False,
    few: tuple[int | None, float] = (None, 1.0),
) -> DecoderSettings:
    """The settings of a world's decoder: what `spec` leaves open is as the world's card has it, or as `machine` can.

    machine: what `device.choose` made of the spec's device, dtype, engine and batch. kind: another than the spec's.
    has_few_step: whether the world has a few-step denoiser; where neither it nor a LoRA is one, a scout is the faithful
    decoder in a few guided steps. is_told: whether its networks are told their guidance, which then a scout has too.
    few: steps that the spec's LoRA is made for, None where nothing says, and its guidance of two texts.
    """
    kind, own = kind or spec.kind, card.defaults
    is_scout = kind == "scout"
    if is_scout and not has_few_step and spec.scout_lora is None:
        whole = resolve(spec, card, machine, "faithful")
        short = min(GUIDED_STEPS, whole.steps) if spec.scout_steps is None else spec.scout_steps
        own_sampler, precision = _named(spec.scout_sampler), _precision(spec.scout_precision)
        return replace(
            whole, kind="scout", steps=short, tiny_vae=spec.tiny_vae, sampler=own_sampler, precision=precision
        )
    steps, usual = (spec.scout_steps, few[0] or own.scout_steps) if is_scout else (spec.steps, own.steps)
    return DecoderSettings(
        kind=kind,
        steps=usual if steps is None else steps,
        guidance=few[1] if is_scout and not is_told else own.guidance if spec.guidance is None else spec.guidance,
        batch=machine.batch,
        size=(spec.height or card.size, spec.width or card.size),
        engine=machine.engine,
        device=machine.device,
        dtype=machine.dtype,
        sampler=_named(spec.scout_sampler if is_scout else spec.sampler),
        lora=spec.scout_lora if is_scout else None,
        tiny_vae=spec.tiny_vae if is_scout else None,
        sampling=Sampling(clip_skip=spec.clip_skip) if is_scout else spec.sampling,
        precision=_precision(spec.scout_precision) if is_scout else "",
    )


def _precision(said: Precision) -> str:
    return said if said in MULTIPLIED else ""


def _named(sampler: str) -> str:
    return "" if sampler == "auto" else sampler


def _saying(sampling: Sampling) -> dict[str, object]:
    """The keys of a section that make this sampling."""
    return {
        "spacing": sampling.spacing or "auto",
        "karras": "auto" if sampling.karras is None else sampling.karras,
        "guidance_rescale": sampling.rescale,
        "clip_skip": sampling.clip_skip,
    }


def resolve_analytic(spec: DecoderSpec) -> DecoderSettings:
    """The settings of the analytic world, which has no card: 50 steps and 16 pictures of 128 pixels unless said."""
    batch = 16 if isinstance(spec.batch, str) else spec.batch
    return DecoderSettings("analytic", spec.steps or 50, batch=batch, size=(spec.height or 128, spec.width or 128))
