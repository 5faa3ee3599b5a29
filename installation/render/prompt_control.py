"""The prompt that controls want: texts are encoded off the loop, and cross-faded to when they are known."""

from __future__ import annotations

from dataclasses import dataclass

from installation.control.controls import LoopControls
from installation.render import prompt_mix
from installation.render.builder import PromptEncoder
from installation.render.prompt_mix import Fade, Slots
from installation.studio import Studio
from latentworld.prompts import Prompt
from latentworld.sections import PromptSpec


@dataclass(frozen=True)
class PromptControlState:
    """The mixtures of what the picture should be (toward) and should not be (away), each perhaps on its way."""

    toward: Fade
    away: Fade

    @staticmethod
    def at(spec: PromptSpec) -> PromptControlState:
        """A preset's own texts."""
        return PromptControlState(Fade(((spec.positive or "", 1.0),)), Fade(((spec.negative or "", 1.0),)))


class PromptControl:
    """Follows the texts of controls. encoder: where new ones are encoded."""

    def __init__(self, encoder: PromptEncoder, state: PromptControlState) -> None:
        self._encoder, self.state = encoder, state

    @property
    def prompt(self) -> Prompt:
        """The prompt now."""
        return prompt_mix.prompt(self.state.toward, self.state.away)

    def __call__(self, controls: LoopControls, studio: Studio, base: PromptSpec, elapsed: float) -> None:
        """Go on with fades, `elapsed` seconds after the last call; base: the texts where controls set none."""
        encoder, seconds = studio.decoder.texts, controls.prompt.fade
        slots = [prompt_mix.positive(controls, base.positive or ""), prompt_mix.negative(controls, base.negative or "")]

        def knows(text: str) -> bool:
            return self._encoder.knows(encoder, text)

        self._encoder.type(encoder, prompt_mix.unknown(slots, knows))
        toward, away = (
            fade.after(prompt_mix.known(fade.slots, part, knows), seconds, elapsed)
            for fade, part in zip((self.state.toward, self.state.away), slots, strict=True)
        )
        self._go(PromptControlState(toward, away), studio)

    def cut(self, toward: Slots, away: Slots, studio: Studio) -> None:
        """Be at these mixtures at once, when all their texts are encoded; until then nothing changes."""
        encoder = studio.decoder.texts
        missing = prompt_mix.unknown((toward, away), lambda text: self._encoder.knows(encoder, text))
        self._encoder.type(encoder, missing)
        if not missing:
            self._go(PromptControlState(Fade(toward), Fade(away)), studio)

    def _go(self, state: PromptControlState, studio: Studio) -> None:
        """Be there, when the studio's engines are built for texts as long; until then nothing changes."""
        wanted = prompt_mix.prompt(state.toward, state.away)
        if self._encoder.fits((studio.decoder, studio.scout), wanted):
            self.state = state

    def save(self) -> PromptControlState:
        """What another renderer begins with."""
        return self.state
