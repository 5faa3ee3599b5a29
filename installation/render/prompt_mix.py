"""The prompt as it is played: two texts and a fader, concept words with weights, and cross-fades between texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from installation.control.controls import LoopControls
from installation.ipc.fields import Part, read_part
from latentworld.prompts import Mixture, Prompt, readable

FAINT = 0.002  # a share of a mixture that is left out while a fade goes on
MOST = 16  # texts of a mixture; people who type during a fade would pile them up

Weighted = tuple[tuple[str, Annotated[float, Meta(ge=0.0, le=1e6)]], ...]
Slots = Weighted
"""Text and weight of each place a text can be set at; an empty place has weight 0."""
VERSION = 1  # of a saved fade


@dataclass(frozen=True)
class Fade:
    """A mixture on its way. slots: what it goes to, or stands at; begun: the mixture when it set out; progress: 0..1,
    1 when there. Weights of `shown` sum to 1."""

    slots: Annotated[Slots, Meta(min_length=1)]
    begun: Weighted = ()
    progress: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0

    @property
    def target(self) -> Mixture:
        """Where it goes."""
        return mixture(self.slots)

    @property
    def shown(self) -> Mixture:
        """The mixture now."""
        if self.progress >= 1.0:
            return self.target
        share = self.progress * self.progress * (3.0 - 2.0 * self.progress)
        total: dict[str, float] = {}
        for part, weight in ((self.begun, 1.0 - share), (self.target, share)):
            for text, own in part:
                total[text] = total.get(text, 0.0) + weight * own
        strongest = sorted(total.items(), key=lambda entry: -entry[1])[:MOST]
        strongest = [entry for entry in strongest if entry[1] >= FAINT] or strongest[:1]
        whole = sum(weight for _, weight in strongest)
        return tuple((text, weight / whole) for text, weight in total.items() if (text, weight) in strongest)

    def after(self, slots: Slots, seconds: float, elapsed: float) -> Fade:
        """A tick later. Weights are followed at once; another text sets out anew from what is shown, in `seconds`."""
        if new_texts(self.slots, slots):
            return Fade(slots, self.shown, 0.0 if seconds > 0 else 1.0)
        if self.progress >= 1.0:
            return Fade(slots)
        progress = self.progress + elapsed / seconds if seconds > 0 else 1.0
        return Fade(slots) if progress >= 1.0 else Fade(slots, self.begun, progress)

    @staticmethod
    def read(written: object) -> Part[Fade]:
        """From what was saved, whatever that is; without its beginning it is there at once."""
        part = read_part(Fade, written, VERSION)
        fade = part.value
        if fade is None:
            return part
        if not all(readable(text) for text, _ in (*fade.slots, *fade.begun)):
            return Part(None, "holds a text that cannot be read")
        if fade.progress < 1.0 and not any(weight > 0 for _, weight in fade.begun):
            return Part(Fade(fade.slots), part.trouble or "has no usable begun")
        return part


def positive(controls: LoopControls, base: str) -> Slots:
    """What controls say the picture should be; `base` where prompt.a was not set.

    prompt.b takes the share prompt.mix of prompt.a where it has words; concept words come on top by their weights.
    """
    prompt = controls.prompt
    mix = prompt.mix if prompt.b else 0.0
    words = ((word.text, word.weight if word.text else 0.0) for word in controls.words)
    return ((base if prompt.a is None else prompt.a, 1.0 - mix), (prompt.b, mix), *words)


def negative(controls: LoopControls, base: str) -> Slots:
    """What controls say it should not be."""
    return ((base if controls.prompt.negative is None else controls.prompt.negative, 1.0),)


def mixture(slots: Slots) -> Mixture:
    """The texts of slots that weigh something, each once, weights summing to 1."""
    total: dict[str, float] = {}
    for text, weight in slots:
        if weight > 0:
            total[text] = total.get(text, 0.0) + weight
    if not total:
        return ((slots[0][0], 1.0),)
    whole = sum(total.values())
    return tuple((text, weight / whole) for text, weight in total.items())


def new_texts(before: Slots, after: Slots) -> bool:
    """Whether a text changed where it weighs something: a fade is due."""
    if len(before) != len(after):
        return True
    return any(old != new and (one > 0 or two > 0) for (old, one), (new, two) in zip(before, after, strict=True))


def known(before: Slots, wanted: Slots, knows: Callable[[str], bool]) -> Slots:
    """The slots wanted, but with the text before where the new one is not encoded yet; a new word waits at 0."""
    if len(before) != len(wanted):
        return wanted
    return tuple(
        (text, weight) if weight <= 0 or knows(text) else (old, weight if old or place == 0 else 0.0)
        for place, ((old, _), (text, weight)) in enumerate(zip(before, wanted, strict=True))
    )


def unknown(slots: Sequence[Slots], knows: Callable[[str], bool]) -> list[str]:
    """Texts to be encoded, those that weigh something."""
    return [text for part in slots for text, weight in part if weight > 0 and not knows(text)]


def prompt(toward: Fade, away: Fade) -> Prompt:
    """The prompt now; plain texts where nothing is mixed."""
    one, other = toward.shown, away.shown
    heaviest, against = (max(part, key=lambda entry: entry[1])[0] for part in (one, other))
    return Prompt(heaviest, against, one if len(one) > 1 else (), other if len(other) > 1 else ())
