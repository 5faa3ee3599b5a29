"""How a denoising goes along its schedule, besides the sampler's name and the number of steps: as a preset has it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from latentworld.decoding.samplers import SAMPLERS, SPACINGS
from latentworld.errors import PresetError

WORDS = "karras", "plain"  # as `Sampling.karras` is written: True, False


@dataclass(frozen=True)
class Sampling:
    """What is usual where nothing is said: then it is written as "", so that records and profiles of what came before
    these settings stay what they are.

    spacing: of the times, one of SPACINGS, "" as networks or sampler have it; karras: whether noise levels are spaced
    as Karras et al. 2022 do (eq. 5, rho 7), None: as the world's schedule says; rescale: how much of a guided
    prediction's contrast is brought back to that of the positive one, 0..1 (Lin et al. 2024, eq. 15 and 16); clip_skip:
    how many of the last layers of the CLIP text encoders are left out, beyond what the family does, 0 or more.

    Raises PresetError.
    """

    spacing: str = ""
    karras: bool | None = None
    rescale: float = 0.0
    clip_skip: int = 0

    def __post_init__(self) -> None:
        if self.spacing not in ("", *SPACINGS):
            raise PresetError(f"spacing = {self.spacing!r}: use one of auto, {', '.join(SPACINGS)}")
        if not (math.isfinite(self.rescale) and 0 <= self.rescale <= 1):
            raise PresetError(f"guidance_rescale = {self.rescale}: a number from 0 to 1 is needed")
        if self.clip_skip < 0:
            raise PresetError(f"clip_skip = {self.clip_skip}: 0 or more layers can be left out")

    def __str__(self) -> str:
        """As records have it: `trailing karras rescale=0.7 skip=1`, "" where all is usual."""
        said = [self.spacing] if self.spacing else []
        said += [] if self.karras is None else [WORDS[0] if self.karras else WORDS[1]]
        said += [f"rescale={self.rescale!r}"] if self.rescale else []
        said += [f"skip={self.clip_skip}"] if self.clip_skip else []
        return " ".join(said)

    @staticmethod
    def read(text: str) -> Sampling:
        """From what `str` wrote. Raises PresetError."""
        known: dict[str, object] = {}
        for word in text.split():
            name, _, value = word.partition("=")
            if word in WORDS:
                known["karras"] = word == WORDS[0]
            elif name in ("rescale", "skip"):
                known |= _number(name, value)
            else:
                known["spacing"] = word
        return Sampling(**known)  # type: ignore[arg-type]

    @property
    def options(self) -> dict[str, object]:
        """Entries of a scheduler's config, beside the spacing."""
        return {} if self.karras is None else {"use_karras_sigmas": self.karras}


USUAL = Sampling()


def check(name: str, sampling: Sampling, noise: str, title: str) -> None:
    """Raises PresetError, one line, where a sampler cannot go so, or takes out another kind of noise than a family's
    models make. noise: as in `Sampler`; title: of the family."""
    sampler = SAMPLERS[name]
    if sampler.noise != noise:
        fitting = [other for other, one in SAMPLERS.items() if one.noise == noise]
        raise PresetError(
            f"sampler = {name!r} takes out the noise of a {sampler.noise}, and {title} is a {noise}: "
            f"use auto or {', '.join(fitting)}"
        )
    if sampling.spacing and sampling.spacing not in sampler.spacings:
        ways = ", ".join(sampler.spacings)
        remedy = f"use {ways} or leave spacing at auto" if ways else "leave spacing at auto"
        raise PresetError(f"spacing = {sampling.spacing!r}: the sampler {name!r} spaces its times itself: {remedy}")
    if sampling.karras and not sampler.karras:
        able = ", ".join(other for other, one in SAMPLERS.items() if one.karras)
        raise PresetError(f"karras = true: the sampler {name!r} has no Karras noise levels: use one of {able}")


def _number(name: str, value: str) -> dict[str, object]:
    try:
        return {"rescale": float(value)} if name == "rescale" else {"clip_skip": int(value)}
    except ValueError:
        raise PresetError(f"sampling: {name}={value!r:.40} is no number: take it from a copy") from None
