"""Models that were made for a few steps: what each is called, how it is sampled, and how it is known.

A few-step model keeps its family's layout; only its weights, and the sampling they were trained for, are others. So
what one is cannot be read off its shapes: a UNet that is told its guidance is an LCM, a scheduler's class may say it,
and else its name does, or its card (`few_step = "lightning"`). Sources: docs/worlds.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class FewStep:
    """One way of making a few-step model.

    title: for people; sampler: a name in `decoding.samplers`, spacing: of its times, as in `Sampling`; steps: those it
    is made for, usual: how many are taken where nothing is said; guidance: the weight that was in its training, which
    is the only one it has: 1 for none; guided: of one that keeps its guidance, the weight for so many steps; times: the
    times of so many steps, where they are not spaced evenly; names: what a model's name holds if it is one; whole:
    whether its faithful pictures are made so too; strength: that its makers fuse a LoRA with.
    """

    title: str
    sampler: str
    steps: tuple[int, ...]
    usual: int
    names: str
    spacing: str = ""
    guidance: float = 1.0
    times: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    guided: Mapping[int, float] = field(default_factory=dict)
    whole: bool = True
    strength: float = 1.0

    def weight(self, steps: int) -> float:
        """The most guidance that goes with so many steps, 1 for none."""
        return self.guided.get(steps, max([self.guidance, *self.guided.values()]))


MEMBERS: Mapping[str, FewStep] = MappingProxyType(
    {
        "lcm": FewStep("LCM", "lcm", (1, 2, 3, 4, 5, 6, 7, 8), 4, r"(?<![a-z])lcm(?![a-z])", whole=False),
        "tcd": FewStep("TCD", "tcd", (2, 3, 4, 5, 6, 7, 8), 4, r"(?<![a-z])tcd(?![a-z])"),
        "turbo": FewStep("Turbo", "euler", (1, 2, 3, 4), 4, r"turbo", "trailing"),
        "lightning": FewStep("Lightning", "euler", (2, 4, 8), 4, r"lightning", "trailing"),
        "hyper": FewStep("Hyper", "ddim", (2, 4, 8), 4, r"hyper[-_ ]?sd(?!3)", "trailing"),
        "dmd2": FewStep("DMD2", "lcm", (1, 4), 4, r"dmd2?(?![a-z])", "trailing", times={1: (399,)}),
        "flux_hyper": FewStep("Hyper", "flow_euler", (8, 16), 8, r"hyper[-_ ]?flux", guidance=3.5, strength=0.125),
        "sd3_hyper": FewStep(
            "Hyper", "flow_euler", (4, 8, 16), 8, r"hyper[-_ ]?sd3", guided={4: 3.0, 8: 5.0, 16: 7.0}, strength=0.125
        ),
        "flux_alpha": FewStep("Turbo-Alpha", "flow_euler", (8,), 8, r"turbo[-_ ]?alpha", guidance=3.5),
        "schnell": FewStep("schnell", "flow_euler", (1, 2, 3, 4), 4, r"schnell"),
        "klein": FewStep("distilled", "flow_euler", (4,), 4, r"klein(?!-base)"),
        "z_turbo": FewStep("Turbo", "flow_euler", (8, 9), 8, r"turbo"),
        "sprint": FewStep("Sprint", "scm", (1, 2, 3, 4), 2, r"sprint", guidance=4.5),
        "flow_turbo": FewStep("Turbo", "flow_euler", (4, 5, 6, 7, 8), 4, r"turbo"),
        "flow_lora": FewStep("a few steps", "flow_euler", tuple(range(1, 17)), 8, r"(?!)", guidance=3.5),
    }
)
"""Turbo: SD-Turbo, SDXL-Turbo (Sauer et al. 2023), whose four times are 999 749 499 249; Lightning:
ByteDance/SDXL-Lightning; Hyper: ByteDance/Hyper-SD, its N-step files; DMD2: tianweiy/DMD2. Of flows: FLUX.1 schnell,
FLUX.2 klein, Z-Image-Turbo, Stable Diffusion 3.5 large turbo; LoRA of flows: Hyper-FLUX.1-dev and Hyper-SD3 of
ByteDance/Hyper-SD, with the strength and guidance its README gives, alimama-creative/FLUX.1-Turbo-Alpha."""

_STEPS = re.compile(r"(?<!\d)(\d{1,2})[-_ ]?steps?", re.IGNORECASE)


def named(name: str, able: tuple[str, ...]) -> str:
    """Which of these members a model's or a LoRA's name says it is, "" where it says none."""
    return next((member for member in able if re.search(MEMBERS[member].names, name, re.IGNORECASE)), "")


def steps_in(name: str, member: FewStep) -> tuple[int, ...]:
    """The steps that a name says its model was made for (`4step`), else all that the member may be made for."""
    found = _STEPS.search(name)
    return (int(found[1]),) if found and int(found[1]) in member.steps else member.steps
