"""How a preset's film is kept on this machine: encoder, network, finish, pieces, and what is written into them."""

from __future__ import annotations

from dataclasses import replace

from installation.film import imprint, upscale
from installation.film.ffmpeg import Recipe, chosen, muxing
from installation.film.finish import Finish, Showing
from installation.film.formats import FORMATS, SUFFIX
from installation.film.imprint import Enlarged, Marks
from installation.film.output import Folder
from installation.film.pieces import Pieces, StillPieces, VideoPieces
from installation.film.soundtrack import soundtrack
from installation.film.upscale import LANCZOS, Network
from installation.fit import Size
from installation.rig import Rig
from installation.studio import Studio
from latentworld.errors import EncoderFailed
from latentworld.preset import Preset


def able(preset: Preset) -> Preset:
    """The preset with the encoder that films here, after ffmpeg and the network were tried: what this machine cannot is
    told before a world is loaded. Raises EncoderFailed and as `upscale.load`."""
    upscale.load(preset.film.upscale)
    codec = preset.film.codec
    if codec == "frames":
        return preset
    encoder = chosen(codec, preset.film.encoder)
    return preset if encoder == preset.film.encoder else preset.changed(film={"encoder": encoder})


def network(preset: Preset) -> Network | None:
    """What enlarges its pictures, on its decoder's device; None for lanczos. Raises as `upscale.load`."""
    found, device = upscale.load(preset.film.upscale), preset.decoder.device
    return found if found is None or device in ("auto", "cpu") else found.on(device)


def size(preset: Preset, source: Size, scale: int = 1) -> Size:
    """(height, width) of the film of pictures of that size. scale: by which a network enlarges them, which counts where
    the preset asks for no other size."""
    spec, (height, width) = preset.film, source
    own = scale if spec.scale == 1 else spec.scale
    return spec.size or (height * own, width * own)


def finish(preset: Preset, source: Size, enlarger: Network | None, showing: Showing | None = None) -> Finish:
    """What is done to the film's pictures before they are kept. showing: what its score makes of them."""
    spec = preset.film
    whole = size(preset, source, 1 if enlarger is None else enlarger.scale)
    return Finish(whole, spec.fit, enlarger, spec.added_grain, showing)


def enlarged(preset: Preset) -> Enlarged | None:
    """Which network enlarges its pictures. Raises as `upscale.load`."""
    found = upscale.load(preset.film.upscale) if preset.film.upscale != LANCZOS else None
    return None if found is None else found.record


def marks(studio: Studio, take: str | None = None) -> Marks | None:
    """What is written into its pictures; None where they keep that private. take: digest of what is filmed."""
    silent = replace(studio, preset=studio.preset.changed(sound={"file": None}))  # a picture has none, nor has a worker
    made = imprint.of(silent, take, enlarged(studio.preset))
    return None if made is None else Marks(made, studio.plane)


def pieces(rig: Rig, folder: Folder, take: str | None = None, showing: Showing | None = None) -> Pieces:
    """How the frames are kept. take: digest of what is filmed; showing: what the film's score makes of them.
    Raises EncoderFailed for frames that are too small."""
    spec, source, sound = rig.preset.film, rig.decoder.size, soundtrack(rig.preset)
    finishing = finish(rig.preset, source, network(rig.preset), showing)
    if spec.codec == "frames":
        return StillPieces(folder.frames, finishing.size, spec.fit, finishing, marks(rig.studio, take), sound)
    encoder, least = chosen(spec.codec, spec.encoder), FORMATS[spec.codec].least
    if min(finishing.size) < least:
        raise EncoderFailed(f"{spec.codec} takes no frames below {least} pixels: set film.size, or film.scale")
    recipe = Recipe(
        spec.codec, spec.fps, finishing.leaves(source), finishing.size, spec.crf, spec.grain or spec.added_grain > 0,
        muxing=muxing(spec.codec, encoder), fit=spec.fit, encoder=encoder,
    )  # fmt: skip
    return VideoPieces(folder.chunks, recipe, folder.video(SUFFIX[spec.codec]), finishing, sound)
