"""Whether a few-step model, or a LoRA that makes one, is sampled as it was made: what is not becomes one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.decoding.samplers import SAMPLERS
from latentworld.decoding.timetable import member_of_lora
from latentworld.worlds.few_step import MEMBERS, steps_in

if TYPE_CHECKING:
    from latentworld.decoding.settings import DecoderSettings
    from latentworld.worlds.few_step import FewStep
    from latentworld.worlds.find import Found


def mismatch(found: Found, settings: DecoderSettings) -> str:
    """One line on what does not go together, and what does; "" where all does. Pictures are made all the same."""
    own = settings.kind == "scout" and settings.lora is None and (found.path / "student").is_dir()
    lora = Path(settings.lora) if settings.kind == "scout" and settings.lora is not None else None
    name = member_of_lora(lora, found.family) if lora else found.facts.few_step
    member = MEMBERS.get(name)
    if own or (member is not None and not member.whole and settings.kind != "scout"):
        return ""  # a student says itself what it is; an LCM's faithful pictures are its family's
    whose = str(lora) if lora else f"the world {found.name}"
    if member is None:
        return _of_many(whose, settings)
    who = f"{whose} is made for few steps ({member.title})"
    return _of_few(who, member, steps_in(_names(found, lora), member), settings)


def _names(found: Found, lora: Path | None) -> str:
    return lora.stem if lora else found.path.stem if found.path.is_file() else found.path.name


def _of_many(whose: str, settings: DecoderSettings) -> str:
    """A model of many steps under a sampler that only a few-step one can follow."""
    if settings.sampler in SAMPLERS and SAMPLERS[settings.sampler].renoises:
        return (
            f"{whose} is not known as a few-step model, and sampler = {settings.sampler!r} is for those: "
            f"leave it at auto, or say few_step in the world's card"
        )
    return ""


def _of_few(who: str, member: FewStep, steps: tuple[int, ...], settings: DecoderSettings) -> str:
    key = "scout_sampler" if settings.kind == "scout" else "sampler"
    if settings.sampler not in ("", member.sampler):
        return f"{who} by {member.sampler}, not {settings.sampler}: leave decoder.{key} at auto"
    if settings.sampling.spacing not in ("", member.spacing):
        return f"{who} with {member.spacing or 'its own'} times, not {settings.sampling.spacing}: leave spacing at auto"
    if settings.steps not in steps:
        key = "scout_steps" if settings.kind == "scout" else "steps"
        return f"{who}, {' or '.join(map(str, steps))}, not {settings.steps}: set decoder.{key} = {member_steps(steps)}"
    if settings.guidance > (weight := member.weight(settings.steps)):
        made = f"at guidance {weight:g}" if weight > 1 else "without guidance"
        return f"{who} {made}, not at {settings.guidance:g}: set decoder.guidance = {weight:g}"
    return ""


def member_steps(steps: tuple[int, ...]) -> int:
    """The number to name of those a model is made for: 4 where it can take them."""
    return 4 if 4 in steps else steps[-1]
