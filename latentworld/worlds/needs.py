"""What a world is made for and needs, in words and numbers, from what is known before a weight is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentworld.worlds.few_step import MEMBERS, steps_in

if TYPE_CHECKING:
    from latentworld.worlds.look import Summary

WIDE = ("vae",)  # parts that stay in float32 where the rest is halved, if their family says so


def title(seen: Summary) -> str:
    """Its family, and which few-step member of it it is: `SDXL Lightning`."""
    member = MEMBERS.get(seen.few_step)
    return seen.family.title if member is None else f"{seen.family.title} {member.title}"


def weights_gb(seen: Summary, dtype: str) -> float:
    """Gigabytes (10^9 bytes) that its parts' weights fill in a dtype; what pictures need beside grows with their size
    and number. The eye is apart."""
    import torch

    from latentworld.device import torch_dtype

    kind, total = torch_dtype(dtype), 0
    for part, count in seen.parameters.items():
        own = seen.family.vae_dtype({}, kind) if part in WIDE else kind
        total += count * torch.empty(0, dtype=own).element_size() if part != "clip" else 0
    return total / 1e9


def sampling(seen: Summary) -> str:
    """How its pictures are sampled where nothing else is said, and what it was made for."""
    member, usual = MEMBERS.get(seen.few_step), seen.card.defaults
    if member is None or not member.whole:
        return f"{seen.family.sampler}, {usual.steps} steps, guidance {usual.guidance:g}"
    stem = seen.path.stem if seen.path.is_file() else seen.path.name
    steps = ", ".join(map(str, steps_in(stem, member)))
    spaced = f", {member.spacing} times" if member.spacing else ""
    return f"{member.sampler}{spaced}, {usual.steps} steps (made for {steps}), guidance {usual.guidance:g}"
