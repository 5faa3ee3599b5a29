"""The contract every decoder keeps: latents and a prompt in, pictures out, the same bytes for the same position.

::

    decoder.settings             what it is made from; `decoder.variant(replace(decoder.settings, steps=8))`
    decoder.profile              what the bytes depend on, besides latents and prompt
    decoder.shape                latent C, H, W
    decoder.size                 picture height, width
    decoder.rows                 what its denoiser computes for a picture in each step: 2 with guidance, else 1
    decoder.warm                 whether the next call only computes
    decoder.fits(prompt)         whether that goes for a prompt of this length too; decoder.fit(prompt) sees to it
    decoder.texts                where its texts are encoded; None where it reads none
    decoder.variant(settings)    the same world under other settings; networks and texts are shared, nothing is loaded
    decoder.on(plane)            the same on another plane, for worlds that lie on theirs
    decoder(latents, prompt)     float32 [n, C, H, W] on the CPU -> float32 [n, 3, height, width] in 0..1 on the CPU;
                                 with stay=True where they were made

`tests/test_decoder_contract.py` holds every decoder of the house to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from latentworld.decoding.profile import Profile
from latentworld.decoding.settings import DecoderSettings
from latentworld.errors import Cancelled
from latentworld.plane import Plane
from latentworld.prompts import Prompt, Texts

if TYPE_CHECKING:
    from torch import Tensor

Watch = Callable[[int, int], bool]
"""Called with (done, total) after every UNet step of a call; returning False cancels the call (Cancelled)."""


class Decoder(Protocol):
    """Latents to pictures, in padded batches of `settings.batch`: a picture never depends on its batch-mates.

    One decoder is called by one thread at a time; it and its variants may be called by several.
    """

    @property
    def settings(self) -> DecoderSettings:
        """What it is made from. When memory runs out it halves its batch, and this and `profile` say so."""
        ...

    @property
    def profile(self) -> Profile:
        """What the bytes of its pictures depend on."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Latent channels, height, width."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height, width of the pictures in pixels."""
        ...

    @property
    def rows(self) -> int:
        """What its denoiser computes for a picture in each step: 2 where guidance wants a negative one, else 1."""
        ...

    @property
    def warm(self) -> bool:
        """Whether its engines are built for these settings, so that the next call only computes."""
        ...

    def has(self, settings: DecoderSettings) -> bool:
        """Whether the networks of these settings are made, so that a variant takes no time."""
        ...

    def fits(self, prompt: Prompt) -> bool:
        """Whether its engines are built for a prompt of this length, so that the next call with it only computes. Its
        texts should be known. Any thread may ask."""
        ...

    def fit(self, prompt: Prompt) -> None:
        """Build what is lacking for it. Another thread may be calling the decoder meanwhile. Errors as a call's."""
        ...

    @property
    def texts(self) -> Texts | None:
        """Where texts are encoded, shared with all variants but those whose LoRA changes the text encoder; None in a
        world that reads none."""
        ...

    def variant(self, settings: DecoderSettings) -> Decoder:
        """A decoder of the same world under other settings: it makes what a decoder opened with them makes.

        Networks are shared, and engines too where their shapes stay the same. Raises PresetError for what this world,
        its device or its precision cannot do, WorldMismatch where the world lacks the networks.
        """
        ...

    def on(self, plane: Plane) -> Decoder:
        """The same decoder for latents of another plane of its shape; itself where planes do not matter to it."""
        ...

    def __call__(self, latents: Tensor, prompt: Prompt, watch: Watch | None = None, *, stay: bool = False) -> Tensor:
        """float32 `[n, C, H, W]` on the CPU, any n >= 0, to float32 `[n, 3, height, width]` in 0..1 on the CPU.

        stay: pictures of an accelerator may stay there, where nobody has looked whether they are finite: who asks for
        them looks when they come down (`installation.frames.see`). On a processor nothing is different.

        Raises DecodeError for latents of another shape, NotFinite for pictures that are none (float16 may overflow),
        OutOfMemory, and Cancelled when `watch` answers False.
        """
        ...


class Around(ABC):
    """What a decoder around another one shares with it; how it decodes, and what of its own it passes on to a variant
    (`around`), it says itself."""

    decoder: Decoder

    @abstractmethod
    def around(self, decoder: Decoder) -> Self:
        """The same about another decoder."""

    @property
    def settings(self) -> DecoderSettings:
        return self.decoder.settings

    @property
    def profile(self) -> Profile:
        return self.decoder.profile

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.decoder.shape

    @property
    def size(self) -> tuple[int, int]:
        return self.decoder.size

    @property
    def rows(self) -> int:
        return self.decoder.rows

    @property
    def warm(self) -> bool:
        return self.decoder.warm

    def has(self, settings: DecoderSettings) -> bool:
        return self.decoder.has(settings)

    def fits(self, prompt: Prompt) -> bool:
        return self.decoder.fits(prompt)

    def fit(self, prompt: Prompt) -> None:
        self.decoder.fit(prompt)

    @property
    def texts(self) -> Texts | None:
        return self.decoder.texts

    def variant(self, settings: DecoderSettings) -> Self:
        """As the contract has it, about the inner decoder's variant."""
        return self.around(self.decoder.variant(settings))

    def on(self, plane: Plane) -> Self:
        """As the contract has it; itself where the inner decoder stays the same."""
        inner = self.decoder.on(plane)
        return self if inner is self.decoder else self.around(inner)


class Watched(Around):
    """A decoder whose every call is watched, so that a film can be stopped between two denoising steps."""

    def __init__(self, decoder: Decoder, watch: Watch) -> None:
        self.decoder, self.watch = decoder, watch

    def around(self, decoder: Decoder) -> Self:
        """Watched by the same."""
        return type(self)(decoder, self.watch)

    def __call__(self, latents: Tensor, prompt: Prompt, watch: Watch | None = None, *, stay: bool = False) -> Tensor:
        """As the wrapped decoder; a watcher given here goes before the usual one."""
        return self.decoder(latents, prompt, watch or self.watch, stay=stay)


@dataclass
class Progress:
    """Counts the UNet steps of one call and asks the watcher whether to go on."""

    watch: Watch | None
    total: int
    done: int = 0

    def step(self) -> None:
        """One UNet step more; raises Cancelled when the watcher asks to stop."""
        self.done += 1
        if self.watch is not None and not self.watch(self.done, self.total):
            raise Cancelled(f"cancelled after {self.done} of {self.total} denoising steps, as the watcher asked")
