"""A take as a film: the same journey at another quality, or the very frames that were shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from installation.frames import Frames, digest
from installation.rig import Rig
from installation.studio import Studio
from installation.takes.parts import Parts, counted, follow, frames_of, nearest_rate, recorded
from installation.takes.scenes import OPEN, TakeScenes, preset_of
from installation.takes.take import Take
from latentworld import vertices
from latentworld.decoding import Profile
from latentworld.errors import DecodeError, TakeError, WorldMismatch
from latentworld.preset import Preset, parse

_PLANNED = ("film.loop", "film.there_and_back", "film.interpolate")  # what passes over a plan do
_WALKED = ("rift", "walk", "pilot", "pacing", "tempo")  # what a plan was walked by
_OF_A_MACHINE = ("device", "dtype", "engine", "batch")  # what a show's machine decided of its decoder


@dataclass(frozen=True, eq=False)
class Journey:
    """A take, and how it is filmed. preset: of the film's beginning; held: sections that the take does not decide;
    exact: the recorded frames themselves; own: a way that the preset itself plans, for this film alone."""

    take: Take
    preset: Preset
    held: frozenset[str]
    exact: bool
    own: bool = False

    def parts(self, rig: Rig, open_studio: Callable[[Preset], Studio]) -> Parts:
        """The loop's parts, on a rig that was built from the preset."""
        way = follow(self.take, TakeScenes(rig, open_studio, self.held, self.exact), exact=self.exact)
        batch, spec = rig.decoder.settings.batch, rig.preset.film
        clock = recorded(self.take, batch) if self.exact else counted(way, spec.fps, batch, spec.frames)
        return Parts(clock, way.walk, way.direct, way.pilot, way.after)

    @property
    def digest(self) -> str:
        """SHA-256 of the take's text."""
        return hashlib.sha256(self.take.text).hexdigest()

    @property
    def origin(self) -> int:
        """The number of its first frame."""
        return int(self.take.shots.index[0]) if self.exact else 0

    def check_world(self, rig: Rig) -> None:
        """Hold a plan against what it is to be filmed with. Raises WorldMismatch where world or plane are others, and
        the film's own settings do not ask for that."""
        header, plane = self.take.header, self.take.scenes[0].plane.digest
        if not header.planned:
            return
        remedy = "film it where it was planned, or plan it anew"
        if "world" not in self.held and header.world != rig.studio.world:
            raise WorldMismatch(f"{self.take.path.name} plans a film of another world: {remedy}")
        if "plane" not in self.held and plane not in (None, vertices.digest(rig.plane.vertices)):
            raise WorldMismatch(f"{self.take.path.name} plans a film on another plane: {remedy}")

    def check(self) -> Check:
        """A sink that compares the film with what was shown."""
        return Check(self.take)


def journey(take: Take, overrides: Sequence[str] = (), preset: Preset | None = None, exact: bool = False) -> Journey:
    """How to film a take: in its own preset, through the faithful decoder, a plan through the one that its preset
    names; what overrides name goes before what the take says, scene by scene. preset: in place of its own; exact: its
    own frames, decoders and frame rate.

    Raises PresetError for overrides, TakeError where exactly recorded frames cannot have them.
    """
    named = {override.split("=")[0].strip() for override in overrides}
    sections = _WALKED if take.header.planned else ("rift",)
    decided = sorted(name for name in named if name in _PLANNED or name.split(".")[0] in sections)
    if decided:
        remedy = (
            "say it to `latentworld plan`" if take.header.planned else "plan a film of its own, with `latentworld plan`"
        )
        raise TakeError(f"the way is {take.path.name}'s, and {decided[0]} is about the way: {remedy}")
    held = frozenset(section for section in OPEN if any(name.split(".")[0] == section for name in named))
    first = take.scenes[take.shots.scene[0]]
    table = (preset or take.header.preset).model_dump(mode="json", exclude_none=True)
    if exact and held:
        raise TakeError(f"--as-recorded shows what was shown: leave out --set {sorted(held)[0]}.…, or --as-recorded")
    if not exact and preset is None:
        table["decoder"] = {key: value for key, value in table["decoder"].items() if key not in _OF_A_MACHINE}
        if table["decoder"].get("kind") == "scout" and not take.header.planned:  # a show's kind is not its film's
            table["decoder"]["kind"] = "faithful"
    table.get("pilot", {}).pop("atlas", None)  # the take needs no pilot
    if exact and "film.fps" not in named:
        table["film"]["fps"] = nearest_rate(take)
    chosen = preset_of(first, parse(table, overrides), held, exact)
    return Journey(take, _lasting(chosen, take, "film.seconds" in named, exact), held, exact)


def _lasting(preset: Preset, take: Take, limited: bool, exact: bool) -> Preset:
    """The preset with as many frames as the take has, or, `limited`, no more than its own."""
    spec = preset.film
    frames = len(take.shots) if exact else frames_of(take, spec.fps)
    frames = min(frames, spec.frames) if limited and not exact else frames
    return preset.changed(film={"seconds": frames / spec.fps})


@dataclass
class Check:
    """A sink that compares pictures with the digests in a take: how many are the `same`, `other`, or had `none`."""

    take: Take
    same: int = 0
    other: int = 0
    none: int = 0
    _sums: Mapping[int, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._sums = dict(zip(self.take.shots.index.tolist(), self.take.shots.sum))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *fault: object) -> None:
        pass

    def send(self, frames: Frames) -> None:
        """Compare the batch."""
        for index, picture in zip(frames.path.index.tolist(), frames.pictures):
            known = self._sums.get(index)
            if not known:
                self.none += 1
            elif known == digest(picture):
                self.same += 1
            else:
                self.other += 1

    def report(self, profile: Profile) -> str:
        """How many pictures are the same, and where there are others, what of the render profile differs."""
        words = f"as recorded: {self.same} of {self.same + self.other} pictures are the same to the last bit"
        words += f" ({self.none} without a digest)" if self.none else ""
        apart = self._apart(profile)
        why = f"; the profile is another: {', '.join(apart)}" if apart else "; the profile is the same"
        return words + (why if self.other else "")

    def failed(self, profile: Profile) -> bool:
        """Whether pictures differ although nothing they depend on does."""
        return bool(self.other) and not self._apart(profile)

    def _apart(self, profile: Profile) -> list[str]:
        try:
            return Profile.read(self.take.header.profile).differences(profile)
        except DecodeError:
            return ["the take does not say with which it was recorded"]
