"""What a show makes of a preset before it opens a world: how it plays it, and another world in its place."""

from __future__ import annotations

from latentworld.decoding import DecoderSettings
from latentworld.decoding.quick import quick
from latentworld.decoding.settings import DecoderSpec
from latentworld.device import choose
from latentworld.preset import Preset
from latentworld.sections import EyeSpec


def performed(preset: Preset) -> Preset:
    """The preset as a show plays it: `show.decoder` and `show.batch` (1 where the show is yet to find out) instead of
    [decoder]'s, and the scout as fast as it can be. Raises PresetError for what this machine cannot do."""
    show, spec = preset.show, preset.decoder
    changes: dict[str, object] = {"batch": 1 if show.batch == "auto" else show.batch}
    if spec.kind == "analytic":
        return preset.changed(decoder={**changes, "kind": "analytic"})
    machine = choose(spec.device, spec.dtype, spec.engine)
    usual = "scout" if machine.device == "cpu" else "faithful"
    changes["kind"] = usual if show.decoder == "auto" else show.decoder
    return preset.changed(decoder=changes | {"scout_precision": quick(spec).scout_precision})


def elsewhere(preset: Preset, world: str, settings: DecoderSettings) -> Preset:
    """The preset in another world, of which its card decides what the first one's did; kind and batch of `settings`."""
    spec = preset.decoder
    decoder = DecoderSpec(
        kind=settings.kind, batch=settings.batch, device=spec.device, dtype=spec.dtype, engine=spec.engine,
        scout_precision=spec.scout_precision,
    )  # fmt: skip
    place = {"name": world, "revision": None, "vae": None, "loras": (), "embeddings": ()}
    return preset.changed(world=place, decoder=decoder, eye=EyeSpec(), plane={"vertices": None})
