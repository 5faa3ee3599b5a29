"""Where a survey was made: what every one of its pictures depends on besides its place.

A store's settings hold it as plain values, under the keys that `Provenance.settings` gives; an atlas is only used for a
walk, exported or surveyed further where it is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from latentworld.atlas.settings import differences, eye_of
from latentworld.decoding.profile import Profile
from latentworld.errors import AtlasDamaged, DecodeError
from latentworld.plane import Plane
from latentworld.prompts import Prompt
from latentworld.tables import section
from latentworld.vertices import digest


@dataclass(frozen=True)
class SurveyedPrompt:
    """The two texts that a whole survey was made with."""

    positive: str
    negative: str


@dataclass(frozen=True)
class SurveyedPlane:
    """How lengths are set on the plane, and the digest of its vertices."""

    norm: str
    vertices: str

    @classmethod
    def of(cls, plane: Plane) -> SurveyedPlane:
        """The digest of a plane."""
        return cls(plane.norm, digest(plane.vertices))


@dataclass(frozen=True)
class Provenance:
    """world, eye: digests of the weights; profile: of the decoder. None: not known, as in a folder of pictures that was
    made elsewhere and imported, of which only the plane is known."""

    plane: SurveyedPlane
    world: str | None = None
    eye: str | None = None
    prompt: SurveyedPrompt | None = None
    profile: Profile | None = None

    @classmethod
    def of(cls, world: str, eye: str, prompt: Prompt, plane: Plane, profile: Profile) -> Provenance:
        """Of pictures that are about to be made."""
        texts = SurveyedPrompt(prompt.positive, prompt.negative)
        return cls(SurveyedPlane.of(plane), world, eye, texts, profile)

    @classmethod
    def read(cls, settings: Mapping[str, object]) -> Provenance:
        """Of a store, from its settings. Raises AtlasDamaged for settings of another shape."""
        try:
            plane, eye = section(settings, "plane"), _text(settings.get("eye"))
            prompt = None if settings.get("prompt") is None else section(settings, "prompt")
            profile = None if settings.get("profile") is None else section(settings, "profile")
            return cls(
                SurveyedPlane(str(plane["norm"]), str(plane["vertices"])),
                _text(settings.get("world")),
                None if eye is None else eye_of(*eye.rpartition("@")[::2]),
                None if prompt is None else SurveyedPrompt(str(prompt["positive"]), str(prompt["negative"])),
                None if profile is None else Profile.read(profile),
            )
        except (KeyError, TypeError, DecodeError) as error:
            raise AtlasDamaged(f"the atlas does not say where it was surveyed ({error!r}): survey it anew") from None

    def settings(self) -> dict[str, object]:
        """As a store's settings hold it: plain values, the keys that are not known left out."""
        table = asdict(self) | {"profile": None if self.profile is None else self.profile.record()}
        return {key: value for key, value in table.items() if value is not None}

    def differences(self, other: Provenance, *parts: str) -> list[str]:
        """What differs in `other`, as `profile.batch was 16, now 8`; `parts` names fields, all of them where none is
        named."""
        mine, theirs = self.settings(), other.settings()
        names = parts or tuple({**mine, **theirs})
        return differences({key: mine.get(key) for key in names}, {key: theirs.get(key) for key in names})


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"{value!r:.40} is no text")
