"""From a preset to the parts the loop runs on. With `show`, the only place that knows concrete classes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from installation.clock import CountedClock
from installation.frames import develop
from installation.loop import Pilot, Scene
from latentworld import vertices, walks, worlds
from latentworld.arrays import Array
from latentworld.atlas import settings
from latentworld.atlas.thumbs import thumbnails
from latentworld.atlas.types import Render, Rendered
from latentworld.decoding import Cached, Decoder, Watch, faithful_decoder, scout_decoder
from latentworld.decoding.analytic import SHAPE, AnalyticDecoder, AnalyticEye, analytic
from latentworld.decoding.decoder import Around
from latentworld.device import choose
from latentworld.errors import WorldMismatch
from latentworld.lipschitz import Lookout
from latentworld.pilot import Pilot as FilmPilot
from latentworld.plane import Plane
from latentworld.preset import Preset, parse
from latentworld.prompts import Prompt
from latentworld.vision import Eye, clip_eye
from latentworld.walks import Walk

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.atlas.prior import Prior
    from latentworld.decoding.diffusion import Diffusion
    from latentworld.worlds import World

_BLIND_STEPS = 8  # of the faithful decoder, where a world has no student to look ahead with


@dataclass(frozen=True, eq=False)
class Rig:
    """Everything a film or a show runs on; `preset` is resolved: nothing in it is left to the world's card.

    `world` and `seer` say which weights: the digests of the world and of the eye's CLIP.
    """

    preset: Preset
    world: str
    plane: Plane
    decoder: Decoder
    eye: Eye
    seer: str
    prompt: Prompt
    walk: Walk
    pilot: Pilot
    clock: CountedClock
    look: Lookout  # through the decoder itself, without its memory: for measuring what a picture's bytes depend on

    @property
    def scene(self) -> Scene:
        """What the loop decodes with."""
        return Scene(self.plane, self.decoder, self.eye, self.prompt)


class Watched(Around):
    """A decoder whose every call is watched, so that a film can be stopped between two denoising steps."""

    def __init__(self, decoder: Decoder, watch: Watch) -> None:
        self.decoder, self.watch = decoder, watch

    def __call__(self, latents: Tensor, prompt: Prompt, watch: Watch | None = None) -> Tensor:
        """As the wrapped decoder; a watcher given here goes before the usual one."""
        return self.decoder(latents, prompt, watch or self.watch)


@dataclass(frozen=True, eq=False)
class Studio:
    """What turns places into pictures: no walk, no pilot, no clock. Enough for a still."""

    preset: Preset
    world: str
    plane: Plane
    decoder: Decoder
    scout: Decoder
    eye: Eye
    seer: str
    prompt: Prompt
    bundle: World | None = None  # its networks, where it has any


def build(preset: Preset, watch: Watch | None = None) -> Rig:
    """Load, draw and connect everything a preset names. Raises the LatentWorldError of whatever does not fit."""
    studio = open_studio(preset, watch)
    preset, plane, prompt = studio.preset, studio.plane, studio.prompt
    walk = walks.build(preset.walk, plane)
    # the pacing looks ahead through the very decoder that makes the frames: what it saw, the memo hands out as frames
    decoder = Cached(studio.decoder, capacity=max(64, 12 * studio.decoder.profile.batch))
    scout = lookout(plane, studio.scout, studio.eye, prompt)
    ahead = lookout(plane, decoder, studio.eye, prompt) if preset.pacing.look == "faithful" else scout
    batch = decoder.profile.batch
    helm = charted(studio, scout)
    pilot = FilmPilot(preset.pilot, preset.pacing, plane, helm, ahead, fps=preset.film.fps, batch=batch)
    clock = CountedClock(preset.film.frames, preset.film.fps, batch)
    bare = lookout(plane, studio.decoder, studio.eye, prompt)
    return Rig(preset, studio.world, plane, decoder, studio.eye, studio.seer, prompt, walk, pilot, clock, bare)


def open_studio(preset: Preset, watch: Watch | None = None) -> Studio:
    """The plane, decoders and eye of a preset."""
    if preset.plane.device == "auto":  # devices draw different numbers: the preset that is kept names the one that drew
        plane = preset.plane.model_copy(update={"device": choose().device})
        preset = preset.model_copy(update={"plane": plane})
    studio = _analytic(preset) if preset.decoder.kind == "analytic" else _diffusion(preset)
    if watch is None:
        return studio
    return replace(studio, decoder=Watched(studio.decoder, watch), scout=Watched(studio.scout, watch))


def lookout(plane: Plane, decoder: Decoder, eye: Eye, prompt: Prompt) -> Lookout:
    """Places to features, through a decoder and an eye."""

    def look(units: Array, radii: Array) -> Tensor:
        return eye(decoder(plane.latents(units, radii), prompt))

    return look


def renderer(studio: Studio, thumb: int, scout: bool = False) -> Render:
    """Places to what a survey keeps: features and thumbnails whose longest edge has at most `thumb` pixels.

    Through the faithful decoder, or the scout. What is seen at a place never depends on the others asked for with it.
    """
    decoder = studio.scout if scout else studio.decoder

    def render(units: Array, radii: Array) -> Rendered:
        pictures = decoder(studio.plane.latents(units, radii), studio.prompt)
        features = studio.eye(pictures).detach().numpy().astype(np.float32)
        return Rendered(features, thumbnails(develop(pictures), thumb))

    return render


def remote_renderer(text: str, thumb: int, scout: bool) -> Render:
    """As `renderer`, from a resolved preset's TOML text: what a worker on another machine builds its own from.

    It vouches for everything that decides its pictures, so that a machine that is set up otherwise is found out.
    """
    from latentworld.atlas.cluster import Vouched

    studio = open_studio(parse(tomllib.loads(text)))
    decoder = studio.scout if scout else studio.decoder
    told = {"profile": asdict(decoder.profile), "thumb": thumb, **provenance(studio)}
    return Vouched(renderer(studio, thumb, scout), told)


def provenance(studio: Studio) -> dict[str, Any]:
    """What an atlas's settings say of where it is, as plain values."""
    prompt = studio.prompt
    return {
        "world": studio.world,
        "eye": studio.seer,
        "prompt": {"positive": prompt.positive, "negative": prompt.negative},
        "plane": settings.told(studio.plane),
    }


def charted(studio: Studio, scout: Lookout) -> Lookout:
    """What the helm looks through: the scout, or the preset's atlas with it. Errors as `mapped`."""
    from latentworld.atlas.prior import blended

    found = mapped(studio)
    return scout if found is None else blended(found, scout, studio.preset.pilot.prior)


def mapped(studio: Studio) -> Prior | None:
    """The preset's atlas, None where it has none or its share is 0.

    Raises AtlasDamaged, and WorldMismatch when the atlas is of another world, eye, prompt or plane.
    """
    spec = studio.preset.pilot
    if spec.atlas is None or spec.prior == 0.0:
        return None
    from latentworld.atlas import mesh, prior, store

    atlas = store.read(spec.atlas)
    here = provenance(studio)
    told = settings.differences({key: atlas.settings.get(key) for key in here}, here)
    if told:
        raise WorldMismatch(f"the atlas {spec.atlas} is of elsewhere: {'; '.join(told)}; survey this world and plane")
    return prior.lookout(atlas, mesh.mesh(atlas))


@dataclass(frozen=True)
class Cast:
    """How a world's pictures are made live: by which decoder, in how many steps, with what guidance, how many at a
    time."""

    kind: str
    steps: int
    guidance: float
    batch: int


def performed(preset: Preset) -> Preset:
    """The preset as a show plays it: `show.decoder` and `show.batch` (1 where the show is yet to find out) instead of
    [decoder]'s. Raises PresetError for what this machine cannot do."""
    show, decoder = preset.show, preset.decoder
    kind: str = show.decoder
    if decoder.kind == "analytic":
        kind = "analytic"
    elif kind == "auto":
        kind = "scout" if choose(decoder.device, decoder.dtype, decoder.engine).device == "cpu" else "faithful"
    played = {"kind": kind, "batch": 1 if show.batch == "auto" else show.batch}
    return preset.model_copy(update={"decoder": decoder.model_copy(update=played)})


def cast_of(studio: Studio) -> Cast:
    """How a studio makes its pictures."""
    profile = studio.decoder.profile
    return Cast(studio.preset.decoder.kind, profile.steps, profile.guidance, profile.batch)


def recast(studio: Studio, cast: Cast) -> Studio:
    """The same world through another decoder, its networks and texts shared: nothing is loaded. Raises PresetError."""
    kept = studio.preset.decoder
    key = "scout_steps" if cast.kind == "scout" else "steps"
    settings: dict[str, object] = {"kind": cast.kind, "batch": cast.batch, key: cast.steps}
    settings |= {"guidance": cast.guidance} if cast.kind == "faithful" else {}
    preset = studio.preset.model_copy(update={"decoder": kept.model_copy(update=settings)})
    decoder, scout = _recast(studio, preset, cast)
    eye: Any = studio.eye
    eye = eye.batched(cast.batch) if cast.batch != studio.decoder.profile.batch and hasattr(eye, "batched") else eye
    return replace(studio, preset=preset, decoder=decoder, scout=scout, eye=eye)


def moved(studio: Studio, plane: Plane) -> Studio:
    """The studio on another plane of its shape: the analytic world lies on the plane, others do not mind."""
    if not isinstance(studio.decoder, AnalyticDecoder):
        return replace(studio, plane=plane)
    decoder = replace(studio.decoder, plane=plane)
    return replace(studio, plane=plane, decoder=decoder, scout=decoder)


def observed(studio: Studio) -> Diffusion | None:
    """The faithful decoder, one picture at a time, to be watched step by step; None in a world without networks."""
    if studio.bundle is None:
        return None
    d = studio.preset.decoder
    size = (d.height or studio.bundle.card.size, d.width or studio.bundle.card.size)
    decoder = faithful_decoder(studio.bundle, steps=d.steps, guidance=d.guidance, batch=1, size=size)
    return _sharing_texts(decoder, studio.decoder)


def resolve(preset: Preset, world: World) -> Preset:
    """The preset with everything it leaves open as the world's card has it."""
    told, decoder, prompt = world.card.defaults, preset.decoder, preset.prompt
    side = world.card.size
    chosen = choose(decoder.device, decoder.dtype, decoder.engine, decoder.batch, decoder.height or side)
    settings: dict[str, object] = {
        "steps": told.steps if decoder.steps is None else decoder.steps,
        "guidance": told.guidance if decoder.guidance is None else decoder.guidance,
        "scout_steps": told.scout_steps if decoder.scout_steps is None else decoder.scout_steps,
        "height": decoder.height or side,
        "width": decoder.width or side,
    }
    settings |= {"device": chosen.device, "dtype": chosen.dtype, "engine": chosen.engine, "batch": chosen.batch}
    words = {
        "positive": told.prompt if prompt.positive is None else prompt.positive,
        "negative": told.negative if prompt.negative is None else prompt.negative,
    }
    parts = {"decoder": decoder.model_copy(update=settings), "prompt": prompt.model_copy(update=words)}
    return preset.model_copy(update=parts)


def _diffusion(preset: Preset) -> Studio:
    decoder, name = preset.decoder, preset.world.name
    chosen = choose(decoder.device, decoder.dtype, decoder.engine)
    name = name if preset.world.revision is None else f"{name}@{preset.world.revision}"
    world = worlds.load(name, chosen.device, chosen.dtype)
    preset = resolve(preset, world)
    d = preset.decoder
    assert isinstance(d.batch, int)  # resolved
    size = (d.height or world.card.size, d.width or world.card.size)
    common: dict[str, Any] = {"batch": d.batch, "engine": d.engine, "size": size}
    look = _scout(preset, world, common)
    main = look if d.kind == "scout" else faithful_decoder(world, steps=d.steps, guidance=d.guidance, **common)
    plane = _plane(preset, main.shape)
    # OpenVINO pays for the eye too; the GPU engines are for the denoiser's many calls
    eye = clip_eye(preset.eye.clip, world, batch=d.batch, engine="openvino" if d.engine == "openvino" else "eager")
    seer = f"{eye.source}@{eye.digest}"
    return Studio(preset, world.digest, plane, main, look, eye, seer, _prompt(preset), world)


def _recast(studio: Studio, preset: Preset, cast: Cast) -> tuple[Decoder, Decoder]:
    """The decoder of a cast, and the scout beside it."""
    if isinstance(studio.decoder, AnalyticDecoder):
        mixture = replace(studio.decoder.mixture, steps=cast.steps)
        decoder = replace(studio.decoder, mixture=mixture, batch=cast.batch)
        return decoder, decoder
    assert studio.bundle is not None  # only the analytic world has none
    main: Any = studio.decoder
    if cast.kind == studio.preset.decoder.kind:
        guidance = cast.guidance if cast.kind == "faithful" else None
        main = main.variant(steps=cast.steps, guidance=guidance, batch=cast.batch)
        scout: Any = studio.scout
        return main, main if cast.kind == "scout" else scout.variant(batch=cast.batch)
    d = preset.decoder
    size = (d.height or studio.bundle.card.size, d.width or studio.bundle.card.size)
    common: dict[str, Any] = {"batch": cast.batch, "engine": d.engine, "size": size}
    if cast.kind == "scout":
        scout = studio.scout
        look = scout.variant(steps=cast.steps, batch=cast.batch)
        return look, look
    main = faithful_decoder(studio.bundle, steps=cast.steps, guidance=cast.guidance, **common)
    return _sharing_texts(main, studio.decoder), studio.decoder


def _sharing_texts(decoder: Diffusion, other: Any) -> Diffusion:
    """A decoder that knows the texts another one of the same world has encoded, and learns them with it."""
    decoder.prompts = other.prompts
    return decoder


def _scout(preset: Preset, world: World, common: Mapping[str, Any]) -> Decoder:
    d = preset.decoder
    if d.kind == "scout" or world.student is not None or d.scout_lora is not None:
        lora = Path(d.scout_lora) if d.scout_lora else None
        tiny = Path(d.tiny_vae) if d.tiny_vae else None
        return scout_decoder(world, steps=d.scout_steps, lora=lora, tiny_vae=tiny, **common)
    return faithful_decoder(world, steps=min(_BLIND_STEPS, d.steps or 1), guidance=d.guidance, **common)


def _analytic(preset: Preset) -> Studio:
    d, a = preset.decoder, preset.analytic
    settings: dict[str, object] = {"steps": d.steps or 50, "height": d.height or 128, "width": d.width or 128}
    settings |= {"batch": 16 if d.batch == "auto" else d.batch, "device": "cpu", "engine": "eager", "dtype": "float32"}
    resolved = d.model_copy(update=settings)
    plane = _plane(preset, SHAPE)
    size, batch = (resolved.height or 128, resolved.width or 128), int(resolved.batch)
    decoder = analytic(plane, a.modes, a.sigma, a.seed, resolved.steps or 50, size, batch)
    preset = preset.model_copy(update={"decoder": resolved})
    return Studio(preset, decoder.profile.world, plane, decoder, decoder, AnalyticEye(), "analytic", _prompt(preset))


def _plane(preset: Preset, shape: tuple[int, int, int]) -> Plane:
    spec = preset.plane
    if spec.vertices is not None:
        drawn, _ = vertices.load(spec.vertices)
    else:
        drawn = vertices.from_seeds(spec.seeds, shape, spec.layout, spec.device, spec.dtype)
    if drawn.shape[1:] != shape:
        found, wanted = list(drawn.shape[1:]), list(shape)
        raise WorldMismatch(f"the vertices in {spec.vertices} are {found}, this decoder wants {wanted}: draw others")
    return Plane(np.asarray(drawn), spec.norm)


def _prompt(preset: Preset) -> Prompt:
    return Prompt(preset.prompt.positive or "", preset.prompt.negative or "")
