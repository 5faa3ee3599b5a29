"""What a show makes of a preset before it opens a world: how it plays it, and another world in its place."""

from __future__ import annotations

from latentworld.decoding import DecoderSettings
from latentworld.decoding.settings import DecoderSpec
from latentworld.device import choose
from latentworld.preset import Preset
from latentworld.sections import EyeSpec


def performed(preset: Preset) -> Preset:
    """The preset as a show plays it: `show.decoder` and `show.batch` (1 where the show is yet to find out) instead of
    [decoder]'s. Raises PresetError for what this machine cannot do."""
    show, spec = preset.show, preset.decoder
    kind: str = show.decoder
    if spec.kind == "analytic":
        kind = "analytic"
    elif kind == "auto":
        kind = "scout" if choose(spec.device, spec.dtype, spec.engine).device == "cpu" else "faithful"
    return preset.changed(decoder={"kind": kind, "batch": 1 if show.batch == "auto" else show.batch})


def elsewhere(preset: Preset, world: str, settings: DecoderSettings) -> Preset:
    """The preset in another world, of which its card decides what the first one's did; kind and batch of `settings`."""
    spec = preset.decoder
    decoder = DecoderSpec(
        kind=settings.kind, batch=settings.batch, device=spec.device, dtype=spec.dtype, engine=spec.engine
    )
    place = {"name": world, "revision": None, "vae": None, "loras": (), "embeddings": ()}
    return preset.changed(world=place, decoder=decoder, eye=EyeSpec(), plane={"vertices": None})
