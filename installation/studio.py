"""What turns places into pictures: a world, its plane, its decoders and its eye. It knows protocols only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from installation.frames import felt
from latentworld.arrays import Array
from latentworld.atlas.provenance import Provenance
from latentworld.decoding import Decoder, DecoderSettings
from latentworld.decoding.settings import Kind
from latentworld.lipschitz import Lookout
from latentworld.plane import Plane
from latentworld.preset import Preset
from latentworld.prompts import Prompt
from latentworld.vision import Eye

if TYPE_CHECKING:
    from torch import Tensor

    from latentworld.decoding.diffusion import Diffusion


@dataclass(frozen=True, eq=False)
class Studio:
    """What turns places into pictures: no walk, no pilot, no clock. Enough for a still.

    preset: resolved when the world was opened; world, seer: digests of the weights of the world and of its eye;
    decoder: makes the pictures; scout: looks ahead for it (the decoder itself where it is a scout or analytic); own:
    the settings that preset and card have for every kind of decoder of this world; ahead: those of what looks ahead
    beside the faithful decoder; networks: the world's decoder without anything around it, None in a world without.
    """

    preset: Preset
    world: str
    plane: Plane
    decoder: Decoder
    scout: Decoder
    eye: Eye
    seer: str
    prompt: Prompt
    own: Mapping[Kind, DecoderSettings]
    ahead: DecoderSettings
    networks: Diffusion | None = None

    @property
    def settings(self) -> DecoderSettings:
        """How its pictures are made."""
        return self.decoder.settings

    @property
    def document(self) -> Preset:
        """The preset that opens a studio with the decoder of this one."""
        decoder = self.preset.decoder.saying(self.settings)
        loras = [{"file": lora.file, "strength": lora.strength} for lora in self.settings.loras]
        return self.preset.changed(decoder=decoder, world={"loras": loras} if loras else {})

    def provenance(self, decoder: Decoder) -> Provenance:
        """What pictures by one of its decoders depend on, as an atlas keeps it."""
        return Provenance.of(self.world, self.seer, self.prompt, self.plane, decoder.profile)

    def on(self, plane: Plane) -> Studio:
        """The same on another plane of its shape."""
        decoder = self.decoder.on(plane)
        scout = decoder if self.scout is self.decoder else self.scout.on(plane)
        return replace(self, plane=plane, decoder=decoder, scout=scout)

    def variant(self, settings: DecoderSettings) -> Studio:
        """The same world through another decoder; nothing is loaded. Scout and eye take as many pictures at a time.

        Errors as `Decoder.variant`.
        """
        decoder = self.decoder.variant(settings)
        eye = self.eye.batched(settings.batch) if settings.batch != self.settings.batch else self.eye
        scout = self._beside(settings) if settings.kind == "faithful" else decoder
        return replace(self, decoder=decoder, scout=scout, eye=eye)

    def _beside(self, settings: DecoderSettings) -> Decoder:
        """What looks ahead beside a faithful decoder: one that is there already, or a variant."""
        wanted = replace(self.ahead, batch=settings.batch, loras=settings.loras)
        there = [one for one in (self.scout, self.decoder) if one.settings == wanted]
        return there[0] if there else self.scout.variant(wanted)

    def recorded(self, settings: Mapping[str, object]) -> DecoderSettings:
        """The settings that a record of a scene asks of this world; what it lacks is as here, or as this world has it
        for another kind. Raises PresetError."""
        return self.default(settings.get("kind")).recorded(settings)

    def default(self, kind: object) -> DecoderSettings:
        """Where one begins to change settings: the present ones, or those that this world has for another kind."""
        others = (own for name, own in self.own.items() if name == kind and name != self.settings.kind)
        return next(others, self.settings)

    @property
    def observed(self) -> DecoderSettings:
        """The faithful decoder's settings, one picture at a time, for watching it step by step."""
        faithful = self.settings if self.settings.kind == "faithful" else self.own["faithful"]
        sampling = replace(faithful.sampling, karras=None)  # DDIM has none
        loras = self.settings.loras
        return replace(faithful, batch=1, engine="eager", sampler="ddim", sampling=sampling, loras=loras)


def lookout(plane: Plane, decoder: Decoder, eye: Eye, prompt: Prompt) -> Lookout:
    """Places to features, through a decoder and an eye."""

    def look(units: Array, radii: Array) -> Tensor:
        pictures = decoder(plane.latents(units, radii), prompt, stay=True)
        return felt(pictures, eye(pictures))

    return look
