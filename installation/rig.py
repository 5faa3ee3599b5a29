"""From a preset to the parts the loop runs on: the builder, which alone knows concrete classes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from installation.clock import CountedClock
from installation.loop import Scene
from installation.studio import Studio, lookout
from installation.vocabulary import understood
from latentworld import vertices, vision, walks, worlds
from latentworld.aims import Likeness
from latentworld.atlas.provenance import Provenance
from latentworld.atlas.settings import eye_of
from latentworld.decoding import (
    Cached,
    Decoder,
    DecoderSettings,
    Watch,
    Watched,
    bend,
    foresight,
    pairing,
    world_decoder,
)
from latentworld.decoding.analytic import SHAPE, AnalyticDecoder, AnalyticEye, analytic
from latentworld.decoding.hold import chosen
from latentworld.decoding.settings import (
    GUIDED_STEPS,
    DecoderSpec,
    HoldSettings,
    Kind,
    LoraSettings,
    resolve,
    resolve_analytic,
)
from latentworld.decoding.surprise import AnalyticSurprise, NetworkSurprise, Surprise
from latentworld.decoding.timetable import few_steps_of
from latentworld.deferred import uncollected
from latentworld.device import Choice, choose
from latentworld.errors import AtlasError, Notice, PresetError, WorldMismatch
from latentworld.frozen import changed
from latentworld.lipschitz import Lookout
from latentworld.pilot import Pilot as FilmPilot
from latentworld.plane import Plane
from latentworld.preset import Preset
from latentworld.prompts import Prompt
from latentworld.sections import PlaneSpec
from latentworld.vision import clip_eye
from latentworld.walks import Walk
from latentworld.worlds.find import Found, find
from latentworld.worlds.inversions import Inversion, taught
from latentworld.worlds.inversions import read as read_inversion
from latentworld.worlds.words import strange

if TYPE_CHECKING:
    from latentworld.atlas.prior import Prior
    from latentworld.worlds import Card


@dataclass(frozen=True, eq=False)
class Rig:
    """Everything a film runs on. studio: with a decoder that remembers; look: through the decoder without its memory,
    for measuring what a picture's bytes depend on."""

    studio: Studio
    walk: Walk
    pilot: FilmPilot
    clock: CountedClock
    look: Lookout

    @property
    def preset(self) -> Preset:
        """Resolved: nothing in it is left to the world's card or to the machine."""
        return self.studio.preset

    @property
    def plane(self) -> Plane:
        """The plane that the walk moves on."""
        return self.studio.plane

    @property
    def decoder(self) -> Decoder:
        """What makes the film's pictures."""
        return self.studio.decoder

    @property
    def scene(self) -> Scene:
        """What the loop decodes with."""
        return Scene(self.plane, self.decoder, self.studio.eye, self.studio.prompt)


def build(preset: Preset, watch: Watch | None = None) -> Rig:
    """Load, draw and connect everything a preset names. Raises the LatentWorldError of whatever does not fit."""
    studio = open_studio(preset, watch)
    preset, plane, prompt, batch = studio.preset, studio.plane, studio.prompt, studio.settings.batch
    walk = walks.build(preset.walk, plane)
    # the pacing looks ahead through the very decoder that makes the frames: what it saw, the cache hands out as frames
    decoder = Cached(studio.decoder, capacity=max(64, 12 * batch))
    scout = lookout(plane, studio.scout, studio.eye, prompt)
    ahead = lookout(plane, decoder, studio.eye, prompt) if preset.pacing.look == "faithful" else scout
    pilot = FilmPilot(
        preset.pilot, preset.pacing, plane, _blended(studio, scout), ahead, preset.film.fps, batch, aim=aim_of(studio)
    )
    clock = CountedClock(preset.film.frames, preset.film.fps, batch)
    bare = lookout(plane, studio.decoder, studio.eye, prompt)
    return Rig(replace(studio, decoder=decoder), walk, pilot, clock, bare)


def open_studio(preset: Preset, watch: Watch | None = None) -> Studio:
    """The plane, decoders and eye of a preset."""
    if preset.plane.device == "auto":  # devices draw different numbers: the preset that is kept names the one that drew
        preset = preset.changed(plane={"device": choose().device})
    with uncollected():
        studio = _analytic(preset) if preset.decoder.kind == "analytic" else _diffusion(preset)
    if watch is None:
        return studio
    decoder = Watched(studio.decoder, watch)
    scout = decoder if studio.scout is studio.decoder else Watched(studio.scout, watch)
    return replace(studio, decoder=decoder, scout=scout)


def prior_of(studio: Studio) -> Prior | None:
    """The preset's atlas as a lookout, None where it has none or its share is 0.

    Raises AtlasDamaged, and WorldMismatch when the atlas is of another world, eye, prompt or plane.
    """
    spec = studio.preset.pilot
    if spec.atlas is None or spec.prior == 0.0:
        return None
    from latentworld.atlas import mesh, prior, reader

    atlas = reader.read(spec.atlas)
    here = studio.provenance(studio.decoder)
    differences = Provenance.read(atlas.settings).differences(here, "world", "eye", "prompt", "plane")
    if differences:
        faults = "; ".join(differences)
        raise WorldMismatch(f"the atlas {spec.atlas} is of elsewhere: {faults}; survey this world and plane")
    return prior.lookout(atlas, mesh.mesh(atlas))


def aim_of(studio: Studio) -> Likeness | None:
    """What the preset's pilot wants of pictures besides rifts; None where it goes toward no words, and no score may
    make it. Raises PresetError where it has no words or steers nothing, WorldMismatch where the eye knows no words."""
    preset, spec = studio.preset, studio.preset.pilot
    if spec.mode != "toward" and not (preset.score and spec.words.strip()):
        return None
    if not spec.words.strip():
        if any(key in cue.set for cue in preset.score for key in ("pilot.words", "rift.words")):
            return None  # its cues say them
        raise PresetError('pilot.mode = "toward" needs words: set pilot.words, as "a cathedral"')
    if isinstance(preset.walk, walks.FixedSpec) and not preset.score:
        kind = preset.walk.kind
        raise PresetError(f'pilot.mode = "toward" steers free walks, and {kind} is fixed: set walk.kind = "rift"')
    understood(studio, [spec.words])
    return Likeness(np.asarray(studio.eye.texts([spec.words])[0], np.float64))


def surprise_of(studio: Studio, decoder: Decoder) -> Surprise:
    """How surprising what one of a studio's decoders makes is, as its faithful network judges it.

    Raises AtlasError in a world without such a network.
    """
    if isinstance(decoder, AnalyticDecoder):
        return AnalyticSurprise(decoder)
    if studio.networks is None or "faithful" not in {studio.settings.kind, *studio.own}:
        raise AtlasError("the surprise needs a world whose faithful network can judge latents: survey without it")
    own = decoder.settings
    faithful = studio.settings if studio.settings.kind == "faithful" else studio.own["faithful"]
    sampling = replace(faithful.sampling, karras=None)  # DDIM has none
    judge = replace(
        faithful,
        batch=own.batch,
        size=own.size,
        guidance=1.0,
        engine=own.engine,
        sampler="ddim",
        sampling=sampling,
        hold=None,
    )
    return NetworkSurprise(studio.networks.variant(own), studio.networks.variant(judge))


def _blended(studio: Studio, scout: Lookout) -> Lookout:
    """What a film's pilot looks through: the scout, or the preset's atlas with it. Errors as `prior_of`."""
    from latentworld.atlas.prior import blended

    found = prior_of(studio)
    return scout if found is None else blended(found, scout, studio.preset.pilot.prior)


def _diffusion(preset: Preset) -> Studio:
    """A world with networks, the preset resolved by its card and this machine."""
    spec, name = preset.decoder, preset.world.name
    name = name if preset.world.revision is None else f"{name}@{preset.world.revision}"
    found = find(name, preset.world.vae)
    spec = _bearable(spec, found)
    machine = choose(spec.device, spec.dtype, spec.engine)
    loras = tuple(LoraSettings(lora.file, lora.strength) for lora in preset.world.loras)
    own = {kind: replace(each, loras=loras) for kind, each in _own(spec, found).items()}
    settings = own[spec.kind]
    inversions = _inversions(preset)
    _tell_of_words(preset, found, inversions)
    _tell_of_scout(settings, found)
    _tell_of_pairing(found, settings, own["scout"])
    for each in dict.fromkeys((settings, own["scout"])):  # which looks ahead, whatever makes the pictures
        foresight.check(found, each)
    vision.foresee(preset.eye.clip, found)
    plane = plane_of(preset, found.facts.latent.shape(*settings.size))
    # an engine that keeps what it converted needs no network again, nor the libraries they come from
    world = worlds.load(found, machine.device, machine.dtype, quick=machine.engine == "openvino")
    world = taught(world, inversions)
    own = {kind: of_plane(each, preset.plane, world.digest, own["faithful"]) for kind, each in own.items()}
    settings = own[spec.kind]
    _tell_of_held(own["faithful"].hold, spec.kind)
    preset = _resolved(preset, own, world.card)
    main = world_decoder(world, settings)
    scout = main if spec.kind == "scout" else main.variant(own["scout"])
    # OpenVINO pays for the eye too; the GPU engines are for the denoiser's many calls, but that which is for launches
    engine = {"openvino": "openvino", "whole": "graphs"}.get(settings.engine, "eager")
    eye = clip_eye(preset.eye.clip, world, batch=settings.batch, engine=engine)
    seer = eye_of(eye.source, eye.digest)
    return Studio(preset, world.digest, plane, main, scout, eye, seer, _prompt(preset), own, own["scout"], main)


def _inversions(preset: Preset) -> Sequence[Inversion]:
    """The words that a preset teaches its world, read before a weight is."""
    return [read_inversion(one.file, one.word) for one in preset.world.embeddings]


def _tell_of_words(preset: Preset, found: Found, taught: Sequence[Inversion]) -> None:
    """Of words that a small world neither knows nor was taught, in a line."""
    for text, lenient in ((preset.prompt.positive, False), (preset.prompt.negative, True)):
        if text is None:
            continue
        for one in taught:
            text = re.sub(re.escape(one.word), " ", text, flags=re.IGNORECASE)
        if (said := strange(found.card, text, lenient)) is not None:
            warnings.warn(f"the negative prompt: {said}" if lenient else said, Notice, stacklevel=4)


def _bearable(spec: DecoderSpec, found: Found) -> DecoderSpec:
    """The section with what this family bears, where the machine would take something else by itself: its half
    precision, and eager where it has no other engine, which multiplies what the networks are."""
    if found.family.eager and spec.engine == "auto":
        spec = changed(spec, engine="eager", scout_precision="auto")
    half = found.family.half
    if spec.dtype != "auto" or half == "float16" or choose(spec.device, spec.dtype, spec.engine).dtype != "float16":
        return spec
    return changed(spec, dtype=half)


def _own(spec: DecoderSpec, found: Found) -> dict[Kind, DecoderSettings]:
    """What spec, card and machine make of each kind of decoder."""
    card = found.card
    machine: Choice = choose(spec.device, spec.dtype, spec.engine, spec.batch, spec.height or card.size)
    kinds: tuple[Kind, ...] = ("faithful", "scout")
    is_told = found.family.guidance == "distilled"
    few = few_steps_of(Path(spec.scout_lora), found.family) if spec.scout_lora else (None, 1.0)
    return {kind: resolve(spec, card, machine, kind, found.has_few_step, is_told, few) for kind in kinds}


def _tell_of_scout(settings: DecoderSettings, found: Found) -> None:
    """Notice that a scout was asked for where nothing was made to be one."""
    if settings.kind == "scout" and settings.lora is None and not found.has_few_step:
        warnings.warn(
            f"the world {found.name} has no few-step model: the scout is its faithful decoder in {settings.steps} "
            f"guided steps (decoder.scout_lora names an LCM LoRA)",
            Notice,
            stacklevel=2,
        )


def _tell_of_pairing(found: Found, *decoders: DecoderSettings) -> None:
    """Notice what few-step models are asked for that they were not made for, each line once."""
    for line in dict.fromkeys(pairing.mismatch(found, settings) for settings in decoders):
        if line:
            warnings.warn(line, Notice, stacklevel=3)


def _resolved(preset: Preset, own: Mapping[Kind, DecoderSettings], card: Card) -> Preset:
    """The preset with everything it leaves open spelt out, so that it opens the same studio anywhere."""
    spec, prompt, defaults = preset.decoder, preset.prompt, card.defaults
    for settings in (*own.values(), own[spec.kind]):  # the last one says which kind it is
        preset = preset.changed(decoder=preset.decoder.saying(settings))
    positive = defaults.prompt if prompt.positive is None else prompt.positive
    negative = defaults.negative if prompt.negative is None else prompt.negative
    return preset.changed(prompt={"positive": positive, "negative": negative})


def _analytic(preset: Preset) -> Studio:
    """The world without weights."""
    for key, given in (("loras", preset.world.loras), ("embeddings", preset.world.embeddings)):
        if given:
            raise WorldMismatch(f"the analytic world has no networks: leave world.{key} out")
    a, own = preset.analytic, resolve_analytic(preset.decoder)
    plane = plane_of(preset, SHAPE)
    if of_plane(own, preset.plane, "analytic", own).start or held(preset.plane, "analytic"):  # refused before
        raise WorldMismatch("the analytic world holds no pictures: choose a world with networks")
    decoder = analytic(plane, a.modes, a.sigma, a.seed, own.steps, own.size, own.batch)
    preset = preset.changed(decoder=preset.decoder.saying(own))
    world, eye, prompt = decoder.profile.world, AnalyticEye(), _prompt(preset)
    return Studio(preset, world, plane, decoder, decoder, eye, "analytic", prompt, {"analytic": own}, own)


def held(spec: PlaneSpec, world: str) -> HoldSettings | None:
    """How a plane's vertices from pictures are held in a world, by its digest; None for none. Errors as `hold.chosen`,
    and PresetError for residuals without a file."""
    if spec.vertices is None:
        if spec.hold == "residual":
            raise PresetError('plane.hold = "residual" wants plane.vertices, a file made from pictures')
        return None
    return chosen(spec.vertices, vertices.read(spec.vertices), spec.hold, spec.reach, world)


def of_plane(own: DecoderSettings, spec: PlaneSpec, world: str, faithful: DecoderSettings) -> DecoderSettings:
    """A decoder's settings with what a plane's vertices ask of it. Errors as `held`, WorldMismatch for a bridge of
    another world.

    On a bridge denoising starts half-way, which few-step models were not made for: there a scout is the faithful
    decoder in a few guided steps.
    """
    if spec.vertices is None:
        return replace(own, hold=held(spec, world)) if own.kind == "faithful" else own
    trio = vertices.read(spec.vertices)
    bridge = bend.chosen(spec.vertices, trio, world)
    if own.kind == "faithful":
        own = replace(own, hold=chosen(spec.vertices, trio, spec.hold, spec.reach, world))
    if trio.bridge is None:
        return own
    if own.kind == "scout":
        few = max(own.steps, min(GUIDED_STEPS, faithful.steps))
        own = replace(own, variant="guided", lora=None, steps=few, guidance=faithful.guidance)
    return replace(own, start=trio.bridge.start, bridge=bridge)


def _tell_of_held(hold: HoldSettings | None, kind: Kind) -> None:
    if hold is not None and kind == "scout":
        warnings.warn(
            "vertices from pictures are exact only with the faithful decoder: the scout shows others there "
            '(set show.decoder or decoder.kind = "faithful")',
            Notice,
            stacklevel=2,
        )


def plane_of(preset: Preset, shape: tuple[int, int, int]) -> Plane:
    """The plane of a preset, of latents of `shape`. Raises WorldMismatch for a file's of another shape, and what
    drawing or reading vertices raises."""
    spec = preset.plane
    if spec.vertices is not None:
        trio = vertices.read(spec.vertices)
        drawn = trio.vertices
        if trio.bridge is not None and spec.norm != "sphere":
            raise PresetError(f"plane.norm = {spec.norm!r}: a bridge lies on its own sphere, set it to 'sphere'")
    else:
        drawn = vertices.from_seeds(spec.seeds, shape, spec.layout, spec.device, spec.dtype)
    if drawn.shape[1:] != shape:
        found, wanted = list(drawn.shape[1:]), list(shape)
        raise WorldMismatch(f"the vertices in {spec.vertices} are {found}, this decoder wants {wanted}: draw others")
    return Plane(np.asarray(drawn), spec.norm)


def _prompt(preset: Preset) -> Prompt:
    return Prompt(preset.prompt.positive or "", preset.prompt.negative or "")
